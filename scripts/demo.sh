#!/bin/sh
# The main job, from nothing: installs what is missing (Debian), builds, and runs examples/demo.lua.
#
#   scripts/demo.sh [ARGUMENTS of the demo]
set -eu
. "$(dirname -- "$0")/lib.sh"

cd "$root"
scripts/setup.sh demo
scripts/build.sh lua5.4
say "demo: lua5.4 examples/demo.lua $*"
exec scripts/with.sh lua5.4 lua5.4 examples/demo.lua "$@"
