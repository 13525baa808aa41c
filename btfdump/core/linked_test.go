package core_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// TestReadLinkedObject links two objects statically. Both have a weak function
// of one name: the second one's code stays in the file, and no symbol covers it.
func TestReadLinkedObject(t *testing.T) {
	const shared = macros + `
struct task { int pid; int tgid; } CORE;
WEAK NOINLINE int twice(struct task *t) { return t->tgid; }
`
	c := clangtest.Newest(t)
	dir := t.TempDir()
	var inputs []string
	for i, program := range []string{
		shared + `char LICENSE[] SEC("license") = "GPL"; SEC("kprobe/a") int first(struct task *t) { return twice(t) + t->pid; }`,
		shared + `int counter = 3; SEC("kprobe/b") int second(struct task *t) { return twice(t) + t->pid + counter; }`,
	} {
		path := filepath.Join(dir, fmt.Sprintf("%d.o", i))
		if err := os.WriteFile(path, compileFile(t, c, "bpfel", program), 0o600); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, path)
	}
	linked := filepath.Join(dir, "linked.o")
	if output, err := exec.Command("bpftool", slices.Concat([]string{"gen", "object", linked}, inputs)...).CombinedOutput(); err != nil {
		t.Fatalf("bpftool gen object: %v: %s", err, output)
	}
	raw, err := os.ReadFile(linked)
	if err != nil {
		t.Fatal(err)
	}
	o, err := core.ReadObject("linked.o", raw)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, f := range o.Functions {
		got = append(got, fmt.Sprintf("%s weak=%t", f.Name, f.Weak))
		for _, r := range f.References {
			if r.Kind == core.ReferenceFunction {
				got = append(got, fmt.Sprintf("%s calls %s", f.Name, o.Functions[r.Index].Name))
			} else {
				got = append(got, fmt.Sprintf("%s uses %s", f.Name, o.Sections[r.Index].Name))
			}
		}
		for _, r := range o.Relocations {
			if r.Function == i {
				got = append(got, fmt.Sprintf("%s: %s", f.Name, r.Access))
			}
		}
	}
	outside := 0
	results := core.NewTarget(o.View).Relocate(o)
	for i, r := range o.Relocations {
		if r.Function < 0 {
			outside++
		} else if !results[i].Found() {
			t.Errorf("%s at %s is not found in the object's own types", r.Kind, r.Access)
		}
	}
	want := []string{"first calls twice", "first weak=false", "first: 0:0", "second calls twice", "second uses .data", "second weak=false", "second: 0:0", "twice weak=true", "twice: 0:1"}
	slices.Sort(got)
	if !slices.Equal(got, want) || outside != 1 {
		t.Errorf("read\n%s\nand %d relocations outside of functions; want 1, and\n%s", strings.Join(got, "\n"), outside, strings.Join(want, "\n"))
	}
}
