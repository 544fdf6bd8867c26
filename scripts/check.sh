#!/bin/sh
# Checks that need no run: style, layers, lists that have to match the tree. Installs what is missing for that (Debian).
# Each check is a line, `ok - ...` or `not ok - ...` with its output; the last line counts them.
#
#   scripts/check.sh
set -eu
. "$(dirname -- "$0")/lib.sh"

cd "$root"
scripts/setup.sh check

passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: passes where the command exits with 0.
check() {
    what=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        printf 'ok - %s\n' "$what"
    else
        failed=$((failed + 1))
        printf 'not ok - %s\n' "$what"
        sed 's/^/    /' "$work/output"
    fi
}

# none COMMAND...: passes where the command prints nothing.
none() {
    "$@" >"$work/none" 2>&1 || :
    cat "$work/none"
    [ ! -s "$work/none" ]
}

# ---- Lua

lua_folders() {
    for folder in lua spec examples bench scripts; do
        if [ -d "$folder" ]; then printf '%s ' "$folder"; fi
    done
}
# shellcheck disable=SC2046 # a list of words
check "luacheck" luacheck --quiet --no-color $(lua_folders) .busted .luacheckrc

# ---- C: style

unformatted() {
    find csrc static examples bench -name '*.[ch]' 2>/dev/null | sort | while read -r file; do
        clang-format --style=file "$file" | diff "$file" - >"$work/diff" ||
            echo "$file: $(grep -c '^[<>]' "$work/diff") lines (clang-format -i $file puts them right)"
    done
}
check "clang-format" none unformatted

long_lines() {
    awk 'length > 120 { print FILENAME ":" FNR ": " length " columns" }' csrc/*/*.[ch]
}
check "no line of C has more than 120 columns" none long_lines

long_files() {
    find csrc -name '*.[ch]' -exec awk 'END { if (FNR > 400) print FILENAME ": " FNR " lines" }' {} \;
}
check "no C file has more than 400 lines" none long_files

long_functions() {
    find csrc -name '*.[ch]' -exec awk '
        FNR == 1 { start = 0 }
        /^[A-Za-z_]/ && !/;[ \t]*$/ && !body { if (!start) start = FNR }
        /;[ \t]*$/ && !body { start = 0 }
        /^{/ { body = 1 }
        /^}/ {
            if (body && start && FNR - start + 1 > 60) print FILENAME ":" start ": " FNR - start + 1 " lines"
            body = 0; start = 0
        }' {} \;
}
check "no C function has more than 60 lines" none long_functions

no_licence() {
    find csrc static examples -name '*.[ch]' -exec grep -L 'SPDX-License-Identifier: MIT' {} +
}
check "every C file names its licence" none no_licence

# ---- C: layers

check "net includes nothing of Lua" \
    none grep -rnE '#[[:space:]]*include[[:space:]]*[<"].*(lua|lauxlib|lualib|luajit|luaconf|compat)' csrc/net
check "batch system calls are named in csrc/net/os_*.c alone" \
    none grep -rnE '(recvmmsg|sendmmsg)[[:space:]]*\(' csrc --include='*.[ch]' --exclude='os_*.c'

# included FILE: the rooms that it includes, each as folder/name. A header and its source are one room.
included() {
    sed -n -e "s|^#include \"\.\./\(.*\)\.h\"\$|\1|p" -e "s|^#include \"\([^/]*\)\.h\"\$|$2/\1|p" "$1"
}

# tsort names the rooms of a ring.
rings() {
    for file in csrc/*/*.[ch]; do
        folder=$(basename "$(dirname "$file")")
        room=$folder/$(basename "${file%.*}")
        included "$file" "$folder" | grep -vx "$room" | sed "s|^|$room |"
    done | tsort 2>&1 >/dev/null
}
check "includes go one way" none rings

# Each folder includes those before it: the net knows no Lua, the loop no datagram socket.
upward() {
    before=' '
    for folder in net lua loop socket api; do
        before="$before$folder "
        for file in csrc/$folder/*.[ch]; do
            for room in $(included "$file" "$folder"); do
                case $before in
                    *" ${room%%/*} "*) ;;
                    *) echo "$file includes $room" ;;
                esac
            done
        done
    done
}
check "net <- lua <- loop <- socket <- api" none upward

cc=${CC:-cc}
# Every file of net by itself, both back ends, with no path to Lua's headers.
for file in csrc/net/*.c; do
    check "compiles without Lua: $file" "$cc" -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -Icsrc "$file"
done
for file in csrc/net/os_posix.c csrc/net/timer.c; do
    check "compiles without Lua, portable: $file" \
        "$cc" -std=gnu11 -DDGRAM_PORTABLE=1 -Wall -Wextra -Werror -fsyntax-only -Icsrc "$file"
done

lua_cflags=$(pkg-config --cflags lua5.4)
for file in csrc/net/*.h csrc/lua/*.h csrc/loop/*.h csrc/socket/*.h csrc/api/*.h static/*.h; do
    [ -e "$file" ] || continue
    case $file in
        csrc/net/* | static/*) flags= ;;
        *) flags=$lua_cflags ;;
    esac
    printf '#include "%s"\n#include "%s"\n' "$root/$file" "$root/$file" >"$work/header.c"
    # shellcheck disable=SC2086
    check "stands by itself: $file" \
        "$cc" -std=gnu11 -Wall -Wextra -Wno-unused-function -Werror -fsyntax-only -Icsrc $flags "$work/header.c"
done

# ---- One place for the version

version_copies() {
    version=$(sed -n 's/^#define DG_VERSION "\(.*\)"$/\1/p' csrc/api/version.h)
    [ -n "$version" ] || { echo 'csrc/api/version.h has no line: #define DG_VERSION "..."'; return; }
    grep -rnF "$version" csrc lua static cmake examples CMakeLists.txt dgram-scm-1.rockspec scripts .ci |
        grep -v '^csrc/api/version.h:'
    grep -qF "## [$version]" CHANGELOG.md || echo "CHANGELOG.md has no entry for $version"
}
check "the version stands in csrc/api/version.h alone, and CHANGELOG.md has an entry for it" none version_copies

repository_copies() {
    repository=$(sed -n 's/^local repository = "\(.*\)"$/\1/p' dgram-scm-1.rockspec)
    [ -n "$repository" ] || { echo 'dgram-scm-1.rockspec has no line: local repository = "..."'; return; }
    grep -rnF "$repository" csrc lua static cmake examples CMakeLists.txt scripts .ci docs README.md
}
check "the repository's address stands in dgram-scm-1.rockspec alone" none repository_copies

# ---- The reference says what there is

check "the documents and the code agree" "$root/scripts/with.sh" lua5.4 lua5.4 scripts/check-docs.lua
check "examples and documents call what lua/dgram/types.lua declares" lua5.4 scripts/check-types.lua

# ---- Spelling (.codespellrc has the words that pass)

if command -v codespell >/dev/null 2>&1; then
    # shellcheck disable=SC2046 # a list of words
    check "spelling" codespell README.md CHANGELOG.md docs csrc .ci CMakeLists.txt $(lua_folders)
else
    echo "skipped - spelling: codespell is not installed"
fi

# ---- Scripts

for file in scripts/*.sh bench/run bench/compare bench/instructions bench/lib/*.sh; do
    check "sh reads $file" sh -n "$file"
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
