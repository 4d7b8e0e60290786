#!/bin/sh
# headers.sh CC SOURCE_DIR: every header compiles alone, and twice in one file.
set -eu
cc=$1
cd "$2"
failed=0
for header in common/*.h agent/*.h collector/*.h collector/*/*.h; do
    [ -e "$header" ] || continue
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        $cc -std=c17 -D_GNU_SOURCE -I. -fsyntax-only -Wall -Wextra -Wconversion -Werror -x c - || {
        echo "$header does not compile alone and twice"
        failed=1
    }
done
exit $failed
