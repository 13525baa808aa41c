package cgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// macroCoRE is the macro that marks a record for CO-RE. It stands at each
// record, instead of a "#pragma clang attribute" around all, because gcc
// ignores that pragma without a word and CO-RE would be lost.
const macroCoRE = "__co_re"

// hasKeywordsC23 is a preprocessor condition: bool, true, false and others are
// keywords. clang 15 and gcc 13 are the first to have them, under the value of
// __STDC_VERSION__ of C23's drafts.
const hasKeywordsC23 = `(defined(__cplusplus) || __STDC_VERSION__ >= 202311L || __STDC_VERSION__ >= 202000L && \
	(defined(__clang__) ? __clang_major__ >= 15 : __GNUC__ >= 13))`

// unlessBool starts what stdbool.h and, since C23, the language itself define.
const unlessBool = "#if !defined(__bool_true_false_are_defined) && !" + hasKeywordsC23 + "\n"

const guardTop = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

`

// coRETop defines what marks records, unless the program does not want it or
// the compiler's target or language has no CO-RE, and makes btf_type_tag harmless for
// compilers that do not know it.
const coRETop = `#if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
#define ` + macroCoRE + ` __attribute__((preserve_access_index))
#else
#define ` + macroCoRE + `
#endif
#if !__has_attribute(btf_type_tag)
#define btf_type_tag(x)
#endif

`

// macroAddressSpace is the macro that puts a pointer's target into an address
// space. Programs may use the word address_space, so that stays theirs.
const macroAddressSpace = "__btfgen_address_space"

// addressSpaceTop defines it, where a header has use for it, as nothing for
// compilers that do not know the attribute: gcc warns of it.
const addressSpaceTop = `#if __has_attribute(address_space)
#define ` + macroAddressSpace + `(n) __attribute__((address_space(n)))
#else
#define ` + macroAddressSpace + `(n)
#endif

`

const addressSpaceBottom = "#undef " + macroAddressSpace + "\n"

// Macros that stand for many unnamed bitfields, so that a record of which BTF
// keeps only the size does not become pages of them.
const (
	macroPad64, bitsPad64   = "__btfgen_pad_64", 64 * 8
	macroPad512             = "__btfgen_pad_512"
	macroPad4096, bitsPad4K = "__btfgen_pad_4096", 4096 * 8
)

const paddingTop = `#define ` + macroPad64 + ` long long: 64, : 64, : 64, : 64, : 64, : 64, : 64, : 64;
#define ` + macroPad512 + ` ` + macroPad64 + ` ` + macroPad64 + ` ` + macroPad64 + ` ` + macroPad64 + ` \
	` + macroPad64 + ` ` + macroPad64 + ` ` + macroPad64 + ` ` + macroPad64 + `
#define ` + macroPad4096 + ` ` + macroPad512 + ` ` + macroPad512 + ` ` + macroPad512 + ` ` + macroPad512 + ` \
	` + macroPad512 + ` ` + macroPad512 + ` ` + macroPad512 + ` ` + macroPad512 + `

`

const paddingBottom = "#undef " + macroPad64 + "\n#undef " + macroPad512 + "\n#undef " + macroPad4096 + "\n"

// paddingMacro returns the macro for the longest padding of no more than the
// given number of bits, and its own number of bits, 0 if a few bitfields do.
func paddingMacro(most uint64) (macro string, bits uint64) {
	switch {
	case most >= bitsPad4K:
		return macroPad4096, bitsPad4K
	case most >= 4*bitsPad64: // what is shorter is easier to read as it is
		return macroPad64, bitsPad64
	}
	return "", 0
}

// macroEnumType and macroEnumMode give an enum a size that its values do not
// (see [printer.enumSize]).
const (
	macroEnumType = "__btfgen_enum_type"
	macroEnumMode = "__btfgen_enum_mode"
)

// enumTop defines them, where a header has use for them.
const enumTop = `#if defined(__clang__) || __STDC_VERSION__ >= 202311L
#define ` + macroEnumType + `(type) : type
#define ` + macroEnumMode + `(mode)
#else
#define ` + macroEnumType + `(type)
#define ` + macroEnumMode + `(m) __attribute__((mode(m)))
#endif

`

const enumBottom = "#undef " + macroEnumType + "\n#undef " + macroEnumMode + "\n"

// macroNarrowEnum is the type of a bitfield that is narrower than the values of
// its enum. clang takes it as it is. gcc warns of it, and has no option for that
// warning which a pragma could turn off (check_bitfield_type_and_width in its
// c-decl.c): so for gcc the bitfield is of the integer that the enum is kept in.
// The enum stands behind sizeof, for it may be defined there. Kernels that gcc
// compiles have no such bitfield.
const macroNarrowEnum = "__btfgen_narrow_enum"

// narrowEnumTop defines it, where a header has use for it.
const narrowEnumTop = `#if defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
#define ` + macroNarrowEnum + `(integer, ...) __typeof__(*(integer *)sizeof(__VA_ARGS__))
#else
#define ` + macroNarrowEnum + `(integer, ...) __VA_ARGS__
#endif

`

const narrowEnumBottom = "#undef " + macroNarrowEnum + "\n"

// ignoredTop and ignoredBottom are around what gcc is kept from warning of, by the
// names of its options.
const ignoredTop = `#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
`

const ignoredBottom = `#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
`

// gccIgnores lists the warnings that gcc is kept from: of members that are aligned
// to more than the packed record that they stand in, since that is where the kernel
// has them (either record may be the one that is said to be aligned); and of
// functions that return a typedef of what is const. clang has neither.
func (u *used) gccIgnores() (options []string) {
	if u.packed && u.aligned {
		options = append(options, "-Wpacked-not-aligned")
	}
	if u.qualifiedResults {
		options = append(options, "-Wignored-qualifiers")
	}
	return options
}

// systemHeaderTop keeps gcc from warning of records without a name in prototypes,
// for which it has no option. gcc does not compile a kernel with those; clang does.
const systemHeaderTop = `#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC system_header
#endif

`

// kernelMacros are defined as libbpf's bpf_helpers.h does, to the letter: it
// defines them again without asking. bpftool's header has them, too, whether it
// declares kfuncs or not, and programs that declare their own rely on it.
const kernelMacros = `#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

`

const kfuncsTop = "#ifndef BPF_NO_KFUNC_PROTOTYPES\n"

const kfuncsBottom = `
#endif /* BPF_NO_KFUNC_PROTOTYPES */

`

const guardBottom = `#undef ` + macroCoRE + `

#endif /* __VMLINUX_H__ */
`

// finish puts the top and the bottom around what has been printed.
func (p *Plan) finish(o *output) []byte {
	var top strings.Builder
	if p.opts.SPDX != "" {
		top.WriteString("/* SPDX-License-Identifier: " + printable(p.opts.SPDX) + " */\n")
	}
	if !p.opts.NoProvenance {
		top.WriteString(p.provenance(o.digests))
	}
	top.WriteString(guardTop)
	if o.used.gccWarns {
		top.WriteString(systemHeaderTop)
	}
	top.WriteString(coRETop + kernelMacros)
	bottom := o.used.words.undefine()
	if options := o.used.gccIgnores(); options != nil {
		top.WriteString(ignoredTop)
		for _, option := range options {
			top.WriteString("#pragma GCC diagnostic ignored \"" + option + "\"\n")
		}
		top.WriteString("#endif\n\n")
		bottom += ignoredBottom
	}
	if o.used.pointerInts {
		top.WriteString(pointerIntTop)
	}
	if o.used.int64 {
		top.WriteString(int64Top)
		bottom += int64Bottom
	}
	if o.used.uint64 {
		top.WriteString(uint64Top)
		bottom += uint64Bottom
	}
	if o.used.addressSpaces {
		top.WriteString(addressSpaceTop)
		bottom += addressSpaceBottom
	}
	if o.used.padding {
		top.WriteString(paddingTop)
		bottom += paddingBottom
	}
	if o.used.enumTypes {
		top.WriteString(enumTop)
		bottom += enumBottom
	}
	if o.used.narrowEnums {
		top.WriteString(narrowEnumTop)
		bottom += narrowEnumBottom
	}
	top.WriteString(o.used.words.define())
	text := append(o.text, bottom+guardBottom...)
	if start := headroom - top.Len(); start >= 0 {
		copy(text[start:], top.String())
		return text[start:]
	}
	return append([]byte(top.String()), text[headroom:]...)
}

// wordsCXX are the keywords of C++, by index, that a header uses as names. For
// C++ they are macros while the header lasts.
type wordsCXX [len(keywordsCXX)]bool

func (w *wordsCXX) define() string {
	return w.block(func(word string) string { return "#define " + word + " " + word + "_\n" }, "\n")
}

func (w *wordsCXX) undefine() string {
	return w.block(func(word string) string { return "#undef " + word + "\n" }, "")
}

func (w *wordsCXX) block(line func(word string) string, end string) string {
	var b strings.Builder
	for i, used := range w {
		if used {
			b.WriteString(line(keywordsCXX[i]))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "#ifdef __cplusplus\n" + b.String() + "#endif\n" + end
}

// provenance returns the comment that says where the header comes from. It
// tells nothing of when, where or by whom: equal types make equal headers. The
// digest is one of the chunks' digests, which are fixed by the plan.
func (p *Plan) provenance(digests []byte) string {
	digest := sha256.Sum256(digests)
	var b strings.Builder
	b.WriteString("/*\n * Kernel types, made by btfgen " + printable(p.opts.Version) + ". Do not edit.\n *\n")
	if p.opts.Release != "" {
		b.WriteString(" * kernel:       " + printable(p.opts.Release) + "\n")
	}
	b.WriteString(" * architecture: " + p.describeArch() + "\n")
	if len(p.opts.Flags) > 0 {
		b.WriteString(" * flags:        " + printable(strings.Join(p.opts.Flags, " ")) + "\n")
	}
	if p.opts.LeftOut > 0 {
		b.WriteString(" * left out:     " + strconv.Itoa(p.opts.LeftOut) + " that C can't express\n")
	}
	b.WriteString(" * digest:       " + hex.EncodeToString(digest[:16]) + "\n */\n")
	return b.String()
}

// printable makes a text from outside fit for a comment: nothing in it ends that,
// or looks to a compiler as if another began in it, or as if it went on in the
// next line, as "??/" does at the end of one.
func printable(s string) string {
	var b strings.Builder
	last := ' '
	for _, c := range s[:min(len(s), 1000)] {
		if c < ' ' || c > '~' {
			c = '?'
		}
		switch {
		case last == '*' && c == '/', last == '/' && c == '*', last == '?' && c == '?':
			b.WriteByte(' ')
		}
		b.WriteRune(c)
		last = c
	}
	if last == '\\' {
		b.WriteByte('.')
	}
	return b.String()
}

// archMembers tells architectures by a member that only their struct pt_regs has.
var archMembers = []struct{ member, arch string }{
	{"orig_ax", "x86"},
	{"pstate", "arm64"},
	{"uregs", "arm"},
	{"epc", "riscv"},
	{"orig_gpr2", "s390"},
	{"orig_gpr3", "powerpc"},
	{"cp0_epc", "mips"},
	{"csr_era", "loongarch"},
	{"u_regs", "sparc"},
	{"status32", "arc"},
	{"rar", "arc"},
}

// describeArch returns the architecture of the kernel that the types describe.
// BTF does not state it; what a kernel's pt_regs holds does.
func (p *Plan) describeArch() string {
	width, order := "64-bit", "little-endian"
	if p.view.PointerSize() == 4 {
		width = "32-bit"
	}
	if p.view.ByteOrder() == binary.BigEndian {
		order = "big-endian"
	}
	return strings.TrimSpace(p.archName()+" "+width) + " " + order
}

func (p *Plan) archName() string {
	for _, e := range p.naming.all.find("pt_regs") {
		if e.class == classStruct {
			if arch := archOf(p.view, p.view.Type(e.id), 0); arch != "" {
				return arch
			}
		}
	}
	return ""
}

// archOf looks at the members of a record and, two levels deep, at those of
// its anonymous members: arm64 and riscv have pt_regs inside a union.
func archOf(v *btfdump.View, t btfdump.Type, depth int) string {
	for _, m := range t.Members() {
		for _, a := range archMembers {
			if m.Name == a.member {
				return a.arch
			}
		}
		if inner := v.Type(v.Resolve(m.Type)); m.Name == "" && inner.Kind().IsRecord() && depth < 2 {
			if arch := archOf(v, inner, depth+1); arch != "" {
				return arch
			}
		}
	}
	return ""
}
