#!/usr/bin/env python3
"""Recorded exchanges over real sockets, metered from the packets.

usage: live_replay.py AGENT [--long] [--sample N] [--mode M,...] [--path P,...] [--keep DIR]

The replay rig beside the corpus ($BREAKEVEN_CORPUS/../tools/replay) plays the exchanges in
its four modes (http1, https, h2c, h2), on loopback and across a veth pair between two
network namespaces, some calls left by the client. Two meters hear the same packets:
tcpdump's file through `scan`, compared with the truth call by call, and `run`, whose totals
must be the same sums; neither may drop a packet. --long plays the whole corpus.

The rig takes loopback addresses only. Across the veth pair the server listens on 127.9.0.2:
both hosts keep 127.0.0.1 alone for their loopback and route the rest of 127/8 over the pair
(route_localnet), so the packets do cross it and the rig stays as it is.
Exit 0, 1 on a difference, 77 where it cannot run.
"""
import argparse
import json
import multiprocessing.pool
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "golden")]
import meters  # noqa: E402
import netlab  # noqa: E402
import scan_capture  # noqa: E402

MODES = ("http1", "https", "h2c", "h2")
PATHS = ("loopback", "veth")
THERE = "127.9.0.2"


class Rig:
    """One server and one client of the replay rig."""

    def __init__(self, tools, corpus, mode, sample, folder, host, address):
        self.tools, self.folder, self.mode, self.address = tools, folder, mode, address
        self.data = corpus + "/exchanges/dev.jsonl.gz"
        self.truth = corpus + "/exchanges/dev.truth.jsonl"
        # another choice, other codings and cuts in each mode
        self.both = ["--data", self.data, "--mode", mode, "--seed", mode,
                     "--sample-seed", mode, *(["--sample", str(sample)] if sample else [])]
        self.port_file = folder + "/port"
        popen = host.popen if host else subprocess.Popen
        self.server = popen(
            ["node", tools + "/server.mjs", *self.both, "--port-file", self.port_file,
             "--address", address, "--log", folder + "/served", "--max-time", "280",
             *self.options("server")], stderr=open(folder + "/server.log", "w"))
        netlab.until(lambda: os.path.exists(self.port_file), process=self.server)

    def options(self, side):
        """TLS 1.2 with RSA and 1.3, padded frames, one pool for all hosts and one each."""
        old = self.address == THERE
        out = []
        if self.mode in ("https", "h2"):
            out += ["--tls", "1.2" if old else "1.3"]
            out += ["--key-type", "rsa"] if side == "server" and old else []
        if self.mode in ("h2", "h2c"):
            out += [] if old else ["--h2-padding"]
        if side == "client":
            out += ["--pool", "shared" if old == (self.mode in ("http1", "h2")) else "origin"]
            out += ["--abort", "3", "--concurrency", "8"]
        return out

    def play(self, keys):
        """True when every reply was as recorded."""
        with open(self.port_file) as f:
            port = f.read()
        client = subprocess.run(
            ["node", self.tools + "/client.mjs", *self.both, "--port", port, "--address",
             self.address, "--report", self.folder + "/client", "--keylog", keys,
             *self.options("client")], stderr=subprocess.PIPE, text=True, check=False)
        self.said = client.stderr.strip()
        netlab.end(self.server)
        return client.returncode == 0

    def truths(self):
        joined = subprocess.run(
            ["node", self.tools + "/join-truth.mjs", self.folder + "/served", self.truth,
             self.data, self.folder + "/client"], stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in joined.stdout.splitlines()]


def one(args, tools, corpus, mode, path, folder):
    """Play one mode on one path; the number of differences."""
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    label = mode + " " + path
    keys, capture = folder + "/keys", folder + "/packets.pcap"
    host = args.there if path == "veth" else None
    interface = netlab.VETH if host else "lo"
    rig = Rig(tools, corpus, mode, 0 if args.long else args.sample, folder, host,
              THERE if host else "127.0.0.1")
    dump = netlab.Tcpdump(interface, capture)
    live = meters.Live(args.agent, folder, interface, keys)
    fine = rig.play(keys)
    dropped = dump.stop()
    code, live_dropped = live.stop()
    truths = rig.truths()
    calls, _ = meters.scan(args.agent, capture, keys, "--all", "--no-dedup")
    wrong = scan_capture.judge(truths, calls, label)
    totals = live.totals()
    wrong += meters.differences(meters.totals(args.agent, capture, keys), totals,
                                label + " live")
    if not fine or code or dropped or live_dropped or not truths:
        print("FAIL", label, rig.said, "agent's exit", code, live.said())
        wrong += 1
    print("%-14s %d exchanges, %d left by the client, %d calls counted live, packets dropped:"
          " %d by tcpdump, %d live: %d wrong" %
          (label, len(truths), sum(t["aborted"] for t in truths),
           sum(sum(row[:3]) for row in totals.values()), dropped, live_dropped, wrong),
          flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--long", action="store_true",
                        default=bool(os.environ.get("BREAKEVEN_LONG")),
                        help="every exchange (or set BREAKEVEN_LONG)")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--mode", default=",".join(MODES))
    parser.add_argument("--path", default=",".join(PATHS))
    parser.add_argument("--keep", help="leave everything in this folder")
    args = parser.parse_args()
    corpus = os.path.abspath(os.environ.get("BREAKEVEN_CORPUS", "../shared/data"))
    tools = os.path.join(os.path.dirname(corpus), "tools", "replay")
    if not os.path.isdir(corpus + "/exchanges") or not os.path.isdir(tools):
        netlab.skip("no corpus at %s, or no replay rig at %s" % (corpus, tools))
    netlab.wants("node", "openssl")
    netlab.enter()
    args.there = netlab.Host()
    args.there.join("127.9.0.1", THERE)
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.abspath(args.keep or folder)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        todo = [(args, tools, corpus, mode, path, "%s/%s-%s" % (folder, mode, path))
                for mode in args.mode.split(",") for path in args.path.split(",")]
        with multiprocessing.pool.ThreadPool(2) as pool:
            wrong = sum(pool.starmap(one, todo, chunksize=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
