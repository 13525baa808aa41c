package main

import (
	"runtime"
	"slices"
	"testing"
)

func TestShellWords(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
		ok    bool
	}{
		{"", nil, true},
		{" \t\n", nil, true},
		{"clang", []string{"clang"}, true},
		{"  ccache  clang-19 ", []string{"ccache", "clang-19"}, true},
		{`"/opt/my clang/bin/clang" -v`, []string{"/opt/my clang/bin/clang", "-v"}, true},
		{`/opt/'my clang'/bin/"clang"`, []string{"/opt/my clang/bin/clang"}, true},
		{`env A="b c" clang`, []string{"env", "A=b c", "clang"}, true},
		{`a "" ''`, []string{"a", "", ""}, true},
		{`'$HOME' "$(id)" *`, []string{"$HOME", "$(id)", "*"}, true},
		{`'a"b' "a'b"`, []string{`a"b`, "a'b"}, true},
		{`"clang`, nil, false},
		{`cl'ang`, nil, false},
	} {
		words, err := shellWords(c.text)
		if !slices.Equal(words, c.words) || (err == nil) != c.ok {
			t.Errorf("%q gives %q and %v, want %q", c.text, words, err, c.words)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	for text, want := range map[string][]string{
		`/opt/my\ clang/clang x`: {"/opt/my clang/clang", "x"},
		`"a\"b" "a\b" 'a\b'`:     {`a"b`, `a\b`, `a\b`},
		`\`:                      nil,
	} {
		if words, _ := shellWords(text); !slices.Equal(words, want) {
			t.Errorf("%q gives %q, want %q", text, words, want)
		}
	}
}
