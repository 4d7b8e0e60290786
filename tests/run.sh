#!/usr/bin/env bash
# tests/run.sh: set a fresh Debian or Ubuntu machine up, build, and pass every test.
#
#   tests/run.sh [--long] [--quick] [--only REGEX]
#
#   --long    fuzz ten minutes a target and soak; not for CI
#   --quick   no fuzzing, no ThreadSanitizer: what a developer runs between commits
#   --only    tests whose name matches; implies --quick
#
# Corpora that are not ours are looked for at $BREAKEVEN_CORPUS (default: ../shared/data);
# tests that need one say so and are skipped without it. The last line printed is
# "N passed, N failed, N skipped"; the exit code is 0 if none failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

fuzz_seconds=10 fuzz_seed=20261123 quick='' only=''
while [ $# -gt 0 ]; do
    case $1 in
    --long) fuzz_seconds=600 fuzz_seed=0 # 0: another one each time
        export BREAKEVEN_LONG=1 ;;        # every exchange of the corpus, live
    --quick) quick=1 ;;
    --only) quick=1 only=${2:?--only wants a regular expression} && shift ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) echo "tests/run.sh: unknown option $1; see --help" >&2 && exit 2 ;;
    esac
    shift
done

if [ -z "${BREAKEVEN_CORPUS:-}" ]; then
    BREAKEVEN_CORPUS=$PWD/../shared/data
fi
export BREAKEVEN_CORPUS
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
passed=0 failed=0 skipped=0
broken=()
jobs=$(nproc)

note() {
    printf '\n== %s (%s s)\n' "$*" "$SECONDS"
}

finish() {
    [ ${#broken[@]} -eq 0 ] || printf '\nfailed:\n%s\n' "$(printf '  %s\n' "${broken[@]}")"
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
    exit
}

fail() {
    failed=$((failed + 1))
    broken+=("$1")
}

# build PRESET [TARGET…]. In CI a warning is an error; compilers newer than ours may know more.
build() {
    local preset=$1 log=build/$1.log
    shift
    mkdir -p build
    if cmake --preset "$preset" -DBREAKEVEN_WERROR="${CI:+ON}" >"$log" 2>&1 &&
        cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"} >>"$log" 2>&1; then
        return 0
    fi
    grep -E 'error|warning|FAILED|CMake' "$log" | head -40
    fail "build.$preset"
    return 1
}

# run PRESET LABELS: one ctest run, its counts added to ours.
run() {
    local report=$PWD/build/$1.xml
    rm -f "$report"
    ctest --test-dir "build/$1" -L "$2" ${only:+-R "$only"} -j "$jobs" --output-on-failure \
        --output-junit "$report" --no-tests=ignore 2>&1 | grep -vE '^(Test project|    Start)'
    [ -s "$report" ] || { [ -n "$only" ] || fail "$1: ctest wrote no report"; return; }
    local bad skip total
    total=$(grep -c '<testcase ' "$report")
    [ "$total" -gt 0 ] || [ -n "$only" ] || fail "$1: no test was run"
    bad=$(grep -c 'status="fail"' "$report")
    skip=$(grep -cE 'status="(notrun|disabled)"' "$report")
    while read -r name; do broken+=("$1: $name"); done < <(
        sed -n 's/.*<testcase name="\([^"]*\)".*status="fail".*/\1/p' "$report")
    failed=$((failed + bad))
    skipped=$((skipped + skip))
    passed=$((passed + total - bad - skip))
}

# shellcheck disable=SC2317  # called through xargs
# fuzz_one PROGRAM: new inputs go to a scratch folder, our corpus stays as it is.
fuzz_one() {
    local name=${1##*/fuzz_} scratch
    scratch=$(mktemp -d)
    if timeout $((fuzz_seconds + 60)) "$1" -max_total_time="$fuzz_seconds" -seed="$fuzz_seed" -max_len=65536 \
        -rss_limit_mb=2048 -timeout=20 -artifact_prefix="$PWD/build/fuzz-$name-" \
        "$scratch" "tests/fuzz/corpus/$name" >"build/fuzz-$name.log" 2>&1; then
        tail -1 "build/fuzz-$name.log" | sed "s/^/fuzz.$name: /"
        rm -rf "$scratch"
        return 0
    fi
    tail -30 "build/fuzz-$name.log"
    rm -rf "$scratch"
    return 1
}

note "packages"
scripts/packages.sh build run test || { fail packages; finish; }
# Where the distribution has no browser (Ubuntu ships it as a snap), its tests are skipped.
{ command -v chromium && command -v node && command -v npm; } >/dev/null ||
    scripts/packages.sh browser || echo "no chromium, node or npm: tests of the page are skipped"
mkdir -p build

note "release build: system and golden tests"
build check && run check 'unit|golden|system|lint|browser'

note "address and undefined behaviour sanitizers: unit, fuzz corpora, golden"
build asan && run asan 'unit|fuzz|golden'

if [ -z "$quick" ]; then
    note "thread sanitizer"
    build tsan && run tsan 'threads'

    note "clang build and fuzzing, $fuzz_seconds s a target"
    if build fuzz; then
        mapfile -t targets < <(find build/fuzz -type f -executable -name 'fuzz_*' | sort)
        export -f fuzz_one
        export fuzz_seconds fuzz_seed
        while read -r code name; do
            if [ "$code" = 0 ]; then
                passed=$((passed + 1))
            else
                fail "fuzz.$name"
            fi
        done < <(printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c '
            fuzz_one {} >&2; printf "%d %s\n" $? "$(basename {})"')
    fi
fi
finish
