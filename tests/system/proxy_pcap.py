#!/usr/bin/env python3
"""TLS through an HTTP proxy (HTTPS_PROXY): curl by CONNECT through tinyproxy, one proxy that
asks for a password first, and another that refuses. Every call is counted, exact.

usage: proxy_pcap.py AGENT

In a network namespace of its own; tcpdump writes what went between curl and the proxies.
Exit 0, 1, or 77 where a program or the right to make a namespace is missing.
"""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import live
from h2c_pcap import Provider

BACK, OPEN, CLOSED = 18443, 18888, 18889
TURNS = 3


def serve_tls(tmp):
    key, cert = os.path.join(tmp, "k"), os.path.join(tmp, "c")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=x",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    live.serve(Provider, port=BACK, tls=context)


@contextlib.contextmanager
def tinyproxy(tmp, port, connect_port):
    conf = os.path.join(tmp, "proxy%d" % port)
    with open(conf, "w", encoding="utf-8") as f:
        f.write("Port %d\nListen 127.0.0.1\nTimeout 20\nMaxClients 20\nLogLevel Critical\n"
                "ConnectPort %d\nBasicAuth me CANARY-PASSWORD\n" % (port, connect_port))
    with subprocess.Popen(["tinyproxy", "-d", "-c", conf], stdout=subprocess.DEVNULL) as p:
        try:
            end = time.time() + 10
            while time.time() < end:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            p.terminate()


def curl(port, keys, *more):
    """Some calls on one connection; how many were answered."""
    ask = json.dumps({"model": "gpt-4o-mini", "coding": "identity",
                      "messages": [{"role": "user", "content": "CANARY-PROMPT " * 200}]})
    words = ["curl"]
    for turn in range(TURNS):
        words += ["--next"] if turn else []
        words += ["-sSk", "--proxy", "http://127.0.0.1:%d" % port, "--proxy-user",
                  "me:CANARY-PASSWORD", *more, "-o", "/dev/null", "-d", ask, "-H",
                  "Host: api.openai.com", "-H", "Content-Type: application/json", "-w",
                  "%{http_code}\n", "https://127.0.0.1:%d/v1/chat/completions" % BACK]
    run = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, timeout=20, env={**os.environ, "SSLKEYLOGFILE": keys})
    return run.stdout.split().count("200")


def record(tmp, pcap, keys):
    serve_tls(tmp)
    with tinyproxy(tmp, OPEN, BACK), tinyproxy(tmp, CLOSED, 1), subprocess.Popen(
            ["tcpdump", "-Z", "root", "-i", "lo", "-U", "-s", "0", "-w", pcap,
             "tcp port %d or tcp port %d" % (OPEN, CLOSED)], stderr=subprocess.PIPE) as dump:
        try:
            dump.stderr.readline()  # listening
            assert curl(OPEN, keys) == TURNS
            assert curl(OPEN, keys, "--proxy-anyauth") == TURNS  # 407 first
            assert curl(CLOSED, keys) == 0
            time.sleep(1)
        finally:
            dump.terminate()


def main():
    need = ("tinyproxy", "curl", "openssl", "tcpdump")
    if not all(map(shutil.which, need)):
        print("skipped: needs " + ", ".join(need))
        return 77
    live.own_namespace()
    with tempfile.TemporaryDirectory() as tmp:
        pcap, keys = os.path.join(tmp, "x.pcap"), os.path.join(tmp, "keys")
        record(tmp, pcap, keys)
        scan = [sys.argv[1], "scan", "--no-dedup", "--tls-keylog", keys, pcap]
        run = subprocess.run(scan + ["--calls"], capture_output=True, check=True)
        whole = subprocess.run(scan + ["--json"], capture_output=True, check=True)
        dark = subprocess.run([sys.argv[1], "scan", "--json", pcap], capture_output=True,
                              check=True)
    assert b"CANARY" not in run.stdout + run.stderr + whole.stdout, "content shows"
    calls = [json.loads(line) for line in run.stdout.splitlines()]
    calls = [c for c in calls if c["accounting"] == "call"]
    got = sorted((c["response_id"], c["input"], c["output"]) for c in calls)
    want = sorted(Provider.truth)
    assert len(want) == 2 * TURNS, len(want)
    assert got == want, "got %s\nwant %s\n%s" % (got, want, run.stderr.decode())
    assert all(c["quality"] == "exact" and c["outcome"] == "ok" for c in calls), "not exact"
    captured = json.loads(whole.stdout)["capture"]
    assert captured["tunnels"] == 2, captured
    captured = json.loads(dark.stdout)["capture"]
    assert captured["tunnels"] == 2 and captured["tls_dark"] == 2, captured
    print(len(want), "calls through a proxy equal the truth")
    return 0


if __name__ == "__main__":
    sys.exit(main())
