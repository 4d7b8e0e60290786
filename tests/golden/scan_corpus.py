#!/usr/bin/env python3
"""Meter recorded provider replies as log lines and compare with what they report.

usage: scan_corpus.py AGENT [--exchanges DIR] [--verbose]

DIR (default $BREAKEVEN_CORPUS/exchanges) holds dev.jsonl.gz and dev.truth.jsonl. The
replies of OpenAI, Anthropic and Gemini that are not streamed and are JSON become the
lines of a log, in four shapes: the reply among request fields, the same printed over
several lines (some behind text, some with CRLF), the reply in a string, and the bare reply
(calls with tokens only: nothing else tells what it was). `scan --calls`
must give accounting, model and every token class of the truth, or of one of its
alternatives. Exit 0, 1 on a difference, 77 without the corpus.
"""
import argparse
import base64
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

PROVIDERS = ("openai", "anthropic", "gemini")
COUNTS = {  # truth: ours
    "input_uncached": "input",
    "cache_read": "cache_read",
    "cache_write_5m": "cache_write_5m",
    "cache_write_1h": "cache_write_1h",
    "output": "output",
    "reasoning": "reasoning",
}


def reply_of(exchange):
    """The reply as parsed JSON, or None."""
    body = base64.b64decode(exchange["response_body_b64"])
    try:
        if exchange["content_encoding"] == "gzip":
            body = zlib.decompress(body, 47)
        elif exchange["content_encoding"]:
            return None
        reply = json.loads(body)
    except (ValueError, zlib.error):
        return None
    return reply if isinstance(reply, (dict, list)) else None


def request_model(exchange):
    body = base64.b64decode(exchange["request_body_b64"])
    form = re.search(rb'name="model"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]+)', body)
    if form:
        return form.group(1).decode()
    try:
        model = json.loads(body).get("model")
    except (ValueError, AttributeError):
        return None
    return model if isinstance(model, str) else None


def line_of(exchange, reply, shape):
    record = {"time": "2026-11-02T10:00:00Z", "level": "info"}
    if shape != "bare":
        record.update(host=exchange["host"], method=exchange["method"],
                      path=exchange["path"], status=exchange["status"])
        model = request_model(exchange)
        if model:
            record["request"] = {"model": model}
    if shape == "string":
        record["response"] = json.dumps(reply)
    else:
        record["response"] = reply
    if shape == "printed":
        style = len(json.dumps(reply)) % 4
        text = json.dumps(record, indent=(2, 4, "\t", 0)[style])
        return (text if style else "2026-11-02 10:00:00 INFO call: " + text).replace(
            "\n", "\r\n" if style == 1 else "\n")
    return json.dumps(record)


def differences(truth, call, shape):
    """Names of fields that differ from this reading of the truth."""
    wrong = []
    if call["accounting"] != truth["accounting"]:
        wrong.append("accounting")
    if truth["accounting"] != "call":
        return wrong
    model = truth["model_response" if shape == "bare" else "model"]
    if model and call["model"] != model:
        wrong.append("model")
    if truth["usage_present"]:
        for name, ours in COUNTS.items():
            if call[ours] != truth[name]:  # null is not 0
                wrong.append(ours)
        written = sum(call[k] or 0 for k in ("cache_write", "cache_write_5m",
                                             "cache_write_1h"))
        if written != (truth["cache_write"] or 0):
            wrong.append("cache_write")
    return wrong


def judge(truth, calls, shape):
    readings = [truth] + [{**truth, **a} for a in truth["alternatives"]]
    if not calls:
        # A reply that says nothing of an LLM call needs no line.
        return [] if truth["accounting"] == "none" else ["no record"]
    return min((differences(r, calls[0], shape) for r in readings), key=len)


def run_shape(agent, pairs, shape, verbose):
    if shape == "bare":
        pairs = [p for p in pairs if p[1]["accounting"] == "call"
                 and p[1]["input_total"] is not None]
    starts, at = [], 1
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", newline="") as log:
        for exchange, _, reply in pairs:
            text = line_of(exchange, reply, shape) + "\n"
            log.write(text)
            starts.append(at)
            at += text.count("\n")
        log.flush()
        out = subprocess.run([agent, "scan", "--calls", "--no-dedup", log.name],
                             capture_output=True, check=True).stdout
    by_line = {}
    for call in map(json.loads, out.splitlines()):
        by_line.setdefault(call["line"], []).append(call)
    wrong = 0
    for number, (exchange, truth, _) in zip(starts, pairs):
        bad = judge(truth, by_line.get(number, []), shape)
        wrong += bool(bad)
        if bad and verbose:
            print(shape, truth["id"], exchange["method"], exchange["host"],
                  exchange["path"], exchange["status"], bad, file=sys.stderr)
            for name in bad:
                got = by_line.get(number, [{}])[0].get(name)
                print("   ", name, "got", got, "of", truth.get(name), file=sys.stderr)
    print(f"{shape}: {len(pairs) - wrong} of {len(pairs)} replies as the truth says")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    corpus = os.environ.get("BREAKEVEN_CORPUS", "../shared/data")
    parser.add_argument("--exchanges", default=os.path.join(corpus, "exchanges"))
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    if not os.path.exists(os.path.join(args.exchanges, "dev.jsonl.gz")):
        print("skipped: no corpus at", args.exchanges)
        return 77
    with gzip.open(os.path.join(args.exchanges, "dev.jsonl.gz")) as f:
        exchanges = [json.loads(line) for line in f]
    with open(os.path.join(args.exchanges, "dev.truth.jsonl"), encoding="utf-8") as f:
        truths = [json.loads(line) for line in f]
    pairs = []
    for exchange, truth in zip(exchanges, truths):
        reply = reply_of(exchange)
        if (exchange["provider"] in PROVIDERS and not exchange["streaming"]
                and reply is not None):
            pairs.append((exchange, truth, reply))
    return 1 if sum(run_shape(args.agent, pairs, shape, args.verbose)
                    for shape in ("fields", "printed", "string", "bare")) else 0


if __name__ == "__main__":
    sys.exit(main())
