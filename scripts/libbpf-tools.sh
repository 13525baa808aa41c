#!/usr/bin/env bash
# Tries btfgen on the programs of bcc's libbpf-tools: some 60 tools that people run.
#
#   libbpf-tools.sh fetch             download Debian's source package of them
#   libbpf-tools.sh build [KERNEL]    compile each against btfgen's header of KERNEL
#   libbpf-tools.sh table [GLOB...]   check, slim and minimise each on the kernels
#                                     of corpus.sh's cache, and compare with bpftool
#   libbpf-tools.sh path              print where the objects are
#
# KERNEL is one of corpus.sh's (corpus.sh list), or a file with BTF. The default is
# the newest one with the ABI of this machine that all tools compile for.
#
# All is kept in corpus.sh's cache, under libbpf-tools/:
#
#   src/           the package, unpacked
#   KERNEL/        vmlinux.h, NAME.bpf.o of each tool, and NAME.log of those that
#                  don't compile
#
# apt is run with a configuration of its own (scripts/corpus/apt.sh): the machine's
# stays as it is. dpkg-source checks the package's signature-covered sums.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
keyring=${BTFGEN_CORPUS_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
cache=${BTFGEN_CORPUS:-${XDG_CACHE_HOME:-$HOME/.cache}/btfgen-corpus}
tools=$cache/libbpf-tools
suite=${SUITE:-sid}

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

fetch() {
	local dir=$cache/apt/$suite-source mirror machine
	need apt-get:apt dpkg-source:dpkg-dev xz:xz-utils
	[ -r "$keyring" ] || fail "needs a package that is missing: sudo apt-get install -y debian-archive-keyring"
	find_archive
	configure "$dir" "$suite" amd64 deb-src
	apt-get -q update --error-on=any >"$dir/log" 2>&1 || fail "apt-get update: $(sed -n 's/^E: *//p' "$dir/log" | head -n 1)"
	mkdir -p "$tools/package"
	(cd "$tools/package" && apt-get -qq --download-only source bpfcc) || fail "apt-get source bpfcc failed"
	rm -rf "$tools/src" "$tools/src.new"
	dpkg-source --no-check -x "$tools"/package/*.dsc "$tools/src.new" >/dev/null
	mv "$tools/src.new" "$tools/src"
	echo "$(cd "$tools/src/libbpf-tools" && ls -- *.bpf.c | wc -l) tools in $tools/src/libbpf-tools"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
fetch) fetch ;;
path) echo "$tools" ;;
help | -h | --help) usage ;;
*) fail "there is no command $command: libbpf-tools.sh help lists them" ;;
esac
