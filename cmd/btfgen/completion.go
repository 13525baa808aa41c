package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// completionCommand prints a script for a shell. The scripts ask "btfgen
// completion types" for names after --type: names of the kernel that the input
// names, one a line.
func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes btfgen's command line",
		ArgsUsage: "bash|zsh|fish",
		Action:    completion,
	}
}

var completionManual = manual{
	synopsis: []string{"completion bash|zsh|fish"},
	about:    []string{"btfgen completion prints a script that completes btfgen's command line: commands and their flags, files, names of types and modules."},
	examples: []entry{
		{"eval \"$(btfgen completion bash)\"", "in ~/.bashrc"},
		{"eval \"$(btfgen completion zsh)\"", "in ~/.zshrc, after compinit"},
		{"btfgen completion fish >~/.config/fish/completions/btfgen.fish", "once"},
	},
	exit: []entry{{"0", "done"}, {"2", "there is no such shell"}},
}

// shells are those that there are scripts for.
var shells = [...]string{"bash", "zsh", "fish"}

func completion(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) >= 2 && args[0] == "types" {
		input := ""
		if len(args) > 2 {
			input = args[2]
		}
		return completeTypes(c.App.Writer, args[1], input)
	}
	if len(args) != 1 {
		return errors.New("name the shell: btfgen completion bash, zsh or fish")
	}
	commands := completedCommands(c.App)
	var script string
	switch args[0] {
	case "bash":
		script = bashScript(commands)
	case "zsh":
		script = zshScript(commands)
	case "fish":
		script = fishScript(commands)
	default:
		return fmt.Errorf("there is no completion for %q: name bash, zsh or fish", args[0])
	}
	_, err := io.WriteString(c.App.Writer, script)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// allFlags are the flags of all commands. Some have the same names, and then
// they agree on whether they have a value.
func allFlags(app *cli.App) []cli.Flag {
	flags := slices.Clone(app.Flags)
	for _, command := range app.Commands {
		for _, flag := range command.Flags {
			if !slices.Contains(flags, flag) {
				flags = append(flags, flag)
			}
		}
	}
	return flags
}

// completeTypes prints the names of types that start with prefix.
func completeTypes(out io.Writer, prefix, input string) error {
	if input == "-" {
		return nil // nothing to read from while a command line is typed
	}
	kernel, err := source.Open(input, nil, source.Options{Stdin: os.Stdin})
	if err != nil {
		return err
	}
	var names []string
	for t := range kernel.View.All() {
		switch t.Kind() {
		case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindTypedef:
			if name := t.Name(); strings.HasPrefix(name, prefix) && btfdump.IsIdentifier(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	w := bufio.NewWriter(out)
	for _, name := range slices.Compact(names) {
		fmt.Fprintln(w, name)
	}
	return w.Flush()
}

// A completedCommand is what a script needs to know of a command.
type completedCommand struct {
	name  string // "": the default one
	usage string
	flags []completedFlag
	words []string // its arguments, if they are a closed set, else they are files
}

// A completedFlag is a flag and what its values are.
type completedFlag struct {
	flagText
	values valueKind
	words  []string // for oneOf
}

// A valueKind is what may stand behind a flag.
type valueKind int

const (
	noValue valueKind = iota
	aFile
	aType
	aModule
	oneOf
	anyText
)

// completedCommands are the commands with their flags, the default one first.
func completedCommands(app *cli.App) []completedCommand {
	all := []completedCommand{{flags: completedFlags(app.VisibleFlags())}}
	var names []string
	for _, command := range app.VisibleCommands() {
		c := completedCommand{name: command.Name, usage: command.Usage, flags: completedFlags(command.VisibleFlags())}
		if command.Name == "completion" {
			c.words = shells[:]
		}
		names = append(names, command.Name)
		all = append(all, c)
	}
	for i := range all {
		if all[i].name == "help" {
			all[i].words = names
		}
	}
	return all
}

// completedFlags are the flags that the scripts offer.
func completedFlags(flags []cli.Flag) []completedFlag {
	var all []completedFlag
	for _, flag := range flags {
		text, ok := textOf(flag)
		if !ok {
			continue
		}
		f := completedFlag{flagText: text, values: aFile}
		switch text.long {
		case "type":
			f.values = aType
		case "module":
			f.values = aModule
		case "format":
			f.values, f.words = oneOf, []string{formatHeader, formatGo, formatBTF}
		case "spdx", "release", "max-size", "package", "prefix", "tags", "names", "set", "std", "target", "clang-flag":
			f.values = anyText
		}
		if text.value == "" {
			f.values = noValue
		}
		all = append(all, f)
	}
	return all
}

// dashed are the names of a flag as they are typed: those that help shows, or
// all.
func (f completedFlag) dashed(all bool) []string {
	names := []string{"--" + f.long}
	if f.short != "" {
		names = append(names, "-"+f.short)
	}
	if all {
		for _, name := range f.aliases {
			names = append(names, strings.Repeat("-", min(len(name), 2))+name)
		}
	}
	return names
}
