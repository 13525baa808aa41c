package gogen_test

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// What variables and maps hold is declared too, and called after them where C
// has no name for it.
func TestVariables(t *testing.T) {
	v := sampleView(t, binary.LittleEndian)
	all := generate(t, v, nil, gogen.Options{})
	checkCode(t, v, all)
	for _, want := range []string{
		"// Config is the type of the variable config, 8 bytes.\ntype Config struct {",
		"// Mode is the type of the variable mode, 1 byte.\ntype Mode uint8",
		"// Counts_Key is the type of each key in the map counts, 8 bytes.\ntype Counts_Key struct {",
		"// Counts_Value is the type of each value in the map counts, 16 bytes.\ntype Counts_Value struct {",
	} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("among all types there is no %q", want)
		}
	}
	for name, want := range map[string][]string{
		"config": {"Config"}, "mode": {"Mode"}, "counts": {"Counts_Key", "Counts_Value"}, "v": nil,
		"state": {"Node", "Node_Both", "Node_Empty", "Node_Named"},
	} {
		set := v.NewSet()
		for _, id := range v.Lookup(name, btfdump.KindVar) {
			set.Add(id)
		}
		src := generate(t, v, set, gogen.Options{})
		checkCode(t, v, src)
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^// (\w+) is .*\ntype \w+ (?:struct|uint8|int32)`).FindAllSubmatch(src, -1) {
			if name := string(m[1]); name != "Bool" {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s: %s is not among %q", name, name, got)
			}
		}
		if len(want) == 0 && len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
	// Verify sees when they are wrong.
	changed := bytes.Replace(all, []byte("map counts, 8 bytes.\ntype Counts_Key struct {"), []byte("map counts, 8 bytes.\ntype Counts_Key struct {\n\tMore uint64\n"), 1)
	at := bytes.Index(changed, []byte("\n// The compiler refuses"))
	report, err := gogen.Verify(changed[:at+1], v)
	if err != nil || len(report.Mismatches) == 0 || report.Mismatches[0].Type != "Counts_Key" {
		t.Errorf("a longer key gives %v, %v", report, err)
	}
}

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
