package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// A manual is what there is to say about a command beside its flags, which say
// it themselves. --help prints it for a terminal, man.go as a man page.
type manual struct {
	synopsis []string // how it is called, without "btfgen "
	about    []string // paragraphs
	examples []entry  // command lines and what they do
	sections []section
	exit     []entry // exit codes
}

// An entry is a term, such as a command line, and what it means.
type entry struct{ term, text string }

// A section is more to say, under a title.
type section struct {
	title   string
	entries []entry
}

// Groups of flags, in the order in which they are listed. A flag's category is
// one of these; those without one come last.
const (
	groupInput  = "what is read"
	groupOutput = "what is made"
	groupFor    = "for a BPF program"
	groupVerify = "comparing"
	groupGo     = "Go types"
	groupOther  = "other"
)

var groups = [...]string{groupInput, groupFor, groupOutput, groupGo, groupVerify, groupOther}

// manualOf returns the manual of a command; that of "" is the default command's.
func manualOf(command string) *manual {
	switch command {
	case "check":
		return &checkManual
	case "verify":
		return &verifyManual
	case "info":
		return &infoManual
	case "completion":
		return &completionManual
	case "help":
		return &helpManual
	case "man":
		return &manManual
	}
	return &defaultManual
}

var helpManual = manual{
	synopsis: []string{"help [COMMAND]"},
	about:    []string{"btfgen help tells how btfgen, or one of its commands, is used, as btfgen --help and btfgen COMMAND --help do."},
	exit:     []entry{{"0", "done"}, {"2", "there is no such command"}},
}

// helpCommand is --help in another form.
func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "tell how a command is used",
		ArgsUsage: "[COMMAND]",
		Action: func(c *cli.Context) error {
			var err error
			switch names := c.Args().Slice(); {
			case len(names) == 0:
				err = printHelp(c.App.Writer, c.App)
			case len(names) > 1:
				return fmt.Errorf("help is about one command, but %d were given: %q", len(names), names)
			case c.App.Command(names[0]) == nil:
				if err := noCommand(c, names); err != nil {
					return err
				}
				return fmt.Errorf("there is no command %q; btfgen --help lists them", names[0])
			default:
				err = printHelp(c.App.Writer, c.App.Command(names[0]))
			}
			if err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
			return nil
		},
	}
}

// defaultWidth is how long lines are where there is no terminal, and leastWidth
// what is taken for a mistake, or can't be wrapped to.
const (
	defaultWidth = 100
	leastWidth   = 40
)

// printHelp prints the help of a *cli.Command, or the default one's of a
// *cli.App. It takes the place of the cli package's templates.
func printHelp(out io.Writer, of any) error {
	w := helpWriter{width: widthOf(out), painter: painterFor(out)}
	if w.width == 0 {
		w.width = defaultWidth
	}
	w.width = max(w.width, leastWidth)
	switch about := of.(type) {
	case *cli.App:
		w.help(manualOf(""), about.VisibleFlags(), about.VisibleCommands())
	case *cli.Command:
		w.help(manualOf(about.Name), about.VisibleFlags(), nil)
	}
	_, err := io.WriteString(out, w.text.String())
	return err
}

// A helpWriter lays text out for a width.
type helpWriter struct {
	text    strings.Builder
	width   int
	painter painter
}

// columns at which texts start.
const (
	indent     = 3
	commandsAt = 29
	flagsAt    = 29
	examplesAt = 41
)

func (w *helpWriter) help(m *manual, flags []cli.Flag, commands []*cli.Command) {
	w.title("usage")
	for _, line := range m.synopsis {
		w.entry(entry{term: "btfgen " + line}, indent+7)
	}
	w.text.WriteString("\n")
	for i, paragraph := range m.about {
		if i > 0 {
			w.text.WriteString("\n")
		}
		w.paragraph(paragraph, 0, 0)
	}
	if len(commands) > 0 {
		w.title("commands")
		for _, command := range commands {
			w.entry(entry{strings.TrimSpace("btfgen " + command.Name + " " + command.ArgsUsage), command.Usage}, commandsAt)
		}
		w.paragraph("Each has help of its own: btfgen COMMAND --help", indent, indent)
	}
	if len(m.examples) > 0 {
		w.title("examples")
		for _, e := range m.examples {
			w.entry(e, examplesAt)
		}
	}
	for _, s := range m.sections {
		w.title(s.title)
		for _, e := range s.entries {
			w.entry(e, 14)
		}
	}
	for _, group := range grouped(flags) {
		if len(group.flags) == 0 {
			continue
		}
		w.title("flags: " + group.name)
		for _, flag := range group.flags {
			w.entry(entry{flag.name(), flag.usage}, flagsAt)
		}
	}
	w.title("exit code")
	for _, e := range m.exit {
		w.entry(e, 6)
	}
}

// title starts a section.
func (w *helpWriter) title(text string) {
	if w.text.Len() > 0 {
		w.text.WriteString("\n")
	}
	w.text.WriteString(w.painter.paint(bold, strings.ToUpper(text)) + "\n")
}

// entry writes a term, and its text from a column on: on a line of its own, if
// the term reaches into it. On narrow terminals the column is closer.
func (w *helpWriter) entry(e entry, at int) {
	at = min(at, 2*w.width/5)
	term := strings.Repeat(" ", indent) + e.term
	if length := utf8.RuneCountInString(term); length <= at-2 && e.text != "" {
		w.paragraph(e.text, at, at, term+strings.Repeat(" ", at-length))
		return
	}
	// A command line may be longer than the terminal is wide. It is one line
	// nevertheless, so that a copy of it works.
	w.text.WriteString(term + "\n")
	if e.text != "" {
		w.paragraph(e.text, at, at)
	}
}

// paragraph writes text in lines of the width, from a column on: another one
// for the first line, on which something may stand already.
func (w *helpWriter) paragraph(text string, first, rest int, before ...string) {
	line := strings.Repeat(" ", first)
	if len(before) > 0 {
		line = before[0]
	}
	length, empty := first, true
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if !empty && length+1+n > w.width {
			w.text.WriteString(line + "\n")
			line, length, empty = strings.Repeat(" ", rest), rest, true
		}
		if !empty {
			line, length = line+" ", length+1
		}
		line, length, empty = line+word, length+n, false
	}
	w.text.WriteString(line + "\n")
}

// A flagText is what there is to say about a flag.
type flagText struct {
	long, short string // without hyphens; short may be ""
	aliases     []string
	value       string // the name of its value, "" if it has none
	usage       string
	repeatable  bool
}

// name is how the flag is typed: "-i, --input FILE".
func (f flagText) name() string {
	short := "    "
	if f.short != "" {
		short = "-" + f.short + ", "
	}
	return strings.TrimRight(short+"--"+f.long+" "+f.value, " ")
}

// textOf takes a flag's text apart: what stands in backquotes is the name of its
// value, as in Go's package flag.
func textOf(flag cli.Flag) (f flagText, ok bool) {
	documented, ok := flag.(cli.DocGenerationFlag)
	if !ok {
		return f, false
	}
	for _, name := range flag.Names() {
		switch {
		case len(name) > 1 && f.long == "":
			f.long = name
		case len(name) == 1 && f.short == "":
			f.short = name
		default:
			f.aliases = append(f.aliases, name)
		}
	}
	f.usage = documented.GetUsage()
	if parts := strings.SplitN(f.usage, "`", 3); len(parts) == 3 {
		f.value = parts[1]
		f.usage = strings.Join(parts, "")
	}
	if documented.TakesValue() {
		f.value = cmp.Or(f.value, "VALUE")
	}
	f.repeatable = isRepeatable(flag)
	return f, true
}

// A flagGroup is a title and the flags below it.
type flagGroup struct {
	name  string
	flags []flagText
}

// grouped sorts flags into groups by their categories.
func grouped(flags []cli.Flag) []flagGroup {
	found := make([]flagGroup, len(groups))
	for i, name := range groups {
		found[i].name = name
	}
	for _, flag := range flags {
		f, ok := textOf(flag)
		if !ok {
			continue
		}
		at := len(groups) - 1
		if categorized, ok := flag.(cli.CategorizableFlag); ok {
			if i := slices.Index(groups[:], categorized.GetCategory()); i >= 0 {
				at = i
			}
		}
		found[at].flags = append(found[at].flags, f)
	}
	return found
}

// defaultManual is that of btfgen OUTPUT.
var defaultManual = manual{
	synopsis: []string{"[flags] OUTPUT [-- CLANG-FLAGS]", "COMMAND [flags] [ARGUMENTS]"},
	about: []string{
		"btfgen makes a C header from the types of a Linux kernel (BTF), for BPF programs that are compiled once and run everywhere, and Go types for the programs that talk to them.",
		"OUTPUT is the header to write, named *.h, or Go types, named *.go, or BTF, named *.btf; \"-\" writes to standard output. For BTF of several kernels it is a directory. Flags may stand before and after it.",
		"A kernel is read from what people have: vmlinux, vmlinuz and other boot images, .deb and .rpm packages, tar and cpio archives, raw BTF, each compressed or not, lib/modules/RELEASE, or a root file system's directory.",
	},
	examples: []entry{
		{"btfgen vmlinux.h", "the running kernel's header"},
		{"btfgen -m nf_conntrack vmlinux.h", "with the types of a loaded module"},
		{"btfgen -m all vmlinux.h", "with the types of every loaded module"},
		{"btfgen -i vmlinuz-6.12 -m veth.ko.xz vmlinux.h", "a kernel and a module that are not running"},
		{"btfgen -i linux-image.deb -m veth vmlinux.h", "both from a package"},
		{"btfgen -i prog:42 types.h", "the types of a loaded BPF program"},
		{"xz -dc kernel.btf.xz | btfgen -i - -", "from standard input to standard output"},
		{"btfgen --type task_struct --type 'sk_*' slim.h", "only these types and what they need"},
		{"btfgen --for prog.bpf.c slim.h -- -I include", "what this program needs and nothing else; flags for clang go behind \"--\""},
		{"btfgen --for prog.bpf.c --fields slim.h", "records with the members that it uses, at their offsets"},
		{"btfgen --type task_struct types.go", "Go types with the kernel's layout"},
		{"btfgen -i prog.bpf.o --type event --package main event.go", "the Go type of what a BPF program sends"},
		{"btfgen --type task_struct slim.btf", "the same as BTF"},
		{"btfgen --for prog.bpf.o min.btf", "the BTF that this program needs, to ship with it"},
		{"btfgen --for prog.bpf.o -k btfhub-archive/ btf/", "the same for many kernels, a file each"},
		{"btfgen check prog.bpf.o -k kernels/", "on which of these kernels will it run, and why not on others?"},
		{"btfgen --check vmlinux.h", "is the file still what btfgen would write?"},
		{"btfgen --verify vmlinux.h", "written only if clang agrees with every type in it"},
		{"btfgen --no-kfuncs --spdx GPL-2.0 vmlinux.h", "no kfunc prototypes, a licence in the first line"},
	},
	exit: []entry{
		{"0", "done"},
		{"1", "the answer is no: --check or --verify found a difference"},
		{"2", "wrong usage or unreadable input"},
	},
}
