#!/usr/bin/env bash
# Keeps a cache of the BPF objects of bcc's libbpf-tools, programs that people
# run, to try btfgen on:
#
#   libbpf-tools.sh fetch                      download Debian's package of them, and its source
#   libbpf-tools.sh path                       print where the cache is
#   libbpf-tools.sh table [FLAG]... KERNEL...  compile them with btfgen's headers of those kernels,
#                                              check, slim and minimise them; table -h lists the flags
#   libbpf-tools.sh versus [FLAG]... KERNEL... compile them and the kernel's tests with btfgen's header
#                                              and bpftool's, and compare; "running" is a kernel too
#
# All is kept in corpus.sh's cache, under libbpf-tools/:
#
#   objects/       NAME.bpf.o of each tool, as Debian compiled it
#   src/           the source package, unpacked
#   include/       libbpf's headers for BPF programs
#   selftests/     V/ of each kernel version: its tests and examples
#   */FROM         the package, and its suite
#
# Objects are those of Debian's suite $SUITE, trixie if it is not set; sources too, if
# the mirror has them all, or else of another suite. libbpf's headers are the newest.
# apt is run with a configuration of its own (scripts/corpus/apt.sh): the machine's
# stays as it is.
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

# update SUITE TYPE: has apt use a suite, and read its lists of packages (deb) or
# sources (deb-src).
update() {
	local dir=$cache/apt/$1-tools-$2
	configure "$dir" "$1" amd64 "$2"
	apt-get -q update --error-on=any >"$dir/log" 2>&1 || {
		echo "libbpf-tools.sh: $1: apt-get update: $(sed -n 's/^E: *//p' "$dir/log" | sed -n 1p)" >&2
		return 1
	}
}

# download DIR COMMAND...: runs it in DIR, which is empty at first, and stays silent
# about what it could not have.
download() {
	rm -rf "$1" && mkdir -p "$1"
	(cd "$1" && "${@:2}") >/dev/null 2>&1
}

# fetch_objects: what Debian compiled.
fetch_objects() {
	update "$suite" deb || exit 1
	download "$tools/package.new" apt-get -qq download libbpf-tools || fail "apt-get download libbpf-tools failed in $suite"
	dpkg-deb -x "$tools"/package.new/libbpf-tools_*.deb "$tools/package.new/files"
	mkdir -p "$tools/objects.new"
	(cd "$here/.." && go run ./scripts/libbpftools extract "$tools/objects.new" "$tools"/package.new/files/usr/sbin/*)
	took objects "$(basename "$tools"/package.new/libbpf-tools_*.deb), $suite" "$(find "$tools/objects.new" -name '*.bpf.o' | wc -l) objects"
}

# fetch_source: the source package of the first suite that the mirror has all of,
# or else as it came from its authors, without what Debian adds. apt checks either
# against the signed lists.
fetch_source() {
	local each what
	for each in $(suites "$suite" trixie forky sid bookworm); do
		update "$each" deb-src || continue
		if download "$tools/package.new" apt-get -qq --download-only source bpfcc; then
			what=$(basename "$tools"/package.new/*.dsc)
			dpkg-source --no-check -x "$tools"/package.new/*.dsc "$tools/src.new" >/dev/null # apt has checked it
		elif download "$tools/package.new" apt-get -qq --download-only --tar-only source bpfcc; then
			what=$(basename "$tools"/package.new/*.tar.*)
			mkdir -p "$tools/src.new"
			tar -C "$tools/src.new" --strip-components=1 -xf "$tools/package.new/$what"
		else
			echo "libbpf-tools.sh: $each: the mirror does not have all of the source package bpfcc" >&2
			continue
		fi
		took src "$what, $each" "$(find "$tools/src.new/libbpf-tools" -name '*.bpf.c' | wc -l) sources"
		return
	done
	fail "no suite has a source package bpfcc that can be downloaded"
}

# fetch_libbpf: the newest headers of libbpf, which the sources are written for.
fetch_libbpf() {
	local each
	for each in $(suites sid forky trixie "$suite"); do
		if update "$each" deb && download "$tools/package.new" apt-get -qq download libbpf-dev; then
			dpkg-deb -x "$tools"/package.new/libbpf-dev_*.deb "$tools/package.new/files"
			mkdir -p "$tools/include.new"
			mv "$tools/package.new/files/usr/include/bpf" "$tools/include.new/"
			took include "$(basename "$tools"/package.new/*.deb), $each" "$(find "$tools/include.new" -name '*.h' | wc -l) headers"
			return
		fi
		echo "libbpf-tools.sh: $each: the mirror does not have libbpf-dev" >&2
	done
	fail "no suite has a package libbpf-dev that can be downloaded"
}

# fetch_selftests: the kernel's own tests and examples, of the source packages that
# the suites have, each version once. Some 500 of those programs are for vmlinux.h.
# tools/sched_ext came with 6.12: its pattern also fits tools/scripts, which every
# kernel has, for tar fails on one that fits nothing.
fetch_selftests() {
	local each package version from=()
	mkdir -p "$tools/selftests.new"
	for each in $(suites bookworm "$suite" sid); do
		update "$each" deb || continue
		package=$(apt-cache depends linux-source | sed -n 's/^ *Depends: \(linux-source-[0-9.]*\)$/\1/p' | sed -n 1p)
		version=${package#linux-source-}
		[ -n "$package" ] && [ ! -e "$tools/selftests.new/$version" ] || continue
		if ! download "$tools/package.new" apt-get -qq download "$package"; then
			echo "libbpf-tools.sh: $each: the mirror does not have $package" >&2
			continue
		fi
		mkdir -p "$tools/selftests.new/$version"
		dpkg-deb --fsys-tarfile "$tools"/package.new/*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
			tar -xJ -C "$tools/selftests.new/$version" --strip-components=1 --wildcards \
				'*/tools/testing/selftests/bpf/*' '*/tools/sc*/*' '*/tools/include/*' '*/samples/bpf/*'
		from+=("$(basename "$tools"/package.new/*.deb), $each")
	done
	[ ${#from[@]} -gt 0 ] || fail "no suite has the kernel's source, package linux-source"
	took selftests "$(printf '%s; ' "${from[@]}")" "$(find "$tools/selftests.new" -path '*/progs/*.c' | wc -l) programs"
}

# suites NAME...: each of them once, in that order.
suites() { printf '%s\n' "$@" | awk '!seen[$0]++'; }

# took NAME FROM WHAT: puts NAME.new into NAME's place, and says so.
took() {
	rm -rf "${tools:?}/$1" && mv "$tools/$1.new" "$tools/$1"
	echo "$2" >"$tools/$1/FROM"
	echo "$3 in $tools/$1, from $2"
}

fetch() {
	local mirror machine
	need apt-get:apt dpkg-deb:dpkg dpkg-source:dpkg-dev xz:xz-utils go:golang-go
	[ -r "$keyring" ] || fail "needs a package that is missing: sudo apt-get install -y debian-archive-keyring"
	find_archive
	rm -rf "$tools"/*.new
	fetch_objects
	fetch_source
	fetch_libbpf
	fetch_selftests
	rm -rf "$tools/package.new"
}

# table [FLAG...] [KERNEL...]: see scripts/libbpftools.
table() {
	[ -d "$tools/src" ] || fail "there are no sources yet: libbpf-tools.sh fetch gets them"
	cd "$here/.."
	exec go run ./scripts/libbpftools table -cache "$cache" "$@"
}

# versus [FLAG...] KERNEL...: see scripts/libbpftools.
versus() {
	[ -d "$tools/src" ] || fail "there are no sources yet: libbpf-tools.sh fetch gets them"
	cd "$here/.."
	exec go run ./scripts/libbpftools versus -cache "$cache" "$@"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
fetch) fetch ;;
path) echo "$tools" ;;
table) table "$@" ;;
versus) versus "$@" ;;
help | -h | --help) usage ;;
*) fail "there is no command $command: libbpf-tools.sh help lists them" ;;
esac
