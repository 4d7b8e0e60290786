#!/usr/bin/env python3
"""Content-blindness, from outside: unique markers in prompts, answers and API keys, written
to logs and sent over the wire, in clear and under TLS, by HTTP/1.1, HTTP/2 and WebSocket,
are found nowhere afterwards: not in the state folder, the agent's log, what it shipped, what
a collector says of that (its metrics and API), the output of its commands, or the memory of
the agent itself once it is idle, the capture's ring included, with its connections open and
after they ended.

usage: canary.py; programs are named by BREAKEVEN_AGENT and BREAKEVEN_COLLECTOR. Needs root
for the network namespace and for reading the agent's memory; exits 77 without. HTTP/2 needs
node, WebSockets python3-websockets: it says what it left out.
"""
import asyncio
import gzip
import http.server
import json
import os
import re
import ssl
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
import zlib

import agentlib
import live

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from collector import Collector  # noqa: E402

SYSTEM_PYTHON = "/usr/bin/python3"
try:
    import websockets
except ImportError:
    if sys.executable != SYSTEM_PYTHON and os.path.exists(SYSTEM_PYTHON):
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
    websockets = None

CALLS = 24
TURNS = 12
MARKER = re.compile(rb"(?i)canary[-_](prompt|answer|key|spoken)")


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers whole, gzipped, in chunks and as events; each answer holds a marker."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        n, usage = ask["n"], {"prompt_tokens": ask["in"], "completion_tokens": ask["out"]}
        text = "CANARY-ANSWER-%d " % n * (1 + n * 7)
        if ask["stream"]:
            chunk = {"id": ask["id"], "object": "chat.completion.chunk", "model": "gpt-4o-mini"}
            events = [dict(chunk, choices=[{"delta": {"content": text}}]) for _ in range(4)]
            events.append(dict(chunk, choices=[], usage=usage))
            body = b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events)
        else:
            body = json.dumps({"id": ask["id"], "object": "chat.completion",
                               "model": "gpt-4o-mini", "usage": usage,
                               "choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if ask["stream"] else
                         "application/json")
        if n % 3 == 1:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 333):
            piece = body[at:at + 333]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


class Inbox(http.server.BaseHTTPRequestHandler):
    """A collector that keeps every byte it gets, unpacked."""
    protocol_version = "HTTP/1.1"
    got, batches = [], []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Inbox.got += [self.requestline.encode(), bytes(self.headers), body]
        Inbox.batches.append((self.headers["Content-Encoding"], body))
        if self.headers["Content-Encoding"] == "gzip":
            Inbox.got.append(gzip.decompress(body))
        answer = b'{"rows":0,"newer_kept":0}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Caller(live.Client):
    def ask(self, port, tls=None, connection=None):
        self.calls += 1
        n = self.calls
        n_in, n_out = 50 + n, 3 + n % 7
        self.input += n_in
        self.output += n_out
        body = json.dumps({"model": "gpt-4o-mini", "n": n, "in": n_in, "out": n_out,
                           "stream": n % 2 == 0, "id": "chatcmpl-canary%026d" % n,
                           "messages": [{"role": "user",
                                         "content": "CANARY-PROMPT-%d " % n * (n * 11)}]})
        c = connection or self.connect(port, tls=tls)
        c.request("POST", "/v1/chat/completions?trace=CANARY-KEY-in-the-query", body,
                  {"Host": "api.openai.com", "Content-Type": "application/json",
                   "Authorization": "Bearer CANARY-KEY-%d" % n, "api-key": "canary_key"})
        c.getresponse().read()
        if not connection:
            c.close()

    def log_lines(self):
        """A reply in a log, as object, escaped, as text, and in a line of no use."""
        for n in range(1, CALLS):
            self.calls += 1
            self.input += 5
            self.output += 2
            reply = {"id": "chatcmpl-logged%026d" % n, "object": "chat.completion",
                     "model": "gpt-4o-mini",
                     "usage": {"prompt_tokens": 5, "completion_tokens": 2},
                     "choices": [{"message": {"content": "CANARY-ANSWER-L%d\n\u00e4" % n * n}}]}
            yield {"msg": "call", "key": "CANARY-KEY-L", "prompt": "CANARY-PROMPT-L" * n,
                   "resp": reply if n % 2 else json.dumps(reply)}
            yield {"msg": "noise CANARY-PROMPT-N %d" % n, "headers": {"api-key": "CANARY-KEY-N"}}


class Realtime:
    """Sessions of OpenAI's realtime API, packed and not, in clear and TLS; they stay open."""

    def __init__(self, server_tls, client_tls):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.tls = server_tls, client_tls
        self.calls = self.input = self.output = 0
        self.open, self.servers = [], []
        self.ports = self.wait(self.listen()) if websockets else []

    def wait(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(60)

    async def listen(self):
        for tls in (None, self.tls[0]):
            for packing in ("deflate", None):
                self.servers.append(await websockets.serve(
                    self.answer, "127.0.0.1", 0, compression=packing, ssl=tls, ping_interval=None))
        return [s.sockets[0].getsockname()[1] for s in self.servers]

    async def answer(self, ws, _path=None):
        await ws.send(json.dumps({"type": "session.created",
                                  "session": {"model": "gpt-realtime-x"}}))
        async for text in ws:
            ask = json.loads(text)
            for n in range(1, 5):
                await ws.send(json.dumps({"type": "response.output_text.delta", "response_id":
                                          ask["id"], "delta": "CANARY-ANSWER-W " * n * 40}))
            await ws.send(json.dumps({"type": "response.done", "response": {
                "id": ask["id"], "status": "completed", "usage": {
                    "total_tokens": ask["in"] + ask["out"], "input_tokens": ask["in"],
                    "output_tokens": ask["out"]}}}))

    async def session(self, port, tls):
        ws = await websockets.connect(
            "%s://127.0.0.1:%d/v1/realtime?model=gpt-realtime-x" % ("wss" if tls else "ws", port),
            ssl=tls, origin="https://api.openai.com", ping_interval=None,
            extra_headers={"Authorization": "Bearer CANARY-KEY-W", "Cookie": "s=CANARY-KEY-W"})
        self.open.append(ws)
        await ws.recv()
        for _ in range(TURNS):
            self.calls += 1
            n_in, n_out = 30 + self.calls, 2 + self.calls % 9
            self.input += n_in
            self.output += n_out
            await ws.send(json.dumps({
                "type": "response.create", "id": "resp_w%020d" % self.calls, "in": n_in,
                "out": n_out, "response": {"instructions": "CANARY-PROMPT-W " * 50}}))
            for _ in range(5):
                await ws.recv()

    def talk(self):
        for at, port in enumerate(self.ports):
            self.wait(self.session(port, self.tls[1] if at > 1 else None))

    def sums(self):
        return (self.calls, self.input, self.output)

    def close(self, packed=True, plain=True):
        for at, ws in enumerate(self.open):
            if (packed and at % 2 == 0) or (plain and at % 2):
                self.wait(ws.close())


class Two:
    """canary_h2.mjs, or nothing where there is no node."""

    def __init__(self, place, keys):
        self.ports, self.said, self.process = [], (0, 0, 0), None
        if not shutil.which("node"):
            return
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "canary_h2.mjs"), place, keys, str(CALLS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def talk(self):
        if self.process:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            said = json.loads(self.process.stdout.readline())
            self.said = said["calls"], said["in"], said["out"]

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def memory(pid):
    """Every readable byte of a process: (name of the map, bytes)."""
    with open("/proc/%d/maps" % pid) as f:
        maps = f.read().splitlines()
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            words = line.split(None, 5)
            start, end = (int(x, 16) for x in words[0].split("-"))
            name = words[5] if len(words) > 5 else "anonymous"
            if "r" not in words[1] or name in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            try:
                mem.seek(start)
                yield name, mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                yield name + " (unreadable)", b""


def found(data):
    return sorted({m.group(1) for m in MARKER.finditer(data)})


def with_packed(data):
    """The data, and what inflates of it if it is packed."""
    yield data
    for bits in (31, 15):
        try:
            yield zlib.decompressobj(bits).decompress(data)
        except zlib.error:
            pass


def certificate(place):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", place + "/k", "-out",
                    place + "/c", "-days", "2", "-subj", "/CN=x"], check=True,
                   stderr=subprocess.DEVNULL)
    tls.load_cert_chain(place + "/c", place + "/k")
    return tls


def test_memory(r, agent, what):
    time.sleep(IDLE_S)
    pid, seen, size = agent.process.pid, [], 0
    for name, data in memory(pid):
        size += len(data)
        seen += [(name, word.decode()) for word in found(data)]
        if os.environ.get("BREAKEVEN_KEEP"):
            for m in MARKER.finditer(data):
                print(name, m.start(), data[max(0, m.start() - 60):m.start() + 40])
    r.check("memory of the idle agent, %s, %d KiB" % (what, size >> 10),
            size > 1 << 20 and not seen, str(sorted(set(seen))))
    with open("/proc/%d/status" % pid) as f:
        print("     " + re.search(r"VmRSS.*", f.read()).group())


def test_collector(r):
    """A collector is given what was shipped; what it says of it has no marker either."""
    binary = os.environ.get("BREAKEVEN_COLLECTOR")
    if not binary:
        print("     no BREAKEVEN_COLLECTOR: its metrics are not looked at")
        return
    collector = Collector(binary)
    try:
        headers = {"Authorization": "Bearer " + collector.token("t", "ingest", "*")}
        reader = {"Authorization": "Bearer " + collector.token("r", "read")}
        collector.start()
        base = "http://127.0.0.1:%d" % collector.port
        for coding, body in Inbox.batches:
            more = {"Content-Encoding": coding} if coding else {}
            urllib.request.urlopen(urllib.request.Request(
                base + "/api/v1/usage", body, {**headers, **more, "Content-Type":
                                               "application/x-ndjson"})).read()
        said = [urllib.request.urlopen(urllib.request.Request(base + path, headers=reader)).read()
                for path in ("/metrics", "/api/v1/agents", "/api/v1/usage/hourly")]
        r.check("metrics and API of the collector, %d bytes" % sum(map(len, said)),
                all(said) and b"breakeven_agent_capture" in said[0] and
                not found(b"\n".join(said)), str(found(b"\n".join(said))))
    finally:
        collector.close()


def test_disk(r, place, log):
    for folder, _, files in os.walk(place):
        for name in files:
            path = os.path.join(folder, name)
            if path == log:
                continue
            with open(path, "rb") as f:
                for data in with_packed(f.read()):
                    r.check("on disk: " + name, not found(data), str(found(data)))


def add(*sums):
    return tuple(map(sum, zip(*sums)))


def test_run(r, base):
    place = live.folder(base, "canary")
    log, keys = os.path.join(place, "app.log"), os.path.join(place, "keys")
    for path in (log, keys):
        with open(path, "w"):
            pass
    os.chmod(keys, 0o600)
    os.chown(keys, live.NOBODY, live.NOBODY)
    server_tls, client_tls = certificate(place), live.client_tls(keys)
    clear, tls, inbox = live.serve(Provider), live.serve(Provider, tls=server_tls), \
        live.serve(Inbox)
    sockets, two = Realtime(server_tls, client_tls), Two(place, keys)
    ports = [clear.server_address[1], tls.server_address[1], *sockets.ports, *two.ports]
    agent = live.Live(place, "  interface: lo\n  ports: %s\n  keylogs: ['%s']\n"
                      % (ports, keys))
    with open(agent.config, "a") as f:
        f.write("collector:\n  url: http://127.0.0.1:%d\n  compression: gzip\n"
                "  interval: 100ms\nlogs:\n  - {path: '%s'}\n"
                % (inbox.server_address[1], log))
    agent.start()
    c = Caller()
    kept = [c.connect(ports[0]), c.connect(ports[1], tls=client_tls)]
    for n in range(CALLS):
        c.ask(ports[0], connection=kept[0] if n % 2 else None)
        c.ask(ports[1], client_tls, kept[1] if n % 2 else None)
    sockets.talk()
    two.talk()
    with open(log, "a") as f:
        for line in c.log_lines():
            f.write(json.dumps(line) + "\n")
        half = {"id": "x", "text": "CANARY-ANSWER-half " * 40, "usage": {}}
        f.write(json.dumps(half, indent=2)[:-5] + "\n")  # a record of several lines, no end
        f.write(json.dumps({"prompt": "CANARY-PROMPT-cut " * 400}))  # no end of line
    sums = add(c.sums(), sockets.sums(), two.said)
    print("     %d calls by HTTP/1.1 and logs, %d by WebSocket, %d by HTTP/2"
          % (c.calls, sockets.calls, two.said[0]))
    r.case("every call is counted", sums, agent.sees(sums))
    agent.waits_for(lambda: b'"n":' in b"".join(Inbox.got))
    # The window of permessage-deflate is what the next message refers to: the text of the
    # last 32 KiB, as long as that socket is open.
    sockets.close(plain=False)
    test_memory(r, agent, "connections open")
    for connection in (*kept, sockets, two):
        connection.close()
    test_memory(r, agent, "connections over")
    r.check("what was shipped", len(Inbox.got) > 3 and not found(b"\n".join(Inbox.got)))
    r.check("a heartbeat was", b'"capture"' in b"".join(Inbox.got))
    agent.stop()
    test_collector(r)
    test_disk(r, place, log)


def main():
    live.own_namespace()
    r = agentlib.Report(agentlib.seed())
    base, holder = agentlib.scratch()
    os.chmod(base, 0o755)
    test_run(r, base)
    del holder
    r.end()


IDLE_S = 5

if __name__ == "__main__":
    main()
