#!/bin/sh
# Installs the Debian packages that are missing; does nothing, quickly, when none is.
#
#   scripts/setup.sh demo         what scripts/demo.sh needs: a C compiler, CMake, Lua 5.4, luv
#   scripts/setup.sh test         what scripts/test.sh needs besides: busted, and the programs that the spec talks to
#   scripts/setup.sh check        what scripts/check.sh needs: luacheck, clang-format
#   scripts/setup.sh counts       what bench/instructions needs: valgrind
#   scripts/setup.sh bench        the peers and tools of bench/run that Debian has
#   scripts/setup.sh ci           all that .ci/run needs
#   scripts/setup.sh build NAME   what one build needs (see scripts/build.sh)
#
# DGRAM_NO_SETUP=1 in the environment: installs nothing, for machines that have it all from elsewhere.
set -eu
. "$(dirname -- "$0")/lib.sh"

build_packages() {
    read_build_name "$1"
    echo gcc libc6-dev make cmake pkg-config lua-luv
    case $lua in
        5.1) echo lua5.1 liblua5.1-0-dev ;;
        luajit) echo luajit libluajit-5.1-dev ;;
        *) echo "lua$lua" "liblua$lua-dev" ;;
    esac
    if [ "$compiler" = clang ]; then echo clang; fi
    if [ "$compiler" = clang ] && [ -n "$sanitize" ]; then echo libclang-rt-dev; fi
    if [ -n "$rock" ]; then echo luarocks; fi
}

test_packages() {
    echo lua-busted binutils ethtool iproute2 luajit netcat-openbsd procps socat strace
    command -v node >/dev/null 2>&1 || echo nodejs
    command -v systemd-socket-activate >/dev/null 2>&1 || echo systemd
}

packages() {
    case ${1:-demo} in
        demo) build_packages lua5.4 ;;
        test) build_packages lua5.4 && test_packages ;;
        check) build_packages lua5.4 && echo lua-check clang-format ;;
        build) build_packages "${2:-lua5.4}" ;;
        counts) echo gcc libc6-dev valgrind ;;
        bench)
            echo gnuplot-nox lua-socket lua-cqueues
            for each in "node nodejs" "python3 python3"; do
                command -v "${each% *}" >/dev/null 2>&1 || echo "${each#* }"
            done
            ;;
        ci)
            packages test && packages check && packages counts
            command -v npm >/dev/null 2>&1 || echo npm # for scripts/node26.sh
            for name in lua5.1 lua5.2 lua5.3 luajit clang asan rock; do build_packages "$name"; done
            ;;
        *) die "sets are demo, test, check, counts, bench, ci, and build NAME" ;;
    esac
}

missing() {
    installed=$(dpkg-query -W -f='${Package}=${db:Status-Status}\n' "$@" 2>/dev/null || :)
    for package in "$@"; do
        case "
$installed
" in
            *"
$package=installed
"*) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

if [ -n "${DGRAM_NO_SETUP:-}" ]; then exit 0; fi

wanted=$(packages "$@" | tr ' ' '\n' | sort -u | tr '\n' ' ')
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    say "setup: not a Debian system; these are needed under whatever names it has: $wanted"
    exit 0
fi

# shellcheck disable=SC2086 # lists of words
todo=$(missing $wanted)
if [ -z "$todo" ]; then exit 0; fi

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "needs root or sudo to install: $todo"
    as_root=sudo
fi

say "setup: installing $todo"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "apt-get $1 failed"
    fi
}
apt update
# shellcheck disable=SC2086
apt install -y --no-install-recommends $todo
