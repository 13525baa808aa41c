package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

var manManual = manual{
	synopsis: []string{"man [COMMAND]"},
	about:    []string{"btfgen man prints the man page of btfgen, or of one of its commands. make install puts them where man finds them."},
	exit:     []entry{{"0", "done"}, {"2", "there is no such command"}},
}

// manCommand prints man pages, for make install. They are the help in the
// language of man(7), which groff and mandoc read.
func manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print a man page",
		ArgsUsage: "[COMMAND]",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			page := ""
			switch names := c.Args().Slice(); {
			case len(names) == 0:
				page = manPage(c.App, nil)
			case len(names) > 1 || c.App.Command(names[0]) == nil:
				return fmt.Errorf("%q is not the name of one command", names)
			default:
				page = manPage(c.App, c.App.Command(names[0]))
			}
			_, err := io.WriteString(c.App.Writer, page)
			if err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
			return nil
		},
	}
}

// manPage is the man page of a command, or of btfgen if that is nil. It has no
// date, since it is the same whenever it is made.
func manPage(app *cli.App, command *cli.Command) string {
	name, usage, m, flags := app.Name, app.Usage, manualOf(""), app.VisibleFlags()
	if command != nil {
		name, usage, m, flags = app.Name+"-"+command.Name, command.Usage, manualOf(command.Name), command.VisibleFlags()
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s\n", strings.ToUpper(roff(name)), `"btfgen `+roff(app.Version)+`"`)
	fmt.Fprintf(&b, ".SH NAME\n%s.SH SYNOPSIS\n", roffText(name+" - "+usage))
	for i, line := range m.synopsis {
		if i > 0 {
			b.WriteString(".br\n")
		}
		words := strings.Fields("btfgen " + line)
		n := 1
		if command != nil {
			n = 2
		}
		fmt.Fprintf(&b, "\\fB%s\\fR %s\n", roff(strings.Join(words[:n], " ")), roff(strings.Join(words[n:], " ")))
	}
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range m.about {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roffText(paragraph))
	}
	if command == nil {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range app.VisibleCommands() {
			manEntry(&b, strings.TrimSpace(c.Name+" "+c.ArgsUsage), c.Usage)
		}
	}
	b.WriteString(".SH OPTIONS\n")
	for _, group := range grouped(flags) {
		if len(group.flags) == 0 {
			continue
		}
		fmt.Fprintf(&b, ".SS %s\n", roff(strings.ToUpper(group.name[:1])+group.name[1:]))
		for _, f := range group.flags {
			b.WriteString(".TP\n")
			if f.short != "" {
				fmt.Fprintf(&b, "\\fB%s\\fR, ", roff("-"+f.short))
			}
			fmt.Fprintf(&b, "\\fB%s\\fR", roff("--"+f.long))
			if f.value != "" {
				fmt.Fprintf(&b, " \\fI%s\\fR", roff(f.value))
			}
			b.WriteString("\n" + roffText(f.usage))
		}
	}
	for _, s := range m.sections {
		fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(s.title)))
		for _, e := range s.entries {
			manEntry(&b, e.term, e.text)
		}
	}
	if len(m.examples) > 0 {
		b.WriteString(".SH EXAMPLES\n")
		for _, e := range m.examples {
			manEntry(&b, e.term, e.text)
		}
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range m.exit {
		manEntry(&b, e.term, e.text)
	}
	b.WriteString(".SH SEE ALSO\n")
	var pages []string
	if command != nil {
		pages = append(pages, "btfgen")
	}
	for _, c := range app.VisibleCommands() {
		if c != command {
			pages = append(pages, "btfgen-"+c.Name)
		}
	}
	for i, page := range pages {
		comma := map[bool]string{true: ","}[i < len(pages)-1]
		fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(page), comma)
	}
	return b.String()
}

// manEntry writes a term, in bold, and its text.
func manEntry(b *strings.Builder, term, text string) {
	if text == "" {
		fmt.Fprintf(b, ".PP\n%s", roffText(term))
		return
	}
	fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s", roff(term), roffText(text))
}

// roffText is text in lines of a length that people like to edit, none of which
// is taken for a request.
func roffText(text string) string {
	var b strings.Builder
	length := 0
	for word := range strings.FieldsSeq(roff(text)) {
		switch {
		case length == 0:
		case length+1+len(word) > 76:
			b.WriteString("\n")
			length = 0
		default:
			b.WriteString(" ")
			length++
		}
		if length == 0 && strings.HasPrefix(word, ".") {
			word = `\&` + word
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String() + "\n"
}

// roff escapes what means something to roff, or is printed as another character
// than the one that is typed (see groff_char(7)).
func roff(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch r {
		case '\\':
			b.WriteString(`\e`)
		case '-':
			b.WriteString(`\-`)
		case '"':
			b.WriteString(`\(dq`)
		case '\'':
			b.WriteString(`\(aq`)
		case '`':
			b.WriteString(`\(ga`)
		case '^':
			b.WriteString(`\(ha`)
		case '~':
			b.WriteString(`\(ti`)
		default:
			if r > '~' {
				fmt.Fprintf(&b, `\[u%04X]`, r)
				continue
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}
