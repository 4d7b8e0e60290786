#!/usr/bin/env python3
"""Content-blindness, from outside: unique markers in prompts, answers and API keys, written
to logs and sent over the wire in clear and under TLS, are found nowhere afterwards: not in
the state folder, the agent's log, what it shipped, the output of its commands, or the
memory of the agent itself once it is idle, the capture's ring included.

usage: canary.py; the agent is named by BREAKEVEN_AGENT. Needs root for the network
namespace and for reading the agent's memory; exits 77 without.
"""
import gzip
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import time
import zlib

import agentlib
import live

CALLS = 24
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
    got = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Inbox.got += [self.requestline.encode(), bytes(self.headers), body]
        if self.headers["Content-Encoding"] == "gzip":
            Inbox.got.append(gzip.decompress(body))
        answer = b'{"rows":0,"newer_kept":0}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Caller(live.Client):
    def ask(self, port, tls=None):
        self.calls += 1
        n = self.calls
        n_in, n_out = 50 + n, 3 + n % 7
        self.input += n_in
        self.output += n_out
        body = json.dumps({"model": "gpt-4o-mini", "n": n, "in": n_in, "out": n_out,
                           "stream": n % 2 == 0, "id": "chatcmpl-canary%026d" % n,
                           "messages": [{"role": "user",
                                         "content": "CANARY-PROMPT-%d " % n * (n * 11)}]})
        c = self.connect(port, tls=tls)
        c.request("POST", "/v1/chat/completions?trace=CANARY-KEY-in-the-query", body,
                  {"Host": "api.openai.com", "Content-Type": "application/json",
                   "Authorization": "Bearer CANARY-KEY-%d" % n, "api-key": "canary_key"})
        c.getresponse().read()
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


def test_run(r, base):
    place = live.folder(base, "canary")
    log, keys = os.path.join(place, "app.log"), os.path.join(place, "keys")
    with open(log, "w"):
        pass
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", place + "/k", "-out",
                    place + "/c", "-days", "2", "-subj", "/CN=x"], check=True,
                   stderr=subprocess.DEVNULL)
    server_tls.load_cert_chain(place + "/c", place + "/k")
    clear, tls, inbox = live.serve(Provider), live.serve(Provider, tls=server_tls), \
        live.serve(Inbox)
    ports = clear.server_address[1], tls.server_address[1]
    with open(keys, "w"):
        pass
    os.chmod(keys, 0o600)
    os.chown(keys, live.NOBODY, live.NOBODY)
    agent = live.Live(place, "  interface: lo\n  ports: [%d, %d]\n  keylogs: ['%s']\n"
                      % (*ports, keys))
    with open(agent.config, "a") as f:
        f.write("collector:\n  url: http://127.0.0.1:%d\n  compression: gzip\n"
                "  interval: 100ms\nlogs:\n  - {path: '%s'}\n"
                % (inbox.server_address[1], log))
    agent.start()
    c = Caller()
    client_tls = live.client_tls(keys)
    for _ in range(CALLS):
        c.ask(ports[0])
        c.ask(ports[1], client_tls)
    with open(log, "a") as f:
        for line in c.log_lines():
            f.write(json.dumps(line) + "\n")
        f.write(json.dumps({"prompt": "CANARY-PROMPT-cut " * 400}))  # no end of line
    r.case("every call is counted", c.sums(), agent.sees(c.sums()))
    agent.waits_for(lambda: b'"n":' in b"".join(Inbox.got))
    time.sleep(IDLE_S)
    pid, seen, size = agent.process.pid, [], 0
    for name, data in memory(pid):
        size += len(data)
        seen += [(name, word.decode()) for word in found(data)]
        if os.environ.get("BREAKEVEN_KEEP"):
            for m in MARKER.finditer(data):
                print(name, m.start(), data[max(0, m.start() - 60):m.start() + 40])
    r.check("memory of the idle agent, %d KiB" % (size >> 10), size > 1 << 20 and not seen,
            str(sorted(set(seen))))
    with open("/proc/%d/status" % pid) as f:
        print("     " + re.search(r"VmRSS.*", f.read()).group())
    r.check("what was shipped", len(Inbox.got) > 3 and not found(b"\n".join(Inbox.got)))
    agent.stop()
    for folder, _, files in os.walk(place):
        for name in files:
            path = os.path.join(folder, name)
            if path in (log,):
                continue
            with open(path, "rb") as f:
                for data in with_packed(f.read()):
                    r.check("on disk: " + name, not found(data), str(found(data)))


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
