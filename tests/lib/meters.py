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
REFUSED = ("error", "blocked")
QUALITIES = ("exact", "estimated", "missing")


def has_line(path):
    if not os.path.exists(path):
        return False
    with open(path, "rb") as f:
        return b"\n" in f.read(65536)


def scan_text(agent, path, keys, *options):
    used = has_line(keys) # a key log without one is refused
    done = subprocess.run([agent, "scan", *options, *(["--tls-keylog", keys] if used else []),
                           path], capture_output=True, text=True, check=False)
    if done.returncode:
        netlab.fail("scan: exit %d: %s" % (done.returncode, done.stderr))
    return done.stdout, done.stderr


def scan(agent, path, keys, *options):
    """Records of a capture, and all that was said."""
    out, err = scan_text(agent, path, keys, "--calls", *options)
    return [json.loads(line) for line in out.splitlines()], out + err


def totals(agent, path, keys):
    """Of each provider and model: calls that are exact, estimated and missing, and the tokens
    of those that have only exact ones: an estimate depends on what was seen before it."""
    out = collections.defaultdict(lambda: [0] * (3 + len(CLASSES)))
    for row in json.loads(scan_text(agent, path, keys, "--json")[0])["rows"]:
        unsure = [row["estimated_calls"], row["missing_calls"]]
        add(out[row["provider"], row["model"] or ""], [row["calls"] - sum(unsure)] + unsure,
            [row[name] for name in CLASSES])
    return exact(out)


def add(total, calls, tokens):
    for i, n in enumerate(calls + tokens):
        total[i] += n


def exact(out):
    return {kind: row if not row[1] else row[:3] for kind, row in out.items()}


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

    def totals(self):
        """As totals() of a capture, from the spool; after stop()."""
        db = sqlite3.connect(self.folder + "/state/spool.db")
        rows = [json.loads(line) for (line,) in db.execute("SELECT line FROM total")]
        db.close()
        out = collections.defaultdict(lambda: [0] * (3 + len(CLASSES)))
        for row in rows:
            tokens = [row.get(name, 0) for name in SHORT]
            if row.get("oc") in REFUSED and not any(tokens):
                continue # an answer, but no call that is billed
            add(out[row.get("prov", ""), row.get("model", "")],
                [row["n"] if row.get("q") == q else 0 for q in QUALITIES], tokens)
        return exact(out)


def differences(want, have, label):
    """Print and count what has not the same totals."""
    bad = [kind for kind in set(want) | set(have) if want.get(kind) != have.get(kind)]
    for kind in sorted(bad):
        print("FAIL", label, kind, "calls and tokens", have.get(kind), "of", want.get(kind))
    return len(bad)
