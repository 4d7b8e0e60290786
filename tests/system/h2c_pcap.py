#!/usr/bin/env python3
"""HTTP/2 in clear as real programs speak it: curl's Upgrade from HTTP/1.1 and its prior
knowledge through nghttpx, replies in every coding that curl reads, and a WebSocket over
HTTP/2 (RFC 8441) of node. Every call is counted, exact.

usage: h2c_pcap.py AGENT

In a network namespace of its own; tcpdump writes what went over the wire. Exit 0, 1, or 77
where nghttpx, curl, node, tcpdump or the right to make a namespace is missing.
"""
import gzip
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

import live

HERE = os.path.dirname(os.path.abspath(__file__))
CURL_TURNS, SOCKET_TURNS = 3, 5
FRONT, BACK, SOCKET = 18080, 18081, 18082


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


CODINGS = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd}


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    truth = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        n = len(self.truth) + 1
        call = ("chatcmpl-h2c%029d" % n, 40 + n, 9 + n)
        self.truth.append(call)
        body = json.dumps({"id": call[0], "object": "chat.completion", "model": "gpt-4o-mini",
                           "choices": [{"message": {"content": "CANARY-ANSWER " * 300}}],
                           "usage": {"prompt_tokens": call[1], "completion_tokens": call[2]}})
        body = CODINGS[ask["coding"]](body.encode())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if ask["coding"] != "identity":
            self.send_header("Content-Encoding", ask["coding"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def curl(how, turns):
    """Some calls on one connection, the first upgraded or known before."""
    for coding in CODINGS:
        ask = json.dumps({"model": "gpt-4o-mini", "coding": coding, "messages":
                          [{"role": "user", "content": "CANARY-PROMPT " * 200}]})
        words = ["curl"]
        for turn in range(turns):
            words += ["--next"] if turn else []
            words += ["-sS", "--fail", "--compressed", how, "-o", "/dev/null", "-d", ask,
                      "-H", "Host: api.openai.com", "-H", "Content-Type: application/json",
                      "-H", "Authorization: Bearer CANARY-KEY", "-w", "%{http_version}\n",
                      "http://127.0.0.1:%d/v1/chat/completions" % FRONT]
        run = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True, timeout=20)
        assert run.stdout.split() == ["2"] * turns, (how, coding, run.returncode, run.stdout)


def record(pcap, log):
    """The traffic, in `pcap`; what the WebSocket's server said of it."""
    live.serve(Provider, port=BACK)
    with open(log, "w", encoding="utf-8") as errors, subprocess.Popen(
            ["tcpdump", "-Z", "root", "-i", "lo", "-U", "-s", "0", "-w", pcap, "tcp port %d or "
             "tcp port %d" % (FRONT, SOCKET)], stderr=subprocess.PIPE) as dump, \
         subprocess.Popen(["nghttpx", "-f127.0.0.1,%d;no-tls" % FRONT, "-b127.0.0.1,%d" % BACK,
                           "--workers=1", "--single-process", "--conf=/dev/null"], stderr=errors) as proxy:
        try:
            dump.stderr.readline()  # listening
            end = time.time() + 10
            while time.time() < end and subprocess.run(
                    ["curl", "-s", "-o", "/dev/null", "http://127.0.0.1:%d/" % FRONT],
                    check=False).returncode:
                time.sleep(0.05)
            curl("--http2", CURL_TURNS)
            curl("--http2-prior-knowledge", 1)
            socket = subprocess.run(["node", os.path.join(HERE, "socket_h2.mjs"), str(SOCKET),
                                     str(SOCKET_TURNS)], check=True, stdout=subprocess.PIPE,
                                    timeout=30)
            time.sleep(1)
        finally:
            dump.terminate()
            proxy.terminate()
    return [tuple(call) for call in json.loads(socket.stdout)]


def main():
    need = ("nghttpx", "curl", "node", "tcpdump", "zstd")
    if not all(map(shutil.which, need)):
        print("skipped: needs " + ", ".join(need))
        return 77
    live.own_namespace()
    with tempfile.TemporaryDirectory() as tmp:
        pcap = os.path.join(tmp, "x.pcap")
        sockets = record(pcap, os.path.join(tmp, "log"))
        run = subprocess.run([sys.argv[1], "scan", "--calls", "--no-dedup", pcap],
                             capture_output=True, check=True)
    assert b"CANARY" not in run.stdout + run.stderr, "content shows"
    calls = [json.loads(line) for line in run.stdout.splitlines()]
    calls = [c for c in calls if c["accounting"] == "call"]
    got = sorted((c["response_id"], c["input"], c["output"]) for c in calls)
    want = sorted(Provider.truth + sockets)
    assert len(want) == len(CODINGS) * (CURL_TURNS + 1) + SOCKET_TURNS, len(want)
    assert got == want, "got %s\nwant %s\n%s" % (got, want, run.stderr.decode())
    assert all(c["quality"] == "exact" and c["outcome"] == "ok" for c in calls), "not exact"
    assert all(c["stream"] for c in calls), "not all HTTP/2"
    print(len(want), "calls equal the truth")
    return 0


if __name__ == "__main__":
    sys.exit(main())
