#!/bin/sh
# Tries the README's two commands on a bare machine: a minimal Debian 12, made by debootstrap in a temporary folder,
# with neither compiler nor Lua, and a clone of this repository's HEAD in it. Each command runs twice, and is timed. Then
# the folder goes away. Needs root, debootstrap, and about 1.5 GB below TMPDIR; the mirror is the one that this machine's
# apt uses (or DGRAM_MIRROR).
#
#   scripts/try-bare.sh [--worktree] [COMMAND...]
#
# --worktree: the files as they are now, in place of HEAD. COMMANDs: in place of scripts/demo.sh and scripts/test.sh.
set -eu
. "$(dirname -- "$0")/lib.sh"

suite=bookworm

# ---- Inside: a mount namespace of its own, so that no mount outlives it. Called with the new root and the commands.

inside() {
    bare=$1
    shift
    mount -t proc proc "$bare/proc"
    mount --rbind /dev "$bare/dev"
    in_root() {
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
            http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" no_proxy="${no_proxy:-}" \
            chroot "$bare" sh -c "cd /srv/dgram && $1"
    }
    in_root '! command -v cc && ! command -v make && ! command -v lua && ! command -v lua5.4' ||
        die "the new root is not bare"

    result=0
    for round in first second; do
        for command in "$@"; do
            say "bare: $command, the $round time"
            start=$(date +%s)
            if in_root "$command"; then verdict=well; else verdict=BADLY result=1; fi
            say "bare: $command ended $verdict after $(($(date +%s) - start)) s"
        done
    done
    return $result
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

# ---- Outside: makes the root, and removes it.

[ "$(id -u)" = 0 ] || die "needs root"
command -v debootstrap >/dev/null 2>&1 || die "needs debootstrap"

worktree=
if [ "${1:-}" = --worktree ]; then
    worktree=yes
    shift
fi
if [ $# = 0 ]; then set -- scripts/demo.sh scripts/test.sh; fi

# "URI SUITE COMPONENT" lines, whatever format the sources are written in.
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suite="$suite" '$2 == suite || index($2, suite "-") == 1' | sort -u)
mirror=${DGRAM_MIRROR:-$(printf '%s\n' "$sources" | awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')}
[ -n "$mirror" ] || die "apt's sources here have no $suite: set DGRAM_MIRROR"
[ -n "$sources" ] || sources="$mirror $suite main"

work=$(mktemp -d "${TMPDIR:-/tmp}/dgram-bare.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM HUP
bare=$work/debian # the new root; it has to be open to all of its users, but to nobody outside
mkdir -m 755 "$bare"

extra=
case $sources in *https://*) extra=--include=ca-certificates ;; esac
say "bare: making a minimal $suite in $bare"
# shellcheck disable=SC2086 # an option or none
if ! debootstrap --variant=minbase $extra "$suite" "$bare" "$mirror" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    die "debootstrap failed"
fi

# How this machine reaches the network.
printf '%s\n' "$sources" | sed 's/^/deb /' >"$bare/etc/apt/sources.list"
apt-config dump | grep '^Acquire::' >"$bare/etc/apt/apt.conf.d/90outside" || :
cat /etc/resolv.conf >"$bare/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$bare/etc/hosts"
if [ -n "$extra" ] && [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cat /etc/ssl/certs/ca-certificates.crt >"$bare/etc/ssl/certs/ca-certificates.crt"
fi

if [ -n "$worktree" ]; then
    mkdir "$bare/srv/dgram"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar -c --ignore-failed-read --null -T - -f -) |
        tar -x -C "$bare/srv/dgram" -f -
else
    git clone --quiet --no-hardlinks "$root" "$bare/srv/dgram"
fi

unshare --mount -- sh "$root/scripts/try-bare.sh" --inside "$bare" "$@"
