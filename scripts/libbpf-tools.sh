#!/usr/bin/env bash
# Keeps a cache of the BPF objects of bcc's libbpf-tools, programs that people
# run, to try btfgen on:
#
#   libbpf-tools.sh fetch    download Debian's package of them, and its source
#   libbpf-tools.sh path     print where the cache is
#
# All is kept in corpus.sh's cache, under libbpf-tools/:
#
#   objects/       NAME.bpf.o of each tool, as Debian compiled it
#   src/           the source package, unpacked, if the archive has it
#
# They are those of Debian's suite $SUITE, trixie if it is not set. apt is run with a
# configuration of its own (scripts/corpus/apt.sh): the machine's stays as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
keyring=${BTFGEN_CORPUS_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
cache=${BTFGEN_CORPUS:-${XDG_CACHE_HOME:-$HOME/.cache}/btfgen-corpus}
tools=$cache/libbpf-tools
suite=${SUITE:-trixie}

fail() {
	echo "libbpf-tools.sh: $*" >&2
	exit 1
}

. "$here/corpus/apt.sh"

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }

need() { # need COMMAND:PACKAGE...
	local each missing=()
	for each; do
		command -v "${each%:*}" >/dev/null || missing+=("${each#*:}")
	done
	[ ${#missing[@]} = 0 ] || fail "needs packages that are missing: sudo apt-get install -y ${missing[*]}"
}

# update TYPE: has apt read the lists of packages (deb) or sources (deb-src).
update() {
	local dir=$cache/apt/$suite-tools-$1
	configure "$dir" "$suite" amd64 "$1"
	apt-get -q update --error-on=any >"$dir/log" 2>&1 || fail "apt-get update: $(sed -n 's/^E: *//p' "$dir/log" | sed -n 1p)"
}

fetch() {
	local mirror machine
	need apt-get:apt dpkg-deb:dpkg dpkg-source:dpkg-dev xz:xz-utils go:golang-go
	[ -r "$keyring" ] || fail "needs a package that is missing: sudo apt-get install -y debian-archive-keyring"
	find_archive
	rm -rf "$tools"/*.new
	mkdir -p "$tools/package.new" "$tools/objects.new"

	update deb
	(cd "$tools/package.new" && apt-get -qq download libbpf-tools) || fail "apt-get download libbpf-tools failed"
	dpkg-deb -x "$tools"/package.new/libbpf-tools_*.deb "$tools/package.new/files"
	(cd "$here/.." && go run ./scripts/libbpftools "$tools/objects.new" "$tools"/package.new/files/usr/sbin/*)
	rm -rf "$tools/objects" && mv "$tools/objects.new" "$tools/objects"
	echo "$(find "$tools/objects" -name '*.bpf.o' | wc -l) objects in $tools/objects"

	update deb-src
	if (cd "$tools/package.new" && apt-get -qq --download-only source bpfcc); then
		dpkg-source --no-check -x "$tools"/package.new/*.dsc "$tools/src.new" >/dev/null # apt has checked it
		rm -rf "$tools/src" && mv "$tools/src.new" "$tools/src"
		echo "$(find "$tools/src/libbpf-tools" -name '*.bpf.c' | wc -l) sources in $tools/src/libbpf-tools"
	else
		echo "libbpf-tools.sh: the archive has no source package to download: there are the compiled objects alone" >&2
	fi
	rm -rf "$tools/package.new"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
fetch) fetch ;;
path) echo "$tools" ;;
help | -h | --help) usage ;;
*) fail "there is no command $command: libbpf-tools.sh help lists them" ;;
esac
