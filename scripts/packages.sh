#!/usr/bin/env bash
# packages.sh SECTION…: install what packages.txt lists there and is not installed yet.
# Or provided there by another package: a newer nodejs brings npm along, and conflicts with
# the one of the distribution. Non-interactive; as root, or by sudo. Debian 12 and 13,
# Ubuntu 24.04.
set -euo pipefail
list=$(dirname "$0")/../packages.txt

wanted() {
    awk -v want=" $* " '
        /^\[/ { section = substr($0, 2, length($0) - 2); next }
        /^[^#]/ && index(want, " " section " ") { print $1 }' "$list"
}

present=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
    sed -n 's/^installed //p' | tr ',' '\n' | sed 's/^ *//; s/ .*//' | sort -u)

installed() {
    grep -qxF "$1" <<<"$present"
}

# The sanitizer and fuzzer runtime carries the compiler's version in its name.
runtime_of_clang() {
    case $(. /etc/os-release && echo "$ID-$VERSION_ID") in
    ubuntu-24.04) echo libclang-rt-18-dev ;;
    debian-13) echo libclang-rt-19-dev ;;
    *) echo libclang-rt-14-dev ;;
    esac
}

missing=()
for package in $(wanted "$@"); do
    [ "$package" = libclang-rt-dev ] && package=$(runtime_of_clang)
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null; then
    as_root=(sudo)
else
    echo "packages.sh: these packages are missing and I am neither root nor have sudo:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
