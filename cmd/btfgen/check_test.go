package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of more lines than are compared is not right, and nothing of it is shown.
func TestCheckManyLines(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.h")
	for _, test := range []struct {
		lines int
		shown bool
	}{{1000, true}, {maxCompared + 1, false}} {
		if err := os.WriteFile(name, bytes.Repeat([]byte("\n"), test.lines), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := check(name, []byte("struct a;\n"), &out, newConsole(io.Discard, true))
		if err == nil || strings.Contains(err.Error(), "2,097,153 lines") == test.shown || (out.Len() > 0) != test.shown {
			t.Errorf("%d lines: %v, %d bytes are shown", test.lines, err, out.Len())
		}
	}
}
