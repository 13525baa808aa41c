#!/usr/bin/env bash
# Sees to it that what the tests need is there: compilers, bpftool, libbpf's
# headers, shells, and what takes kernel packages apart. Installs it with apt
# where that is possible, else says what is missing and which command installs it.
#
# A clang of any version will do for work at home. With CI=true all versions
# that are promised to work must be there, and gcc for BPF.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # bpftool is there, and not in every user's PATH

have() { command -v "$1" >/dev/null; }

missing=()
need() { # need PACKAGE COMMAND...: PACKAGE is missing unless a COMMAND is there
	local package=$1 c
	shift
	for c in "$@"; do
		if have "$c"; then return; fi
	done
	missing+=("$package")
}

if [ "${CI:-}" = true ]; then
	for v in 14 16 19 22; do need "clang-$v" "clang-$v"; done
	need gcc-bpf bpf-gcc bpf-unknown-none-gcc
	need make make
else
	need clang clang clang-{14..30}
fi
need bpftool bpftool
# What the tests pack and unpack kernels with.
for c in gzip bzip2 zstd lz4 lzop cpio; do need $c $c; done
need xz-utils xz
# The shells whose completion is tried, beside bash.
for c in zsh fish; do need $c $c; done
# What reads the man pages.
need mandoc mandoc
need groff-base groff
need dpkg dpkg-deb
need binutils objcopy
need gpg gpg
need gpg-agent gpg-agent
[ -e /usr/include/bpf/bpf_helpers.h ] || missing+=(libbpf-dev)
# A program that asks libbpf is compiled and linked.
need gcc cc gcc clang
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
# Another stdint.h than glibc's and the compilers' own.
compgen -G '/usr/include/*-linux-musl/stdint.h' >/dev/null || missing+=(musl-dev)

report() { # what the tests are going to use
	local c found=()
	for c in clang clang-{14..30} bpf-gcc bpf-unknown-none-gcc; do
		if have "$c"; then found+=("$c $("$c" -dumpfullversion 2>/dev/null || "$c" -dumpversion)"); fi
	done
	found+=("$(bpftool version | sed -n 1p)")
	printf 'testing with: %s' "${found[0]}"
	printf ', %s' "${found[@]:1}"
	echo
}

if [ ${#missing[@]} -eq 0 ]; then
	report
	exit 0
fi

root=()
if [ "$(id -u)" != 0 ]; then root=(sudo -n); fi
if have apt-get && { [ ${#root[@]} -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }; then
	echo "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	"${root[@]}" apt-get -q update &&
		"${root[@]}" apt-get -q install -y --no-install-recommends "${missing[@]}" && hash -r && report && exit 0
fi

{
	echo "The tests need these Debian packages, which are missing: ${missing[*]}"
	echo "Install them with:"
	echo "    sudo apt-get update && sudo apt-get install -y ${missing[*]}"
} >&2
exit 1
