package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/btfgen/btfgen/btfdump/core"
)

// report prints all as Markdown, and returns how many things do not hold.
func report(out io.Writer, about []string, kernels []*kernel, rows []*row, checks []check) (bad int) {
	var text bytes.Buffer
	text.WriteString("# libbpf-tools\n\n")
	for _, line := range about {
		fmt.Fprintf(&text, "- %s\n", line)
	}
	summary(&text, kernels, rows)
	matrix(&text, checks)
	for _, part := range []struct {
		title string
		what  func(check, core.ProgramReport) string
		bad   bool
	}{
		{"Said to fail, though the kernel takes it", falseFails, true},
		{"Said to run, though the kernel refuses it", refused, false},
		{"Programs that fail, and why", whyFails, false},
	} {
		found := gather(checks, part.what)
		findings(&text, part.title, found)
		if part.bad {
			bad += len(found)
		}
	}
	bad += problems(&text, rows)
	for _, k := range kernels {
		details(&text, k, of(k, rows), checks)
	}
	if _, err := text.WriteTo(out); err != nil {
		return bad + 1
	}
	return bad
}

// of returns the rows of a kernel.
func of(k *kernel, rows []*row) []*row {
	return slices.DeleteFunc(slices.Clone(rows), func(w *row) bool { return w.kernel != k })
}

// sums are the totals of a kernel's rows.
type sums struct {
	tools, compiled, theirs int
	slim, fields            int64 // bytes, of those that compiled
	minimal, minimalTheirs  int64 // bytes, of those that bpftool makes too
	slimTime, fieldsTime    time.Duration
	minimalTime, theirTime  time.Duration
	libbpf                  int
	largest                 int64 // slim header, bytes
}

func sum(rows []*row) (s sums) {
	for _, w := range rows {
		s.tools++
		if w.lacks == "" {
			s.compiled++
			s.slim += w.slim
			s.fields += w.fields
			s.slimTime += w.slimTime
			s.fieldsTime += w.fieldsTime
			s.largest = max(s.largest, w.slim)
		}
		if w.theirs > 0 {
			s.theirs++
			s.minimal += w.minimal
			s.minimalTheirs += w.theirs
			s.minimalTime += w.minimalTime
			s.theirTime += w.theirTime
		}
		s.libbpf += w.libbpf
	}
	return s
}

func summary(out *bytes.Buffer, kernels []*kernel, rows []*row) {
	out.WriteString("\n## Summary\n\nSizes are in bytes, and means over the tools. Times are of processors, means. Programs are those that libbpf gives the kernel; where a\nslim header or minimal BTF changes an instruction of one, that stands under \"What does not hold\".\n\n")
	line(out, "kernel", "compile", "header of all types", "slim", "largest", "--fields", "slim takes", "--fields takes", "min.btf", "bpftool's", "ratio", "takes", "bpftool's", "programs by libbpf")
	rule(out, 14)
	for _, k := range kernels {
		s := sum(of(k, rows))
		minimal := []string{"-", "-", "-", "-", "-"}
		if s.theirs > 0 {
			minimal = []string{mean(s.minimal, s.theirs), mean(s.minimalTheirs, s.theirs), fmt.Sprintf("%.2f", float64(s.minimal)/float64(s.minimalTheirs)),
				took(s.minimalTime, s.theirs), took(s.theirTime, s.theirs)}
		}
		fields := []string{k.name, fmt.Sprintf("%d of %d", s.compiled, s.tools), number(k.size), mean(s.slim, s.compiled), number(s.largest), mean(s.fields, s.compiled),
			took(s.slimTime, s.compiled), took(s.fieldsTime, s.compiled)}
		line(out, append(append(fields, minimal...), fmt.Sprint(s.libbpf))...)
	}
}

func matrix(out *bytes.Buffer, checks []check) {
	out.WriteString("\n## Checked\n\nPrograms of the objects that were built for one kernel, on another one, by verdict; and how many of them the kernel takes, where it was asked.\nWithout the types of its modules, what is missing may be in one.\n\n")
	line(out, "built for", "on", "modules", "objects", "runs", "degraded", "may fail", "fails", "loaded")
	rule(out, 9)
	for _, c := range checks {
		n := c.count()
		loaded := "-"
		if asked, ok := c.countLoaded(); asked > 0 {
			loaded = fmt.Sprintf("%d of %d", ok, asked)
		}
		modules := "no"
		if c.complete {
			modules = "all"
		}
		line(out, c.built, c.on.name, modules, fmt.Sprint(c.objects), fmt.Sprint(n[core.Runs]), fmt.Sprint(n[core.Degraded]), fmt.Sprint(n[core.MayFail]), fmt.Sprint(n[core.Fails]), loaded)
	}
}

func findings(out *bytes.Buffer, title string, all []finding) {
	fmt.Fprintf(out, "\n## %s\n\n", title)
	if len(all) == 0 {
		out.WriteString("None.\n")
		return
	}
	line(out, "tool", "program", "what", "built for", "on")
	rule(out, 5)
	for _, f := range all {
		line(out, f.tool, f.program+", SEC("+f.section+")", f.what, strings.Join(f.built, ", "), strings.Join(f.on, ", "))
	}
}

func problems(out *bytes.Buffer, rows []*row) (n int) {
	out.WriteString("\n## What does not hold\n\n")
	for _, w := range rows {
		for _, p := range w.problems {
			fmt.Fprintf(out, "- %s, %s: %s\n", w.tool.name, w.kernel.name, cell(p))
			n++
		}
	}
	if n == 0 {
		out.WriteString("Nothing: all of the above and below holds.\n")
	}
	return n
}

// details is a kernel's table, a tool a line.
func details(out *bytes.Buffer, k *kernel, rows []*row, checks []check) {
	fmt.Fprintf(out, "\n## %s\n\nThe header of all types has %s bytes.\n\n", k.name, number(k.size))
	line(out, "tool", "compiles", "check: runs, degraded, may fail, fails", "slim", "--fields", "slim takes", "--fields takes", "min.btf", "bpftool's", "takes", "bpftool's")
	rule(out, 11)
	for _, w := range rows {
		compiles := "yes"
		verdicts := verdictsOf(w, checks)
		if w.lacks != "" {
			compiles = "no: " + w.lacks
			if w.builtFor != nil {
				compiles += " (built for " + w.builtFor.name + ")"
			}
		}
		theirs := number(w.theirs)
		if w.bpftoolFails != "" {
			theirs = "fails"
		}
		line(out, w.tool.name, compiles, verdicts, number(w.slim), number(w.fields), took(w.slimTime, 1), took(w.fieldsTime, 1), number(w.minimal), theirs, took(w.minimalTime, 1), took(w.theirTime, 1))
	}
	for _, w := range rows {
		if w.bpftoolFails != "" {
			fmt.Fprintf(out, "\nbpftool gen min_core_btf: %s\n", cell(w.bpftoolFails))
			break
		}
	}
}

// verdictsOf counts the verdicts about the programs of a row's object.
func verdictsOf(w *row, checks []check) string {
	var n [core.Fails + 1]int
	for _, c := range checks {
		if c.on != w.kernel {
			continue
		}
		for _, p := range c.programs {
			if p.Object == w.object {
				n[p.Verdict]++
			}
		}
	}
	if n == [core.Fails + 1]int{} {
		return "-"
	}
	return strings.Trim(fmt.Sprint(n), "[]")
}

// toolOf names a tool after its object.
func toolOf(object string) string {
	name := strings.TrimSuffix(filepath.Base(object), ".bpf.o")
	return strings.TrimSuffix(name, "-libbpf")
}

func line(out *bytes.Buffer, fields ...string) {
	for _, f := range fields {
		out.WriteString("| " + cell(f) + " ")
	}
	out.WriteString("|\n")
}

func rule(out *bytes.Buffer, n int) {
	out.WriteString(strings.Repeat("|---", n) + "|\n")
}

// cell makes text stand in a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

func mean(sum int64, n int) string {
	if n == 0 {
		return "-"
	}
	return number((sum + int64(n)/2) / int64(n))
}

// took is a mean in milliseconds.
func took(sum time.Duration, n int) string {
	if n == 0 || sum == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", float64(sum.Microseconds())/1000/float64(n))
}

// number prints a number of bytes, with commas, and "-" for none.
func number(n int64) string {
	if n == 0 {
		return "-"
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
