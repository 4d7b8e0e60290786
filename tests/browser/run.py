#!/usr/bin/env python3
"""The dashboard in a headless chromium: starts collectors, runs views.test.mjs and page.test.mjs against them.

usage: run.py [--screenshots DIR] [--only PATTERN] AGENT COLLECTOR DEMO_LOGS

Wants chromium, node and npm (packages.txt, [browser]); exit 77 with the reason where one cannot
be had, which ctest counts as skipped.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import world  # noqa: E402
from collector import Collector  # noqa: E402

SKIP = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def modules():
    """playwright-core from the lock file; it drives the distribution's chromium."""
    if os.path.isdir(os.path.join(HERE, "node_modules", "playwright-core")):
        return
    r = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
    if r.returncode:
        skip("npm ci: " + r.stdout[-300:])


def locked(agent, collector, demo_logs):
    c = Collector(collector, "read: token\n")
    c.read_token = c.token("dash", "read")
    return c.start()


def live(agent, collector, demo_logs):
    c = Collector(collector)
    c.read_token = c.token("web", agents="web-1")
    return c.start()


def start_all(programs):
    made, wrong = {}, []

    def start(name, make):
        try:
            made[name] = make(*programs)
        except Exception as e:  # noqa: BLE001  reported below
            wrong.append(f"{name}: {e}")

    todo = {"demo": world.demo, "empty": world.empty, "big": world.big, "hostile": world.hostile,
            "states": world.states, "locked": locked, "live": live}
    threads = [threading.Thread(target=start, args=item) for item in todo.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return made, wrong


def run_tests(only, env):
    """Both files at once: a browser waits more than it computes. What they print comes one after the other."""
    running = []
    for name in ("views.test.mjs", "page.test.mjs"):
        out = tempfile.TemporaryFile()
        running.append((subprocess.Popen(["node", "--test", *only, os.path.join(HERE, name)], env=env, stdout=out,
                                         stderr=subprocess.STDOUT), out))
    code = 0
    for process, out in running:
        code = process.wait() or code
        out.seek(0)
        sys.stdout.write(out.read().decode(errors="replace"))
        out.close()
    return code


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--screenshots")
    p.add_argument("--only")
    p.add_argument("programs", nargs=3)
    a = p.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    for name, found in ("chromium", chromium), ("node", shutil.which("node")), ("npm", shutil.which("npm")):
        if not found:
            skip(f"no {name} here; it is in packages.txt under [browser]")
    modules()
    made, wrong = start_all([os.path.abspath(x) for x in a.programs])
    try:
        if wrong:
            sys.exit("\n".join(wrong))
        env = dict(os.environ, BREAKEVEN_CHROMIUM=chromium, BREAKEVEN_WORLDS=json.dumps(
            {n: {"url": f"http://127.0.0.1:{c.port}/", "token": getattr(c, "read_token", None)}
             for n, c in made.items()}))
        if a.screenshots:
            os.makedirs(a.screenshots, exist_ok=True)
            env["BREAKEVEN_SCREENSHOTS"] = os.path.abspath(a.screenshots)
        only = [f"--test-name-pattern={a.only}"] if a.only else []
        code = run_tests(only, env)
        for n, c in made.items():
            if c.process and c.stop() != 0:
                sys.exit(f"the collector of {n} failed:\n{c.log()[-2000:]}")
            if "Sanitizer" in c.log():
                sys.exit(c.log())
        sys.exit(code)
    finally:
        for c in made.values():
            c.close()


if __name__ == "__main__":
    main()
