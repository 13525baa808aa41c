package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/libbpftest"
)

// slim makes the two slim headers of a tool, and compiles it with them.
func (r *runner) slim(w *row) (err error) {
	if w.lacks != "" {
		return nil
	}
	if w.slim, w.slimTime, err = r.slimHeader(w, "slim"); err != nil {
		return err
	}
	if w.fields, w.fieldsTime, err = r.slimHeader(w, "fields", "--fields"); err != nil {
		return err
	}
	// For a tool that uses few records, what pads them may be longer than their
	// members, so --fields need not be smaller.
	if max(w.slim, w.fields) >= w.kernel.size {
		w.fail("a slim header is no smaller than that of all types")
	}
	return nil
}

// slimObject is where a tool's object is that was compiled with a slim header.
func (w *row) slimObject(kind string) string {
	return filepath.Join(w.kernel.dir, w.tool.name+"."+kind+".bpf.o")
}

// slimHeader makes a slim header, and proves without btfgen that the program is
// the same with it. It returns the size in bytes, 0 if there is none.
func (r *runner) slimHeader(w *row, kind string, flags ...string) (size int64, took time.Duration, err error) {
	dir := filepath.Join(w.kernel.dir, w.tool.name+"."+kind)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, 0, err
	}
	header := filepath.Join(dir, "vmlinux.h")
	args := append([]string{"--for", w.tool.path, "--clang", r.clang}, flags...)
	ran := r.btfgenFor(w.kernel, header, append(append(args, "--"), r.flags(w.tool)...)...)
	if ran.err != nil {
		w.fail("%s: %v", kind, ran.err)
		return 0, ran.time, nil
	}
	if size, err = fileSize(header); err != nil {
		return 0, 0, err
	}
	object := w.slimObject(kind)
	lacks, err := r.compile(r.ctx, w.tool, w.kernel, dir, object)
	if err != nil {
		return 0, 0, err
	}
	if lacks != "" {
		w.fail("does not compile with the header (%s): %s", kind, lacks)
		return 0, ran.time, nil
	}
	what, err := difference(w.object, object)
	if err != nil {
		return 0, 0, err
	}
	if what == "" {
		whole, err := readObject(w.object)
		if err != nil {
			return 0, 0, err
		}
		slim, err := readObject(object)
		if err != nil {
			return 0, 0, err
		}
		what = sameOn(whole, w.kernel.target, slim, w.kernel.target)
	}
	if what != "" {
		w.fail("is not the same program with the header (%s): %s", kind, what)
	}
	return size, ran.time, nil
}

// minimalBTF is where the BTF is that a tool needs of a kernel.
func (w *row) minimalBTF() string {
	return filepath.Join(w.kernel.dir, w.tool.name+".min.btf")
}

// minimize makes the minimal BTF of a tool, has bpftool make it too, and compares
// what relocations come to.
func (r *runner) minimize(w *row) error {
	if w.object == "" {
		return nil
	}
	ran := r.btfgenFor(w.kernel, w.minimalBTF(), "--for", w.object)
	if ran.err != nil {
		w.fail("min.btf: %v", ran.err)
		return nil
	}
	w.minimalTime = ran.time
	var err error
	if w.minimal, err = fileSize(w.minimalBTF()); err != nil {
		return err
	}
	theirs := w.minimalBTF() + ".bpftool"
	ran = command(r.ctx, r.bpftool, "gen", "min_core_btf", w.kernel.btf, theirs, w.object)
	w.theirTime = ran.time
	if ran.err != nil {
		w.bpftoolFails = ran.err.Error()
	} else if w.theirs, err = fileSize(theirs); err != nil {
		return err
	} else if w.minimal > w.theirs {
		w.fail("min.btf has %d bytes, and bpftool's %d", w.minimal, w.theirs)
	}
	raw, err := os.ReadFile(w.minimalBTF())
	if err != nil {
		return err
	}
	view, err := btfdump.New(raw)
	if err != nil {
		w.fail("min.btf: %v", err)
		return nil
	}
	object, err := readObject(w.object)
	if err != nil {
		return err
	}
	if what := sameOn(object, w.kernel.target, object, core.NewTarget(view)); what != "" {
		w.fail("with min.btf %s", what)
	}
	return nil
}

// askLibbpf has libbpf load each tool as it is, with minimal BTF, and as compiled
// with the slim headers: the kernel has to be given the same instructions.
func (r *runner) askLibbpf(rows []*row) error {
	var cases []libbpftest.Case
	type question struct {
		row  *row
		what string // "" for the one that others are compared with
	}
	var questions []question
	ask := func(w *row, what, object, btf string) {
		questions = append(questions, question{w, what})
		cases = append(cases, libbpftest.Case{Object: object, BTF: btf})
	}
	for _, w := range rows {
		if w.object == "" {
			continue
		}
		ask(w, "", w.object, w.kernel.btf)
		if w.minimal > 0 {
			ask(w, "with min.btf", w.object, w.minimalBTF())
		}
		if w.slim > 0 {
			ask(w, "with the slim header", w.slimObject("slim"), w.kernel.btf)
		}
		if w.fields > 0 {
			ask(w, "with the header of --fields", w.slimObject("fields"), w.kernel.btf)
		}
	}
	answers, err := r.oracle.Answers(cases)
	if err != nil {
		return err
	}
	var whole libbpftest.Answer
	for i, q := range questions {
		if q.what == "" {
			whole = answers[i]
			for _, program := range whole.Programs {
				if program.Refused == "" {
					q.row.libbpf++
				}
			}
		} else if what := otherCode(whole, answers[i]); what != "" {
			q.row.fail("%s, libbpf %s", q.what, what)
		}
	}
	return nil
}

// otherCode says in what two answers of libbpf's differ, "" if in nothing.
func otherCode(a, b libbpftest.Answer) string {
	if (a.Refused == "") != (b.Refused == "") {
		return fmt.Sprintf("says %q, not %q", b.Refused, a.Refused)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Programs)) {
		x := a.Programs[name]
		y, found := b.Programs[name]
		switch {
		case !found:
			return fmt.Sprintf("knows no program %s", name)
		case (x.Refused == "") != (y.Refused == ""):
			return fmt.Sprintf("says of %s %q, not %q", name, y.Refused, x.Refused)
		case string(x.Code) != string(y.Code):
			return fmt.Sprintf("gives the kernel other instructions of %s", name)
		}
	}
	if len(a.Programs) != len(b.Programs) {
		return "knows other programs"
	}
	return ""
}
