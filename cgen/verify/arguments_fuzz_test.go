package verify

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzArguments looks for names that clang would take for an option, or that are
// not the same file's any more.
func FuzzArguments(f *testing.F) {
	for _, name := range []string{"", "a.h", "-fplugin=x.so", "@q", "d/@q", "--", "a b", "./-x", "/@", "..", "-", "@/a"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.ContainsRune(name, 0) {
			return // no file is called so
		}
		var a Arguments
		a.Flags("-target", "bpf")
		a.File("-I", name)
		a.Source(name)
		if len(a.list) != 5 || a.list[2] != "-I" {
			t.Fatalf("%q became the arguments %q", name, a.list)
		}
		for _, got := range []string{a.list[3], a.list[4]} {
			if got == "" || got[0] == '-' || got[0] == '@' {
				t.Errorf("%q became %q, which is an option", name, got)
			}
			if filepath.Clean(got) != filepath.Clean(name) {
				t.Errorf("%q became %q, which is another file", name, got)
			}
		}
		// clang looks at the last element by itself.
		if got := a.list[4]; (a.err != nil) != strings.HasPrefix(filepath.Base(got), "@") {
			t.Errorf("a source called %q: the error %v", got, a.err)
		}
	})
}

// FuzzAbsoluteFlags looks for flags that change when they are made absolute a
// second time, which they would if a path were taken for a flag or the reverse.
func FuzzAbsoluteFlags(f *testing.F) {
	for _, flags := range []string{"-I\ninclude", "-Iinclude", "-include\nx.h", "-include-pch\nx", "-I", "-I\n-Wall", "-I=sys", "--embed-dir=", "--embed-dir=a", "-isystem/usr", "-imacros\n\nx", "-DX=-I\n-iquote\n=a"} {
		f.Add(flags)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flags := strings.Split(text, "\n")
		absolute, included, err := absoluteFlags(flags)
		if err != nil {
			t.Fatal(err)
		}
		again, includedAgain, err := absoluteFlags(absolute)
		if err != nil || !slices.Equal(again, absolute) || !slices.Equal(includedAgain, included) {
			t.Errorf("%q became %q and %q, and that %q and %q (%v)", flags, absolute, included, again, includedAgain, err)
		}
		for _, file := range included {
			if !filepath.IsAbs(file) && !strings.HasPrefix(file, "=") {
				t.Errorf("%q includes %q", flags, file)
			}
		}
	})
}
