package main

import (
	"io"
	"os"

	"github.com/btfgen/btfgen/btfdump/core"
	"golang.org/x/term"
)

// usesColour reports whether what is written to out is seen on a terminal that
// shows colours, by somebody who wants them (https://no-color.org).
func usesColour(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint returns a text in the colour of a verdict, if it is to have one.
func paint(colour bool, verdict core.Verdict, text string) string {
	if !colour {
		return text
	}
	return verdictColours[verdict] + text + "\x1b[0m"
}
