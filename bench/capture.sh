#!/usr/bin/env bash
# Measure `breakeven-agent scan` on captures, beside tcpdump, tcpflow and tshark.
#
# usage: bench/capture.sh [AGENT] [DATA]    (default: release build, bench/data/captures)
#
# The captures come from gen_pcap.c of the corpus of tools ($BREAKEVEN_TOOLS, default
# ../shared/tools), 500 MB each; those of 10,000 connections at a time from gen_flows.c and gen_tls_flows.c.
# CPU seconds (user + system) are the best of $RUNS (3), taken in turn; tshark runs once.
# Every total is checked against the generator's: a speed with a wrong total is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
agent=$(realpath "${1:-build/release/agent/breakeven-agent}")
data=${2:-bench/data/captures}
tools=${BREAKEVEN_TOOLS:-../shared/tools}/bench
runs=${RUNS:-3}
mkdir -p "$data"
time=$(command -v time) || { echo "needs /usr/bin/time (package time)"; exit 1; }

if [ -r "$tools/gen_pcap.c" ]; then
  ${CC:-cc} -O2 -o "$data/gen_pcap" "$tools/gen_pcap.c" -lcrypto -lz
fi
${CC:-cc} -O2 -o "$data/gen_flows" bench/gen_flows.c
make_corpus() { # name, arguments
  [ -e "$data/$1.truth" ] && return
  [ -x "$data/gen_pcap" ] || { echo "no gen_pcap.c at $tools: $1 left out" >&2; return; }
  "$data/gen_pcap" --out "$data/$1.pcap" --truth "$data/$1.truth" "${@:2}"
}
make_corpus http --size 500
make_corpus gzip --size 500 --gzip 100
make_corpus gso --size 500 --gso 65160
make_corpus tls13 --size 100 --tls 13 --keylog "$data/tls13.keys"
make_corpus tls12 --size 20 --tls 12 --keylog "$data/tls12.keys"
make_corpus chacha --size 20 --tls 13 --cipher chacha --keylog "$data/chacha.keys"
make_corpus rough --size 20 --retrans 100 --reorder 200
${CC:-cc} -O2 -o "$data/gen_tls_flows" bench/gen_tls_flows.c -lssl -lcrypto
[ -e "$data/flows.truth" ] || "$data/gen_flows" "$data/flows.pcap" 10000 > "$data/flows.truth"
[ -e "$data/flows2.truth" ] || "$data/gen_flows" "$data/flows2.pcap" 10000 h2 > "$data/flows2.truth"
[ -e "$data/idle2.truth" ] ||
  "$data/gen_tls_flows" "$data/idle2.pcap" "$data/idle2.keys" 10000 > "$data/idle2.truth"

ours() { # corpus -> the command
  local keys=$data/$1.keys
  [ -e "$keys" ] && keys="--tls-keylog $keys" || keys=""
  echo "$agent scan --no-dedup $keys $data/$1.pcap"
}

check() { # corpus: do our totals equal the truth?
  $(ours "$1") --json 2>/dev/null | python3 -c '
import json, sys
t, want = json.load(sys.stdin)["totals"], json.load(open(sys.argv[1]))
kinds = [want[k] for k in ("anthropic", "openai") if k in want]
for name, got, fields in (
        ("calls", t["calls"], ("exchanges",)),
        ("input", t["input"] + t["cache_read"] + t["cache_write"] + t["cache_write_5m"]
         + t["cache_write_1h"], ("input_tokens",)),
        ("cached", t["cache_read"], ("cached_tokens",)),
        ("output", t["output"], ("output_tokens",))):
    total = sum(k[f] for k in kinds for f in fields)
    if got != total:
        sys.exit(f"{sys.argv[1]}: {name} {got}, not {total}")' "$data/$1.truth"
}

cpu_of() { # command: "seconds MB"
  "$time" -f '%U %S %M' bash -c "exec $1" 2>&1 >"$data/out" | tail -1 |
    awk '{printf "%.3f %.1f\n", $1 + $2, $3 / 1024}'
}

row() { # corpus, name, seconds, MB, ours
  printf '%-8s %-22s %8.2f s %8.1f MB %8.2fx\n' "$1" "$2" "$3" "$4" \
    "$(awk -v a="$3" -v b="$5" 'BEGIN {print a / b}')"
}

compare() { # corpus, then lines "name|command"; times of ours for each
  local corpus=$1 entry name r mine
  [ -e "$data/$corpus.truth" ] || return 0
  check "$corpus"
  shift
  for entry in "ours|$(ours "$corpus")" "$@"; do : > "$data/${entry%%|*}.runs"; done
  for ((r = 0; r < runs; r++)); do
    for entry in "ours|$(ours "$corpus")" "$@"; do
      name=${entry%%|*}
      [[ $r -gt 0 && $name == tshark* ]] && continue
      rm -rf "$data/tf"
      cpu_of "${entry#*|}" >> "$data/$name.runs"
    done
  done
  mine=$(sort -n "$data/ours.runs" | head -1)
  for entry in "ours|" "$@"; do
    name=${entry%%|*}
    # shellcheck disable=SC2046
    row "$corpus" "$name" $(sort -n "$data/$name.runs" | head -1) "${mine% *}"
  done
}

tshark() { # corpus, options
  echo "tshark_fields|tshark -n -r $data/$1.pcap ${*:2} -Y http.response -T fields -e tcp.stream -e http.response.code -e http.file_data"
}
have() {
  command -v "$1" >/dev/null
}

for corpus in http gzip gso; do
  peers=("tcpdump|tcpdump -nr $data/$corpus.pcap -w /dev/null")
  have tcpflow && peers+=("tcpflow|tcpflow -e http -r $data/$corpus.pcap -o $data/tf")
  have tshark && [ $corpus != gso ] && peers+=("$(tshark $corpus)")
  compare $corpus "${peers[@]}"
done
peers=("tcpdump|tcpdump -nr $data/tls13.pcap -w /dev/null")
have tshark && peers+=("$(tshark tls13 -o "tls.keylog_file:$data/tls13.keys")")
compare tls13 "${peers[@]}"
for corpus in tls12 chacha rough flows flows2 idle2; do
  compare $corpus
done
rm -rf "$data/tf" "$data/out"
