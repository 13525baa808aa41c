package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Man pages are well-formed, and say what the help says.
func TestManPages(t *testing.T) {
	for _, command := range []string{"", "check", "verify", "info", "completion", "help"} {
		var page, help bytes.Buffer
		if code := run(strings.Fields("man "+command), nil, &page, io.Discard); code != 0 {
			t.Fatalf("btfgen man %s: exit code %d", command, code)
		}
		run(strings.Fields("help "+command), nil, &help, io.Discard)
		file := filepath.Join(t.TempDir(), "page.1")
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}

		// What groff shows has each word of the help.
		groff := exec.Command("groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=200n", "-rHY=0", file)
		var shown, warnings bytes.Buffer
		groff.Stdout, groff.Stderr = &shown, &warnings
		if err := groff.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("btfgen man %s: %v\n%s", command, err, &warnings)
		}
		// Lines may break behind a hyphen.
		text := strings.Join(strings.Fields(shown.String()), "")
		for _, word := range strings.Fields(strings.Replace(help.String(), "Each has help of its own", "", 1)) {
			if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ:") != "" && !strings.Contains(text, word) {
				t.Errorf("btfgen man %s: there is no %q", command, word)
			}
		}

		// mandoc is stricter. That there is no date is meant.
		lint := exec.Command("mandoc", "-Tlint", file)
		out, err := lint.Output()
		if err != nil && len(out) == 0 {
			t.Errorf("mandoc: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			if !regexp.MustCompile(`missing date, using "": TH`).MatchString(line) {
				t.Errorf("btfgen man %s: %s", command, line)
			}
		}
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("x", 74) + " .so": strings.Repeat("x", 74) + "\n" + `\&.so` + "\n",
		`a-b\n`:                          `a\-b\en` + "\n",
		".so x":                          `\&.so x` + "\n",
		"'so x":                          `\(aqso x` + "\n",
		"é \"~^`":                        `\[u00E9] \(dq\(ti\(ha\(ga` + "\n",
	} {
		if got := roffText(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
