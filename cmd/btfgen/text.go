package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text from elsewhere
//
// Names of types and files, the text of source lines, versions and messages of
// compilers are whatever somebody wrote there. What could have a terminal do
// something else than show text, end a line, hide something, or turn what follows
// around (control characters, those for the direction of writing, those without a
// width) is shown as what it is: \x1b, \n, \u202e, \xff. There is one function for
// each kind of output: printable for a line, printableText for text of several
// lines, newEncoder for JSON, and those of markdown.go.

// isPlain reports whether a character shows as nothing but itself.
func isPlain(r rune) bool { return unicode.IsPrint(r) }

// printable is text from elsewhere as a part of a line.
func printable(s string) string {
	plain := true
	for i, r := range s {
		if !isPlain(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case isPlain(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// printableText is text of several lines, each of which is printable, with tabs.
// It is for what is one of a file's or a compiler's own, and for what is put
// together of printable parts.
func printableText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j := range parts {
			parts[j] = printable(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

// A linesError is an error of several lines: put together of printable parts.
type linesError struct{ error }

func (e linesError) Unwrap() error { return e.error }

// errorLines is an error as it is shown: one line, unless it was meant to be more.
func errorLines(err error) string {
	var lines linesError
	if errors.As(err, &lines) {
		return printableText(err.Error())
	}
	return printable(err.Error())
}

// newEncoder writes JSON for scripts and people: in it, too, characters that are
// not plain are escaped.
func newEncoder(out io.Writer, prefix string) *json.Encoder {
	encoder := json.NewEncoder(plainJSON{out})
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	return encoder
}

// plainJSON is a writer of JSON texts, each in one piece as [json.Encoder] writes
// them. All that is not plain in them, but for newlines, is in strings.
type plainJSON struct{ out io.Writer }

func (w plainJSON) Write(text []byte) (int, error) {
	var b []byte
	rest := 0 // from where on text is not in b
	for i := 0; i < len(text); {
		if text[i] >= ' ' && text[i] < 0x7f || text[i] == '\n' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if !isPlain(r) {
			b = append(b, text[rest:i]...)
			if r >= 0x10000 {
				r -= 0x10000
				b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else {
				b = fmt.Appendf(b, `\u%04x`, r)
			}
			rest = i + size
		}
		i += size
	}
	if rest == 0 {
		return w.out.Write(text)
	}
	if _, err := w.out.Write(append(b, text[rest:]...)); err != nil {
		return 0, err
	}
	return len(text), nil
}
