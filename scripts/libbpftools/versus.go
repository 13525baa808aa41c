package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump/core"
)

// Whatever a program does with the kernel's types, it must do the same with
// btfgen's header as with bpftool's, which is what nearly all are written for:
// the versus command compiles programs with both, and compares the objects.

// outcome is what becomes of a program with the two headers.
type outcome uint8

const (
	identical  outcome = iota // what is loaded is the same, byte for byte
	sameButIDs                // but for the IDs of types in instructions, which a loader replaces
	differs
	onlyTheirs // compiles with bpftool's header alone
	onlyOurs
	neither
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"identical", "same but for type IDs", "different", "only with bpftool's", "only with btfgen's", "with neither"}

// A programFile is a source file that is for a vmlinux.h.
type programFile struct {
	path string
	// first says that nothing of it comes before that header, so that it may
	// stand in a precompiled one: clang makes the same object of that in an
	// eighth of the time.
	first bool
}

// A comparison is a program and a kernel.
type comparison struct {
	programFile
	kernel *kernel
	outcome
	why []string // differences, or the compiler's first complaint
}

// versus is the command that compares btfgen's headers with bpftool's.
func versus(ctx context.Context, args []string) error {
	r := &runner{ctx: ctx}
	flags := flag.NewFlagSet("versus", flag.ExitOnError)
	r.addFlags(flags)
	var more []string
	flags.Func("programs", "also the programs below a `DIRECTORY`; repeatable", func(dir string) error {
		more = append(more, dir)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	remove, err := r.equip()
	if err != nil {
		return err
	}
	defer remove()
	tools := filepath.Join(r.cache, "libbpf-tools")
	programs, err := findPrograms(append([]string{filepath.Join(tools, "src", "libbpf-tools"), filepath.Join(tools, "selftests")}, more...))
	if err != nil {
		return err
	}
	var all []*comparison
	for _, input := range flags.Args() {
		if input == "running" {
			input = ""
		}
		log.Printf("making the headers of %s", cmp.Or(input, "the running kernel"))
		k, err := r.openKernel(input)
		if err != nil {
			return err
		}
		if _, err := r.theirHeader(ctx, k); err != nil {
			return err
		}
		for _, dir := range r.headers(k) {
			header := filepath.Join(dir, "vmlinux.h")
			if ran := command(ctx, r.clang, append(r.versusFlags(k), "-x", "c-header", header, "-o", header+".pch")...); ran.err != nil {
				return ran.err
			}
		}
		r.kernels = append(r.kernels, k)
		for _, p := range programs {
			all = append(all, &comparison{programFile: p, kernel: k})
		}
	}
	if len(all) == 0 {
		return errors.New("name kernels: files, or running")
	}
	if err := r.compareAll(all); err != nil {
		return err
	}
	if bad := reportVersus(os.Stdout, r, all); bad > 0 {
		return fmt.Errorf("%d programs are others with btfgen's header than with bpftool's", bad)
	}
	return nil
}

var includesHeader = regexp.MustCompile(`(?m)^\s*#\s*include\s+["<](?:\S*/)?vmlinux\.h[">]`)

// findPrograms returns the C files below directories that include a vmlinux.h, or
// are called *.bpf.c, for which another file may.
func findPrograms(dirs []string) ([]programFile, error) {
	var found []programFile
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || !strings.HasSuffix(path, ".c") {
				return err
			}
			text, err := os.ReadFile(path)
			at := includesHeader.FindIndex(text)
			if err == nil && (strings.HasSuffix(path, ".bpf.c") || at != nil) {
				found = append(found, programFile{path, at != nil && bytes.Count(text[:at[1]], []byte("#")) == 1})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no program in %s includes a vmlinux.h: make libbpf-tools downloads some", strings.Join(dirs, ", "))
	}
	return found, nil
}

// compareAll compiles and compares.
func (r *runner) compareAll(all []*comparison) error {
	return r.inParallel(len(all), func(i int) error { return r.compare(all[i], filepath.Join(r.work, fmt.Sprint("object", i))) }, func(i int) {
		if i%100 == 0 {
			log.Printf("compiling: %d of %d", i, len(all))
		}
	})
}

// headers returns the directories of btfgen's header of a kernel and of bpftool's.
func (r *runner) headers(k *kernel) [2]string {
	return [2]string{k.header, filepath.Join(k.dir, "bpftool")}
}

// versusFlags are those of all compiles. Strict aliasing, which the kernel's
// tests turn off, stays on: it is where a type of another rank shows. Prototypes
// of kfuncs are left out, as the kernel's tests have it, which declare their own,
// and bpftool before 7.5 writes none.
func (r *runner) versusFlags(k *kernel) []string {
	return []string{"-g", "-O2", "-w", "-mcpu=v3", "-DBPF_NO_KFUNC_PROTOTYPES", "-target", k.clangTarget(), "-D__TARGET_ARCH_" + k.arch}
}

// compare compiles a program with both headers.
func (r *runner) compare(c *comparison, object string) error {
	objects := [2]string{object + ".btfgen.o", object + ".bpftool.o"}
	var lacks [2]string
	for i, include := range r.headers(c.kernel) {
		args := append(r.versusFlags(c.kernel), "-I", include)
		if c.first {
			args = append(args, "-include-pch", filepath.Join(include, "vmlinux.h.pch"))
		}
		for _, dir := range []string{filepath.Dir(c.path), filepath.Dir(filepath.Dir(c.path)), filepath.Join(filepath.Dir(c.path), "include"), r.libbpf} {
			args = append(args, "-I", dir)
		}
		ran := command(r.ctx, r.clang, append(args, "-c", c.path, "-o", objects[i])...)
		if ran.err == nil {
			continue
		}
		if lacks[i] = firstError(ran.stderr); lacks[i] == "" {
			return ran.err
		}
	}
	switch {
	case lacks[0] != "" && lacks[1] != "":
		c.outcome, c.why = neither, lacks[1:]
	case lacks[0] != "":
		c.outcome, c.why = onlyTheirs, lacks[:1]
	case lacks[1] != "":
		c.outcome, c.why = onlyOurs, lacks[1:]
	default:
		return c.judge(objects)
	}
	return nil
}

// judge compares the objects: what is loaded, with debug/elf alone; and all that
// a loader looks at, CO-RE relocations among it.
func (c *comparison) judge(objects [2]string) error {
	var raw [2][]byte
	for i, path := range objects {
		var err error
		if raw[i], err = os.ReadFile(path); err != nil {
			return err
		}
		defer os.Remove(path)
	}
	what, err := difference(objects[0], objects[1])
	if err != nil {
		return err
	}
	if c.why, err = core.Differences(raw[0], raw[1]); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	// Relocations are told with the sizes of records, which bpftool's header has
	// wrong where it knows no way to pad. What counts is what they come to.
	isRelocation := func(what string) bool { return strings.HasPrefix(what, "relocation ") }
	if c.kernel != nil && len(c.why) > 0 && !slices.ContainsFunc(c.why, func(what string) bool { return !isRelocation(what) }) {
		var read [2]*core.Object
		for i, path := range objects {
			if read[i], err = core.ReadObject(path, raw[i]); err != nil {
				return err
			}
		}
		if sameOn(read[0], c.kernel.target, read[1], c.kernel.target) == "" {
			c.why = nil
		}
	}
	switch {
	case len(c.why) > 0:
		c.outcome = differs
	case what != "":
		c.outcome = sameButIDs
	}
	return nil
}

// reportVersus prints what became of the programs, and returns how many are
// different, or compile with bpftool's header alone.
func reportVersus(out io.Writer, r *runner, all []*comparison) (bad int) {
	for _, k := range r.kernels {
		var counts [numOutcomes]int
		programs := 0
		for _, c := range all {
			if c.kernel == k {
				counts[c.outcome]++
				programs++
			}
		}
		fmt.Fprintf(out, "%s: %d programs", k.name, programs)
		for o, n := range counts {
			fmt.Fprintf(out, ", %d %s", n, outcomeNames[o])
		}
		fmt.Fprintln(out)
		bad += counts[differs] + counts[onlyTheirs]
		for _, c := range all {
			if c.kernel == k && (c.outcome == differs || c.outcome == onlyTheirs || c.outcome == onlyOurs) {
				fmt.Fprintf(out, "   %s: %s: %s\n", filepath.Base(c.path), outcomeNames[c.outcome], strings.Join(c.why[:min(len(c.why), 3)], "; "))
			}
		}
	}
	return bad
}
