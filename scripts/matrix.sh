#!/bin/sh
# The spec, or the part of it that each allows, on everything that dgram is for. Each cell has a word:
#
#   scripts/matrix.sh [CELL...]        all of them, or these
#   scripts/matrix.sh --list           the words, and what they stand for
#
# A line for each cell that ended, with what was skipped and why, and a table in the end; the exit status is 0 when nothing
# failed. Logs are in build/matrix. TIMEOUT (seconds, default 1800) is how long a cell may take. Cells run one after the other.
# All but the first five need what scripts/try-bare.sh needs, or npm (macos): where that is missing the cell is skipped.
set -u
. "$(dirname -- "$0")/lib.sh"
cd "$root" || exit 1

cells='lua5.4|the whole spec on this machine, Lua 5.4
luajit|the whole spec on this machine, LuaJIT
lua5.3|the whole spec on this machine, Lua 5.3
lua5.2|the whole spec on this machine, Lua 5.2
lua5.1|the whole spec on this machine, Lua 5.1
lua5.5|the core of the spec in Debian testing, Lua 5.5
bookworm|the commands of the README and the whole spec in a bare Debian 12
trixie|the same in Debian 13
forky|the same in Debian testing, there on Lua 5.5, too
neovim-trixie|the part in Neovim, and the ends of states, with what Debian 13 has of Neovim, LuaJIT and luv
neovim-forky|the same in Debian testing
i386|the core in Debian 12 with 32 bits, Lua 5.4; numbers on LuaJIT
arm64|the core in Debian 12 under qemu (aarch64), Lua 5.4; numbers on LuaJIT
armhf|the core in Debian 12 under qemu (32-bit ARM), Lua 5.4; numbers on LuaJIT
musl|the core on musl in Debian 13, Lua 5.4
macos|compiled and linked for macOS by zig, on both processors; not run'

# In a bare root: installs what a build needs, and runs a part of the spec on it.
on_build() { # BUILD PART
    echo "scripts/setup.sh core $1 && DGRAM_NO_SETUP=1 DGRAM_BUILD=$1 scripts/test.sh --run=$2"
}

# In a bare root: what is of interest with its Neovim and LuaJIT. The spec would skip Neovim's part, were it missing.
with_neovim='scripts/setup.sh neovim && nvim --version | head -n 1 &&
    DGRAM_NO_SETUP=1 DGRAM_BUILD=luajit scripts/test.sh spec/neovim_spec.lua spec/lifetime_spec.lua'

bare() {
    scripts/try-bare.sh --worktree "$@"
}

run() {
    case $1 in
        lua5.[1-4] | luajit) DGRAM_BUILD=$1 scripts/test.sh ;;
        lua5.5) bare forky "$(on_build lua5.5 core)" ;;
        bookworm | trixie | forky) bare "$1" ;;
        neovim-*) bare "${1#*-}" "$with_neovim" ;;
        i386) bare --arch i386 bookworm "$(on_build lua5.4 core)" "$(on_build luajit numbers)" ;;
        arm64 | armhf)
            bare bookworm "scripts/emulated.sh $1 lua5.4 --run=core" "scripts/emulated.sh $1 luajit --run=numbers"
            ;;
        musl) bare trixie 'scripts/musl.sh --run=core' ;;
        macos) scripts/macos.sh ;;
    esac
}

# What the spec counted, and its reasons, of all its runs in the log: "PASSED FAILED SKIPPED WHY".
counts() {
    awk '/^(OK|FAILED): [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped/ {
            passed += $2; failed += $4; skipped += $6
            why = why (sub(/^[^(]*\(/, "") && sub(/\)$/, "") ? (why == "" ? "" : "; ") $0 : "")
        }
        END { printf "%d %d %d %s\n", passed, failed, skipped, why }' "$1"
}

bad=0

# cell NAME: runs it, says how it ended, and notes that for the table.
cell() {
    log=build/matrix/$1.log start=$(date +%s)
    timeout --kill-after=30 "${TIMEOUT:-1800}" "$root/scripts/matrix.sh" --cell "$1" >"$log" 2>&1 </dev/null &
    child=$!
    trap 'kill $child; exit 1' INT TERM HUP # it ends all that it has begun
    wait $child
    status=$?
    trap - INT TERM HUP
    seconds=$(($(date +%s) - start))
    read -r passed failed skipped why <<END
$(counts "$log")
END
    verdict=FAILED
    case $status in
        0)
            if [ "$1" = macos ]; then
                verdict=passed why="compiled and linked; it cannot run here"
            elif [ "$passed" -gt 0 ]; then
                verdict=passed
            else
                why="nothing ran"
            fi
            ;;
        77) verdict=skipped why=$(sed -n 's/^== [a-z]*: //p' "$log" | tail -n 1) ;;
        124 | 137) why="still running after ${TIMEOUT:-1800} s" ;;
        *) [ "$failed" -gt 0 ] || why="status $status: $(grep -v '^ *$' "$log" | tail -n 1)" ;;
    esac
    if [ $verdict = FAILED ]; then
        bad=$((bad + 1))
        grep -A 12 '^not ok' "$log" | head -n 60 | sed 's/^/    /'
    fi
    printf '%s: %s, %d passed, %d failed, %d skipped, in %d s%s\n' "$1" $verdict "$passed" "$failed" "$skipped" $seconds \
        "${why:+ ($why)}"
    table="$table
$(printf '%-13s %-8s %7d %7d %8d %6d' "$1" $verdict "$passed" "$failed" "$skipped" $seconds)"
}

if [ "${1:-}" = --cell ]; then
    run "$2"
    exit
fi
if [ "${1:-}" = --list ]; then
    echo "$cells" | awk -F'|' '{ printf "%-14s %s\n", $1, $2 }'
    exit
fi
# shellcheck disable=SC2046 # a list of words
if [ $# = 0 ]; then set -- $(echo "$cells" | sed 's/|.*//'); fi
for name in "$@"; do
    echo "$cells" | grep -q "^$name|" || die "no cell '$name'; scripts/matrix.sh --list names them"
done

mkdir -p build/matrix
table=$(printf '%-13s %-8s %7s %7s %8s %6s' cell result passed failed skipped s)
for name in "$@"; do cell "$name"; done

printf '\n%s\n' "$table"
[ $bad = 0 ]
