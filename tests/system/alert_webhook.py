#!/usr/bin/env python3
"""One message a change: a real collector, a real receiver, restarts in between.

60 days of usage make hosting cheaper: breakeven_crossed must reach the webhook exactly once,
through two restarts, the second with the receiver down at first. Then hosting becomes dear:
exactly one resolved message. Exit 0 right, 1 not.

Use: alert_webhook.py COLLECTOR
"""
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

DAY = 86400


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Receiver:
    """Keeps what is POSTed; answers 503 while `down`."""

    def __init__(self):
        self.got, self.refused, self.down = [], 0, False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.down:
                    outer.refused += 1
                    self.send_response(503)
                else:
                    outer.got.append(json.loads(body))
                    self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def states(self):
        return [(m["status"], m["commonLabels"]["alertname"], m["commonLabels"]["workload"]) for m in self.got]


class Collector:
    def __init__(self, program, top, hook_port):
        self.program, self.top, self.port, self.hook = program, top, free_port(), hook_port
        self.conf = os.path.join(top, "collector.yaml")
        self.log = open(os.path.join(top, "collector.log"), "ab")
        self.p = None

    def configure(self, monthly_fixed):
        with open(self.conf, "w") as f:
            f.write("listen: 127.0.0.1:%d\ndata_dir: %s/store\nread: loopback\n"
                    "workloads:\n  support:\n    app: shop\n    hosted:\n      monthly_fixed: %d\n"
                    "      setup: 100\n"
                    "alerts:\n  evaluate: 200ms\n  breakeven_crossed:\n    resolve_after: 500ms\n"
                    "  breakeven_forecast:\n    enabled: false\n"
                    "  channels:\n    - name: hook\n      url: http://127.0.0.1:%d/hook\n"
                    % (self.port, self.top, monthly_fixed, self.hook))

    def start(self):
        self.p = subprocess.Popen([self.program, "serve", "--config", self.conf],
                                  stdout=self.log, stderr=self.log)
        end = time.time() + 15
        while time.time() < end:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/readyz" % self.port, timeout=1).read()
                return
            except OSError:
                if self.p.poll() is not None:
                    break
                time.sleep(0.05)
        raise SystemExit("the collector did not start; its log: %s" % self.log.name)

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            self.p.wait(20)

    def token(self):
        return subprocess.run([self.program, "token", "add", "--config", self.conf, "--name", "t",
                               "--scopes", "ingest", "--agents", "t", "--quiet"],
                              check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def post(self, rows, token):
        head = {"schema": 1, "agent": "t", "epoch": 1, "seq": 1, "now": int(time.time() * 1000),
                "version": "0", "rows": len(rows)}
        data = "".join(json.dumps(x) + "\n" for x in [head] + rows).encode()
        r = urllib.request.Request("http://127.0.0.1:%d/api/v1/usage" % self.port, data,
                                   {"Content-Type": "application/x-ndjson",
                                    "Authorization": "Bearer " + token})
        with urllib.request.urlopen(r, timeout=10) as f:
            return json.load(f)


def usage_rows(days):
    """About 100 dollars a day of gpt-4o, every hour, until yesterday."""
    today = int(time.time()) // DAY * DAY
    return [{"h": today - d * DAY + h * 3600, "ver": d * 24 + h + 1, "ep": 1, "app": "shop",
             "prov": "openai", "model": "gpt-4o", "surf": "openai.chat", "src": "log", "oc": "ok",
             "q": "exact", "ctx": 0, "n": 100 + d % 3, "in": 1000000 + 1000 * (d % 7), "out": 170000}
            for d in range(1, days + 1) for h in range(24)]


def wait_for(what, condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (seconds, what))


def main():
    top = tempfile.mkdtemp(prefix="breakeven-alert-")
    os.mkdir(os.path.join(top, "store"))
    hook = Receiver()
    c = Collector(sys.argv[1], top, hook.port)
    fired = ("firing", "breakeven_crossed", "support")
    resolved = ("resolved", "breakeven_crossed", "support")
    ok = False
    try:
        c.configure(200)
        token = c.token()
        c.start()
        print("batch:", c.post(usage_rows(60), token))
        hook.down = True
        c.stop()
        c.start()  # projects at start: crossed, and the receiver is down
        wait_for("a first try", lambda: hook.refused > 0)
        c.stop()
        hook.down = False
        c.start()
        wait_for("the firing message", lambda: hook.states() == [fired], 40)
        c.stop()
        c.start()
        time.sleep(2)
        assert hook.states() == [fired], hook.states()
        c.stop()
        c.configure(1000000)
        c.start()
        wait_for("the resolved message", lambda: len(hook.got) > 1)
        c.stop()
        c.start()
        time.sleep(2)
        assert hook.states() == [fired, resolved], hook.states()
        print("messages:", hook.states(), "refused tries:", hook.refused)
        print("summary:", hook.got[0]["commonAnnotations"]["summary"])
        ok = True
    except AssertionError as e:
        print("FAILED:", e)
    finally:
        c.stop()
        c.log.close()
        if ok:
            shutil.rmtree(top)
        else:
            print("kept:", top)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
