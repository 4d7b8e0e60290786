#!/usr/bin/env python3
"""The providers' SDKs, curl and python3 against a server of our own, metered from packets.

usage: live_clients.py AGENT [--work DIR] [--clients NAME,...] [--keep DIR]

In two network namespaces joined by a veth pair (tests/lib/netlab.py): clients on host A
with the hosts' real names, server (tests/clients/server.mjs) on host B and, for base URLs
of one's own and for Ollama, on A's loopback. Every call must be judged as the server's
truth says, and no packet be dropped. tcpdump's file is scanned when all is over, call by
call, and while it grows; `run` hears the same and must come to the same totals.
DIR keeps the installed SDKs. Exit 0, 1 on a difference, 77 where it cannot run.
"""
import argparse
import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(HERE, "..", "clients")
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import meters  # noqa: E402
import netlab  # noqa: E402

SERVER = "10.77.0.2"
PROVIDERS = {"api.openai.com": "openai", "shop.openai.azure.com": "azure_openai",
             "api.anthropic.com": "anthropic", "generativelanguage.googleapis.com": "gemini"}
CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
LEFT = ("aborted", "client_abort")


def install(work):
    """The SDKs of package-lock.json in `work`, from the registry when they are not there."""
    with open(os.path.join(CLIENTS, "package-lock.json"), "rb") as f:
        mark = hashlib.sha256(f.read()).hexdigest()
    stamp = os.path.join(work, "stamp")
    for name in ("package.json", "package-lock.json", "server.mjs", "drive.mjs", "drive.py"):
        shutil.copy(os.path.join(CLIENTS, name), work)
    if os.path.exists(stamp) and open(stamp).read() == mark:
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                          cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI"):
            sys.exit("npm ci: " + done.stderr)
        netlab.skip("the SDKs cannot be installed: " + done.stderr.strip()[-300:])
    with open(stamp, "w") as f:
        f.write(mark)


def certify(folder):
    names = ["DNS:" + name for name in PROVIDERS] + ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    netlab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
               "-addext", "subjectAltName=" + ",".join(names), "-keyout", folder + "/key.pem",
               "-out", folder + "/cert.pem", stderr=subprocess.DEVNULL)


def name_hosts(folder):
    """Real names for the server, in this mount namespace alone."""
    with open(folder + "/hosts", "w") as f:
        f.write("127.0.0.1 localhost\n%s %s\n" % (SERVER, " ".join(PROVIDERS)))
    netlab.run("mount", "--bind", folder + "/hosts", "/etc/hosts")


def serve(popen, folder, address, work):
    os.makedirs(folder)
    for name in ("cert.pem", "key.pem"):
        shutil.copy(os.path.join(folder, "..", name), folder)
    server = popen(["node", work + "/server.mjs", folder, address])
    netlab.until(lambda: os.path.exists(folder + "/ready"), process=server)
    return server


# --- clients: each a list of commands, run one after the other ---

def has_ipv6():
    return os.path.exists("/proc/net/if_inet6") and bool(open("/proc/net/if_inet6").read())


def curls(port, work):
    """curl: HTTP/1.1 and 2, coded and not, streams, many at once, one left half way."""
    chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "CANARY-PROMPT"}]}
    stream = dict(chat, stream=True, stream_options={"include_usage": True})
    google = {"contents": [{"parts": [{"text": "CANARY-PROMPT"}]}]}
    base = "https://%s" + ("" if port == 443 else ":%d" % port)
    openai = base % "api.openai.com" + "/v1/chat/completions"
    anthropic = base % "api.anthropic.com" + "/v1/messages"
    gemini = base % "generativelanguage.googleapis.com" + "/v1beta/models/gemini-2.5-flash:"

    def curl(url, ask, *more):
        return ["curl", "-sS", "--no-progress-meter", "--cacert", work + "/cert.pem",
                "-H", "authorization: CANARY-KEY", "-H", "content-type: application/json",
                "-d", json.dumps(ask), *more, url]

    out = []
    for http in ("--http1.1", "--http2"):
        out += [curl(openai, chat, http), curl(openai, chat, http, "--compressed"),
                curl(openai, stream, http, "-N", "--compressed"),
                curl(anthropic, dict(stream, model="claude-sonnet-5-5"), http, "-N"),
                curl(gemini + "streamGenerateContent?alt=sse&key=CANARY-KEY", google, http, "-N"),
                curl(openai + "?i=[1-6]", chat, http),
                curl(openai + "?i=[1-20]", stream, http, "-Z", "--parallel-max", "8")]
        left = " ".join("'%s'" % word for word in curl(openai, stream, http, "-N"))
        out.append(["sh", "-c", left + " 2>/dev/null | head -c 300"])
    if port == 443:
        out.append(curl(openai, chat, "--http2", "-H", "x-fault: 429,500;curl", "--retry", "3",
                        "--retry-all-errors", "--retry-delay", "1"))
        for how, own in (("--http1.1", 8000), ("--http2-prior-knowledge", 8001)):
            own = "http://127.0.0.1:%d/v1/" % own
            out += [curl(own + "chat/completions", stream, how, "-N"),
                    curl(own + "chat/completions", chat, how, "--compressed"),
                    curl(own + "messages", dict(chat, model="claude-sonnet-5-5"), how)]
        out += [curl("https://api.openai.com:9443/v1/chat/completions", ask, http, "-N")
                for http in ("--http1.1", "--http2") for ask in (chat, stream)]
        out += [curl(six + "/v1/chat/completions", stream, "-g", "--http2")
                for six in ("https://[::1]", "http://[::1]:8000") if has_ipv6()]
    return out


def commands(work, keys):
    """Of each client: the environment and its commands."""
    node = ["node", "--no-warnings", "--tls-keylog=" + keys, work + "/drive.mjs"]
    return {
        "sdk-own": [node + ["8000", "plain"]],
        "sdk-tls13": [node + ["443", "h1"]],
        "sdk-tls12": [node + ["8443", "h1"]],
        "sdk-h2": [node + ["443", "h2"]],
        "curl-tls13": curls(443, work),
        "curl-tls12": curls(8443, work),
        "python": [[sys.executable, work + "/drive.py", str(port)] for port in (443, 8443, 9443)],
    }


def drive(work, keys, only, watch):
    """Run the clients side by side; what they printed, and those that failed."""
    env = dict(os.environ, NODE_EXTRA_CA_CERTS=work + "/cert.pem", SSLKEYLOGFILE=keys,
               SSL_CERT_FILE=work + "/cert.pem", CURL_CA_BUNDLE=work + "/cert.pem")
    queues = {name: list(todo) for name, todo in commands(work, keys).items()
              if not only or name in only}
    running, failed, seen = {}, [], []
    while running or any(queues.values()):
        for name, todo in queues.items():
            if name not in running and todo:
                out = tempfile.TemporaryFile("w+")
                running[name] = out, subprocess.Popen(todo.pop(0), env=env, stdout=out)
        for name, (out, process) in list(running.items()):
            if process.poll() is not None:
                if process.returncode:
                    failed.append((name, process.args, process.returncode))
                out.seek(0)
                seen += [(name, line) for line in out.read().splitlines()]
                del running[name]
        watch()
        time.sleep(0.05)
    return seen, failed


# --- comparison ---

def port(text):
    return int(text.rsplit(":", 1)[1])


def read_truth(folder):
    with open(folder + "/truth.jsonl") as f:
        truths = [json.loads(line) for line in f]
    broken = [t for t in truths if "failure" in t]
    if broken:
        sys.exit("the server failed: %s" % broken[0])
    return truths


def provider_of(truth):
    host = truth["host"].rsplit(":", 1)[0]
    return PROVIDERS.get(host, "ollama" if truth["server_port"] == 11434 else "compat")


def differences(truth, call):
    """What the agent says otherwise than the truth."""
    want = {"provider": provider_of(truth), "surface": truth["surface"],
            "model": truth["model"], "status": truth["status"], "tls": truth["tls"]}
    usage = truth["usage"]
    counts = {name: call[name] for name in CLASSES}
    if truth["status"] != 200:
        want["accounting"] = "error"
    else:
        want["accounting"] = "call"
        if truth["aborted"]:
            if call["quality"] == "exact" and counts != usage:
                return ["left by the client, but exact: %s" % counts]
            if call["quality"] != "exact" and call["outcome"] not in LEFT:
                return ["left by the client, but " + call["outcome"]]
        elif usage:
            want.update(usage, quality="exact", outcome="ok", cache_write=None,
                        response_id=truth["id"])
        elif call["quality"] == "exact":
            return ["exact without a usage"]
    return ["%s: %s of %s" % (name, call[name], value)
            for name, value in want.items() if call[name] != value]


def compare(truths, calls):
    """Each exchange of each connection in order; the number of differences."""
    streams = collections.defaultdict(list)
    for call in calls:
        streams[port(call["client"]), port(call["server"]), call["stream"]].append(call)
    wrong = 0
    for truth in sorted(truths, key=lambda t: t["n"]):
        got = streams[truth["client_port"], truth["server_port"], truth["stream"]]
        bad = differences(truth, got.pop(0)) if got else ["no record"]
        wrong += bool(bad)
        if bad:
            print("FAIL", {k: truth[k] for k in ("n", "surface", "status", "stream", "tls",
                                                 "streaming", "aborted", "agent")}, bad)
    rest = [call for left in streams.values() for call in left]
    for call in rest:
        print("FAIL no such exchange:", call)
    return wrong + len(rest)


def applications(seen, truths):
    """Do the SDKs read the same counts as the truth? It checks the truth, not the agent."""
    by_id = {t["id"]: t["usage"] for t in truths if t["id"] and t["usage"]}
    wrong = checked = 0
    calls = [json.loads(line) for name, line in seen if not name.startswith("curl")]
    for call in calls:
        usage = by_id.get(call.get("id"))
        if not usage or call.get("output") is None:
            continue
        checked += 1
        # Anthropic counts what is cached apart from the input, the others within it
        cached = 0 if call["id"].startswith("msg_") else usage["cache_read"] or 0
        wrong += (call["input"], call["output"]) != (usage["input"] + cached, usage["output"])
    print("%d counts that applications got, %d not as the truth" % (checked, wrong))
    return wrong + bool(calls and not checked)


class Growing:
    """Scans the capture while it is written: nothing said early may be taken back."""

    def __init__(self, agent, path, keys):
        self.agent, self.path, self.keys = agent, path, keys
        self.looks, self.early, self.next = 0, {}, 0

    def __call__(self):
        if time.monotonic() < self.next or not os.path.exists(self.path):
            return
        self.next = time.monotonic() + 1
        if os.path.getsize(self.path) < 24:
            return
        calls, _ = meters.scan(self.agent, self.path, self.keys, "--all", "--no-dedup")
        self.looks += 1
        for call in calls:
            if call["quality"] == "exact" and call["response_id"]:
                self.early[call["response_id"]] = [call[name] for name in CLASSES]

    def wrong(self, calls):
        final = {c["response_id"]: [c[name] for name in CLASSES] for c in calls}
        bad = {k: v for k, v in self.early.items() if final.get(k) != v}
        print("%d looks at the growing file, %d calls seen early, %d taken back"
              % (self.looks, len(self.early), len(bad)))
        return len(bad) + (self.looks == 0)


def canary(said, live):
    """Nothing of prompts, answers or keys in what scan said and in what run keeps."""
    kept = [os.path.join(folder, name) for folder, _, names in os.walk(live.folder)
            for name in names]
    found = [path for path in kept if b"CANARY" in open(path, "rb").read()]
    if "CANARY" in said or found:
        print("FAIL text of a call in what scan says, or in", found)
    return int("CANARY" in said) + len(found)


def meter(args, work, folder):
    os.chmod(folder, 0o755) # run becomes nobody
    keys, capture = folder + "/keys", folder + "/clients.pcap"
    open(keys, "w").close() # a new file is found within 250 ms; by then a call may be over
    certify(folder)
    shutil.copy(folder + "/cert.pem", work)
    name_hosts(folder)
    there = netlab.Host()
    there.join("10.77.0.1", SERVER)
    servers = [serve(there.popen, folder + "/there", SERVER, work),
               serve(subprocess.Popen, folder + "/here", "::", work)]
    dump = netlab.Tcpdump("any", capture)
    live = meters.Live(args.agent, folder, "any", keys)
    growing = Growing(args.agent, capture, keys)
    seen, failed = drive(work, keys, args.clients and args.clients.split(","), growing)
    dropped = dump.stop()
    code, live_dropped = live.stop()
    for server in servers:
        netlab.end(server)
    there.close()
    truths = read_truth(folder + "/there") + read_truth(folder + "/here")
    calls, said = meters.scan(args.agent, capture, keys, "--all", "--no-dedup")
    wrong = compare(truths, calls) + applications(seen, truths) + growing.wrong(calls)
    wrong += meters.differences(meters.totals(args.agent, capture, keys), live.totals(), "live")
    wrong += sum(print("FAIL client:", *f) is None for f in failed)
    wrong += canary(said, live)
    if code or live_dropped:
        print("FAIL the agent's exit", code, live.said())
        wrong += 1
    kinds = collections.Counter((t["proto"], t["tls"]) for t in truths)
    print("%d exchanges %s, %d left by the client, %d retried, %d packets dropped by "
          "tcpdump, %d live: %d wrong" %
          (len(truths), dict(kinds), sum(t["aborted"] for t in truths),
           sum(t["status"] != 200 for t in truths), dropped,
           live_dropped, wrong))
    return 1 if wrong or dropped or not truths else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "breakeven-sdks"),
                        help="folder that keeps the SDKs installed")
    parser.add_argument("--clients", help="only these of sdk-own, sdk-tls13, sdk-tls12, sdk-h2, "
                                          "curl-tls13, curl-tls12, python")
    parser.add_argument("--keep", help="leave capture, keys and truth in this folder")
    args = parser.parse_args()
    netlab.wants("node", "npm", "curl", "openssl")
    work = os.path.abspath(args.work)
    os.makedirs(work, exist_ok=True)
    if not netlab.entered():
        install(work)
    netlab.enter()
    if args.keep:
        os.makedirs(args.keep)
        return meter(args, work, os.path.abspath(args.keep))
    with tempfile.TemporaryDirectory() as folder:
        return meter(args, work, folder)


if __name__ == "__main__":
    sys.exit(main())
