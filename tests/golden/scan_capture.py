#!/usr/bin/env python3
"""Meter recorded captures with `scan --calls` and compare with what was served.

usage: scan_capture.py AGENT [--variants N] [--seed S] [--only NAME]

Reads $BREAKEVEN_CORPUS/pcap: every call and token class must be as NAME.truth.jsonl says,
for the file as it is and for N seeded variants: segments cut again at random, swapped
within three, repeated, overlapping. With 1 % of the segments removed no wrong number may
be called exact. Exit 0, 1 on a difference, 77 without the corpus.
"""
import argparse
import collections
import gzip
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

NAMES = ("http1_plain", "h2c", "https_tls12_h1", "https_tls13_h1", "h2_tls")
SYN, FIN, RST, PSH = 2, 1, 4, 8


def read_pcap(path):
    """(global header, [(seconds, fraction, frame)])"""
    with gzip.open(path) as f:
        data = f.read()
    order = "<" if data[0] in (0xd4, 0x4d) else ">"
    at, frames = 24, []
    while at < len(data):
        s, us, n, _ = struct.unpack_from(order + "IIII", data, at)
        frames.append((s, us, data[at + 16:at + 16 + n]))
        at += 16 + n
    return data[:24], order, frames


def write_pcap(f, head, order, frames):
    f.write(head)
    for s, us, frame in frames:
        f.write(struct.pack(order + "IIII", s, us, len(frame), len(frame)) + frame)


class Segment:
    """A frame of Ethernet, IPv4 and TCP that can be written again with other bytes."""

    def __init__(self, frame):
        self.ip = 14
        self.tcp = self.ip + (frame[self.ip] & 15) * 4
        self.data = self.tcp + (frame[self.tcp + 12] >> 4) * 4
        end = self.ip + struct.unpack_from(">H", frame, self.ip + 2)[0]
        self.head, self.payload = frame[:self.data], frame[self.data:end]
        self.seq = struct.unpack_from(">I", frame, self.tcp + 4)[0]
        self.flags = frame[self.tcp + 13]

    def piece(self, start, stop):
        h = bytearray(self.head)
        flags = self.flags
        if stop < len(self.payload):
            flags &= ~(FIN | PSH)
        struct.pack_into(">H", h, self.ip + 2, len(h) - self.ip + stop - start)
        struct.pack_into(">I", h, self.tcp + 4, (self.seq + start) & 0xffffffff)
        h[self.tcp + 13] = flags
        return bytes(h) + self.payload[start:stop]


def pieces(rng, frame):
    seg = Segment(frame)
    n = len(seg.payload)
    if n < 2 or seg.flags & (SYN | RST):
        return [frame]
    cuts = sorted({rng.randrange(1, n) for _ in range(rng.randrange(4))})
    out, last = [], 0
    for cut in cuts + [n]:
        out.append(seg.piece(last, cut))
        last = cut
    if rng.random() < 0.05:
        a = rng.randrange(n)
        out.append(seg.piece(a, rng.randrange(a + 1, n + 1)))
    return out


def variant(rng, frames, losses):
    order = []
    for s, us, frame in frames:
        if losses and len(Segment(frame).payload) and rng.random() < 0.01:
            continue
        for piece in pieces(rng, frame):
            order.append((s, us, piece))
            if rng.random() < 0.02:
                order.append((s, us, piece))
    bodies = [f[2] for f in order]
    keyed = sorted((i + rng.random() * 3, i) for i in range(len(bodies)))
    return [(s, us, bodies[i]) for (s, us, _), (_, i) in zip(order, keyed)]


def scan(agent, path, keys):
    keylog = ["--tls-keylog", keys] if os.path.exists(keys) else []
    run = subprocess.run([agent, "scan", "--calls", "--all", "--no-dedup", *keylog, path],
                         capture_output=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def port(text):
    return int(text.rsplit(":", 1)[1])


def classes(counts):
    """Disjoint classes of a truth; the split of cache writes is None where nobody said."""
    split = (counts.get("cache_write_5m"), counts.get("cache_write_1h"))
    return tuple(counts.get(name) or 0 for name in
                 ("input_uncached", "cache_read", "cache_write", "output")) + (
                     split if None not in split else None,)


def readings(truth):
    """Every set of counts that the truth allows; of the full reply when aborted."""
    base = dict(truth)
    if truth["aborted"]:
        base.update({k[5:]: v for k, v in truth.items() if k.startswith("full_")})
    return {classes(base)} | {classes({**base, **a}) for a in truth["alternatives"]}


def counted(call):
    split = (call["cache_write_5m"] or 0, call["cache_write_1h"] or 0)
    return ((call["input"] or 0, call["cache_read"] or 0,
             (call["cache_write"] or 0) + sum(split), call["output"] or 0), split)


def allowed(call, sets):
    counts, split = counted(call)
    return counts + (split,) in sets or counts + (None,) in sets


def is_exact(call):
    return call["accounting"] == "call" and call["quality"] == "exact"


def compare(truth, call):
    """Reasons why call is not what truth says."""
    accountings = {truth["accounting"]} | {a.get("accounting", truth["accounting"])
                                           for a in truth["alternatives"]}
    if truth["aborted"]:
        if is_exact(call) and not allowed(call, readings(truth)):
            return ["aborted, but exact"]
        return []
    if call["tls"] != truth["tls"]:
        return [f"tls {call['tls']} of {truth['tls']}"]
    if call["accounting"] not in accountings:
        return ["accounting " + call["accounting"] + " of " + truth["accounting"]]
    if truth["accounting"] != "call" or not truth["usage_present"]:
        return []
    if call["quality"] != "exact":
        return ["quality " + call["quality"]]
    return [] if allowed(call, readings(truth)) else [f"counts {counted(call)}"]


def judge(truths, calls, label):
    """Each exchange of each connection, in order of the truth."""
    wrong = 0
    streams = collections.defaultdict(list)
    for call in calls:
        streams[port(call["client"]), call["stream"]].append(call)
    for truth in truths:
        got = streams[truth["client_port"], truth["stream_id"]]
        own, rest = got[:1], got[1 + len(truth["extra_usage"] or []):]
        bad = compare(truth, own[0]) if own else ["no record"]
        if not own and truth["accounting"] == "none":
            bad = []
        streams[truth["client_port"], truth["stream_id"]] = rest
        wrong += bool(bad)
        if bad:
            print(label, truth["n"], truth["host"], truth["path"], bad, file=sys.stderr)
    left = sum(map(len, streams.values()))
    if left:
        print(label, left, "records more than exchanges", file=sys.stderr)
    return wrong + left


def judge_losses(truths, calls, label):
    """Exact numbers must be those of an exchange of the same connection."""
    sets = collections.defaultdict(set)
    for truth in truths:
        sets[truth["client_port"]] |= readings(truth)
        sets[truth["client_port"]] |= set(map(classes, truth["extra_usage"] or []))
    bad = [c for c in calls if is_exact(c) and not allowed(c, sets[port(c["client"])])]
    for call in bad:
        print(label, "exact but wrong:", call, file=sys.stderr)
    if len(calls) > len(truths) + sum(len(t["extra_usage"] or []) for t in truths):
        print(label, "more records than exchanges", file=sys.stderr)
        return len(bad) + 1
    return len(bad)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--variants", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    args = parser.parse_args()
    corpus = os.path.join(os.environ.get("BREAKEVEN_CORPUS", "../shared/data"), "pcap")
    if not os.path.isdir(corpus):
        print("skipped: no corpus at", corpus)
        return 77
    wrong = 0
    for name in [args.only] if args.only else NAMES:
        path = os.path.join(corpus, name + ".pcap.gz")
        keys = os.path.join(corpus, name + ".keys")
        with open(os.path.join(corpus, name + ".truth.jsonl"), encoding="utf-8") as f:
            truths = [json.loads(line) for line in f]
        wrong += judge(truths, scan(args.agent, path, keys), name)
        head, order, frames = read_pcap(path)
        missing = 0
        for seed in range(args.seed, args.seed + args.variants):
            for losses in (False, True):
                rng = random.Random(seed)
                with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
                    write_pcap(f, head, order, variant(rng, frames, losses))
                    f.flush()
                    calls = scan(args.agent, f.name, keys)
                label = f"{name} seed {seed}" + (" with losses" if losses else "")
                wrong += (judge_losses if losses else judge)(truths, calls, label)
                missing += losses and sum(c["quality"] == "missing" for c in calls)
        print(f"{name}: {len(truths)} exchanges, {args.variants} variants, and as many "
              f"with losses ({missing} records without numbers): {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
