#!/usr/bin/env python3
"""The dashboard at 200 models x 400 days, every hour of each: time of each API answer that the
page asks for, CPU of the collector for it, and in chromium first paint and the finished view.

usage: page.py COLLECTOR [--models 200] [--days 400] [--hours 24]
"""
import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "browser"))
import world  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
RUNS = 9


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        at = f.read().rsplit(")", 1)[1].split()
    return (int(at[11]) + int(at[12])) / TICKS


def measure(c, path):
    """Median and best wall time, mean CPU, bytes."""
    wall, size = [], 0
    before = cpu(c.process.pid)
    for _ in range(RUNS):
        h = http.client.HTTPConnection("127.0.0.1", c.port, timeout=60)
        start = time.perf_counter()
        h.request("GET", path)
        r = h.getresponse()
        size = len(r.read())
        wall.append(time.perf_counter() - start)
        h.close()
        if r.status != 200:
            sys.exit(f"{path}: {r.status}")
    used = (cpu(c.process.pid) - before) / RUNS
    print(f"{statistics.median(wall) * 1e3:7.1f} ms median {min(wall) * 1e3:7.1f} ms best "
          f"{used * 1e3:6.1f} ms CPU {size:8d} B  {path}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("collector")
    p.add_argument("--models", type=int, default=200)
    p.add_argument("--days", type=int, default=400)
    p.add_argument("--hours", type=int, default=24)
    a = p.parse_args()
    c = world.big(None, os.path.abspath(a.collector), None, a.models, a.days, range(a.hours))
    try:
        today = datetime.now(timezone.utc).date()
        first, week = today - timedelta(days=a.days - 1), today - timedelta(days=27)
        for path in ("workloads", "projections/everything?newest=1", "whatif/everything?volume_growth=0.5",
                     f"usage/breakdown?by=model&from={first}", f"usage/breakdown?by=app&grain=total&from={first}",
                     f"usage/breakdown?by=class&from={first}", f"usage/profile?from={week}",
                     "dimensions/model", "decision", "compare", "agents", "alerts", "status"):
            measure(c, "/api/v1/" + path)
        env = dict(os.environ, BREAKEVEN_URL=f"http://127.0.0.1:{c.port}/")
        sys.exit(subprocess.run(["node", os.path.join(HERE, "page.mjs")], env=env).returncode)
    finally:
        c.close()


if __name__ == "__main__":
    main()
