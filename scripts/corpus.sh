#!/usr/bin/env bash
# Keeps a cache of real kernels' BTF, from Debian's packages:
#
#   corpus.sh fetch [GLOB...]   download what the cache lacks and pull out its BTF
#   corpus.sh list              show the kernels in the cache
#   corpus.sh path [KERNEL]     print where the cache is, or a kernel in it
#
# GLOB chooses among SUITE/PACKAGE (corpus.sh help lists them): 'sid/*',
# '*/linux-image-s390x'. Without one, fetch takes them all.
#
# The cache is $BTFGEN_CORPUS, else btfgen-corpus in $XDG_CACHE_HOME or ~/.cache:
#
#   debs/                        the packages
#   kernels/KERNEL/vmlinux.btf   the kernel's BTF
#   kernels/KERNEL/modules/      NAME.btf of each module that has BTF
#   kernels/KERNEL/package       the file names of its packages
#   kernels/KERNEL/manifest      sha256sum -c reads it in that directory
#   apt/SUITE-ARCH/              apt's configuration, lists and state
#
# apt is run with that configuration alone: the machine's own packages, lists and
# sources stay as they are. Packages come from the mirror that the machine is
# configured for, or from $BTFGEN_CORPUS_MIRROR, and apt checks their signatures
# with Debian's keyring, or that in $BTFGEN_CORPUS_KEYRING.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
keyring=${BTFGEN_CORPUS_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
cache=${BTFGEN_CORPUS:-${XDG_CACHE_HOME:-$HOME/.cache}/btfgen-corpus}

suites=(bookworm bookworm-backports trixie trixie-backports sid)
# Debian's architecture, and the metapackage that depends on its newest kernel.
packages=(
	"amd64 linux-image-amd64"
	"amd64 linux-image-cloud-amd64"
	"arm64 linux-image-arm64"
	"arm64 linux-image-cloud-arm64"
	"s390x linux-image-s390x"
	"ppc64el linux-image-powerpc64le"
	"riscv64 linux-image-riscv64"
)

. "$here/corpus/apt.sh"

fail() {
	echo "corpus.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	echo
	echo "GLOB can choose among:"
	local suite package
	for suite in "${suites[@]}"; do
		for package in "${packages[@]}"; do echo "  $suite/${package#* }"; done
	done
}

check_tools() {
	local need missing=()
	for need in apt-get:apt dpkg-deb:dpkg flock:util-linux readelf:binutils bzip2:bzip2 gzip:gzip lz4:lz4 xz:xz-utils zstd:zstd; do
		command -v "${need%:*}" >/dev/null || missing+=("${need#*:}")
	done
	[ -r "$keyring" ] || missing+=(debian-archive-keyring)
	[ ${#missing[@]} = 0 ] || fail "needs packages that are missing: sudo apt-get install -y ${missing[*]}"
}

# kernel_packages METAPACKAGE: the packages that it depends on and that hold a
# kernel, its modules or its configuration. They are one up to Linux 6.12 and
# several in 7.2.
kernel_packages() {
	local seen=" $1 " queue=("$1") package
	while [ ${#queue[@]} -gt 0 ]; do
		while read -r package; do
			if [[ $seen == *" $package "* ]]; then continue; fi
			seen+="$package "
			queue+=("$package")
			if [[ $package =~ ^linux-[a-z]+-[0-9] ]]; then echo "$package"; fi
		done < <(apt-cache depends --important "${queue[0]}" | sed -nE 's/^ *\|?(Pre)?Depends: (linux-(image|binary|modules|base)-.*)/\2/p')
		queue=("${queue[@]:1}")
	done
}

# reason LOG: apt's complaint in one line.
reason() { sed -n 's/^E: *//p' "$1" | sed -n 1p | sed 's/ *\[IP:.*//'; }

say() { echo "corpus.sh: $*" >&2; }

# get METAPACKAGE: sees to it that the cache holds the kernel that this package
# of the configured suite depends on. Sets kernel where it does; remark where
# there is none to be had; problem where something failed.
get() {
	local dir names files image found status
	dir=$(dirname "$APT_CONFIG")
	if ! apt-cache show "$1" >/dev/null 2>&1; then
		remark="not in this suite"
		return
	fi
	mapfile -t names < <(kernel_packages "$1")
	image=$(printf '%s\n' "${names[@]}" | grep -m 1 '^linux-image-') || {
		problem="$1 depends on no kernel image"
		return
	}
	# Lines of: 'URL' FILE SIZE SHA256:SUM
	if ! apt-get -qq download --print-uris "${names[@]}" >"$dir/uris" 2>"$dir/log"; then
		problem=$(reason "$dir/log")
		return
	fi
	sed -E "s/^'.*' ([^ ]+) [0-9]+ SHA256:([0-9a-f]{64})$/\2  \1/" "$dir/uris" | sort -k 2 >"$dir/sums"
	mapfile -t files < <(cut -d ' ' -f 3 "$dir/sums")

	found=${image#linux-image-}
	if [ -e "$cache/kernels/$found/manifest" ] && cmp -s "$cache/kernels/$found/package" <(printf '%s\n' "${files[@]}"); then
		kernel=$found
		return
	fi
	if ! download "$dir" "${names[@]}"; then
		problem=$(reason "$dir/log")
		return
	fi
	say "unpacking $found"
	status=0
	unpack "$found" "${files[@]}" 2>"$dir/log" || status=$?
	case $status in
	0)
		cat "$dir/log" >&2
		kernel=$found
		;;
	3) remark=$(tail -n 1 "$dir/log") ;;
	*) problem=$(tail -n 1 "$dir/log") ;;
	esac
	remark=${remark#extract.sh: }
	problem=${problem#extract.sh: }
}

# download DIR PACKAGE...: brings the files that DIR/sums lists to the cache.
# An interrupted download goes on where it was.
download() {
	local dir=$1
	shift
	mkdir -p "$cache/debs/partial"
	if (cd "$cache/debs" && sha256sum --check --status "$dir/sums" 2>/dev/null); then return; fi
	say "downloading $*"
	(cd "$cache/debs/partial" && apt-get -qq download "$@" && sha256sum --check --quiet "$dir/sums") >"$dir/log" 2>&1 || return
	cut -d ' ' -f 3 "$dir/sums" | while read -r file; do mv "$cache/debs/partial/$file" "$cache/debs/$file"; done
}

# unpack KERNEL DEB...: makes the kernel's directory. It gets its name when all
# is in it. The status is that of extract.sh.
unpack() {
	local name=$1 tmp deb status old=()
	shift
	mkdir -p "$cache/kernels"
	tmp=$(mktemp -d "$cache/kernels/.new.XXXXXX") || return
	"$here/corpus/extract.sh" "$tmp" "${@/#/$cache/debs/}" || {
		status=$?
		rm -rf "$tmp"
		return $status
	}
	printf '%s\n' "$@" >"$tmp/package" || return
	(cd "$tmp" && find vmlinux.btf modules -name '*.btf' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >manifest) || return
	(cd "$tmp" && sha256sum "${@/#/../../debs/}" >>manifest) || return
	chmod 755 "$tmp" || return
	# The same kernel release, built again with another Debian version.
	if [ -e "$cache/kernels/$name/package" ]; then mapfile -t old <"$cache/kernels/$name/package"; fi
	rm -rf "${cache:?}/kernels/$name" && mv "$tmp" "$cache/kernels/$name" || return
	for deb in "${old[@]}"; do
		if [[ " $* " != *" $deb "* ]]; then rm -f "$cache/debs/$deb"; fi
	done
}

# sizes KERNEL: what is in the cache of it: Debian's version and architecture,
# BTF of the kernel, number of modules with BTF, BTF of the modules, packages;
# sizes in kB.
sizes() {
	local dir=$cache/kernels/$1 debs version
	mapfile -t debs <"$dir/package"
	version=${debs[0]#*_}
	version=${version%.deb}
	echo "${version%_*}" "${version##*_}" \
		"$(du -k --apparent-size "$dir/vmlinux.btf" | cut -f 1)" \
		"$(find "$dir/modules" -name '*.btf' | wc -l)" \
		"$(find "$dir/modules" -name '*.btf' -printf '%s\n' | awk '{ n += $1 } END { print int((n + 1023) / 1024) }')" \
		"$(cd "$cache/debs" && du -ck --apparent-size "${debs[@]}" | tail -n 1 | cut -f 1)"
}

fetch() {
	local globs=("$@") suite row arch package failed=0 chosen=0 updated kernel remark problem mirror machine
	check_tools
	find_archive
	mkdir -p "$cache"
	exec 8>"$cache/lock"
	flock -n 8 || fail "another fetch is at work on $cache: wait for it"
	rm -rf "$cache"/kernels/.new.*

	local table=()
	for suite in "${suites[@]}"; do
		updated=
		for row in "${packages[@]}"; do
			read -r arch package <<<"$row"
			wanted "$suite/$package" "${globs[@]}" || continue
			chosen=$((chosen + 1))
			kernel='' remark='' problem=''
			if [ "$updated" != "$arch" ]; then
				configure "$cache/apt/$suite-$arch" "$suite" "$arch"
				updated=$arch
				if ! apt-get -q update --error-on=any >"$cache/apt/$suite-$arch/log" 2>&1; then
					problem=$(reason "$cache/apt/$suite-$arch/log")
					updated=
					problem=${problem:-apt-get update failed}
				fi
			fi
			[ -n "$problem" ] || get "$package"
			rm -f "$cache/apt/$suite-$arch"/*.bin # apt's index of its lists, 80 MB
			if [ -n "$kernel" ]; then
				table+=("$suite $package $kernel $(sizes "$kernel")")
			elif [ -n "$remark" ]; then
				table+=("$suite $package - $remark")
			else
				failed=$((failed + 1))
				table+=("$suite $package - FAILED: ${problem:-see $cache/apt/$suite-$arch/log}")
			fi
		done
	done
	[ $chosen -gt 0 ] || fail "no package matches ${globs[*]}: corpus.sh help lists them"
	{
		printf '%-18s %-24s %-28s %-20s %8s %8s %12s %11s\n' suite package kernel version 'BTF, kB' modules 'their BTF' packages
		printf '%s\n' "${table[@]}" | while read -r suite package row; do
			case $row in
			-*) printf '%-18s %-24s %s\n' "$suite" "$package" "$row" ;;
			*)
				read -ra row <<<"$row"
				printf '%-18s %-24s %-28s %-20s %8s %8s %12s %11s\n' "$suite" "$package" "${row[@]:0:2}" "${row[@]:3}"
				;;
			esac
		done
	}
	[ $failed = 0 ] || fail "$failed of $chosen failed"
}

# wanted NAME [GLOB...]: is it chosen by one of the patterns, or are there none?
wanted() {
	local name=$1 glob
	shift
	[ $# -gt 0 ] || return 0
	for glob; do
		# shellcheck disable=SC2053 # it is a pattern
		if [[ $name == $glob ]]; then return 0; fi
	done
	return 1
}

list() {
	local dir
	printf '%-28s %-20s %-8s %8s %8s %12s %11s\n' kernel version arch 'BTF, kB' modules 'their BTF' packages
	for dir in "$cache"/kernels/*/; do
		[ -e "$dir/manifest" ] || fail "there is no kernel in $cache: run corpus.sh fetch"
		dir=$(basename "$dir")
		# shellcheck disable=SC2046,SC2183 # sizes prints six words
		printf '%-28s %-20s %-8s %8s %8s %12s %11s\n' "$dir" $(sizes "$dir")
	done
}

path() {
	if [ $# = 0 ]; then
		echo "$cache"
	elif [ -e "$cache/kernels/$1/manifest" ]; then
		echo "$cache/kernels/$1"
	else
		fail "there is no kernel $1 in $cache: corpus.sh list shows which there are, corpus.sh fetch gets them"
	fi
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
fetch) fetch "$@" ;;
list) list ;;
path) path "$@" ;;
help | -h | --help) usage ;;
*) fail "there is no command $command: corpus.sh help lists them" ;;
esac
