#!/usr/bin/env python3
"""The recorded captures with random bytes changed never crash, hang or leak.

usage: flip_capture.py AGENT [--rounds N] [--seed S]

Reads $BREAKEVEN_CORPUS/pcap. Each round changes some bytes, now of frames only, so that the
damage reaches the protocols, now anywhere, in the record headers, too; and of the key log.
The scan must end by itself, with 0 or 1, say nothing of a sanitizer, and call no number
exact in more calls than the capture has. Exit 0, 1 on a finding, 77 without the corpus.
"""
import argparse
import gzip
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

NAMES = ("http1_plain", "h2c", "https_tls12_h1", "https_tls13_h1", "h2_tls")
SECONDS = 120


def frames_of(data):
    """Where the frames lie: [(start, end)]"""
    order = "<" if data[0] in (0xd4, 0x4d) else ">"
    at, out = 24, []
    while at + 16 <= len(data):
        n = struct.unpack_from(order + "I", data, at + 8)[0]
        out.append((at + 16, at + 16 + n))
        at += 16 + n
    return out


def damaged(rng, data, frames, anywhere):
    out = bytearray(data)
    for _ in range(rng.choice((1, 10, 100, 1000))):
        if anywhere:
            at = rng.randrange(24, len(out))
        else:
            start, end = rng.choice(frames)
            # the headers are a small part of the bytes and get their share of the harm
            at = start + rng.randrange(min(70, end - start) if rng.random() < 0.3
                                       else end - start)
        out[at] = rng.randrange(256) if rng.random() < 0.5 else out[at] ^ 1 << rng.randrange(8)
    return bytes(out)


def scan(agent, path, keys):
    return subprocess.run([agent, "scan", "--calls", "--no-dedup",
                           *(["--tls-keylog", keys] if keys else []), path],
                          capture_output=True, check=False, timeout=SECONDS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    corpus = os.path.join(os.environ.get("BREAKEVEN_CORPUS", "../shared/data"), "pcap")
    if not os.path.isdir(corpus):
        print("skipped: no corpus at", corpus)
        return 77
    findings = runs = 0
    for name in NAMES:
        with gzip.open(os.path.join(corpus, name + ".pcap.gz")) as f:
            data = f.read()
        keys, secrets = os.path.join(corpus, name + ".keys"), b""
        if os.path.exists(keys):
            with open(keys, "rb") as f:
                secrets = f.read()
        with open(os.path.join(corpus, name + ".truth.jsonl"), encoding="utf-8") as f:
            exchanges = sum(1 + len(json.loads(line)["extra_usage"] or []) for line in f)
        frames = frames_of(data)
        for seed in range(args.seed, args.seed + args.rounds):
            rng = random.Random(seed)
            with tempfile.TemporaryDirectory() as tmp:
                path, key_path = os.path.join(tmp, "x.pcap"), os.path.join(tmp, "x.keys")
                with open(path, "wb") as f:
                    f.write(damaged(rng, data, frames, seed % 2 == 0))
                with open(key_path, "wb") as f:
                    f.write(damaged(rng, secrets, [(0, len(secrets))], False)
                            if secrets and seed % 3 == 0 else secrets)
                try:
                    run = scan(args.agent, path, key_path if secrets else None)
                    calls = [json.loads(line) for line in run.stdout.splitlines()
                             if line.startswith(b"{")]
                    exact = sum(c["quality"] == "exact" for c in calls)
                    why = (f"exit {run.returncode}" if run.returncode not in (0, 1) else
                           "a sanitizer" if b"Sanitizer" in run.stderr
                           or b"runtime error" in run.stderr else
                           f"{exact} exact of {exchanges}" if exact > exchanges else "")
                except subprocess.TimeoutExpired:
                    why = f"not over after {SECONDS} s"
                runs += 1
                if why:
                    findings += 1
                    print(f"{name} seed {seed}: {why}", file=sys.stderr)
                    print(run.stderr[-3000:].decode("utf-8", "replace"), file=sys.stderr)
    print(f"{runs} damaged captures, {findings} findings")
    return 1 if findings or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
