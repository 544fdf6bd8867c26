#!/bin/sh
# The whole spec, from nothing: installs what is missing (Debian), builds, and runs busted.
#
#   scripts/test.sh [ARGUMENTS of busted]             on Lua 5.4
#   scripts/test.sh spec/send_spec.lua                one file
#   DGRAM_BUILD=luajit scripts/test.sh                on another build: luajit, lua5.1, asan, portable, rock, ...
#
# Some minutes. The last line counts what passed, failed and was skipped, and why; the exit status is 0 when nothing failed.
set -eu
. "$(dirname -- "$0")/lib.sh"

cd "$root"
read_build_name "${DGRAM_BUILD:-lua5.4}"
scripts/setup.sh test
scripts/build.sh "$build"

busted=/usr/bin/busted
[ -e "$busted" ] || busted=$(command -v busted) || die "busted is not installed"

if [ -n "$rock" ]; then set -- --run=installed "$@"; fi
for each in "$@"; do
    case $each in
        -*) ;;
        *) [ -e "$each" ] || die "there is no $each" ;;
    esac
done

# The part of the spec that compares with Node needs Node 26; without one it is skipped, and says why.
case " $*" in
    *node_spec*) compares=yes ;;
    *spec/*_spec.lua* | *exclude-pattern=node_* | *--run=core* | *--run=numbers*) compares= ;;
    *) compares=yes ;;
esac
if [ -n "$compares" ]; then DGRAM_NO_NODE26=$(scripts/node26.sh) || export DGRAM_NO_NODE26; fi

# nginx has LuaJIT; without an nginx its part of the spec is skipped, and says why.
if [ "$lua" = luajit ]; then scripts/nginx.sh >&2 || :; fi

if [ -t 1 ]; then export DGRAM_TERMINAL=yes; else set -- --verbose "$@"; fi
set -- --output=spec/support/output.lua "$@"
say "test: the spec on $build"
# busted is a Lua script whose first line asks for plain `lua`: the interpreter has to be named.
exec scripts/with.sh "$build" "$interpreter" "$busted" "$@"
