#!/usr/bin/env python3
"""Run `project` on public series of real LLM usage; the reports are docs/examples.md's.

usage: llm_usage.py [--update FILE] COLLECTOR DIR [WORKLOAD...]

--update writes the table and every report that FILE shows anew, in place; its words stay.

DIR holds servegen_hourly.csv.gz, openrouter_weekly_models.csv and pypi_llm_clients.csv.
Dates are moved so that each series ends yesterday. Prices and hosting scenarios are made
up where the data have none, and say so in PRICES and SCENARIOS.
"""
import csv
import gzip
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../tests/lib"))
from collector import Collector  # noqa: E402

DAY = 86400
TODAY = int(time.time()) // DAY * DAY
# Made-up USD a million tokens, input and output, of series without prices.
PRICES = {"servegen": (0.4, 1.6), "pypi": (0.4, 1.6)}
CALL = (1000, 200)  # made-up tokens of a "call" behind one package download
SCENARIOS = {
    "servegen": "{gpu: h100, capacity: autoscale, monthly_fixed: 5000, setup: 40000}",
    "openrouter": "{gpu: h100, capacity: peak, monthly_fixed: 20000, setup: 250000, "
                  "coverage: 0.3, escalation: 0.05}",
    "pypi": "{gpu: l40s, capacity: peak, monthly_fixed: 2000, setup: 20000}",
}
LEAST_WEEKS = 10
PACKAGES = ("anthropic", "langchain", "tiktoken", "litellm", "pinecone-client")


def row(at, app, provider, model, calls, tokens, quality="exact"):
    r = {"h": at, "ver": 1, "ep": 1, "app": app, "prov": provider, "model": model,
         "surf": provider + ".chat", "src": "log", "oc": "ok", "q": quality, "ctx": 0, "n": calls}
    r.update({k: v for k, v in tokens.items() if v})
    return r


def servegen(folder):
    """Hours of all clients of a model; calls without readable tokens are `missing`."""
    hours = defaultdict(lambda: [0, 0, 0, 0])
    with gzip.open(f"{folder}/servegen_hourly.csv.gz", "rt") as f:
        for r in csv.DictReader(f):
            h = hours[r["model"], int(r["hour"])]
            h[0 if r["in_tokens"] else 3] += int(float(r["calls"]))
            h[1] += int(float(r["in_tokens"] or 0))
            h[2] += int(float(r["out_tokens"] or 0))
    start = TODAY - 336 * 3600
    for (model, hour), (known, tin, tout, unknown) in sorted(hours.items()):
        at, app = start + hour * 3600, "servegen-" + model
        if known:
            yield row(at, app, "servegen", model, known, {"in": tin, "out": tout})
        if unknown:
            yield row(at, app, "servegen", model, unknown, {}, "missing")


def openrouter(folder):
    """Weeks of a model, spread evenly over their days."""
    weeks = defaultdict(list)
    with open(f"{folder}/openrouter_weekly_models.csv") as f:
        for r in csv.DictReader(f):
            weeks[r["model"]].append(r)
    last = max(date.fromisoformat(r["week"]) for w in weeks.values() for r in w)
    for name, rows in sorted(weeks.items()):
        if len(rows) < LEAST_WEEKS:
            continue
        model = name.split("/")[1]
        for r in rows:
            # 20 weeks of one model are not always consecutive: gaps stay gaps.
            end = TODAY - (last - date.fromisoformat(r["week"])).days * DAY
            prompt, cached = int(r["prompt_tokens"]), int(r["cached_tokens"] or 0)
            for d in range(7, 0, -1):
                yield row(end - d * DAY, "openrouter-" + model, "openrouter", model,
                          int(r["requests"]) // 7,
                          {"in": (prompt - cached) // 7, "cr": cached // 7,
                           "out": int(r["completion_tokens"]) // 7})


def pypi(folder):
    """Downloads of 30 days, read monthly, as calls a day between two readings."""
    readings = defaultdict(list)
    with open(f"{folder}/pypi_llm_clients.csv") as f:
        for r in csv.DictReader(f):
            if r["package"] in PACKAGES:
                readings[r["package"]].append(
                    (date.fromisoformat(r["reading_date"]), int(r["downloads_30d"])))
    for package, points in sorted(readings.items()):
        points.sort()
        last = points[-1][0]
        for (a, x), (b, y) in zip(points, points[1:]):
            for d in range((b - a).days):
                at = TODAY - ((last - a).days - d) * DAY
                if at < TODAY - 395 * DAY:
                    continue
                calls = round((x + (y - x) * d / (b - a).days) / 30)
                yield row(at, "pypi-" + package, "pypi", package, calls,
                          {"in": CALL[0] * calls, "out": CALL[1] * calls})


def price_file(folder, rows):
    """A book of the prices in the data, and of made-up ones for the rest."""
    models = {(r["prov"], r["model"]) for r in rows}
    known = {}
    with open(f"{folder}/openrouter_weekly_models.csv") as f:
        for r in csv.DictReader(f):
            known[r["model"].split("/")[1]] = (
                float(r["prompt_price"]), float(r["cache_read_price"] or 0),
                float(r["completion_price"]))
    out = ["providers:"]
    for provider in sorted({p for p, _ in models}):
        out += [f"  {provider}:", "    models:"]
        for model in sorted(m for p, m in models if p == provider):
            tin, tout = PRICES.get(provider, (0, 0))
            cached = None
            if provider == "openrouter":
                tin, cached, tout = (round(1e6 * v, 6) for v in known[model])
            cache = f", cache_read: {cached}" if cached else ""
            out += [f"      {model}:", "        prices:",
                    f"          - {{from: 2023-01-01, input: {tin}{cache}, output: {tout}}}"]
    return "\n".join(out) + "\n"


def usd(v):
    if v < 9999.5:
        return f"${v:.2f}" if v < 10 else f"${v:.0f}"
    return f"${v / 1e3:.1f}k" if v < 99950 else f"${v / 1e3:.0f}k"


def table_row(doc):
    ratio, mape = doc.get("threshold_ratio"), doc.get("backtest_mape")
    cells = [doc["workload"], str(doc["days"]),
             "-" if doc["usd_per_day"] is None else usd(doc["usd_per_day"]), doc["verdict"],
             "-" if ratio is None else f"{100 * ratio:.0f} %",
             "-" if mape is None else
             f"{100 * mape:.0f} %, {100 * doc['backtest_cover80']:.0f} % in "
             f"({doc['backtest_origins']})"]
    return "| " + " | ".join(cells) + " |"


def update(path, text, docs):
    """The table's rows and the fenced blocks that begin with a workload's name."""
    reports = {}
    for block in text.split("\n\n"):
        head = block.split(":", 1)[0]
        if head in docs:
            name = head
            reports[name] = block
        else:
            reports[name] += "\n\n" + block
    out, fence, skip = [], False, False
    with open(path) as f:
        lines = f.read().split("\n")
    for i, line in enumerate(lines):
        if line.startswith("```"):
            fence, skip = not fence, False
            name = lines[i + 1].split(":", 1)[0] if fence else None
            out.append(line)
            if name in reports:
                out += reports[name].rstrip("\n").split("\n")
                skip = True
        elif not skip:
            name = line[2:].split(" |", 1)[0] if line.startswith("| ") else None
            out.append(table_row(docs[name]) if name in docs else line)
    with open(path, "w") as f:
        f.write("\n".join(out))


def main():
    target = None
    if sys.argv[1:2] == ["--update"]:
        target = sys.argv[2]
        del sys.argv[1:3]
    if len(sys.argv) < 3:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    binary, folder, only = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    rows = [*servegen(folder), *openrouter(folder), *pypi(folder)]
    workloads = sorted({r["app"] for r in rows})
    with tempfile.TemporaryDirectory() as tmp:
        with open(f"{tmp}/prices.yaml", "w") as f:
            f.write(price_file(folder, rows))
        config = f"prices: {tmp}/prices.yaml\nworkloads:\n" + "".join(
            f"  {w}:\n    app: [{w}]\n    hosted: {SCENARIOS[w.split('-')[0]]}\n"
            for w in workloads if not only or w in only)
        c = Collector(binary, config)
        try:
            token = c.token("bench", agents="bench")
            c.start()
            for i in range(0, len(rows), 10000):
                part = rows[i:i + 10000]
                head = {"schema": 1, "agent": "bench", "epoch": 1, "seq": i // 10000 + 1,
                        "now": int(time.time() * 1000), "version": "0", "rows": len(part)}
                lines = "\n".join(json.dumps(x) for x in [head, *part]) + "\n"
                status, body, _ = c.post(lines.encode(), token)
                if status != 200:
                    raise SystemExit(f"{status} {body.decode()}")
            c.stop()
            text = c.command("project").stdout
            if target:
                docs = json.loads(c.command("project", "--json").stdout)
                update(target, text, {d["workload"]: d for d in docs})
            else:
                print(text, end="")
        finally:
            c.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
