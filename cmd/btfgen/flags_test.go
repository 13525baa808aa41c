package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

// An outcome of a run is all that it leaves.
type runOutcome struct {
	code           int
	stdout, stderr string
	files          string
}

func outcomeOf(t *testing.T, args []string) runOutcome {
	t.Helper()
	os.RemoveAll("out")
	if err := os.Mkdir("out", 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	o := runOutcome{code: run(args, strings.NewReader(""), &stdout, &stderr)}
	o.stdout, o.stderr = stdout.String(), stderr.String()
	entries, err := os.ReadDir("out")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile("out/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		o.files += fmt.Sprintf("%s: %s\n", e.Name(), content)
	}
	return o
}

// Each flag, with each kind of output, changes what comes out, or is refused by
// name: none is taken and ignored.
func TestEveryFlagCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	kernel, modules := testKernel()
	write := func(name string, data []byte) {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("kernel.btf", kernel)
	write("module.btf", modules[0])
	write("other.btf", cutEnum())
	write("object.o", testObject(t, kernel))
	const program = `struct point { int x; } __attribute__((preserve_access_index));
struct module_state { struct point where; } __attribute__((preserve_access_index));
__attribute__((section("kprobe/y"))) int g(struct module_state *s) { return s->where.x; }
`
	path, output, err := clangtest.Newest(t).Compile(t, map[string]string{"main.c": program}, "-g", "-O2", "-target", "bpfel")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write("second.o", second)
	t.Setenv("CLANG", clangtest.Newest(t).Name)

	modes := []struct {
		name string
		args []string
	}{
		{"header", []string{"out/x.h"}},
		{"Go", []string{"out/x.go"}},
		{"BTF", []string{"out/x.btf"}},
		{"slim", []string{"--for", "object.o", "out/x.h"}},
		{"minimal", []string{"--for", "object.o", "out/x.btf"}},
		{"directory", []string{"--for", "object.o", "out/"}},
	}
	kernelArg := []string{"-i", "kernel.btf"}
	goTypes := []string{"--type", "*_st*"} // Go types have to be named
	// counts has a letter for each mode: + where the flag changes something, -
	// where it is refused.
	type row struct {
		flag, counts string
		args         []string // the flag
		instead      bool     // of the kernel
		base         []string // what makes it matter, with --for
		noTypes      bool     // for Go
	}
	rows := []row{
		{flag: "input", counts: "++++++", args: []string{"--input", "other.btf"}, instead: true},
		{flag: "kernel", counts: "++++++", args: []string{"-k", "other.btf"}, instead: true},
		{flag: "module", counts: "++++++", args: []string{"-m", "module.btf"}, base: []string{"--for", "second.o"}},
		{flag: "type", counts: "++++--", args: []string{"--type", "sk_buff"}},
		{flag: "base", counts: "------", args: []string{"--base", "kernel.btf"}},
		{flag: "release", counts: "------", args: []string{"--release", "6.1"}},
		{flag: "max-size", counts: "++++++", args: []string{"--max-size", "16"}},
		{flag: "format", counts: "+++++-", args: []string{"--format", "h"}},
		{flag: "for", counts: "+-++++", args: []string{"--for", "second.o"}, base: []string{"-m", "module.btf"}},
		{flag: "no-kfuncs", counts: "+--+--", args: []string{"--no-kfuncs"}},
		{flag: "spdx", counts: "+--+--", args: []string{"--spdx", "MIT"}},
		{flag: "no-provenance", counts: "++-+--", args: []string{"--no-provenance"}},
		{flag: "skip-unprintable", counts: "++-+--", args: []string{"--skip-unprintable"}},
		{flag: "check", counts: "++++++", args: []string{"--check"}},
		{flag: "verify", counts: "++-+--"},
		{flag: "quiet", counts: "++++++", args: []string{"-q"}},
		{flag: "fields", counts: "---+--", args: []string{"--fields"}},
		{flag: "clang", counts: "---+--", args: []string{"--clang", "/nonexistent"}},
		{flag: "fast", counts: "------", args: []string{"--fast"}},
		{flag: "all", counts: "-+----", args: []string{"--all"}, noTypes: true},
		{flag: "package", counts: "-+----", args: []string{"--package", "main"}},
		{flag: "prefix", counts: "-+----", args: []string{"--prefix", "X"}},
		{flag: "tags", counts: "-+----", args: []string{"--tags", "linux"}},
		{flag: "names", counts: "-+----", args: []string{"--names", "task_state=Zustand"}},
	}
	for _, flag := range newApp().VisibleFlags() {
		name := flag.Names()[0]
		if n := slices.IndexFunc(rows, func(r row) bool { return r.flag == name }); n < 0 && name != "help" && name != "version" {
			t.Errorf("--%s is not tried", name)
		}
	}
	baselines := make(map[string]runOutcome)
	for _, row := range rows {
		for i, mode := range modes {
			isHeader := mode.name == "header" || mode.name == "slim"
			switch {
			case row.flag == "format" && isHeader:
				row.args = []string{"--format", "btf"}
			case row.flag == "format":
				row.args = []string{"--format", "h"}
			case row.flag == "verify" && isHeader:
				row.args = []string{"--verify", "--clang", "/nonexistent"} // what holds is written in either case
			case row.flag == "verify":
				row.args = []string{"--verify"}
			}
			base := slices.Clone(mode.args)
			if mode.name == "Go" && !row.noTypes {
				base = append(base, goTypes...)
			}
			if slices.Contains(base, "--for") {
				base = append(base, row.base...)
			}
			without := append(slices.Clone(base), kernelArg...)
			with := append(slices.Clone(without), row.args...)
			if row.instead {
				with = append(slices.Clone(base), row.args...)
			}
			key := strings.Join(without, " ")
			before, known := baselines[key]
			if !known {
				before = outcomeOf(t, without)
				baselines[key] = before
			}
			after := outcomeOf(t, with)
			switch refused := after.code == 2 && strings.Contains(after.stderr, row.flag) && after.files == ""; {
			case row.counts[i] == '-' && !refused:
				t.Errorf("%s: btfgen %s: want it refused, got exit code %d and %q", mode.name, strings.Join(with, " "), after.code, after.stderr)
			case row.counts[i] == '+' && after == before:
				t.Errorf("%s: btfgen %s: --%s changes nothing", mode.name, strings.Join(with, " "), row.flag)
			case row.counts[i] == '+' && after.code == 2 && !slices.Contains([]string{"max-size", "clang", "verify"}, row.flag):
				t.Errorf("%s: btfgen %s: want it taken, got %q", mode.name, strings.Join(with, " "), after.stderr)
			}
		}
	}
}

// A command line is read before it is known whose flags stand on it: flags of
// one name have a value in all commands, or in none.
func TestFlagsAgree(t *testing.T) {
	values := make(map[string]bool)
	for _, flag := range allFlags(newApp()) {
		for _, name := range flag.Names() {
			if have, ok := values[name]; ok && have != takesValue(flag) {
				t.Errorf("-%s has a value in one command, and none in another", name)
			}
			values[name] = takesValue(flag)
		}
	}
	if len(values) < 20 {
		t.Errorf("found only the flags %v", values)
	}
}
