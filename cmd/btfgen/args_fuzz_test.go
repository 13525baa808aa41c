package main

import (
	"slices"
	"strings"
	"testing"
)

// FuzzArrange looks for command lines that make the parser panic, that it puts in an
// order which it would change again, or whose error is more than a line of text.
func FuzzArrange(f *testing.F) {
	for _, line := range []string{
		"vmlinux.h", "-qm\nall\nvmlinux.h", "check\n--json\na.o\n-k\nk", "--\n-x", "-i", "-i\n-", "--type=\nx.h", "--for\na.c\nx.h\n--\n-I\ninc",
		"-DX\nx.h", "--josn", "-types\nx", "verify\n-X\n-DA\nw.h", "man\ncheck", "help", "--no-kfuncs=false\nx.h", "-ij\n\x1b[1m", "\u2014check", "--in\u202eput\na",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\n")
		got, err := arrange(newApp(), args)
		if err != nil {
			if text := errorLines(err); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 }) || text == "" {
				t.Errorf("%q: the error %q", args, text)
			}
			return
		}
		again, err := arrange(newApp(), got)
		if err != nil {
			t.Fatalf("%q became %q, and that is an error: %v", args, got, err)
		}
		if !slices.Equal(got, again) {
			t.Errorf("%q became %q, and that %q", args, got, again)
		}
	})
}

// FuzzShellWords quotes words, and looks for those that do not come back.
func FuzzShellWords(f *testing.F) {
	for _, line := range []string{"ccache\nclang", "a b\n'\n\"", "\\\n$HOME", "\t\n ", "", "\n"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		shellWords(line) // does not panic
		words := strings.Split(line, "\n")
		for name, quote := range map[string]func(string) string{
			"single quotes": func(w string) string { return "'" + strings.ReplaceAll(w, "'", `'"'"'`) + "'" },
			"double quotes": func(w string) string {
				return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(w) + `"`
			},
		} {
			var quoted []string
			for _, w := range words {
				quoted = append(quoted, quote(w))
			}
			got, err := shellWords(strings.Join(quoted, " "))
			if err != nil || !slices.Equal(got, words) {
				t.Errorf("%s: %q became %q (%v)", name, words, got, err)
			}
		}
	})
}
