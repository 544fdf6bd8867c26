# shellcheck shell=sh
# What bench/run and bench/compare share; sourced, after scripts/lib.sh. Builds the programs of bench/c into $bin, sets
# `prefix`, which comes before each command, and `terminal`.

[ "$(uname -s)" = Linux ] || die "the benchmark needs Linux"
cd "$root"
bin=$root/build/bench
mkdir -p "$bin"

# stale TARGET SOURCE: whether it has to be built.
stale() {
    [ ! -e "$1" ] || [ -n "$(find "$2" bench/c/common.h -newer "$1")" ]
}

build_programs() {
    for source in bench/c/*.c; do
        name=$(basename "$source" .c)
        if [ "$name" = calls ]; then
            if stale "$bin/calls.so" "$source"; then
                "${CC:-cc}" -O2 -Wall -Wextra -fPIC -shared -o "$bin/calls.so" "$source" -ldl
            fi
        elif stale "$bin/$name" "$source"; then
            "${CC:-cc}" -O2 -Wall -Wextra -o "$bin/$name" "$source"
        fi
    done
}

command -v timeout >/dev/null 2>&1 || die "needs timeout (package coreutils)"

# The measure of many idle sockets needs 10,000 descriptors, most others none to speak of.
# shellcheck disable=SC3045 # every sh of Linux has it
ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -H -n)"

# A higher priority, where it may be had, keeps other programs of the machine out; $realtime does so whatever they are.
prefix='timeout 60'
if [ -n "${realtime:-}" ]; then
    chrt -f 1 true || die "--realtime needs chrt (package util-linux), and the right to use it"
    prefix="chrt -f 1 $prefix"
elif nice -n -10 true 2>/dev/null && [ "$(nice -n -10 nice 2>/dev/null)" -lt 0 ]; then prefix="nice -n -10 $prefix"; fi

terminal=''
if [ -t 2 ]; then terminal=yes; fi # others want no line that is written again and again
