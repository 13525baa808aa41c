package main

import (
	"io"
	"os"

	"github.com/btfgen/btfgen/btfdump/core"
)

// usesColour reports whether what is written to out is seen on a terminal that
// shows colours, by somebody who wants them (https://no-color.org).
func usesColour(out io.Writer) bool {
	return isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint returns a text in the colour of a verdict, if it is to have one.
func paint(colour bool, verdict core.Verdict, text string) string {
	if !colour {
		return text
	}
	return verdictColours[verdict] + text + "\x1b[0m"
}

// A colour of text on a terminal, as the parameters of SGR.
type colour string

const (
	bold    colour = "1"
	red     colour = "31"
	green   colour = "32"
	yellow  colour = "33"
	cyan    colour = "36"
	boldRed colour = "1;31"
)

// A painter colours text, if it is true.
type painter bool

// painterFor returns the painter of a stream.
func painterFor(out io.Writer) painter { return painter(usesColour(out)) }

// paint returns text in a colour. It must not end in a newline.
func (p painter) paint(c colour, text string) string {
	if !p || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
