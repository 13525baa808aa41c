package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The cli package, like Go's flag package below it, takes everything after the
// first argument that is no flag for an argument. People write "btfgen
// vmlinux.h -m all" too, and "btfgen -qm all vmlinux.h". So arguments are put
// in the order that the package wants first, by the rules of getopt_long: flags
// anywhere, "--" ends them, "-" is an argument, "--flag=value", short flags in
// a bundle whose last may have a value. Wrong flags are reported here as well,
// in words that say what to do (see mistakes.go).

// arrange returns the arguments with all flags before all others, each under
// its first name. A command's name comes first; flags before it are the
// command's own, as those behind it are.
func arrange(app *cli.App, args []string) ([]string, error) {
	if at := firstArgument(allFlags(app), args); at < len(args) {
		if command := app.Command(args[at]); command != nil {
			p := flagParser{app: app, command: command, flags: command.Flags}
			rest, err := p.permute(slices.Concat(args[:at], args[at+1:]))
			return append([]string{command.Name}, rest...), err
		}
	}
	p := flagParser{app: app, flags: app.Flags}
	return p.permute(args)
}

// firstArgument returns the index of the first argument that is neither a flag
// nor a flag's value: len(args), or that of a "--", if there is none.
func firstArgument(flags []cli.Flag, args []string) (at int) {
	p := flagParser{flags: flags}
	for at < len(args) && args[at] != "--" && isFlag(args[at]) {
		_, used, err := p.normalize(args[at:])
		if err != nil {
			used = 1 // permute says what is wrong, once it is known whose flag it is
		}
		at += used
	}
	return at
}

// A flagParser reads the flags of one command.
type flagParser struct {
	app     *cli.App
	command *cli.Command // nil: the default one
	flags   []cli.Flag
}

// A setting is a flag as it stands on the command line.
type setting struct {
	flag  cli.Flag
	typed string // as --name or -n
	value string
	plain bool // it stands without a value, which is "true"
}

// permute returns args as flags, "--" and the other arguments. A "--" between
// arguments stays: what follows it is for clang (see splitFlags).
func (p *flagParser) permute(args []string) ([]string, error) {
	var front, others []string
	var settings []setting
	for len(args) > 0 {
		switch {
		case args[0] == "--":
			if len(others) > 0 && len(args) > 1 {
				others = append(others, "--")
			}
			others = append(others, args[1:]...)
			args = nil
		case !isFlag(args[0]):
			if err := noHyphen(args[0]); err != nil {
				return nil, err
			}
			others = append(others, args[0])
			args = args[1:]
		default:
			found, used, err := p.normalize(args)
			if err != nil {
				return nil, err
			}
			for _, s := range found {
				if err := cmp.Or(isTwice(settings, s), isEmpty(s)); err != nil {
					return nil, err
				}
				settings = append(settings, s)
			}
			args = args[used:]
		}
	}
	for _, s := range settings {
		text := "--" + s.flag.Names()[0]
		if !s.plain {
			text += "=" + s.value
		}
		front = append(front, text)
	}
	return append(append(front, "--"), others...), nil
}

// isTwice refuses a second value of a flag that has one: the cli package would
// take the last of them without a word.
func isTwice(before []setting, s setting) error {
	if isRepeatable(s.flag) {
		return nil
	}
	for _, b := range before {
		if b.flag != s.flag || b.value == s.value {
			continue
		}
		if !takesValue(s.flag) {
			return fmt.Errorf("%s is given twice, and with two meanings: leave one of them out", s.typed)
		}
		err := fmt.Errorf("%s is given twice, as %q and as %q, and has one value: leave one of them out", s.typed, b.value, s.value)
		if s.flag.Names()[0] == inputFlag {
			err = fmt.Errorf("%w, or run btfgen once for each", err)
		}
		return err
	}
	return nil
}

// isEmpty refuses a value that is the empty string, as that of a variable that
// is not set: what reads it would take the default one without a word.
func isEmpty(s setting) error {
	if s.plain || s.value != "" {
		return nil
	}
	switch s.flag.Names()[0] {
	case inputFlag, "kernel", "for", "type", "spdx", "kconfig":
		return nil // what reads these says more
	}
	return fmt.Errorf("%s is empty: give it a value, or leave it out", s.typed)
}

// isFlag is false for "-", which stands for standard input or output.
func isFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-'
}

// normalize reads the flag, or the bundle of short flags, at the start of args.
// used is how many of args that took.
func (p *flagParser) normalize(args []string) (found []setting, used int, err error) {
	if name, ok := strings.CutPrefix(args[0], "--"); ok {
		name, value, hasValue := strings.Cut(name, "=")
		flag := findFlag(p.flags, name)
		if flag == nil || len(name) == 1 {
			return nil, 0, p.noFlag(args, name)
		}
		s := setting{flag: flag, typed: "--" + name, value: value}
		switch {
		case hasValue && !takesValue(flag) && value != "true" && value != "false":
			return nil, 0, fmt.Errorf("--%s has no value such as %q: write --%s, or leave it out", name, value, name)
		case hasValue:
			return []setting{s}, 1, nil
		case !takesValue(flag):
			s.plain, s.value = true, "true"
			return []setting{s}, 1, nil
		}
		s.value, err = p.value(s, args[1:])
		return []setting{s}, 2, err
	}
	bundle := args[0][1:]
	if name, _, _ := strings.Cut(bundle, "="); len(name) > 1 && findFlag(p.flags, name) != nil {
		// -input would be -i with the value "nput".
		return nil, 0, fmt.Errorf("there is no flag -%s; write --%s", name, name)
	}
	for i := 0; i < len(bundle); i++ {
		name := bundle[i : i+1]
		flag := findFlag(p.flags, name)
		s := setting{flag: flag, typed: "-" + name}
		switch {
		case flag == nil:
			return nil, 0, p.noShortFlag(args, name)
		case !takesValue(flag):
			s.plain, s.value = true, "true"
			found = append(found, s)
			continue
		case i+1 < len(bundle):
			s.value = strings.TrimPrefix(bundle[i+1:], "=")
			return append(found, s), 1, nil
		}
		s.value, err = p.value(s, args[1:])
		return append(found, s), 2, err
	}
	return found, 1, nil
}

// value returns a flag's value, which is the next argument.
func (p *flagParser) value(s setting, rest []string) (string, error) {
	switch {
	case len(rest) == 0:
		return "", fmt.Errorf("%s needs a value, see %s", s.typed, p.help())
	case rest[0] == "--", isFlag(rest[0]) && s.flag.Names()[0] != "clang-flag" && findFlag(p.flags, strings.TrimLeft(rest[0], "-")) != nil:
		return "", fmt.Errorf("%s needs a value, and %s is a flag: if it is meant, write --%s=%s", s.typed, rest[0], s.flag.Names()[0], rest[0])
	}
	return rest[0], nil
}

// name is the command as it is typed.
func (p *flagParser) name() string {
	if p.command == nil {
		return "btfgen"
	}
	return "btfgen " + p.command.Name
}

// help is what lists the command's flags.
func (p *flagParser) help() string { return p.name() + " --help" }

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, flag := range flags {
		if slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

func takesValue(flag cli.Flag) bool {
	documented, ok := flag.(cli.DocGenerationFlag)
	return ok && documented.TakesValue()
}

// isRepeatable says whether each value of a flag counts.
func isRepeatable(flag cli.Flag) bool {
	slice, ok := flag.(cli.DocGenerationSliceFlag)
	return ok && slice.IsSliceFlag()
}

// splitFlags returns the arguments before and after a "--".
func splitFlags(args []string) (before, after []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}
