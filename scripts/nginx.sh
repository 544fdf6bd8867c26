#!/bin/sh
# Puts nginx with Lua into build/nginx, for the part of the spec that runs dgram in it; does nothing where it is there
# already, or where the machine's own nginx has the module. What stands in the way is one line on stdout, and status 1.
#
#   scripts/nginx.sh
#
# Debian 12's packages are unpacked, and not installed: the LuaJIT that they want would remove the one that the rest of the
# spec uses. DGRAM_NO_SETUP=1 in the environment: downloads nothing.
set -eu
. "$(dirname -- "$0")/lib.sh"

there=$root/build/nginx

fail() {
    printf '%s\n' "$*"
    exit 1
}

if [ -e "$there/usr/sbin/nginx" ]; then exit 0; fi
if [ -e /usr/sbin/nginx ] && [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ]; then exit 0; fi
if [ -n "${DGRAM_NO_SETUP:-}" ]; then fail "there is no nginx with Lua (scripts/nginx.sh gets one)"; fi
if ! command -v apt-get >/dev/null 2>&1; then fail "there is no nginx with Lua, and no apt-get to get one"; fi

say "setup: unpacking nginx into build/nginx"
mkdir -p "$root/build"
work=$(mktemp -d "$root/build/nginx.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # nginx' workers are another user

mkdir "$work/packages" "$work/nginx"
cd "$work/packages"
for package in nginx libnginx-mod-http-ndk libnginx-mod-http-lua lua-resty-core lua-resty-lrucache; do
    apt-get -o APT::Sandbox::User=root download "$package" >"$work/log" 2>&1 ||
        fail "nginx with Lua was not unpacked: apt-get cannot download $package"
done
for package in libluajit2-5.1-2 libpcre3; do # newer releases have neither
    apt-get -o APT::Sandbox::User=root download "$package" >"$work/log" 2>&1 || :
done
for package in *.deb; do dpkg-deb -x "$package" "$work/nginx"; done
[ -e "$work/nginx/usr/sbin/nginx" ] || fail "Debian's package nginx has no program nginx"
mv "$work/nginx" "$there" 2>/dev/null || [ -e "$there/usr/sbin/nginx" ]
