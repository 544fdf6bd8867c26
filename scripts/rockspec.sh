#!/bin/sh
# Writes the lists of C sources and of Lua modules in the rockspec anew, from what is in the tree.
#
#   scripts/rockspec.sh
set -eu
. "$(dirname -- "$0")/lib.sh"

cd "$root"
rockspec=dgram-scm-1.rockspec
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find csrc -name '*.c' ! -name 'os_*.c' | LC_ALL=C sort | sed 's/.*/        "&",/' >"$work/c"
(cd lua && find dgram -name '*.lua') | LC_ALL=C sort |
    sed -e 'h' -e 's/\.lua$//' -e 's,/init$,,' -e 's,/,.,g' -e 'G' -e 's|\(.*\)\n\(.*\)|    ["\1"] = "lua/\2",|' >"$work/lua"

awk -v c="$work/c" -v lua="$work/lua" '
    function copy(path, line) { while ((getline line < path) > 0) print line }
    /-- end of list/ { skipping = 0 }
    !skipping { print }
    /-- list of C sources/ { copy(c); skipping = 1 }
    /-- list of Lua modules/ { copy(lua); skipping = 1 }' "$rockspec" >"$work/rockspec"

if cmp -s "$work/rockspec" "$rockspec"; then
    say "rockspec: the lists are as they should be"
else
    cat "$work/rockspec" >"$rockspec"
    say "rockspec: written anew"
fi
