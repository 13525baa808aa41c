#!/usr/bin/env bash
# Pulls the BTF out of a kernel's Debian packages: extract.sh DIR DEB...
# writes DIR/vmlinux.btf and DIR/modules/NAME.btf, where NAME is the module's
# as lsmod prints it. DIR must exist; what is unpacked on the way is removed.
# Status 3 says that the kernel was built without BTF, as its configuration in
# the packages tells.
#
# What this writes is what btfgen is compared with, so it must not use btfgen,
# only dpkg, readelf and the command that belongs to each compression.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

fail() {
	echo "extract.sh: $*" >&2
	exit 1
}

# number FILE OFFSET BYTES: a little-endian unsigned number.
number() { echo $(($(od -An -v -t "u$3" --endian=little -j "$2" -N "$3" "$1"))); }

# hex FILE OFFSET LENGTH: bytes as hexadecimal digits.
hex() {
	local digits
	digits=$(od -An -v -w256 -t x1 -j "$2" -N "$3" "$1")
	echo "${digits// /}"
}

# cut FILE OFFSET LENGTH OUT: copies a part of a file.
cut() {
	dd if="$1" of="$4" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
	[ "$(stat -c %s "$4")" = "$3" ] || fail "${1##*/}: ends before byte $(($2 + $3))"
}

# btf_sections FILE: name, offset and length of those sections of an ELF file
# that have BTF in them. readelf reads the ELF of every architecture.
btf_sections() {
	local name offset length
	# "[ 5] .BTF PROGBITS ADDRESS OFFSET SIZE"; the number is in the way.
	readelf -SW "$1" | awk '{ sub(/^ *\[ *[0-9]+\]/, "") }
		($1 == ".BTF" || $1 == ".BTF.base") && $2 == "PROGBITS" { print $1, $4, $5 }' |
		while read -r name offset length; do echo "$name" $((16#$offset)) $((16#$length)); done
}

# elf_btf FILE OUT: copies the section .BTF; status 1 if there is none.
elf_btf() {
	local sections name offset length
	sections=$(btf_sections "$1") || fail "${1##*/}: readelf can't read it"
	while read -r name offset length; do
		case $name in
		.BTF) cut "$1" "$offset" "$length" "$2" ;;
		.BTF.base) fail "${1##*/}: has a section .BTF.base, as only modules from outside the kernel's tree do" ;;
		esac
	done <<<"$sections"
	[ -e "$2" ]
}

# compression FILE OFFSET: the name of the compression whose magic is there.
compression() {
	case $(hex "$1" "$2" 6) in
	1f8b08*) echo gzip ;;
	fd377a585a00) echo xz ;;
	5d0000*) echo lzma ;;
	425a68*) echo bzip2 ;;
	894c5a4f*) echo lzop ;;
	02214c18* | 04224d18*) echo lz4 ;;
	28b52ffd*) echo zstd ;;
	esac
}

# decompress COMPRESSION: standard input to standard output.
decompress() {
	case $1 in
	gzip) gzip -dc ;;
	xz) xz -dc ;;
	lzma) xz --format=lzma -dc ;;
	bzip2) bzip2 -dc ;;
	lzop) lzop -dc ;;
	lz4) lz4 -dcq ;;
	zstd) zstd -dcq ;;
	esac
}

# unpack FILE OFFSET LENGTH OUT: decompresses a payload whose place is known.
unpack() {
	local how
	how=$(compression "$1" "$2")
	[ -n "$how" ] || fail "${1##*/}: no known compression at byte $2: $(hex "$1" "$2" 6)"
	cut "$1" "$2" "$3" "$4.packed"
	decompress "$how" <"$4.packed" >"$4" || fail "${1##*/}: the $how payload at byte $2 is broken"
	rm "$4.packed"
}

# btf_length FILE OFFSET ORDER: the length of the BTF there; status 1 if its
# header does not hold. The file need not end where the BTF does.
btf_length() {
	local size fields header end=0 i part
	size=$(stat -c %s "$1")
	read -ra fields < <(od -An -v -w32 -t u4 "--endian=$3" -j $(($2 + 4)) -N 28 "$1") || return 1
	[ ${#fields[@]} = 7 ] || return 1
	header=${fields[0]}
	[ "$header" -ge 24 ] && [ "$header" -le 256 ] && [ $((header % 4)) = 0 ] || return 1
	for i in 1 3 5; do # types, strings and, in longer headers, the layout
		if [ $((12 + i * 4)) -gt "$header" ]; then break; fi
		part=$((header + fields[i] + fields[i + 1]))
		[ "$part" -le "$end" ] || end=$part
	done
	[ $(($2 + end)) -le "$size" ] && [ $((fields[1] % 4)) = 0 ] && [ $((fields[2] % 4)) = 0 ] || return 1
	[ "${fields[2]}" -gt 0 ] && [ "${fields[4]}" -gt 0 ] || return 1
	part=$(($2 + header + fields[3])) # strings begin and end with a NUL
	[ "$(hex "$1" "$part" 1)" = 00 ] && [ "$(hex "$1" $((part + fields[4] - 1)) 1)" = 00 ] || return 1
	echo "$end"
}

# raw_btf FILE OUT: looks for BTF in an image without sections; status 1 if
# there is none. Kernel code has BTF's magic too, but no header behind it.
raw_btf() {
	local offset order length found=()
	for order in little big; do
		local magic='\x9f\xeb\x01'
		if [ $order = big ]; then magic='\xeb\x9f\x01'; fi
		while IFS=: read -r offset _; do
			if length=$(btf_length "$1" "$offset" $order); then found+=("$offset $length"); fi
		done < <(grep -obUaP "$magic" "$1")
	done
	[ ${#found[@]} -le 1 ] || fail "${1##*/}: BTF could be at more than one place: $(printf '%s; ' "${found[@]}")"
	[ ${#found[@]} = 1 ] || return 1
	read -r offset length <<<"${found[0]}"
	cut "$1" "$offset" "$length" "$2"
}

# packed_btf FILE OUT: looks for a compressed payload of unknown length with BTF
# in it; status 1 if there is none. What stands behind the payload makes the
# decompressor complain in the end; BTF that is not whole is refused by raw_btf.
packed_btf() {
	local offset how
	while IFS=: read -r offset _; do
		how=$(compression "$1" "$offset")
		[ -n "$how" ] || continue
		dd if="$1" bs=1M iflag=skip_bytes skip="$offset" status=none 2>/dev/null |
			decompress "$how" >"$1.unpacked" 2>/dev/null || true
		if [ -s "$1.unpacked" ] && raw_btf "$1.unpacked" "$2"; then
			rm "$1.unpacked"
			return 0
		fi
	done < <(grep -obUaP '\x28\xb5\x2f\xfd|\xfd7zXZ\x00|\x1f\x8b\x08|\x02\x21\x4c\x18|BZh[1-9]1AY|\x5d\x00\x00\x00' "$1")
	return 1
}

# image_btf FILE OUT: the BTF of a kernel image, by what its first bytes say;
# status 1 if there is none.
image_btf() {
	local offset length
	if [ "$(hex "$1" 0 4)" = 7f454c46 ]; then
		elf_btf "$1" "$2"
	elif [ "$(hex "$1" $((0x202)) 4)" = 48647253 ]; then # "HdrS": x86's bzImage
		# Fields of Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length.
		offset=$((($(number "$1" $((0x1f1)) 1) + 1) * 512 + $(number "$1" $((0x248)) 4)))
		length=$(number "$1" $((0x24c)) 4)
		# All but gzip, which has one itself, are followed by the unpacked size.
		if [ "$(compression "$1" "$offset")" != gzip ]; then length=$((length - 4)); fi
		unpack "$1" "$offset" "$length" "$1.payload"
		image_btf "$1.payload" "$2"
	elif [ "$(hex "$1" 4 4)" = 7a696d67 ]; then # "zimg": EFI zboot, linux/drivers/firmware/efi/libstub/zboot-header.S
		unpack "$1" "$(number "$1" 8 4)" "$(number "$1" 12 4)" "$1.payload"
		image_btf "$1.payload" "$2"
	else
		raw_btf "$1" "$2" || packed_btf "$1" "$2"
	fi
}

# module_btf FILE.ko[.xz|.zst|.gz] DIR: writes the module's BTF, if it has any.
module_btf() {
	local name=${1##*/} elf=$1 how
	how=$(compression "$1" 0)
	if [ -n "$how" ]; then
		elf=$scratch/${name%.ko.*}.ko
		decompress "$how" <"$1" >"$elf" || fail "$name: the $how file is broken"
	fi
	name=${name%%.*}
	name=${name//-/_} # as the kernel does
	[ ! -e "$2/$name.btf" ] || fail "${1##*/}: there is another module called $name"
	elf_btf "$elf" "$2/$name.btf" || without=$((without + 1))
	rm -f "$elf"
}

[ $# -ge 2 ] || fail "usage: extract.sh DIR DEB..."
out=$1
shift
for tool in dpkg-deb readelf gzip bzip2 xz lz4 zstd; do # lzop is used by no distribution, and asked for when it is
	command -v $tool >/dev/null || fail "$tool is missing: sudo apt-get install -y binutils bzip2 lz4 xz-utils zstd"
done
[ -d "$out" ] || fail "$out is no directory"
scratch=$(mktemp -d "$out/unpacked.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

for deb; do dpkg-deb -x "$deb" "$scratch/tree"; done
mapfile -d '' images < <(find "$scratch/tree" -type f \( -path '*/boot/vmlinu[xz]-*' -o -path '*/lib/modules/*/vmlinu[xz]' \) -print0)
[ ${#images[@]} = 1 ] || fail "the packages hold ${#images[@]} kernel images, not one: ${images[*]##*/}"
cp "${images[0]}" "$scratch/image"
if ! image_btf "$scratch/image" "$out/vmlinux.btf"; then
	if find "$scratch/tree" -type f \( -path '*/boot/config-*' -o -path '*/lib/modules/*/config' \) -exec cat {} + |
		grep -qx '# CONFIG_DEBUG_INFO_BTF is not set'; then
		echo "extract.sh: ${images[0]##*/}: built without BTF: CONFIG_DEBUG_INFO_BTF is not set" >&2
		exit 3
	fi
	fail "${images[0]##*/}: no BTF was found"
fi
rm -f "$scratch"/image*

mkdir "$out/modules"
without=0
while IFS= read -r -d '' module; do
	module_btf "$module" "$out/modules"
done < <(find "$scratch/tree" -type f -path '*/lib/modules/*' \( -name '*.ko' -o -name '*.ko.*' \) -print0 | sort -z)
if [ $without != 0 ]; then echo "extract.sh: $without modules have no BTF" >&2; fi
