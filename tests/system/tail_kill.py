#!/usr/bin/env python3
"""kill -9 of the agent at random moments, under load, with rotation: at the end the totals
in the spool equal the truth exactly. Usage: tail_kill.py [kills]."""
import json
import os
import shutil
import subprocess
import sys
import threading
import time

from agentlib import Agent, Report, Truth, agent_path, scratch, seed, totals

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
SEED = seed()
report = Report(SEED)


class Writer(threading.Thread):
    """Appends lines and rotates now and then, in the given manner, until stopped."""

    def __init__(self, path, truth, manner):
        super().__init__()
        self.path, self.truth, self.manner = path, truth, manner
        self.over = threading.Event()
        self.rotations = 0

    def rotate(self):
        self.rotations += 1
        if self.manner == "rename":
            for i in range(400, 0, -1):
                if os.path.exists("%s.%d" % (self.path, i)):
                    os.rename("%s.%d" % (self.path, i), "%s.%d" % (self.path, i + 1))
            os.rename(self.path, self.path + ".1")
        elif self.manner == "copytruncate":
            shutil.copy(self.path, "%s.%06d" % (self.path, self.rotations))
            os.truncate(self.path, 0)
        elif self.manner == "gzip":
            old = "%s.%06d" % (self.path, self.rotations)
            os.rename(self.path, old)
            subprocess.run(["gzip", old], check=True)

    def run(self):
        random = self.truth.random
        while not self.over.is_set():
            lines = [self.truth.line() for _ in range(random.randrange(1, 20))]
            with open(self.path, "ab") as f:
                data = b"".join(lines)
                cut = random.randrange(len(data))  # in two writes, anywhere
                f.write(data[:cut])
                f.flush()
                time.sleep(random.random() * 0.004)
                f.write(data[cut:])
            if random.random() < 0.1:
                self.rotate()
            time.sleep(random.random() * 0.01)


class Wrapped(Truth):
    """The same lines as Kubernetes writes them: split into pieces, P but for the last, F."""

    def line(self):
        text = super().line().rstrip(b"\n")
        cut = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
        pieces = text[:cut[0]], text[cut[0]:cut[1]], text[cut[1]:]
        head = b"2026-11-18T00:00:00.000000000Z stdout "
        return b"".join(head + (b"P " if i < 2 else b"F ") + piece + b"\n"
                        for i, piece in enumerate(pieces))


class Printed(Truth):
    """Every second line printed over several, as a reply or behind a log's text; and what
    looks as if a record began there."""

    def line(self):
        line = super().line()
        if self.calls % 2:
            return line
        head = self.random.choice(["", "2026-11-18 00:00:00 INFO reply: ", "if (x) {\n"])
        return (head + json.dumps(json.loads(line), indent=2) + "\n").encode()


def run(manner, kills, pattern, truth=None):
    directory, holder = scratch()
    os.mkdir(directory + "/logs")
    truth = truth or Truth(SEED)
    agent = Agent(directory, [directory + "/logs/" + pattern])
    writer = Writer(directory + "/logs/app.log", truth, manner)
    with open(writer.path, "ab") as f:
        f.write(truth.line())
    agent.start()
    agent.sees(truth.sums())
    agent.kill()
    writer.start()
    try:
        for _ in range(kills):
            agent.start()
            time.sleep(0.02 + truth.random.random() * 0.25)
            agent.kill()
    finally:
        writer.over.set()
        writer.join()
    agent.start()
    have = agent.sees(truth.sums(), 30)
    agent.stop()
    have = totals(agent.state)
    what = "%s, %s, %s" % (manner, pattern, type(truth).__name__)
    report.case("kill -9 x %d, %s" % (kills, what), truth.sums(), have,
                "%d rotations" % writer.rotations)
    again = agent.once()
    report.case("  and a last run adds nothing", truth.sums(), totals(agent.state),
                "exit code %d" % again)


run("rename", KILLS, "app.log")
run("rename", KILLS // 3, "app.log", Wrapped(SEED))
run("gzip", KILLS // 3, "app.log*", Printed(SEED))
run("copytruncate", KILLS // 3, "app.log*", Printed(SEED))
report.end()
