package cgen

import (
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// Names that C's standard headers have too
//
// stdint.h says "long" for the types of 64 bits where the target is BPF, and the
// kernel says "long long". Their size is one, but to C they are two types:
// pointers to them are not compatible, and a compiler may assume that what is
// written through one is not read through the other. What the kernel's code
// means by uint64_t is u64, so that is what the header says. A program that
// includes stdint.h as well gets one of the two, whichever comes first.
//
// The other standard names mean the same in a kernel of 64 bits. Where they do
// not, as size_t in one of 32 bits, the kernel's type gets a suffix.

// standardType is a typedef of stddef.h or stdint.h.
type standardType struct {
	macro  string // the compiler's predefined name for it, which those headers use too
	size   uint32 // bytes, on BPF
	signed bool
}

// standardTypes are the names that collide when a program includes stddef.h or
// stdint.h beside a kernel's types. They are declared in the compiler's terms if
// the kernel means the same, so that the second declaration equals the first, as
// C11 allows.
var standardTypes = map[string]standardType{
	"ptrdiff_t": {"__PTRDIFF_TYPE__", 8, true},
	"size_t":    {"__SIZE_TYPE__", 8, false},
	"wchar_t":   {"__WCHAR_TYPE__", 4, true},

	"int8_t":   {"__INT8_TYPE__", 1, true},
	"int16_t":  {"__INT16_TYPE__", 2, true},
	"int32_t":  {"__INT32_TYPE__", 4, true},
	"int64_t":  {"__INT64_TYPE__", 8, true},
	"uint8_t":  {"__UINT8_TYPE__", 1, false},
	"uint16_t": {"__UINT16_TYPE__", 2, false},
	"uint32_t": {"__UINT32_TYPE__", 4, false},
	"uint64_t": {"__UINT64_TYPE__", 8, false},

	"int_least8_t":   {"__INT_LEAST8_TYPE__", 1, true},
	"int_least16_t":  {"__INT_LEAST16_TYPE__", 2, true},
	"int_least32_t":  {"__INT_LEAST32_TYPE__", 4, true},
	"int_least64_t":  {"__INT_LEAST64_TYPE__", 8, true},
	"uint_least8_t":  {"__UINT_LEAST8_TYPE__", 1, false},
	"uint_least16_t": {"__UINT_LEAST16_TYPE__", 2, false},
	"uint_least32_t": {"__UINT_LEAST32_TYPE__", 4, false},
	"uint_least64_t": {"__UINT_LEAST64_TYPE__", 8, false},

	"intptr_t":  {"__INTPTR_TYPE__", 8, true},
	"uintptr_t": {"__UINTPTR_TYPE__", 8, false},
	"intmax_t":  {"__INTMAX_TYPE__", 8, true},
	"uintmax_t": {"__UINTMAX_TYPE__", 8, false},
}

// meaning is what a kernel means by the name of a standard type.
type meaning uint8

const (
	sameAsC  meaning = iota // what the standard header declares
	longLong                // a type of 64 bits that is long long, not long
	notC                    // a type of another size, signedness or kind
)

// meaningOf tells what the typedef called name is in the kernel.
func (s standardType) meaningOf(v *btfdump.View, id btfdump.TypeID, name string) meaning {
	t := v.Type(id)
	for t.Kind() == btfdump.KindTypedef { // but no qualifiers, which make another type
		t = v.Type(t.Ref())
	}
	if t.Kind() != btfdump.KindInt || t.Size() != s.size || t.Signed() != s.signed {
		return notC
	}
	switch r := rank(intSpelling(t)); {
	case r == [...]string{1: "char", 2: "short", 4: "int", 8: "long"}[s.size]:
		return sameAsC
	case r == "long long" && (name == "int64_t" || name == "uint64_t"):
		return longLong
	}
	return notC
}

// rank tells C's integer types of one size and signedness apart. The spelling is
// one that [intSpelling] returns.
func rank(spelling string) string {
	if spelling == "char" {
		return "plain char"
	}
	if strings.Count(spelling, "long") == 2 {
		return "long long"
	}
	for _, word := range [...]string{"long", "short", "char", "_Bool", "__int128"} {
		if strings.Contains(spelling, word) {
			return word
		}
	}
	return "int"
}

// These start the kernel's int64_t and uint64_t, which stdint.h may have declared.
const (
	unlessInt64Taken  = "#ifndef __btfgen_int64_taken\n"
	unlessUint64Taken = "#ifndef __btfgen_uint64_taken\n"
)

// stdintFirst is a preprocessor condition: stdint.h, of whichever compiler or
// library, has been included.
const stdintFirst = "defined(__CLANG_STDINT_H) || defined(_GCC_STDINT_H) || defined(_STDINT_H)"

// int64Top and uint64Top find out whether stdint.h came first. If not, they see
// to it that it finds the kernel's type when it comes later: clang's and gcc's
// own declare what a predefined macro says; musl's, newlib's and glibc's leave
// out what the macros say that their headers tell each other with. glibc has one
// for all types of a sign, so that the others are declared as well.
const int64Top = `/*
 * int64_t is the kernel's s64, "long long", where stdint.h has "long" for BPF:
 * to C, two types. If stdint.h comes first, its own stays; if it comes later, it
 * finds the kernel's.
 */
#if ` + stdintFirst + ` || \
	defined(_BITS_STDINT_INTN_H) || defined(__DEFINED_int64_t) || defined(_INT64_T_DECLARED)
#define __btfgen_int64_taken
#else
#define __DEFINED_int64_t
#define _INT64_T_DECLARED
#define _BITS_STDINT_INTN_H 1
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
#undef __INT64_TYPE__
#define __INT64_TYPE__ long long
#endif

`

const int64Bottom = "#undef __btfgen_int64_taken\n"

const uint64Top = `/*
 * uint64_t is the kernel's u64, "unsigned long long", where stdint.h has
 * "unsigned long" for BPF: to C, two types. If stdint.h comes first, its own
 * stays; if it comes later, it finds the kernel's.
 */
#if ` + stdintFirst + ` || \
	defined(_BITS_STDINT_UINTN_H) || defined(__DEFINED_uint64_t) || defined(_UINT64_T_DECLARED)
#define __btfgen_uint64_taken
#else
#define __DEFINED_uint64_t
#define _UINT64_T_DECLARED
#define _BITS_STDINT_UINTN_H 1
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
#undef __UINT64_TYPE__
#define __UINT64_TYPE__ unsigned long long
#endif

`

const uint64Bottom = "#undef __btfgen_uint64_taken\n"

// pointerIntTop says what is wrong where glibc's stdint.h came first and took the
// compiler's target for a 32-bit machine, as on x86 with the package
// libc6-dev-i386 and without a macro that says otherwise: its uintptr_t has 4
// bytes, and records that hold one would be laid out wrongly.
const pointerIntTop = `#if defined(__bpf__) && defined(UINTPTR_MAX) && UINTPTR_MAX == 0xffffffff
#error "the stdint.h before this header is that of a 32-bit machine: add -D__x86_64__, or what names your machine, or -ffreestanding"
#endif

`
