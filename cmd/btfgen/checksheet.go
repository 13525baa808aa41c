package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/btfgen/btfgen/btfdump/core"
)

// A checkSheet gathers verdicts and prints them. What it keeps of a kernel is a
// byte a program, and of findings each text once; for JSON, all.
type checkSheet struct {
	out                    *bufio.Writer
	json, markdown, colour bool
	quiet                  bool
	width                  int // of the terminal in columns, 0 if it is none

	kernels  []string
	rows     []*checkRow
	byName   map[rowKey]*checkRow
	worst    core.Verdict
	history  core.History
	reports  []*core.KernelReport // for JSON: what came or went shows with the last one
	releases []string             // of the kernels
	failed   error
	failures int // pairs of programs and kernels that don't run, and may not
}

type rowKey struct {
	object, program, section string
}

// checkRow is a program, with its verdict on each kernel.
type checkRow struct {
	rowKey
	optional bool
	verdicts []core.Verdict
	findings []*checkFinding
}

// checkFinding is a finding with the kernels that it goes for.
type checkFinding struct {
	core.Finding
	kernels []int
}

func newCheckSheet(out io.Writer, asJSON, markdown, quiet bool) *checkSheet {
	s := &checkSheet{out: bufio.NewWriter(out), json: asJSON, markdown: markdown, quiet: quiet, byName: make(map[rowKey]*checkRow)}
	s.colour = usesColour(out)
	s.width = widthOf(out)
	return s
}

// add takes the verdicts on one kernel.
func (s *checkSheet) add(k *core.KernelReport) {
	if !s.json {
		makePrintable(k)
	}
	s.worst = max(s.worst, k.Worst())
	s.history.Add(k)
	kernel := len(s.kernels)
	s.kernels = append(s.kernels, k.Kernel)
	s.releases = append(s.releases, k.Release)
	if s.json {
		s.reports = append(s.reports, k)
		return
	}
	for i := range k.Programs {
		p := &k.Programs[i]
		key := rowKey{p.Object, p.Program, p.Section}
		row := s.byName[key]
		if row == nil {
			row = &checkRow{rowKey: key, optional: p.Optional}
			s.byName[key] = row
			s.rows = append(s.rows, row)
		}
		for len(row.verdicts) <= kernel {
			row.verdicts = append(row.verdicts, core.Runs)
		}
		row.verdicts[kernel] = max(row.verdicts[kernel], p.Verdict)
		if p.Verdict >= core.MayFail && !p.Optional {
			s.failures++
		}
		for j := range p.Findings {
			row.add(&p.Findings[j], kernel)
		}
	}
}

// makePrintable makes all text of a report printable, but for names of sections,
// which are quoted when they are shown.
func makePrintable(k *core.KernelReport) {
	k.Kernel, k.Release = printable(k.Kernel), printable(k.Release)
	for i := range k.Programs {
		p := &k.Programs[i]
		p.Object, p.Program = printable(p.Object), printable(p.Program)
		for j := range p.Findings {
			f := &p.Findings[j]
			f.Name, f.Reason, f.File = printable(f.Name), printable(f.Reason), printable(f.File)
			f.Text = printable(strings.TrimSpace(f.Text))
			for n := range f.Instead {
				f.Instead[n] = printable(f.Instead[n])
			}
			f.Fix = printableText(f.Fix)
		}
	}
}

// add adds a finding, or its kernel to one that says the same.
func (r *checkRow) add(f *core.Finding, kernel int) {
	for _, have := range r.findings {
		if have.Verdict == f.Verdict && have.Name == f.Name && have.Reason == f.Reason && have.Line == f.Line {
			if have.kernels[len(have.kernels)-1] != kernel {
				have.kernels = append(have.kernels, kernel)
			}
			return
		}
	}
	r.findings = append(r.findings, &checkFinding{*f, []int{kernel}})
}

// answer is the command's: nil if everything runs.
func (s *checkSheet) answer() error {
	if s.worst < core.MayFail {
		return nil
	}
	if s.json {
		return noError("not everything runs everywhere")
	}
	return noError(fmt.Sprintf("of %s on %s, %s or may fail", count(len(s.rows), "program"), count(len(s.kernels), "kernel"), count(s.failures, "fails", "fail")))
}

// end prints what is left to be printed.
func (s *checkSheet) end() error {
	switch {
	case s.json:
		s.printJSON()
	case len(s.kernels) == 0: // none could be read
	case s.quiet && s.worst < core.MayFail:
	case s.markdown:
		s.printMarkdown()
	default:
		s.printTable()
		s.printFindings()
	}
	return errors.Join(s.failed, s.out.Flush())
}

// printJSON prints all verdicts, with what the kernels have instead.
func (s *checkSheet) printJSON() {
	s.out.WriteString("[")
	for i, k := range s.reports {
		for p := range k.Programs {
			for j := range k.Programs[p].Findings {
				f := &k.Programs[p].Findings[j]
				f.Instead = s.instead(&checkFinding{*f, []int{i}})
			}
		}
		s.out.WriteString(map[bool]string{true: "\n  ", false: ",\n  "}[i == 0])
		if err := newEncoder(s.out, "  ").Encode(k); err != nil {
			s.failed = errors.Join(s.failed, err)
		}
		s.reports[i] = nil
	}
	s.out.WriteString("]\n")
}

// symbols of verdicts in the table.
var verdictCells = map[core.Verdict]string{core.Runs: "runs", core.Degraded: "degraded", core.MayFail: "may fail", core.Fails: "FAILS"}

// colours of verdicts: SGR sequences.
var verdictColours = map[core.Verdict]string{core.Runs: "\x1b[32m", core.Degraded: "\x1b[36m", core.MayFail: "\x1b[33m", core.Fails: "\x1b[1;31m"}

// maxColumns is how many kernels have a column of their own.
const maxColumns = 12

// printTable prints programs by kernels, or a summary where those are too many.
func (s *checkSheet) printTable() {
	header := []string{"PROGRAM"}
	wide := len(s.kernels) > maxColumns
	if wide {
		header = append(header, "RUNS", "DEGRADED", "MAY FAIL", "FAILS")
	} else {
		for _, k := range s.kernels {
			header = append(header, shortKernel(k))
		}
	}
	lines := [][]tableCell{nil}
	for _, h := range header {
		lines[0] = append(lines[0], tableCell{text: h})
	}
	object := ""
	for _, row := range s.rows {
		if row.object != object {
			object = row.object
			lines = append(lines, []tableCell{{text: printable(object)}})
		}
		cells := []tableCell{{text: "   " + row.title()}}
		if wide {
			for v := core.Runs; v <= core.Fails; v++ {
				cell := tableCell{text: "·"}
				if n := row.count(v); n > 0 {
					cell = tableCell{thousands(n), verdictColours[v]}
				}
				cells = append(cells, cell)
			}
		} else {
			for _, v := range row.verdicts {
				cells = append(cells, tableCell{verdictCells[v], verdictColours[v]})
			}
		}
		lines = append(lines, cells)
	}
	s.printCells(lines)
}

// title is the program's name, with its section.
func (r *checkRow) title() string {
	if r.optional {
		return r.program + " (optional)"
	}
	return r.program
}

// count is on how many kernels the program has a verdict.
func (r *checkRow) count(v core.Verdict) int {
	n := 0
	for _, have := range r.verdicts {
		if have == v {
			n++
		}
	}
	return n
}

// shortKernel is a kernel's name as a column's.
func shortKernel(name string) string {
	name = filepath.Base(name)
	for _, suffix := range []string{".xz", ".tar", ".btf"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// tableCell is a text in a table and its colour.
type tableCell struct{ text, colour string }

// printCells prints a table; a line of one cell spans all columns.
func (s *checkSheet) printCells(lines [][]tableCell) {
	var widths []int
	for _, cells := range lines {
		for i, c := range cells {
			if len(widths) <= i {
				widths = append(widths, 0)
			}
			if len(cells) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
			}
		}
	}
	for _, cells := range lines {
		for i, c := range cells {
			text := c.text
			if s.colour && c.colour != "" {
				text = c.colour + text + "\x1b[0m"
			}
			s.out.WriteString(text)
			if i < len(cells)-1 {
				s.out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		s.out.WriteString("\n")
	}
}

// worstFirst returns the findings that are worth showing to a person: those that
// keep a program from running, and else what is missing.
func (r *checkRow) worstFirst() []*checkFinding {
	found := slices.Clone(r.findings)
	slices.SortStableFunc(found, func(a, b *checkFinding) int { return int(b.Verdict) - int(a.Verdict) })
	return found
}

// printFindings tells why.
func (s *checkSheet) printFindings() {
	for _, row := range s.rows {
		found := row.worstFirst()
		if len(found) == 0 {
			continue
		}
		fmt.Fprintf(s.out, "\n%s, SEC(%q):\n", row.program, row.section)
		for _, f := range found {
			verdict := verdictCells[f.Verdict]
			if s.colour {
				verdict = verdictColours[f.Verdict] + verdict + "\x1b[0m"
			}
			fmt.Fprintf(s.out, "   %s on %s: %s\n", verdict, s.kernelList(f.kernels), f.Name)
			fmt.Fprintf(s.out, "      %s\n", f.Reason)
			if f.Verdict < core.MayFail {
				continue
			}
			if f.Line > 0 {
				fmt.Fprintf(s.out, "      %s:%d: %s\n", f.File, f.Line, f.Text)
			}
			for _, text := range s.instead(f) {
				fmt.Fprintf(s.out, "      there: %s\n", text)
			}
			if f.Fix != "" {
				s.out.WriteString("      this would do:\n")
				for line := range strings.Lines(f.Fix) {
					s.out.WriteString(strings.TrimRight("         "+line, " \n") + "\n")
				}
			}
		}
	}
}

// instead is what the kernels have instead, with when it came or went.
func (s *checkSheet) instead(f *checkFinding) []string {
	texts := slices.Clone(f.Instead)
	first := core.KernelReport{Kernel: s.kernels[f.kernels[0]], Release: s.releases[f.kernels[0]]}
	if text := s.history.Tell(&first, &f.Finding); text != "" {
		texts = append(texts, text)
	}
	return texts
}

// maxListed is how many kernels are listed by name.
const maxListed = 4

// kernelList names kernels by their indexes.
func (s *checkSheet) kernelList(kernels []int) string {
	if len(kernels) == len(s.kernels) && len(kernels) > 1 {
		return fmt.Sprintf("all %d kernels", len(kernels))
	}
	var names []string
	for _, k := range kernels[:min(len(kernels), maxListed)] {
		names = append(names, shortKernel(s.kernels[k]))
	}
	if more := len(kernels) - maxListed; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// marks of verdicts in Markdown.
var verdictMarks = map[core.Verdict]string{core.Runs: "✅ runs", core.Degraded: "☑️ degraded", core.MayFail: "⚠️ may fail", core.Fails: "❌ fails"}

// printMarkdown prints a table, and what keeps programs from running.
func (s *checkSheet) printMarkdown() {
	wide := len(s.kernels) > maxColumns
	columns := []string{"runs", "degraded", "may fail", "fails"}
	if !wide {
		columns = nil
		for _, k := range s.kernels {
			columns = append(columns, markdown(shortKernel(k)))
		}
	}
	fmt.Fprintf(s.out, "| program | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	object := ""
	for _, row := range s.rows {
		if row.object != object {
			object = row.object
			fmt.Fprintf(s.out, "| **%s** |%s\n", markdown(object), strings.Repeat(" |", len(columns)))
		}
		fmt.Fprintf(s.out, "| %s |", codeCell(row.title()))
		if wide {
			for v := core.Runs; v <= core.Fails; v++ {
				cell := "·"
				if n := row.count(v); n > 0 {
					cell = thousands(n)
				}
				fmt.Fprintf(s.out, " %s |", cell)
			}
		} else {
			for _, v := range row.verdicts {
				fmt.Fprintf(s.out, " %s |", verdictMarks[v])
			}
		}
		s.out.WriteString("\n")
	}
	for _, row := range s.rows {
		for _, f := range row.worstFirst() {
			s.printMarkdownFinding(row, f)
		}
	}
}

// printMarkdownFinding tells of a finding what printFindings tells.
func (s *checkSheet) printMarkdownFinding(row *checkRow, f *checkFinding) {
	fmt.Fprintf(s.out, "\n**%s**, %s, **%s on %s**: %s: %s\n", code(row.program), code(fmt.Sprintf("SEC(%q)", row.section)),
		f.Verdict, markdown(s.kernelList(f.kernels)), code(f.Name), markdown(f.Reason))
	if f.Verdict < core.MayFail {
		return
	}
	if f.Line > 0 {
		fmt.Fprintf(s.out, "- %s:%d: %s\n", markdown(f.File), f.Line, code(f.Text))
	}
	for _, text := range s.instead(f) {
		fmt.Fprintf(s.out, "- there: %s\n", markdown(text))
	}
	if f.Fix != "" {
		fence := strings.Repeat("`", max(3, longestRun(f.Fix)+1))
		fmt.Fprintf(s.out, "\n<details><summary>This would do</summary>\n\n%sc\n%s\n%s\n</details>\n", fence, strings.TrimSuffix(f.Fix, "\n"), fence)
	}
}
