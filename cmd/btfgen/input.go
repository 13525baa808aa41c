package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// inputFlag names the kernel to read. --kernel, which a command may have beside
// it, means the same, and may be repeated where several are of use.
const inputFlag = "input"

// inputFlags say which types of which kernel.
func inputFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "input", Aliases: []string{"i"}, Category: groupInput, Usage: "kernel to read: a `FILE`, directory, prog:ID, map:ID or btf:ID; \"-\": standard input; default: the running one"},
		&cli.StringSliceFlag{Name: "module", Aliases: []string{"m"}, Category: groupInput, Usage: "add a `MODULE`: a file, the name of one that is loaded or in the kernel's package or tree, or \"all\" of those; repeatable"},
		&cli.StringSliceFlag{Name: "type", Category: groupInput, Usage: "only types whose names match `GLOB`, and what they need; repeatable"},
	}, openFlags()...)
}

// openFlags say how an input is to be opened.
func openFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "base", Category: groupInput, Usage: "the kernel that a module stands on, if the input is a module: a `FILE` as for --input"},
		&cli.StringFlag{Name: "release", Category: groupInput, Usage: "the `RELEASE` to read where the input has several kernels, as uname -r prints it"},
		&cli.StringFlag{Name: "max-size", Category: groupInput, Usage: "let a file or layer unpack to `SIZE` bytes (K, M, G may follow) rather than 1G"},
	}
}

// inputs returns the kernels that --input and --kernel name.
func inputs(c *cli.Context) ([]string, error) {
	var names []string
	if c.IsSet(inputFlag) {
		names = append(names, c.String(inputFlag))
	}
	names = append(names, c.StringSlice("kernel")...)
	if slices.Contains(names, "") {
		flag := map[bool]string{true: "--input", false: "--kernel"}[names[0] == "" && c.IsSet(inputFlag)]
		return nil, fmt.Errorf("%s is empty: name a file, or leave the flag out for the running kernel", flag)
	}
	return names, nil
}

// oneInput is inputs where one kernel is read; "" stands for the running one.
func oneInput(c *cli.Context) (string, error) {
	names, err := inputs(c)
	switch {
	case err != nil:
		return "", err
	case len(names) > 1:
		return "", fmt.Errorf("one kernel is read, but %d were given: %q: run btfgen once for each", len(names), names)
	case len(names) == 0:
		return "", nil
	case strings.ContainsAny(names[0], "*?[") && !exists(names[0]):
		return "", fmt.Errorf("one kernel is read, and %q is a pattern for the names of several: name a file or directory", names[0])
	}
	if c.IsSet("kernel") && isDirectory(names[0]) {
		// --input takes a tree of one kernel, --kernel all kernels below.
		switch kernels, err := source.Kernels(names); {
		case err == nil && len(kernels) == 1:
			return kernels[0].Input, nil
		case err == nil:
			return "", fmt.Errorf("one kernel is read, and %s has %d: name one of them", names[0], len(kernels))
		}
	}
	return names[0], nil
}

// sourceOptions are what openFlags were set to.
func sourceOptions(c *cli.Context) (source.Options, error) {
	if err := checkInputNames(c); err != nil {
		return source.Options{}, err
	}
	maxSize, err := parseSize(c.String("max-size"))
	return source.Options{Stdin: c.App.Reader, Base: c.String("base"), Release: c.String("release"), MaxSize: maxSize}, err
}

// parseSize reads a number of bytes such as 512M; "" is 0.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits, shift := text, 0
	if i := strings.IndexByte("KMG", strings.ToUpper(text)[len(text)-1]); i >= 0 {
		digits, shift = text[:len(text)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("--max-size %q is no size: give a number of bytes, such as 4G or 500M", text)
	}
	return n << shift, nil
}

// inputHint returns which flag helps with an error of an input, to be put behind
// it; "" if none does.
func inputHint(err error) string {
	var notShown *source.NotShownError
	if errors.As(err, &notShown) && len(notShown.Files) > 0 {
		return ": give it with -i " + notShown.Files[0]
	}
	var text *source.TextError
	var search *source.SearchError
	if errors.As(err, &text) && errors.As(err, &search) && slices.Contains([]string{".c", ".cc", ".cpp"}, filepath.Ext(search.Input)) {
		return ": a program's source goes by --for, as in: btfgen --for " + search.Input + " slim.h"
	}
	return ""
}

// checkInputNames refuses to wait for a kernel that somebody would have to type, to
// read two things from one stream, and to look for a file by an address.
func checkInputNames(c *cli.Context) error {
	names := slices.Concat([]string{c.String(inputFlag), c.String("base")}, c.StringSlice("kernel"), c.StringSlice("module"))
	if c.Command.Name == "info" {
		names = append(names, c.Args().First())
	}
	n := 0
	for _, name := range names {
		if name == "-" {
			n++
		}
		if err := notAnAddress(name); err != nil {
			return err
		}
	}
	switch {
	case n > 1:
		return errors.New("\"-\" is given twice, and standard input can be read once: put one of the two into a file")
	case n == 1 && isTerminal(c.App.Reader):
		return errors.New("standard input, which \"-\" reads, is a terminal: pipe a file into it, as in: xz -dc kernel.btf.xz | btfgen -i - -")
	}
	return nil
}

// notAnAddress returns an error for what names a file elsewhere.
func notAnAddress(name string) error {
	if strings.Contains(name, "://") && !exists(name) {
		return fmt.Errorf("%s is an address, and files are read: download it first, with curl -LO, say", name)
	}
	return nil
}
