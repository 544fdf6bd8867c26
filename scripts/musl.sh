#!/bin/sh
# Runs specs on musl in place of glibc: dgram, and from Debian's sources Lua 5.4, libuv, luv and luafilesystem, all compiled
# by musl-gcc into build/musl.
#
#   scripts/musl.sh [ARGUMENTS of busted]
#
# It installs packages, and adds a list of sources to apt's: only in a root of scripts/try-bare.sh (trixie).
set -eu
. "$(dirname -- "$0")/lib.sh"

[ "$root" = /srv/dgram ] || die "this is for the roots of scripts/try-bare.sh"
musl=$root/build/musl
mkdir -p "$musl/bin" "$musl/include" "$musl/sources"
cd "$musl/sources"

quietly() {
    if ! DEBIAN_FRONTEND=noninteractive "$@" >"$musl/log" 2>&1; then
        tail -n 20 "$musl/log" >&2
        die "$* failed"
    fi
}

say "setup: musl, and the sources of Lua and luv"
sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/sources.list
quietly apt-get update
quietly apt-get install -y --no-install-recommends gcc musl-tools linux-libc-dev cmake make pkg-config dpkg-dev lua-busted luajit
for package in lua5.4 libuv1 lua-luv lua-filesystem; do
    quietly apt-get -o APT::Sandbox::User=root source --tar-only "$package"
done
for each in *.tar.*; do tar -xf "$each"; done

# musl-gcc does not see the kernel's headers, which lie among glibc's.
ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(gcc -print-multiarch)/asm" "$musl/include"
printf '#!/bin/sh\nexec musl-gcc -idirafter %s "$@"\n' "$musl/include" >"$musl/bin/cc"
chmod +x "$musl/bin/cc"
export CC="$musl/bin/cc"

say "build: Lua, libuv, luv"
lua=$(echo "$PWD"/lua*5.4*/src)
(
    cd "$lua"
    rm -f luac.c
    quietly "$CC" -O1 -DLUA_USE_POSIX -DLUA_USE_DLOPEN -Wl,-E ./*.c -o "$musl/bin/lua5.4" -lm
)
quietly cmake -S libuv*/ -B uv -DBUILD_TESTING=OFF -DLIBUV_BUILD_SHARED=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
quietly cmake --build uv --parallel
library=$(find uv -name 'libuv*.a' | head -n 1)
for each in luv.c lfs.c; do
    source=$(find . -name $each | head -n 1)
    quietly "$CC" -O1 -fPIC -shared "-I$lua" "-I$(echo "$PWD"/libuv*/include)" "-I$(dirname "$source")" \
        "$source" -o "$musl/${each%.c}.so" "$library"
done
# What else busted asks of C modules, by luv.
cat >"$musl/system.lua" <<'END'
local uv = require "luv"
local function gettime()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end
return { gettime = gettime, monotime = function() return uv.hrtime() / 1e9 end,
  sleep = function(seconds) uv.sleep(math.floor(seconds * 1000)) end }
END
echo 'return { isatty = function() return false end }' >"$musl/term.lua"

cd "$root"
export PATH="$musl/bin:$PATH" CMAKE_INCLUDE_PATH="$lua" DGRAM_NO_SETUP=1 DGRAM_BUILD=lua5.4
export LUA_PATH="$musl/?.lua;/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;;" LUA_CPATH="$musl/?.so"
exec scripts/test.sh "$@"
