#!/usr/bin/env python3
"""Live capture from outside: real sockets in a network namespace of its own, `run` on them,
and the totals in its spool. usage: live.py LOAD (the load generator); the agent is named by
BREAKEVEN_AGENT. Needs root for the namespace; exits 77 without."""
import http.server
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import agentlib

NOBODY = 65534


def command(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def own_namespace():
    """This program again, in a network namespace that is ours alone."""
    if os.environ.get("BREAKEVEN_IN_NAMESPACE"):
        command("ip", "link", "set", "lo", "up")
        return
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(
            ["unshare", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: needs root, iproute2 and network namespaces")
        sys.exit(77)
    os.environ["BREAKEVEN_IN_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers as an LLM API does, with numbers that the client asks for."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"id": ask["id"], "object": "chat.completion", "model": ask["model"],
                           "usage": {"prompt_tokens": ask["in"],
                                     "completion_tokens": ask["out"]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-ratelimit-remaining-requests", "41")
        self.send_header("x-ratelimit-remaining-tokens", "39000")
        self.end_headers()
        self.wfile.write(body)


class Inbox(http.server.BaseHTTPRequestHandler):
    """A collector that keeps the last heartbeat."""
    protocol_version = "HTTP/1.1"
    health = {}

    def log_message(self, *_):
        pass

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        Inbox.health = json.loads(text.split(b"\n")[0]).get("health", {})
        self.send_response(200)
        body = b'{"rows":0,"newer_kept":0}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(handler, address="127.0.0.1", port=0, tls=None):
    server = http.server.ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Client:
    """Makes calls and knows the truth about them."""

    def __init__(self):
        self.calls = self.input = self.output = 0

    def sums(self):
        return (self.calls, self.input, self.output)

    def call(self, port, address="127.0.0.1", tls=None, path="/v1/chat/completions",
             connection=None, call_id=None, pad=200, model="gpt-4o-mini", **headers):
        import http.client
        self.calls += 1
        n_in, n_out = 100 + self.calls, 7 + self.calls % 5
        self.input += n_in
        self.output += n_out
        c = connection or self.connect(port, address, tls)
        body = json.dumps({"model": model, "in": n_in, "out": n_out, "pad": "x" * pad,
                           "id": call_id or "chatcmpl-live-%032d" % self.calls})
        c.request("POST", path, body, {"Host": "api.openai.com", "Content-Type":
                                       "application/json", **headers})
        json.loads(c.getresponse().read())
        if not connection:
            c.close()

    @staticmethod
    def connect(port, address="127.0.0.1", tls=None):
        import http.client
        c = http.client.HTTPConnection(address, port, timeout=20)
        if tls:
            c.connect()
            c.sock = tls.wrap_socket(c.sock, server_hostname="api.openai.com")
        return c


def client_tls(keylog):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    if keylog:
        tls.keylog_filename = keylog
    return tls


class Live(agentlib.Agent):
    """An agent on an interface. `under`: words of a program that starts it."""

    def __init__(self, directory, capture, extra="", user="nobody", under=()):
        super().__init__(directory, [], extra)
        self.under = list(under)
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o755)
        os.chown(self.state, NOBODY, NOBODY)
        with open(self.config) as f:
            text = f.read().replace("logs:\n", "")
        with open(self.config, "w") as f:
            f.write(text + "capture:\n  user: '%s'\n" % user + capture)

    def start(self):
        self.process = subprocess.Popen([*self.under, agentlib.agent_path(), "run", "-c",
                                         self.config], stderr=open(self.log, "a"),
                                        stdin=subprocess.DEVNULL)
        end = time.time() + 60
        while time.time() < end and not self.said("is open") and self.process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)
        return self

    def stop(self):
        code = super().stop()
        if code or self.said("Sanitizer"):
            with open(self.log) as f:
                sys.exit("FAIL the agent ended with %s:\n%s" % (code, f.read()))
        return code

    def status(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def rows(self):
        with tempfile.TemporaryDirectory(prefix="breakeven-") as copy:
            for name in ("spool.db", "spool.db-wal"):
                if os.path.exists(os.path.join(self.state, name)):
                    shutil.copy(os.path.join(self.state, name), copy)
            db = sqlite3.connect(copy + "/spool.db")
            lines = db.execute("SELECT line FROM total").fetchall()
            db.close()
        return [json.loads(line) for (line,) in lines]

    def by(self, name):
        out = {}
        for row in self.rows():
            out[row.get(name, "")] = out.get(row.get(name, ""), 0) + row.get("n", 0)
        return out

    def waits_for(self, what, seconds=90):
        """Until what() is true."""
        end = time.time() + seconds
        while time.time() < end:
            if what():
                return True
            time.sleep(0.05)
        return False

    def drops(self):
        """Packets that the kernel dropped, as the agent says when it ends."""
        with open(self.log) as f:
            found = re.findall(r"packets, (\d+) dropped by the kernel", f.read())
        return int(found[-1]) if found else None


def folder(base, name):
    path = os.path.join(base, name)
    os.makedirs(path)
    os.chmod(path, 0o755)
    return path


def test_privileges(r, base):
    agent = Live(folder(base, "root"), "  interface: lo\n").start()
    status = agent.status()
    r.check("started as root: another user", status["Uid"].split() == [str(NOBODY)] * 4,
            status["Uid"])
    r.check("no capability", all(int(status[k], 16) == 0 for k in
                                 ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")))
    r.check("and none to come", status["NoNewPrivs"].strip() == "1")
    agent.stop()
    under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
    agent = Live(folder(base, "ambient"), "  interface: lo\n", user="", under=under).start()
    r.check("started with CAP_NET_RAW alone: given up", int(agent.status()["CapEff"], 16) == 0)
    agent.stop()
    for name, under, user, code, text in (
            ("without CAP_NET_RAW", under[:4], "", 1, "needs CAP_NET_RAW"),
            ("as root, nobody named", [], "", 2, "which user to become"),
            ("an unknown user", [], "no-such-user", 2, "no user 'no-such-user'")):
        agent = Live(folder(base, name.replace(" ", "-")), "  interface: lo\n", user=user,
                     under=under)
        agent.process = subprocess.Popen([*under, agentlib.agent_path(), "run", "-c",
                                          agent.config], stderr=open(agent.log, "a"))
        got = agent.process.wait(timeout=20)
        r.check(name + ": refused, and said why", got == code and agent.said(text), str(got))
    for name, capture, user, code, text in (
            ("check: all is well", "interface: lo", "nobody", 0, ""),
            ("check: an unknown user", "interface: lo", "no-such-user", 2,
             "capture: user: there is no user 'no-such-user'"),
            ("check: a filter that is none", "interface: lo\n  filter: port and", "nobody", 2,
             "capture: filter: "),
            ("check: an interface that may come", "interface: nope0", "nobody", 0, "")):
        agent = Live(folder(base, name.translate({32: 45, 58: None})), "  %s\n" % capture,
                     user=user)
        for form in ((), ("--json",)):
            run = subprocess.run([agentlib.agent_path(), "check", "-c", agent.config, *form],
                                 capture_output=True, text=True, check=False, timeout=20)
            r.check(name, run.returncode == code and text in run.stderr and
                    bool(run.stderr) == bool(text) and (not form or json.loads(run.stdout)),
                    str(run))
    agent = Live(folder(base, "nothing"), "  interface: nope0\n")
    got = subprocess.run([agentlib.agent_path(), "run", "-c", agent.config],
                         stderr=open(agent.log, "a"), check=False, timeout=20).returncode
    r.check("no such interface", got == 1 and agent.said("no such interface"))


def test_calls(r, base):
    """Attribution, retries and rate limits, a log beside the wire, the heartbeat."""
    server, other, inbox = serve(Provider), serve(Provider), serve(Inbox)
    port, other_port = server.server_address[1], other.server_address[1]
    place = folder(base, "calls")
    log = os.path.join(place, "app.log")
    with open(log, "w"):
        pass
    apps = ("  apps:\n"
            "    - {ports: %d, app: by-port}\n"
            "    - {path: /gateway/, app: by-path, environment: test}\n"
            "    - {header: X-App}\n"
            "    - {header: 'User-Agent: special*', app: by-agent}\n"
            "    - {owner: root, app: by-owner}\n" % other_port)
    extra = ("collector:\n  url: http://127.0.0.1:%d\n  compression: none\n  interval: 100ms\n"
             "logs:\n  - {path: '%s'}\n" % (inbox.server_address[1], log))
    agent = Live(place, "  interface: lo\n  app: rest\n  ports: [%d, %d]\n%s" %
                 (port, other_port, apps))
    with open(agent.config, "a") as f:
        f.write(extra)
    agent.start()
    c = Client()
    c.call(other_port)
    c.call(port, path="/gateway/v1/chat/completions")
    c.call(port, **{"X-App": "by-header"})
    c.call(port, **{"User-Agent": "special/1", "x-stainless-retry-count": "2"})
    c.call(port)
    same = "chatcmpl-in-both-0123456789abcdefghij"
    c.call(port, call_id=same)
    with open(log, "a") as f:
        f.write(json.dumps({"id": same, "object": "chat.completion", "model": "gpt-4o-mini",
                            "usage": {"prompt_tokens": 100 + c.calls,
                                      "completion_tokens": 7 + c.calls % 5}}) + "\n")
    r.case("each call once, also one in a log and on the wire", c.sums(), agent.sees(c.sums()))
    time.sleep(0.5)
    r.case("and not twice a little later", c.sums(), agentlib.totals(agent.state))
    want = {"by-port": 1, "by-path": 1, "by-header": 1, "by-agent": 1}
    apps = agent.by("app")
    r.check("attribution by port, path, header", all(apps.get(k) == 1 for k in want), str(apps))
    r.check("attribution by the process's user", apps.get("by-owner", 0) >= 1, str(apps))
    r.check("environment of the row", agent.by("env").get("test") == 1)
    r.check("kind of source", set(agent.by("src")) <= {"capture", "log"} and
            agent.by("src").get("capture", 0) >= 5)
    agent.waits_for(lambda: Inbox.health.get("capture", {}).get("calls", 0) >= c.calls)
    h = Inbox.health
    r.check("the heartbeat: retries", h["capture"]["retries"] == 1, str(h.get("capture")))
    r.check("rate limit left", h["rate_limit"] == {"openai_requests": 41, "openai_tokens": 39000},
            str(h["rate_limit"]))
    r.check("drops by reason", h["drops"]["capture_kernel"] == 0 and
            h["drops"]["capture_spoiled"] == 0, str(h["drops"]))
    agent.stop()
    for s in (server, other, inbox):
        s.shutdown()


def test_key_names_app(r, base):
    """A rule about a header that holds keys, which HTTP/2 says once and then by its index."""
    if not shutil.which("node"):
        print("     no node: HTTP/2 is left out")
        return
    place = folder(base, "key")
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "1", "-subj", "/CN=x", "-keyout", place + "/k", "-out",
            place + "/c")
    keys = os.path.join(place, "keys")
    with open(keys, "w"):
        os.chmod(keys, 0o600)
        os.chown(keys, NOBODY, NOBODY)
    peers = subprocess.Popen(
        ["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "canary_h2.mjs"),
         place, keys, "6"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ports = json.loads(peers.stdout.readline())
    agent = Live(place, "  interface: lo\n  ports: %s\n  keylogs: ['%s']\n  apps:\n"
                 "    - {header: 'X-Api-Key: CANARY-KEY-h2-*', app: by-key}\n"
                 % (ports, keys)).start()
    peers.stdin.write("go\n")
    peers.stdin.flush()
    said = json.loads(peers.stdout.readline())
    agent.sees((said["calls"], said["in"], said["out"]))
    r.case("a key names the application, also by its index", {"by-key": said["calls"]},
           agent.by("app"))
    agent.stop()
    peers.stdin.close()
    peers.wait()


def test_tls(r, base):
    """Key logs: late, after the connection; rotated; and none at all."""
    place = folder(base, "tls")
    pem = os.path.join(place, "server.pem")
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "1", "-subj", "/CN=api.openai.com", "-keyout", pem, "-out",
            pem + ".crt")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem + ".crt", pem)
    server = serve(Provider, tls=tls)
    port = server.server_address[1]
    keys = folder(place, "keys")
    agent = Live(place, "  interface: lo\n  ports: %d\n  keylogs: '%s/*.log'\n  limits: "
                 "{sealed: 128KiB, sealed_for: 6s}\n" % (port, keys)).start()

    def give(name, data=b"", mode="wb"):
        with open(os.path.join(keys, name), mode) as f:
            os.fchmod(f.fileno(), 0o600)
            os.fchown(f.fileno(), NOBODY, NOBODY)
            f.write(data)
        return os.path.join(keys, name)

    c = Client()
    path = give("a.log")
    c.call(port, tls=client_tls(path))
    r.case("TLS with a key log", c.sums(), agent.sees(c.sums()))
    os.rename(path, path + ".1")  # as logrotate does; the client writes to a new one
    give("a.log")
    held = c.connect(port, tls=client_tls(path))
    c.call(port, connection=held)
    r.case("a rotated key log", c.sums(), agent.sees(c.sums()))
    c.call(port, tls=client_tls(path + ".1"))
    r.case("the old name is still written to", c.sums(), agent.sees(c.sums()))
    late = os.path.join(place, "late")
    c.call(port, tls=client_tls(late))
    time.sleep(1)
    before = agentlib.totals(agent.state)
    with open(late, "rb") as f:
        give("late.log", f.read())
    r.check("secrets that have not come open nothing", before[0] == c.calls - 1, str(before))
    r.case("secrets that come after the connection", c.sums(), agent.sees(c.sums()))
    later = os.path.join(place, "later")
    big = c.connect(port, tls=client_tls(later))
    # Far beyond what waits, far less than the ring, which a busy machine lets run full.
    c.call(port, connection=big, pad=1 << 20)
    time.sleep(0.5)
    with open(later, "rb") as f:
        give("later.log", f.read())
    r.case("a request too long to wait for secrets, its reply is not", c.sums(),
           agent.sees(c.sums()))
    c.call(port, connection=big)
    big.close()
    r.case("and the next call of that connection", c.sums(), agent.sees(c.sums()))
    known = c.sums()
    dark = Client()
    tls_dark = client_tls(None)
    one = dark.connect(port, tls=tls_dark)
    for _ in range(3):
        dark.call(port, connection=one)
    one.close()
    agent.waits_for(lambda: agent.by("q").get("missing", 0) >= 3)
    rows = [x for x in agent.rows() if x["q"] == "missing"]
    r.check("without keys: three calls estimated, of quality missing",
            sum(x.get("n", 0) for x in rows) == 3 and all(x.get("surf") == "dark" and
            x["prov"] == "openai" and "in" not in x and "out" not in x for x in rows), str(rows))
    exact = [x for x in agent.rows() if x["q"] == "exact"]
    r.case("the exact ones stay what they are", known,
           tuple(sum(x.get(k, 0) for x in exact) for k in ("n", "in", "out")))
    open_log = give("open.log")
    os.chmod(open_log, 0o644)
    closed = os.path.join(keys, "closed.log")
    with open(closed, "w"):
        os.chmod(closed, 0o600)
    agent.process.send_signal(signal.SIGHUP)
    agent.waits_for(lambda: agent.said("open.log: everybody") and agent.said("closed.log: Perm"))
    r.check("a key log that everybody may read is complained about",
            agent.said("open.log: everybody on this host may read it"))
    r.check("and one that cannot be read", agent.said("closed.log: Permission denied"))
    agent.stop()
    held.close()
    server.shutdown()


def test_interface(r, base):
    """A veth that goes down and up, then away and back; then silence."""
    child = subprocess.Popen(["unshare", "-n", "sleep", "600"])  # the other side
    time.sleep(0.5)
    pid = str(child.pid)

    def connect_both():
        command("ip", "link", "add", "bl0", "type", "veth", "peer", "name", "bl1", "netns", pid)
        command("ip", "addr", "add", "10.77.0.1/24", "dev", "bl0")
        command("ip", "link", "set", "bl0", "up")
        for words in (["ip", "link", "set", "lo", "up"], ["ip", "link", "set", "bl1", "up"],
                      ["ip", "addr", "add", "10.77.0.2/24", "dev", "bl1"]):
            command("nsenter", "-t", pid, "-n", *words)

    script = ("import sys; sys.path.insert(0, %r)\n"
              "import live\n"
              "c = live.Client(); c.calls = int(sys.argv[1])\n"
              "c.call(8080, '10.77.0.1'); print(c.input, c.output)\n" %
              os.path.dirname(os.path.abspath(__file__)))

    c = Client()

    def call():
        out = subprocess.run(["nsenter", "-t", pid, "-n", sys.executable, "-c", script,
                              str(c.calls)], check=True, capture_output=True, timeout=60).stdout
        c.calls += 1
        c.input += int(out.split()[0])
        c.output += int(out.split()[1])

    connect_both()
    server = serve(Provider, "0.0.0.0", 8080)
    agent = Live(folder(base, "interface"), "  interface: bl0\n  silence: 2s\n").start()
    try:
        call()
        r.case("across a veth pair", c.sums(), agent.sees(c.sums()))
        command("ip", "link", "set", "bl0", "down")
        r.check("down is said", agent.waits_for(lambda: agent.said("bl0 is down") or
                                                agent.said("went down")))
        command("ip", "link", "set", "bl0", "up")
        r.check("up again is said", agent.waits_for(lambda: agent.said("bl0 is back")))
        call()
        r.case("metered on", c.sums(), agent.sees(c.sums()))
        command("ip", "link", "del", "bl0")
        r.check("gone is said", agent.waits_for(lambda: agent.said("bl0 is gone") or
                                                agent.said("disappeared")))
        time.sleep(1.5)
        connect_both()
        r.check("back, without a privilege", agent.waits_for(lambda: open(
            agent.log).read().count("bl0 is back") == 2) and
            int(agent.status()["CapEff"], 16) == 0)
        call()
        r.case("metered on", c.sums(), agent.sees(c.sums()))
        r.check("silence is said", agent.waits_for(lambda: agent.said("no packet for 2 s")))
        call()
        r.check("and its end", agent.waits_for(lambda: agent.said("packets come again")))
        agent.stop()
    finally:
        child.kill()
        child.wait()
        server.shutdown()


def load_once(place, program, tls):
    """(truth, counted, packets dropped) of 8,000 calls at 2,100 a second."""
    keys = os.path.join(place, "keys")
    agent = Live(place, "  interface: lo\n  keylogs: ['%s']\n" % keys).start()
    out = subprocess.run([program, "8000", "2100", *([keys] if tls else [])], check=True,
                         capture_output=True, timeout=120).stdout
    truth = json.loads(out)
    sums = (truth["calls"], truth["input"], truth["output"])
    have = agent.sees(sums, 30)
    agent.stop()
    return truth, sums, have, agent.drops()


def test_load(r, base, program):
    """No drop at that rate; a machine that was busy with others gets three tries, and says so."""
    for name, tls in (("in clear", False), ("in TLS", True)):
        for attempt in range(3):
            truth, sums, have, drops = load_once(folder(base, "load %s %d" % (name, attempt)), program, tls)
            if drops == 0:
                break
            # What was lost is known, and what was counted is no more than there was.
            r.check("losses are counted, nothing twice", all(h <= s for h, s in zip(have, sums)), str(have))
            print("try %d: %d packets dropped" % (attempt + 1, drops))
        r.case("2,000 calls a second on loopback, " + name, sums, have,
               "%.0f calls/s" % (truth["calls"] / truth["seconds"]))
        r.check("no packet dropped", drops == 0, str(drops))


def test_spool_full(r, base):
    """While the spool takes nothing, calls fold on in memory and are stored later."""
    place = folder(base, "full")
    state = os.path.join(place, "state")
    server = serve(Provider)
    port = server.server_address[1]
    os.makedirs(state)
    command("mount", "-t", "tmpfs", "-o", "size=400k,mode=0700,uid=65534", "none", state)
    try:
        agent = Live(place, "  interface: lo\n  ports: %d\n" % port).start()
        c = Client()
        c.call(port)
        r.case("before it is full", c.sums(), agent.sees(c.sums()))
        filler = os.path.join(state, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        # New rows want room; those there are changed in place.
        for i in range(1000):
            c.call(port, model="gpt-4o-mini-%04d" % i)
            if i % 20 == 19 and agent.waits_for(lambda: agent.said("takes nothing more"), 0.3):
                break
        r.check("full", agent.said("takes nothing more"), "%d calls" % c.calls)
        os.unlink(filler)
        r.case("nothing is lost", c.sums(), agent.sees(c.sums()))
        agent.stop()
    finally:
        command("umount", "-l", state)
        server.shutdown()


def main():
    own_namespace()
    r = agentlib.Report(agentlib.seed())
    base, _holder = agentlib.scratch()
    os.chmod(base, 0o755)
    only = sys.argv[2:]
    for test in (test_privileges, test_calls, test_key_names_app, test_tls, test_interface,
                 test_spool_full):
        if not only or test.__name__[5:] in only:
            test(r, base)
    if not only or "load" in only:
        test_load(r, base, sys.argv[1])
    r.end()


if __name__ == "__main__":
    main()
