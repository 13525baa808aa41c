package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
)

// Options say how a header is verified.
type Options struct {
	// Clang is the compiler: a path, or a name to be looked up on the PATH.
	// "" stands for that of [FindClang].
	Clang string
	// Std is the C standard, as -std takes it; "" stands for gnu11.
	Std string
	// Target is the compiler's target; "" stands for bpfel or bpfeb, after the
	// byte order of the BTF.
	Target string
	// Flags are more flags for the compiler, such as -D or -I.
	Flags []string
	// Members are those that the header's records keep; nil stands for all.
	Members *btfdump.MemberSet
	// Fast leaves out reading back: bitfields, types of members, targets of
	// typedefs, prototypes and relocations are not compared then.
	Fast bool
	// Workers is the number of compilers that run at a time; 0 means one a core.
	Workers int
	// Progress, if it is not nil, is told what is being done.
	Progress func(string)
}

// check is one header, one source of types and one compiler.
type check struct {
	header   string // path
	view     *btfdump.View
	set      *btfdump.Set // nil: all types
	members  *btfdump.MemberSet
	workers  int
	progress func(string)

	declared *declarations
	names    *names
	narrow   map[btfdump.TypeID]bool
	signs    bool // the BTF records which enums are signed
	c23      bool // the header is compiled as C23
	// short says that the compiler's BTF knows no 64-bit enums and no signs, as
	// that of clang before 15. The assertions do.
	short  bool
	probes []*probe
	report *Report

	mu      sync.Mutex
	dropped []*entry // that the header does not declare after all
}

// headerError says that a header does not compile.
type headerError struct{ diagnostics []diagnostic }

func (e headerError) Error() string {
	d := e.diagnostics[0]
	if d.file == "" {
		return d.text
	}
	return fmt.Sprintf("%s:%d: %s", d.file, d.line, d.text)
}

// Header compiles the C header at path and compares what the compiler makes of
// it with the types of the view, or with those in set if that is not nil. It
// needs no knowledge of how the header was made.
//
// What does not hold is in the report. An error says that nothing could be
// found out: no compiler (an [ErrNoClang]), no room for temporary files, or a
// context that was cancelled. Temporary files are gone when it returns.
func Header(ctx context.Context, path string, view *btfdump.View, set *btfdump.Set, opts Options) (report *Report, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "btfgen-verify-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	name := opts.Clang
	if name == "" {
		if name, err = FindClang(); err != nil {
			return nil, err
		}
	}
	target, std := opts.Target, opts.Std
	if target == "" {
		target = map[bool]string{false: "bpfel", true: "bpfeb"}[isBig(view)]
	}
	if std == "" {
		std = "gnu11"
	}
	cc, err := newClang(name, dir)
	if err != nil {
		return nil, err
	}
	cc.flags = append([]string{"-target", target, "-std=" + std}, opts.Flags...)
	c := &check{
		header: path, view: view, set: set, members: opts.Members, workers: opts.Workers, progress: opts.Progress,
		signs: recordsSigns(view), narrow: narrowRecords(view),
		c23:    strings.HasSuffix(std, "2x") || strings.HasSuffix(std, "23"),
		report: &Report{Compiler: name, Target: target, Std: std, Fast: opts.Fast},
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if c.progress == nil {
		c.progress = func(string) {}
	}
	if err := c.run(ctx, cc, opts.Fast); err != nil {
		return nil, err
	}
	c.report.finish()
	return c.report, nil
}

func isBig(v *btfdump.View) bool { return v.ByteOrder().String() == "BigEndian" }

func (c *clang) label() string { return filepath.Base(c.path) }

// run compares, and puts what it finds into the report.
func (c *check) run(ctx context.Context, cc *clang, fast bool) error {
	c.progress(cc.label() + ": reading the header")
	if err := cc.write("empty.c", ""); err != nil {
		return err
	}
	identified := make(chan error, 1)
	go func() { identified <- cc.identify(ctx) }()
	text, diagnostics, err := cc.compile(ctx, "-include", c.header, "-E", "-P", "empty.c")
	if e := <-identified; e != nil {
		err = e
	}
	if err != nil {
		return err
	}
	c.report.Version = cc.version
	if len(diagnostics) > 0 && diagnostics[0].file == "" {
		// It is about how the compiler was called, not about the header.
		return fmt.Errorf("%s can't compile for %s, %s: %s", cc.path, c.report.Target, c.report.Std, diagnostics[0].text)
	}
	if len(diagnostics) > 0 {
		return c.doesNotCompile(headerError{diagnostics})
	}
	c.declared = scan(string(text))
	c.names = findNames(c.view, c.set, c.declared)
	facts := c.collectFacts()

	entries := c.names.entries
	if fast {
		entries = nil
		for _, e := range c.names.entries {
			if facts.unsettled[e] {
				entries = append(entries, e)
			}
		}
	}
	c.probes = c.makeProbes(entries, fast)
	found, err := c.ask(ctx, cc, facts, fast)
	if err != nil {
		return c.doesNotCompile(err)
	}
	for _, e := range c.dropped {
		e.heads = nil
	}
	// What was read back comes first: of one mismatch that is found twice, it
	// tells more.
	c.compareAll(fast)
	if len(c.narrow) > 0 {
		more, err := c.assertUnsettled(ctx, cc, facts)
		if err != nil {
			return c.doesNotCompile(err)
		}
		found = append(found, more...)
	}
	c.report.add(found...)
	c.report.add(facts.found...)
	c.report.Absent = append(c.report.Absent, facts.absent...)
	c.explain()
	c.count(facts)
	return nil
}

// doesNotCompile turns the error that a header does not compile into what is
// reported. Other errors are returned.
func (c *check) doesNotCompile(err error) error {
	e, ok := err.(headerError)
	if !ok {
		return err
	}
	for _, d := range e.diagnostics {
		text := d.text
		if d.file != "" {
			text = fmt.Sprintf("%s:%d: %s", filepath.Base(d.file), d.line, d.text)
		}
		c.report.Errors = append(c.report.Errors, text)
	}
	return nil
}

// ask has all facts checked and all probes answered, in compiles that go on
// beside each other.
func (c *check) ask(ctx context.Context, cc *clang, facts *factSet, fast bool) (found []Mismatch, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !fast {
		readBack := make(chan error, 1)
		go func() {
			err := c.readBack(ctx, cc, c.probes)
			if err != nil {
				cancel()
			}
			readBack <- err
		}()
		defer func() {
			if e := <-readBack; err == nil || e != nil && errors.Is(err, context.Canceled) {
				err = e // which may be what the assertions were cancelled for
			}
		}()
	}
	c.progress(cc.label() + ": checking sizes, offsets and values")
	// Two parts, each on a core: the assertions take longer than the header. The
	// few probes of a fast run come along with the first, which saves a compile
	// and takes about as long as a sixth of the assertions.
	first, second := facts.facts[:len(facts.facts)/2], facts.facts[len(facts.facts)/2:]
	if fast && len(c.probes) > 0 {
		cut := len(facts.facts) * 5 / 12
		first, second = facts.facts[:cut], facts.facts[cut:]
	}
	var more []Mismatch
	other := make(chan error, 1)
	go func() {
		var err error
		more, err = c.assert(ctx, cc, "facts2.c", second)
		other <- err
	}()
	if fast {
		found, err = c.assertAndReadBack(ctx, cc, "facts1.c", first)
	} else {
		found, err = c.assert(ctx, cc, "facts1.c", first)
	}
	if err != nil {
		cancel()
	}
	if e := <-other; err == nil {
		err = e
	}
	found = append(found, more...)
	if err == nil && len(facts.narrow) > 0 {
		more, err = c.assertNarrow(ctx, cc, facts)
		found = append(found, more...)
	}
	if err != nil {
		cancel()
	}
	return found, err
}

// assertAndReadBack has facts checked and all probes answered in one compile.
// Where that does not go through, for there is a mistake, it takes one for each.
func (c *check) assertAndReadBack(ctx context.Context, cc *clang, file string, facts []fact) ([]Mismatch, error) {
	if len(c.probes) == 0 || len(c.probes) > shardSize {
		found, err := c.assert(ctx, cc, file, facts)
		if err == nil {
			err = c.readBack(ctx, cc, c.probes)
		}
		return found, err
	}
	text, _ := source(c.probes)
	if err := cc.write(file, valuesText(facts)+text); err != nil {
		return nil, err
	}
	include := []string{"-include", c.header}
	_, diagnostics, err := cc.compile(ctx, append(slices.Clone(include), "-g", "-O2", "-c", file, "-o", file+".o")...)
	if err == nil && len(diagnostics) == 0 {
		object := filepath.Join(cc.dir, file+".o")
		values, err := readValues(object, facts)
		if err == nil {
			err = answer(object, c.probes)
		}
		if err == nil {
			err = c.askAlone(ctx, cc, include, c.probes)
		}
		if err != nil {
			return nil, err
		}
		return compareValues(facts, values), nil
	}
	if err != nil {
		return nil, err
	}
	found, err := c.assert(ctx, cc, file, facts)
	if err == nil {
		err = c.readBack(ctx, cc, c.probes)
	}
	return found, err
}
