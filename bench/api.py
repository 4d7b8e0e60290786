#!/usr/bin/env python3
"""Every answer of the API at 200 models x 400 days, every hour of each, with response times in
each row and a parallel test: milliseconds and bytes a request as the page, Grafana and the
documentation ask it. `first` is that of a collector that has just started, before anything is
remembered; `worst` and `median` are of the requests after it.

Status 413: more than an answer may hold, refused in words.

usage: api.py COLLECTOR [--models 200] [--days 400] [--hours 24] [--runs 9] [--bar 100] [--only TEXT]

Exit 1 when an answer took longer than --bar milliseconds, and when an address of the API that
can be read is not in the list.
"""
import argparse
import http.client
import json
import os
import statistics
import sys
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "browser"))
import world  # noqa: E402

CONFIG = world.EVERYTHING + """
  tickets:
    app: [app-0, app-1]
    hosted: { gpu: H100, monthly_fixed: 900, setup: 20000, latency_target: 9s }
    compare: { api: { app: app-0 }, specialist: { app: app-1 } }
alerts: { budgets: { everything: { monthly_usd: 100000, at: [80%, 100%] } } }
"""
SKETCHES = (',"dur":"42000000;340:1,5:2,4:2","ttft":"4100000;210:1,6:3,9:1"')
TICKS = os.sysconf("SC_CLK_TCK")


def questions(days):
    """What the page asks, Grafana and the documentation; whole (refused where too large) and in pages."""
    today = datetime.now(timezone.utc).date()
    first, hourly, week, most = (today - timedelta(days=n - 1) for n in (days, 14, 28, 50))
    iso = f"{first}T00:00:00Z", f"{today + timedelta(days=1)}T00:00:00Z"
    api = "/api/v1/"
    usage = [f"usage/{grain}?from={iso[0]}&to={iso[1]}{how}" for grain in ("daily", "hourly") for how in
             ("", "&limit=10000", "&group_by=model", "&group_by=model&limit=10000",
              "&group_by=app,provider,model&limit=10000", "&group_by=model&format=csv&limit=10000")]
    return [api + q for q in [
        f"usage/breakdown?by=model&order=cost&grain=day&from={first}",
        f"usage/breakdown?by=model&order=calls&grain=total&from={first}",
        f"usage/breakdown?by=app&grain=total&from={first}", f"usage/breakdown?by=class&from={first}",
        f"usage/breakdown?by=outcome&grain=week&from={first}",
        f"usage/breakdown?by=model&grain=day&offset=%2B02:00&from={hourly}",
        f"usage/breakdown?by=agent&from={hourly}", f"usage/breakdown?by=agent&from={first}", f"usage/breakdown?by=model&grain=hour&from={hourly}",
        f"usage/profile?from={week}", f"usage/profile?from={first}",
        "workloads", "projections/everything?newest=1", "projections/tickets", "projections",
        "projection", "projection/everything", "whatif/everything?volume_growth=0.5",
        "whatif/tickets?coverage=0.9", "decision", "decision/everything", "compare", "compare/tickets",
        "forecast", "forecast?workload=everything", "breakeven", "agents", "status",
        "alerts", "alerts?phase=firing", "alerts/rules", "alerts/channels", "alerts/silences",
        "dimensions/app", "dimensions/model", "dimensions/agent",
        "usage/daily", f"usage/daily?from={most}&group_by=app,provider,model", *usage,
        f"usage/daily?from={first}&group_by=model&offset=%2B02:00&limit=10000",
        f"usage/daily?from={first}&group_by=agent&limit=10000",
        f"unpriced?from={first}", f"unpriced?from={iso[0]}&to={iso[1]}"]] + [
        "/metrics", "/healthz", "/readyz", "/api/v1", "/", "/web/app.js", "/web/chart.min.js"]


def unlisted(c, asked):
    """Addresses that the collector has and nothing of `asked` reads."""
    def met(pattern):
        return any(q.split("?")[0].startswith(pattern.rstrip("*")) if "*" in pattern
                   else q.split("?")[0] == pattern for q in asked)
    return [a for a in c.json("/api/v1")["addresses"] if a.startswith("GET ") and not met(a[4:])]


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        at = f.read().rsplit(")", 1)[1].split()
    return (int(at[11]) + int(at[12])) / TICKS


def settle(c):
    """Until what a start sets going (projection, rules) is over."""
    still, before = 0, cpu(c.process.pid)
    while still < 4:
        time.sleep(0.1)
        now = cpu(c.process.pid)
        still = still + 1 if now - before < 0.01 else 0
        before = now


def ask(c, path):
    """Milliseconds until the last byte, bytes, status."""
    h = http.client.HTTPConnection("127.0.0.1", c.port, timeout=60)
    start = time.perf_counter()
    h.request("GET", path)
    r = h.getresponse()
    body = r.read()
    ms = (time.perf_counter() - start) * 1e3
    h.close()
    if r.status not in (200, 413):
        sys.exit(f"{path}: {r.status} {body[:200]}")
    return ms, len(body), r.status


def measure(c, path, runs):
    c.stop()
    c.start()
    settle(c)
    ask(c, "/healthz")  # the connection's own cost is not the answer's
    first, size, status = ask(c, path)
    before = cpu(c.process.pid)
    rest = [ask(c, path) for _ in range(runs)]
    used = (cpu(c.process.pid) - before) / runs * 1e3
    wall = [r[0] for r in rest]
    print(f"{first:8.1f} {max(wall):8.1f} {statistics.median(wall):8.1f} {used:7.1f} {size:9d}  {status}  {path}", flush=True)
    return max(first, *wall)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("collector")
    for name, default in ("models", 200), ("days", 400), ("hours", 24), ("runs", 9), ("bar", 100):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--only", default="")
    a = p.parse_args()
    asked = questions(a.days)
    c = world.big(None, os.path.abspath(a.collector), None, a.models, a.days, range(a.hours), CONFIG, 2, SKETCHES)
    try:
        missing = unlisted(c, asked)
        print("   first    worst   median  ms CPU     bytes       address")
        slow = [q for q in asked if a.only in q and measure(c, q, a.runs) > a.bar]
        print("\n".join([f"over {a.bar} ms: {q}" for q in slow] + [f"not asked: {q}" for q in missing]))
        sys.exit(1 if slow or missing else 0)
    finally:
        c.close()


if __name__ == "__main__":
    main()
