#!/usr/bin/env bash
# Sees to it that what the tests need is there: compilers, bpftool, libbpf's
# headers, shells, and what takes kernel packages apart. It is the same on every
# machine.
#
#   install-test-tools.sh            install what is missing with apt, where that can
#                                    be used, else say what it is and exit with 1
#   install-test-tools.sh dry-run    say what apt would install, and install nothing
#   install-test-tools.sh untested   say, in one line, which of the promised compilers
#                                    are not here; with CI=true that is a failure
#
# btfgen is promised to work with the versions of clang that are below. Distributions
# have others: of those promised the tests take what apt has, and beside them the
# oldest and the newest of all that apt has from the first promised one on.
set -euo pipefail
promised=(14 16 19 22)
files=${TEST_TOOLS_FILES:-} # a directory to look for files in instead of /, for this script's own test
PATH=$PATH:/usr/sbin:/sbin  # bpftool is there, and not in every user's PATH

# What the tests call, and the package that has it. "a,b" is either of two commands,
# /... a file, of which * matches a part; "-" says that the distribution has no such
# package, or that it is its C library.
#   wanted                          Debian     Fedora                Arch       Alpine
tools='
    bash                            bash       bash                  bash       bash
    make                            make       make                  make       make
    bpf-gcc,bpf-unknown-none-gcc    gcc-bpf    gcc-bpf-unknown-none  -          -
    gcc                             gcc        gcc                   gcc        gcc
    /usr/include/stdio.h            libc6-dev  glibc-devel           glibc      musl-dev
    /usr/include/bpf/bpf_helpers.h  libbpf-dev libbpf-devel          libbpf     libbpf-dev
    /usr/include/*-linux-musl/stdint.h,/usr/*-linux-musl/include/stdint.h,/usr/lib/musl/include/stdint.h \
                                    musl-dev   musl-devel            musl       -
    bpftool                         bpftool    bpftool               bpf        bpftool
    objcopy                         binutils   binutils              binutils   binutils
    gzip                            gzip       gzip                  gzip       gzip
    bzip2                           bzip2      bzip2                 bzip2      bzip2
    xz                              xz-utils   xz                    xz         xz
    zstd                            zstd       zstd                  zstd       zstd
    lz4                             lz4        lz4                   lz4        lz4
    lzop                            lzop       lzop                  lzop       lzop
    cpio                            cpio       cpio                  cpio       cpio
    find                            findutils  findutils             findutils  findutils
    tar                             tar        tar                   tar        tar
    zsh                             zsh        zsh                   zsh        zsh
    fish                            fish       fish                  fish       fish
    apt-get                         apt        apt                   apt        apt
    dpkg-deb                        dpkg       dpkg                  dpkg       dpkg
    gpg                             gpg        gnupg2                gnupg      gnupg
    gpg-agent                       gpg-agent  gnupg2                gnupg      gnupg
    mandoc                          mandoc     mandoc                mandoc     mandoc
    groff                           groff-base groff-base            groff      groff
    flock                           util-linux util-linux            util-linux flock
'

fail() {
	echo "install-test-tools.sh: $*" >&2
	exit 1
}

have() { command -v "$1" >/dev/null; }

# is_there WANTED, as the table has it.
is_there() {
	local c each
	IFS=, read -ra each <<<"$1"
	for c in "${each[@]}"; do
		if [[ $c != /* ]]; then
			if have "$c"; then return; fi
		elif compgen -G "$files$c" >/dev/null; then
			return
		fi
	done
	return 1
}

# installed_clangs prints the major versions that run under the names by which
# the tests look for them, 14 and up.
installed_clangs() {
	local c
	for c in clang clang-{14..99}; do
		if have "$c"; then "$c" --version 2>/dev/null | sed -nE 's/.*clang version ([0-9]+)\..*/\1/p'; fi
	done | awk -v first="${promised[0]}" '$1 >= first' | sort -nu
}

# wanted_clangs [HAS...]: of those versions the ones that the tests take.
wanted_clangs() {
	if [ $# = 0 ]; then return; fi
	{
		printf '%s\n' "$@" | sort -n | sed -n '1p;$p'
		printf '%s\n' "$@" "${promised[@]}" | sort -n | uniq -d
	} | sort -nu
}

# find_missing COLUMN sets missing to the packages that are, by their names there,
# and too_few to what is wrong where apt has less than two versions of clang.
find_missing() {
	local column=$1 row here known v
	missing=() too_few=
	mapfile -t here < <(installed_clangs)
	if [ "$column" = 1 ]; then
		mapfile -t known < <({
			printf '%s\n' "${here[@]}"
			if have apt-cache; then
				apt-cache search --names-only '^clang-[0-9]+$' | sed -nE 's/^clang-([0-9]+) .*/\1/p'
			fi
		} | awk -v first="${promised[0]}" '$1 >= first' | sort -nu)
		for v in $(wanted_clangs "${known[@]}"); do
			if [[ " ${here[*]} " != *" $v "* ]]; then missing+=("clang-$v"); fi
		done
		if [ ${#known[@]} -lt 2 ]; then
			too_few="The tests need two versions of clang, from ${promised[0]} on, and apt knows of ${known[*]:-none}"
		fi
	elif [ ${#here[@]} = 0 ]; then
		missing+=(clang)
	fi
	while read -a row; do # with a backslash, a row goes on in the next line
		if [ ${#row[@]} != 0 ] && [ "${row[column]}" != - ] && ! is_there "${row[0]}"; then missing+=("${row[column]}"); fi
	done <<<"$tools"
	if [ ${#missing[@]} -gt 0 ]; then
		mapfile -t missing < <(printf '%s\n' "${missing[@]}" | awk '!seen[$0]++')
	fi
}

is_complete() { [ ${#missing[@]} = 0 ] && [ -z "$too_few" ]; }

report() { # what the tests are going to use
	local c found=()
	for c in clang clang-{14..99} bpf-gcc bpf-unknown-none-gcc; do
		if have "$c"; then found+=("$c $("$c" -dumpfullversion 2>/dev/null || "$c" -dumpversion)"); fi
	done
	found+=("$(bpftool version | sed -n 1p)")
	printf 'testing with: %s' "${found[0]}"
	printf ', %s' "${found[@]:1}"
	echo
}

# untested says which promised compilers the tests did without.
untested() {
	local v here lacks=()
	here=" $(installed_clangs | tr '\n' ' ')"
	for v in "${promised[@]}"; do
		if [[ $here != *" $v "* ]]; then lacks+=("clang $v"); fi
	done
	is_there bpf-gcc,bpf-unknown-none-gcc || lacks+=("gcc for BPF")
	if [ ${#lacks[@]} = 0 ]; then return; fi
	printf 'NOT TESTED with %s' "${lacks[0]}"
	[ ${#lacks[@]} = 1 ] || printf ', %s' "${lacks[@]:1}"
	echo " (promised to work, but not on this machine)"
	[ "${CI:-}" != true ]
}

names=(- Debian Fedora Arch Alpine)
installs=(- "apt-get install -y" "dnf install -y" "pacman -S --needed" "apk add")

# distribution prints the table's column for this machine, 0 if it has none.
distribution() {
	local like=
	# shellcheck disable=SC1091 # it is the machine's
	if [ -r "$files/etc/os-release" ]; then like=$(. "$files/etc/os-release" && echo "${ID:-} ${ID_LIKE:-}"); fi
	case " $like " in
	*" debian "* | *" ubuntu "*) echo 1 ;;
	*" fedora "* | *" rhel "*) echo 2 ;;
	*" arch "*) echo 3 ;;
	*" alpine "*) echo 4 ;;
	*) echo 0 ;;
	esac
}

# say_missing COLUMN prints what is missing, and the command that installs it.
say_missing() {
	find_missing "$1"
	if [ -n "$too_few" ]; then echo "$too_few (sudo apt-get update may tell it of more)."; fi
	if [ ${#missing[@]} = 0 ]; then return; fi
	echo "The tests need these packages of ${names[$1]}, which are missing: ${missing[*]}"
	echo "Install them with:"
	echo "    sudo ${installs[$1]} ${missing[*]}"
}

root=()
can_use_apt() {
	if ! have apt-get; then return 1; fi
	if [ "$(id -u)" = 0 ]; then return; fi
	root=(sudo -n)
	have sudo && sudo -n true 2>/dev/null
}

apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }

case ${1:-install} in
untested)
	untested
	exit
	;;
install | dry-run) ;;
*) fail "there is no command $1: none, dry-run or untested" ;;
esac

column=$(distribution)
# The commands are the same everywhere: whichever column, it tells if one is missing.
find_missing "$((column ? column : 2))"
if ! is_complete && [ "$column" = 1 ] && can_use_apt; then
	# Only now it is known what apt has, and with it which versions are taken.
	apt update || fail "apt-get update failed"
	find_missing 1
	if [ -z "$too_few" ] && [ "${1:-}" = dry-run ]; then
		echo "would install ${missing[*]}"
		apt --simulate install -y --no-install-recommends "${missing[@]}"
		exit
	fi
	if [ -z "$too_few" ]; then
		echo "installing ${missing[*]}"
		apt install -y --no-install-recommends "${missing[@]}" || fail "apt-get did not install ${missing[*]}"
		hash -r
		find_missing 1
	fi
fi
if is_complete; then
	report
	exit
fi
if [ "$column" != 0 ]; then
	say_missing "$column" >&2
else
	for column in 1 2 3 4; do say_missing $column >&2; done
fi
exit 1
