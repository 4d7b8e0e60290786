#!/usr/bin/env bash
# Measure `breakeven-agent run` on live traffic: a capture file replayed across a veth pair
# between two network namespaces, and an idle agent.
#
# usage: bench/live.sh PCAP [AGENT] [PPS]      (default: release build, 100000)
#
# PCAP is HTTP in clear on Ethernet; what `scan` counts in it is the truth. Prints packets,
# kernel drops, CPU time (user + system) as a share of one core while packets came, resident
# memory idle and at the peak. Fails when a total differs or a packet was dropped.
# Needs root, iproute2, tcpreplay, python3. On a machine with other work NICE=-19 gives agent
# and sender their turn, as an idle machine would.
set -euo pipefail
cd "$(dirname "$0")/.."
pcap=${1:?which capture? see the comment at the top}
agent=${2:-build/release/agent/breakeven-agent}
pps=${3:-100000}
ring=${RING:-2MiB}
for tool in ip tcpreplay python3; do
  command -v $tool >/dev/null || { echo "needs $tool"; exit 1; }
done
tmp=$(mktemp -d)
near=bl-near-$$ far=bl-far-$$ pid=''
cleanup() {
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT
ip netns add "$near"
ip netns add "$far"
ip -n "$near" link add v0 type veth peer name v1 netns "$far"
ip -n "$near" link set v0 up
ip -n "$far" link set v1 up
ip netns exec "$far" sysctl -qw net.ipv6.conf.v1.disable_ipv6=1
cat >"$tmp/agent.yaml" <<Y
agent: bench
state_dir: $tmp/state
capture:
  interface: v1
  ring: $ring
  user: root
Y
nice -n "${NICE:-0}" ip netns exec "$far" "$agent" run -c "$tmp/agent.yaml" 2>"$tmp/log" &
pid=$!
sleep 13 # past the first turns, when what was only needed to start is given back
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
memory() { awk -v key="$1:" '$1 == key {print $2}' "/proc/$pid/status"; }
idle=$(memory VmRSS)
before=$(ticks)
sleep 10
idle_ticks=$(($(ticks) - before))
before=$(ticks)
nice -n "${NICE:-0}" ip netns exec "$near" tcpreplay --preload-pcap -q --pps="$pps" -i v0 "$pcap" >"$tmp/replay" 2>&1
sleep 0.5
after=$(ticks)
sleep 2
peak=$(memory VmHWM)
busy=$(memory VmRSS)
kill "$pid"
wait "$pid" || true
pid=''
python3 - "$tmp" "$agent" "$pcap" "$((after - before))" "$idle" "$idle_ticks" "$busy" "$peak" <<'P'
import json, os, re, sqlite3, subprocess, sys
tmp, agent, pcap = sys.argv[1:4]
ticks, idle, idle_ticks, busy, peak = map(int, sys.argv[4:9])
replay = open(tmp + "/replay").read()
m = re.search(r"Actual: (\d+) packets .* in ([\d.]+) seconds", replay)
packets, seconds = int(m.group(1)), float(m.group(2))
log = open(tmp + "/log").read()
m = re.search(r"capture: (\d+) packets, (\d+) dropped", log)
seen, dropped = int(m.group(1)), int(m.group(2))
cpu = ticks / os.sysconf("SC_CLK_TCK")
rows = [json.loads(r) for (r,) in sqlite3.connect(tmp + "/state/spool.db").execute("SELECT line FROM total")]
keys = {"calls": "n", "input": "in", "cache_read": "cr", "output": "out"}
got = {k: sum(r.get(w, 0) for r in rows) for k, w in keys.items()}
scan = json.loads(subprocess.run([agent, "scan", "--json", pcap], check=True, capture_output=True).stdout)
want = {k: scan["totals"][k] for k in keys}
print(f"{packets} packets in {seconds:.2f} s = {packets / seconds:,.0f}/s; seen {seen}, kernel dropped {dropped}")
print(f"CPU {cpu:.2f} s = {100 * cpu / seconds:.1f} % of a core, {cpu / packets * 1e9:.0f} ns a packet")
print(f"RSS idle {idle} KB ({idle_ticks} ticks of CPU in 10 s), after {busy} KB, peak {peak} KB")
print("totals", got, "equal the scan's" if got == want else f"DIFFER from {want}")
sys.exit(got != want or dropped != 0)
P
