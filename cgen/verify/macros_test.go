package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// kfuncFigures are figures and three functions.
func kfuncFigures() *btftest.Builder {
	b := figures()
	i := b.Int("int", 4, btftest.Signed)
	proto := b.FuncProto(i, btftest.Arg("value", i))
	for _, name := range []string{"bpf_first", "bpf_second"} {
		b.DeclTag("bpf_kfunc", b.Func(name, proto, 1), -1)
	}
	// clang 22 crashes where the address of this one is a value.
	b.DeclTag("bpf_kfunc", b.Func("__bpf_trap", b.FuncProto(btftest.Void), 1), -1)
	return b
}

const trueKfuncs = trueFigures + "extern int bpf_first(int value) __attribute__((section(\".ksyms\")));\nextern int bpf_second(int value) __attribute__((section(\".ksyms\")));\nextern void __bpf_trap(void) __attribute__((weak, section(\".ksyms\")));\n"

// What a header leaves to the program behind it must not have the program mean other
// types than those that were compared.
func TestWhatHeadersLeaveBehind(t *testing.T) {
	view, err := btfdump.New(kfuncFigures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		says       string // of "type: what the BTF says: what the compiler says"; "": it holds
		std        string
	}{
		{name: "the truth"},

		// Types.
		{name: "a struct", text: "#define point circle\n", says: "macro point: struct point: struct circle, since the header leaves point defined"},
		{name: "an absent struct", text: "!" + strings.TrimPrefix(trueFigures, truePoint) + "#define point circle\n", says: "macro point: struct point: struct circle"},
		{name: "a struct, before it", text: "!#define point circle2\n" + truePoint + "#define circle2 circle\n" + strings.TrimPrefix(trueFigures, truePoint), says: "macro point: struct point"},
		{name: "a struct, by another macro", text: "#define point other\n#define other circle\n", says: "macro point: struct point: struct circle"},
		{name: "a struct, by a paste", text: "#define CAT(a, b) a##b\n#define point CAT(cir, cle)\n", says: "macro point: struct point: something else"},
		{name: "a struct, by the number of its uses", text: "#define CAT(a, b) CAT2(a, b)\n#define CAT2(a, b) a##b\n#define name0 point\n#define name1 circle\n#define point CAT(name, __COUNTER__)\n", says: "macro point"},
		{name: "a struct, by the line", text: "#define point CAT(p, __LINE__)\n", says: "macro point"},
		{name: "a struct, as nothing", text: "#define point\n", says: "macro point: struct point: nothing"},
		{name: "a struct, as its body", text: "#define point { int a; }\n", says: "macro point: struct point: \"{ int a ; }\""},
		{name: "a struct, with parameters", text: "#define point(x) circle\n", says: "macro point: struct point: something else"},
		{name: "a struct as itself", text: "#define point point\n"},
		{name: "a struct as itself, in a circle", text: "#define point point2\n#define point2 point\n"},
		{name: "a struct, taken back", text: "#define point circle\n#undef point\n"},
		{name: "a struct, popped", text: "#define point circle\n#pragma push_macro(\"point\")\n#undef point\n#pragma pop_macro(\"point\")\n", says: "macro point: struct point: struct circle"},
		{name: "a struct, popped by _Pragma", text: "#define point circle\n_Pragma(\"push_macro(\\\"point\\\")\")\n#undef point\n_Pragma(\"pop_macro(\\\"point\\\")\")\n", says: "macro point: struct point: struct circle"},
		{name: "a struct, pushed and popped", text: "#pragma push_macro(\"point\")\n#define point circle\n#pragma pop_macro(\"point\")\n"},
		{name: "a struct, pushed only", text: "#define point circle\n#pragma push_macro(\"point\")\n#undef point\n"},
		{name: "a struct, in a condition", text: "#if defined(__bpf__) && __clang_major__ >= 10\n#define point circle\n#endif\n", says: "macro point"},
		{name: "a struct, in a condition that is false", text: "#ifdef __aarch64__\n#define point circle\n#endif\n"},
		{name: "a struct, in an optimized program", text: "#ifdef __OPTIMIZE__\n#define point circle\n#endif\n", says: "macro point"},
		{name: "a struct, on a spliced line", text: "#def\\\nine po\\\nint circle\n", says: "macro point: struct point: struct circle"},
		{name: "a struct, in a digraph", text: "%:define point circle\n", says: "macro point"},
		{name: "a struct, in a trigraph", std: "c11", text: "??=define point circle\n", says: "macro point"},
		{name: "a struct, from other lines", text: "#line 7 \"/usr/include/stdio.h\"\n#define point circle\n", says: "macro point"},
		{name: "a struct, of a system header", text: "#pragma GCC system_header\n#define point circle\n", says: "macro point"},
		{name: "a struct, behind another name for it", text: "struct point___old { int x; int y; }" + mark + "#define point point___old\n", says: "macro point: struct point: struct point___old"}, // which nothing is known of
		{name: "a struct, behind another name for it that was compared", text: "struct point___2 { int x; int y; }" + mark + "#define point point___2\n"},
		{name: "a struct, behind a comment", text: "#define /* no */ point /* such */ circle // macro\n", says: "macro point: struct point: struct circle"},
		{name: "an enum", text: "#define colour color\n", says: "macro colour: enum colour: enum color"},
		{name: "a typedef", text: "#define uint32_t unsigned long\n", says: "macro uint32_t: typedef uint32_t: unsigned long"},
		{name: "a typedef, of another sign", text: "#define uint32_t int\n", says: "macro uint32_t: typedef uint32_t: int"},
		{name: "a typedef, as another", text: "#define uint32_t handler\n", says: "macro uint32_t: typedef uint32_t: handler"},
		{name: "a typedef, as the same", text: "#define uint32_t unsigned int\n"},
		{name: "a typedef, as the same in other words", text: "#define UINT unsigned\n#define uint32_t UINT\n"},
		{name: "a typedef, as a macro only", text: "!" + truePoint + "#define uint32_t unsigned int\n"},
		{name: "a typedef, as a false macro only", text: "!" + truePoint + "#define uint32_t unsigned short\n", says: "macro uint32_t: typedef uint32_t: unsigned short"},
		{name: "a typedef, beside its name with a suffix, as nothing", text: "!" + strings.Replace(trueKfuncs, "uint32_t", "uint32_t___2", 1) + "#define uint32_t\n", says: "macro uint32_t: typedef uint32_t: nothing"},
		{name: "a typedef, beside its name with a suffix, as an attribute", text: "!" + strings.Replace(trueKfuncs, "uint32_t", "uint32_t___2", 1) + "#define uint32_t __attribute__((unused))\n", says: "macro uint32_t: typedef uint32_t: "},
		{name: "a struct, beside its name with a suffix, as an attribute", text: "!" + strings.Replace(trueKfuncs, "struct point", "struct point___2", 1) + "#define point __attribute__((unused))\n"},
		{name: "a struct, beside its name with a suffix, as a struct with an attribute", text: "!" + strings.Replace(trueKfuncs, "struct point", "struct point___2", 1) + "#define point __attribute__((unused)) circle\n", says: "macro point: struct point"},
		{name: "a typedef of a function", text: "#define handler int\n", says: "macro handler: typedef handler: int"},

		// Members.
		{name: "a member", text: "#define x y\n", says: "macro x: a member of struct circle: y, since the header leaves x defined"},
		{name: "a member, absent with its struct", text: "!" + truePoint + "#define radius x\n"},
		{name: "a member, as an expression", text: "#define x y + 0 * sizeof(int)\n", says: "macro x"},
		{name: "a member, as another's", text: "#define radius center.radius\n", says: "macro radius: a member of struct circle: \"center . radius\""},
		{name: "a member as itself", text: "#define x x\n"},
		{name: "a member in parentheses", text: "#define x (x)\n", says: "macro x"},
		{name: "a member, with parameters", text: "#define x(a) y\n"},

		// Enumerators.
		{name: "an enumerator", text: "#define RED 1\n", says: "macro RED: the enumerator's number: another number"},
		{name: "an enumerator, as the same", text: "#define RED 0\n#define GREEN (1)\n"},
		{name: "an enumerator as itself", text: "#define RED RED\n#define GREEN (GREEN)\n"},
		{name: "an enumerator, as another", text: "#define GREEN RED\n", says: "macro GREEN: an enumerator: RED"},
		{name: "an enumerator, as a variable", text: "int one = 1;\n#define GREEN one\n", says: "macro GREEN: an enumerator: one"},
		{name: "an enumerator, by the number of its uses", text: "#define GREEN (__COUNTER__ - __COUNTER__ + 2)\n", says: "macro GREEN"},
		{name: "an enumerator, as the same bits", text: "#define GREEN 0x100000001ull\n", says: "macro GREEN"},
		{name: "an enumerator, with an operator that is open", text: "#define GREEN 1 +\n", says: "macro GREEN"},
		{name: "an enumerator, beside its name with a suffix", text: "!" + strings.Replace(trueKfuncs, "GREEN", "GREEN___2", 1) + "#define GREEN 0\n", says: "macro GREEN: the enumerator's number: another number"},
		{name: "an enumerator, beside its name with a suffix, as the same", text: "!" + strings.Replace(trueKfuncs, "GREEN", "GREEN___2", 1) + "#define GREEN 1\n"},
		{name: "an enumerator, beside its name with a suffix, as nothing", text: "!" + strings.Replace(trueKfuncs, "GREEN", "GREEN___2", 1) + "#define GREEN\n", says: "macro GREEN"},
		{name: "an enumerator, with parameters", text: "#define RED(x) GREEN\n"},

		// Functions.
		{name: "a kfunc", text: "#define bpf_first bpf_second\n", says: "macro bpf_first: function bpf_first: bpf_second, since"},
		{name: "a kfunc, with parameters", text: "#define bpf_first(x) bpf_second(x)\n", says: "macro bpf_first"},
		{name: "a kfunc, with parameters that it drops", text: "#define bpf_first(x) bpf_first(0)\n", says: "macro bpf_first"},
		{name: "a kfunc that calls itself", text: "#define bpf_first(value) bpf_first(value)\n"},

		// Words.
		{name: "if", text: "#define if(x) if (!(x))\n", says: "macro if"},
		{name: "const", text: "#define const\n", says: "macro const"},
		{name: "const, spelled otherwise", text: "#define const __const\n"},
		{name: "inline", text: "#define inline inline __attribute__((always_inline))\n"},
		{name: "preserve_access_index", text: "#define preserve_access_index unused\n", says: "macro preserve_access_index"},
		{name: "packed", text: "#define packed\n", says: "macro packed"},
		{name: "packed, taken back", text: "#define packed\n#undef packed\n"},
		{name: "sizeof, popped", text: "#define sizeof(x) 8\n#pragma push_macro(\"sizeof\")\n#undef sizeof\n#pragma pop_macro(\"sizeof\")\n", says: "macro sizeof"},
		{name: "a builtin", text: "#define __builtin_preserve_type_info(...) 1\n", says: "macro __builtin_preserve_type_info"},
		{name: "the byte order", text: "#undef __BYTE_ORDER__\n#define __BYTE_ORDER__ __ORDER_BIG_ENDIAN__\n", says: "macro __BYTE_ORDER__: 1234: 4321"},
		{name: "no byte order", text: "#undef __BYTE_ORDER__\n", says: "macro __BYTE_ORDER__"},
		{name: "no BPF", text: "#undef __bpf__\n", says: "macro __bpf__"},
		{name: "an offsetof that counts", text: "#define offsetof(t, m) (__COUNTER__ ? 0 : __builtin_offsetof(t, m))\n", says: "macro offsetof: a word of C's: a macro of an unknown form"},
		{name: "an offsetof for some sizes", text: "#define offsetof(t, m) (sizeof(t) == 8 ? __builtin_offsetof(t, m) : 0)\n", says: "macro offsetof"},
		{name: "an offsetof of few bits", text: "#define offsetof(t, m) ((unsigned char)(unsigned long)&((t *)0)->m)\n", says: "macro offsetof"},
		{name: "an offsetof as in kernels", text: "#define offsetof(TYPE, MEMBER) __builtin_offsetof(TYPE, MEMBER)\n"},
		{name: "an offsetof as in old libraries", text: "#define offsetof(st, m) ((unsigned long)((char *)&((st *)0)->m - (char *)0))\n"},

		// Pragmas.
		{name: "packing", text: "#pragma pack(1)\n", says: "the program's records, behind the header: 64 bytes: 32 bytes"},
		{name: "packing, pushed", text: "#pragma pack(push, 2)\n", says: "the program's records, behind the header"},
		{name: "packing to 4", text: "#pragma pack(4)\n", says: "the program's records, behind the header"},
		{name: "packing to 8", text: "#pragma pack(push)\n#pragma pack(8)\n", says: "the program's records, behind the header"},
		{name: "packing by _Pragma", text: "_Pragma(\"pack(1)\")\n", says: "the program's records, behind the header"},
		{name: "packing, popped", text: "#pragma pack(push, 1)\nstruct mine { char a; int b; };\n#pragma pack(pop)\n"},
		{name: "packing of nothing", text: "#pragma pack(push)\n"},
		{name: "other bitfields", text: "#pragma ms_struct on\n", says: "the program's records, behind the header"},
		{name: "other alignment", text: "#pragma options align=packed\n", says: "the program's records, behind the header"},
		{name: "an attribute for records", text: "#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n", says: "unterminated"},
		{name: "an attribute for records, popped", text: "!#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n" + trueFigures + "#pragma clang attribute pop\n"},
		{name: "a popped attribute that was never pushed", text: "#pragma clang attribute pop\n", says: "no matching"},
		{name: "pointers that are not null", text: "#pragma clang assume_nonnull begin\n", says: "pragma clang assume_nonnull"},
		{name: "poison for a struct", text: "#pragma GCC poison point\n", says: "macro point: a name that programs use: poisoned"},
		{name: "poison for a member", text: "#pragma clang poison radius\n", says: "macro radius: a name that programs use: poisoned"},
		{name: "poison by _Pragma", text: "#define STRING(x) #x\n#define P(a, b, c) _Pragma(STRING(GCC a##b c))\nP(poi, son, GREEN)\n", says: "macro GREEN: a name that programs use: poisoned"},
		{name: "poison on spliced lines", text: "#prag\\\nma GCC poi\\\nson uint32_t\n", says: "macro uint32_t: a name that programs use: poisoned"},
		{name: "poison behind a comment", text: "#pragma GCC /*\n*/ poison bpf_first\n", says: "macro bpf_first: a name that programs use: poisoned"},
		{name: "poison for a word", text: "#pragma GCC poison struct\n", says: "macro struct: a name that programs use: poisoned"},
		{name: "poison for others", text: "#pragma GCC poison malloc free\n"},
		{name: "no warnings", text: "#pragma clang diagnostic ignored \"-Weverything\"\n"},
		{name: "errors for warnings", text: "#pragma clang diagnostic error \"-Weverything\"\n"},
		{name: "no optimization", text: "#pragma clang optimize off\n"},
		{name: "once", text: "#pragma once\n"},
		{name: "hidden symbols", text: "#pragma GCC visibility push(hidden)\n"},
		{name: "renamed, by a pragma", text: "!#pragma redefine_extname bpf_first bpf_second\n" + trueKfuncs, says: "function bpf_first: bpf_first: bpf_second"},
		{name: "renamed, by a pragma behind it", text: "#pragma redefine_extname bpf_first bpf_third\n", says: "function bpf_first: bpf_first: bpf_third"},
		{name: "renamed", text: "!" + trueFigures + "extern int bpf_first(int value) __asm__(\"bpf_third\") __attribute__((section(\".ksyms\")));\n", says: "function bpf_first: bpf_first: bpf_third"},
		{name: "renamed, one for the other", text: "!" + trueFigures + "extern int bpf_first(int value) __asm__(\"bpf_second\");\nextern int bpf_second(int value) __asm__(\"bpf_first\");\n", says: "function bpf_first: bpf_first: bpf_second"},
		{name: "named as it is", text: "!" + trueFigures + "extern int bpf_first(int value) __asm__(\"bpf_first\") __attribute__((section(\".ksyms\")));\n"},
		{name: "defined", text: "!" + trueFigures + "int bpf_first(int value) { return 0; }\n", says: "function bpf_first: a kernel's function: one that the header defines"},
		{name: "defined and static", text: "!" + trueFigures + "static inline int bpf_first(int value) { return 0; }\n", says: "function bpf_first: a kernel's function: one that the header defines"},
		{name: "an alias", text: "!" + trueFigures + "int mine(int value) { return 0; }\nint bpf_first(int value) __attribute__((alias(\"mine\")));\n", says: "function bpf_first"},
		{name: "weak", text: "#pragma weak bpf_first\n"},
		// Programs that call it do not compile; it counts as absent.
		{name: "weak, and an alias", text: "int mine(int value) { return 0; }\n#pragma weak bpf_first = mine\n"},
		{name: "overloadable", text: "!" + trueFigures + "extern int bpf_first(int value) __attribute__((overloadable));\n", says: "function bpf_first"},

		// What honest headers leave behind.
		{name: "macros of libbpf's", text: "#define __ksym __attribute__((section(\".ksyms\")))\n#define __weak __attribute__((weak))\n#define __bpf_fastcall\n#define SEC(x) __attribute__((section(x), used))\n#define NULL ((void *)0)\n"},
		{name: "stdbool.h", text: "#include <stdbool.h>\n"},
		{name: "stddef.h and stdint.h", text: "!#include <stddef.h>\n#include <stdint.h>\n" + strings.ReplaceAll(trueKfuncs, "typedef unsigned int uint32_t;\n", "")},
		{name: "other members", text: "#define st_atime st_atim.tv_sec\n#define si_pid _sifields._kill._pid\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, alone := strings.CutPrefix(c.text, "!")
			if !alone {
				text = trueKfuncs + text
			}
			path := filepath.Join(t.TempDir(), "a.h")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			all := clangtest.Compilers(t)
			for _, fast := range []bool{false, true} {
				if fast && strings.HasPrefix(c.says, "function ") {
					continue // they are not compared
				}
				compiler := all[map[bool]int{false: len(all) - 1}[fast]]
				r, err := verify.Header(context.Background(), path, view, nil, verify.Options{
					// Without a C library, whose headers may be for other targets.
					Clang: compiler.Name, Fast: fast, Std: c.std, Flags: []string{"-ffreestanding"},
				})
				if err != nil {
					t.Errorf("%s, fast=%v: %v", compiler.Name, fast, err)
					continue
				}
				said := strings.Join(r.Errors, "\n")
				for _, m := range r.Mismatches {
					said += "\n" + m.Type + ": " + m.BTF + ": " + m.Compiler
				}
				if r.Holds() != (c.says == "") || !strings.Contains(said, c.says) {
					t.Errorf("%s, fast=%v: holds: %v\nit says %s\nand not %q", compiler.Name, fast, r.Holds(), said, c.says)
				}
			}
		})
	}
}
