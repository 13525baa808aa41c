package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/urfave/cli/v2"
)

// goFlags are the flags that only go with Go types.
func goFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Category: groupGo, Usage: "all types, where --type would name some"},
		&cli.StringFlag{Name: "package", Category: groupGo, Usage: "the package's `NAME`; default: $GOPACKAGE, which go generate sets, else kernel"},
		&cli.StringFlag{Name: "prefix", Category: groupGo, Usage: "put `PREFIX` before every name that the file declares"},
		&cli.StringFlag{Name: "tags", Category: groupGo, Usage: "build `CONSTRAINT` for the file, such as \"linux && amd64\""},
		&cli.StringSliceFlag{Name: "names", Category: groupGo, Usage: "rename a type or enumerator, `OLD=NEW`, where OLD is its name in C; repeatable"},
	}
}

// goTypes makes a file of Go types.
func goTypes(c *cli.Context, output string) error {
	r := headerRequest{modules: c.StringSlice("module"), types: c.StringSlice("type"), skip: c.Bool("skip-unprintable")}
	var err error
	if r.input, err = oneInput(c); err != nil {
		return err
	}
	switch {
	case c.Bool("check") && output == "-":
		return errors.New("--check compares with a file: name one instead of \"-\"")
	case len(r.types) == 0 && !c.Bool("all"):
		return errors.New("say which types with --type, such as --type task_struct or --type 'sk_*', or --all (those of a kernel take the Go compiler minutes)")
	case len(r.types) > 0 && c.Bool("all"):
		return errors.New("--all is all types: leave it or --type out")
	}
	slices.Sort(r.types)
	r.types = slices.Compact(r.types)
	opts, err := goOptions(c, r.types)
	if err != nil {
		return err
	}

	options, err := sourceOptions(c)
	if err != nil {
		return err
	}
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	defer console.end()
	console.begin("reading the kernel's types")
	kernel, err := source.Open(r.input, r.modules, options)
	if err != nil {
		return err
	}
	opts.Release = kernel.Release
	view, err := r.printableView(kernel.View, console)
	if err != nil {
		return err
	}
	set, err := goSelection(view, r.types)
	if err != nil {
		return err
	}
	console.begin("printing Go types")
	text, err := gogen.Generate(view, set, opts)
	var ofType *gogen.TypeError
	switch {
	case errors.As(err, &ofType):
		return r.unprintableHint(view, err)
	case err != nil:
		return err // of the options
	case !bytes.Contains(text, []byte("\ntype ")):
		return fmt.Errorf("%s: it has no types that a Go file would declare", r.origin())
	}
	proof := ""
	if c.Bool("verify") {
		console.begin("verifying")
		report, err := gogen.Verify(text, view)
		if err != nil {
			return fmt.Errorf("%s: the code is no valid Go, please report this as a bug of btfgen: %w", output, err)
		}
		if !report.Holds() {
			console.end()
			if err := printGoReport(c.App.Writer, output, report, usesColour(c.App.Writer)); err != nil {
				return err
			}
			if report.Types == 0 {
				return noError(output + ": not written, since there is nothing in it to verify")
			}
			return noError(output + ": not written, since it does not agree with the BTF: please report this as a bug of btfgen")
		}
		proof = "Go agrees with the BTF on " + describeGoCounts(report)
	}
	console.end()
	switch {
	case c.Bool("check"):
		return check(output, text, c.App.Writer, console)
	case output == "-":
		if _, err := c.App.Writer.Write(text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	changed, err := replaceFile(output, text)
	if err != nil {
		return err
	}
	if changed {
		console.say("%s: written, %s bytes", output, thousands(len(text)))
	} else {
		console.say("%s: unchanged", output)
	}
	if proof != "" {
		console.say("%s: %s", output, proof)
	}
	return nil
}

// goOptions are the options that the flags ask for.
func goOptions(c *cli.Context, patterns []string) (gogen.Options, error) {
	opts := gogen.Options{
		Package: cmp.Or(c.String("package"), os.Getenv("GOPACKAGE")),
		Prefix:  c.String("prefix"), Tags: c.String("tags"),
		Version: c.App.Version, NoProvenance: c.Bool("no-provenance"),
	}
	for _, pattern := range patterns {
		if err := checkPattern(pattern); err != nil {
			return opts, err
		}
		opts.Flags = append(opts.Flags, "--type="+pattern)
	}
	if c.Bool("all") {
		opts.Flags = append(opts.Flags, "--all")
	}
	for _, name := range []string{"prefix", "tags"} {
		if c.String(name) != "" {
			opts.Flags = append(opts.Flags, "--"+name+"="+c.String(name))
		}
	}
	for _, pair := range c.StringSlice("names") {
		old, name, ok := strings.Cut(pair, "=")
		if !ok || old == "" || name == "" {
			return opts, fmt.Errorf("--names %q: want OLD=NEW, such as task_struct=Task or \"struct irq_data=IRQ\"", pair)
		}
		if opts.Rename == nil {
			opts.Rename = make(map[string]string)
		}
		if _, twice := opts.Rename[old]; twice {
			return opts, fmt.Errorf("--names renames %q twice", old)
		}
		opts.Rename[old] = name
		opts.Flags = append(opts.Flags, "--names="+pair)
	}
	if c.Bool("skip-unprintable") {
		opts.Flags = append(opts.Flags, "--skip-unprintable")
	}
	slices.Sort(opts.Flags)
	return opts, nil
}

// goSelection returns the types that match one of the patterns: nil, which
// stands for all, if there are none. What they need comes along by itself.
func goSelection(view *btfdump.View, patterns []string) (*btfdump.Set, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	set := view.NewSet()
	for _, pattern := range patterns {
		ids, err := matchTypes(view, pattern)
		if err != nil {
			return nil, fmt.Errorf("--type %q: %w", pattern, err)
		}
		if len(ids) == 0 {
			return nil, noSuchType(view, pattern)
		}
		found := false
		for _, id := range ids {
			switch k := view.Type(id).Kind(); {
			case view.Type(id).IsForward():
			case k.IsRecord(), k.IsEnum(), k == btfdump.KindTypedef, k == btfdump.KindVar:
				set.Add(id)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("--type %q matches only functions, or types that are declared but not defined: there is nothing to make Go types of", pattern)
		}
	}
	return set, nil
}

// matchTypes returns the types that a pattern selects, or if there are none the
// variables: they stand for their types, and for those of a map's key and value.
// "var " before the pattern asks for variables alone.
func matchTypes(view *btfdump.View, pattern string) ([]btfdump.TypeID, error) {
	glob, onlyVariables := strings.CutPrefix(pattern, "var ")
	if !onlyVariables {
		if ids, err := view.Match(pattern); len(ids) > 0 || err != nil || strings.Contains(pattern, " ") {
			return ids, err
		}
	}
	var ids []btfdump.TypeID
	for t := range view.All() {
		if t.Kind() != btfdump.KindVar || !needsGoType(view, t.Ref()) {
			continue
		}
		ok, err := path.Match(glob, t.Name())
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, t.ID())
		}
	}
	return ids, nil
}

// needsGoType is false for numbers and pointers, which Go has types for.
func needsGoType(view *btfdump.View, id btfdump.TypeID) bool {
	t := view.Type(view.Resolve(id))
	for t.Kind() == btfdump.KindArray {
		t = view.Type(view.Resolve(t.Ref()))
	}
	return t.Kind().IsRecord() || t.Kind().IsEnum() && !t.IsForward()
}

// verifyGo compares a file of Go types with the types of a kernel.
func verifyGo(c *cli.Context, path string) error {
	for _, name := range []string{"clang", "fast", "std", "target", "clang-flag", "type"} {
		if c.IsSet(name) {
			return fmt.Errorf("--%s is for headers: %s is Go code, which is compared as a whole, without a compiler", name, path)
		}
	}
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	defer console.end()
	src, err := readFile(path, maxText)
	if err != nil {
		return err
	}
	options, err := sourceOptions(c)
	if err != nil {
		return err
	}
	console.begin("reading the kernel's types")
	kernel, err := source.Open(c.String("input"), c.StringSlice("module"), options)
	if err != nil {
		return err
	}
	console.begin("comparing")
	report, err := gogen.Verify(src, kernel.View)
	console.end()
	if errors.Is(err, gogen.ErrTooLarge) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return noError(fmt.Sprintf("%s: does not hold: %v", path, err))
	}
	holds := report.Holds()
	switch {
	case c.Bool("json"):
		encoder := newEncoder(c.App.Writer, "")
		err = encoder.Encode(struct {
			File  string `json:"file"`
			Holds bool   `json:"holds"`
			*gogen.Report
		}{path, holds, report})
	case !holds || !c.Bool("quiet"):
		err = printGoReport(c.App.Writer, path, report, usesColour(c.App.Writer))
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if !holds {
		return noError(path + " does not hold")
	}
	return nil
}

// describeGoCounts tells what was compared.
func describeGoCounts(r *gogen.Report) string {
	return fmt.Sprintf("%s, %s, %s and %s on %s", count(r.Types, "type"), count(r.Fields, "field"),
		count(r.Accessors, "member behind methods", "members behind methods"), count(r.Constants, "constant"),
		strings.Join(r.Architectures, ", "))
}

func printGoReport(out io.Writer, path string, r *gogen.Report, colour bool) error {
	path, counts := printable(path), printable(describeGoCounts(r))
	var b strings.Builder
	no := paint(colour, core.Fails, "does not hold")
	switch {
	case r.Holds():
		fmt.Fprintf(&b, "%s: %s: Go agrees with the BTF on %s\n", path, paint(colour, core.Runs, "holds"), counts)
	case len(r.Mismatches) == 0:
		fmt.Fprintf(&b, "%s: %s: there is no type in it whose comment names one of C, as btfgen writes them, and so nothing to compare with the BTF\n", path, no)
	default:
		fmt.Fprintf(&b, "%s: %s: %s, of %s\n", path, no, count(len(r.Mismatches), "thing differs", "things differ"), counts)
		for _, m := range r.Mismatches[:min(len(r.Mismatches), maxRows)] {
			fmt.Fprintf(&b, "   %s\n", printable(m.String()))
		}
		if more := len(r.Mismatches) - maxRows; more > 0 {
			fmt.Fprintf(&b, "   ... and %s more; --json lists all\n", thousands(more))
		}
	}
	if n := len(r.Uncompared); n > 0 {
		fmt.Fprintf(&b, "   %s no comment that names a type of C, and %s not compared: %s\n", count(n, "struct type has", "struct types have"),
			map[bool]string{true: "was", false: "were"}[n == 1], firstOf(r.Uncompared))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
