#!/bin/sh
# Tries the README's two commands on a bare machine: a minimal Debian made by debootstrap, with neither compiler nor Lua,
# and a clone of this repository's HEAD in it. Each command is timed.
#
#   scripts/try-bare.sh [--worktree] [--bring FOLDER] [--arch ARCH] [SUITE [COMMAND...]]
#
# SUITE: bookworm (the default; Debian 12), trixie (13), forky (testing; there the spec runs with Lua 5.5, too), or another.
# --arch: an architecture that this machine can run, such as i386. --worktree: the files as they are now, in place of HEAD.
# --bring: a folder that is in the clone, too, by its own name.
# COMMANDs: in place of the README's, each of which is run twice here, the second time briefly. So that a suite's Neovim is
# tried, for example (scripts/matrix.sh neovim-trixie):
#
#   scripts/try-bare.sh trixie 'scripts/setup.sh neovim &&
#       DGRAM_NO_SETUP=1 DGRAM_BUILD=luajit scripts/test.sh spec/neovim_spec.lua'
#
# Needs root, debootstrap, and the right to mount and to make namespaces; says what is missing, and ends with status 77
# then. The mirror is the one that this machine's apt uses (or DGRAM_MIRROR). The root as debootstrap made it, and the
# packages that were downloaded, are kept for the next time: in $XDG_CACHE_HOME/dgram if that is set, or else in
# build/roots (250 MB a root, 150 MB of packages). What a try adds (some 700 MB) is laid over it, and goes away with it.
set -eu
. "$(dirname -- "$0")/lib.sh"

lacks() {
    say "bare: $*"
    exit 77
}

# ---- Inside: namespaces of its own for mounts and processes, so that none outlives it. Called with the folder of this
# try, the root, the folder of packages, and the commands.

# The root with a layer over it that takes what is written; or a copy, where the system has no such mounts. Either is a
# mount itself: `ip netns` wants that of "/".
lay_over() {
    mkdir "$try/above" "$try/work" "$bare"
    if mount -t overlay overlay -o "lowerdir=$below,upperdir=$try/above,workdir=$try/work" "$bare" 2>/dev/null; then
        return
    fi
    cp -a "$below/." "$bare"
    mount --bind "$bare" "$bare"
}

inside() {
    trap 'exit 1' INT TERM HUP # a namespace's first process hears of no signal that it does not ask for
    try=$1 below=$2 debs=$3 bare=$1/debian
    shift 3
    lay_over
    mount -t proc proc "$bare/proc"
    mount --rbind /dev "$bare/dev"
    mount --bind "$debs" "$bare/var/cache/apt/archives"
    mv "$try/dgram" "$bare/srv/dgram"
    in_root() {
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
            http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" no_proxy="${no_proxy:-}" \
            CI="${CI:-}" DGRAM_SPEC_DEADLINE="${DGRAM_SPEC_DEADLINE:-}" \
            chroot "$bare" sh -c "cd /srv/dgram && $1"
    }
    in_root '! command -v cc && ! command -v make && ! command -v lua && ! command -v lua5.4' ||
        die "the new root is not bare"
    in_root 'apt-get update' >"$try/log" 2>&1 ||
        lacks "apt has no packages in the new root: $(grep '^E:' "$try/log" | head -n 1)"

    result=0
    for command in "$@"; do
        say "bare: $command"
        start=$(date +%s)
        if in_root "$command"; then verdict=well; else verdict=BADLY result=1; fi
        say "bare: $command ended $verdict after $(($(date +%s) - start)) s"
    done
    return $result
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

# ---- Outside: makes the root where there is none yet, and the clone.

worktree='' bring='' arch=''
while :; do
    case ${1:-} in
        --worktree) worktree=yes ;;
        --bring)
            bring=${2:?--bring which?}
            shift
            ;;
        --arch)
            arch=${2:?--arch which?}
            shift
            ;;
        -*) die "usage: scripts/try-bare.sh [--worktree] [--bring FOLDER] [--arch ARCH] [SUITE [COMMAND...]]" ;;
        *) break ;;
    esac
    shift
done
suite=${1:-bookworm}
case $suite in *[!a-z]*) die "'$suite' is no suite of Debian: bookworm, trixie, forky" ;; esac
if [ $# -gt 0 ]; then shift; fi
if [ $# = 0 ]; then
    set -- scripts/demo.sh scripts/demo.sh scripts/test.sh 'scripts/test.sh spec/run_spec.lua'
    if [ "$suite" = forky ]; then set -- "$@" 'DGRAM_BUILD=lua5.5 scripts/test.sh'; fi
fi

[ "$(id -u)" = 0 ] || lacks "needs root, to mount and to chroot"
for tool in apt-get dpkg; do
    command -v $tool >/dev/null 2>&1 || lacks "needs a Debian system: there is no $tool"
done
"$root/scripts/setup.sh" bare
for tool in debootstrap unshare; do
    command -v $tool >/dev/null 2>&1 || lacks "needs $tool"
done
arch=${arch:-$(dpkg --print-architecture)}

cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/dgram}
cache=${cache:-$root/build/roots}
mkdir -p "$cache"
for left in "$cache"/try.*; do # by a try that was killed
    if [ -d "$left" ] && ! kill -0 "${left##*.}" 2>/dev/null; then rm -rf --one-file-system "$left"; fi
done
try=$cache/try.$$
mkdir -m 700 "$try" # the new root has to be open to all of its users, but to nobody outside
child=''
# Ends the child. All processes of its namespaces end with it, but some time later, and may write until then.
clean_up() {
    if [ -n "$child" ]; then kill -KILL "$child" 2>/dev/null || :; fi
    for _ in 1 2 3 4 5; do
        if rm -rf --one-file-system "$try" 2>/dev/null; then return; fi
        sleep 1
    done
    say "bare: $try is left"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# Runs a command that takes long. A shell hears of a signal at once while it waits for a job in the background.
attend() {
    "$@" &
    child=$!
    ended=0
    wait "$child" || ended=$?
    child=''
    return $ended
}
in_namespaces() { attend unshare --mount --pid --fork --kill-child -- "$@"; }
mkdir "$try/probe"
in_namespaces mount -t proc proc "$try/probe" 2>"$try/log" ||
    lacks "needs the right to make namespaces and to mount: $(head -n 1 "$try/log")"

# Where apt has this machine's Debian from, whatever format its sources are written in: other suites are there, too.
# Updates for security are left out: not every mirror has them for every architecture.
mirror=${DGRAM_MIRROR:-$(apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)' \
    'Created-By: Packages' | awk '$1 == "Debian" && $2 !~ "-" && $3 == "main" { print $4; exit }')}
[ -n "$mirror" ] || lacks "apt's sources here have no Debian: set DGRAM_MIRROR"

extra=
case $mirror in *https://*) extra=--include=ca-certificates ;; esac

# A debootstrap that is older than the suite does as for sid. The root is made under another name, so that one that has
# its name is whole.
make_root() {
    script=
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
    say "bare: making a minimal $suite for $arch in $below"
    # shellcheck disable=SC2086 # an option or none, and a word or none
    if ! in_namespaces debootstrap --variant=minbase --arch="$arch" $extra "$suite" "$try/made" "$mirror" $script \
        >"$try/log" 2>&1; then
        tail -n 20 "$try/log" >&2
        lacks "debootstrap of $suite for $arch failed: $(grep '^[EW]:' "$try/log" | tail -n 1)"
    fi
    rm -f "$try/made/var/cache/apt/archives/"*.deb "$try/made/etc/apt/apt.conf.d/docker-clean"
    rm -rf "$below"
    mv "$try/made" "$below"
}

below=$cache/$suite-$arch debs=$cache/$suite-$arch.packages
mkdir -p "$debs/partial"
# Two tries at once must not make one root twice.
exec 9>"$below.lock"
if command -v flock >/dev/null 2>&1; then attend flock 9; fi
[ -d "$below" ] || make_root
exec 9>&-

# How this machine reaches the network, and packages kept. Nothing that is lost with the power is of any value.
echo "deb $mirror $suite main" >"$below/etc/apt/sources.list"
apt-config dump | grep '^Acquire::' >"$below/etc/apt/apt.conf.d/90outside" || :
printf 'Binary::apt::APT::Keep-Downloaded-Packages "true";\nAPT::Keep-Downloaded-Packages "true";\n' \
    >"$below/etc/apt/apt.conf.d/91keep"
echo force-unsafe-io >"$below/etc/dpkg/dpkg.cfg.d/unsafe-io"
cat /etc/resolv.conf >"$below/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$below/etc/hosts"
if [ -n "$extra" ] && [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cat /etc/ssl/certs/ca-certificates.crt >"$below/etc/ssl/certs/ca-certificates.crt"
fi

if [ -n "$worktree" ]; then
    mkdir "$try/dgram"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar -c --ignore-failed-read --null -T - -f -) |
        tar -x -C "$try/dgram" -f -
else
    git clone --quiet --no-hardlinks "$root" "$try/dgram"
fi
if [ -n "$bring" ]; then cp -R "$bring" "$try/dgram"; fi

in_namespaces sh "$root/scripts/try-bare.sh" --inside "$try" "$below" "$debs" "$@"
