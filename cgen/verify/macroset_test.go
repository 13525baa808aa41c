package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What a macro comes to is said only if it comes to that everywhere.
func TestExpandMacros(t *testing.T) {
	twice := "#define m0 x\n"
	for i := range 40 {
		twice += fmt.Sprintf("#define m%d m%[2]d m%[2]d\n", i+1, i)
	}
	for _, c := range []struct{ text, name, want string }{
		{"#define a b\n", "a", "b"},
		{"#define a b\n#define b c d\n", "a", "c d"},
		{"#define a a\n", "a", "a"},
		{"#define a b\n#define b a\n", "a", "a"},
		{"#define a b b\n#define b (a)\n", "a", "( a ) ( a )"},
		{"#define a \n", "a", ""},
		{"#define a f\n#define f(x) x\n", "a", "f"},
		{"#define a b->c[1.5e-3] \"x y\\\"\" 'c' <<2\n", "a", "b -> c [ 1.5e - 3 ] \"x y\\\"\" 'c' << 2"},
		{"#define a(x) x\n", "a", "?"},
		{"#define a() x\n", "a", "?"},
		{"#define a f(x)\n#define f(x) x\n", "a", "?"},
		{"#define a x##y\n", "a", "?"},
		{"#define a x%:%:y\n", "a", "?"},
		{"#define a b\n#define b __COUNTER__\n", "a", "?"},
		{"#define a __has_include(<x.h>)\n", "a", "?"},
		{"#define a _Pragma(\"x\")\n", "a", "?"},
		// A raw string looks like another definition, and so there are two.
		{"#define A R\"(\n#define a a\n)\"\n#define a b\n", "a", "?"},
		{twice, "m3", "x x x x x x x x"},
		{twice, "m40", "?"},
	} {
		list, ok := readMacros(c.text).expand(c.name)
		got := strings.Join(list, " ")
		if !ok {
			got = "?"
		}
		if got != c.want {
			t.Errorf("%.80q: %s comes to %q, want %q", c.text, c.name, got, c.want)
		}
	}
}

// No pragma that poisons a name is overlooked, however it is written.
func TestMayPoison(t *testing.T) {
	for text, want := range map[string]bool{
		"struct list_poison { int pragma; };\n":         false,
		"#pragma clang attribute push\nint poison;\n":   false,
		"#define x \\\n y\n#pragma pack(push)\nint p\n": false,
		"#pragma GCC poison x\n":                        true,
		"%: pragma clang poison x":                      true,
		"#pragma GCC \\\npoison x\n":                    true,
		"#prag\\ \t\r\nma GCC poi\\\nson x\n":           true,
		"#pra??/\ngma GCC poison x\n":                   true,
		"#pragma GCC /*\n*/ poison x\n":                 true,
		"_Pragma(S(GCC poi##son x))":                    true,
	} {
		if got := mayPoison(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]string{"a\\\nb": "ab", "a\\ b\\": "a\\ b\\", "\\\\\n": "\\", "\\\n\\\nx": "x"} {
		if got := unsplice(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if !slices.Equal(tokens(" a  +b"), []string{"a", "+", "b"}) {
		t.Errorf("%q", tokens(" a  +b"))
	}
}
