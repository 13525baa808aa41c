package btfdump_test

import (
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
)

func TestIsIdentifier(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "_": true, "Z9": true, "task_struct": true, "__x___2": true, strings.Repeat("x", 4096): true,
		"": false, "9a": false, "a b": false, "a\x00": false, "a;": false, "é": false, "a\xff": false, "a-b": false, "a\n": false, "$a": false, "@": false, "[": false, "`": false, "{": false, "/": false, ":a": false,
	} {
		if got := btfdump.IsIdentifier(name); got != want {
			t.Errorf("%.20q: %v", name, got)
		}
	}
}
