package main

import (
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
// in words that say what to do.

// arrange returns the arguments with all flags before all others. A command's
// name stays in front of the flags that follow it, which are the command's own.
func arrange(app *cli.App, args []string) ([]string, error) {
	flags := append(slices.Clone(app.Flags), cli.HelpFlag, cli.VersionFlag)
	before, at, err := firstArgument(flags, args)
	if err != nil {
		return nil, err
	}
	if at < len(args) {
		if command := app.Command(args[at]); command != nil {
			rest, err := permute(append(slices.Clone(command.Flags), cli.HelpFlag), args[at+1:])
			return append(append(before, command.Name), rest...), err
		}
	}
	return permute(flags, args)
}

// firstArgument returns the flags before the first argument, and the index of
// that, which is len(args) if there is none.
func firstArgument(flags []cli.Flag, args []string) (before []string, at int, err error) {
	for at < len(args) && args[at] != "--" && isFlag(args[at]) {
		normal, used, err := normalize(flags, args[at:])
		if err != nil {
			return nil, 0, err
		}
		before = append(before, normal...)
		at += used
	}
	return before, at, nil
}

// permute returns args as flags, "--" and the other arguments. A "--" between
// arguments stays: what follows it is for clang (see splitFlags).
func permute(flags []cli.Flag, args []string) ([]string, error) {
	var front, others []string
	for len(args) > 0 {
		switch {
		case args[0] == "--":
			if len(others) > 0 && len(args) > 1 {
				others = append(others, "--")
			}
			others = append(others, args[1:]...)
			args = nil
		case !isFlag(args[0]):
			others = append(others, args[0])
			args = args[1:]
		default:
			normal, used, err := normalize(flags, args)
			if err != nil {
				return nil, err
			}
			front = append(front, normal...)
			args = args[used:]
		}
	}
	return append(append(front, "--"), others...), nil
}

// isFlag is false for "-", which stands for standard input or output.
func isFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-'
}

// normalize spells out the flag, or the bundle of short flags, at the start of
// args: each flag on its own, as --name or --name=value. used is how many of
// args that took.
func normalize(flags []cli.Flag, args []string) (normal []string, used int, err error) {
	if name, ok := strings.CutPrefix(args[0], "--"); ok {
		name, value, hasValue := strings.Cut(name, "=")
		flag := findFlag(flags, name)
		switch {
		case flag == nil || len(name) == 1:
			return nil, 0, fmt.Errorf("there is no flag --%s; btfgen --help lists them", name)
		case hasValue:
			return []string{"--" + name + "=" + value}, 1, nil
		case !takesValue(flag):
			return []string{"--" + name}, 1, nil
		case len(args) == 1:
			return nil, 0, fmt.Errorf("--%s needs a value, see btfgen --help", name)
		}
		return []string{"--" + name + "=" + args[1]}, 2, nil
	}
	bundle := args[0][1:]
	for i := 0; i < len(bundle); i++ {
		name := bundle[i : i+1]
		flag := findFlag(flags, name)
		switch {
		case flag == nil && findFlag(flags, bundle) != nil:
			return nil, 0, fmt.Errorf("there is no flag -%s; write --%s", bundle, bundle)
		case flag == nil:
			return nil, 0, fmt.Errorf("there is no flag %q in %q; btfgen --help lists them", "-"+name, args[0])
		case !takesValue(flag):
			normal = append(normal, "-"+name)
		case i+1 < len(bundle):
			return append(normal, "-"+name+"="+strings.TrimPrefix(bundle[i+1:], "=")), 1, nil
		case len(args) == 1:
			return nil, 0, fmt.Errorf("-%s needs a value, see btfgen --help", name)
		default:
			return append(normal, "-"+name+"="+args[1]), 2, nil
		}
	}
	return normal, 1, nil
}

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

// splitFlags returns the arguments before and after a "--".
func splitFlags(args []string) (before, after []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}
