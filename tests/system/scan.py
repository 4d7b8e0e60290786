#!/usr/bin/env python3
"""breakeven-agent scan as a user runs it: totals, output formats, bad input, memory.

usage: scan.py AGENT
"""
import csv
import gzip
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import unittest

AGENT = None
CALL_FIELDS = (
    "ts provider surface model model_request response_id status outcome accounting quality "
    "usage_source input cache_read cache_write_5m cache_write_1h cache_write output "
    "reasoning units total_reported check cost_usd priced file line").split()


def scan(*args, stdin=None, code=0):
    done = subprocess.run([AGENT, "scan", *map(str, args)], input=stdin,
                          capture_output=True, check=False)
    if done.returncode != code:
        raise AssertionError(f"exit {done.returncode}, not {code}: {done.stderr.decode()}")
    return done


def totals(*args, **kw):
    return json.loads(scan("--json", *args, **kw).stdout)


def flat(i, **more):
    record = {"time": f"2026-11-{1 + i % 3:02d}T10:00:{i % 60:02d}Z", "provider": "openai",
              "model": "gpt-4o", "prompt_tokens": 100 + i, "completion_tokens": i % 7,
              "request_id": f"req-{i:012d}"}
    record.update(more)
    return json.dumps(record)


def reply(i, model="claude-sonnet-4-5", **usage):
    counts = {"input_tokens": 10 + i, "output_tokens": i % 11,
              "cache_read_input_tokens": i % 5 * 100}
    counts.update(usage)
    return json.dumps({"ts": "2026-11-02T11:00:00.123Z", "resp": {
        "id": f"msg_{i:020d}", "type": "message", "model": model, "usage": counts}})


def prose(rng):
    words = ["tokens", "usage", "of", "error", "the", '"x":1', "completion", "{", "model"]
    return json.dumps({"level": "error", "msg": " ".join(rng.choices(words, k=20))})


class Scan(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def put(self, name, text, mode="w"):
        path = os.path.join(self.dir.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode) as f:
            f.write(text)
        return path

    def test_documented_lines(self):
        """Every example of docs/formats.md is read as it is documented."""
        docs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/formats.md")
        with open(docs, encoding="utf-8") as f:
            text = f.read().split("### Not read")[0]
        want = {"Log formats": (4, 185), "Claude Code": (1, 15214), "Codex": (1, 9400),
                "LiteLLM": (1, 940), "Bedrock": (1, 9554), "OpenTelemetry": (1, 150),
                "Azure": (1, 57), "Consoles": (2, 317), "Gateways": (1, 150),
                "Docker": (1, 57), "CRI": (1, 57), "journald": (1, 57), "Any text: `regex`": (1, 1057),
                "Access logs and names of your own: `fields`": (1, 71)}
        options = {
            "Any text: `regex`": ["--thousands", "--regex",
                                  re.search(r"regex: '(.*)'", text).group(1)],
            "Access logs and names of your own: `fields`": [
                "--fields", ",".join("=".join(pair) for pair in re.findall(
                    r"^      (\w+): (\w+)$", text, flags=re.M))]}
        seen = set()
        for section in re.split(r"^##+ ", text, flags=re.M):
            title = section.split("\n")[0]
            for lang, block in re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.M | re.S):
                if lang or block.startswith("log_format"):
                    continue
                # Docker, CRI and the journal share a block: a file each
                parts = [block]
                if title == "Docker, CRI, journald":
                    parts = block.splitlines(keepends=True)
                for name, part in zip(title.split(", "), parts):
                    got = totals(*options.get(name, []), self.put("x.log", part))["totals"]
                    tokens = got["input"] + got["cache_read"] + got["output"]
                    self.assertEqual((got["calls"], tokens), want[name], name)
                    seen.add(name)
        self.assertEqual(seen, set(want))

    def test_folder_adds_up(self):
        rng = random.Random(5)
        want = {"calls": 0, "input": 0, "output": 0, "cache_read": 0}
        for name in ("a.log", "b/c.log.gz", "b/d/e.log"):
            lines = []
            for i in range(700):
                n = len(lines) + 10000 * len(name)
                kind = rng.random()
                if kind < 0.2:
                    lines.append(flat(n))
                    want["input"] += 100 + n
                    want["output"] += n % 7
                elif kind < 0.3:
                    lines.append(reply(n))
                    want["input"] += 10 + n
                    want["output"] += n % 11
                    want["cache_read"] += n % 5 * 100
                else:
                    lines.append(prose(rng))
                want["calls"] += kind < 0.3
            text = "\n".join(lines).encode()
            self.put(name, gzip.compress(text) if name.endswith("gz") else text, "wb")
        os.symlink("a.log", os.path.join(self.dir.name, "again.log"))
        got = totals(self.dir.name)
        self.assertEqual({k: got["totals"][k] for k in want}, want)
        self.assertEqual(got["read"]["files"], 3)
        self.assertEqual(got["read"]["lines"], 2100)
        self.assertEqual(sum(r["calls"] for r in got["rows"]), want["calls"])
        self.assertTrue(got["totals"]["priced"])

    def test_calls(self):
        path = self.put("x.log", "noise\r\n" + flat(1) + "\r\n\n" + reply(2) + "\n" +
                        '{"prompt_tokens": 5, "model": "nobody-knows"}')
        calls = [json.loads(s) for s in scan("--calls", path).stdout.splitlines()]
        self.assertEqual([c["line"] for c in calls], [2, 4, 5])
        self.assertEqual([c["file"] for c in calls], [path] * 3)
        for c in calls:
            self.assertEqual([k for k in c if k in CALL_FIELDS], CALL_FIELDS)
        self.assertEqual(calls[0]["ts"], "2026-11-02T10:00:01.000Z")
        self.assertIsNone(calls[0]["cache_read"])
        self.assertEqual(calls[1]["cache_read"], 200)
        self.assertEqual(calls[1]["response_id"], "msg_" + "2".zfill(20))
        self.assertTrue(calls[0]["priced"] and calls[0]["cost_usd"] > 0)
        self.assertIsNone(calls[2]["cost_usd"])
        self.assertFalse(calls[2]["priced"])

    def test_unpriced_is_not_free(self):
        path = self.put("x.log", flat(1, model="nobody-knows", provider="someone"))
        out = scan(path).stdout.decode()
        self.assertIn("unpriced", out)
        self.assertIn("someone/nobody-knows", out)
        self.assertIn("no price", out)
        self.assertNotIn("$0", out)
        got = totals(path)
        self.assertIsNone(got["totals"]["cost_usd"])
        self.assertEqual(got["totals"]["unpriced_calls"], 1)

    def test_stated_beside_ours(self):
        path = self.put("x.log", json.dumps({"ts": "2026-11-02T10:00:00Z", "resp": {
            "id": "gen-1", "provider": "Azure", "object": "chat.completion",
            "model": "openai/gpt-4o-mini", "choices": [],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
                      "cost": 0.00031}}}))
        self.assertIn("$0.0003 as stated for 1 call, $0.0002 by our prices (-32.3 %)",
                      scan(path).stdout.decode())
        got = totals(path)["totals"]
        self.assertEqual([got[k] for k in ("cost_usd", "stated_usd", "compared_calls",
                                           "compared_stated_usd", "compared_cost_usd")],
                         [0.00021, 0.00031, 1, 0.00031, 0.00021])
        self.assertEqual(json.loads(scan(path, "--calls").stdout)["stated_usd"], 0.00031)

    def test_partly_priced(self):
        path = self.put("x.log", flat(1) + "\n" + flat(2, time="1999-11-02T10:00:00Z"))
        out = scan(path).stdout.decode()
        self.assertIn("openai/gpt-4o: not all has a price (input 102, output 2)", out)

    def test_foreign_names(self):
        path = self.put("x.log", "\n".join(flat(i, model=m) for i, m in enumerate(
            ["é" * 60, "a\u202eb\x1b[31mc", "m"])))
        lines = scan(path).stdout.decode().split("\nTotal")[0].splitlines()
        self.assertEqual(len({len(line) for line in lines}), 1, lines)
        self.assertIn("é" * 48 + "…", lines[1])
        self.assertIn("a?b?[31mc", lines[2])

    def test_repeats(self):
        first = self.put("1.log", reply(5, output_tokens=1) + "\n" + reply(6) + "\n")
        second = self.put("2.log", reply(5, output_tokens=90) + "\n" + reply(6) + "\n")
        got = totals(first, second)
        self.assertEqual(got["totals"]["calls"], 2)
        self.assertEqual(got["totals"]["output"], 90 + 6)
        self.assertEqual(got["records"]["repeated"], 1)
        self.assertEqual(got["records"]["grown"], 1)
        self.assertEqual(totals("--no-dedup", first, second)["totals"]["calls"], 4)
        calls = [json.loads(s) for s in scan("--calls", first, second).stdout.splitlines()]
        self.assertEqual([c["accounting"] for c in calls],
                         ["call", "call", "call", "report"])
        self.assertEqual(sum(c["output"] for c in calls if c["accounting"] == "call"), 96)

    def test_dates(self):
        path = self.put("x.log", "\n".join(flat(i) for i in range(9)))
        self.assertEqual(totals("--from", "2026-11-02", path)["totals"]["calls"], 6)
        self.assertEqual(totals("--to", "2026-11-02", path)["totals"]["calls"], 6)
        got = totals("--from", "2026-11-02", "--to", "2026-11-02", path)
        self.assertEqual(got["totals"]["calls"], 3)
        self.assertEqual([r["day"] for r in got["rows"]], ["2026-11-02"])
        self.assertEqual(got["skipped"]["outside_dates"], 6)

    def test_csv(self):
        path = self.put("x.log", flat(1, model="=cmd|' /C calc'!A0") + "\n" +
                        flat(2, model='a"b,c'))
        rows = list(csv.DictReader(io.StringIO(scan("--csv", path).stdout.decode())))
        self.assertEqual([r["model"] for r in rows], ["'=cmd|' /C calc'!A0", 'a"b,c'])
        self.assertEqual([r["input"] for r in rows], ["101", "102"])
        self.assertEqual(rows[0]["cost_usd"], "")

    def test_stdin(self):
        got = totals("-", stdin=(flat(1) + "\n" + flat(2)).encode())
        self.assertEqual(got["totals"]["calls"], 2)
        got = totals("-", stdin=b'{"model":"gpt-4o","prompt_tokens":5,"completion_tokens":7}')
        self.assertTrue(got["rows"][0]["day"])
        self.assertTrue(got["totals"]["priced"])
        self.assertEqual(got["records"]["time_guessed"], 1)

    def test_containers(self):
        docker = "".join(json.dumps({"log": part, "stream": "stdout",
                                     "time": "2026-11-02T10:00:00Z"}) + "\n"
                         for part in ("start\n", flat(1)[:40], flat(1)[40:] + "\n"))
        cri = "".join(f"2026-11-02T10:00:00Z stdout {tag} {part}\n" for tag, part in
                      (("F", "start"), ("P", flat(2)[:40]), ("F", flat(2)[40:])))
        got = totals(self.put("d.log", docker), self.put("c.log", cri))
        self.assertEqual(got["totals"]["input"], 101 + 102)

    def test_bad_files(self):
        self.put("ok.log", flat(1))
        self.put("binary", bytes(range(256)) * 100, "wb")
        self.put("broken.log", '{"prompt_tokens": 5, "model\n{"usage":{"prompt_tokens"\n' +
                 flat(2)[:-5] + "\n")
        self.put("damaged.gz", gzip.compress(flat(3).encode() * 99)[:60], "wb")
        got = totals(self.dir.name, os.path.join(self.dir.name, "none"), code=1)
        self.assertEqual(got["totals"]["calls"], 1)
        self.assertEqual(got["skipped"]["not_text_files"], 1)
        self.assertEqual(got["skipped"]["unreadable_files"], 2)
        self.assertEqual(got["skipped"]["not_json"], 3)
        why = {os.path.basename(p["file"]): p["why"] for p in got["problems"]}
        self.assertEqual(set(why), {"binary", "damaged.gz", "none"})
        self.assertIn("No such file", why["none"])
        os.remove(os.path.join(self.dir.name, "damaged.gz"))
        self.assertIn("binary data", scan(self.dir.name).stdout.decode())

    def test_long_lines_in_little_memory(self):
        path = os.path.join(self.dir.name, "long.log")
        image = '{"image":"' + "QUJD" * 3_000_000 + '","usage":{"prompt_tokens":7}}'
        with open(path, "w", encoding="ascii") as f:
            f.write(flat(1) + "\n" + image + "\n")
            f.write('{"usage":{"prompt_tokens":5},"x":"')
            for _ in range(100):
                f.write("y" * 1_000_000)
            f.write('"}\n' + flat(2) + "\n")
        got = json.loads(subprocess.run([AGENT, "scan", "--json", path], check=True,
                                        capture_output=True, preexec_fn=little_memory).stdout)
        self.assertEqual(got["totals"]["input"], 101 + 7 + 102)
        self.assertEqual(got["skipped"]["too_long"], 1)
        self.assertEqual(got["read"]["lines"], 4)

    def test_command_line(self):
        self.assertIn(b"usage:", scan("--help").stdout)
        for wrong in ([], ["--nonsense"], ["--from", "May", "x"], ["--format", "x", "y"],
                      ["--json", "--csv", "x"], ["--window", "3", "x"],
                      ["--from", "2026-11-02", "--to", "2026-11-01", "x"],
                      ["--prices", "/nowhere.yaml", "x"]):
            self.assertTrue(scan(*wrong, code=2).stderr)

    def test_full_disk(self):
        path = self.put("x.log", flat(1))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([AGENT, "scan", path], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)


def little_memory():
    """8 MiB of data at most; a sanitizer's own memory is not ours to limit."""
    with open(AGENT, "rb") as f:
        if b"__asan_init" not in f.read():
            resource.setrlimit(resource.RLIMIT_DATA, (8 << 20, 8 << 20))


if __name__ == "__main__":
    AGENT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
