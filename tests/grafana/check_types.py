#!/usr/bin/env python3
"""Checks the dashboards against Grafana's published types (npm, versions in package-lock.json).

Each dashboard becomes a TypeScript literal of the type in types.ts, which tsc then judges; copies with
a mistake each must be refused, or the check is worth nothing. Exit 77 without npm or a registry.

Use: check_types.py DASHBOARDS BUILD_FOLDER
"""
import copy
import glob
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = {"compilerOptions": {"strict": True, "noEmit": True, "target": "es2022", "module": "nodenext",
                               "moduleResolution": "nodenext", "skipLibCheck": True, "types": []}}


def mistakes(d):
    """Copies of a dashboard, each with one mistake that the types must see."""
    def panel(x, kind):
        return next(p for p in x["panels"] if p["type"] == kind)
    def change(name, fn):
        x = copy.deepcopy(d)
        fn(x)
        return name, x
    return [
        change("schemaVersion as text", lambda x: x.update(schemaVersion="39")),
        change("gridPoss", lambda x: panel(x, "stat").update(gridPoss=panel(x, "stat").pop("gridPos"))),
        change("unknown panel type", lambda x: panel(x, "stat").update(type="statt")),
        change("unknown legend mode", lambda x: panel(x, "timeseries")["options"]["legend"].update(displayMode="tabel")),
        change("unknown variable type", lambda x: x["templating"]["list"][0].update(type="source")),
        change("expression as number", lambda x: panel(x, "stat")["targets"][0].update(expr=1)),
    ]


def install(folder):
    """node_modules in the build folder, by the lock file; None when it cannot be had."""
    npm = shutil.which("npm")
    if not npm:
        return "npm is not here"
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json", "types.ts"):
        shutil.copy(os.path.join(HERE, name), folder)
    stamp = os.path.join(folder, "node_modules", ".package-lock.json")
    lock = os.path.join(folder, "package-lock.json")
    if os.path.exists(stamp) and os.path.getmtime(stamp) >= os.path.getmtime(os.path.join(HERE, "package-lock.json")):
        return None
    r = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    os.utime(lock)
    return None if r.returncode == 0 else "npm ci failed: " + r.stdout[-500:]


def main():
    dashboards, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    why = install(folder)
    if why:
        print(f"dashboards are not checked against Grafana's types: {why}")
        return 77
    files = sorted(glob.glob(os.path.join(dashboards, "*.json")))
    cases = {}
    for path in files:
        with open(path) as f:
            d = json.load(f)
        cases[os.path.basename(path)] = d
        if path == files[0]:
            cases.update(("mistake: " + name, x) for name, x in mistakes(d))
    sources = {}
    for i, (name, d) in enumerate(cases.items()):
        sources[f"case{i}.ts"] = name
        with open(os.path.join(folder, f"case{i}.ts"), "w") as f:
            f.write(f"import type {{ Dashboard }} from './types.js';\nexport const d: Dashboard = {json.dumps(d)};\n")
    with open(os.path.join(folder, "tsconfig.json"), "w") as f:
        json.dump({**OPTIONS, "files": ["types.ts", *sources]}, f)
    r = subprocess.run([os.path.join(folder, "node_modules", ".bin", "tsc"), "-p", folder, "--pretty", "false"], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = {}
    for line in r.stdout.splitlines():
        said.setdefault(os.path.basename(line.split("(")[0]), []).append(line)
    bad = [f for f, name in sources.items() if (f in said) != name.startswith("mistake: ")]
    for f in bad:
        print(f"{sources[f]}: " + ("\n".join(said[f])[:2000] if f in said else "a mistake that nobody saw"))
    if "types.ts" in said:
        print("\n".join(said["types.ts"]))
    print(f"{len(files)} dashboards, {len(cases) - len(files)} mistakes, {len(bad)} wrong")
    return 1 if bad or "types.ts" in said or len(files) < 3 else 0


if __name__ == "__main__":
    sys.exit(main())
