package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/btfgen/btfgen/goldens/libbpftest"
)

// A row is a tool and a kernel, and all that was found of the two.
type row struct {
	tool   tool
	kernel *kernel

	lacks    string  // what keeps it from compiling with the kernel's header, "" if nothing
	object   string  // compiled with it, or with builtFor's
	builtFor *kernel // nil: no kernel of this architecture has a header with which it compiles

	slim, fields, minimal, theirs int64 // bytes; 0: not made
	bpftoolFails                  string
	slimTime, fieldsTime          time.Duration
	minimalTime, theirTime        time.Duration

	// programs that libbpf gives the kernel the same instructions of, with the
	// slim header's objects and with minimal BTF
	libbpf int

	problems []string // what does not hold
}

func (w *row) fail(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// table is the command that prints the table.
func table(ctx context.Context, args []string) error {
	r := &runner{ctx: ctx}
	flags := flag.NewFlagSet("table", flag.ExitOnError)
	r.addFlags(flags)
	flags.BoolVar(&r.boot, "boot", false, "start the kernels of the cache in virtual machines (qemu-system-x86_64) and load the programs there too")
	globs := flags.String("kernels", "", "kernels of the cache whose names match one of these `GLOBS`, separated by blanks")
	only := flags.String("tools", "*", "only tools whose names match this `GLOB`")
	running := flags.Bool("running", true, "the running kernel too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	remove, err := r.equip()
	if err != nil {
		return err
	}
	defer remove()
	if err := r.prepare(flags.Args(), strings.Fields(*globs), *only, *running); err != nil {
		return err
	}
	rows, checks, err := r.run()
	if err != nil {
		return err
	}
	bad := report(os.Stdout, r.about(), r.kernels, rows, checks)
	if bad > 0 {
		return fmt.Errorf("%d things do not hold", bad)
	}
	return nil
}

// prepare finds programs, tools and kernels.
func (r *runner) prepare(files, globs []string, only string, running bool) (err error) {
	dir := filepath.Join(r.cache, "libbpf-tools")
	tools, err := findTools(filepath.Join(dir, "src", "libbpf-tools"))
	if err != nil {
		return err
	}
	for _, t := range tools {
		ok, err := filepath.Match(only, t.name)
		if err != nil {
			return fmt.Errorf("-tools %q: %w", only, err)
		}
		if ok {
			r.tools = append(r.tools, t)
		}
	}
	if only == "*" {
		if r.shipped, err = different(filepath.Join(dir, "objects", "*.bpf.o")); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath(machine); r.boot && err != nil {
		return fmt.Errorf("%w: install it, as with apt-get install qemu-system-x86", err)
	}
	if r.oracle, err = libbpftest.New(r.work); err != nil {
		return err
	}
	inputs, err := kernelInputs(files, r.cache, globs)
	if err != nil {
		return err
	}
	if running {
		inputs = append(inputs, "")
	}
	for _, input := range inputs {
		log.Printf("reading %s", cmp.Or(input, "the running kernel"))
		k, err := r.openKernel(input)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.kernels, func(other *kernel) bool { return other.name == k.name }) {
			return fmt.Errorf("there are two kernels called %s", k.name)
		}
		r.kernels = append(r.kernels, k)
	}
	slices.SortFunc(r.kernels, compareKernels)
	return nil
}

// run makes the rows, and has the objects checked.
func (r *runner) run() ([]*row, []check, error) {
	var rows []*row
	for _, k := range r.kernels {
		for _, t := range r.tools {
			rows = append(rows, &row{tool: t, kernel: k})
		}
	}
	steps := []struct {
		name string
		do   func(*row) error
	}{{"compiling", r.build}, {"slimming", r.slim}, {"minimising", r.minimize}}
	for i, step := range steps {
		if err := r.each(step.name, rows, step.do); err != nil {
			return nil, nil, err
		}
		if i == 0 {
			if err := r.lend(rows); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := r.askLibbpf(rows); err != nil {
		return nil, nil, err
	}
	checks, err := r.check(rows)
	return rows, checks, err
}

// each does something with all rows, as many at a time as there are processors.
func (r *runner) each(what string, rows []*row, do func(*row) error) error {
	one := func(i int) error {
		if err := do(rows[i]); err != nil {
			return fmt.Errorf("%s %s for %s: %w", what, rows[i].tool.name, rows[i].kernel.name, err)
		}
		return nil
	}
	return r.inParallel(len(rows), one, func(i int) {
		if i%len(r.tools) == 0 {
			log.Printf("%s, %s", what, rows[i].kernel.name)
		}
	})
}

// build compiles a tool with btfgen's header. What does not compile must not
// compile with bpftool's header either.
func (r *runner) build(w *row) (err error) {
	object := filepath.Join(w.kernel.dir, w.tool.name+".bpf.o")
	if w.lacks, err = r.compile(r.ctx, w.tool, w.kernel, w.kernel.header, object); err != nil {
		return err
	}
	if w.lacks == "" {
		w.object, w.builtFor = object, w.kernel
		return nil
	}
	theirs, err := r.theirHeader(r.ctx, w.kernel)
	if err != nil {
		return err
	}
	other, err := r.compile(r.ctx, w.tool, w.kernel, theirs, object+".bpftool")
	if err == nil && other == "" {
		w.fail("compiles with bpftool's header, and not with btfgen's: %s", w.lacks)
	}
	return err
}

// lend gives tools that do not compile for a kernel the object of the newest one
// of its architecture for which they do, as those get it who compile once.
func (r *runner) lend(rows []*row) error {
	for _, w := range rows {
		if w.object != "" {
			continue
		}
		for _, other := range rows { // sorted by version
			if other.tool == w.tool && other.kernel.arch == w.kernel.arch && other.lacks == "" {
				w.object, w.builtFor = other.object, other.kernel
			}
		}
	}
	for _, t := range r.tools {
		if !slices.ContainsFunc(rows, func(w *row) bool { return w.tool == t && w.lacks == "" }) {
			i := slices.IndexFunc(rows, func(w *row) bool { return w.tool == t })
			rows[i].fail("compiles for none of the kernels: %s", rows[i].lacks)
		}
	}
	return nil
}

// different returns the files that a pattern matches, without those that are
// the same as an earlier one.
func different(pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	var files []string
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if !seen[string(raw)] {
			seen[string(raw)] = true
			files = append(files, path)
		}
	}
	return files, nil
}

// about says what the table was made with.
func (r *runner) about() []string {
	first := func(name string, args ...string) string {
		line, _, _ := strings.Cut(command(r.ctx, name, args...).stdout, "\n")
		return line
	}
	lines := []string{first(r.clang, "--version"), first(r.bpftool, "version"), fmt.Sprintf("libbpf %d.%d", r.oracle.Major, r.oracle.Minor)}
	for _, part := range []string{"src", "include", "objects"} {
		if from, err := os.ReadFile(filepath.Join(r.cache, "libbpf-tools", part, "FROM")); err == nil {
			lines = append(lines, part+": "+strings.TrimSpace(string(from)))
		}
	}
	return lines
}
