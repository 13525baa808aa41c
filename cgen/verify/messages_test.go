package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// What is said of a header is the same each time, and names no file that is only
// there meanwhile.
func TestMessagesAreTheSameEachTime(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "a.h"), []byte("int x = ;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, says string }{
		{trueFigures + "static inline void f(void) {", "a.h: it ends within a declaration: "},
		{trueFigures + "struct more {", "a.h: it ends within a declaration: "},
		{trueFigures + "int f(", "a.h: it ends within a declaration: expected parameter declarator"},
		{trueFigures + "enum more { A", "a.h: it ends within a declaration: "},
		{trueFigures + "int g(struct more {", "a.h: it ends within a declaration: "},
		{trueFigures + "static inline int f(void) { if (0) {", "a.h: it ends within a declaration: "},
		{trueFigures + "_Static_assert(0, __FILE__ \" \" __BASE_FILE__);\n", "a.h:6: static assertion failed"},
		{trueFigures + "int no(void) __attribute__((unavailable(__FILE__)));\nint yes(void) { return no(); }\n", "a.h:7: 'no' is unavailable: "},
		{"#include \"sub/a.h\"\n" + trueFigures, "sub/a.h:1: expected expression"},
		{"#include \"no.h\"\n", "a.h:1: 'no.h' file not found"},
		{"#include __FILE__\n", "a.h:1: "},
		{"#include __BASE_FILE__\n", "a.h:1: "},
		{"#include \"..\"\n", "a.h:1: "},
		{"#include \"/proc/self/environ\"\n", "a.h: it reads \"/proc/self/environ\""},
		{"#include \"../" + filepath.Base(dir) + "/sub/../../none.c\"\n", "file not found"},
		{trueFigures + "#pragma clang attribute push(__attribute__((weak)), apply_to = any(function, variable))\n", "unterminated '#pragma clang attribute push'"},
		{"struct point { int x; int y[-1]; };\n" + trueFigures[len(truePoint):], "a.h:1: 'y' declared as an array with a negative size"},
		{"\x00\x01\xff", "a.h"},
		{trueFigures + "#pragma clang __debug parser_crash\n", "a.h: line "}, // which the text's next line marker stands behind
		{trueFigures + "\"", "a.h"},
		{trueFigures + "char *s = \"x;\n#define point circle\n", "a.h"},
	} {
		path := filepath.Join(dir, "a.h")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var first []string
		for _, fast := range []bool{false, true, false} {
			r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: clangtest.Newest(t).Name, Fast: fast})
			if err != nil {
				t.Errorf("%q: %v", c.text, err)
				break
			}
			all := strings.Join(r.Errors, "\n")
			if r.Holds() || !strings.Contains(all, c.says) {
				t.Errorf("%q, fast=%v: holds: %v, and it says\n%s", c.text, fast, r.Holds(), all)
			}
			if strings.Contains(all, "btfgen") || strings.Contains(all, os.TempDir()+"/btfgen") {
				t.Errorf("%q: names of ours: %s", c.text, all)
			}
			if first == nil {
				first = r.Errors
			} else if !slices.Equal(first, r.Errors) {
				t.Errorf("%q: %q, and before it was %q", c.text, r.Errors, first)
			}
		}
	}
}

// What a header includes is told where the kernel's types are there only, or where
// something is wrong.
func TestIncludesAreTold(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"sub/true.h": trueFigures, "false.h": falsePoint, "none.h": "#include \"sub/none.h\"\n", "sub/none.h": "int x;\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]struct {
		includes         string
		elsewhere, holds bool
	}{
		trueFigures:                 {"", false, true},
		"#include \"sub/true.h\"\n": {"sub/true.h", true, true},
		"#include \"sub/true.h\"\nstruct mine { int x; };\n":         {"sub/true.h", true, true},
		"#include \"none.h\"\n" + trueFigures:                        {"none.h sub/none.h", false, true},
		"#include \"none.h\"\n":                                      {"none.h sub/none.h", false, false},
		"#include \"false.h\"\n" + trueFigures[len(truePoint):]:      {"false.h", false, false},
		"#include \"false.h\"\n":                                     {"false.h", true, false},
		"#include \"sub/true.h\"\nint x = ;\n":                       {"sub/true.h", false, false},
		"#include \"sub/true.h\"\n#define point circle\nint none;\n": {"sub/true.h", true, false},
	} {
		path := filepath.Join(dir, "a.h")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: clangtest.Newest(t).Name, Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(r.Includes, " ") != want.includes || r.Elsewhere != want.elsewhere && len(r.Errors) == 0 || r.Holds() != want.holds {
			t.Errorf("%q: includes %q, elsewhere %v, holds %v, %q", text, r.Includes, r.Elsewhere, r.Holds(), r.Errors)
		}
	}
}

// Every compiler that there is writes what llvmir reads: the way by objects is for
// those to come.
func TestTypesAreReadBeforeTheBackend(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte(trueFigures), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range clangtest.Compilers(t) {
		var said []string
		r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: c.Name, Progress: func(s string) { said = append(said, s) }})
		if err != nil || !r.Holds() {
			t.Errorf("%s: %v, %+v", c.Name, err, r)
		}
		if all := strings.Join(said, "\n"); !strings.Contains(all, "reading types back") || strings.Contains(all, "objects") {
			t.Errorf("%s: %s", c.Name, all)
		}
	}
}
