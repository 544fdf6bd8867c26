# shellcheck shell=sh
# What the scripts share; sourced, not run. Sets `root`, the top of the checkout.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() {
    printf '== %s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 1
}

# Reads the name of a build: words joined by "-", in any order. Each of these says one thing, the rest is as usual
# (Lua 5.4, the system's cc, no sanitizer, the system's own back end, CMake):
#   lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit     the Lua it is for
#   gcc clang                                     the compiler
#   asan                                          AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan                                          ThreadSanitizer, for programs with several states (examples/host)
#   portable                                      csrc/net/os_posix.c
#   rock                                          built and installed by luarocks
# Sets build, dir, lua, interpreter, abi, compiler, sanitize, portable, rock.
read_build_name() {
    build=$1
    dir=$root/build/$build
    lua=5.4 compiler='' sanitize='' portable=OFF rock=''
    rest=$build
    [ -n "$rest" ] || die "the name of a build is empty"
    while [ -n "$rest" ]; do
        word=${rest%%-*}
        case $rest in
            *-*) rest=${rest#*-} ;;
            *) rest='' ;;
        esac
        case $word in
            lua5.[1-5]) lua=${word#lua} ;;
            luajit) lua=luajit ;;
            gcc | clang) compiler=$word ;;
            asan) sanitize='address;undefined' ;;
            tsan) sanitize=thread ;;
            portable) portable=ON ;;
            rock) rock=yes ;;
            *) die "no build '$build': words are lua5.1 to lua5.5, luajit, gcc, clang, asan, tsan, portable, rock" ;;
        esac
    done
    case $lua in
        luajit) interpreter=luajit abi=5.1 ;;
        *) interpreter=lua$lua abi=$lua ;;
    esac
}
