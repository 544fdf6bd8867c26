#!/bin/sh
# Runs a command that finds dgram as built in build/NAME, building it first where it is missing or out of date.
#
#   scripts/with.sh NAME COMMAND [ARGUMENTS...]
#   scripts/with.sh lua5.4 lua5.4 examples/echo-server.lua
#   scripts/with.sh luajit luajit -e 'print(require("dgram")._VERSION)'
#
# NAME: as for scripts/build.sh. With an asan build the command has the sanitizers' run-time preloaded.
set -eu
. "$(dirname -- "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: scripts/with.sh NAME COMMAND [ARGUMENTS...]"
read_build_name "$1"
shift
"$root/scripts/build.sh" -q "$build"

if [ -n "$rock" ]; then
    ours="$dir/tree/share/lua/$abi/?.lua;$dir/tree/share/lua/$abi/?/init.lua"
    ours_c="$dir/tree/lib/lua/$abi/?.so"
else
    ours="$root/lua/?.lua;$root/lua/?/init.lua"
    ours_c="$dir/?.so"
fi
# The luv that scripts/setup.sh built where the distribution has none for this Lua.
if [ -d "$root/build/luv-$abi" ]; then ours_c="$ours_c;$root/build/luv-$abi/?.so"; fi
# The empty element stands for Lua's own path.
export LUA_PATH="$ours;${LUA_PATH:-;}" LUA_CPATH="$ours_c;${LUA_CPATH:-;}"
# Lua prefers these where they are set.
unset LUA_PATH_5_2 LUA_PATH_5_3 LUA_PATH_5_4 LUA_PATH_5_5 LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4 LUA_CPATH_5_5

if [ -z "$sanitize" ]; then exec "$@"; fi

# The interpreter is not instrumented, and the run-time has to come before everything else.
kind=asan
if [ "$sanitize" = thread ]; then kind=tsan; fi
if [ "$compiler" = clang ]; then
    runtime=$(clang -print-file-name="libclang_rt.$kind-$(uname -m).so")
else
    runtime=$("${compiler:-gcc}" -print-file-name=lib$kind.so)
fi
exec env "LD_PRELOAD=$runtime" \
    "ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}" \
    "UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}" \
    "$@"
