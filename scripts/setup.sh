#!/bin/sh
# Installs the Debian packages that are missing; does nothing, quickly, when none is.
#
#   scripts/setup.sh demo         what scripts/demo.sh needs: a C compiler, CMake, Lua 5.4, luv
#   scripts/setup.sh test         what scripts/test.sh needs besides: busted, and the programs that the spec talks to
#   scripts/setup.sh check        what scripts/check.sh needs: luacheck, clang-format, codespell
#   scripts/setup.sh counts       what bench/instructions needs: valgrind
#   scripts/setup.sh bench        the peers and tools of bench/run that Debian has
#   scripts/setup.sh release      what scripts/release.sh needs
#   scripts/setup.sh ci           all that .ci/run needs
#   scripts/setup.sh build NAME   what one build needs (see scripts/build.sh)
#   scripts/setup.sh core NAME    that, busted, and luajit, which reads options: enough for the files of the spec that
#                                 talk to no other program
#   scripts/setup.sh neovim       that for LuaJIT, and Neovim: enough for spec/neovim_spec.lua
#   scripts/setup.sh bare         what scripts/try-bare.sh needs: debootstrap
#
# Where the distribution has a Lua, but its luv is not for that one (lua5.5), luv is built from the distribution's own
# source into build/luv-5.5.
#
# DGRAM_NO_SETUP=1 in the environment: installs nothing, for machines that have it all from elsewhere.
set -eu
. "$(dirname -- "$0")/lib.sh"

build_packages() {
    read_build_name "$1"
    echo gcc libc6-dev make cmake pkg-config lua-luv
    case $lua in
        5.1) echo lua5.1 liblua5.1-0-dev ;;
        5.5) echo lua5.5 liblua5.5-dev libuv1-dev dpkg-dev ;;
        luajit) echo luajit libluajit-5.1-dev ;;
        *) echo "lua$lua" "liblua$lua-dev" ;;
    esac
    if [ "$compiler" = clang ]; then echo clang; fi
    if [ "$compiler" = clang ] && [ -n "$sanitize" ]; then echo libclang-rt-dev; fi
    if [ -n "$rock" ]; then echo luarocks; fi
}

test_packages() {
    echo lua-busted lua-luv-dev lua-socket binutils ethtool iproute2 luajit netcat-openbsd procps socat strace
    command -v node >/dev/null 2>&1 || echo nodejs
    command -v systemd-socket-activate >/dev/null 2>&1 || echo systemd
}

# What the examples and the documents are tried against; where one is missing, their specs are skipped, and say so.
peer_packages() {
    echo atftp avahi-daemon avahi-utils bind9-dnsutils chrony curl dbus-daemon dnsmasq-base libnginx-mod-stream lua-copas lua-cqueues lua-posix neovim nginx-light tftp-hpa
}

packages() {
    case ${1:-demo} in
        demo) build_packages lua5.4 ;;
        test) build_packages lua5.4 && test_packages ;;
        check) build_packages lua5.4 && echo lua-check clang-format codespell ;;
        build) build_packages "${2:-lua5.4}" ;;
        core) build_packages "${2:-lua5.4}" && echo lua-busted luajit ;;
        neovim) packages core luajit && echo neovim ;;
        bare) echo debootstrap debian-archive-keyring ;;
        release)
            echo dpkg-dev git zip unzip && build_packages rock
            for each in 5.1 5.2 5.3; do build_packages "lua$each"; done
            ;;
        counts) echo gcc libc6-dev valgrind ;;
        bench)
            echo gnuplot-nox lua-socket lua-cqueues
            for each in "node nodejs" "python3 python3"; do
                command -v "${each% *}" >/dev/null 2>&1 || echo "${each#* }"
            done
            ;;
        ci)
            packages test && packages check && packages counts && packages bare && peer_packages
            command -v npm >/dev/null 2>&1 || echo npm # for scripts/node26.sh
            for name in lua5.1 lua5.2 lua5.3 luajit clang asan rock; do build_packages "$name"; done
            ;;
        *) die "sets are demo, test, check, counts, neovim, bare, bench, release, ci, and build NAME, core NAME" ;;
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

apt() {
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "apt-get $1 failed"
    fi
}

install() {
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "needs root or sudo to install: $*"
        as_root=sudo
    fi

    say "setup: installing $*"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt update
    apt install -y --no-install-recommends "$@"
    rm -f "$log"
}

# Lines for sources.list: the sources of what apt has here, which it need not be told of for good.
source_lists() {
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e $keyring ] && option="[signed-by=$keyring]" || option=
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v option="$option" '$3 == "main" { print "deb-src", option, $0 }' | sort -u
}

# luv for a Lua that the distribution's luv is not for. apt's lists go to a folder of ours: this takes no root.
build_luv() {
    target=$root/build/luv-$abi
    if [ -e "$target/luv.so" ] || "$interpreter" -e 'require "luv"' 2>/dev/null; then return; fi
    say "setup: building luv for $interpreter"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial" "$target"
    source_lists >"$work/sources.list"
    (
        cd "$work"
        set -- -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists" \
            -o APT::Sandbox::User=
        apt-get "$@" update && apt-get "$@" source lua-luv && cd lua-luv-*/ &&
            # shellcheck disable=SC2046 # lists of words
            gcc -O2 -fPIC -shared $(pkg-config --cflags "lua$abi" libuv) -Isrc src/luv.c -o "$work/luv.so" \
                $(pkg-config --libs libuv)
    ) >"$work/log" 2>&1 || {
        tail -n 40 "$work/log" >&2
        die "building luv failed"
    }
    mv "$work/luv.so" "$target/luv.so"
}

if [ -n "${DGRAM_NO_SETUP:-}" ]; then exit 0; fi

wanted=$(packages "$@" | tr ' ' '\n' | sort -u | tr '\n' ' ')
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    say "setup: not a Debian system; these are needed under whatever names it has: $wanted"
    exit 0
fi

# shellcheck disable=SC2086 # lists of words
todo=$(missing $wanted)
if [ -n "$todo" ]; then install $todo; fi
if [ "${1:-}" = build ] || [ "${1:-}" = core ]; then
    read_build_name "${2:-lua5.4}"
    if [ "$lua" = 5.5 ]; then build_luv; fi
fi
