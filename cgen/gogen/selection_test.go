package gogen_test

import (
	"bytes"
	"testing"

	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// A selection is complete: it compiles, and each type in it is declared as
// among all types.
func TestSelections(t *testing.T) {
	v := view(t, btftest.Corpus(t, "amd64-7.2-cloud"))
	all := generate(t, v, nil, gogen.Options{})
	declared := make(map[string]bool)
	for _, block := range bytes.Split(all, []byte("\n\n")) {
		declared[string(block)] = true
	}
	for _, pattern := range []string{"task_struct", "tcp_info", "sk_*", "union bpf_attr", "typedef k*_t", "enum tcp_*"} {
		set := v.NewSet()
		ids, err := v.Match(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			set.Add(id)
		}
		src := generate(t, v, set, gogen.Options{})
		checkCode(t, v, src)
		n := 0
		for _, block := range bytes.Split(src, []byte("\n\n")) {
			// Constants follow their type in a block of their own.
			if bytes.Contains(block, []byte("\ntype ")) {
				n++
				if !declared[string(block)] {
					t.Errorf("%s: among all types this is otherwise:\n%s", pattern, block)
				}
			}
		}
		if n == 0 {
			t.Errorf("%s: no types", pattern)
		}
	}
}
