#!/usr/bin/env python3
"""Bad input and bad luck: each gives a clear message or a counted skip, never a crash, never
a lost or doubled count. Also what the agent costs while nothing happens."""
import json
import os
import shutil
import subprocess
import sys
import time

from agentlib import Agent, Report, Truth, agent_path, scratch, seed, totals

SEED = seed()
report = Report(SEED)
KEEP = []  # scratch folders live as long as the process


class World:
    def __init__(self, patterns=("*.log",), extra="", row=""):
        self.dir, holder = scratch()
        KEEP.append(holder)
        os.chmod(self.dir, 0o755)
        os.mkdir(self.dir + "/logs")
        self.truth = Truth(SEED)
        self.agent = Agent(self.dir, [self.dir + "/logs/" + p for p in patterns], extra)
        if row:
            with open(self.agent.config, "a") as f:
                f.write(row)

    def write(self, name, n):
        with open("%s/logs/%s" % (self.dir, name), "ab") as f:
            for _ in range(n):
                f.write(self.truth.line() + self.truth.noise())

    def put(self, name, data):
        with open("%s/logs/%s" % (self.dir, name), "ab") as f:
            f.write(data)

    def case(self, name, note=""):
        report.case(name, self.truth.sums(), totals(self.agent.state), note)


def unreadable():
    """A file and a folder without permission; the others are metered."""
    w = World(("**/*.log",))
    w.write("good.log", 50)
    w.put("bad.log", b'{"usage":{"prompt_tokens":5,"completion_tokens":5}}\n')
    os.mkdir(w.dir + "/logs/closed")
    os.chmod(w.dir + "/logs/bad.log", 0)
    os.chmod(w.dir + "/logs/closed", 0)
    os.makedirs(w.agent.state)
    user = None
    if os.geteuid() == 0:
        user = 65534
        os.chown(w.agent.state, user, -1)
        # The binary may stand where only root may look.
        shutil.copy(agent_path(), w.dir + "/agent")
    program = w.dir + "/agent" if user else agent_path()
    with open(w.agent.log, "a") as log:
        code = subprocess.run([program, "run", "--once", "-c", w.agent.config], stderr=log,
                              user=user).returncode
    os.chmod(w.dir + "/logs/closed", 0o755)
    w.case("an unreadable file and folder", "exit code %d" % code)
    report.check("  both are named", w.agent.said("bad.log: not readable: Permission denied")
                 and w.agent.said("closed: not readable"))


def binary():
    w = World()
    w.write("good.log", 50)
    w.put("core.log", os.urandom(200000))
    w.put("zeros.log", b"\0" * 100000)
    w.agent.once()
    w.case("binary files")
    report.check("  left out with a reason", w.agent.said("core.log: left out"))


def long_line():
    """A line of 100 MB between good ones, in one piece and in the making."""
    w = World()
    w.write("a.log", 10)
    w.put("a.log", b'{"pad":"' + b"x" * 100_000_000 + b'"}\n')
    w.write("a.log", 10)
    w.agent.start()
    have = w.agent.sees(w.truth.sums(), 30)
    for _ in range(20):
        w.put("b.log", b"y" * 5_000_000)
        time.sleep(0.05)
    w.put("b.log", b"\n")
    w.write("b.log", 10)
    have = w.agent.sees(w.truth.sums(), 30)
    with open("/proc/%d/status" % w.agent.process.pid) as f:
        peak = [line.split()[1] for line in f if line.startswith("VmHWM")][0]
    w.agent.stop()
    report.case("lines of 100 MB", w.truth.sums(), have, "peak %s kB" % peak)
    sanitized = "asan" in agent_path() or "tsan" in agent_path()
    report.check("  in bounded memory", sanitized or int(peak) < 24000, "%s kB" % peak)


def broken_json():
    w = World()
    w.write("a.log", 20)
    w.put("a.log", b'{"usage":{"prompt_tokens":5,"completion_tokens":\n')
    w.put("a.log", b'{"usage":{"prompt_tokens":-5,"completion_tokens":"many"}}\n')
    w.put("a.log", b'\xff\xfe{"usage"\x00:"prompt_tokens"\n{}\n[]\n\n\r\n')
    w.write("a.log", 20)
    w.agent.once()
    w.case("broken JSON between good lines")


def disk_full():
    """The state's disk is full for a while: reading stops; later all is there, once."""
    w = World()
    os.makedirs(w.agent.state)
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", w.agent.state],
            stderr=subprocess.DEVNULL).returncode:
        print("skip disk full: no tmpfs can be mounted here")
        return
    try:
        w.write("a.log", 50)
        w.agent.start()
        w.agent.sees(w.truth.sums())
        ballast = os.open(w.agent.state + "/ballast", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(ballast, b"z" * 4096)
        except OSError:
            os.close(ballast)
        for i in range(40):
            w.write("a.log", 300)
            if i % 4 == 0:
                os.rename(w.dir + "/logs/a.log", w.dir + "/logs/a.log.%d" % i)
            time.sleep(0.05)
        time.sleep(1)
        alive = w.agent.process.poll() is None
        report.check("a full disk does not end the agent", alive)
        os.unlink(w.agent.state + "/ballast")
        have = w.agent.sees(w.truth.sums(), 30)
        w.agent.stop()
        report.case("disk full for a while", w.truth.sums(), have,
                    "said so: %s" % w.agent.said("reading stops"))
    finally:
        if w.agent.process:
            w.agent.kill()
        subprocess.run(["umount", w.agent.state])


def collector_down():
    """Nobody answers: metering goes on, and the agent stops cleanly."""
    w = World(extra="collector:\n  url: http://127.0.0.1:9\n")
    w.write("a.log", 50)
    w.agent.start()
    w.agent.sees(w.truth.sums())
    w.write("a.log", 50)
    have = w.agent.sees(w.truth.sums())
    begin = time.time()
    code = w.agent.stop()
    report.case("collector down", w.truth.sums(), have,
                "stopped in %.1f s, exit code %d" % (time.time() - begin, code))
    begin = time.time()
    code = w.agent.once()
    report.check("  --once says that rows wait", code == 1 and w.agent.said("wait in the"),
                 "exit code %d after %.1f s" % (code, time.time() - begin))


def standard_input():
    w = World()
    with open(w.agent.config, "a") as f:
        f.write('  - path: "-"\n    app: piped\n')
    data = b"".join(w.truth.line() for _ in range(500))
    code = subprocess.run([agent_path(), "run", "--once", "-c", w.agent.config], input=data,
                          stderr=open(w.agent.log, "a")).returncode
    w.case("standard input", "exit code %d" % code)


def start_end():
    """`start: end` leaves out what stands there at the very first run, and only then."""
    w = World(row="    start: end\n")
    w.put("old.log", Truth(1).line() * 10)
    w.agent.once()
    w.write("old.log", 10)
    w.write("new.log", 10)
    w.agent.once()
    w.case("start: end")


def history_of_siblings():
    """Rotated files that stood there before the first run are not the pattern's."""
    w = World(("app.log",))
    w.put("app.log.1", Truth(1).line() * 10)
    w.put("app.log.2.gz", b"\x1f\x8b")
    w.write("app.log", 10)
    time.sleep(1.1)
    w.agent.once()
    os.rename(w.dir + "/logs/app.log.1", w.dir + "/logs/app.log.3")
    w.agent.once()
    w.case("rotated files of before the first run")


def exclude():
    w = World(row='    exclude: ["debug-*", "/**/skip/*"]\n')
    w.agent = Agent(w.dir, [w.dir + "/logs/**/*.log"])
    with open(w.agent.config, "a") as f:
        f.write('    exclude: ["debug-*", "/**/skip/*"]\n')
    os.mkdir(w.dir + "/logs/skip")
    w.write("a.log", 10)
    w.put("debug-a.log", Truth(1).line())
    w.put("skip/b.log", Truth(1).line())
    w.agent.once()
    w.case("exclude by name and by path")


def many_files():
    """More files than may be open at a time, and more than are followed."""
    w = World(extra="limits:\n  open_files: 8\n  files: 100\n")
    for i in range(100):
        w.write("f%03d.log" % i, 3)
    w.agent.start()
    w.agent.sees(w.truth.sums())
    for i in range(100):
        w.write("f%03d.log" % i, 2)
    have = w.agent.sees(w.truth.sums())
    fds = len(os.listdir("/proc/%d/fd" % w.agent.process.pid))
    w.put("g.log", Truth(1).line())
    time.sleep(0.5)
    w.agent.stop()
    report.case("100 files, 8 open", w.truth.sums(), have, "%d descriptors" % fds)
    report.check("  descriptors stay bounded", fds < 24)
    report.check("  the file too many is said", w.agent.said("limits.files is 100: 1 files"))


def series_cap():
    """A hostile number of models: bounded rows, not a token lost."""
    w = World(extra="limits:\n  series: 50\n")
    tokens = 0
    lines = []
    for i in range(2000):
        tokens += i
        lines.append(json.dumps({"time": "2026-11-18T00:00:00Z", "model": "m%d" % i,
                                 "usage": {"prompt_tokens": i, "completion_tokens": 1}}))
    w.put("a.log", ("\n".join(lines) + "\n").encode())
    w.agent.once()
    report.case("2,000 models, 50 series", (2000, tokens, 2000), totals(w.agent.state))


def second_agent():
    """Two agents on one spool: the second is refused."""
    w = World()
    w.write("a.log", 10)
    w.agent.start()
    w.agent.sees(w.truth.sums())
    code = w.agent.once()
    w.agent.stop()
    report.check("a second agent on the same state is refused", code == 1,
                 "exit code %d" % code)


def configuration():
    w = World()
    rows = (("paht: x\n", 1), ("logs:\n  - path: /x\n    format: xml\n", 2),
            ("logs: []\n", 0), ("logs:\n  - path: [\n", 0))
    for text, line in rows:
        with open(w.agent.config, "w") as f:
            f.write(text)
        for command in ("check", "run"):
            r = subprocess.run([agent_path(), command, "-c", w.agent.config],
                               capture_output=True, text=True)
            where = "agent.yaml:%d" % line if line else "agent.yaml"
            report.check("%s refuses %r" % (command, text[:24]),
                         r.returncode == 2 and where in r.stderr, r.stderr.strip()[:100])


def example():
    """The example configuration is right but for the token, which is not there."""
    w = World()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../config/agent.yaml")
    with open(path) as source, open(w.agent.config, "w") as f:
        f.writelines(line for line in source if "  token_file:" not in line)
    for config, code in ((w.agent.config, 0), (path, 2)):
        r = subprocess.run([agent_path(), "check", "-c", config], capture_output=True,
                           text=True)
        report.check("check of config/agent.yaml", r.returncode == code or
                     os.path.exists("/etc/breakeven/agent.token"), r.stderr.strip()[:80])


def check():
    w = World()
    w.write("a.log", 10)
    w.put("b.log", b"\0\1\2" * 1000)
    r = subprocess.run([agent_path(), "check", "--json", "-c", w.agent.config],
                       capture_output=True, text=True)
    answer = json.loads(r.stdout)
    files = {os.path.basename(f["path"]): f for f in answer["logs"][0]["files"]}
    report.check("check --json", r.returncode == 0 and files["a.log"]["format"] == "json"
                 and files["a.log"]["left_out"] is None and files["b.log"]["left_out"],
                 str(files["b.log"]["left_out"]))


def ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def switches(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) for line in f if line.startswith("voluntary")][0]


def idle():
    """What it costs while nothing happens, with the default intervals."""
    w = World()
    with open(w.agent.config, "w") as f:
        f.write("agent: idle\nstate_dir: %s\nlogs:\n  - path: %s/logs/*.log\n" %
                (w.agent.state, w.dir))
    w.write("a.log", 1000)
    w.agent.start()
    time.sleep(5)
    pid = w.agent.process.pid
    cpu, woken = ticks(pid), switches(pid)
    time.sleep(22)
    cpu, woken = ticks(pid) - cpu, switches(pid) - woken
    with open("/proc/%d/status" % pid) as f:
        rss = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
    w.agent.stop()
    print("     idle for 22 s: %d ms CPU, woken %d times, RSS %d kB" % (cpu, woken, rss))
    report.check("idle: at most one wake-up in 10 s", woken <= 4, "%d in 22 s" % woken)
    w.case("idle")


def no_inotify():
    """Without a single inotify watch the scans work alone."""
    w = World()
    shell = ("echo 0 >/proc/sys/user/max_inotify_watches && exec %s run -c %s" %
             (agent_path(), w.agent.config))
    if subprocess.run(["unshare", "-Ur", "true"], stderr=subprocess.DEVNULL).returncode:
        print("skip no inotify: no user namespaces here")
        return
    w.write("a.log", 10)
    w.agent.process = subprocess.Popen(["unshare", "-Ur", "sh", "-c", shell],
                                       stderr=open(w.agent.log, "a"))
    w.agent.sees(w.truth.sums())
    for i in range(3):
        w.write("a.log", 10)
        time.sleep(0.7)
        os.rename(w.dir + "/logs/a.log", w.dir + "/logs/a.log.%d" % i)
        w.write("a.log", 10)
    have = w.agent.sees(w.truth.sums())
    w.agent.stop()
    report.case("no inotify watch to be had", w.truth.sums(), have)
    report.check("  and it says so", w.agent.said("no inotify watch"))


def unit():
    """The systemd unit is hardened; 25 is an exposure of 2.5."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../config/systemd/breakeven-agent.service")
    if not shutil.which("systemd-analyze"):
        print("skip systemd unit: no systemd-analyze here")
        return
    r = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25",
                        path], capture_output=True, text=True)
    report.check("systemd unit", r.returncode == 0, r.stdout.strip().split("\n")[-1][:80])


CASES = {f.__name__: f for f in (
    unreadable, binary, long_line, broken_json, disk_full, collector_down, standard_input,
    start_end, history_of_siblings, exclude, many_files, series_cap, second_agent,
    configuration, example, check, idle, no_inotify, unit)}

for case in sys.argv[1:] or CASES:
    CASES[case]()
report.end()
