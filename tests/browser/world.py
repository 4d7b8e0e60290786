"""Collectors with something to look at: the demo, nothing at all, much, and hostile names.

usage: world.py AGENT COLLECTOR DEMO_LOGS [demo|empty|big|hostile|states]…   serve them until Ctrl-C
"""
import json
import os
import signal
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from collector import Collector, HOUR, batch, header  # noqa: E402

DAY = 24 * HOUR
ROWS = 10000  # of a batch


def feed(c, token, rows, agent="web-1"):
    """Send rows (JSON lines) in batches."""
    for seq, at in enumerate(range(0, len(rows), ROWS), 1):
        status, body, _ = c.post(batch(header(agent, seq=seq), *rows[at:at + ROWS]), token)
        if status != 200 or json.loads(body)["rows"] != len(rows[at:at + ROWS]):
            raise RuntimeError(f"ingest: {status} {body}")


def wait_for(what, seconds=120):
    for _ in range(seconds * 10):
        if what():
            return
        time.sleep(0.1)
    raise RuntimeError("the collector did not get there")


def projected(c, n):
    c.command("project", "--quiet")
    def done():  # those made at the start, of nothing, are refusals
        verdicts = [w["verdict"] for w in c.json("/api/v1/workloads")]
        return len(verdicts) == n and not {None, "refused"} & set(verdicts)

    wait_for(done)
    wait_for(lambda: len(c.json("/api/v1/decision")) > 0)


def demo(agent, collector, demo_logs):
    """What run.sh without arguments shows: made-up logs, read by the agent."""
    with open(os.path.join(ROOT, "demo", "workloads.yaml")) as f:
        c = Collector(collector, f.read() + "alerts: { evaluate: 200ms, "
                      "breakeven_forecast: { probability: 0.5 }, channels: "
                      "[{ name: nowhere, url: 'http://127.0.0.1:1/' }] }\n")
    try:
        logs = os.path.join(c.dir, "logs")
        subprocess.run([demo_logs, "--out", logs], check=True)
        token = os.path.join(c.dir, "agent.token")
        with open(token, "w") as f:
            f.write(c.token("run", agents="run-demo"))
        os.chmod(token, 0o600)
        with open(os.path.join(c.dir, "agent.yaml"), "w") as f:
            f.write(f"agent: run-demo\nstate_dir: {c.dir}/agent\ncollector:\n"
                    f"  url: http://127.0.0.1:{c.port}\n  token_file: {token}\nlogs:\n")
            for app in "support-bot", "extraction", "tutor", "canary":
                f.write(f"  - path: {logs}/demo-{app}.jsonl\n    app: demo-{app}\n"
                        "    environment: demo\n")
        os.mkdir(os.path.join(c.dir, "agent"))
        c.read_token = c.token("oncall", "read,admin")
        c.start()
        subprocess.run([agent, "run", "--config", os.path.join(c.dir, "agent.yaml"), "--once"],
                       check=True, stderr=subprocess.DEVNULL)
        projected(c, 3)
        wait_for(lambda: c.json("/api/v1/alerts?phase=firing"))
        return c
    except BaseException:
        c.close()
        raise


def empty(agent, collector, demo_logs):
    return Collector(collector).start()


EVERYTHING = """workloads:
  everything:
    hosted: { gpu: H100, output_tokens_per_s: 2000, monthly_fixed: 9000, setup: 200000 }
"""


def big(agent, collector, demo_logs, models=200, days=400, hours=(9, 14), config=EVERYTHING,
        workloads=1, more=""):
    """Rows of `hours` of each day for each model; `more`: fields of each, as they travel."""
    c = Collector(collector, config)
    try:
        token = c.token("web", agents="web-1")
        c.start()
        first = int(time.time()) // DAY * DAY - (days - 1) * DAY
        known = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "claude-sonnet-4-5-20250929"]
        seq = 0
        for d in range(days):
            rows = []
            for h in hours:
                at = first + d * DAY + h * HOUR
                if at > time.time():
                    continue
                for m in range(models):
                    model = known[m] if m < len(known) else f"model-{m:03d}"
                    calls = 5 + (m * 7 + d * 3 + h) % 23 + d // 20
                    rows.append(f'{{"h":{at},"ver":1,"ep":1,"app":"app-{m % 9}",'
                                f'"prov":"openai","model":"{model}","src":"log","oc":"ok",'
                                f'"q":"exact","ctx":0,"n":{calls},"in":{calls * 900},'
                                f'"out":{calls * 210}{more}}}')
            for i in range(0, len(rows), ROWS):
                seq += 1
                status, body, _ = c.post(batch(header(seq=seq), *rows[i:i + ROWS]), token)
                if status != 200:
                    raise RuntimeError(f"ingest: {status} {body}")
        projected(c, workloads)
        return c
    except BaseException:
        c.close()
        raise


STATES = """workloads:
  short: { app: [short], hosted: { monthly_fixed: 10 } }
  nothing: { app: [none], hosted: { monthly_fixed: 10 } }
  crossed: { app: [steady], hosted: { monthly_fixed: 5, setup: 20 } }
  unpaid: { app: [steady], hosted: { monthly_fixed: 5, setup: 50000 } }
  no setup: { app: [steady], hosted: { monthly_fixed: 5 } }
  dearer: { app: [steady], hosted: { monthly_fixed: 100000, setup: 1000 } }
  never: { app: [steady], hosted: { monthly_fixed: 10, coverage: 0.5, escalation: 1 } }
  partly: { app: [partly], hosted: { monthly_fixed: 100000 } }
  over: { app: [over], hosted: { monthly_fixed: 50, setup: 100 } }
  growing: { app: [growing], hosted: { monthly_fixed: 400, setup: 100 } }
"""


def states(agent, collector, demo_logs):
    """A workload for each thing that a projection can say."""
    c = Collector(collector, STATES)
    try:
        token = c.token("web", agents="web-1")
        c.start()
        first = int(time.time()) // DAY * DAY - 120 * DAY
        rows = []
        for d in range(120):
            for app, model, calls in (("steady", "gpt-4.1", 400), ("partly", "gpt-4.1", 200),
                                      ("partly", "my-own", 200), ("over", "gpt-4.1", 400),
                                      ("short", "gpt-4.1", 400), ("growing", "gpt-4.1", 300 + 10 * d)):
                if (app == "short" and d < 112) or (app == "over" and d > 60):
                    continue
                calls += d * 37 % 29
                rows.append(json.dumps({"h": first + d * DAY + 10 * HOUR, "ver": 1, "ep": 1, "app": app,
                                        "prov": "openai", "model": model, "src": "log", "oc": "ok",
                                        "q": "exact", "ctx": 0, "n": calls, "in": calls * 1500, "out": calls * 300}))
        feed(c, token, rows)
        c.command("project", "--quiet")
        wait_for(lambda: all(w["calls_per_day"] or w["name"] in ("nothing", "over")
                             for w in c.json("/api/v1/workloads")))
        return c
    except BaseException:
        c.close()
        raise


HOSTILE = ["<img src=x onerror=alert(1)>", "\"><script>window.pwned=1</script>",
           "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)",
           "'; DROP TABLE usage_day; --", "up{job=\"x\"} or vector(1)", "javascript:alert(1)",
           "\u202egnp.exe", "${jndi:ldap://x}", "{{constructor.constructor('alert(1)')()}}",
           "L" * 200]
REFUSED = ["\tTAB", "line\nbreak\r\nmore", "<script>" + "A" * 65536]  # by the store


def hostile(agent, collector, demo_logs):
    """Models and applications named to break pages, spreadsheets and queries."""
    c = Collector(collector, "workloads:\n  \"<b>bold</b>\":\n    hosted: "
                  "{ monthly_fixed: 10 }\n")
    try:
        token = c.token("web", agents="web-1")
        c.start()
        first = int(time.time()) // DAY * DAY - 40 * DAY
        rows = [json.dumps({"h": first + d * DAY + 10 * HOUR, "ver": 1, "ep": 1, "app": name,
                            "prov": "openai", "model": "gpt-4o" if i == 0 else name,
                            "src": "log", "oc": "ok", "q": "exact", "ctx": 0, "n": 20 + i,
                            "in": 20000 * (1 + i), "out": 3000})
                for d in range(40) for i, name in enumerate(HOSTILE)]
        feed(c, token, rows)
        for name in REFUSED:
            status, body, _ = c.post(batch(header(seq=99), json.dumps(
                {"h": first, "ver": 1, "ep": 1, "app": name, "prov": "openai", "model": name,
                 "src": "log", "oc": "ok", "q": "exact", "ctx": 0, "n": 1})), token)
            assert status in (400, 413), (status, body)
        projected(c, 1)
        return c
    except BaseException:
        c.close()
        raise


if __name__ == "__main__":
    worlds = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # by way of finally
    try:
        for name in sys.argv[4:] or ["demo", "empty", "big", "hostile"]:
            worlds.append(globals()[name](*[os.path.abspath(p) for p in sys.argv[1:4]]))
            print(f"{name} http://127.0.0.1:{worlds[-1].port}/ {worlds[-1].dir}", flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
    finally:
        for w in worlds:
            w.close()
