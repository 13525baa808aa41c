package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/urfave/cli/v2"
)

// headerFlags are the flags of the default command.
func headerFlags() []cli.Flag {
	return append(append(inputFlags(), []cli.Flag{
		&cli.BoolFlag{Name: "no-kfuncs", Usage: "leave out the prototypes of kfuncs"},
		&cli.StringFlag{Name: "spdx", Usage: "name the header's licence in its first line, by an SPDX `ID`"},
		&cli.BoolFlag{Name: "no-provenance", Usage: "leave out the comment that says what the header was made from"},
		&cli.BoolFlag{Name: "check", Usage: "write nothing; show how OUTPUT differs from what would be written"},
		&cli.BoolFlag{Name: "verify", Usage: "write the header only if clang confirms every size, offset, type and value; Go types, if package go/types does"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only errors and what was asked for"},
		&cli.StringFlag{Name: "format", Usage: "make `FORMAT`, h or go, where OUTPUT's name does not tell"},
	}...), append(compilerFlags(), goFlags()...)...)
}

// A headerRequest is what the user asked for.
type headerRequest struct {
	output  string
	input   string
	modules []string
	types   []string // sorted, each once
	options cgen.Options
	check   bool
	stdin   io.Reader

	verify    bool
	compilers []string // to verify with; none: the default one
	fast      bool     // to verify
}

// header is the default command: it makes a C header, or Go types.
func header(c *cli.Context) error {
	format, err := outputFormat(c)
	if err != nil {
		return err
	}
	if format == "go" {
		return goTypes(c)
	}
	request, err := newHeaderRequest(c)
	if err != nil {
		return err
	}
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	text, err := makeHeader(request, console, c.App.Writer)
	if err != nil {
		return err
	}
	switch {
	case request.check:
		return check(request.output, text, c.App.Writer, console)
	case request.output == "-":
		if _, err := c.App.Writer.Write(text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	changed, err := replaceFile(request.output, text)
	if err != nil {
		return err
	}
	if changed {
		console.say("%s: written, %s bytes", request.output, thousands(len(text)))
	} else {
		console.say("%s: unchanged", request.output)
	}
	return nil
}

// thousands writes a number with a comma before every three digits.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// newHeaderRequest checks the command line, before anything is read.
func newHeaderRequest(c *cli.Context) (headerRequest, error) {
	r := headerRequest{
		input:   c.String("input"),
		modules: c.StringSlice("module"),
		types:   c.StringSlice("type"),
		check:   c.Bool("check"),
		stdin:   c.App.Reader,
		verify:  c.Bool("verify"), compilers: c.StringSlice("clang"), fast: c.Bool("fast"),
		options: cgen.Options{
			Kfuncs:       !c.Bool("no-kfuncs"),
			Version:      c.App.Version,
			NoProvenance: c.Bool("no-provenance"),
			SPDX:         c.String("spdx"),
		},
	}
	var err error
	if r.output, err = outputName(c.Args().Slice()); err != nil {
		return r, err
	}
	if r.check && r.output == "-" {
		return r, errors.New("--check compares with a file: name one instead of \"-\"")
	}
	if (r.fast || len(r.compilers) > 0) && !r.verify {
		return r, errors.New("--clang and --fast say how to verify: add --verify")
	}
	if c.IsSet("input") && r.input == "" {
		return r, errors.New("--input is empty: name a file, or leave the flag out for the running kernel")
	}
	if c.IsSet("spdx") {
		if err := checkLicence(r.options.SPDX); err != nil {
			return r, err
		}
	}
	slices.Sort(r.types)
	r.types = slices.Compact(r.types)
	for _, pattern := range r.types {
		if err := checkPattern(pattern); err != nil {
			return r, err
		}
		r.options.Flags = append(r.options.Flags, "--type="+pattern)
	}
	if !r.options.Kfuncs {
		r.options.Flags = append(r.options.Flags, "--no-kfuncs")
	}
	slices.Sort(r.options.Flags)
	return r, nil
}

// outputName returns the one argument, after whose suffix it is decided what is
// made.
func outputName(args []string) (string, error) {
	switch len(args) {
	case 0:
		return "", errors.New("name the header to write, as in: btfgen vmlinux.h (or - for standard output); btfgen --help tells more")
	case 1:
	default:
		return "", fmt.Errorf("there can be one output, but %d were given: %q", len(args), args)
	}
	if output := args[0]; output == "-" || filepath.Ext(output) == ".h" {
		return output, nil
	}
	return "", fmt.Errorf("the output's name says what is made, and %q is neither a C header (*.h) nor Go code (*.go); or - for standard output", args[0])
}

// checkPattern refuses patterns of --type with characters that no name in BTF
// has. Patterns are repeated in the header's first comment.
func checkPattern(pattern string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.*?[]^- ", r))
	}
	if strings.TrimSpace(pattern) == "" {
		return errors.New("--type is empty: name a type, such as task_struct, or a pattern, such as 'sk_*'")
	}
	if i := strings.IndexFunc(pattern, odd); i >= 0 {
		return fmt.Errorf("--type %q: no type's name has a character as at %q; a pattern is made of a name's characters and * ? [...]", pattern, pattern[i:])
	}
	return nil
}

// makeHeader reads the kernel and returns the header's text, verified if that
// is asked for. What verifying finds is printed to out.
func makeHeader(r headerRequest, console *console, out io.Writer) ([]byte, error) {
	defer console.end()
	console.begin("reading the kernel's types")
	kernel, err := source.Open(r.input, r.modules, source.Options{Stdin: r.stdin})
	if err != nil {
		return nil, err
	}
	var set *btfdump.Set
	if len(r.types) > 0 {
		if set, err = selectTypes(kernel.View, r.types); err != nil {
			return nil, err
		}
	}
	r.options.Release = kernel.Release
	console.begin("deciding on names and order")
	plan, err := cgen.NewPlan(kernel.View, set, r.options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.origin(), err)
	}
	console.begin("printing the header")
	text, err := plan.Print()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.origin(), err)
	}
	if r.verify {
		opts := verify.Options{Fast: r.fast, Progress: console.begin}
		if err := verified(text, r.output, kernel.View, set, r.compilers, opts, out); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// origin names what was read, for errors about the types in it.
func (r headerRequest) origin() string {
	name := r.input
	switch name {
	case "":
		name = "the running kernel"
	case "-":
		name = "standard input"
	}
	if len(r.modules) > 0 {
		name += " with modules " + strings.Join(r.modules, ", ")
	}
	return name
}

// selectTypes returns the types that match one of the patterns, and what they
// need.
func selectTypes(view *btfdump.View, patterns []string) (*btfdump.Set, error) {
	var roots []btfdump.TypeID
	for _, pattern := range patterns {
		ids, err := view.Match(pattern)
		if err != nil {
			return nil, fmt.Errorf("--type %q: %w", pattern, err)
		}
		if len(ids) == 0 {
			return nil, noSuchType(view, pattern)
		}
		roots = append(roots, ids...)
	}
	return view.Closure(roots, btfdump.PointersForward), nil
}
