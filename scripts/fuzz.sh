#!/bin/sh
# Random walks over the sockets' methods (spec/support/fuzz.lua), one for each seed, each in a process of its own.
#
#   scripts/fuzz.sh SEEDS            the seeds 1 to SEEDS
#   scripts/fuzz.sh FIRST LAST       these
#   DGRAM_BUILD=asan DGRAM_FUZZ_STEPS=300 scripts/fuzz.sh 1000
#
# A line for each walk that went wrong, with the seed; the last line counts. What went wrong in full:
#   DGRAM_FUZZ_TRACE=1 scripts/with.sh lua5.4 lua5.4 spec/support/fuzz.lua SEED
set -eu
. "$(dirname -- "$0")/lib.sh"

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: scripts/fuzz.sh [FIRST] LAST"
first=1 last=$1
if [ $# = 2 ]; then first=$1 last=$2; fi

cd "$root"
read_build_name "${DGRAM_BUILD:-lua5.4}"
# Each is ended after a while: what spins would spin for ever.
# shellcheck disable=SC2016 # the inner shell's variables
exec scripts/with.sh "$build" sh -c '
    interpreter=$1 seed=$2 last=$3 walks=0 bad=0
    while [ "$seed" -le "$last" ]; do
        status=0
        output=$(timeout --kill-after=5 60 "$interpreter" spec/support/fuzz.lua "$seed" 2>&1) || status=$?
        if [ "$status" != 0 ]; then
            bad=$((bad + 1))
            reason=$(printf "%s\n" "$output" | grep -a -m 1 -E "^wrong|ERROR: |runtime error|^lua" || :)
            printf "seed %s: status %s: %s\n" "$seed" "$status" "$reason"
        fi
        walks=$((walks + 1)) seed=$((seed + 1))
    done
    printf "%s walks, %s went wrong\n" "$walks" "$bad"
    [ "$bad" = 0 ]' sh "$interpreter" "$first" "$last"
