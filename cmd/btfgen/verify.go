package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/urfave/cli/v2"
)

// verifyCommand compares a header with the types that it should have.
func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "compile a header with clang and compare it with the kernel's types",
		Flags: append(verifiedInputFlags(), append(compilerFlags(),
			&cli.StringFlag{Name: "std", Category: groupVerify, Usage: "C `STANDARD` to compile for, as clang's -std takes it; default: gnu11"},
			&cli.StringFlag{Name: "target", Category: groupVerify, Usage: "compile for `TARGET`; default: bpfel or bpfeb, as the kernel's byte order is"},
			&cli.StringSliceFlag{Name: "clang-flag", Aliases: []string{"X"}, Category: groupVerify, Usage: "pass `FLAG` to clang, such as -DNAME or -I DIR; repeatable"},
			&cli.BoolFlag{Name: "json", Usage: "print all that was found, for scripts"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing if the header holds"},
		)...),
		ArgsUsage: "HEADER",
		Action:    verifyHeader,
	}
}

// verifiedInputFlags are inputFlags, and -k for -i, as check has it.
func verifiedInputFlags() []cli.Flag {
	flags := inputFlags()
	for _, f := range flags {
		if input, ok := f.(*cli.StringFlag); ok && input.Name == "input" {
			input.Aliases = append(input.Aliases, "kernel", "k")
		}
	}
	return flags
}

// compilerFlags are those of verify and of --verify.
func compilerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "clang", Category: groupVerify, Usage: "verify, or compile with --for, with `CLANG`, the name or path of one program; default: $CLANG, which may be a command such as \"ccache clang\", clang, or the newest clang-N; repeatable"},
		&cli.BoolFlag{Name: "fast", Category: groupVerify, Usage: "verify only sizes, offsets and values, in about a second"},
	}
}

var verifyManual = manual{
	synopsis: []string{"verify [flags] HEADER"},
	about: []string{
		"btfgen verify compiles a C header with clang and compares what the compiler makes of it with the types of a kernel: every size, member, offset, bitfield, type, value and prototype, and that accesses are relocated (CO-RE). Any header will do, whichever tool or person wrote it. Types that it lacks are counted, and are no mistake unless --type asks for them; a header with none of the kernel's types does not hold, and neither does one that leaves a macro behind which has programs read something else.",
	},
	examples: []entry{
		{"btfgen verify vmlinux.h", "against the running kernel"},
		{"btfgen verify vmlinux.h -i vmlinux-6.12 -m veth.ko", "against a kernel and a module that are not running"},
		{"btfgen verify --fast vmlinux.h", "sizes, offsets and values only"},
		{"btfgen verify --clang clang-14 --clang clang-22 vmlinux.h", "with two compilers"},
		{"btfgen verify --json vmlinux.h | jq '.reports[].mismatches[]'", "for scripts"},
		{"btfgen --verify vmlinux.h", "make a header, and keep it only if it holds"},
		{"btfgen verify types.go", "Go types: every size, offset and constant, for eight architectures; no compiler is needed"},
	},
	exit: []entry{
		{"0", "the header holds"},
		{"1", "it does not"},
		{"2", "wrong usage, unreadable input or no clang"},
	},
}

// verifyHeader is the verify command.
func verifyHeader(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) != 1 {
		return errors.New("name one header, as in: btfgen verify vmlinux.h; btfgen verify --help tells more")
	}
	path := args[0]
	if err := checkHeader(path); err != nil {
		return err
	}
	input := c.String("input")
	if c.IsSet("input") && input == "" {
		return errors.New("--input is empty: name a file, or leave the flag out for the running kernel")
	}
	if filepath.Ext(path) == ".go" {
		return verifyGo(c, path)
	}
	options, err := sourceOptions(c)
	if err != nil {
		return err
	}
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	defer console.end()
	console.begin("reading the kernel's types")
	kernel, err := source.Open(input, c.StringSlice("module"), options)
	if err != nil {
		return err
	}
	set, required, err := selectedTypes(kernel.View, c.StringSlice("type"))
	if err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	compilers, verifyOptions := c.StringSlice("clang"), verify.Options{
		Std: c.String("std"), Target: c.String("target"), Flags: c.StringSlice("clang-flag"), Required: required, Fast: c.Bool("fast"), Progress: console.begin,
	}
	reports, err := runCompilers(ctx, path, kernel.View, set, compilers, verifyOptions)
	if err == nil && !allHold(reports) {
		reports, err = verifyPrintable(ctx, path, kernel.View, set, compilers, verifyOptions, reports, console)
	}
	console.end()
	if err != nil {
		return err
	}
	holds := allHold(reports)
	if c.Bool("json") {
		err = printJSON(c.App.Writer, path, holds, reports)
	} else {
		for _, r := range reports {
			if !holds || !c.Bool("quiet") {
				err = errors.Join(err, printReport(c.App.Writer, path, r, usesColour(c.App.Writer)))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if !holds {
		return noError(path + " does not hold")
	}
	return nil
}

func allHold(reports []*verify.Report) bool {
	return !slices.ContainsFunc(reports, func(r *verify.Report) bool { return !r.Holds() })
}

// checkHeader says what is wrong with the name of a header, before the compiler
// does in its own words.
func checkHeader(path string) error {
	info, err := os.Stat(path)
	var pathError *os.PathError
	switch {
	case path == "-":
		return errors.New("the header can't be read from standard input: name a file")
	case errors.As(err, &pathError):
		return fmt.Errorf("%s: %w", path, pathError.Err)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file, which a header must be: it is compiled many times", path)
	case info.Size() > maxText:
		return fmt.Errorf("%s: it has more than %s bytes, which is all that is read of a header", path, thousands(maxText))
	}
	file, err := os.Open(path)
	if errors.As(err, &pathError) {
		return fmt.Errorf("%s: %w", path, pathError.Err)
	}
	return file.Close()
}

// selectedTypes returns the types that patterns ask for with what they need, and
// those that they ask for by themselves; nil and nil for no patterns.
func selectedTypes(view *btfdump.View, patterns []string) (set, asked *btfdump.Set, err error) {
	if len(patterns) == 0 {
		return nil, nil, nil
	}
	asked = view.NewSet()
	for _, pattern := range patterns {
		if err := checkPattern(pattern); err != nil {
			return nil, nil, err
		}
		ids, err := view.Match(pattern)
		if err != nil {
			return nil, nil, fmt.Errorf("--type %q: %w", pattern, err)
		}
		for _, id := range ids {
			asked.Add(id)
		}
	}
	set, err = selectTypes(view, patterns)
	return set, asked, err
}

// runCompilers has a header verified by each compiler in turn, until ctx ends.
func runCompilers(ctx context.Context, path string, view *btfdump.View, set *btfdump.Set, compilers []string, opts verify.Options) ([]*verify.Report, error) {
	if !opts.Fast {
		// main puts collections off, for runs that are over before one would pay.
		debug.SetGCPercent(100)
	}
	if len(compilers) == 0 {
		compilers = []string{""}
	}
	var reports []*verify.Report
	for _, compiler := range compilers {
		var err error
		if opts.Clang, opts.ClangArgs, err = clangCommand(compiler); err != nil {
			return nil, err
		}
		report, err := verify.Header(ctx, path, view, set, opts)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, withClangHint(err)
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// verified verifies a header's text before it becomes a file. The error says
// that it does not hold; what is wrong has been printed to out.
func verified(text []byte, name string, view *btfdump.View, set *btfdump.Set, compilers []string, opts verify.Options, out io.Writer) error {
	ctx, stop := untilSignal()
	defer stop()
	dir, remove, err := verify.TempDir()
	if err != nil {
		return withClangHint(err)
	}
	defer remove()
	path := filepath.Join(dir, "vmlinux.h")
	if err := verify.WriteTemp(path, text); err != nil {
		return withClangHint(err)
	}
	reports, err := runCompilers(ctx, path, view, set, compilers, opts)
	if err != nil {
		return err
	}
	for _, r := range reports {
		// Of types without names there may be nothing to compare, which is no fault.
		if empty := r.Empty() && r.Counts == (verify.Counts{}) && len(r.Mismatches)+len(r.Errors) == 0; !r.Holds() && !empty || len(r.Absent) > 0 {
			if err := printReport(out, name, r, usesColour(out)); err != nil {
				return err
			}
			return noError(fmt.Sprintf("%s: not written, since %s does not agree with the BTF: please report this as a bug of btfgen", name, r.Compiler))
		}
	}
	return nil
}

func printJSON(out io.Writer, path string, holds bool, reports []*verify.Report) error {
	encoder := newEncoder(out, "")
	return encoder.Encode(struct {
		Header  string           `json:"header"`
		Holds   bool             `json:"holds"`
		Reports []*verify.Report `json:"reports"`
	}{path, holds, reports})
}

// maxRows is how many mismatches are shown to a person.
const maxRows = 60

func printReport(out io.Writer, path string, r *verify.Report, colour bool) error {
	var b strings.Builder
	path, compiler := printable(path), printable("clang "+r.Version)
	own := r.Own()
	no := paint(colour, core.Fails, "does not hold")
	switch {
	case len(r.Errors) > 0:
		fmt.Fprintf(&b, "%s: %s with %s for %s, %s:\n", path, paint(colour, core.Fails, "does not compile"), compiler, printable(r.Target), printable(r.Std))
		for _, e := range r.Errors[:min(len(r.Errors), maxRows)] {
			fmt.Fprintf(&b, "   %s\n", printable(e))
		}
		if more := len(r.Errors) - maxRows; more > 0 {
			fmt.Fprintf(&b, "   ... and %s more; --json lists all\n", thousands(more))
		}
	case r.Holds():
		fmt.Fprintf(&b, "%s: %s: %s agrees with the BTF on %s\n", path, paint(colour, core.Runs, "holds"), compiler, describeCounts(r))
	case len(r.Mismatches) > 0:
		fmt.Fprintf(&b, "%s: %s: %s sees %s otherwise than the BTF, of %s\n", path, no, compiler, count(len(r.Mismatches), "thing"), describeCounts(r))
		table := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "   TYPE\tMEMBER\tWHAT\tTHE BTF SAYS\tTHE COMPILER SAYS")
		for _, m := range own[:min(len(own), maxRows)] {
			fmt.Fprintf(table, "   %s\t%s\t%s\t%s\t%s\n", printable(m.Type), printable(m.Member), m.Aspect, printable(m.BTF), printable(m.Compiler))
		}
		table.Flush()
		if more := len(own) - maxRows; more > 0 {
			fmt.Fprintf(&b, "   ... and %s more; --json lists all\n", thousands(more))
		}
		if n := len(r.Mismatches) - len(own); n > 0 {
			fmt.Fprintf(&b, "   As a consequence, %s in types that hold those.\n", count(n, "size or offset is wrong", "sizes and offsets are wrong"))
		}
	case len(r.Missing) > 0:
		fmt.Fprintf(&b, "%s: %s: it lacks %s that it should have: %s\n", path, no, count(len(r.Missing), "type"), firstOf(r.Missing))
		fmt.Fprintf(&b, "   %s agrees with the BTF on %s\n", compiler, describeCounts(r))
	case r.Counts.Typedefs > 0:
		fmt.Fprintf(&b, "%s: %s: of the BTF's types it has only %s, which other headers have as well, and %s are absent; --type asks for those that it should have\n",
			path, no, count(r.Counts.Typedefs, "typedef"), thousands(len(r.Absent)))
	default:
		fmt.Fprintf(&b, "%s: %s: %s finds nothing in it that could be compared with the BTF\n", path, no, compiler)
	}
	if n := len(r.Includes); n > 0 && r.Elsewhere {
		fmt.Fprintf(&b, "   None of that is in the header itself, which includes %s: %s\n", count(n, "file"), firstOf(r.Includes))
	} else if n > 0 && !r.Holds() {
		fmt.Fprintf(&b, "   It includes %s: %s\n", count(n, "file"), firstOf(r.Includes))
	}
	if len(r.Errors) == 0 {
		if n := len(r.Missing); n > 0 && len(r.Mismatches) > 0 {
			fmt.Fprintf(&b, "   It lacks %s that it should have: %s\n", count(n, "type"), firstOf(r.Missing))
		}
		if r.PointerClass > 0 {
			fmt.Fprintf(&b, "   %s hold pointers, which have 4 bytes in this kernel and 8 for BPF: they were compared as a machine with 4 has them.\n", count(r.PointerClass, "record"))
		}
		if n := len(r.Absent); n > len(r.Missing) {
			fmt.Fprintf(&b, "   %s of the BTF %s not in the header: %s\n", count(n, "type"), map[bool]string{true: "is", false: "are"}[n == 1], firstOf(r.Absent))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// firstOf lists the first names of many.
func firstOf(names []string) string {
	const most = 5
	text := printable(strings.Join(names[:min(len(names), most)], ", "))
	if len(names) > most {
		text += " ...; --json lists all"
	}
	return text
}

// describeCounts tells what was compared.
func describeCounts(r *verify.Report) string {
	n := r.Counts
	text := fmt.Sprintf("%s with %s, %s with %s, %s", count(n.Records, "record"), count(n.Members, "member"),
		count(n.Enums, "enum"), count(n.Enumerators, "value"), count(n.Typedefs, "typedef"))
	if n.Records+n.Enums+n.Typedefs+n.Functions == 0 {
		text = "nothing but " + count(n.AnonymousEnums, "enum") + " without a name"
	}
	if r.Fast {
		return text + " (--fast: sizes, offsets and values)"
	}
	text += " and " + count(n.Functions, "kfunc")
	if r.Holds() {
		text += "; " + count(n.Relocations, "access is", "accesses are") + " relocated"
	}
	return text
}

// count writes a number with what it counts; the plural is made with an s, if
// it is not given.
func count(n int, what string, plural ...string) string {
	if n != 1 {
		if what += "s"; len(plural) > 0 {
			what = plural[0]
		}
	}
	return thousands(n) + " " + what
}
