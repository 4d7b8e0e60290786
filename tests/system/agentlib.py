"""What the system tests of the agent share: a writer that knows the truth, an agent that is
started, stopped and killed, and the totals as they stand in its spool."""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time


def agent_path():
    path = os.environ.get("BREAKEVEN_AGENT")
    if not path:
        sys.exit("BREAKEVEN_AGENT names the agent to test")
    return path


class Truth:
    """Lines as an application writes them, and what they sum up to. No line has a response
    id: so only read positions can keep a line from counting twice."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.calls = self.input = self.output = 0
        self.second = 0

    def line(self):
        tokens_in, tokens_out = self.random.randrange(1, 5000), self.random.randrange(1, 900)
        self.calls += 1
        self.input += tokens_in
        self.output += tokens_out
        self.second += 1
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1795000000 + self.second // 50))
        return (json.dumps({"time": stamp, "seq": self.calls, "model": "gpt-test",
                            "pad": "x" * self.random.randrange(0, 200),
                            "usage": {"prompt_tokens": tokens_in,
                                      "completion_tokens": tokens_out}}) + "\n").encode()

    def noise(self):
        return b'{"time":"2026-11-18T00:00:00Z","msg":"nothing to meter here"}\n'

    def sums(self):
        return (self.calls, self.input, self.output)


def totals(state_dir):
    """(calls, input, output) over all rows of the spool; of a copy, as a running agent keeps
    it locked. None while there is none."""
    with tempfile.TemporaryDirectory(prefix="breakeven-") as copy:
        for name in ("spool.db", "spool.db-wal"):
            try:
                shutil.copy(os.path.join(state_dir, name), copy)
            except FileNotFoundError:
                pass
        db = sqlite3.connect(copy + "/spool.db")
        try:
            lines = db.execute("SELECT line FROM total").fetchall()
        except sqlite3.DatabaseError:
            return None
        finally:
            db.close()
    rows = [json.loads(line) for (line,) in lines]
    return tuple(sum(row.get(name, 0) for row in rows) for name in ("n", "in", "out"))


class Agent:
    def __init__(self, directory, logs, extra=""):
        self.dir = directory
        self.state = os.path.join(directory, "state")
        self.config = os.path.join(directory, "agent.yaml")
        self.log = os.path.join(directory, "agent.log")
        self.process = None
        with open(self.config, "w") as f:
            f.write("agent: test\nstate_dir: %s\nlog_level: debug\ncommit_interval: 50ms\n"
                    "rotate_grace: 500ms\nrescan_interval: 2s\n%s\nlogs:\n" %
                    (self.state, extra))
            for pattern in logs:
                f.write('  - path: "%s"\n' % pattern)

    def start(self):
        self.process = subprocess.Popen([agent_path(), "run", "-c", self.config],
                                        stderr=open(self.log, "a"), stdin=subprocess.DEVNULL)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """A clean stop; the exit code."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def once(self):
        return subprocess.run([agent_path(), "run", "--once", "-c", self.config],
                              stderr=open(self.log, "a"), stdin=subprocess.DEVNULL,
                              timeout=120).returncode

    def sees(self, sums, seconds=90):
        """Wait until the spool holds these sums; what it holds at last."""
        end = time.time() + seconds
        have = None
        while time.time() < end:
            have = totals(self.state)
            if have == sums:
                break
            time.sleep(0.05)
        return have

    def said(self, text):
        with open(self.log) as f:
            return text in f.read()


class Report:
    """Cases, one line each, with the numbers; the exit code at the end."""

    def __init__(self, seed):
        self.failed = 0
        self.seed = seed
        print("seed %d" % seed)

    def case(self, name, truth, have, note=""):
        good = truth == have
        self.failed += not good
        print("%-4s %-44s truth %s  spool %s  %s" %
              ("ok" if good else "FAIL", name, truth, have, note), flush=True)
        return good

    def check(self, name, good, note=""):
        self.failed += not good
        print("%-4s %-44s %s" % ("ok" if good else "FAIL", name, note), flush=True)

    def end(self):
        sys.exit(1 if self.failed else 0)


def scratch():
    """A folder that vanishes with the process; kept when BREAKEVEN_KEEP is set."""
    if os.environ.get("BREAKEVEN_KEEP"):
        return tempfile.mkdtemp(prefix="breakeven-"), None
    holder = tempfile.TemporaryDirectory(prefix="breakeven-")
    return holder.name, holder


def seed():
    return int(os.environ.get("BREAKEVEN_SEED") or int.from_bytes(os.urandom(3), "big"))
