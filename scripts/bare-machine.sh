#!/usr/bin/env bash
# Tries the README's two commands, as they stand there, on bare machines: Debian 12
# and 13 with Go, git and make, and nothing else of what btfgen needs.
#
#   bare-machine.sh [--quick] [SUITE...]    default: bookworm trixie
#
# Each machine is a directory that debootstrap fills, with a clone of what is
# committed here; it is gone at the end. With --quick, the last command is not run:
# instead install-test-tools.sh says what it would install, and apt whether all of
# that can be had.
#
# The host gives its kernel, Go, and how it reaches the network: apt's mirrors and
# settings, proxies, certificates, and where Go gets modules from. It takes root, for
# chroot and mounts. Those are made in a namespace of their own, which goes with its
# processes, so that nothing stays mounted however this script ends.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*}

fail() {
	echo "bare-machine.sh: $*" >&2
	exit 1
}

say() { printf '== %s: %s (%s)\n' "$suite" "$*" "$(date +%H:%M:%S)"; }

# readme_commands prints the commands of the section that says how to begin, each
# in one line.
readme_commands() {
	awk '/^## / { ours = $0 == "## Two commands" } ours && sub(/^    /, "")' "$1/README.md"
}

# bootstrap DIR SUITE: installs Debian there.
bootstrap() {
	local dir=$1 suite=$2 security
	debootstrap --variant=minbase --include=ca-certificates,git,make --keyring="$keyring" "$suite" "$dir" "$mirror" >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log" >&2
		fail "debootstrap failed"
	}
	# shellcheck disable=SC2016 # apt expands it
	security=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian-Security' | sed -n 1p)
	{
		echo "deb $mirror $suite main"
		echo "deb $mirror $suite-updates main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} >"$dir/etc/apt/sources.list"
	echo "$machine" >"$dir/etc/apt/apt.conf.d/80host"
	echo force-unsafe-io >"$dir/etc/dpkg/dpkg.cfg.d/speed"
}

# equip DIR: gives it the host's Go, network and a clone.
equip() {
	local dir=$1 certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} name
	mkdir -p "$dir/usr/local/go" "$dir/root/.config/go"
	# Distributions have links in it, to directories beside it.
	tar -C "$(go env GOROOT)" -ch . | tar -C "$dir/usr/local/go" -x
	for name in GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOINSECURE; do
		echo "$name=$(go env $name)"
	done >"$dir/root/.config/go/env"
	for name in /etc/resolv.conf /etc/hosts; do
		if [ -e $name ]; then cp -L $name "$dir$name"; fi
	done
	if [ -e "$certificates" ]; then cp -L "$certificates" "$dir/etc/ssl/certs/ca-certificates.crt"; fi
	git clone -q --no-local "$top" "$dir/root/btfgen"
	mount --rbind /dev "$dir/dev"
	mount --rbind /sys "$dir/sys"
	mount -t proc proc "$dir/proc"
}

# on DIR COMMAND: runs that in the clone, with a shell, and nothing of the host's
# environment but its proxies.
on() {
	local dir=$1 name environment=()
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
		if [ -n "${!name:-}" ]; then environment+=("$name=${!name}"); fi
	done
	say "\$ $2"
	env -i "${environment[@]}" HOME=/root LANG=C.UTF-8 TERM=dumb \
		PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$dir" bash -ec "cd /root/btfgen && $2" </dev/null
}

# try DIR SUITE: the two commands on a new machine. This runs in namespaces of its
# own.
try() {
	local dir=$1 suite=$2 commands name
	# shellcheck source=scripts/corpus/apt.sh
	. "$here/corpus/apt.sh"
	keyring=${BTFGEN_CORPUS_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
	find_archive
	say "installing Debian"
	bootstrap "$dir" "$suite"
	equip "$dir"
	mapfile -t commands < <(readme_commands "$dir/root/btfgen")
	[ ${#commands[@]} = 2 ] || fail "the README has ${#commands[@]} commands to begin with, not two"
	for name in clang gcc cc bpftool; do
		if chroot "$dir" bash -c "command -v $name" >/dev/null; then fail "that machine is not bare: it has $name"; fi
	done
	if [ -n "$quick" ]; then commands[1]='scripts/install-test-tools.sh dry-run >/tmp/log || { cat /tmp/log; exit 1; }; grep "^would install" /tmp/log'; fi
	for name in "${commands[@]}"; do on "$dir" "$name" || fail "$suite: failed: $name"; done
	say "passed"
}

quick='' suites=()
for arg; do
	case $arg in
	--quick) quick=--quick ;;
	--in) # beginning of a run in namespaces: --in DIR SUITE [--quick]
		quick=${4:-}
		try "$2" "$3"
		exit
		;;
	-*) fail "there is no flag $arg: --quick is the only one" ;;
	*) suites+=("$arg") ;;
	esac
done
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)
command -v go >/dev/null || fail "there is no Go on the PATH"
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || fail "chroot and mounts take root: run it as root"
	exec sudo -n -E env "PATH=$PATH" "$0" "$@"
fi
if ! command -v debootstrap >/dev/null; then
	command -v apt-get >/dev/null || fail "debootstrap is missing: install it"
	apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends debootstrap
fi
if ! git -C "$top" diff --quiet HEAD --; then echo "what is not committed is not tried"; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/btfgen-bare.XXXXXX")
inner=
cleanup() {
	trap '' INT TERM
	if [ -n "$inner" ]; then
		# Its child is the namespace's first process, with which all others go.
		kill -KILL $(cat "/proc/$inner/task/$inner/children") 2>/dev/null || true
		wait "$inner" || true
	fi
	# Nothing is mounted there in this namespace.
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
failed=()
for suite in "${suites[@]}"; do
	# In the background, since a shell heeds signals only while it waits for that.
	unshare --mount --propagation private --pid --fork --kill-child "$0" --in "$work/$suite" "$suite" $quick &
	inner=$!
	wait $inner || failed+=("$suite")
	inner=
	rm -rf --one-file-system "${work:?}/$suite"
done
[ ${#failed[@]} = 0 ] || fail "FAILED on ${failed[*]}"
