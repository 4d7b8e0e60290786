#!/usr/bin/env bash
# configure.sh demo|logs VAR LISTEN FROM [FILE|DIR…]: write VAR/collector.yaml and
# VAR/agent.yaml for run.sh; for the demo, its made-up history too. Relative paths are
# taken from FROM. Files that stand already are kept, so that edits survive.
set -euo pipefail
kind=$1 var=$2 listen=$3 from=$4
shift 4
here=$(cd "$(dirname "$0")/.." && pwd)

# A YAML double-quoted scalar.
quote() {
    local s=${1//\\/\\\\}
    printf '"%s"' "${s//\"/\\\"}"
}

log_section() {
    local path pattern
    for path in "$@"; do
        [ "${path#/}" = "$path" ] && path=$from/$path
        if [ -d "$path" ]; then
            pattern=$(cd "$path" && pwd)/'**'
        elif [ -e "$path" ]; then
            pattern=$(realpath "$path")
        else
            echo "run.sh: $path: no such file or folder" >&2
            return 1
        fi
        printf '  - path: %s\n' "$(quote "$pattern")"
    done
}

if [ "$kind" = demo ] && [ ! -d "$var/logs" ]; then
    rm -rf "$var/logs.new"
    "$here/build/release/demo_logs" --out "$var/logs.new"
    mv "$var/logs.new" "$var/logs"
fi

if [ ! -e "$var/collector.yaml" ]; then
    {
        printf 'listen: %s\ndata_dir: %s\n' "$listen" "$(quote "$var/store")"
        if [ "$kind" = demo ]; then
            cat "$here/demo/workloads.yaml"
        else # logs may be of any age; by default the store refuses what is older than 400 days
            printf 'retention:\n  hourly: 3650d\n'
        fi
    } >"$var/collector.yaml.new"
    mv "$var/collector.yaml.new" "$var/collector.yaml"
fi

# Where to listen comes from the command line too: run.sh says what stands here already.
sed -i "s|^listen: .*|listen: $listen|" "$var/collector.yaml"

# The agent's part follows the command line each time; its read positions do not.
{
    printf 'agent: run-%s\nstate_dir: %s\n' "$kind" "$(quote "$var/agent")"
    printf 'collector:\n  url: http://%s\n  token_file: %s\n' "$listen" \
        "$(quote "$var/agent.token")"
    printf 'logs:\n'
    if [ "$kind" = demo ]; then
        for app in support-bot extraction tutor canary; do
            printf '  - path: %s\n    app: demo-%s\n    environment: demo\n' \
                "$(quote "$var/logs/demo-$app.jsonl")" "$app"
        done
    else
        log_section "$@"
    fi
} >"$var/agent.yaml.new"
mv "$var/agent.yaml.new" "$var/agent.yaml"
mkdir -p "$var/store" "$var/agent"
