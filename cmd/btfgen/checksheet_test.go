package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
)

// randomReports are verdicts about some programs on some kernels, with names and
// texts that have a meaning in Markdown.
func randomReports(r *rand.Rand) []*core.KernelReport {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	text := func() string {
		return pick("struct a_b has *no* member c_d", "it is `int`", "a|b", "<img src=x>", "x[1] and #2", "@someone", `back\slash`, "plain") + fmt.Sprint(" ", r.IntN(5))
	}
	var programs []core.ProgramReport
	for i := range 1 + r.IntN(5) {
		programs = append(programs, core.ProgramReport{
			Object: fmt.Sprintf("dir/object_%d.bpf.o", i/2), Program: fmt.Sprintf("prog_%d", i), Section: pick("xdp", "kprobe/do_it", "tp_btf/x"), Optional: r.IntN(5) == 0,
		})
	}
	var reports []*core.KernelReport
	for i := range 1 + r.IntN(2*maxColumns) {
		k := &core.KernelReport{Kernel: fmt.Sprintf("kernels/%d.%d_x|y.btf", 5+i/3, i), Release: fmt.Sprintf("%d.%d.0", 5+i/3, i)}
		for _, p := range programs {
			for range r.IntN(3) {
				f := core.Finding{Verdict: core.Verdict(1 + r.IntN(3)), Subject: core.AboutAccess, Name: pick("a_b->c", "x->y[2]", "helper 7"), Reason: text()}
				if r.IntN(2) == 0 {
					f.File, f.Line, f.Text = pick("src/a_b.c", "x.h"), 1+r.IntN(50), pick("if (a || b) return `x`;", "x = ``y``;", "p->a_b = *q;")
				}
				for range r.IntN(3) {
					f.Instead = append(f.Instead, text())
				}
				if r.IntN(2) == 0 {
					f.Fix = "int f(void)\n{\n\treturn 1; /* " + pick("```", "a|b", "_x_") + " */\n}\n"
				}
				p.Verdict = max(p.Verdict, f.Verdict)
				p.Findings = append(p.Findings, f)
			}
			k.Programs = append(k.Programs, p)
		}
		reports = append(reports, k)
	}
	return reports
}

// printed returns what a sheet says of reports.
func printed(t *testing.T, reports []*core.KernelReport, asJSON, asMarkdown bool) string {
	t.Helper()
	var out bytes.Buffer
	s := newCheckSheet(&out, asJSON, asMarkdown, false)
	for _, k := range reports {
		copied := *k
		copied.Programs = slices.Clone(k.Programs)
		for i := range copied.Programs {
			copied.Programs[i].Findings = slices.Clone(k.Programs[i].Findings)
		}
		s.add(&copied)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// readAsText undoes what Markdown makes of characters, and drops the marks
// around code and bold text.
func readAsText(line string) string {
	var b strings.Builder
	for i := 0; i < len(line); {
		rest := line[i:]
		switch {
		case rest[0] == '`':
			quotes := rest[:len(rest)-len(strings.TrimLeft(rest, "`"))]
			code, _, found := strings.Cut(rest[len(quotes):], quotes)
			if !found {
				return line // fences
			}
			if len(quotes) > 1 { // a space on either side
				b.WriteString(code[1 : len(code)-1])
			} else {
				b.WriteString(code)
			}
			i += len(code) + 2*len(quotes)
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteByte(rest[1])
			i += 2
		case strings.HasPrefix(rest, "**"):
			i += 2
		case strings.HasPrefix(rest, "&lt;"):
			b.WriteByte('<')
			i += 4
		case strings.HasPrefix(rest, "&gt;"):
			b.WriteByte('>')
			i += 4
		case strings.HasPrefix(rest, "\u200b"):
			i += len("\u200b")
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return b.String()
}

// TestSheets holds that Markdown and JSON list what the terminal lists.
func TestSheets(t *testing.T) {
	facts := 0
	for seed := range 300 {
		reports := randomReports(rand.New(rand.NewPCG(uint64(seed), 1)))
		text := strings.Split(strings.TrimSuffix(printed(t, reports, false, false), "\n"), "\n")
		var lines []string
		for _, line := range strings.Split(printed(t, reports, false, true), "\n") {
			if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "int f(") { // code
				lines = append(lines, line)
				continue
			}
			lines = append(lines, readAsText(line))
		}
		var all []core.KernelReport
		if err := json.Unmarshal([]byte(printed(t, reports, true, false)), &all); err != nil {
			t.Fatal(err)
		}
		var inJSON strings.Builder
		for _, k := range all {
			for _, p := range k.Programs {
				fmt.Fprintf(&inJSON, "%s\n%s\n%s\n", p.Object, p.Program, p.Section)
				for _, f := range p.Findings {
					fmt.Fprintf(&inJSON, "%s\n%s\n%s\n%d\n%s\n%s\n%s\n", f.Name, f.Reason, f.File, f.Line, f.Text, strings.Join(f.Instead, "\n"), f.Fix)
				}
			}
		}
		at := 0
		// next goes on to a line of the Markdown that has all of some texts.
		next := func(what string, texts ...string) {
			t.Helper()
			facts++
			for i := at; i < len(lines); i++ {
				if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(lines[i], s) }) {
					at = i
					return
				}
			}
			t.Errorf("seed %d: %s: the Markdown has no %q from line %d on", seed, what, texts, at+1)
		}
		hasJSON := func(texts ...string) {
			t.Helper()
			for _, s := range texts {
				if !strings.Contains(inJSON.String(), s+"\n") {
					t.Errorf("seed %d: the JSON has no %q", seed, s)
				}
			}
		}
		program, section, finding := "", "", []string(nil)
		for i, line := range text {
			trimmed := strings.TrimSpace(line)
			indent := len(line) - len(strings.TrimLeft(line, " "))
			switch {
			case trimmed == "":
			case i == 0:
				for _, cell := range strings.Fields(trimmed)[1:] {
					next("a column", strings.ToLower(cell))
				}
			case program == "" && indent == 0 && !strings.Contains(line, ", SEC("):
				next("an object", trimmed)
				hasJSON(trimmed)
			case program == "" && indent == 3:
				cells := strings.Split(trimmed, "  ")
				name, _, _ := strings.Cut(cells[0], " ")
				var want []string
				for _, cell := range cells {
					want = append(want, strings.ToLower(strings.TrimSpace(cell)))
				}
				next("a row", want...)
				hasJSON(name)
			case indent == 0:
				program, section, _ = strings.Cut(strings.TrimSuffix(trimmed, ":"), ", ")
			case indent == 3:
				verdict, rest, _ := strings.Cut(trimmed, " on ")
				kernels, name, _ := strings.Cut(rest, ": ")
				finding = []string{program, section, strings.ToLower(verdict) + " on " + kernels, name}
				if verdict == "degraded" {
					finding[2] = "runs, degraded on " + kernels
				}
				hasJSON(name)
			case len(finding) > 0:
				next("a finding", append(finding, trimmed)...)
				hasJSON(trimmed)
				finding = nil
			case trimmed == "this would do:":
				next("a fix", "This would do")
			case strings.HasPrefix(trimmed, "there: "):
				next("what there is", trimmed)
				hasJSON(strings.TrimPrefix(trimmed, "there: "))
			case indent == 9:
				next("code", strings.TrimPrefix(line, "         "))
				hasJSON(strings.TrimPrefix(line, "         "))
			default:
				next("a place", trimmed)
			}
		}
	}
	if facts < 10000 {
		t.Errorf("only %d facts were looked for", facts)
	}
}
