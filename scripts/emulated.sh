#!/bin/sh
# Runs specs on another processor's Lua, under qemu's user emulation: dgram is compiled across, and Lua, luv and what busted
# needs are Debian's own for that architecture.
#
#   scripts/emulated.sh arm64|armhf BUILD [ARGUMENTS of busted]
#
# It adds an architecture to dpkg, and Lua is then that architecture's: only in a root of scripts/try-bare.sh.
# The emulator starts no programs of its own architecture: scripts that call it stand for the interpreters
# (DGRAM_INTERPRETER, which the specs start further ones by).
set -eu
. "$(dirname -- "$0")/lib.sh"

arch=${1:?arm64 or armhf?}
read_build_name "${2:?which build?}"
shift 2
case $arch in
    arm64) triple=aarch64-linux-gnu emulator=qemu-aarch64 ;;
    armhf) triple=arm-linux-gnueabihf emulator=qemu-arm ;;
    *) die "'$arch' is neither arm64 nor armhf" ;;
esac
[ "$root" = /srv/dgram ] || die "this is for the roots of scripts/try-bare.sh"

quietly() {
    if ! DEBIAN_FRONTEND=noninteractive "$@" >/tmp/emulated.log 2>&1; then
        tail -n 20 /tmp/emulated.log >&2
        die "$1 $2 failed"
    fi
}

case $lua in
    luajit) headers=libluajit-5.1-dev ;;
    5.1) headers=liblua5.1-0-dev ;;
    *) headers=liblua$lua-dev ;;
esac
say "setup: Lua for $arch, a compiler and an emulator"
quietly dpkg --add-architecture "$arch"
quietly apt-get update
quietly apt-get install -y --no-install-recommends qemu-user "gcc-$triple" "libc6-dev-$arch-cross" cmake make pkg-config \
    lua-busted "$interpreter:$arch" "luajit:$arch" "$headers:$arch" "lua-luv:$arch" "lua-filesystem:$arch" "lua-system:$arch"
# Debian has it for one architecture at a time, and busted wants this machine's.
(
    cd /tmp
    quietly apt-get -o APT::Sandbox::User=root download "lua-term:$arch"
    dpkg -x lua-term_*.deb /
)

bin=$root/build/emulated-$arch
mkdir -p "$bin"
for name in "$interpreter" luajit; do
    printf '#!/bin/sh\nexec %s /usr/bin/%s "$@"\n' "$emulator" "$name" >"$bin/$name"
    chmod +x "$bin/$name"
done

export PATH="$bin:$PATH" CC="$triple-gcc" DGRAM_INTERPRETER="$bin/$interpreter" DGRAM_NO_SETUP=1 DGRAM_BUILD="$build"
export DGRAM_SPEC_DEADLINE="${DGRAM_SPEC_DEADLINE:-120}"
exec "$root/scripts/test.sh" "$@"
