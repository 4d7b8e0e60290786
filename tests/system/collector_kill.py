#!/usr/bin/env python3
"""kill -9 of the collector at random moments while agents send, replay and shuffle.

Agents hold running totals and send them until they are acknowledged, as the real agent
does; each also repeats old batches. At the end the store must hold exactly the truth.

usage: collector_kill.py BREAKEVEN_COLLECTOR [KILLS]
"""
import os
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, batch, header, row, this_hour  # noqa: E402

AGENTS, HOURS, MODELS = 4, 30, 6


class Agent(threading.Thread):
    def __init__(self, collector, token, n, seed):
        super().__init__()
        self.c, self.token, self.name_ = collector, token, f"agent-{n}"
        self.random = random.Random(seed)
        self.total, self.ver, self.stop = {}, 0, threading.Event()
        self.acked = self.failed = self.replayed = 0
        self.sent = []
        self.start_hour = this_hour()

    def post(self, body):
        try:
            return self.c.post(body, self.token, timeout=10)[0]
        except OSError:
            return 0

    def run(self):
        while not self.stop.is_set():
            rows = []
            for _ in range(self.random.randint(1, 20)):
                key = (self.start_hour - 3600 * self.random.randrange(HOURS),
                       f"model-{self.random.randrange(MODELS)}")
                self.total[key] = self.total.get(key, 0) + self.random.randint(1, 9)
                self.ver += 1
                rows.append(row(key[0], self.ver, self.total[key], model=key[1]))
            body = batch(header(self.name_, rows=len(rows)), *rows)
            self.sent = (self.sent + [body])[-50:]
            self.deliver(body)
            if self.random.random() < 0.3:  # an old batch again: must change nothing
                self.post(self.random.choice(self.sent))
                self.replayed += 1

    def deliver(self, body):
        while True:
            status = self.post(body)
            if status == 200:
                self.acked += 1
                return
            if status not in (0, 503):
                raise RuntimeError(f"unexpected answer {status}")
            self.failed += 1
            time.sleep(0.01)


def main():
    binary = os.path.abspath(sys.argv[1])
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    seed = int(os.environ.get("BREAKEVEN_SEED", time.time_ns() % 1000000))
    print(f"BREAKEVEN_SEED={seed}")
    rng = random.Random(seed)
    c = Collector(binary)
    try:
        token = c.token("all", agents="*")
        c.start()
        agents = [Agent(c, token, n, rng.random()) for n in range(AGENTS)]
        for a in agents:
            a.start()
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, 0.25))
            c.process.kill()
            c.process.wait()
            c.start()
        for a in agents:
            a.stop.set()
        for a in agents:
            a.join()
        truth = sum(sum(a.total.values()) for a in agents)
        rows = c.json("/api/v1/usage/daily?grain=total&from=2020-01-01")
        c.stop()
        db = sqlite3.connect(os.path.join(c.data_dir, "breakeven.db"))
        hours = db.execute("select sum(calls), sum(input) from usage_hour").fetchone()
        days = db.execute("select sum(calls), sum(input) from usage_day").fetchone()
        check = db.execute("pragma integrity_check").fetchone()[0]
        stored = {(name, hour, model): calls for name, hour, model, calls in db.execute(
            "select agent, hour, model, calls from usage_hour join source on source.id=source "
            "join series on series.id=series")}
        wrong = sum(stored.get((a.name_, h, m)) != v for a in agents
                    for (h, m), v in a.total.items())
        print(f"{kills} kills; batches acknowledged {sum(a.acked for a in agents)}, tries that "
              f"failed {sum(a.failed for a in agents)}, replayed "
              f"{sum(a.replayed for a in agents)}")
        print(f"truth {truth} calls; usage_hour {hours[0]}; usage_day {days[0]}; API "
              f"{rows[0]['calls']}; keys {len(stored)}, wrong {wrong}; integrity {check}")
        ok = (truth == hours[0] == days[0] == rows[0]["calls"] and wrong == 0
              and hours[1] == days[1] == 100 * truth and check == "ok"
              and "Sanitizer" not in c.log() and len(stored) == sum(len(a.total) for a in agents))
        return 0 if ok else 1
    finally:
        c.close()


if __name__ == "__main__":
    sys.exit(main())
