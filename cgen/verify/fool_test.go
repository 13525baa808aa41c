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

// figures is a kernel of some types, with trueFigures as its header.
func figures() *btftest.Builder {
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	b.Struct("point", 8, field("x", i, 0), field("y", i, 4))
	b.Struct("circle", 12, field("radius", i, 0), field("x", i, 4), field("y", i, 8))
	b.Enum("colour", 4, btftest.Val("RED", 0), btftest.Val("GREEN", 1))
	b.Typedef("uint32_t", b.Int("unsigned int", 4, btftest.Unsigned))
	b.Typedef("handler", b.Ptr(b.FuncProto(i, btftest.Arg("", i))))
	return b
}

const (
	truePoint   = "struct point { int x; int y; }" + mark
	falsePoint  = "struct point { int y; int x; }" + mark
	trueFigures = truePoint + "struct circle { int radius; int x; int y; }" + mark + "enum colour { RED, GREEN };\ntypedef unsigned int uint32_t;\ntypedef int (*handler)(int);\n"
)

// What has nothing of the kernel's, lies where our reading of the text does not
// see it, or tries to change what is asked about it, does not hold; what has true
// types does, however it goes about it.
func TestHeadersThatShowNothing(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	allOf := func(text string) string { return text + trueFigures[len(truePoint):] }
	for _, c := range []struct {
		name, text string
		holds      bool
		std        string
	}{
		{name: "the truth", text: trueFigures, holds: true},
		{name: "one type", text: truePoint, holds: true},
		{name: "one enum", text: "enum colour { RED, GREEN };", holds: true},
		{name: "nothing", text: ""},
		{name: "comments", text: "// nothing\n/* at all */\n"},
		{name: "not C", text: "hello, world\n"},
		{name: "HTML", text: "<!DOCTYPE html>\n<p>struct point { int x; int y; };\n"},
		{name: "a binary", text: "\x7fELF\x02\x01\x01\x00\x00\x00\x00\xff\xfe"},
		{name: "other types", text: "struct mine { int a; }; enum yours { OURS };\n"},
		{name: "C's own typedefs", text: "typedef unsigned int uint32_t;\nstruct mine { uint32_t a; };\n"},
		{name: "forward declarations", text: "struct point; struct circle; typedef struct point *point_p; extern struct circle *c;\n"},
		{name: "switched off", text: "#if 0\n" + trueFigures + "#endif\n"},
		{name: "in a string", text: "static const char *text = \"struct point { int x; int y; };\";\n"},
		{name: "in a macro", text: "#define ALL struct point { int x; int y; };\n"},

		{name: "an open condition", text: trueFigures + "#if 0\n"},
		{name: "an open condition that is true", text: trueFigures + "#if 1\n"},
		{name: "an open comment", text: trueFigures + "/*"},
		{name: "an open brace", text: trueFigures + "static inline void f(void) {"},
		{name: "an open record", text: trueFigures + "struct more {"},
		{name: "an open parenthesis", text: trueFigures + "int f("},
		{name: "an open string", text: trueFigures + "char *s = R\"("},
		{name: "an open asm", text: trueFigures + "__asm__("},
		{name: "extern \"C\"", text: "extern \"C\" {\n" + trueFigures},
		{name: "no semicolon", text: strings.TrimSuffix(trueFigures, ";\n")},
		{name: "extern at the end", text: trueFigures + "extern"},
		{name: "static at the end", text: trueFigures + "static"},
		{name: "an attribute at the end", text: trueFigures + "__attribute__((mode(QI)))"},
		{name: "an initializer at the end", text: trueFigures + "int zero ="},
		{name: "an attribute for what follows", text: trueFigures + "#pragma clang attribute push(__attribute__((weak)), apply_to = any(function, variable))\n"},
		{name: "an attribute by _Pragma", text: trueFigures + "_Pragma(\"clang attribute push(__attribute__((weak)), apply_to = any(function, variable))\")\n"},

		{name: "sizeof", text: trueFigures + "#define sizeof(x) 8\n"},
		{name: "_Static_assert", text: trueFigures + "#define _Static_assert(...)\n"},
		{name: "__builtin_offsetof", text: trueFigures + "#define __builtin_offsetof(t, m) 0\n"},
		{name: "struct", text: trueFigures + "#define struct union\n"},
		{name: "struct, from the start", text: "#define struct union\n" + trueFigures},
		{name: "long", text: trueFigures + "#define long int\n"},
		{name: "a false offsetof", text: trueFigures + "#define offsetof(t, m) 0\n"},
		{name: "a true offsetof", text: trueFigures + "#define offsetof(t, m) ((unsigned long)&((t *)0)->m)\n", holds: true},
		{name: "an offsetof that lacks a type", text: trueFigures + "#define offsetof(t, m) ((size_t)&((t *)0)->m)\n", holds: true},
		{name: "sizeof, taken back", text: "#define sizeof(x) 8\n#undef sizeof\n" + trueFigures, holds: true},
		{name: "a directive by a macro", text: trueFigures + "#define HASH #\nHASH define sizeof(x) 8\n"},
		{name: "a directive by a macro, in a digraph", text: trueFigures + "#define HASH %:\nHASH define sizeof(x) 8\n"},
		{name: "poison", text: trueFigures + "#pragma GCC poison sizeof\n"},

		{name: "false", text: allOf(falsePoint)},
		{name: "false, and a system header", text: "#pragma GCC system_header\n" + allOf(falsePoint)},
		{name: "a system header", text: "#pragma GCC system_header\n" + trueFigures, holds: true},
		{name: "false, and no diagnostics", text: "#pragma clang diagnostic ignored \"-Weverything\"\n" + allOf(falsePoint)},
		{name: "false, and other lines", text: "#line 1 \"empty.c\"\n" + allOf(falsePoint)},
		{name: "other lines", text: "#line 1 \"facts1.i\"\n" + trueFigures, holds: true},
		{name: "false, in digraphs", text: allOf("struct point <% int y; int x; %>;\n")},
		{name: "true, in digraphs", text: allOf("struct point <% int x; int y; %>" + mark), holds: true},
		{name: "an enum in digraphs", text: truePoint + "enum colour <% RED, GREEN %>;\n", holds: true},
		{name: "a false enum in digraphs", text: truePoint + "enum colour <% RED, GREEN = 7 %>;\n"},
		{name: "a typedef in another order", text: truePoint + "short typedef uint32_t;\n"},
		{name: "a typedef behind __extension__", text: truePoint + "__extension__ typedef short uint32_t;\n"},
		{name: "spliced lines", text: allOf("str\\\nuct po\\\nint { int y; int x; };\n")},
		{name: "trigraphs", std: "c11", text: allOf("struct point ??< int y; int x; ??>;\n")},
		{name: "a type that hides behind an attribute", text: allOf("struct __attribute((packed)) point { int y; int x; };\n")},
		{name: "false on BPF alone", text: "#ifdef __bpf__\n" + falsePoint + "#else\n" + truePoint + "#endif\n"},
		{name: "false in optimized programs", text: "#ifdef __OPTIMIZE__\n" + allOf(falsePoint) + "#else\n" + trueFigures + "#endif\n"},
		{name: "another kind", text: "union point { int x; int y; };\n" + trueFigures[len(truePoint):]},

		{name: "true inside a function", text: "static inline void f(void) { " + truePoint + " }\n"},
		{name: "true inside a function, false outside", text: "static inline void f(void) { " + truePoint + " }\n" + allOf(falsePoint)},
		{name: "true in a prototype", text: "void f(struct point { int x; int y; } *p);\n"},
		{name: "false in another record", text: allOf("struct outer { struct point { int y; int x; } p; };\n")},
		{name: "false by a universal character name", text: allOf("struct p\\u006fint { int y; int x; };\n")},
		{name: "a macro for the first of two", text: "#define point point2\n" + truePoint + "#undef point\n" + allOf(falsePoint)},
		{name: "false where nothing includes it", text: "#if __INCLUDE_LEVEL__ > 1\n" + trueFigures + "#else\n" + allOf(falsePoint) + "#endif\n"},
		{name: "false where nothing was counted", text: "#if __COUNTER__ > 0\n" + trueFigures + "#else\n" + allOf(falsePoint) + "#endif\n"},
		{name: "false, with lines that end as on old Macs", text: "struct point { int y; int x; };\r" + trueFigures[len(truePoint):]},
		{name: "a value too many", text: truePoint + "enum colour { RED, GREEN, BLUE };\n"},
		{name: "values changed about", text: truePoint + "enum colour { GREEN, RED };\n"},
		{name: "a packed enum", text: truePoint + "enum colour { RED, GREEN } __attribute__((packed));\n"},
		{name: "a typedef of a vector", text: truePoint + "typedef unsigned int uint32_t __attribute__((vector_size(4)));\n"},
		{name: "sections for all data", text: allOf(falsePoint) + "#pragma clang section rodata=\"x\" data=\"y\" bss=\"z\"\n"},
		{name: "a message that looks like ours", text: allOf(falsePoint) + "#pragma message(\"a.h:1:1: error: x\")\n"},

		{name: "our names", text: allOf(falsePoint) + "extern const unsigned long long btfgen_values[]; struct point *btfgen_p0;\n"},
		{name: "other names for ours", text: allOf(falsePoint) + "#pragma redefine_extname btfgen_values other\n"},
		{name: "BTF of its own", text: allOf(falsePoint) + "__asm__(\".section .BTF,\\\"\\\",@progbits\\n.short 0xeb9f\\n.byte 1, 0\\n.long 24, 0, 0, 0, 1\\n.byte 0\\n.text\");\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.h")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			all := clangtest.Compilers(t)
			// The oldest and the newest, each in one way: what fools one does not
			// depend on the other's version.
			for i, compiler := range []clangtest.Clang{all[0], all[len(all)-1]} {
				for _, fast := range []bool{i == 0} {
					r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: compiler.Name, Fast: fast, Std: c.std})
					if err != nil {
						// Where the compiler's own output makes no sense, that is said.
						if c.name != "BTF of its own" {
							t.Errorf("%s, fast=%v: %v", compiler.Name, fast, err)
						}
						continue
					}
					if r.Holds() != c.holds {
						t.Errorf("%s, fast=%v: holds: %v\n%s\n%q %+v", compiler.Name, fast, r.Holds(), outline(r), r.Errors, r.Counts)
					}
				}
			}
		})
	}
}

// What is compiled is what is said, wherever it stands.
func TestIncludedFiles(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"true.h": trueFigures, "false.h": falsePoint,
		"includes-true.h": "#include \"true.h\"\n", "includes-false.h": "#include \"false.h\"\n",
		"includes-none.h": "#if 0\n#include \"true.h\"\n#endif\n", "itself.h": "#include \"itself.h\"\n" + trueFigures,
		"guarded.h": "#ifndef G\n#define G\n#include \"guarded.h\"\n" + trueFigures + "#endif\n", "lost.h": "#include \"nowhere.h\"\n" + trueFigures,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{
		"includes-true.h": true, "includes-false.h": false, "includes-none.h": false, "itself.h": false, "guarded.h": true, "lost.h": false,
	} {
		r, err := verify.Header(context.Background(), filepath.Join(dir, name), view, nil, verify.Options{Clang: clangtest.Newest(t).Name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.Holds() != want {
			t.Errorf("%s: holds: %v\n%s\n%q", name, r.Holds(), outline(r), r.Errors)
		}
		if want && (r.Counts.Records != 2 || r.Counts.Typedefs != 2 || r.Counts.Members != 5) {
			t.Errorf("%s: %+v", name, r.Counts)
		}
	}
}

// Types that are required must be there, and others need not.
func TestRequiredTypes(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, required, missing string
	}{
		{truePoint, "point", ""},
		{truePoint, "circle", "struct circle"},
		{truePoint + "struct circle;\n", "circle", "struct circle"},
		{truePoint, "colour", "enum colour"},
		{truePoint, "uint32_t", "typedef uint32_t"},
		{"typedef unsigned int uint32_t;\n", "uint32_t", ""},
		{"", "point", "struct point"},
	} {
		path := filepath.Join(t.TempDir(), "a.h")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		required := view.NewSet()
		for _, id := range view.Lookup(c.required) {
			required.Add(id)
		}
		for _, fast := range []bool{false, true} {
			r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: clangtest.Newest(t).Name, Required: required, Fast: fast})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Missing, " "); got != c.missing || r.Holds() != (c.missing == "") || r.Required != 1 {
				t.Errorf("%q of %q, fast=%v: missing %q, holds %v, required %d", c.required, c.text, fast, got, r.Holds(), r.Required)
			}
		}
	}
}

// Counts are of comparisons that took place: reading the sizes and offsets alone
// compares no bitfield, and no typedef of what has no size.
func TestCounts(t *testing.T) {
	b := figures()
	number := b.Int("int", 4, btftest.Signed)
	b.Struct("bits", 4, btftest.Bitfield("a", number, 0, 3), btftest.Bitfield("b", number, 3, 29))
	b.Typedef("nothing", btftest.Void)
	text := trueFigures + "struct bits { int a: 3; int b: 29; }" + mark + "typedef void nothing;\n"
	for fast, want := range map[bool]verify.Counts{
		false: {Records: 3, Members: 7, Enums: 1, Enumerators: 2, Typedefs: 3},
		true:  {Records: 3, Members: 5, Enums: 1, Enumerators: 2, Typedefs: 2},
	} {
		n := run(t, b, text, verify.Options{Fast: fast}).Counts
		n.Assertions, n.ReadBack, n.Relocations = 0, 0, 0
		if n != want {
			t.Errorf("fast=%v: counts are %+v, want %+v", fast, n, want)
		}
	}
}

// A compiler that does nothing, or something else, is no proof.
func TestCompilersThatLie(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte(trueFigures), 0o600); err != nil {
		t.Fatal(err)
	}
	real := clangtest.Newest(t).Name
	for name, script := range map[string]string{
		"says its version and no more": `case "$*" in *--version*) echo clang version 99.0;; esac`,
		"prints garbage":               `echo clang version 99.0; head -c 1000 /dev/urandom`,
		"prints what it is given":      `case "$*" in *--version*) echo clang version 99.0;; *) cat *main.c;; esac`,
		"writes no object":             `case "$*" in *--version*|*" -E "*) exec ` + real + ` "$@";; esac`,
		"writes an empty object":       `case "$*" in *--version*|*" -E "*) exec ` + real + ` "$@";; esac; while [ $# -gt 1 ]; do [ "$1" = -o ] && : >"$2"; shift; done`,
		"writes another object": `case "$*" in *--version*|*" -E "*) exec ` + real + ` "$@";; esac
echo 'const unsigned long long btfgen_values[] = { 8 };' >x.c
while [ $# -gt 1 ]; do [ "$1" = -o ] && ` + real + ` -target bpfel -g -c x.c -o "$2"; shift; done; exit 0`,
	} {
		compiler := filepath.Join(t.TempDir(), "clang")
		if err := os.WriteFile(compiler, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, fast := range []bool{false, true} {
			r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: compiler, Fast: fast})
			if err == nil {
				t.Errorf("a compiler that %s, fast=%v: no error, holds: %v", name, fast, r.Holds())
			}
		}
	}
}

// A wrapper gets the compiler as its argument.
func TestWrapper(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, wrapper := filepath.Join(dir, "a.h"), filepath.Join(dir, "cache")
	if err := os.WriteFile(path, []byte(trueFigures), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nexec \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	real := clangtest.Newest(t).Name
	r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: wrapper, ClangArgs: []string{real}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds() || r.Compiler != wrapper+" "+real || r.Version == "" {
		t.Errorf("%+v", r)
	}
	if c, err := verify.NewCompiler(context.Background(), wrapper, real); err != nil || !strings.HasPrefix(c.Name(), "clang ") {
		t.Errorf("compiler %+v: %v", c, err)
	}
}
