#!/usr/bin/env python3
"""Lints the Grafana dashboards: the rules of grafana/dashboard-linter that apply, and ours.

Use: lint.py FOLDER. Prints FILE: PANEL: RULE: what is wrong; exit 1 when there is something.
"""
import glob
import json
import os
import re
import sys

UNITS = {"none", "short", "percentunit", "percent", "s", "ms", "bytes", "reqps", "ops", "currencyUSD",
         "dateTimeAsIso"}  # of grafana-data: packages/grafana-data/src/valueFormats/categories.ts
SOURCES = {"prometheus": "${datasource}", "yesoreyeram-infinity-datasource": "${infinity}"}
BUILT_IN = {"__rate_interval", "__interval", "__range", "__from", "__to"}
SELECTOR = re.compile(r"\b(breakeven_[a-z0-9_]+)\b(\{[^}]*\})?")
CALL = re.compile(r"\b(rate|irate|increase|delta)\(\s*breakeven_[a-z0-9_]+\{[^}]*\}\[([^\]]+)\]\)")


def variables(text):
    return {m[1] or m[2] for m in re.finditer(r"\$(?:\{(\w+)[^}]*\}|(\w+))", text)}


class Linter:
    def __init__(self, path):
        self.path, self.found = path, []
        with open(path) as f:
            self.d = json.load(f)

    def no(self, rule, what, panel=None):
        where = f"{panel.get('id')} '{panel.get('title')}'" if panel else "dashboard"
        self.found.append(f"{os.path.basename(self.path)}: {where}: {rule}: {what}")

    def dashboard(self):
        d = self.d
        name = os.path.basename(self.path)[:-5]
        for key in ("id", "__inputs", "__requires", "__elements"):
            if d.get(key) is not None:
                self.no("provisioned", f"'{key}' belongs to hand-made exports")
        for rule, ok in (("uid", d.get("uid") == f"breakeven-{name}"), ("uneditable", d.get("editable") is False),
                         ("schema-version", 36 <= d.get("schemaVersion", 0) <= 39), ("version", d.get("version") == 1),
                         ("title", d.get("title", "").startswith("Breakeven / ")), ("tags", "breakeven" in d.get("tags", [])),
                         ("description", len(d.get("description", "")) > 20), ("timezone", d.get("timezone") == "utc"),
                         ("time", d.get("time", {}).get("to") == "now")):
            if not ok:
                self.no(rule, "not as wanted")

    def templates(self):
        self.vars = {v["name"]: v for v in self.d["templating"]["list"]}
        ds = self.vars.get("datasource", {})
        if (ds.get("type"), ds.get("query")) != ("datasource", "prometheus"):
            self.no("template-datasource", "no variable 'datasource' of prometheus sources")
        for name in ("job", "instance"):
            v = self.vars.get(name, {})
            if not (v.get("type") == "query" and v.get("multi") and v.get("includeAll") and v.get("allValue") == ".+"):
                self.no(f"template-{name}", "must be a query, multi, include all as .+")
        for v in self.vars.values():
            if not v.get("label"):
                self.no("template-label", v["name"])
            if v["type"] != "query":
                continue
            if v.get("refresh") != 2:
                self.no("template-on-time-change-reload", v["name"])
            if v.get("datasource", {}).get("uid") != "${datasource}":
                self.no("template-datasource", f"{v['name']} does not use ${{datasource}}")
            if not (isinstance(v["query"], str) and v["query"].startswith("label_values(")):
                self.no("template-query", f"{v['name']}: label_values(…) in string form")
            self.known(v["query"], None)

    def known(self, text, panel):
        for name in variables(text) - BUILT_IN - set(self.vars):
            self.no("variable", f"${name} is not defined", panel)

    def panels(self):
        taken, ids, titles = set(), set(), set()
        for p in self.d["panels"]:
            g = p["gridPos"]
            cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
            if g["x"] + g["w"] > 24 or cells & taken:
                self.no("grid", f"outside or over another: {g}", p)
            taken |= cells
            if p["id"] in ids or p["title"] in titles:
                self.no("panel-unique", "id or title is there twice", p)
            ids.add(p["id"])
            titles.add(p["title"])
            if p["type"] != "row":
                self.panel(p)

    def panel(self, p):
        if not p.get("title") or len(p.get("description", "")) < 20:
            self.no("panel-title-description", "missing", p)
        if p["fieldConfig"]["defaults"].get("unit") not in UNITS:
            self.no("panel-units", str(p["fieldConfig"]["defaults"].get("unit")), p)
        if SOURCES.get(p.get("datasource", {}).get("type")) != p.get("datasource", {}).get("uid"):
            self.no("panel-datasource", str(p.get("datasource")), p)
        refs = [t["refId"] for t in p.get("targets", [])]
        if not refs or len(set(refs)) != len(refs):
            self.no("panel-no-targets", "none, or a refId twice", p)
        for t in p.get("targets", []):
            if t.get("datasource") != p["datasource"]:
                self.no("target-datasource", t["refId"], p)
            if p["datasource"]["type"] == "prometheus":
                self.promql(t["expr"], p)
            elif not t.get("url", "").startswith("/api/v1/") or t.get("parser") != "backend":
                self.no("infinity", "a path of the API, read by the backend parser", p)
            self.known(t.get("expr", t.get("url", "")), p)

    def promql(self, expr, p):
        if expr.count("(") != expr.count(")") or not SELECTOR.search(expr):
            self.no("target-logql-promql", expr, p)
        for metric, matchers in SELECTOR.findall(expr):
            for name in ("job", "instance"):
                if f'{name}=~"${name}"' not in matchers:
                    self.no(f"target-{name}", f"{metric} without {name}=~\"${name}\"", p)
        inside = CALL.sub("", expr)
        for fn, window in CALL.findall(expr):
            if fn in ("rate", "irate") and window != "$__rate_interval":
                self.no("target-rate-interval", f"{fn}[{window}]", p)
            if fn in ("delta",):
                self.no("target-counter-agg", "delta of a counter", p)
        for metric, _ in SELECTOR.findall(inside):
            # A share of two counters' totals is a number of its own; alone they only grow.
            if re.search(r"_(total|bucket|count|sum)$", metric) and "/" not in inside and "* 0" not in inside:
                self.no("target-counter-agg", f"{metric} outside rate, irate, increase", p)

    def run(self):
        self.dashboard()
        self.templates()
        self.panels()
        return self.found


def main():
    files = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    found = [line for f in files for line in Linter(f).run()]
    print("\n".join(found) if found else f"{len(files)} dashboards, nothing to say")
    return 1 if found or len(files) < 3 else 0


if __name__ == "__main__":
    sys.exit(main())
