package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
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
		&cli.StringFlag{Name: "format", Category: groupOutput, Usage: "make `FORMAT`, whatever OUTPUT is called: a C header (h), Go types (go) or BTF (btf)"},
		&cli.StringSliceFlag{Name: "for", Category: groupFor, Usage: "only what a BPF `OBJECT` needs of the kernel; for headers also a source file; repeatable"},
		&cli.StringSliceFlag{Name: "kernel", Aliases: []string{"k"}, Category: groupFor, Usage: "the same as --input, and with --for and a directory as OUTPUT: make the BTF of each `KERNEL`, a file, directory or glob; repeatable"},
		&cli.BoolFlag{Name: "no-kfuncs", Category: groupOutput, Usage: "leave out the prototypes of kfuncs"},
		&cli.BoolFlag{Name: "skip-unprintable", Category: groupOutput, Usage: "leave out what C can't express, such as a struct \"Option<u64>\", and list it"},
		&cli.StringFlag{Name: "spdx", Category: groupOutput, Usage: "name the header's licence in its first line, by an SPDX `ID`"},
		&cli.BoolFlag{Name: "no-provenance", Category: groupOutput, Usage: "leave out the comment that says what the header was made from"},
		&cli.BoolFlag{Name: "check", Category: groupVerify, Usage: "write nothing; show how OUTPUT differs from what would be written"},
		&cli.BoolFlag{Name: "verify", Category: groupVerify, Usage: "write the header only if clang confirms every size, offset, type and value; Go types, if package go/types does"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only errors and what was asked for"},
	}...), slices.Concat(slimFlags(), compilerFlags(), goFlags())...)
}

// A headerRequest is what the user asked for.
type headerRequest struct {
	output  string
	format  string // formatHeader or formatBTF
	input   string
	modules []string
	types   []string // sorted, each once
	source  source.Options
	options cgen.Options
	check   bool
	skip    bool // what C can't express

	verify    bool
	compilers []string // to verify with; none: the default one
	fast      bool     // to verify
}

// header is the default command: it makes a C header, Go types, or BTF.
func header(c *cli.Context) error {
	if c.IsSet("for") {
		return forObjects(c)
	}
	if c.IsSet("fields") {
		return errors.New("--fields keeps the members that a program uses: name the program with --for")
	}
	output, what, err := outputName(c.Args().Slice(), c.String("format"))
	if err != nil {
		return cmp.Or(misread(c, c.Args().Slice()), err)
	}
	if err := checkFlags(c, what); err != nil {
		return err
	}
	if err := checkOutput(c, output, what); err != nil {
		return err
	}
	if what == formatGo {
		return goTypes(c, output)
	}
	request, err := newHeaderRequest(c, output, what)
	if err != nil {
		return err
	}
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	text, err := request.make(console, c.App.Writer)
	if err != nil {
		return err
	}
	return request.deliver(text, console, c.App.Writer)
}

// deliver writes the output to its file or to out, or compares it with the file.
func (r headerRequest) deliver(text []byte, console *console, out io.Writer) error {
	switch {
	case r.check && r.format == formatBTF:
		return checkBinary(r.output, text, console)
	case r.check:
		return check(r.output, text, out, console)
	case r.output == "-":
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	changed, err := replaceFile(r.output, text)
	if err != nil {
		return err
	}
	if changed {
		console.say("%s: written, %s bytes", r.output, thousands(len(text)))
	} else {
		console.say("%s: unchanged", r.output)
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
func newHeaderRequest(c *cli.Context, output, what string) (headerRequest, error) {
	r := headerRequest{
		output: output, format: what,
		modules: c.StringSlice("module"),
		types:   c.StringSlice("type"),
		check:   c.Bool("check"),
		skip:    c.Bool("skip-unprintable"),
		verify:  c.Bool("verify"), compilers: c.StringSlice("clang"), fast: c.Bool("fast"),
		options: cgen.Options{
			Kfuncs:       !c.Bool("no-kfuncs"),
			Version:      c.App.Version,
			NoProvenance: c.Bool("no-provenance"),
			SPDX:         c.String("spdx"),
		},
	}
	var err error
	if r.source, err = sourceOptions(c); err != nil {
		return r, err
	}
	if r.check && r.output == "-" {
		return r, errors.New("--check compares with a file: name one instead of \"-\"")
	}
	switch {
	case r.verify:
	case r.fast:
		return r, errors.New("--fast says how to verify: add --verify")
	case len(r.compilers) > 0 && !c.IsSet("for"):
		return r, errors.New("--clang says what to verify with: add --verify")
	}
	if r.input, err = oneInput(c); err != nil {
		return r, err
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
	if r.skip {
		r.options.Flags = append(r.options.Flags, "--skip-unprintable")
	}
	slices.Sort(r.options.Flags)
	return r, nil
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
	switch i := strings.IndexFunc(pattern, odd); {
	case i >= 0 && pattern[i] == ',':
		return fmt.Errorf("--type %q: no type's name has a comma: give --type for each", pattern)
	case i >= 0 && strings.ContainsAny(pattern[i:i+1], "\"'`") || i >= 0 && (strings.HasPrefix(pattern[i:], "\u2018") || strings.HasPrefix(pattern[i:], "\u201c")):
		return fmt.Errorf("--type %q: the quotes have become part of the pattern: write them once, as in --type 'sk_*'", pattern)
	case i >= 0:
		return fmt.Errorf("--type %q: no type's name has a character as at %q; a pattern is made of a name's characters and * ? [...]", pattern, pattern[i:])
	}
	return nil
}

// make reads the kernel and returns the output's content, a header verified if
// that is asked for. What verifying finds is printed to out.
func (r headerRequest) make(console *console, out io.Writer) ([]byte, error) {
	defer console.end()
	console.begin("reading the kernel's types")
	kernel, err := source.Open(r.input, r.modules, r.source)
	if err != nil {
		return nil, err
	}
	view, err := r.printableView(kernel.View, console)
	if err != nil {
		return nil, err
	}
	var set *btfdump.Set
	if len(r.types) > 0 {
		if set, err = selectTypes(view, r.types); err != nil {
			return nil, err
		}
		for _, pattern := range r.undefined(kernel.View) {
			console.say("warning: --type %q: what matches is declared there and not defined; a module may define it (-m)", pattern)
		}
	}
	if r.format == formatBTF {
		console.begin("writing BTF")
		return r.rawBTF(kernel, set)
	}
	r.options.Release = kernel.Release
	console.begin("deciding on names and order")
	plan, err := cgen.NewPlan(view, set, r.options)
	if err != nil {
		return nil, r.unprintableHint(view, err)
	}
	if len(plan.Decls()) == 0 {
		return nil, r.nothing()
	}
	console.begin("printing the header")
	text, err := plan.Print()
	if err != nil {
		return nil, r.unprintableHint(view, err)
	}
	if r.verify {
		opts := verify.Options{Fast: r.fast, Progress: console.begin}
		if err := verified(text, r.output, view, set, r.compilers, opts, out); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// nothing is the error of a header that would declare nothing.
func (r headerRequest) nothing() error {
	switch {
	case len(r.types) > 0 && !r.options.Kfuncs:
		return fmt.Errorf("--type=%s: all that matches are kfuncs, which --no-kfuncs leaves out: the header would be empty", strings.Join(r.types, ", --type="))
	case !r.options.Kfuncs:
		return fmt.Errorf("%s: it has no types that a header would declare (--no-kfuncs leaves out functions)", r.origin())
	}
	return fmt.Errorf("%s: it has no types that a header would declare", r.origin())
}

// undefined are those patterns of --type that match nothing but types which are
// declared and not defined.
func (r headerRequest) undefined(view *btfdump.View) []string {
	var undefined []string
	for _, pattern := range r.types {
		ids, err := view.Match(pattern)
		if err == nil && !slices.ContainsFunc(ids, func(id btfdump.TypeID) bool { return !view.Type(id).IsForward() }) {
			undefined = append(undefined, pattern)
		}
	}
	return undefined
}

// rawBTF returns the BTF as it was found; if types or modules were asked for,
// those types in BTF of its own.
func (r headerRequest) rawBTF(kernel *source.Kernel, set *btfdump.Set) ([]byte, error) {
	switch {
	case set == nil && len(r.modules) == 0 && kernel.Origin != nil:
		return kernel.Origin.Raw, nil
	case set == nil && len(r.modules) == 0:
		return kernel.View.Raw(), nil
	}
	raw, err := kernel.View.Subset(set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.origin(), err)
	}
	return raw, nil
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
	const most = 4 // of some thousand, in which the rest of a message would be lost
	switch n := len(r.modules); {
	case n > most:
		name += fmt.Sprintf(" with modules %s and %d more", strings.Join(r.modules[:most-1], ", "), n-most+1)
	case n > 0:
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
