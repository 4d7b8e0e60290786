#!/usr/bin/env bash
# Measure `breakeven-agent scan` on logs made here, beside grep, simdjson, jq, mtail and
# ccusage; then what an idle agent holds, and the size of the program.
#
# usage: bench/logs.sh [AGENT] [MEGABYTES]     (default: release build, 1000)
#
# CPU seconds (user + system) are the median of five runs, taken in turn, so that a noisy
# machine hurts all alike, each of a file that has just been read, so that nobody pays for
# the page cache; peers that are not installed are left out (packages grep,
# libsimdjson-dev, jq, mtail; npm: ccusage@20.0.24 with its native program on PATH). SLOW=1
# runs jq and mtail too, once each. Every total is checked against the generator's: a speed
# with a wrong total is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
agent=${1:-build/release/agent/breakeven-agent}
mb=${2:-1000}
runs=${RUNS:-5}
data=bench/data
mkdir -p "$data"
time=$(command -v time) || { echo "needs /usr/bin/time (package time)"; exit 1; }

${CC:-cc} -O2 -o "$data/gen_logs" bench/gen_logs.c
simdjson=
echo '#include <simdjson.h>' | ${CXX:-c++} -E -x c++ - >/dev/null 2>&1 && simdjson=$data/simdjson &&
  ${CXX:-c++} -O3 -o "$simdjson" bench/simdjson.cpp -lsimdjson
make_corpus() { # name, generator arguments
  [ -e "$data/$1.truth" ] && [ "$(cat "$data/$1.size" 2>/dev/null)" = "$mb" ] && return
  rm -rf "${data:?}/$1"
  echo "making $data/$1 ..." >&2
  "$data/gen_logs" "${@:2}" > "$data/$1.truth"
  echo "$mb" > "$data/$1.size"
}
make_corpus app2 app "$data/app2" "$mb" 2
make_corpus app100 app "$data/app100" "$mb" 100
make_corpus sessions sessions "$data/sessions" $((mb / 5))

check() { # corpus: do our totals equal the truth?
  "$agent" scan --json "$data/$1" | python3 -c '
import json, sys
got, want = json.load(sys.stdin), json.load(open(sys.argv[1]))
t = got["totals"]
t["cache_write"] += t["cache_write_5m"] + t["cache_write_1h"]
t["lines"] = got["read"]["lines"]
bad = {k: (t[k], v) for k, v in want.items() if t[k] != v}
sys.exit(f"totals differ: {bad}" if bad else 0)' "$data/$1.truth"
}

declare -A cpu rss
measure() { # corpus, then lines "name|command"
  local corpus=$1 name command r out
  shift
  check "$corpus"
  for entry in "$@"; do : > "$data/${entry%%|*}.runs"; done
  for ((r = 0; r < runs; r++)); do
    for entry in "$@"; do
      name=${entry%%|*} command=${entry#*|}
      [[ $r -gt 0 && $name =~ ^(jq|mtail)$ ]] && continue # minutes: once will do
      find -L "$data/$corpus" -type f -exec cat {} + >/dev/null
      # Not to /dev/null: grep would stop at the first match.
      out=$("$time" -f '%U %S %M' bash -c "exec $command" 2>&1 >"$data/out" | tail -1)
      echo "$out" | awk '{print $1 + $2, $3}' >> "$data/$name.runs"
    done
  done
  for entry in "$@"; do
    name=${entry%%|*}
    cpu[$name]=$(sort -n "$data/$name.runs" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')
    rss[$name]=$(awk '$2 > m {m = $2} END {printf "%.1f", m / 1024}' "$data/$name.runs")
  done
  printf '\n%s (%s MB), totals exact\n' "$corpus" "$(du -sm "$data/$corpus" | cut -f1)"
  printf '%-10s %8s %8s %10s\n' program 'CPU s' 'RSS MB' 'ours is'
  for entry in "$@"; do
    name=${entry%%|*}
    printf '%-10s %8.2f %8s %9.1fx\n' "$name" "${cpu[$name]}" "${rss[$name]}" \
      "$(awk -v a="${cpu[$name]}" -v b="${cpu[breakeven]}" 'BEGIN {print (b > 0 ? a / b : 0)}')"
  done
}

peers() { # corpus: the peers that are installed
  echo "grep|env LC_ALL=C grep -c '\"usage\"' $data/$1"
  # On demand it reads what is asked for: a peer where every line is a call.
  [ -n "$simdjson" ] && [ "$1" = app100 ] && echo "simdjson|$simdjson $data/$1"
  [ -n "${SLOW:-}" ] || return 0
  command -v jq >/dev/null && echo "jq|jq -c 'select(.usage)|.usage' $data/$1"
  command -v mtail >/dev/null &&
    echo "mtail|mtail --one_shot --progs bench/usage.mtail --logs $data/$1 --port 0"
  return 0
}

for corpus in app2 app100; do
  mapfile -t list < <(echo "breakeven|$agent scan $data/$corpus"; peers "$corpus")
  measure "$corpus" "${list[@]}"
done
list=("breakeven|$agent scan $data/sessions")
if command -v ccusage >/dev/null; then
  mkdir -p "$data/claude" && ln -sfn ../sessions "$data/claude/projects"
  list+=("ccusage|env CLAUDE_CONFIG_DIR=$PWD/$data/claude ccusage daily --offline --json")
fi
measure sessions "${list[@]}"

# What an agent holds that has read a log and waits for more.
idle=$data/idle
rm -rf "$idle" && mkdir -p "$idle"
for corpus in none app100 sessions; do
  [ -d "$data/$corpus" ] && pattern=$PWD/$data/$corpus/** || pattern=$PWD/$data/$corpus
  printf 'agent: bench\nstate_dir: %s\nlog_level: error\nlogs:\n  - path: "%s"\n' \
    "$PWD/$idle/$corpus" "$pattern" > "$idle/$corpus.yaml"
  "$agent" run -c "$idle/$corpus.yaml" &
  pid=$! before=-1 now=0
  while [ "$before" != "$now" ]; do # until it reads no more
    before=$now
    sleep 3
    now=$(awk '/rchar/ {print int($2 / 1000000)}' "/proc/$pid/io")
  done
  sleep 25
  printf '\nidle after %-9s RSS %d kB' "$corpus" \
    "$(awk '/^Rss:/ {print $2}' "/proc/$pid/smaps_rollup")"
  kill "$pid"
  wait "$pid" || true
done
strip -o "$data/stripped" "$agent"
printf '\nstripped program: %d bytes\n' "$(stat -c %s "$data/stripped")"
