package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// How btfgen talks to a person
//
//   - Results go to standard output, everything else to standard error, so that
//     "btfgen - | clang" gets a header and nothing else.
//   - An error is one message after "btfgen: ", in lower case, that names the
//     file, flag or type it is about and says what to do. No usage text buries
//     it.
//   - Done is one line, and --quiet leaves it out. Nothing is asked, ever: btfgen
//     runs in builds.
//   - A progress line is shown on a terminal only, only when something has taken
//     half a second, and is wiped when it is over. A log file never sees one.
//   - Colours are for terminals only, and not for dumb ones, nor where NO_COLOR is
//     set: see painterFor. They repeat what the text says.
//   - No control characters that came from a file: text from an input is printed
//     by printable or quoted with %q.

// A console is the line of communication to a person, on standard error.
type console struct {
	out      io.Writer
	quiet    bool
	terminal bool

	mu    sync.Mutex
	timer *time.Timer
	doing string // what is going on, for the progress line
	shown bool   // the progress line is on the screen
}

// progressDelay is how long something may take before a progress line says what
// it is.
const progressDelay = 500 * time.Millisecond

func newConsole(out io.Writer, quiet bool) *console {
	// A dumb terminal can't wipe a line.
	return &console{out: out, quiet: quiet, terminal: isTerminal(out) && os.Getenv("TERM") != "dumb"}
}

// isTerminal says whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// widthOf returns how many columns a terminal has, and 0 for other streams.
func widthOf(out io.Writer) int {
	if !isTerminal(out) {
		return 0
	}
	width, _, err := term.GetSize(int(out.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// begin tells what is going on from now on, until the next begin or end.
func (c *console) begin(doing string) {
	if c.quiet || !c.terminal {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doing = doing
	switch {
	case c.shown:
		c.draw()
	case c.timer == nil:
		c.timer = time.AfterFunc(progressDelay, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.doing != "" {
				c.draw()
			}
		})
	}
}

// draw shows the progress line in place of the one before.
func (c *console) draw() {
	fmt.Fprintf(c.out, "\r\x1b[K%s ...", printable(c.doing))
	c.shown = true
}

// end wipes the progress line.
func (c *console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.shown {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
	c.doing, c.shown = "", false
}

// say prints one line, whatever is in the arguments, unless it is to be quiet.
func (c *console) say(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintln(c.out, printable(fmt.Sprintf(format, args...)))
	}
}
