#!/usr/bin/env python3
"""scan on captures made here: containers, link headers, damage. usage: scan_pcap.py AGENT"""
import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

AGENT = sys.argv[1]
BODY = json.dumps({"id": "chatcmpl-123456789012345678901234", "object": "chat.completion",
                   "created": 1790000000, "model": "gpt-4o-mini",
                   "choices": [{"index": 0, "finish_reason": "stop", "message":
                                {"role": "assistant", "content": "CANARY-REPLY"}}],
                   "usage": {"prompt_tokens": 11, "completion_tokens": 7,
                             "total_tokens": 18}}).encode()
ASK = json.dumps({"model": "gpt-4o-mini", "messages":
                  [{"role": "user", "content": "CANARY-PROMPT"}]}).encode()
REQUEST = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
           b"Authorization: Bearer CANARY-KEY\r\nContent-Type: application/json\r\n"
           b"x-stainless-retry-count: 2\r\n"
           b"Content-Length: %d\r\n\r\n" % len(ASK)) + ASK
REPLY = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
         b"x-ratelimit-remaining-requests: 41\r\n"
         b"Content-Length: %d\r\n\r\n" % len(BODY)) + BODY
ETHERNET = bytes(12) + b"\x08\0"
NS = 1790000000 * 10**9


def tcp(up, seq, ack, flags, payload=b""):
    ports = (40000, 80) if up else (80, 40000)
    hosts = (b"\xc0\0\2\1", b"\xc0\0\2\2") if up else (b"\xc0\0\2\2", b"\xc0\0\2\1")
    return (struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0)
            + b"".join(hosts)
            + struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0)
            + payload)


LINE = ('{"id":"batch_req_%d","custom_id":"c%d","response":{"status_code":200,"body":'
        '{"id":"chatcmpl-12345678901234567890123%d","object":"chat.completion",'
        '"model":"gpt-4o-mini","usage":{"prompt_tokens":9,"completion_tokens":%d,'
        '"total_tokens":%d}}},"error":null}\n')
RESULTS = "".join(LINE % (i, i, i, i, 9 + i) for i in range(1, 4)).encode()
FETCH = b"GET /v1/files/file-1/content HTTP/1.1\r\nHost: api.openai.com\r\n\r\n"
FETCHED = (b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
           b"Content-Length: %d\r\n\r\n" % len(RESULTS)) + RESULTS


def packets(step, request=REQUEST, reply=REPLY):
    out = [tcp(True, 99, 0, 2), tcp(False, 499, 100, 18), tcp(True, 100, 500, 16)]
    for at in range(0, len(request), step):
        out.append(tcp(True, 100 + at, 500, 24, request[at:at + step]))
    end = 100 + len(request)
    for at in range(0, len(reply), step):
        out.append(tcp(False, 500 + at, end, 24, reply[at:at + step]))
    out.append(tcp(True, end, 500 + len(reply), 17))
    out.append(tcp(False, 500 + len(reply), end + 1, 17))
    return out


def pcap(order="<", nano=False, dlt=1, link=ETHERNET, snap=65536, step=100,
         exchange=(REQUEST, REPLY)):
    out = struct.pack(order + "IHHIIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0,
                      snap, dlt)
    for i, ip in enumerate(packets(step, *exchange)):
        frame = link + ip
        ns = i * 1000000
        out += struct.pack(order + "IIII", NS // 10**9, ns if nano else ns // 1000,
                           len(frame[:snap]), len(frame)) + frame[:snap]
    return out


def block(kind, body):
    body += bytes(-len(body) % 4)
    n = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + n + body + n


def pcapng(dlt=1):
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("<HHI", dlt, 0, 0))
    for i, ip in enumerate(packets(100)):
        frame = ETHERNET + ip
        us = NS // 1000 + i * 1000
        out += block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xffffffff, len(frame),
                                    len(frame)) + frame)
    return out


def scan(path, *options, data=None):
    run = subprocess.run([AGENT, "scan", *options, path], input=data, capture_output=True,
                         check=False)
    for secret in (b"CANARY", b"Bearer"):
        assert secret not in run.stdout + run.stderr, "content shows"
    return run


def one_call(run, name):
    assert run.returncode == 0, (name, run.stderr)
    calls = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(calls) == 1, (name, calls)
    return calls[0]


def check_whole(call, name):
    want = {"input": 11, "output": 7, "quality": "exact", "provider": "openai",
            "client": "192.0.2.1:40000", "server": "192.0.2.2:80", "stream": None,
            "tls": None, "line": None, "model": "gpt-4o-mini", "status": 200, "outcome": "ok",
            "retries": 2, "requests_left": 41, "tokens_left": None}
    for key, value in want.items():
        assert call[key] == value, (name, key, call)
    assert 0 < call["ttfb_us"] <= call["total_us"], (name, call)


def follow(tmp, whole):
    """A capture that grows: calls are printed while it is written, and it ends when told."""
    path = os.path.join(tmp, "grows.pcap")
    with open(path, "wb") as f:
        f.write(whole[:2])
    run = subprocess.Popen([AGENT, "scan", "--follow", "--calls", path],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(path, "ab", buffering=0) as f:
        for at in range(2, len(whole), 97):
            f.write(whole[at:at + 97])
            time.sleep(0.001)
    check_whole(json.loads(run.stdout.readline()), "follow")
    assert run.poll() is None
    run.send_signal(signal.SIGTERM)
    rest, error = run.communicate(timeout=20)
    assert run.returncode == 0 and rest == b"" and error == b"", (run.returncode, rest, error)
    two = subprocess.run([AGENT, "scan", "--follow", path, path], capture_output=True,
                         check=False)
    assert two.returncode == 2 and b"one file" in two.stderr, two


def main():
    cooked = b"\0\0\0\1\0\6\1\2\3\4\5\6\0\0\x08\0"
    files = {"little.pcap": pcap(), "big.pcap": pcap(">"), "nano.pcap": pcap("<", True),
             "cooked.pcap": pcap(dlt=113, link=cooked), "raw.pcap": pcap(dlt=101, link=b""),
             "null.pcap": pcap(dlt=0, link=b"\2\0\0\0"), "ng.pcapng": pcapng(),
             "packed.pcap.gz": gzip.compress(pcap())}
    with tempfile.TemporaryDirectory() as tmp:
        for name, data in files.items():
            path = os.path.join(tmp, name)
            with open(path, "wb") as f:
                f.write(data)
            check_whole(one_call(scan(path, "--calls"), name), name)
        # one call, however many captures of it lie in a folder
        table = json.loads(scan(tmp, "--json").stdout)
        assert table["totals"]["calls"] == 1, table["totals"]
        assert table["capture"]["flows"] == len(files), table["capture"]
        assert "Captured" in scan(tmp).stdout.decode()
        for data in (pcap(), gzip.compress(pcapng())):
            check_whole(one_call(scan("-", "--calls", data=data), "stdin"), "stdin")
        follow(tmp, pcap())
        follow(tmp, pcapng())
        # what the snap length cut is lost, and no number is made up for it
        assert len(REPLY) > len(REQUEST)
        short = pcap(snap=54 + len(REQUEST), step=1400)
        cut = one_call(scan("-", "--calls", data=short), "cut")
        assert cut["quality"] != "exact" and cut["output"] is None, cut
        # still being written: what is whole is read, and the end is mentioned
        for data in (pcap()[:-30], pcapng()[:-30]):
            run = scan("-", data=data)
            assert run.returncode == 0 and b"ends inside a packet" in run.stdout, run
        for data, why in ((pcap(dlt=147), b"link type 147"), (pcapng(147), b"link type 147"),
                          (pcapng()[:48] + b"\6\0\0\0\7\0\0\0" + bytes(9), b"a length that it"),
                          (gzip.compress(pcap())[:-40], b"too early"),
                          (pcap()[:10], b"")):
            run = scan("-", data=data)
            assert run.returncode == 1 and why in run.stdout, run
        # a batch's results, fetched twice: each line is one call, at the batch's price
        batch = os.path.join(tmp, "batch")
        os.mkdir(batch)
        for name in ("one.pcap", "two.pcap"):
            with open(os.path.join(batch, name), "wb") as f:
                f.write(pcap(exchange=(FETCH, FETCHED)))
        totals = json.loads(scan(batch, "--json").stdout)["totals"]
        assert (totals["calls"], totals["input"], totals["output"]) == (3, 27, 6), totals
        first, again = [json.loads(x) for x in scan(batch, "--calls").stdout.splitlines()]
        assert first["accounting"] == again["accounting"] == "report", (first, again)
        assert first["delivered"]["calls"] == 3 and "delivered" not in again, first
        # and the same file as a log
        results = os.path.join(tmp, "results.jsonl")
        with open(results, "wb") as f:
            f.write(RESULTS * 2)
        lines = [json.loads(x) for x in scan(results, "--calls").stdout.splitlines()]
        assert [x["tier"] for x in lines[:3]] == ["batch"] * 3, lines
        assert [x["accounting"] for x in lines] == ["call"] * 3 + ["report"] * 3, lines
        # a key log that is none, or useless, is said at once
        useless = os.path.join(tmp, "useless.keys")
        with open(useless, "w", encoding="ascii") as f:
            f.write("# nothing\nnot a line of the format\n")
        for keys, why in ((useless, b"not a TLS key log"), ("/nowhere", b"No such file")):
            run = scan("-", "--tls-keylog", keys, data=pcap())
            assert run.returncode == 1 and why in run.stderr, run
    print("ok")


if __name__ == "__main__":
    main()
