#!/usr/bin/env python3
"""Counted once, whatever dies: a real writer, a real agent, a real collector.

A writer appends log lines to three files and rotates them in every way while the agent and
the collector are killed with SIGKILL at random moments, and the collector stays down for a
while. At the end the totals in the collector's SQLite must equal the writer's own count
exactly. Prints the numbers. Exit 0 equal, 1 not.

Use: e2e_kill.py AGENT COLLECTOR [--agent-kills 50] [--collector-kills 50] [--seed N]
"""
import argparse
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import free_port  # noqa: E402

CLASSES = ("input", "cache_read", "output")


class Writer(threading.Thread):
    """Writes usage lines at a few hundred a second until told to stop; knows the truth."""

    def __init__(self, folder, seed):
        super().__init__()
        self.folder, self.rng = folder, random.Random(seed)
        self.stop = threading.Event()
        self.truth = {"calls": 0, "input": 0, "cache_read": 0, "output": 0}
        self.rotations = {"rename": 0, "copytruncate": 0, "gzip": 0, "delete": 0}
        self.files = {n: open(os.path.join(folder, n), "ab", buffering=0)
                      for n in ("rename.jsonl", "copy.jsonl", "gzip.jsonl")}
        self.n = 0

    def line(self):
        r = self.rng
        self.n += 1
        prompt, cached, out = r.randint(20, 5000), r.randint(0, 19), r.randint(1, 900)
        self.truth["calls"] += 1
        self.truth["input"] += prompt - cached
        self.truth["cache_read"] += cached
        self.truth["output"] += out
        return json.dumps({
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - r.randint(0, 90000))),
            "msg": "x" * r.randint(0, 300),
            "response": {"id": "chatcmpl-%08d" % self.n, "object": "chat.completion",
                         "model": r.choice(("gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14")),
                         "usage": {"prompt_tokens": prompt, "completion_tokens": out,
                                   "total_tokens": prompt + out,
                                   "prompt_tokens_details": {"cached_tokens": cached}}}}).encode() + b"\n"

    def rotate(self, name):
        path = os.path.join(self.folder, name)
        old = "%s.%d" % (path, self.n)
        if name == "rename.jsonl":
            os.rename(path, old)
            self.files[name].close()
            self.files[name] = open(path, "ab", buffering=0)
            self.rotations["rename"] += 1
        elif name == "gzip.jsonl":
            os.rename(path, old)
            self.files[name].close()
            self.files[name] = open(path, "ab", buffering=0)
            time.sleep(0.4)  # logrotate's delaycompress: the reader gets its chance
            with open(old, "rb") as f, gzip.open(old + ".gz", "wb") as g:
                shutil.copyfileobj(f, g)
            os.unlink(old)
            self.rotations["gzip"] += 1

    def run(self):
        while not self.stop.is_set():
            name = self.rng.choice(list(self.files))
            data = b"".join(self.line() for _ in range(self.rng.randint(1, 12)))
            cut = self.rng.randint(0, len(data))
            self.files[name].write(data[:cut])  # a line may stand half written for a while
            if self.rng.random() < 0.1:
                time.sleep(0.02)
            self.files[name].write(data[cut:])
            if self.rng.random() < 0.03:
                self.rotate(name)
            time.sleep(0.01)
        for f in self.files.values():
            f.close()


class Program:
    """A child that is started again after each kill. Only its own pid is ever signalled."""

    def __init__(self, argv, log):
        self.argv, self.log, self.p, self.kills = argv, log, None, 0

    def start(self):
        self.p = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log)

    def kill(self):
        died = self.p.poll()
        if died is not None:
            raise SystemExit("%s ended by itself with %d" % (self.argv[0], died))
        self.p.kill()
        self.p.wait()
        self.kills += 1

    def terminate(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(90)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
                raise SystemExit("%s did not stop within 90 s of SIGTERM" % self.argv[0])


def wait_ready(port, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % port, timeout=1) as r:
                if r.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the collector is not ready after %d s" % seconds)


def stored(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=10)
    sums = ",".join("coalesce(sum(%s),0)" % c for c in ("calls",) + CLASSES)
    try:
        hour = dict(zip(("calls",) + CLASSES, db.execute("select %s from usage_hour" % sums).fetchone()))
        day = dict(zip(("calls",) + CLASSES, db.execute("select %s from usage_day" % sums).fetchone()))
    finally:
        db.close()
    return hour, day


def main():
    a = argparse.ArgumentParser()
    a.add_argument("agent")
    a.add_argument("collector")
    a.add_argument("--agent-kills", type=int, default=50)
    a.add_argument("--collector-kills", type=int, default=50)
    a.add_argument("--seed", type=int, default=int(os.environ.get("BREAKEVEN_SEED", time.time_ns() % 10**9)))
    o = a.parse_args()
    print("seed %d" % o.seed)
    rng = random.Random(o.seed)
    top = tempfile.mkdtemp(prefix="breakeven-e2e-")
    port = free_port()
    for d in ("logs", "agent", "store"):
        os.mkdir(os.path.join(top, d))
    conf = {k: os.path.join(top, k + ".yaml") for k in ("agent", "collector")}
    with open(conf["collector"], "w") as f:
        f.write("listen: 127.0.0.1:%d\ndata_dir: %s/store\n" % (port, top))
    with open(conf["agent"], "w") as f:
        f.write("agent: e2e\nstate_dir: %s/agent\ncollector:\n  url: http://127.0.0.1:%d\n"
                "  token_file: %s/token\n  interval: 200ms\nlogs:\n  - path: '%s/logs/*'\n    app: e2e\n"
                % (top, port, top, top))
    token = subprocess.run([o.collector, "token", "add", "--config", conf["collector"], "--name", "e2e",
                            "--scopes", "ingest", "--agents", "e2e", "--quiet"],
                           check=True, stdout=subprocess.PIPE).stdout
    with open(os.path.join(top, "token"), "wb") as f:
        f.write(token)
    log = open(os.path.join(top, "programs.log"), "ab")
    agent = Program([o.agent, "run", "--config", conf["agent"]], log)
    collector = Program([o.collector, "serve", "--config", conf["collector"]], log)
    writer = Writer(os.path.join(top, "logs"), o.seed)
    ok = False
    try:
        collector.start()
        wait_ready(port)
        agent.start()
        writer.start()
        while agent.kills < o.agent_kills or collector.kills < o.collector_kills:
            time.sleep(rng.uniform(0.05, 0.5))
            if agent.kills < o.agent_kills:
                agent.kill()
                agent.start()
            if collector.kills < o.collector_kills and rng.random() < 0.9:
                time.sleep(rng.uniform(0, 0.2))
                collector.kill()
                if collector.kills == o.collector_kills // 2:
                    time.sleep(3)  # down for a while: the spool holds
                collector.start()
        writer.stop.set()
        writer.join()
        wait_ready(port)
        db = os.path.join(top, "store", "breakeven.db")
        end = time.time() + 90
        while time.time() < end:
            hour, day = stored(db)
            ok = hour == writer.truth and day == writer.truth
            if ok or any(hour[k] > writer.truth[k] for k in hour):
                break
            time.sleep(0.3)
        print("kills      agent %d, collector %d" % (agent.kills, collector.kills))
        print("rotations  %s" % writer.rotations)
        print("truth      %s" % writer.truth)
        print("usage_hour %s" % hour)
        print("usage_day  %s" % day)
        print("equal" if ok else "NOT EQUAL")
    finally:
        writer.stop.set()
        agent.terminate()
        collector.terminate()
        log.close()
        if ok:
            shutil.rmtree(top)
        else:
            print("kept: %s" % top)
    return 0 if ok else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
