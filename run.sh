#!/usr/bin/env bash
# run.sh: set a fresh Debian or Ubuntu machine up, build, and do the main job: logs in,
# daily volume in SQLite, a projected bill, a breakeven verdict, an alert.
#
#   ./run.sh              collector and agent on a made-up demo history of 180 days
#   ./run.sh FILE|DIR…    the same on your own logs
#   ./run.sh --once …     print the report and stop instead of serving until Ctrl-C
#
# Everything it writes stays under ./var (BREAKEVEN_VAR). A second start goes on where the
# first one stopped and counts nothing twice. Needs root or sudo for missing packages only.
set -euo pipefail
cd "$(dirname "$0")"
from=$OLDPWD

once=
if [ "${1:-}" = --once ]; then
    once=1
    shift
fi
case ${1:-} in
-h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 0 ;;
-*) echo "run.sh: unknown option $1; see --help" >&2 && exit 2 ;;
esac

bin=$PWD/build/release
kind=demo
[ $# -eq 0 ] || kind=logs
var=${BREAKEVEN_VAR:-$PWD/var}/$kind
case $var in /*) ;; *) var=$from/$var ;; esac
listen=${BREAKEVEN_LISTEN:-$(sed -n 's/^listen: *\([^ #]*\).*/\1/p' "$var/collector.yaml" 2>/dev/null || true)}
listen=${listen:-127.0.0.1:8420}

scripts/packages.sh build run
echo "building…"
mkdir -p build
if ! { cmake --preset release -DBREAKEVEN_TESTS=OFF && cmake --build --preset release -j "$(nproc)"; } \
    >build/release.log 2>&1; then
    tail -30 build/release.log >&2
    echo "run.sh: the build failed; the whole log is build/release.log" >&2
    exit 1
fi

mkdir -p "$var"
chmod 700 "$var"
scripts/configure.sh "$kind" "$var" "$listen" "$from" "$@"

collector=$bin/collector/breakeven-collector
agent=$bin/agent/breakeven-agent
agent_pid='' collector_pid=''

# shellcheck disable=SC2317,SC2015  # called by the trap
stop() {
    trap '' INT TERM
    for pid in $agent_pid $collector_pid; do
        kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'exit 0' INT TERM

if curl -fsS -o /dev/null "http://$listen/healthz" 2>/dev/null; then
    echo "run.sh: something already listens on $listen; stop it, or set BREAKEVEN_LISTEN" >&2
    exit 1
fi

if [ ! -s "$var/agent.token" ]; then
    "$collector" token add --config "$var/collector.yaml" --name run.sh --scopes ingest \
        --agents "run-$kind" --quiet >"$var/agent.token.new"
    mv "$var/agent.token.new" "$var/agent.token"
fi
if [ ! -s "$var/read.token" ]; then
    "$collector" token add --config "$var/collector.yaml" --name run.sh-read --scopes read \
        --quiet >"$var/read.token.new"
    mv "$var/read.token.new" "$var/read.token"
fi
chmod 600 "$var"/*.token

"$collector" serve --config "$var/collector.yaml" 2>>"$var/collector.log" &
collector_pid=$!
for _ in $(seq 100); do
    curl -fsS -o /dev/null "http://$listen/readyz" 2>/dev/null && break
    kill -0 "$collector_pid" 2>/dev/null || break
    sleep 0.1
done
if ! curl -fsS -o /dev/null "http://$listen/readyz"; then
    tail -5 "$var/collector.log" >&2
    echo "run.sh: the collector did not start; its log is $var/collector.log" >&2
    exit 1
fi

echo "reading the logs…"
"$agent" run --config "$var/agent.yaml" --once 2>>"$var/agent.log" || {
    tail -5 "$var/agent.log" >&2
    echo "run.sh: the agent failed; its log is $var/agent.log" >&2
    exit 1
}
"$collector" project --config "$var/collector.yaml" >/dev/null || true # keeps it in the store; alerts look there
"$collector" report --config "$var/collector.yaml"

cat <<EOT

dashboard  http://$listen/   (API: /api/v1, metrics: /metrics)
read token $var/read.token   (this machine needs none at this address; a tunnel or proxy does)
logs       $var/collector.log  $var/agent.log
EOT
[ "$kind" = demo ] && echo "This is DEMO data: a made-up history under $var/logs. Your own: ./run.sh FILE|DIR…"
[ -n "$once" ] && exit 0

"$agent" run --config "$var/agent.yaml" 2>>"$var/agent.log" &
agent_pid=$!
echo "The agent follows the logs. Ctrl-C stops both."
wait -n "$agent_pid" "$collector_pid" || true
echo "run.sh: a program ended by itself; see the logs above" >&2
exit 1
