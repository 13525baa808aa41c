package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const typeIDs = `
struct more { int x; } many;
typedef unsigned long long u64;
struct task { int a; u64 pid; } __attribute__((preserve_access_index));
__attribute__((section("socket"), used)) int prog(struct more *m, struct task *t) { return t->pid + __builtin_btf_type_id(*t, 0); }
`

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     outcome
		why      string
	}{
		"the same":                {"", "", identical, ""},
		"a member that is unused": {"int a;", "int b;", identical, ""},
		"another type ID":         {"int x;", "struct { int y; } x;", sameButIDs, ""},
		"another member's name":   {"pid", "tid", differs, "pid"},
		"another instruction":     {"t->pid +", "t->pid -", differs, "section \"socket\""},
	} {
		path, other := compileText(t, typeIDs), compileText(t, strings.ReplaceAll(typeIDs, c.old, c.new))
		got := comparison{programFile: programFile{path: name}}
		if err := got.judge([2]string{path, other}); err != nil {
			t.Fatal(err)
		}
		if got.outcome != c.want || !strings.Contains(strings.Join(got.why, "; "), c.why) {
			t.Errorf("%s: %s %q, want %s", name, outcomeNames[got.outcome], got.why, outcomeNames[c.want])
		}
	}
}

func TestFindPrograms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.c": "#include <vmlinux.h>\n", "b.c": "#define X\n# include \"../x/vmlinux.h\"\n", "c.bpf.c": "", "d.c": "#include <stdio.h>\n", "e.h": "#include \"vmlinux.h\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "f.c")); err != nil {
		t.Fatal(err)
	}
	found, err := findPrograms([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range found {
		names = append(names, fmt.Sprint(filepath.Base(p.path), " ", p.first))
	}
	if got := strings.Join(names, ", "); got != "a.c true, b.c false, c.bpf.c false" {
		t.Errorf("found %s", got)
	}
	if _, err := findPrograms([]string{t.TempDir()}); err == nil {
		t.Error("nothing is no error")
	}
}

func TestReportVersus(t *testing.T) {
	k := &kernel{name: "6.1"}
	var out bytes.Buffer
	bad := reportVersus(&out, &runner{kernels: []*kernel{k}}, []*comparison{
		{programFile: programFile{path: "x/a.bpf.c"}, kernel: k},
		{programFile: programFile{path: "x/b.bpf.c"}, kernel: k, outcome: differs, why: []string{"1", "2", "3", "4"}},
		{programFile: programFile{path: "x/c.bpf.c"}, kernel: k, outcome: onlyOurs, why: []string{"no type"}},
		{programFile: programFile{path: "x/d.bpf.c"}, kernel: k, outcome: onlyTheirs, why: []string{"no header"}},
		{programFile: programFile{path: "x/e.bpf.c"}, kernel: k, outcome: neither, why: []string{"no"}},
	})
	const want = `6.1: 5 programs, 1 identical, 0 same but for type IDs, 1 different, 1 only with bpftool's, 1 only with btfgen's, 1 with neither
   b.bpf.c: different: 1; 2; 3
   c.bpf.c: only with btfgen's: no type
   d.bpf.c: only with bpftool's: no header
`
	if bad != 2 || out.String() != want {
		t.Errorf("%d bad:\n%s", bad, out.String())
	}
}
