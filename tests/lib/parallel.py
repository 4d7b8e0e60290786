"""The tests of a file of unittest cases, each in a process of its own and some at once: they mostly wait."""
import concurrent.futures
import subprocess
import sys
import time
import unittest


def names(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test.id().removeprefix("__main__.")


def main(binary, at_once=4):
    """Of the program that calls it, FILE BINARY [CASE.TEST …]: with names, unittest's own main."""
    if len(sys.argv) > 1:
        unittest.main(verbosity=2)
    tests = list(names(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])))
    began, bad = time.monotonic(), []

    def run(name):
        return name, subprocess.run([sys.executable, sys.argv[0], binary, name], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, n) for n in tests]):
            name, r = done.result()
            print(f"{time.monotonic() - began:6.1f} s  {name}: {'FAILED' if r.returncode else 'ok'}", flush=True)
            if r.returncode:
                bad.append(name)
                print(r.stdout)
    print(f"{len(tests)} tests, {len(bad)} failed {' '.join(bad)}")
    sys.exit(bool(bad) or not tests)
