package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// What to say to those who type something that btfgen does not know: what they
// meant, if that can be told, in the words of this command line.

// noFlag is the error for a flag --name that a command does not have.
func (p *flagParser) noFlag(args []string, name string) error {
	if err := p.outputFlag(args[0], name); err != nil {
		return err
	}
	no := "there is no flag --" + name
	if p.command != nil {
		no = p.name() + " has no flag --" + name
	}
	return p.didYouMean(no, name)
}

// noShortFlag is the error for a short flag that a command does not have.
func (p *flagParser) noShortFlag(args []string, letter string) error {
	bundle, _, _ := strings.Cut(args[0][1:], "=")
	name := letter
	if len(bundle) > 2 || len(bundle) == 2 && otherFlag(bundle) != "" {
		name = bundle // -types, say, rather than -t -y -p -e -s
	}
	if err := p.outputFlag(args[0], name); err != nil {
		return err
	}
	no := fmt.Sprintf("there is no flag %q", "-"+letter)
	if args[0] != "-"+letter {
		no += fmt.Sprintf(" in %q", args[0])
	}
	if p.command != nil {
		no = strings.Replace(no, "there is", p.name()+" has", 1)
	}
	if isClangFlag(args[0]) {
		return fmt.Errorf("%s; %s", no, p.clangFlags())
	}
	return p.didYouMean(no, name)
}

// didYouMean adds to an error what may be meant by a flag's name.
func (p *flagParser) didYouMean(no, name string) error {
	// flags of bpftool and pahole have underscores, and some people shout
	wanted := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if other := otherFlag(name); findFlag(p.flags, other) != nil {
		return fmt.Errorf("%s; did you mean --%s?", no, other)
	}
	if len(wanted) == 1 && !strings.HasPrefix(no, "there is no flag --") {
		wanted = "" // no short flag is like another
	}
	if like := closest(wanted, flagNames(p.flags)); like != "" {
		return fmt.Errorf("%s; did you mean --%s?", no, like)
	}
	if p.app != nil {
		for _, name := range []string{wanted, otherFlag(name), closest(wanted, flagNames(allFlags(p.app)))} {
			if owners := ownersOf(p.app, name); len(owners) > 0 {
				return fmt.Errorf("%s; %s%s is a flag of %s", no, "--"[:min(len(name), 2)], name, list(owners))
			}
		}
	}
	return fmt.Errorf("%s; %s lists them", no, p.help())
}

// flagNames are the long names of flags.
func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, flag := range flags {
		for _, name := range flag.Names() {
			if len(name) > 1 {
				names = append(names, name)
			}
		}
	}
	return names
}

// ownersOf names the commands that have a flag.
func ownersOf(app *cli.App, name string) []string {
	var owners []string
	if findFlag(app.Flags, name) != nil {
		owners = append(owners, "btfgen OUTPUT")
	}
	for _, command := range app.Commands {
		if !command.Hidden && findFlag(command.Flags, name) != nil {
			owners = append(owners, "btfgen "+command.Name)
		}
	}
	return owners
}

// list joins words as in a sentence.
func list(words []string) string {
	if n := len(words); n > 2 {
		words = []string{strings.Join(words[:n-1], ", "), words[n-1]}
	}
	return strings.Join(words, " and ")
}

// otherFlag is btfgen's word for a flag that bpftool, pahole, bpf2go or a
// compiler call otherwise; "" if there is none.
func otherFlag(name string) string {
	switch name {
	case "B", "base-btf", "btf-base", "btf_base":
		return "base"
	case "C", "class_name", "class-name", "t", "s", "struct", "symbol", "filter", "function":
		return "type"
	case "F", "f", "file", "btf", "vmlinux", "from", "in", "infile", "kernel-btf":
		return "input"
	case "license", "licence":
		return "spdx"
	case "pkg", "go-package":
		return "package"
	case "obj", "object", "prog", "program", "bpf":
		return "for"
	case "config":
		return "kconfig"
	case "compiler", "cc", "CC":
		return "clang"
	case "cflags", "cflag":
		return "clang-flag"
	case "j", "p", "pretty":
		return "json"
	case "V":
		return "version"
	case "silent":
		return "quiet"
	case "dry-run", "diff":
		return "check"
	case "lang", "language", "output-format":
		return "format"
	}
	return ""
}

// outputFlag is the error for a flag as other tools have it for their output.
func (p *flagParser) outputFlag(typed, name string) error {
	switch name {
	case "o", "O", "out", "output", "outfile", "output-file", "out-file":
	default:
		return nil
	}
	typed, _, _ = strings.Cut(typed, "=")
	if p.command != nil {
		return fmt.Errorf("%s has no flag %s: it prints its answer, which the shell can redirect (>FILE)", p.name(), typed)
	}
	return fmt.Errorf("there is no flag %s: the output stands by itself, as in: btfgen vmlinux.h", typed)
}

// isClangFlag says whether an argument looks like a compiler's.
func isClangFlag(arg string) bool {
	for _, prefix := range []string{"-I", "-D", "-U", "-W", "-O", "-L", "-g", "-f", "-x", "-std", "-isystem", "-iquote", "-include", "-target", "-march", "-mcpu", "-sysroot", "-isysroot"} {
		// -file is no -f, and -get no -g.
		whole := len(prefix) == 2 && strings.ToLower(prefix) == prefix
		if strings.HasPrefix(arg, prefix) && (!whole || arg == prefix || arg == "-ggdb" || strings.HasPrefix(arg, "-fno-") || arg == "-xc") {
			return true
		}
	}
	return false
}

// clangFlags says where a flag for clang goes.
func (p *flagParser) clangFlags() string {
	switch {
	case findFlag(p.flags, "for") != nil:
		return "flags for clang go behind \"--\", which goes with --for: btfgen --for prog.bpf.c slim.h -- -I include"
	case findFlag(p.flags, "clang-flag") != nil:
		return "flags for clang are given with -X: -X '-I include'"
	}
	return "if it is for clang: nothing is compiled here"
}

// noHyphen is the error for an argument that starts with a dash as text
// processors make it of a hyphen.
func noHyphen(arg string) error {
	for _, dash := range []string{"\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212"} {
		if name, ok := strings.CutPrefix(arg, dash); ok {
			name = strings.TrimPrefix(name, dash)
			if len(name) > 1 && !strings.HasPrefix(name, "-") {
				name = "-" + name
			}
			return fmt.Errorf("%q starts with a dash that is no hyphen, as text copied from a web page does: type -%s", arg, name)
		}
	}
	return nil
}

// closest returns the name that is most like a word, "" if none is like it.
func closest(word string, names []string) string {
	best, likeness := "", minLikeness
	for _, name := range names {
		if word == "" || len(word) > maxNameLen {
			break
		}
		l := smetrics.JaroWinkler(word, name, 0.7, 4)
		if strings.HasPrefix(name, word) {
			l = max(l, minLikeness) // --q
		}
		if l > likeness || l == likeness && best == "" {
			best, likeness = name, l
		}
	}
	return best
}

// misread explains the arguments of the default command, if they are no
// output's name: nil if there is nothing to say about them.
func misread(c *cli.Context, args []string) error {
	args, clang := splitFlags(args)
	if len(args) == 0 {
		return nil
	}
	if args[0] == "" {
		return errors.New("the output's name is empty: name the header to write, as in: btfgen vmlinux.h (is a variable not set?)")
	}
	if err := noCommand(c, args); err != nil {
		return err
	}
	if len(clang) > 0 && !c.IsSet("for") {
		return fmt.Errorf("%q behind \"--\" are flags for clang, which compiles programs: they go with --for, as in: btfgen --for prog.bpf.c slim.h -- -I include", clang)
	}
	if len(args) == 1 {
		return oneMisread(args[0])
	}
	for _, pattern := range c.StringSlice("type") {
		if exists(pattern) {
			return fmt.Errorf("there can be one output, but %d were given: %q; if a pattern of --type was to be among them, put it in quotes, so that the shell does not take it for files: --type 'sk_*'", len(args), args)
		}
	}
	// An input among the outputs?
	if len(args) == 2 && !slices.ContainsFunc([]string{inputFlag, "kernel", "module", "for"}, c.IsSet) {
		for i, arg := range args {
			output := args[1-i]
			if !isOutput(output) || isOutput(arg) && (i == 1 || !exists(arg) || exists(output)) {
				continue
			}
			switch {
			case !exists(arg):
			case strings.HasSuffix(arg, ".c") || strings.HasSuffix(arg, ".o"):
				return fmt.Errorf("%q and %q: the program that a header is for goes by --for: btfgen --for %s %s", args[0], args[1], quoteArg(arg), quoteArg(output))
			default:
				return fmt.Errorf("%q and %q: the input goes by -i: btfgen -i %s %s", args[0], args[1], quoteArg(arg), quoteArg(output))
			}
		}
	}
	for _, flag := range []string{"for", "module", "type", "kernel"} {
		if c.IsSet(flag) {
			return fmt.Errorf("there can be one output, but %d were given: %q; if one is a value of --%s, that is repeated for each: --%s A --%s B", len(args), args, flag, flag, flag)
		}
	}
	return nil
}

// oneMisread explains one argument that does not say what is to be made.
func oneMisread(arg string) error {
	info, err := os.Stat(arg)
	there := err == nil
	switch {
	case isOutput(arg):
		return nil
	case os.IsPathSeparator(arg[len(arg)-1]), there && info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it, such as %s", arg, quoteArg(filepath.Join(arg, "vmlinux.h")))
	case there && (strings.HasSuffix(arg, ".c") || strings.HasSuffix(arg, ".o")):
		return fmt.Errorf("%s is there already, and no output: for a header of what a program needs: btfgen --for %s slim.h; btfgen --help tells more", arg, quoteArg(arg))
	case there:
		return fmt.Errorf("%s is there already, and neither a C header nor Go types nor BTF by its name: if it is the input, it goes by -i: btfgen -i %s vmlinux.h", arg, quoteArg(arg))
	}
	return nil
}

// noCommand is the error for a first argument that looks like a command and is
// none: misspelt, or another tool's.
func noCommand(c *cli.Context, args []string) error {
	word := args[0]
	if isFlag(word) && isClangFlag(word) {
		return fmt.Errorf("%q behind \"--\" is a flag for clang, and the output is missing: btfgen --for prog.bpf.c slim.h -- %s", word, quoteArg(word))
	}
	if strings.ContainsAny(word, "./\\") || word == "-" || exists(word) {
		return nil
	}
	switch {
	case word == "btf" && len(args) > 1 && slices.Contains([]string{"dump", "show", "list"}, args[1]):
		return fmt.Errorf("%q is bpftool's: btfgen -i FILE vmlinux.h makes a header (- for standard output), btfgen info FILE tells what is in a file", strings.Join(args[:2], " "))
	case (word == "prog" || word == "map") && len(args) > 1:
		return fmt.Errorf("%q is bpftool's: to btfgen, loaded objects are inputs: btfgen info %s:ID, btfgen -i %s:ID types.h", strings.Join(args, " "), word, word)
	case word == "gen" && len(args) > 1 && args[1] == "min_core_btf":
		return errors.New("\"gen min_core_btf\" is bpftool's: btfgen -i KERNEL --for prog.bpf.o min.btf makes the BTF that a program needs")
	}
	if meant := otherCommand(strings.ToLower(word)); meant != "" {
		return fmt.Errorf("there is no command %q; did you mean %s?", word, meant)
	}
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	if like := closest(strings.ToLower(word), names); like != "" {
		return fmt.Errorf("there is no command %q; did you mean btfgen %s?", word, like)
	}
	if len(args) == 1 {
		return fmt.Errorf("%q is neither a command nor the name of an output: outputs are named *.h, *.go or *.btf, or - for a header on standard output; if it is a type: btfgen --type %s slim.h; btfgen --help lists the commands", word, quoteArg(word))
	}
	return nil
}

// otherCommand is btfgen's way to do what other tools, or other people, call
// by a word; "" if there is none.
func otherCommand(word string) string {
	switch word {
	case "dump", "show", "list", "ls", "inspect", "cat", "read", "print":
		return "btfgen info"
	case "validate", "compare", "prove":
		return "btfgen verify"
	case "compat", "test", "run", "load", "try":
		return "btfgen check"
	case "header", "headers", "gen", "generate", "make", "vmlinux", "c", "h":
		return "btfgen vmlinux.h, which makes a header"
	case "go", "golang", "bpf2go":
		return "btfgen --type NAME types.go, which makes Go types"
	case "btf", "raw":
		return "btfgen kernel.btf, which makes BTF"
	case "slim", "minimize", "minimise", "min", "min_core_btf":
		return "btfgen --for PROGRAM slim.h (or min.btf), which makes what a program needs"
	case "diff":
		return "btfgen --check vmlinux.h, which shows how a header differs from what would be written"
	case "version":
		return "btfgen --version"
	}
	return ""
}

// isOutput says whether a name tells what is to be made.
func isOutput(name string) bool {
	return name == "-" || slices.Contains([]string{".h", ".go", ".btf"}, filepath.Ext(name))
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// quoteArg writes a name as a shell takes it.
func quoteArg(name string) string {
	if name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(printable(name), "'", `'\''`) + "'"
}
