package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
)

// forObjects makes what some BPF objects need of a kernel.
func forObjects(c *cli.Context) error {
	if slices.Contains(c.StringSlice("for"), "") {
		return errors.New("--for is empty: name a BPF object, as in: btfgen --for prog.bpf.o min.btf")
	}
	args, clangFlags := splitFlags(c.Args().Slice())
	if len(args) == 0 && len(clangFlags) == 0 {
		return errors.New("name what to make for the object: btfgen --for prog.bpf.o min.btf for BTF to ship with it, slim.h for a header; btfgen --help tells more")
	}
	if len(args) == 1 && len(clangFlags) == 0 && isDirectoryFor(c, args[0]) {
		if err := forFlags(c, formatBTF); err != nil {
			return err
		}
		if format := c.String("format"); format != "" && formatNamed(format) != formatBTF {
			return fmt.Errorf("%s is a directory, which is for the BTF of several kernels, and --format says %q: name a file", args[0], format)
		}
		return minimalBTF(c, args[0], true)
	}
	output, what, err := outputName(args, c.String("format"))
	if err != nil {
		return cmp.Or(misread(c, args), err)
	}
	if err := checkOutput(c, output, what); err != nil {
		return err
	}
	if err := forFlags(c, what); err != nil {
		return err
	}
	if len(clangFlags) > 0 && what != formatHeader {
		return fmt.Errorf("%q are flags for clang, which compiles C programs for headers: leave them out", clangFlags)
	}
	switch what {
	case formatHeader:
		return slimHeader(c, output, clangFlags)
	case formatBTF:
		return minimalBTF(c, output, false)
	default:
		return fmt.Errorf("%s: --for makes headers (*.h) and BTF (*.btf); Go types are named by --type: btfgen --type NAME %s", output, quoteArg(output))
	}
}

// forFlags refuses flags that have no effect with --for.
func forFlags(c *cli.Context, what string) error {
	switch {
	case c.IsSet("fields") && what != formatHeader:
		return errors.New("--fields is for headers: BTF for a program never has more members than it uses; leave it out")
	case c.Bool("fast") && !c.Bool("verify"):
		return errors.New("--fast says how to verify: add --verify")
	}
	return nil
}

// isDirectoryFor says whether an output is a directory for the BTF of several
// kernels: by its name, or because --kernel names some and it does not say what
// else is to be made.
func isDirectoryFor(c *cli.Context, name string) bool {
	return isDirectory(name) || c.IsSet("kernel") && !c.IsSet("format") && canBeDirectory(name)
}

// isDirectory says whether an output's name is that of a directory, which need
// not be there yet if it ends in a slash.
func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir() || name != "" && os.IsPathSeparator(name[len(name)-1])
}

// canBeDirectory says whether the output for several kernels, which is not there
// yet, is a directory by its name: it is called as no file is that btfgen makes.
func canBeDirectory(name string) bool {
	_, _, err := outputName([]string{name}, "")
	_, missing := os.Lstat(name)
	return err != nil && name != "-" && errors.Is(missing, os.ErrNotExist)
}
