#!/usr/bin/env python3
"""The parallel test over HTTP: scores in and counted once, what is refused, verdicts out.

usage: compare.py BREAKEVEN_COLLECTOR
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, batch, bearer, header, row, this_hour  # noqa: E402

BINARY = ""
CONFIG = """
workloads:
  tickets:
    app: support
    hosted: { monthly_fixed: 300 }
    compare:
      api: { model: big }
      specialist: { model: small }
      quality_metric: exact
  plain:
    app: other
"""


def score(arm="api", value=1, workload="tickets", metric="exact", **more):
    return {"workload": workload, "arm": arm, "metric": metric, "value": value, **more}


def lines(*scores):
    return "".join(json.dumps(s) + "\n" for s in scores)


class Compare(unittest.TestCase):
    def setUp(self):
        self.c = Collector(BINARY, CONFIG)
        self.addCleanup(self.c.close)
        self.write = self.c.token("eval", agents="web-*")
        self.admin = self.c.token("boss", "admin")
        self.read = self.c.token("dash", "read")
        self.c.start()

    def tearDown(self):
        if self.c.process:
            self.assertEqual(self.c.stop(), 0, self.c.log())
        self.assertNotIn("Sanitizer", self.c.log())

    def post(self, body, token):
        status, out, _ = self.c.request("POST", "/api/v1/scores", body, bearer(token))
        return status, json.loads(out)

    def line(self, name, unit):
        report = self.c.json("/api/v1/compare/tickets", self.read)
        return next(x for x in report["line"] if (x["name"], x["unit"]) == (name, unit))

    def test_scores_count_once(self):
        body = lines(*[score(arm, i % 2, id=f"{i}", **{"pass": i % 10 != 0})
                       for i in range(100) for arm in ("api", "specialist")])
        self.assertEqual(self.post(body, self.write), (200, {"scores": 200, "known": 0}))
        self.assertEqual(self.post(body, self.admin), (200, {"scores": 0, "known": 200}))
        self.assertEqual(self.c.stop(), 0)
        self.c.start()  # the record outlasts the process
        self.assertEqual(self.post(body, self.write), (200, {"scores": 0, "known": 200}))
        rate = self.line("exact", "share")
        self.assertEqual(rate["api"]["n"], 100)
        self.assertEqual(rate["specialist"]["value"], 0.9)
        self.assertEqual(rate["verdict"], "not yet")
        self.assertGreater(rate["needed"], 100)
        mean = self.line("exact", "score")
        self.assertEqual((mean["api"]["n"], mean["api"]["value"]), (100, 0.5))
        report = self.c.json("/api/v1/compare", self.read)
        self.assertEqual([r["workload"] for r in report], ["tickets"])
        self.assertEqual(report[0]["examples"], 100)

    def test_refused(self):
        good = lines(score())
        for token, want in [(None, 401), (self.read, 403), ("x", 401)]:
            self.assertEqual(self.post(good, token)[0], want)
        for body, line, word in [(lines(score(), score(text="hello")), 2, "unknown key"),
                                 (lines(score(arm="b")), 1, "arm"),
                                 (lines(score(), score(value="1")), 2, "value"),
                                 (good + "{", 2, ""), ("", 1, "no score")]:
            status, out = self.post(body, self.write)
            self.assertEqual(status, 400, body)
            self.assertEqual(out["line"], line, (body, out))
            self.assertIn(word, out["error"])
        for workload in ("plain", "nobody"):
            status, out = self.post(lines(score(), score(workload=workload)), self.write)
            self.assertEqual(status, 400)
            self.assertIn("score 2", out["error"])
        self.assertEqual(self.c.get("/api/v1/compare/plain", self.read)[0], 404)
        self.assertEqual(self.c.get("/api/v1/compare", self.write)[0], 403)
        report = self.c.json("/api/v1/compare/tickets", self.read)
        self.assertEqual(report["examples"], 0)  # nothing of all that counted
        self.assertNotIn("exact", [x["name"] for x in report["line"]])

    def test_traffic_and_command(self):
        h = this_hour()
        rows = [row(h, 1, 400, model="big", app="support"),
                row(h, 1, 40, model="small", app="support"),
                row(h, 1, 9, model="small", app="other")]
        status, body, _ = self.c.post(batch(header(), *rows), self.write)
        self.assertEqual(status, 200, body)
        rate = self.line("error_rate", "share")
        self.assertEqual((rate["api"]["n"], rate["specialist"]["n"]), (400, 40))
        cost = self.line("cost_per_call_full", "USD")
        # $300 a month of 30 days over 440 calls in 28 days
        self.assertAlmostEqual(cost["specialist"]["value"], 300 / (30 * 440 / 28), 6)
        self.assertEqual(cost["verdict"], "not yet")  # one day, and no price for "big"
        text = self.c.command("compare").stdout
        self.assertIn("error_rate (share)", text)
        self.assertIn("not yet", text)
        out = json.loads(self.c.command("compare", "--workload", "tickets", "--json").stdout)
        self.assertEqual(out[0]["workload"], "tickets")
        for words in (("--workload", "nobody"), ("--workload", "plain"), ("x",)):
            self.assertEqual(self.c.command("compare", *words, check=False).returncode, 2)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
