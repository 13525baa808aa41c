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
	// "" stands for that of [FindClang]. Where it is a wrapper, ClangArgs are
	// what it gets first: "ccache" with "clang".
	Clang     string
	ClangArgs []string
	// Std is the C standard, as -std takes it; "" stands for gnu11.
	Std string
	// Target is the compiler's target; "" stands for bpfel or bpfeb, after the
	// byte order of the BTF.
	Target string
	// Flags are more flags for the compiler, such as -D or -I.
	Flags []string
	// Required are types that the header must have; nil stands for none. Others
	// may be absent.
	Required *btfdump.Set
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
	header   string   // path
	included []string // paths of what flags include
	view     *btfdump.View
	set      *btfdump.Set // nil: all types
	required *btfdump.Set // nil: none
	members  *btfdump.MemberSet
	workers  int
	fast     bool
	progress func(string)

	unit       *unit
	narrowUnit *unit // for narrowTarget, once it is needed
	declared   *declarations
	// uncovered are names that the compiler knows though scan did not see them.
	uncovered map[entryKey]bool
	names     *names
	narrow    map[btfdump.TypeID]bool
	signs     bool // the BTF records which enums are signed
	c23       bool // the header is compiled as C23
	// short says that the compiler's BTF knows no 64-bit enums and no signs, as
	// that of clang before 15. The assertions do.
	short  bool
	probes []*probe
	report *Report

	mu        sync.Mutex
	dropped   map[*entry]bool // that the header does not declare after all
	evaluated []fact          // whose values the compiler has told
	bitfields int             // likewise, of records that hold pointers
}

// headerError says that a header does not compile.
type headerError struct{ diagnostics []diagnostic }

func (e headerError) Error() string {
	return e.diagnostics[0].String()
}

// behind reports whether a diagnostic is about what stands behind the header.
func (d diagnostic) behind() bool {
	return d.file == ours || keyPattern().MatchString(filepath.Base(d.file))
}

func (d diagnostic) String() string {
	name := d.file
	if filepath.IsAbs(name) {
		name = filepath.Base(name)
	}
	switch {
	case name == "":
		return d.text
	case d.behind():
		return "behind the header's end: " + d.text
	case d.line == 0:
		return name + ": " + d.text
	default:
		return fmt.Sprintf("%s:%d: %s", name, d.line, d.text)
	}
}

// Header compiles the C header at path and compares what the compiler makes of
// it with the types of the view, or with those in set if that is not nil. It
// needs no knowledge of how the header was made.
//
// What does not hold is in the report. An error says that nothing could be
// found out: no compiler (an [ErrNoClang]), no room for temporary files, or a
// context that was cancelled. Temporary files are gone when it returns.
func Header(ctx context.Context, path string, view *btfdump.View, set *btfdump.Set, opts Options) (report *Report, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, totalLimit, fmt.Errorf("the compiler was stopped: all that it was asked took more than %v", totalLimit))
	defer cancel()
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dir, remove, err := TempDir()
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := remove(); err == nil {
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
	cc, err := newClang(name, opts.ClangArgs, dir)
	if err != nil {
		return nil, err
	}
	flags, included, err := absoluteFlags(opts.Flags)
	if err != nil {
		return nil, err
	}
	cc.flags = append([]string{"-target", target, "-std=" + std}, flags...)
	c := &check{
		header: path, included: included, view: view, set: set, required: opts.Required, members: opts.Members, workers: opts.Workers, fast: opts.Fast, progress: opts.Progress,
		uncovered: make(map[entryKey]bool),
		signs:     recordsSigns(view), narrow: narrowRecords(view),
		c23:    strings.HasSuffix(std, "2x") || strings.HasSuffix(std, "23"),
		report: &Report{Compiler: strings.Join(append([]string{name}, opts.ClangArgs...), " "), Target: target, Std: std, Fast: opts.Fast},
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if c.progress == nil {
		c.progress = func(string) {}
	}
	if err := c.run(ctx, cc); err != nil {
		return nil, err
	}
	c.report.finish()
	return c.report, nil
}

func isBig(v *btfdump.View) bool { return v.ByteOrder().String() == "BigEndian" }

// label is what to call the compiler in messages about progress.
func (c *clang) label() string {
	return filepath.Base(append([]string{c.path}, c.args...)[len(c.args)])
}

// run compares, and puts what it finds into the report.
func (c *check) run(ctx context.Context, cc *clang) error {
	c.progress(cc.label() + ": reading the header")
	identified := make(chan error, 1)
	asked := *cc // it takes note of the version
	go func() { identified <- asked.identify(ctx) }()
	unit, err := preprocess(ctx, cc, c.header, c.included)
	if e := <-identified; e != nil {
		err = e
	}
	c.report.Version = asked.version
	c.c23 = c.c23 && majorVersion(asked.version) >= 15 // clang 14 knows the name and none of the keywords
	if e, ok := err.(headerError); ok && e.diagnostics[0].file == "" {
		// It is about how the compiler was called, not about the header.
		return fmt.Errorf("%s can't compile for %s, %s: %s", cc.path, c.report.Target, c.report.Std, e.diagnostics[0].text)
	}
	if err != nil {
		return c.doesNotCompile(err)
	}
	c.unit = unit
	for range maxRounds {
		if c.declared = scan(unit.text); c.declared.size() > maxNames {
			return fmt.Errorf("%s: it declares more than %d names, which is all that is looked at", c.header, maxNames)
		}
		c.declared.add(c.uncovered)
		if err = c.compareHeader(ctx); err != errUncovered {
			return c.doesNotCompile(err)
		}
	}
	return errors.New("the header changes from compile to compile, or its types do")
}

// compareHeader compares the types that the header is known to declare. The
// error is errUncovered if there are more.
func (c *check) compareHeader(ctx context.Context) error {
	c.names = findNames(c.view, c.set, c.declared)
	c.dropped, c.evaluated, c.bitfields = make(map[*entry]bool), nil, 0
	facts := c.collectFacts()
	if err := c.macros(ctx, facts); err != nil {
		return err
	}

	entries := c.names.entries
	if c.fast {
		entries = nil
		for _, e := range c.names.entries {
			if facts.unsettled[e] {
				entries = append(entries, e)
			}
		}
	}
	c.probes = c.makeProbes(entries, c.fast)
	found, err := c.ask(ctx, facts)
	if err != nil {
		return err
	}
	for e := range c.dropped {
		e.heads = nil
	}
	// What was read back comes first: of one mismatch that is found twice, it
	// tells more.
	c.compareAll()
	if len(c.narrow) > 0 {
		more, err := c.assertUnsettled(ctx, facts)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	c.report.add(found...)
	c.report.add(facts.found...)
	c.report.Absent = append(c.report.Absent, facts.absent...)
	c.kinds()
	c.explain()
	c.count()
	c.includes()
	c.report.Elsewhere = c.isElsewhere()
	return nil
}

// doesNotCompile turns the error that a header does not compile into what is
// reported. Other errors are returned.
func (c *check) doesNotCompile(err error) error {
	e, ok := err.(headerError)
	if !ok {
		return err
	}
	// What is behind the header follows from what is wrong in it, if that is known.
	inIt := slices.DeleteFunc(slices.Clone(e.diagnostics), diagnostic.behind)
	if len(inIt) == 0 {
		inIt = e.diagnostics
	}
	for _, d := range inIt {
		d.file = c.below(d.file)
		c.report.Errors = append(c.report.Errors, d.String())
	}
	c.includes()
	c.report.Errors = slices.Compact(c.report.Errors)
	return nil
}

// ask has all facts checked and all probes answered, in compiles that go on
// beside each other.
func (c *check) ask(ctx context.Context, facts *factSet) (found []Mismatch, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.fast {
		readBack := make(chan error, 1)
		go func() {
			err := c.readBack(ctx, c.probes)
			// That the header does not compile, the assertions tell, too: of the
			// two, it is always they that are believed.
			if err != nil && !errors.As(err, new(headerError)) {
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
	c.progress(c.unit.cc.label() + ": checking sizes, offsets and values")
	// Two parts, each on a core: the assertions take longer than the header. The
	// few probes of a fast run come along with the first, which saves a compile
	// and takes about as long as a sixth of the assertions.
	first, second := facts.facts[:len(facts.facts)/2], facts.facts[len(facts.facts)/2:]
	if c.fast && len(c.probes) > 0 {
		cut := len(facts.facts) * 5 / 12
		first, second = facts.facts[:cut], facts.facts[cut:]
	}
	var more []Mismatch
	other := make(chan error, 1)
	go func() {
		var err error
		more, err = c.assertAndUncover(ctx, "facts2", second)
		other <- err
	}()
	if c.fast {
		found, err = c.assertAndReadBack(ctx, "facts1", first)
	} else {
		found, err = c.assert(ctx, c.unit, "facts1", first)
	}
	if err != nil {
		cancel()
	}
	if e := <-other; err == nil || e == errUncovered {
		err = e
	}
	found = append(found, more...)
	if err == nil && len(facts.narrow) > 0 {
		more, err = c.assertNarrow(ctx, facts)
		found = append(found, more...)
	}
	if err != nil {
		cancel()
	}
	return found, err
}

// assertAndReadBack has facts checked and all probes answered in one compile.
// Where that does not go through, for there is a mistake, it takes one for each.
func (c *check) assertAndReadBack(ctx context.Context, name string, facts []fact) ([]Mismatch, error) {
	u := c.unit
	if n := len(c.probes); n > 0 && n <= shardSize {
		text, _ := source(u.key, c.probes)
		path, diagnostics, err := u.object(ctx, name+"-probes", valuesText(u.key, facts)+text, programFlags()...)
		if err != nil {
			return nil, err
		}
		if len(diagnostics) == 0 {
			var values []uint64
			err := readObject(path, func(o object) (err error) {
				if values, err = o.readValues(u.key, facts); err != nil {
					return err
				}
				return o.answer(u.key, c.probes)
			})
			if err == nil {
				err = c.askAgain(ctx, c.probes)
			}
			if err != nil {
				return nil, err
			}
			return c.compareValues(facts, values), nil
		}
	}
	found, err := c.assert(ctx, u, name, facts)
	if err == nil {
		err = c.readBack(ctx, c.probes)
	}
	return found, err
}
