#!/usr/bin/env python3
"""Recorded HTTP/2, its first packets removed: every call shown is right or marked missing.

usage: join_capture.py AGENT [--step N]

Reads $BREAKEVEN_CORPUS/pcap: h2c, the first K packets of which are gone, for K from 0 in
steps of N. The server's port becomes 80, as of a joined connection the port says who the
server is. No number that is called exact may differ from the truth, none may be there for
an exchange that began before; early joins must be recognised. Exit 0, 1 on a difference, 77
without the corpus.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

from scan_capture import Segment, is_exact, judge_losses, read_pcap, scan, write_pcap

COUNTS = ("input", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "output")


def at_port_80(frame, server):
    out, tcp = bytearray(frame), Segment(frame).tcp
    for at in (tcp, tcp + 2):
        if struct.unpack_from(">H", out, at)[0] == server:
            struct.pack_into(">H", out, at, 80)
    return bytes(out)


def told(call):
    """Counts, unless estimated: an estimate learns from the calls before it."""
    keys = ("provider", "quality", "outcome") + (COUNTS if is_exact(call) else ())
    return tuple(call[k] for k in keys)


def unlike(calls, whole, label):
    """Calls that are not missing and other than those of the whole capture. Their model may
    be unknown: where the reply does not name it, a request read in part does not either."""
    bad = [c for c in calls if c["accounting"] == "call" and c["quality"] != "missing" and
           not any(told(c) == told(w) and c["stream"] == w["stream"] and
                   c["model"] in (w["model"], None) for w in whole)]
    for call in bad:
        print(label, "not as in the whole capture:", call, file=sys.stderr)
    return len(bad)


def counters(agent, path):
    run = subprocess.run([agent, "scan", "--json", "--no-dedup", path], capture_output=True,
                         check=True)
    return json.loads(run.stdout)["capture"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--step", type=int, default=7)
    args = parser.parse_args()
    corpus = os.path.join(os.environ.get("BREAKEVEN_CORPUS", "../shared/data"), "pcap")
    if not os.path.isdir(corpus):
        print("skipped: no corpus at", corpus)
        return 77
    with open(os.path.join(corpus, "h2c.truth.jsonl"), encoding="utf-8") as f:
        truths = [json.loads(line) for line in f]
    head, order, frames = read_pcap(os.path.join(corpus, "h2c.pcap.gz"))
    frames = [(s, us, at_port_80(frame, truths[0]["server_port"])) for s, us, frame in frames]
    wrong = exact = missing = joined = 0
    whole = None
    for gone in range(0, len(frames), args.step):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
            write_pcap(f, head, order, frames[gone:])
            f.flush()
            calls = scan(args.agent, f.name, "")
            counts = counters(args.agent, f.name)
        label = f"without {gone} packets"
        wrong += judge_losses(truths, calls, label)
        whole = whole or calls
        wrong += unlike(calls, whole, label)
        if gone and gone < len(frames) // 2 and not counts["h2_joined"]:
            print(label, "not recognised", counts, file=sys.stderr)
            wrong += 1
        joined += counts["h2_joined"]
        exact += gone > 3 and sum(map(is_exact, calls))
        missing += sum(c["quality"] == "missing" for c in calls)
    print(f"{joined} joins, {exact} exact calls after them, {missing} without numbers: "
          f"{wrong} wrong")
    return 1 if wrong or not joined or not exact else 0


if __name__ == "__main__":
    sys.exit(main())
