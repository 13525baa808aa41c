package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// maxDiffLines is how much of a difference --check shows. The rest is counted.
const maxDiffLines = 40

// maxCompared is how many lines a file may have to be shown what differs: each takes
// some 170 bytes, and as little as one in the file. A header of a kernel with all its
// modules has a million.
const maxCompared = 2 << 20

// check compares the file called name with what it should be, and prints what
// differs to out.
func check(name string, want []byte, out io.Writer, console *console) error {
	have, err := readFile(name, maxText)
	if errors.Is(err, fs.ErrNotExist) {
		return noError(name + " does not exist: run btfgen without --check")
	}
	if err != nil {
		return err
	}
	if bytes.Equal(have, want) {
		console.say("%s: up to date", name)
		return nil
	}
	if n := bytes.Count(have, []byte("\n")); n > maxCompared {
		return noError(fmt.Sprintf("%s is not what btfgen would write (it has %s lines): run it without --check", name, thousands(n)))
	}
	console.begin("comparing")
	lines := bytes.SplitAfter(diff.Diff(printable(name), have, printable(name)+" (new)", want), []byte("\n"))
	lines = lines[1 : len(lines)-1] // without the line that starts "diff", and the nothing behind the last newline
	console.end()
	painter := painterFor(out)
	for i, line := range lines[:min(len(lines), maxDiffLines)] {
		text := printableText(strings.TrimSuffix(string(line), "\n"))
		if _, err := io.WriteString(out, painter.paint(diffColour(i, text), text)+"\n"); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if more := len(lines) - maxDiffLines; more > 0 {
		fmt.Fprintf(out, "... and %d more lines\n", more)
	}
	return noError(name + " is not what btfgen would write: run it without --check")
}

// diffColour is the colour of a line of a difference, which has two lines with
// the files' names at its start.
func diffColour(at int, line string) colour {
	switch {
	case at < 2:
		return bold
	case strings.HasPrefix(line, "@@"):
		return cyan
	case strings.HasPrefix(line, "-"):
		return red
	case strings.HasPrefix(line, "+"):
		return green
	}
	return ""
}

// checkBinary is check for what can't be shown line by line.
func checkBinary(name string, want []byte, console *console) error {
	have, err := readFile(name, maxText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noError(name + " does not exist: run btfgen without --check")
	case err != nil:
		return err
	case bytes.Equal(have, want):
		console.say("%s: up to date", name)
		return nil
	}
	return noError(fmt.Sprintf("%s is not what btfgen would write (it has %s bytes, not %s): run it without --check", name, thousands(len(have)), thousands(len(want))))
}
