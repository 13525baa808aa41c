package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// What is made: the values of --format, and suffixes of outputs.
const (
	formatHeader = "h"
	formatGo     = "go"
	formatBTF    = "btf"
)

// outputName returns the one argument, and what is made: by its suffix, unless
// --format says it.
func outputName(args []string, format string) (name, what string, err error) {
	if before, after := splitFlags(args); len(after) > 0 {
		args = append(slices.Clone(before), after...) // flags for clang, which only --for takes
	}
	switch len(args) {
	case 0:
		return "", "", errors.New("name the header to write, as in: btfgen vmlinux.h (or - for standard output); btfgen --help tells more")
	case 1:
	default:
		return "", "", fmt.Errorf("there can be one output, but %d were given: %q", len(args), args)
	}
	formats := []string{formatHeader, formatGo, formatBTF}
	suffix := strings.TrimPrefix(filepath.Ext(args[0]), ".")
	switch what := formatNamed(format); {
	case what != "":
		return args[0], what, nil
	case format != "":
		return "", "", fmt.Errorf("there is no format %q: --format h makes a C header, --format go makes Go types, --format btf makes BTF (JSON, of what is in a file, is from btfgen info --json)", format)
	case args[0] == "-":
		return args[0], formatHeader, nil
	case slices.Contains(formats, suffix):
		return args[0], suffix, nil
	}
	return "", "", fmt.Errorf("the output's name says what is made, and %q is neither a C header nor Go types nor BTF: name it *.h, *.go or *.btf, or - for a header on standard output", args[0])
}

// formatNamed is the format that somebody means, "" if it is none.
func formatNamed(name string) string {
	switch strings.ToLower(strings.TrimPrefix(name, ".")) {
	case "h", "c", "header", "vmlinux.h":
		return formatHeader
	case "go", "golang":
		return formatGo
	case "btf", "raw":
		return formatBTF
	}
	return ""
}

// checkOutput refuses, before anything is read, an output that can't be written
// or must not be.
func checkOutput(c *cli.Context, output, what string) error {
	if output == "-" {
		if what == formatBTF && isTerminal(c.App.Writer) {
			return errors.New("BTF is binary, and standard output is a terminal, which it would garble: redirect it (>kernel.btf) or name a file; /dev/stdout has it shown in spite of that")
		}
		return nil
	}
	info, err := os.Stat(output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Perhaps a link to what is not there yet: then its directory is.
		if dir := filepath.Dir(output); !c.Bool("check") && !exists(dir) {
			return fmt.Errorf("%s can't be written: there is no directory %s: make it with mkdir -p %s", output, dir, quoteArg(dir))
		}
		return nil
	case err != nil || !info.Mode().IsRegular():
		return nil // writing it tells
	}
	names := slices.Concat([]string{c.String(inputFlag), c.String("base")}, c.StringSlice("kernel"), c.StringSlice("module"), c.StringSlice("for"))
	for _, name := range names {
		if input, err := os.Stat(name); err == nil && os.SameFile(input, info) && !c.Bool("check") {
			return fmt.Errorf("%s is an input, and the output would replace it: name another", output)
		}
	}
	return nil
}

// checkFlags refuses flags that say nothing about what is made.
func checkFlags(c *cli.Context, what string) error {
	for _, flag := range []string{"no-kfuncs", "spdx", "clang", "fast", "fields"} {
		if c.IsSet(flag) && what != formatHeader {
			return fmt.Errorf("--%s is for C headers, and none is to be made: leave it out", flag)
		}
	}
	for _, flag := range []string{"no-provenance", "skip-unprintable", "verify"} {
		if c.IsSet(flag) && what == formatBTF {
			return fmt.Errorf("--%s is for headers and Go types, and BTF is to be made: leave it out", flag)
		}
	}
	for _, flag := range goFlags() {
		if name := flag.Names()[0]; c.IsSet(name) && what != formatGo {
			return fmt.Errorf("--%s is for Go types: name the output *.go, or say --format go", name)
		}
	}
	return nil
}
