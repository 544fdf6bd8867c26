#!/bin/sh
# Makes what a release consists of, from HEAD, and tries it: each is installed into an empty tree, prefix or system, runs a few
# lines, and is taken away again, which has to leave nothing.
#
#   scripts/release.sh
#
# Each step that went well is a line, `ok - ...`; the first that did not ends it. In build/release there are then: the tarball,
# the versioned rockspec, the source rock, the binary rock for each Lua, the Debian packages, and SHA256SUMS. To release: set
# the tag (v and the version) on HEAD, push it, and upload these.
#
# The version stands in csrc/api/version.h; the repository's address in dgram-scm-1.rockspec. The repository need not be there
# yet: git is told to take a clone of this checkout in its place. The Debian packages are tried in a minimal system
# (scripts/try-bare.sh), where this machine allows that; their Luas are those of the system, one build each.
set -eu
. "$(dirname -- "$0")/lib.sh"

cd "$root"
scripts/setup.sh release

version=$(sed -n 's/^#define DG_VERSION "\(.*\)"$/\1/p' csrc/api/version.h)
repository=$(sed -n 's/^local repository = "\(.*\)"$/\1/p' dgram-scm-1.rockspec)
[ -n "$version" ] || die "csrc/api/version.h names no version"
[ -n "$repository" ] || die "dgram-scm-1.rockspec names no repository"
grep -qF "## [$version]" CHANGELOG.md || die "CHANGELOG.md has no entry for $version"
[ -z "$(git status --porcelain)" ] || say "release: of HEAD, without the changes that are not committed"

out=$root/build/release
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

ok() {
    printf 'ok - %s\n' "$*"
}

run() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "failed: $*"
    }
}

# The lines that each installed dgram has to run.
cat >"$work/lines.lua" <<'LUA'
local dgram = require "dgram"
assert(dgram._VERSION == "dgram " .. arg[1], dgram._VERSION)
local server, client = dgram.createSocket "udp4", dgram.createSocket "udp4"
server:on("message", function(msg, rinfo) server:reply("echo: " .. msg, rinfo) end)
client:on("message", function(msg)
  print(_VERSION, msg)
  server:close()
  client:close()
end)
server:bind(0, "127.0.0.1", function() client:send("hello", server:address().port, "127.0.0.1") end)
dgram.run()
LUA

# runs ABI TREE: in an empty folder, with what is below the tree before Lua's own paths.
runs() {
    mkdir -p "$work/empty"
    module=$(find "$2" -path "*/lua/$1/dgram/core.so")
    [ -n "$module" ] || die "there is no module below $2"
    (
        cd "$work/empty"
        export LUA_PATH="$2/share/lua/$1/?.lua;$2/share/lua/$1/?/init.lua;;" LUA_CPATH="${module%/dgram/core.so}/?.so;;"
        run "lua$1" "$work/lines.lua" "$version"
    )
    grep -q 'echo: hello' "$work/log" || die "no echo by what is in $2"
}

# gone TREE: nothing is below it, but for luarocks' lists of what is there.
gone() {
    left=$(find "$1" ! -type d ! -name 'manifest*' ! -name index.html 2>/dev/null || :)
    [ -z "$left" ] || die "left behind: $left"
}

# ---- The tarball, and from it CMake's way: a build for each Lua

git archive --format=tar.gz --prefix="dgram-$version/" -o "$out/dgram-$version.tar.gz" HEAD
tar -xzf "$out/dgram-$version.tar.gz" -C "$work"
luas='5.1 5.2 5.3 5.4'
for abi in $luas; do
    run cmake -S "$work/dgram-$version" -B "$work/$abi" "-DDGRAM_LUA=$abi" -DCMAKE_INSTALL_PREFIX=/usr \
        -DCMAKE_BUILD_TYPE=Release
    run cmake --build "$work/$abi" --parallel "$(getconf _NPROCESSORS_ONLN)"
    run cmake --install "$work/$abi" --prefix "$work/prefix"
    runs "$abi" "$work/prefix"
    run cmake --build "$work/$abi" --target uninstall
    [ ! -e "$work/prefix" ] || die "left behind: $(find "$work/prefix")"
    ok "the tarball, by CMake, for Lua $abi"
done

# ---- Rocks

sed -e "s/^version = .*/version = \"$version-1\"/" -e "s/^  url = .*/&\n  tag = \"v$version\",/" dgram-scm-1.rockspec \
    >"$out/dgram-$version-1.rockspec"
git clone --quiet --bare "$root" "$work/repository"
git -C "$work/repository" tag -f "v$version" "$(git rev-parse HEAD)" >/dev/null
# What luarocks is told to fetch from the repository comes from the clone. luv is Debian's.
export GIT_CONFIG_COUNT=1 "GIT_CONFIG_KEY_0=url.file://$work/repository.insteadOf" "GIT_CONFIG_VALUE_0=$repository"
echo 'rocks_provided = { luv = "1.44.2-0" }' >"$work/luarocks.lua"
export LUAROCKS_CONFIG="$work/luarocks.lua"

run luarocks lint "$out/dgram-$version-1.rockspec"
(cd "$out" && run luarocks pack "dgram-$version-1.rockspec")
ok "the rockspec, and a source rock of it"
for abi in $luas; do
    rocks() {
        run luarocks --lua-version "$abi" --tree "$work/rocks" "$@"
    }
    rocks install "$out/dgram-$version-1.src.rock"
    runs "$abi" "$work/rocks"
    mkdir "$out/lua$abi"
    (cd "$out/lua$abi" && rocks pack dgram)
    rocks remove dgram
    gone "$work/rocks"
    rocks install "$out/lua$abi"/*.rock
    runs "$abi" "$work/rocks"
    rocks remove dgram
    gone "$work/rocks"
    ok "the source rock, and a binary rock of it, for Lua $abi"
done

run git clone --quiet "$repository" "$work/checkout"
(cd "$work/checkout" && run luarocks --lua-version 5.4 --tree "$work/rocks" make)
runs 5.4 "$work/rocks"
left=$(git -C "$work/checkout" status --porcelain --ignored)
[ -z "$left" ] || die "luarocks make has left: $left"
ok "luarocks make, which leaves nothing in the checkout"

# ---- Debian packages: what was built for each Lua, in one of each

projects=
for abi in $luas; do projects="$projects$work/$abi;dgram;ALL;/;"; done
(cd "$out" && run cpack --config "$work/5.4/CPackConfig.cmake" -D "CPACK_INSTALL_CMAKE_PROJECTS=$projects" -B "$work/cpack")
mv "$work/cpack"/*.deb "$out"

mkdir "$work/brought"
cp "$out"/*.deb "$work/lines.lua" "$work/brought"
cat >"$work/brought/try.sh" <<'SH'
set -eu
apt() {
    apt-get -y --no-install-recommends "$@" >/tmp/log 2>&1 || {
        cat /tmp/log
        exit 1
    }
}
apt install /srv/dgram/brought/lua-dgram_*.deb lua5.1 lua5.2 lua5.3 lua5.4 luajit
cd /
for lua in lua5.1 lua5.2 lua5.3 lua5.4 luajit; do $lua /srv/dgram/brought/lines.lua "$1"; done
apt install /srv/dgram/brought/lua-dgram-dev_*.deb gcc libc6-dev pkg-config liblua5.4-dev
# shellcheck disable=SC2046 # a list of words
gcc /srv/dgram/spec/support/static_host.c -o /tmp/host $(pkg-config --cflags --libs lua5.4-dgram lua5.4)
apt purge lua-dgram
echo 'package.preload.dgram = open_dgram; arg = { "'"$1"'" }; dofile "/srv/dgram/brought/lines.lua"' >/tmp/script.lua
/tmp/host /tmp/script.lua
apt purge lua-dgram-dev
left=$(find / -xdev -name '*dgram*' ! -path '/srv/*' ! -path '/proc/*' ! -path '/var/cache/*')
[ -z "$left" ] || {
    echo "left behind: $left"
    exit 1
}
SH
status=0
scripts/try-bare.sh --bring "$work/brought" bookworm "sh brought/try.sh $version" >"$work/log" 2>&1 || status=$?
if [ $status = 77 ]; then
    printf 'ok 1 - # SKIP the Debian packages are not tried: %s\n' "$(sed -n 's/^== bare: //p' "$work/log" | tail -n 1)"
elif [ $status = 0 ]; then
    ok "the Debian packages"
else
    cat "$work/log" >&2
    die "the Debian packages"
fi

(cd "$out" && find . -type f ! -name SHA256SUMS | sed 's,^\./,,' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
say "release: $version, in build/release"
