package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/btfgen/btfgen/goldens/libbpftest"
)

const program = `
#define CORE __attribute__((preserve_access_index))
struct task { int a; int pid; } CORE;
int one, two;
__attribute__((section("socket"), used)) int prog(struct task *t) { return t->pid + one * 3; }
`

func compileText(t *testing.T, text string) string {
	t.Helper()
	path, output, err := clangtest.Newest(t).Compile(t, map[string]string{"main.c": text}, "-target", "bpf", "-g", "-O2")
	if err != nil {
		t.Fatal(err, output)
	}
	// The next one may have the same name.
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "object.bpf.o")
	if err := os.WriteFile(kept, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestDifference(t *testing.T) {
	path := compileText(t, program)
	for name, c := range map[string]struct{ old, new, want string }{
		"the same":           {"", "", ""},
		"more types":         {"int one, two;", "struct more { int x; } CORE; struct more *unused(void); int one, two;", ""},
		"another constant":   {"* 3", "* 5", "section socket has other bytes"},
		"another variable":   {"one * 3", "two * 3", "section socket refers to something else"},
		"another size":       {"* 3", "* 3 + two", "section socket has "},
		"a section more":     {"int one, two;", "int one, two; int three = 3;", "other sections"},
		"a longer .bss":      {"int one, two;", "int one, two, three;", "section .bss has 8 and 12 bytes"},
		"another member":     {"int pid;", "int b, pid;", "section socket has other bytes"},
		"another type of it": {"int a;", "unsigned a;", ""},
	} {
		got, err := difference(path, compileText(t, strings.Replace(program, c.old, c.new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := difference(path, "/dev/null"); err == nil {
		t.Error("no error for what is no object")
	}
}

func TestSameOn(t *testing.T) {
	object, err := readObject(compileText(t, program))
	if err != nil {
		t.Fatal(err)
	}
	target := func(old, new string) *core.Target {
		o, err := readObject(compileText(t, strings.ReplaceAll(program, old, new)))
		if err != nil {
			t.Fatal(err)
		}
		return core.NewTarget(o.View)
	}
	whole := target("none", "")
	raw, _, err := whole.Minimize([]*core.Object{object})
	if err != nil {
		t.Fatal(err)
	}
	view, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := sameOn(object, whole, object, core.NewTarget(view)); got != "" {
		t.Errorf("with minimal BTF: %s", got)
	}
	if got, want := sameOn(object, whole, object, target("int a;", "int a, b;")), "task->pid comes to 4, and 8"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := sameOn(object, whole, object, target("pid", "tid")), "task->pid comes to 4, and nothing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	more, err := readObject(compileText(t, strings.Replace(program, "t->pid", "t->pid + t->a", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sameOn(object, whole, more, whole), "1 relocations, and 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	other, err := readObject(compileText(t, strings.Replace(program, "t->pid", "t->a", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sameOn(object, whole, other, whole), "relocation 0 is about task->pid, and task->a"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOtherCode(t *testing.T) {
	type outcomes = map[string]libbpftest.Outcome
	a := libbpftest.Answer{Programs: outcomes{"p": {Code: []byte("12345678")}, "q": {Refused: "22: no type 5"}}}
	for want, b := range map[string]libbpftest.Answer{
		"":                                  {Programs: outcomes{"p": {Code: []byte("12345678")}, "q": {Refused: "22: no type 7"}}},
		`says "2: no file", not ""`:         {Refused: "2: no file"},
		"knows no program q":                {Programs: outcomes{"p": {Code: []byte("12345678")}}},
		`says of q "", not "22: no type 5"`: {Programs: outcomes{"p": {Code: []byte("12345678")}, "q": {Code: []byte("12345678")}}},
		"gives the kernel other instructions of p": {Programs: outcomes{"p": {Code: []byte("12345679")}, "q": {Refused: "22"}}},
		"knows other programs":                     {Programs: outcomes{"p": {Code: []byte("12345678")}, "q": {Refused: "22"}, "r": {}}},
	} {
		if got := otherCode(a, b); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
