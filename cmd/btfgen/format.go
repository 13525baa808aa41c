package main

import (
	"errors"
	"fmt"
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
	switch {
	case slices.Contains(formats, format):
		return args[0], format, nil
	case format != "":
		return "", "", fmt.Errorf("there is no format %q: --format h makes a C header, --format go makes Go types, --format btf makes BTF", format)
	case args[0] == "-":
		return args[0], formatHeader, nil
	case slices.Contains(formats, suffix):
		return args[0], suffix, nil
	}
	return "", "", fmt.Errorf("the output's name says what is made, and %q is neither a C header nor Go types nor BTF: name it *.h, *.go or *.btf, or - for a header on standard output", args[0])
}

// checkFlags refuses flags that say nothing about what is made.
func checkFlags(c *cli.Context, what string) error {
	for _, flag := range []string{"no-kfuncs", "spdx", "clang", "fast"} {
		if c.IsSet(flag) && what != formatHeader {
			return fmt.Errorf("--%s is for C headers, and none is to be made: leave it out", flag)
		}
	}
	for _, flag := range []string{"no-provenance", "verify"} {
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
