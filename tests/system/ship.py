#!/usr/bin/env python3
"""Shipping against a real HTTP server that behaves, misbehaves, or is not there.

Each case starts a server in this process, runs ship_driver (spool, shipper and the helper
breakeven-ship) against it and compares what the server stored with what was shipped.
Prints one line a case. Exit 0 all passed, 1 not.

Use: ship.py SHIP_DRIVER BREAKEVEN_SHIP BREAKEVEN_AGENT [CASE]
"""
import concurrent.futures
import gzip
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

DRIVER, HELPER, AGENT = sys.argv[1:4]
TOKEN = "secret-token-0123456789"


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.script, self.requests, self.rows, self.times = script, [], {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "%s://127.0.0.1:%d" % (self.scheme, self.server_address[1])

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of the tests


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding")
        if encoding == "gzip":
            data = gzip.decompress(data)
        elif encoding == "zstd":
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE,
                                  check=True).stdout
        return [json.loads(line) for line in data.decode().splitlines()]

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def take(self, lines):
        for row in lines[1:]:
            self.server.rows[row["model"]] = row
        self.answer(200, json.dumps({"rows": len(lines) - 1, "newer_kept": 0}).encode())

    def do_POST(self):
        lines = self.body()
        self.server.requests.append((self.path, dict(self.headers), lines))
        self.server.times.append(time.monotonic())
        self.server.script(self, len(self.server.requests), lines)


def drive(url, rows, seconds=60, compression="zstd", helper=None, env=None):
    folder = tempfile.mkdtemp()
    try:
        run = subprocess.run([DRIVER, folder, url, TOKEN, compression, str(rows), str(seconds),
                              helper or HELPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=seconds + 120, text=True,
                             env={**os.environ, **(env or {}), "no_proxy": "127.0.0.1,localhost"})
        assert TOKEN not in run.stderr + run.stdout, "the token was printed"
        return json.loads(run.stdout), run.stderr
    finally:
        shutil.rmtree(folder)


def whole(server, rows, count=lambda row: row["n"]):
    have = {model: count(row) for model, row in server.rows.items()}
    assert have == {"model-%d" % i: i + 1 for i in range(rows)}, len(have)


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def case_delivered():
    for compression in ("zstd", "gzip", "none"):
        if compression == "zstd" and not shutil.which("zstd"):
            continue
        server = Collector(lambda h, n, lines: h.take(lines))
        said, _ = drive(server.url + "/prefix/", 3000, compression=compression)
        assert said == {"status": "ok", "health": "ok", "waiting": 0, "refused": 0}, said
        whole(server, 3000)
        path, headers, lines = server.requests[0]
        assert path == "/prefix/api/v1/usage"
        assert headers["Authorization"] == "Bearer " + TOKEN
        assert headers["Content-Type"] == "application/x-ndjson"
        assert headers["User-Agent"].startswith("breakeven-agent/")
        assert headers.get("Content-Encoding", "none") == compression
        assert lines[0]["agent"] == "driver" and lines[0]["rows"] == len(lines) - 1
        assert sum(lines[0]["rows"] for _, _, lines in server.requests) == 3000
        assert lines[0]["health"] == {"files": 1}


def case_retry_after():
    def script(h, n, lines):
        if n == 1:
            h.answer(503, b'{"error":"busy"}', [("Retry-After", "2")])
        else:
            h.take(lines)
    server = Collector(script)
    said, log = drive(server.url, 10, compression="gzip")
    assert said["waiting"] == 0 and said["health"] == "ok", said
    assert server.times[1] - server.times[0] >= 2, server.times
    assert "busy" in log and "collector takes our batches" in log, log
    whole(server, 10)


def case_refused_connection():
    said, log = drive("http://127.0.0.1:%d" % closed_port(), 10, seconds=2)
    assert said == {"status": "ok", "health": "unreachable", "waiting": 10, "refused": 0}, said
    assert log.count("no answer") == 1, log


def case_garbage():
    def script(h, n, lines):
        h.wfile.write(b"\x00\xff\x16\x03 not http at all\r\n\r\n")
        h.close_connection = True
    said, _ = drive(Collector(script).url, 10, seconds=2, compression="gzip")
    assert said["health"] in ("unreachable", "misunderstood") and said["waiting"] == 10, said


def case_login_page():
    server = Collector(lambda h, n, lines: h.answer(200, b"<html>please log in</html>"))
    said, log = drive(server.url, 10, seconds=2, compression="gzip")
    assert said == {"status": "ok", "health": "misunderstood", "waiting": 10, "refused": 0}, said
    assert "is the URL right" in log


def case_huge_answer():
    def script(h, n, lines):
        h.answer(200, b'{"rows":10,"pad":"' + b"x" * (8 << 20) + b'"}')
    said, _ = drive(Collector(script).url, 10, seconds=2, compression="gzip")
    assert said["health"] == "misunderstood" and said["waiting"] == 10, said


def case_redirect_is_not_followed():
    other = Collector(lambda h, n, lines: h.take(lines))

    def script(h, n, lines):
        h.answer(307, b"", [("Location", other.url + "/api/v1/usage")])
    said, _ = drive(Collector(script).url, 10, seconds=2, compression="gzip")
    assert said["health"] == "misunderstood" and not other.requests, said


def case_wrong_token():
    server = Collector(lambda h, n, lines: h.answer(401, b'{"error":"unknown token"}'))
    said, log = drive(server.url, 10, seconds=3, compression="gzip")
    assert said == {"status": "ok", "health": "unauthorised", "waiting": 10, "refused": 0}, said
    assert log.count("unknown token") == 1 and len(server.requests) >= 2, log


def case_poisoned_row():
    def script(h, n, lines):
        for at, row in enumerate(lines[1:], 2):
            if row["model"] in ("model-7", "model-40"):
                return h.answer(400, json.dumps({"error": "bad hour", "line": at}).encode())
        return h.take(lines)
    server = Collector(script)
    said, log = drive(server.url, 100, compression="gzip")
    assert said == {"status": "ok", "health": "ok", "waiting": 0, "refused": 2}, said
    assert len(server.rows) == 98 and log.count("bad hour") == 2, log


def case_too_large():
    def script(h, n, lines):
        if len(lines) > 200:
            return h.answer(413, b'{"error":"too large"}')
        return h.take(lines)
    server = Collector(script)
    said, _ = drive(server.url, 1000, compression="gzip")
    assert said["waiting"] == 0 and said["refused"] == 0, said
    whole(server, 1000)


def case_lost_answer():
    """Stored, but the connection dies before the 200: sent again, counted once."""
    def script(h, n, lines):
        if n == 1:
            for row in lines[1:]:
                h.server.rows[row["model"]] = row
            h.connection.shutdown(socket.SHUT_RDWR)
            h.close_connection = True
        else:
            h.take(lines)
    server = Collector(script)
    said, _ = drive(server.url, 50, compression="gzip")
    assert said["waiting"] == 0 and len(server.requests) >= 2, said
    whole(server, 50)


def case_slow():
    def script(h, n, lines):
        time.sleep(1.5)
        h.take(lines)
    server = Collector(script)
    said, _ = drive(server.url, 10, compression="gzip")
    assert said["health"] == "ok" and said["waiting"] == 0, said


def case_helper_faults():
    """A helper that dies, babbles, or is missing costs no row and is said."""
    server = Collector(lambda h, n, lines: h.take(lines))
    for text, word in (("#!/bin/sh\nexit 1\n", "without an answer"),
                       ("#!/bin/sh\necho status 200\n", "without an answer"),
                       ("#!/bin/sh\nexec head -c 300000 /dev/zero\n", "without an answer")):
        fd, path = tempfile.mkstemp()
        os.write(fd, text.encode())
        os.fchmod(fd, 0o755)
        os.close(fd)
        said, log = drive(server.url, 10, seconds=1, helper=path)
        os.unlink(path)
        assert said["health"] == "unreachable" and said["waiting"] == 10, said
        assert word in log, log
    said, log = drive(server.url, 10, seconds=1, helper="/nowhere/breakeven-ship")
    assert said["status"] == "not found" and "breakeven-ship" in log, (said, log)
    assert not server.requests


def case_token_is_nowhere_to_be_seen():
    seen = []

    def script(h, n, lines):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/comm" % pid) as f:
                    if f.read().strip() != "breakeven-ship":
                        continue
                for name in ("cmdline", "environ"):
                    with open("/proc/%s/%s" % (pid, name), "rb") as f:
                        seen.append(TOKEN.encode() in f.read())
            except OSError:
                pass
        h.take(lines)
    drive(Collector(script).url, 10, compression="gzip")
    assert seen and not any(seen), seen


def case_tls_is_verified():
    if not shutil.which("openssl"):
        print("skipped tls_is_verified: no openssl command to make a certificate")
        return
    folder = tempfile.mkdtemp()
    cert, key = folder + "/cert.pem", folder + "/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=test", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    server = Collector(lambda h, n, lines: h.take(lines), (cert, key))
    said, log = drive(server.url, 10, seconds=1)
    assert said["health"] == "unreachable" and "certificate" in log, (said, log)
    said, log = drive(server.url.replace("127.0.0.1", "localhost"), 10, seconds=1,
                      env={"CA_FILE": cert})
    assert said["health"] == "unreachable", (said, log)
    assert not server.requests
    said, log = drive(server.url, 10, compression="gzip", env={"CA_FILE": cert})
    assert said["health"] == "ok" and said["waiting"] == 0, (said, log)
    whole(server, 10)
    shutil.rmtree(folder)


def case_proxy():
    """The usual environment variables choose a proxy, which sees the whole URL."""
    server = Collector(lambda h, n, lines: h.take(lines))
    folder = tempfile.mkdtemp()
    run = subprocess.run([DRIVER, folder, "http://collector.invalid:8420", TOKEN, "gzip", "10",
                          "60", HELPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, "http_proxy": server.url, "no_proxy": ""})
    shutil.rmtree(folder)
    assert json.loads(run.stdout)["health"] == "ok", run.stderr
    assert server.requests[0][0] == "http://collector.invalid:8420/api/v1/usage"


def log_line(i):
    return json.dumps({"time": "2026-11-23T20:00:00Z", "response": {
        "id": "chatcmpl-%d" % i, "object": "chat.completion", "model": "model-%d" % i,
        "usage": {"prompt_tokens": i + 1, "completion_tokens": 0, "total_tokens": i + 1}}})


def until(what, seconds=90):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited %d s in vain" % seconds
        time.sleep(0.05)


def case_full_disk():
    """A real agent whose disk is full stops reading, says so, and goes on when it is not."""
    folder, models = tempfile.mkdtemp(), 3000
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder],
                      stderr=subprocess.DEVNULL).returncode:
        print("skipped full_disk: cannot mount a small tmpfs")
        return
    server = Collector(lambda h, n, lines: h.answer(503))
    log = open(folder + ".err", "w+")
    try:
        with open(folder + ".yaml", "w") as f:
            f.write("agent: full\nstate_dir: %s/state\nlogs:\n  - path: %s.jsonl\n"
                    "collector:\n  url: %s\n  interval: 200ms\n  helper: %s\n"
                    % (folder, folder, server.url, HELPER))
        open(folder + ".jsonl", "w").close()
        agent = subprocess.Popen([AGENT, "run", "-c", folder + ".yaml"], stderr=log)
        until(lambda: os.path.exists(folder + "/state/spool.db-wal"))
        with open(folder + "/ballast", "wb") as f:
            try:
                f.write(b"x" * (8 << 20))
            except OSError:
                pass  # full, as it should be
        with open(folder + ".jsonl", "a") as f:
            f.writelines(log_line(i) + "\n" for i in range(models))
        until(lambda: "reading stops until it does" in open(folder + ".err").read())
        time.sleep(3)
        assert agent.poll() is None
        os.unlink(folder + "/ballast")
        server.script = lambda h, n, lines: h.take(lines)
        until(lambda: len(server.rows) == models)
        whole(server, models, lambda row: row["in"])
        assert "takes totals again" in open(folder + ".err").read()
    finally:
        agent.terminate()
        agent.wait(10)
        log.close()
        subprocess.run(["umount", folder], check=True)
        for name in (".err", ".yaml", ".jsonl"):
            os.unlink(folder + name)
        os.rmdir(folder)


def case_url_and_token_are_checked():
    for url in ("ftp://host", "http://", "http://user:pw@host", "http://host/?a=b", "host:8420"):
        said, log = drive(url, 1, seconds=1)
        assert said["status"] == "configuration error" and "URL" in log, (url, said, log)


def tried(name, case):
    began = time.monotonic()
    try:
        case()
        print("ok      %-40s %.1f s\n" % (name, time.monotonic() - began), end="", flush=True)
        return True
    except Exception as e:  # a failed case must not hide the next
        print("FAILED  %s: %r\n" % (name, e), end="", flush=True)
        return False


def main():
    cases = [(name[5:], case) for name, case in sorted(globals().items())
             if name.startswith("case_") and (len(sys.argv) < 5 or sys.argv[4] in name)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:  # they mostly wait
        return not cases or not all(list(pool.map(tried, *zip(*cases))))


sys.exit(main())
