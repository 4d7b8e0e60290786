#!/usr/bin/env python3
"""An idle agent is small, whatever it has just read: a long log, a packed one, many session
files. What it gave back to be small it still knows: a call of before does not count again."""
import gzip
import json
import os
import time

from agentlib import Agent, Report, scratch, seed, totals

LIMIT_KB = 2500
CALLS = 10000


def rss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))


def line(i):
    return (json.dumps({"time": "2026-11-18T10:%02d:%02dZ" % (i // 60 % 60, i % 60),
                        "pad": "x" * 200, "response": {
                            "id": "chatcmpl-%020d" % i, "object": "chat.completion",
                            "model": "gpt-test", "usage": {"prompt_tokens": 7 + i % 100,
                                                           "completion_tokens": 3}}}) +
            "\n").encode()


def plain(folder):
    with open(folder + "/app.log", "wb") as f:
        f.writelines(line(i) for i in range(CALLS))


def packed(folder):
    open(folder + "/app.log", "wb").close()
    with gzip.open(folder + "/archive.gz", "wb", 1) as f:
        f.writelines(line(i) for i in range(CALLS))


def sessions(folder):
    for n in range(200):
        with open("%s/s%d.log" % (folder, n), "wb") as f:
            f.writelines(line(i) for i in range(n, CALLS, 200))


def smallest(report, name, agent, seconds=40):
    """Wait until it is small, and see that it stays so."""
    end = time.time() + seconds
    seen = []
    while time.time() < end and (len(seen) < 5 or max(seen[-5:]) > LIMIT_KB):
        time.sleep(1)
        seen.append(rss_kb(agent.process.pid))
    good = max(seen[-5:]) <= LIMIT_KB
    report.check(name, good, "RSS %d to %d kB after %d s, %d at most" %
                 (min(seen[-5:]), max(seen[-5:]), len(seen), max(seen)))


def main():
    directory, _holder = scratch()
    report = Report(seed())
    want = (CALLS, sum(7 + i % 100 for i in range(CALLS)), 3 * CALLS)
    for make in (plain, packed, sessions):
        folder = os.path.join(directory, make.__name__)
        os.makedirs(folder + "/logs")
        make(folder + "/logs")
        agent = Agent(folder, [folder + "/logs/*.log", folder + "/logs/*.gz"])
        agent.start()
        report.case(make.__name__ + ": read", want, agent.sees(want, 60))
        smallest(report, make.__name__ + ": idle", agent)
        name = sorted(n for n in os.listdir(folder + "/logs") if n.endswith(".log"))[0]
        with open("%s/logs/%s" % (folder, name), "ab") as f:
            f.write(line(CALLS // 2) + line(1) + line(CALLS))
        more = (CALLS + 1, want[1] + 7 + CALLS % 100, want[2] + 3)
        report.case(make.__name__ + ": known calls again, and a new one", more,
                    agent.sees(more, 20))
        smallest(report, make.__name__ + ": idle again", agent)
        report.check(make.__name__ + ": stops", agent.stop() == 0)
        report.case(make.__name__ + ": at the end", more, totals(agent.state))
    report.end()


main()
