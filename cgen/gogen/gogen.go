package gogen

import (
	"cmp"
	"errors"
	"fmt"
	"go/build/constraint"
	"go/token"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump"
)

// Options shape the generated file.
type Options struct {
	// Package is the name in the package clause; "" stands for "kernel".
	Package string
	// Prefix is put before every name that the file declares at its top level.
	// If it starts with a small letter, nothing is exported.
	Prefix string
	// Tags is a build constraint such as "linux && amd64", "" for none.
	Tags string
	// Rename gives types and enumerators other names than btfgen's: the key is
	// the C name, with "struct ", "union ", "enum ", "typedef " or "var " before
	// it where several types have it, the value is the Go name. Prefix is not put
	// before it.
	Rename map[string]string

	// NoProvenance leaves out what the comment at the top says beyond that the
	// file is generated.
	NoProvenance bool
	// Version, Release and Flags are told in that comment: btfgen's version,
	// the kernel's release if it is known, and the flags that shaped the file.
	// Characters that are not printable are replaced.
	Version, Release string
	Flags            []string

	// Workers is the number of goroutines that print; 0 means one a core. It
	// does not change what is printed.
	Workers int
}

// check returns what is wrong with the options.
func (o *Options) check() error {
	if o.Package == "" {
		o.Package = "kernel"
	}
	if !token.IsIdentifier(o.Package) || !btfdump.IsIdentifier(o.Package) || o.Package == "_" {
		return fmt.Errorf("%q can't be the name of a Go package", o.Package)
	}
	if o.Prefix != "" && (!btfdump.IsIdentifier(o.Prefix) || strings.Contains(o.Prefix, "_")) {
		return fmt.Errorf("the prefix %q can't be the start of a Go name: it takes letters and digits", o.Prefix)
	}
	if o.Tags != "" {
		if _, err := constraint.Parse("//go:build " + o.Tags); err != nil || strings.ContainsAny(o.Tags, "\r\n") {
			return fmt.Errorf("%q is no build constraint, such as \"linux && amd64\"", o.Tags)
		}
	}
	return nil
}

// Generate returns the text of a Go file that declares the types in set, and
// the records and enums that these hold by value. What they point to is only
// named in comments. A nil set stands for all types of the view. A variable in
// the set stands for its type, or for those of key and value if it defines a
// BPF map; if such a type has no name in C, it is called after the variable.
// Other types without a name, and those of kinds that have no values, are
// passed over.
//
// The text is formatted as gofmt does it, and depends on the types alone: not
// on their IDs, nor on the number of goroutines. Errors about a type are
// *[TypeError]. Generate may run on many goroutines at once.
func Generate(v *btfdump.View, set *btfdump.Set, opts Options) ([]byte, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	n, err := newNames(v, opts.Prefix, opts.Rename)
	if err != nil {
		return nil, err
	}
	p := &plan{view: v, opts: opts, names: n, layouter: newLayouter(v), limit: maxText(v)}
	p.big = v.ByteOrder().String() == "BigEndian"
	needed, err := p.need(set)
	if err != nil {
		return nil, err
	}
	p.choose(needed)
	return p.print()
}

// maxText bounds the text in bytes. Of kernels it is 5 times as long as the BTF,
// of BPF programs, whose BTF is short, 10 times.
func maxText(v *btfdump.View) int64 { return 10*int64(v.RawLen()) + 4<<20 }

// maxNames bounds how long the names of types are together, and those of
// enumerators, in bytes. Strings may start inside others: a blob's names can be
// a thousand times longer than it is. Compilers write each string once.
func maxNames(v *btfdump.View) int { return 4*v.RawLen() + 1<<20 }

// plan is what is printed. It does not change while goroutines print.
type plan struct {
	view *btfdump.View
	opts Options
	big  bool // the kernel is big endian
	*names
	*layouter
	units []unit
	// limit is how many bytes may be printed: a bound for blobs that are made
	// to be printed large.
	limit   int64
	printed atomic.Int64
}

// A unit is a declaration at the top level with all that belongs to it.
type unit struct {
	name string // in Go; of an enum without one, that of its first constant
	id   btfdump.TypeID
	kind unitKind
}

type unitKind uint8

const (
	unitRecord unitKind = iota
	unitEnum
	unitConstants // of an enum without a name
	unitAlias     // of a typedef
	unitVariable  // what a variable holds that has no name in C
)

// need returns the types that set wants and those that they hold by value, each
// as the one that is declared in its place. Their layouts are known then.
func (p *plan) need(set *btfdump.Set) (*btfdump.Set, error) {
	v := p.view
	needed := v.NewSet()
	var todo []btfdump.TypeID
	// A type that another stands for may hold other IDs than that one does, as a
	// module's copy of a base type does.
	add := func(id btfdump.TypeID) {
		if id = p.canonical(id); id != 0 && needed.Add(id) {
			todo = append(todo, id)
		}
	}
	for t := range v.All() {
		if set != nil && !set.Has(t.ID()) {
			continue
		}
		// Records without a name come along with what holds them.
		if rankOf(t) != rankNone && (t.HasName() || t.Kind().IsEnum()) {
			add(t.ID())
		}
	}
	for len(todo) > 0 {
		t := v.Type(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		switch k := t.Kind(); {
		case k.IsRecord():
			l, err := p.layout(t.ID())
			if err != nil {
				return nil, err
			}
			for i := range l.leaves {
				if val := &l.leaves[i].value; val.class == classRecord || val.class == classEnum {
					add(cmp.Or(val.namer, val.id))
				}
			}
		case k == btfdump.KindTypedef:
			target := v.Type(v.Resolve(t.ID()))
			if !hasValues(target) {
				continue
			}
			val, err := p.value(t.ID())
			if err != nil {
				if known := (*TypeError)(nil); !errors.As(err, &known) {
					err = typeError(t, err)
				}
				return nil, err
			}
			if val.class == classRecord || val.class == classEnum {
				add(cmp.Or(val.namer, val.id))
				add(val.id) // what a record without a name holds
			}
		case k == btfdump.KindVar:
			for _, h := range holds(v, t, p.maps[t.ID()]) {
				val, err := p.value(h.typ)
				if err != nil {
					return nil, err
				}
				add(cmp.Or(val.namer, val.id))
				add(val.id)
			}
		}
	}
	return needed, nil
}

// hasValues is false for what a typedef can name although nothing has such a
// type: functions, and records and enums that are declared only.
func hasValues(t btfdump.Type) bool {
	if t.IsForward() {
		return false
	}
	k := t.Kind()
	return k.IsRecord() || k.IsEnum() || k == btfdump.KindInt || k == btfdump.KindFloat || k == btfdump.KindPtr || k == btfdump.KindArray
}

// choose turns the needed types into units, sorted by their Go names.
func (p *plan) choose(needed *btfdump.Set) {
	for id := range needed.All() {
		t := p.view.Type(id)
		u := unit{name: p.goName[id], id: id}
		switch k := t.Kind(); {
		case k.IsRecord() && t.HasName():
			u.kind = unitRecord
		case k.IsRecord():
			continue // printed with what holds it
		case k == btfdump.KindVar:
			if u.name == "" {
				continue // what it holds has names
			}
			u.kind = unitVariable
		case k.IsEnum() && t.HasName():
			u.kind = unitEnum
		case k.IsEnum():
			if p.enumType(id) != "" || t.NumEnumerators() == 0 {
				continue // its typedef has the constants
			}
			u.kind = unitConstants
			u.name = p.enumerator(id, 0, t.Enumerator(0).Name)
		default:
			u.kind = unitAlias
			target := skipQualifiers(p.view, t.Ref())
			if target.HasName() || target.IsForward() {
				break
			}
			if target.Kind().IsRecord() {
				u.kind = unitRecord
			} else if target.Kind().IsEnum() {
				u.kind = unitEnum
			}
		}
		p.units = append(p.units, u)
	}
	slices.SortFunc(p.units, func(a, b unit) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
}

// chunk is how many units a goroutine prints at a time.
const chunk = 128

// A part is what is printed of one chunk.
type part struct {
	text, guards []byte
	helpers      helpers
	err          error
}

// print returns the file's text.
func (p *plan) print() ([]byte, error) {
	parts := make([]part, (len(p.units)+chunk-1)/chunk)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(parts), cmp.Or(p.opts.Workers, runtime.GOMAXPROCS(0))) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			printer := newPrinter(p)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) {
					return
				}
				parts[i] = printer.chunk(p.units[i*chunk : min((i+1)*chunk, len(p.units))])
			}
		}()
	}
	wg.Wait()
	var h helpers
	size := 16 << 10
	for _, part := range parts {
		if part.err != nil {
			return nil, part.err
		}
		h |= part.helpers
		size += len(part.text) + len(part.guards)
	}
	out := p.appendTop(make([]byte, 0, size), h.closure())
	var guards int
	for i := range parts {
		out = append(out, parts[i].text...)
		guards += len(parts[i].guards)
		parts[i].text = nil
	}
	if guards > 0 {
		out = append(out, "\n// The compiler refuses this file if Go lays a record out otherwise than C: these\n// are sizes and offsets in bytes.\nconst (\n"...)
		for _, part := range parts {
			out = append(out, part.guards...)
		}
		out = append(out, ")\n"...)
	}
	return out, nil
}

// appendTop appends what stands above the types: comments, package clause,
// imports and helpers.
func (p *plan) appendTop(b []byte, h helpers) []byte {
	line := func(s string) { b = append(append(b, s...), '\n') }
	line("// Code generated by btfgen" + space(p.opts, p.opts.Version) + "; DO NOT EDIT.")
	if !p.opts.NoProvenance {
		line("//")
		if p.opts.Release != "" {
			line("// kernel:       " + printable(p.opts.Release))
		}
		line("// architecture: " + p.architecture())
		if len(p.opts.Flags) > 0 {
			line("// flags:        " + printable(strings.Join(p.opts.Flags, " ")))
		}
	}
	line("")
	if p.opts.Tags != "" {
		expr, _ := constraint.Parse("//go:build " + p.opts.Tags)
		line("//go:build " + expr.String())
		line("")
	}
	line("package " + p.opts.Package)
	if imports := h.imports(); len(imports) > 0 {
		line("")
		if len(imports) == 1 {
			line("import \"" + imports[0] + "\"")
		} else {
			line("import (")
			for _, path := range imports {
				line("\t\"" + path + "\"")
			}
			line(")")
		}
	}
	for x := range numHelpers {
		if h.has(x) {
			b = x.appendText(b, p.opts.Prefix, p.big, p.pointer)
		}
	}
	return b
}

func space(o Options, s string) string {
	if o.NoProvenance || s == "" {
		return ""
	}
	return " " + printable(s)
}

func (p *plan) architecture() string {
	order := "little"
	if p.big {
		order = "big"
	}
	return fmt.Sprintf("%d-bit, %s-endian", 8*p.pointer, order)
}

// printable replaces what is no printable ASCII character.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// errBadName says why a type can't be printed.
var errBadName = errors.New("its name is no C identifier")
