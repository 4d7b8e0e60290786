#!/usr/bin/env python3
"""The Grafana dashboards against a real Prometheus and a real collector.

Prometheus (apt) scrapes a collector fed with demo data, with our rules loaded. Every panel of every
dashboard is asked by its own expressions over /api/v1/query_range (or query, for instant ones), every
template variable over the label values, every Infinity query over the collector's API: all must
answer with data. The exposition, rules and configuration pass promtool, also with hostile names.
History exported as OpenMetrics becomes blocks that answer increase() with the truth.

Use: grafana.py COLLECTOR DASHBOARDS
"""
import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, batch, free_port, header, row  # noqa: E402
from receivers import wait_for  # noqa: E402

DAY = 86400
HOSTILE = ["<script>alert(1)</script>", "a\"b\\c", "'; DROP TABLE x;--", "=cmd|' /C calc'!A0", "{{ .x }}",
           "x} 1\nbreakeven_fake_total 7", "$__range", "sum(up)", "\u4e2d\u6587 \u202e", "y" * 65536]
CONFIG = """
workloads:
  support:
    app: shop
    hosted: { monthly_fixed: 2100, setup: 5000 }
alerts:
  evaluate: 500ms
  budgets: { support: { monthly_usd: 1000 } }
  channels: [{ name: nowhere, url: "http://127.0.0.1:1/" }]
"""
HEALTH = {"uptime_s": 100000, "lag_bytes": 5, "bytes": 1000, "calls": 900, "spool_bytes": 8192,
          "spool_waiting": 3, "capture": {"packets": 10, "attached": 1}, "dark": {"connections": 2},
          "drops": {"torn": 1, "not_json": 2}}


def history(days, models=("gpt-4o", "gpt-4o-mini"), apps=("shop", "tutor")):
    """Growing daily usage until yesterday, a row an hour, app and model, some of it failed."""
    today = int(time.time()) // DAY * DAY
    for d in range(days, 0, -1):
        for h in range(0, 24, 6):
            for k, (app, model) in enumerate((a, m) for a in apps for m in models):
                n = 100 + 3 * (days - d) + 10 * k
                yield row(today - d * DAY + h * 3600, 1 + d * 24 + h, n, app=app, model=model,
                          **{"in": n * 9000, "cr": n * 2000, "out": n * 1500})
            yield row(today - d * DAY + h * 3600, 1 + d * 24 + h, 3, oc="rate_limited", q="missing", app="shop",
                      **{"in": 0, "out": 0})


class Prometheus:
    def __init__(self, folder, target=None, rules=None, data=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        conf = os.path.join(folder, "prometheus.yml")
        with open(conf, "w") as f:
            f.write("global: {scrape_interval: 1s, evaluation_interval: 1s}\n")
            if rules:
                f.write(f"rule_files: ['{rules}/breakeven.rules.yml', '{rules}/breakeven.alerts.yml']\n")
            if target:
                f.write("scrape_configs: [{job_name: breakeven, static_configs: [{targets: ['%s']}]}]\n" % target)
        self.log = open(os.path.join(folder, "prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file", conf, "--storage.tsdb.path", data or os.path.join(folder, "tsdb"),
             "--storage.tsdb.retention.time=5y", "--web.listen-address", f"127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)
        try:
            wait_for("prometheus", self.ready, 60)
        except AssertionError:
            self.close()
            raise

    def ready(self):
        try:
            return urllib.request.urlopen(self.url + "/-/ready", timeout=1).status == 200
        except OSError:
            return False

    def ask(self, path, **params):
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(params)}", timeout=30) as f:
            return json.load(f)["data"]

    def query(self, expr, **params):
        return self.ask("/api/v1/query", query=expr, **params)["result"]

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def fill_in(text, dashboard):
    """What Grafana puts in place of variables, everything chosen."""
    now = time.time()
    values = {"__rate_interval": "10s", "__interval": "1s", "__range": "60s"}
    values.update({v["name"]: v.get("allValue", "") for v in dashboard["templating"]["list"]})
    iso = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ago = datetime.datetime.fromtimestamp(now - 30 * DAY, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    text = text.replace("${__from:date:iso}", ago).replace("${__to:date:iso}", iso)
    return re.sub(r"\$(\w+)", lambda m: values[m[1]], text)


class Grafana(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.c = Collector(BINARY, CONFIG)
        cls.addClassCleanup(cls.c.close)  # also when what follows fails
        cls.token = cls.c.token("t", agents="web-*")
        cls.c.start()
        rows = list(history(90))
        status, body, _ = cls.c.post(batch(header(agent="web-1", health=HEALTH), *rows), cls.token)
        assert status == 200, body
        hour = int(time.time()) // 3600 * 3600
        # what an agent makes of them: no control bytes, at most 200 bytes
        clean = [re.sub(r"[\x00-\x1f]", " ", n).encode()[:200].decode(errors="ignore") for n in HOSTILE]
        rows = [row(hour, 1, 2, app=n, model=n, prov=n) for n in clean]
        assert cls.c.post(batch(header(agent="web-2"), row(hour, 1, 2, model=HOSTILE[-1])), cls.token)[0] in (400, 413)
        status, body, _ = cls.c.post(batch(header(agent="web-2"), *rows), cls.token)
        assert status == 200, body
        cls.c.command("project", "--quiet")
        wait_for("a projection", lambda: cls.c.json("/api/v1/breakeven")[0]["verdict"] != "refused")
        cls.p = Prometheus(cls.c.dir, f"127.0.0.1:{cls.c.port}", os.path.join(DASHBOARDS, "prometheus"))
        cls.addClassCleanup(cls.p.close)
        wait_for("a scrape", lambda: cls.p.query("breakeven_build_info"))
        time.sleep(3)
        more = [row(hour, 9, 50, q=q, model=m) for m in ("gpt-4o", "unheard-of") for q in ("exact", "estimated")]
        assert cls.c.post(batch(header(agent="web-1", seq=2, health=HEALTH), *more), cls.token)[0] == 200
        time.sleep(6)

    def dashboards(self):
        files = sorted(glob.glob(os.path.join(DASHBOARDS, "grafana", "*.json")))
        self.assertGreaterEqual(len(files), 3)
        for path in files:
            with open(path) as f:
                yield json.load(f)

    def targets(self, kind):
        for d in self.dashboards():
            for panel in d["panels"]:
                for t in panel.get("targets", []):
                    if panel["datasource"]["type"] == kind:
                        yield d, panel, t

    def test_panels(self):
        """Every panel by its own expression."""
        asked = 0
        for d, panel, t in self.targets("prometheus"):
            expr = fill_in(t["expr"], d)
            where = f"{d['title']}: {panel['title']}: {expr}"
            if t["instant"]:
                data = self.p.query(expr)
                values = [s["value"] for s in data]
            else:
                now = time.time()
                data = self.p.ask("/api/v1/query_range", query=expr, start=now - 5, end=now, step=1)["result"]
                values = [v for s in data for v in s["values"]]
            self.assertTrue(values, f"no data: {where}")
            self.assertTrue(any(v[1] != "NaN" for v in values), f"only NaN: {where}")
            asked += 1
        print(f"{asked} expressions answered")
        self.assertGreater(asked, 45)

    def test_variables(self):
        for d in self.dashboards():
            for v in d["templating"]["list"]:
                if v["type"] != "query":
                    continue
                m = re.fullmatch(r"label_values\((.*), (\w+)\)", fill_in(v["query"], d))
                labels = {s.get(m[2]) for s in self.p.ask("/api/v1/series", **{"match[]": m[1]})}
                self.assertTrue(labels - {None}, f"{d['title']}: {v['name']}")

    def test_infinity(self):
        """Every query of the API: flat rows that have the columns asked for."""
        asked = 0
        for d, panel, t in self.targets("yesoreyeram-infinity-datasource"):
            rows = self.c.json(fill_in(t["url"], d))
            where = f"{d['title']}: {panel['title']}"
            self.assertTrue(rows, f"no rows: {where}")
            for c in t["columns"]:
                self.assertIn(c["selector"], rows[0], where)
                value = next((r[c["selector"]] for r in rows if r[c["selector"]] is not None), None)
                self.assertNotIsInstance(value, (dict, list), where)
                if c["type"] == "timestamp":
                    self.assertRegex(value, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", where)
                elif c["type"] == "number" and value is not None:
                    self.assertIsInstance(value, (int, float), where)
            asked += 1
        self.assertGreaterEqual(asked, 5)

    def test_exposition(self):
        """promtool finds nothing; hostile names are label values and nothing else."""
        _, text = self.c.get("/metrics")
        r = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        self.assertEqual((r.returncode, r.stdout), (0, b""))
        names = {s["__name__"] for s in self.p.ask("/api/v1/series", **{"match[]": '{job="breakeven"}'})}
        ours = {n for n in names if n.startswith("breakeven_")}
        self.assertNotIn("breakeven_fake_total", ours)
        self.assertFalse({n for n in names if not n.startswith(("breakeven_", "scrape_", "up", "ALERTS"))})
        models = {s["metric"]["model"] for s in self.p.query("breakeven_calls_total")}
        for name in HOSTILE[:5] + HOSTILE[6:8]:
            self.assertIn(name, models)
        self.assertTrue(all(len(m.encode()) <= 200 for m in models))
        with open(os.path.join(os.path.dirname(DASHBOARDS), "docs", "collector.md")) as f:
            docs = f.read()
        for n in ours:  # documented, whole or by its end
            base = re.sub(r"_(bucket|sum|count)$", "", n)
            known = base in docs or re.sub(r"^breakeven_[a-z]+_", "_", base) in docs or \
                re.sub(r"^breakeven_(agent|calls|tokens|projection)", "", base) in docs or \
                base.startswith("breakeven_projection_")
            self.assertTrue(known, f"{n} is not in docs/collector.md")

    def test_words(self):
        """Each panel says what it is, in which unit, and what it means when it is empty; each alert of
        Prometheus names a runbook that exists."""
        for d in self.dashboards():
            titles = [p["title"] for p in d["panels"]]
            self.assertEqual(len(titles), len(set(titles)), d["title"])
            for p in d["panels"]:
                if p["type"] == "row":
                    continue
                where = f"{d['title']}: {p['title']}"
                self.assertGreater(len(p["description"]), 15, where)
                self.assertTrue(p["fieldConfig"]["defaults"].get("unit"), where)
                self.assertTrue(p["fieldConfig"]["defaults"].get("noValue"), where)
            self.assertTrue(any(link["type"] == "dashboards" for link in d["links"]))
        with open(os.path.join(os.path.dirname(DASHBOARDS), "docs", "runbooks.md")) as f:
            known = {line[3:].strip().lower() for line in f if line.startswith("## ")}
        alerts = [r for g in self.p.ask("/api/v1/rules")["groups"] for r in g["rules"] if r["type"] == "alerting"]
        self.assertGreaterEqual(len(alerts), 10)
        for r in alerts:
            file, anchor = r["annotations"]["runbook"].split("#")
            self.assertEqual((file, anchor in known, bool(r["labels"]["severity"])), ("docs/runbooks.md", True, True), r["name"])
        self.assertEqual(known, {r["name"].lower() for r in alerts})

    def test_csv(self):
        """Hostile names run no formula in a spreadsheet."""
        out = self.c.command("export", "--csv", "--group-by", "app,model").stdout
        self.assertIn("\"'=cmd|' /C calc'!A0\"", out)
        for line in out.splitlines():
            for cell in re.findall(r'(?:^|,)("(?:[^"]|"")*"|[^,]*)', line):
                self.assertFalse(cell.lstrip('"').startswith(("=", "+", "-", "@")), cell)

    def test_rules(self):
        """What promtool says, and that the loaded rules evaluate and one alert comes alive."""
        folder = os.path.join(DASHBOARDS, "prometheus")
        for words in (["check", "rules", "breakeven.rules.yml", "breakeven.alerts.yml"],
                      ["check", "config", "prometheus.yml"], ["test", "rules", "breakeven.test.yml"]):
            r = subprocess.run(["promtool", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
            self.assertEqual(r.returncode, 0, r.stdout)
        for group in self.p.ask("/api/v1/rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual(rule["health"], "ok", rule)
        self.assertTrue(self.p.query("app:breakeven_calls:rate5m"))

    def test_backfill(self):
        """export --openmetrics -> promtool blocks -> increase() of a day is the API's day."""
        folder = os.path.join(self.c.dir, "backfill")
        os.mkdir(folder)
        om = os.path.join(folder, "history.om")
        out = self.c.command("export", "--openmetrics", "--from", "2020-01-01", "--group-by", "app,model").stdout
        with open(om, "w", newline="") as f:
            f.write(out)
        r = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=2160h",
                            om, os.path.join(folder, "data")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(r.returncode, 0, r.stdout)
        p = Prometheus(folder, data=os.path.join(folder, "data"))
        try:
            for days_ago in (2, 30, 80):
                day = (int(time.time()) // DAY - days_ago) * DAY
                iso = time.strftime("%Y-%m-%d", time.gmtime(day))
                rows = self.c.json(f"/api/v1/usage/daily?from={iso}&to={iso}&group_by=app,model&app=shop")
                truth = {r["model"]: r for r in rows}
                self.assertGreaterEqual(len(truth), 2)
                for model, r in truth.items():
                    for metric, wanted in (("breakeven_calls_total", r["calls"]),
                                           ("breakeven_tokens_total", r["tokens"]),
                                           ("breakeven_cost_usd_total", float(r["cost_usd"]))):
                        got = p.query(f'sum(increase({metric}{{app="shop",model="{model}"}}[1d]))', time=day + DAY)
                        self.assertAlmostEqual(float(got[0]["value"][1]), wanted, delta=max(1e-6, wanted * 1e-6),
                                               msg=f"{metric} {model} {iso}")
        finally:
            p.close()


if __name__ == "__main__":
    for need in ("prometheus", "promtool"):
        if not shutil.which(need):
            print(f"{need} is not here (apt install prometheus): nothing tested")
            sys.exit(77)
    BINARY, DASHBOARDS = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
