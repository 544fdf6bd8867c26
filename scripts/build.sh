#!/bin/sh
# Builds the C core into build/NAME, installing what is missing for that; quick when nothing has changed.
#
#   scripts/build.sh [-q] [NAME...]     default: lua5.4
#
# Names: lua5.5, lua5.4, lua5.3, lua5.2, lua5.1, luajit, asan, tsan, portable, clang, rock, or several of these words joined, as
# in clang-asan, luajit-portable (scripts/lib.sh explains them). -q: silent unless it fails.
# In CI (the variable CI is set) warnings are errors.
set -eu
. "$(dirname -- "$0")/lib.sh"

quiet=
if [ "${1:-}" = -q ]; then
    quiet=yes
    shift
fi

run_logged() {
    if ! "$@" >"$dir/build.log" 2>&1; then
        cat "$dir/build.log" >&2
        die "building $build failed"
    fi
    grep -A 4 'warning: ' "$dir/build.log" >&2 || :
}

with_cmake() {
    set -- -S "$root" -B "$dir" "-DDGRAM_LUA=$lua" "-DDGRAM_PORTABLE=$portable" "-DDGRAM_SANITIZE=$sanitize"
    if [ -n "$sanitize" ]; then
        set -- "$@" -DCMAKE_BUILD_TYPE=Debug '-DCMAKE_C_FLAGS_DEBUG=-O1 -g'
    fi
    if [ -n "$compiler" ]; then set -- "$@" "-DCMAKE_C_COMPILER=$compiler"; fi
    if [ -n "${CI:-}" ]; then set -- "$@" -DDGRAM_WERROR=ON; fi

    if [ ! -e "$dir/configured" ] || [ "$(cat "$dir/configured")" != "$*" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        run_logged cmake "$@"
        printf '%s\n' "$*" >"$dir/configured"
    fi
    run_logged cmake --build "$dir" --parallel "$(getconf _NPROCESSORS_ONLN)"
}

with_luarocks() {
    cc=${compiler:-gcc} flags='-O2 -fPIC'
    if [ -n "${CI:-}" ]; then flags="$flags -Wall -Wextra -Werror"; fi

    cd "$root"
    if [ -e "$dir/built" ] && [ "$(cat "$dir/built")" = "$cc $flags" ] &&
        [ -z "$(find csrc lua dgram-scm-1.rockspec -newer "$dir/built" | head -n 1)" ]; then
        return
    fi
    rm -rf "$dir"
    mkdir -p "$dir"
    printf '%s\n' "$cc $flags" >"$dir/started"
    run_logged luarocks --lua-version "$abi" make --tree "$dir/tree" --deps-mode none dgram-scm-1.rockspec \
        "CC=$cc" "LD=$cc" "CFLAGS=$flags"
    mv "$dir/started" "$dir/built"
}

if [ $# = 0 ]; then set -- lua5.4; fi
for name in "$@"; do
    read_build_name "$name"
    "$root/scripts/setup.sh" build "$build"
    mkdir -p "$root/build"
    # Two examples started at once must not build at once.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$root/build/lock"
        flock 9
    fi
    if [ -z "$quiet" ] || [ ! -d "$dir" ]; then say "build: build/$build"; fi
    if [ -n "$rock" ]; then with_luarocks; else with_cmake; fi
done
