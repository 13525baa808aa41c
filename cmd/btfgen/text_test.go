package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"task_struct é 漢 \uFFFD":  "task_struct é 漢 \uFFFD",
		"a\x1b[31m\tb\r\u009bc\n": `a\x1b[31m\tb\r\u009bc\n`,
		"\u202e\u2066\u200e\u200b\u2028\ufeff\u061c": `\u202e\u2066\u200e\u200b\u2028\ufeff\u061c`,
		"\U000e0041\x7f\xff\xc3":                     `\U000e0041\x7f\xff\xc3`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got, want := printableText("a\n\tb\x1b\nc"), "a\n\tb\\x1b\nc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An error is one line, unless it was made to be more.
func TestErrorLines(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("a\nbtfgen: all is well"), `a\nbtfgen: all is well`},
		{linesError{errors.New("a:\n   \x1b[2J")}, "a:\n   \\x1b[2J"},
		{fmt.Errorf("a: %w", linesError{errors.New("b:\n   c")}), "a: b:\n   c"},
	} {
		if got := errorLines(c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// hostilePieces are what names are made of that try to be more than names.
var hostilePieces = []string{
	"a", "pid", " ", "\n", "\r\n", "\t", "\x1b[2J", "\x00", "\x7f", "\u009b31m", "\u202e", "\u2066", "\u200b", "\u2028", "\xff", "\xc3", "\U000e0041", "é", "漢",
	"`", "``", "```\n", "~~~\n", "|", `\|`, `\`, `\\`, "<img src=x onerror=alert(1)>", "<!--", "-->", "</details>", "&lt;b&gt;", "&#60;", "[a](http://x)", "![a](http://x)",
	"https://example.org", "www.example.org", "WWW.example.org", "a@example.org", "@user", "<https://example.org>", "*", "**", "_", "__", "~~", "# ", "- ", "1. ", "> ", "\n\n", "    ", "---\n", "[x]: http://x\n",
	"\"", "'", "{", "}", ",", ":", "$", "%s", "\nbtfgen: ok", "\n| x | ✅ runs |", "mailto:a@example.org", "ftp://example.org",
}

func hostileText(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(7) {
		b.WriteString(hostilePieces[random.IntN(len(hostilePieces))])
	}
	return b.String()
}

// hostileReport is a report on a kernel in which every text is hostile.
func hostileReport(next func() string) *core.KernelReport {
	k := &core.KernelReport{Kernel: next() + "k", Release: next()}
	for i := range 2 {
		p := core.ProgramReport{Object: next() + "o", Program: next() + string(rune('p'+i)), Section: next() + "s", Verdict: core.Fails}
		p.Findings = append(p.Findings, core.Finding{Verdict: core.Fails, Name: next() + "n", Reason: next() + "r", Line: 7, File: next() + "f", Text: next(), Instead: []string{next()}, Fix: next() + "\n"})
		k.Programs = append(k.Programs, p)
	}
	return k
}

func sheetOf(t *testing.T, k *core.KernelReport, asJSON, markdown bool) string {
	t.Helper()
	var out bytes.Buffer
	sheet := newCheckSheet(&out, asJSON, markdown, false)
	sheet.add(k)
	if err := sheet.end(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// checkPlain reports what is not plain text of lines that we wrote.
func checkPlain(t *testing.T, what, out string) {
	t.Helper()
	for _, r := range strings.ReplaceAll(strings.ReplaceAll(out, "@\u200b", "@"), "\ufe0f", "") {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s has %q: %q", what, r, out)
			return
		}
	}
	if !utf8.ValidString(out) {
		t.Errorf("%s is not UTF-8: %q", what, out)
	}
}

var parser = goldmark.New(goldmark.WithExtensions(extension.GFM))

// checkMarkdown reports what is live in a page that should be a table of some
// rows, and text.
func checkMarkdown(t *testing.T, page string, rows, columns int) {
	t.Helper()
	source := []byte(page)
	tables := 0
	ast.Walk(parser.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.Image, *ast.AutoLink, *ast.RawHTML, *ast.Heading, *ast.Blockquote, *ast.ThematicBreak, *extast.Strikethrough:
			t.Errorf("%s in\n%s\n%q", n.Kind(), page, page)
		case *ast.HTMLBlock:
			block := string(n.Lines().Value(source))
			if block != "<details><summary>This would do</summary>\n" && block != "</details>\n" {
				t.Errorf("HTML: %q in\n%s", block, page)
			}
		case *extast.Table:
			tables++
			count := 0
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				count++
				if row.ChildCount() != columns {
					t.Errorf("a row of %d cells, want %d, in\n%s", row.ChildCount(), columns, page)
				}
			}
			if count != rows {
				t.Errorf("%d rows, want %d, in\n%s", count, rows, page)
			}
		}
		return ast.WalkContinue, nil
	})
	if tables != 1 {
		t.Errorf("%d tables in\n%s", tables, page)
	}
}

// checkWriters writes a report in every form.
func checkWriters(t *testing.T, next func() string) {
	t.Helper()
	var texts []string // the same for each form
	copied := func() *core.KernelReport {
		n := 0
		return hostileReport(func() string {
			if n++; n > len(texts) {
				texts = append(texts, next())
			}
			return texts[n-1]
		})
	}
	asJSON := sheetOf(t, copied(), true, false)
	checkPlain(t, "JSON", asJSON)
	var got []struct{ Kernel string }
	if err := json.Unmarshal([]byte(asJSON), &got); err != nil || len(got) != 1 || got[0].Kernel != string([]rune(copied().Kernel)) {
		t.Fatalf("%v: %s", err, asJSON)
	}
	page := sheetOf(t, copied(), false, true)
	checkPlain(t, "Markdown", page)
	rows := 3 // the first names the columns
	if strings.Contains(page, "| **") {
		rows += strings.Count(page, "\n| **") // a row that names an object
	}
	checkMarkdown(t, page, rows, 2)
	checkPlain(t, "the table", sheetOf(t, copied(), false, false))
}

// Names that try to be more than names are text in every form of a report.
func TestHostileReports(t *testing.T) {
	for _, piece := range hostilePieces {
		checkWriters(t, func() string { return piece })
		if t.Failed() {
			t.Fatalf("with %q", piece)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		checkWriters(t, func() string { return hostileText(random) })
		if t.Failed() {
			return
		}
	}
}

// FuzzWriters is TestHostileReports with whatever else there may be.
func FuzzWriters(f *testing.F) {
	for _, piece := range hostilePieces {
		f.Add(piece, "x"+piece+"y")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		n := 0
		checkWriters(t, func() string {
			n++
			return []string{a, b, a + b}[n%3]
		})
	})
}

func TestEncoder(t *testing.T) {
	for _, in := range []string{"plain é 漢", "\u202e\u009b\x7f\u200b\u2028", "\U000e0041x\U0001F600", "\xff", "<&>"} {
		var out bytes.Buffer
		if err := newEncoder(&out, "").Encode(in); err != nil {
			t.Fatal(err)
		}
		checkPlain(t, "JSON", out.String())
		var got string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != string([]rune(in)) {
			t.Errorf("%q becomes %s, which is %q: %v", in, &out, got, err)
		}
	}
}
