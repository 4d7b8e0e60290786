#!/usr/bin/env python3
"""Rotation in every form, with a writer that knows the truth: the totals in the spool must
equal it exactly. Runs one case when its name is given."""
import gzip
import os
import shutil
import sys
import time

from agentlib import Agent, Report, Truth, scratch, seed, totals

SEED = seed()
report = Report(SEED)


def append(path, data):
    with open(path, "ab") as f:
        f.write(data)


def write_lines(path, truth, n):
    append(path, b"".join(truth.line() + truth.noise() for _ in range(n)))


def cascade(path, keep):
    """logrotate's rename: path.1 becomes path.2 and so on, path becomes path.1."""
    for i in range(keep, 0, -1):
        old = "%s.%d" % (path, i)
        if os.path.exists(old):
            if i == keep:
                os.unlink(old)
            else:
                os.rename(old, "%s.%d" % (path, i + 1))
    os.rename(path, path + ".1")


class World:
    def __init__(self, pattern="app.log", extra=""):
        self.dir, self.holder = scratch()
        os.mkdir(self.dir + "/logs")
        self.log = self.dir + "/logs/app.log"
        self.truth = Truth(SEED)
        self.agent = Agent(self.dir, [self.dir + "/logs/" + pattern], extra)

    def start(self):
        """Started, and past its first scan: what rotates from now on is not history."""
        append(self.log, self.truth.line())
        self.agent.start()
        self.settle()

    def settle(self):
        return self.agent.sees(self.truth.sums())

    def end(self, name, note=""):
        have = self.settle()
        code = self.agent.stop()
        if have == self.truth.sums():
            have = totals(self.agent.state)  # the stop must not add anything
        report.case(name, self.truth.sums(), have, note)
        report.check("  clean stop", code in (0, None), "exit code %s" % code)


def rename():
    """Renamed and created anew; the writer goes on in the old file for a while."""
    for pattern in ("app.log", "app.log*"):
        w = World(pattern)
        write_lines(w.log, w.truth, 50)
        w.start()
        for _ in range(10):
            with open(w.log, "ab") as old:
                write_lines(w.log, w.truth, 30)
                time.sleep(0.05)
                cascade(w.log, 20)
                old.write(w.truth.line())
                old.flush()
                write_lines(w.log, w.truth, 30)
                time.sleep(0.05)
                old.write(w.truth.line())
        w.end("rename, %s" % pattern)


def copytruncate():
    for pattern in ("app.log", "app.log*"):
        w = World(pattern)
        w.start()
        for i in range(10):
            write_lines(w.log, w.truth, 40)
            if i % 2:
                time.sleep(0.2)
            shutil.copy(w.log, "%s.%d" % (w.log, i + 1))
            os.truncate(w.log, 0)
            if i % 3:
                time.sleep(0.3)
        write_lines(w.log, w.truth, 5)
        w.end("copytruncate, %s" % pattern)


def copytruncate_down():
    """The copy was made while the agent was down: the rest stands in the copy."""
    w = World()
    write_lines(w.log, w.truth, 40)
    w.agent.once()
    write_lines(w.log, w.truth, 40)
    shutil.copy(w.log, w.log + ".1")
    os.truncate(w.log, 0)
    write_lines(w.log, w.truth, 60)
    w.agent.once()
    w.agent.once()
    w.end("copytruncate while down")


def same_size():
    """Truncated and filled to the very same size."""
    w = World()
    write_lines(w.log, w.truth, 10)
    size = os.path.getsize(w.log)
    w.start()
    w.settle()
    os.truncate(w.log, 0)
    line = w.truth.line()
    append(w.log, line + b" " * (size - len(line) - 1) + b"\n")
    w.end("truncated to the same size")


def hole():
    """A writer without O_APPEND goes on behind a hole of NULs after the truncation."""
    w = World()
    w.start()
    with open(w.log, "wb", buffering=0) as f:
        for i in range(3):
            for _ in range(200):
                f.write(w.truth.line())
            w.settle()
            os.truncate(w.log, 0)
        for _ in range(10):
            f.write(w.truth.line())
    w.end("copytruncate, writer without O_APPEND")


def delete():
    """Deleted while open: what was written is read to the end."""
    w = World()
    w.start()
    for i in range(5):
        write_lines(w.log, w.truth, 10)
        w.settle()
        with open(w.log, "ab") as f:
            os.unlink(w.log)
            f.write(w.truth.line() * 1)
            f.flush()
            time.sleep(0.05)
            f.write(w.truth.line()[:-1])  # a last line without newline
    w.end("delete while open")


def inode_reuse():
    """A new file gets the inode of the old one, which was read to its end."""
    w = World()
    reused = 0
    for i in range(20):
        write_lines(w.log, w.truth, 20 + i)
        w.agent.once()
        before = os.stat(w.log).st_ino
        os.unlink(w.log)
        write_lines(w.log, w.truth, 40 + i)
        reused += os.stat(w.log).st_ino == before
        w.agent.once()
        os.unlink(w.log)
    w.end("inode reuse", "%d of 20 reused here" % reused)


def symlink():
    w = World("current.log")
    link = w.dir + "/logs/current.log"
    os.mkdir(w.dir + "/real")
    w.agent.start()
    for i in range(6):
        target = "%s/real/out-%d.txt" % (w.dir, i)
        write_lines(target, w.truth, 10)
        os.symlink(target, link + ".new")
        os.rename(link + ".new", link)
        time.sleep(0.4)
        write_lines(target, w.truth, 10)
        w.settle()
    w.end("symlink swap")


def pack(path):
    with open(path, "rb") as f, gzip.open(path + ".gz", "wb") as z:
        shutil.copyfileobj(f, z)
    st = os.stat(path)
    os.utime(path + ".gz", (st.st_atime, st.st_mtime))
    os.unlink(path)


def compress():
    """gzip of the old file: read to its end before, in part, not at all."""
    for pattern in ("app.log", "app.log*"):
        w = World(pattern)
        write_lines(w.log, w.truth, 300)
        w.agent.once()
        os.rename(w.log, w.log + ".1")
        pack(w.log + ".1")
        write_lines(w.log, w.truth, 100)
        w.agent.once()
        report.case("gz of a file read to its end, %s" % pattern, w.truth.sums(),
                    totals(w.agent.state))
        write_lines(w.log, w.truth, 200)
        os.rename(w.log + ".1.gz", w.log + ".2.gz")
        os.rename(w.log, w.log + ".1")
        pack(w.log + ".1")
        write_lines(w.log, w.truth, 50)
        w.agent.once()
        report.case("gz of a file read in part, %s" % pattern, w.truth.sums(),
                    totals(w.agent.state))
        os.rename(w.log, w.log + ".0")
        os.rename(w.log + ".0", w.log + "-20261123")
        pack(w.log + "-20261123")
        append(w.log, b"")
        w.agent.once()
        w.agent.once()
        w.end("gz, nothing new, twice, %s" % pattern)


def compress_live():
    """Compressed under the running agent, with new lines just before."""
    w = World()
    w.start()
    for i in range(3):
        write_lines(w.log, w.truth, 100)
        os.rename(w.log, w.log + ".%d" % i)
        write_lines(w.log, w.truth, 10)
        pack(w.log + ".%d" % i)
        time.sleep(0.3)
    w.agent.sees(w.truth.sums())
    time.sleep(3)
    w.end("gz under the running agent")


def two_globs():
    """A file that two patterns match, and a hard link, are read once."""
    w = World()
    w.agent = Agent(w.dir, [w.dir + "/logs/*.log", w.dir + "/**/app.log",
                            w.dir + "/logs/app.*"])
    write_lines(w.log, w.truth, 50)
    os.link(w.log, w.dir + "/logs/other.log")
    w.start()
    w.settle()
    write_lines(w.log, w.truth, 50)
    w.end("two patterns and a hard link")


def half_line():
    """A line that comes in pieces, over a rotation too."""
    w = World()
    w.start()
    for i in range(3):
        line = w.truth.line()
        with open(w.log, "ab") as f:
            for k in range(0, len(line), 37):
                f.write(line[k:k + 37])
                f.flush()
                time.sleep(0.03)
            line = w.truth.line()
            f.write(line[:60])
            f.flush()
            time.sleep(0.15)
            os.rename(w.log, w.log + ".%d" % i)
            write_lines(w.log, w.truth, 3)
            f.write(line[60:])
    w.end("half lines")


def late_folder():
    """Folders and files that come after the start, in a tree."""
    w = World("**/*.log")
    w.start()
    time.sleep(0.3)
    for i in range(5):
        path = w.dir + "/logs/pod-%d/deep" % i
        os.makedirs(path)
        write_lines(path + "/0.log", w.truth, 20)
        time.sleep(0.1)
        write_lines(path + "/0.log", w.truth, 20)
    w.end("folders made later, **")


def fast(shift):
    """100 rotations a second under load for 5 s; the agent runs all the time."""
    w = World("app.log*")
    w.start()
    end, rotations = time.time() + 5, 0
    while time.time() < end:
        next_at = time.time() + 0.01
        write_lines(w.log, w.truth, 8)
        rotations += 1
        if shift:
            cascade(w.log, 200)
        else:
            os.rename(w.log, "%s.%06d" % (w.log, rotations))
        append(w.log, w.truth.line())
        time.sleep(max(0, next_at - time.time()))
    w.end("100 rotations/s, %s" % ("shifting 200 names" if shift else "new names"),
          "%d rotations in 5 s" % rotations)


CASES = {
    "rename": rename,
    "copytruncate": copytruncate,
    "copytruncate_down": copytruncate_down,
    "same_size": same_size,
    "hole": hole,
    "delete": delete,
    "inode_reuse": inode_reuse,
    "symlink": symlink,
    "compress": compress,
    "compress_live": compress_live,
    "two_globs": two_globs,
    "half_line": half_line,
    "late_folder": late_folder,
    "fast_new_names": lambda: fast(False),
    "fast_shift": lambda: fast(True),
}

for name in sys.argv[1:] or CASES:
    CASES[name]()
report.end()
