"""Two ways to meter the packets of an interface, for tests that know the truth: a file of
tcpdump's for `scan`, call by call, and `run`, whose totals stand in its spool."""
import collections
import json
import os
import re
import signal
import sqlite3
import subprocess

import netlab

NOBODY = 65534
CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write", "output")
SHORT = ("in", "cr", "cw5", "cw1", "cw", "out")
BILLED = ("call", "error")


def scan(agent, path, keys, *options):
    """Calls of a capture, and all that was said."""
    used = os.path.exists(keys) and os.path.getsize(keys) > 0
    keylog = ["--tls-keylog", keys] if used else []
    done = subprocess.run([agent, "scan", "--calls", *options, *keylog, path],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        netlab.fail("scan: exit %d: %s" % (done.returncode, done.stderr))
    return [json.loads(line) for line in done.stdout.splitlines()], done.stdout + done.stderr


def sums(calls):
    """What a spool has to hold after these calls: of each kind the calls, and the tokens
    where they are exact; an estimate depends on what was seen before it."""
    out = collections.defaultdict(lambda: [0] * (1 + len(CLASSES)))
    for call in calls:
        if call["accounting"] not in BILLED:
            continue
        row = out[call["provider"], call["model"] or "", call["surface"],
                  call["outcome"], call["quality"]]
        row[0] += 1
        for i, name in enumerate(CLASSES):
            row[i + 1] += (call[name] or 0) if call["quality"] == "exact" else 0
    return dict(out)


class Live:
    """`breakeven-agent run` on an interface, as root that becomes nobody."""

    def __init__(self, agent, folder, interface, keys, more=""):
        self.folder = os.path.join(folder, "live")
        self.log = self.folder + "/log"
        os.makedirs(self.folder + "/state", mode=0o700)
        os.chown(self.folder + "/state", NOBODY, NOBODY)
        with open(self.folder + "/agent.yaml", "w") as f:
            f.write("agent: test\nstate_dir: %s/state\ncommit_interval: 200ms\ncapture:\n"
                    "  interface: %s\n  user: nobody\n  ring: 8MiB\n  keylogs: ['%s']\n%s" %
                    (self.folder, interface, keys, more))
        self.process = subprocess.Popen(
            [agent, "run", "-c", self.folder + "/agent.yaml"], stderr=open(self.log, "w"),
            stdin=subprocess.DEVNULL)
        netlab.until(lambda: "is open" in self.said(), process=self.process)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def stop(self):
        """End; the exit code and the number of packets that the kernel dropped."""
        code = netlab.end(self.process, signal.SIGTERM)
        dropped = re.findall(r"packets, (\d+) dropped by the kernel", self.said())
        return code, int(dropped[-1]) if dropped else -1

    def sums(self):
        """As sums() of the calls; after stop()."""
        db = sqlite3.connect(self.folder + "/state/spool.db")
        rows = [json.loads(line) for (line,) in db.execute("SELECT line FROM total")]
        db.close()
        out = collections.defaultdict(lambda: [0] * (1 + len(CLASSES)))
        for row in rows:
            kind = out[row.get("prov", ""), row.get("model", ""), row.get("surf", ""),
                       row.get("oc", ""), row.get("q", "")]
            kind[0] += row["n"]
            for i, name in enumerate(SHORT):
                kind[i + 1] += row.get(name, 0) if row.get("q") == "exact" else 0
        return dict(out)


def differences(want, have, label):
    """Print and count the kinds of call whose totals are not the same."""
    bad = [kind for kind in set(want) | set(have) if want.get(kind) != have.get(kind)]
    for kind in sorted(bad):
        print("FAIL", label, kind, "calls and tokens", have.get(kind), "of", want.get(kind))
    return len(bad)
