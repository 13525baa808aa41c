package cgen

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// Print returns the header that the plan describes. Declarations are printed
// by several goroutines, each some consecutive ones, so the order of the plan
// is that of the output. An error is a *[TypeError]: a name in the BTF is no
// C identifier, or a value does not fit its type.
func (p *Plan) Print() ([]byte, error) {
	types := p.decls
	for len(types) > 0 && types[len(types)-1].Kind == DeclFunction {
		types = types[:len(types)-1]
	}
	functions := p.decls[len(types):]
	o := output{text: hugepages.Make[byte](headroom + p.sizeHint())[:headroom]}
	if err := p.printAll(types, &o); err != nil {
		return nil, err
	}
	if len(functions) > 0 {
		o.text = append(o.text, kfuncsTop...)
		if err := p.printAll(functions, &o); err != nil {
			return nil, err
		}
		o.text = append(o.text, kfuncsBottom...)
	}
	return p.finish(&o), nil
}

// sizeHint estimates the header's length: in full headers of kernels, some 24
// bytes a type.
func (p *Plan) sizeHint() int { return 26*p.view.NumTypes() + 16<<10 }

// chunkSize is how many declarations a goroutine prints before it takes more:
// few enough that both cores end together, enough that taking them costs nothing.
const chunkSize = 128

// printAll prints declarations in chunks and appends those to o in order.
func (p *Plan) printAll(decls []Decl, o *output) error {
	count := (len(decls) + chunkSize - 1) / chunkSize
	o.begin(count)
	errs := make([]error, count)
	workers := p.opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var printed atomic.Int64
	limit := int64(maxHeader(p.view))
	for range min(workers, count) {
		wg.Go(func() {
			pr := printer{Plan: p, limit: int(limit), refs: fresh[reference](numReferences)}
			for {
				i := int(next.Add(1)) - 1
				if i >= count || printed.Load() > limit {
					o.note(&pr.used)
					return
				}
				pr.out = o.buffer()
				errs[i] = pr.chunk(decls[i*chunkSize : min((i+1)*chunkSize, len(decls))])
				switch {
				case errs[i] == nil:
					printed.Add(int64(len(pr.out)))
				case errors.Is(errs[i], errTooMuch):
					printed.Add(limit + 1)
					fallthrough
				default: // start afresh: it may have stopped anywhere
					pr = printer{Plan: p, limit: int(limit), refs: pr.refs, out: pr.out[:0], used: pr.used}
				}
				o.put(i, pr.out, !p.opts.NoProvenance)
			}
		})
	}
	wg.Wait()
	if printed.Load() > limit { // whichever chunk met it
		return p.tooLarge(decls)
	}
	for _, err := range errs { // the first in the order of the output, whoever met it first
		if err != nil {
			return err
		}
	}
	return nil
}

// tooLarge returns the error that declarations have too much text, with the type
// at which it becomes so when they are printed one after the other.
func (p *Plan) tooLarge(decls []Decl) error {
	pr := printer{Plan: p, limit: maxHeader(p.view), refs: fresh[reference](numReferences)}
	for _, d := range decls {
		if err := pr.chunk([]Decl{d}); err != nil && !errors.Is(err, errTooMuch) {
			return err
		} else if err != nil || len(pr.out) > pr.limit {
			return typeError(p.view.Type(d.ID), errTooLarge)
		}
	}
	return errTooLarge
}

// printer writes declarations as C.
type printer struct {
	// Configuration, fixed.
	*Plan
	limit int // of len(out), in bytes

	// Current state.
	out     []byte
	indent  int
	layers  []layer   // of the declarators being printed, the outermost first
	members memberSet // of the record being printed
	unit    uint64    // the longest bitfield for padding in it, in bits; 0: no limit
	spare   []memberSet
	shadows shadows
	refs    references // of what has been printed
	bodies  int        // records and enums printed with their body so far
	// prototypes is how many prototypes' parameters are being printed.
	prototypes int
	used       used  // by what has been printed so far
	err        error // the first one; what is printed after it is not used
}

// chunk appends declarations to p.out.
func (p *printer) chunk(decls []Decl) error {
	for _, d := range decls {
		t := p.view.Type(d.ID)
		p.shadows.reset()
		switch d.Kind {
		case DeclForward:
			p.text(tagKeyword(t), " ", p.name(d.ID), ";\n")
		case DeclRecord:
			p.record(t)
		case DeclEnum:
			p.enum(t)
		case DeclTypedef:
			p.typedef(t)
		case DeclFunction:
			p.function(t)
		}
		if p.err != nil {
			var inside *TypeError
			if errors.As(p.err, &inside) {
				return inside
			}
			return typeError(t, p.err)
		}
	}
	return nil
}

func (p *printer) text(parts ...string) {
	for _, s := range parts {
		p.out = append(p.out, s...)
	}
}

// maxHeader bounds the text of all types, and that of all functions, in bytes.
// A kernel's is half as long as its BTF. But names that are stored once can be
// printed often. The constant is for small BTF with as many types of one name as
// there may be (maxSameName), which are padded.
func maxHeader(v *btfdump.View) int { return 6*v.RawLen() + 4<<20 }

var errTooLarge = errors.New("the names and anonymous types of the BTF repeat so often that the header would be far larger than the BTF")

// checkSize fails once too much has been printed. It is called wherever a
// declaration repeats something.
func (p *printer) checkSize() {
	if len(p.out) > p.limit {
		p.fail(errTooMuch)
	}
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// room returns space for a line with one name behind what has been printed.
func (p *printer) room() []byte {
	const most = maxNesting + 2*referenceText + nameRoom
	if cap(p.out)-len(p.out) < most {
		p.out = slices.Grow(p.out, most)
	}
	return p.out[len(p.out):cap(p.out)]
}

// line starts a line.
func (p *printer) line() {
	for range p.indent {
		p.out = append(p.out, '\t')
	}
}

// name returns the C name of a named type for printing.
func (p *printer) name(id btfdump.TypeID) string {
	if p.naming.badNames != nil && p.naming.badNames.Has(id) {
		p.fail(typeError(p.view.Type(id), errName))
		return ""
	}
	return p.note(p.naming.name(id))
}

var errName = errors.New("its name is no C identifier")

// note returns a name that is going to be printed, and remembers keywords of C++.
func (p *printer) note(name string) string {
	if i := keywordCXX(name); i >= 0 {
		p.used.words[i] = true
	}
	return name
}

func tagKeyword(t btfdump.Type) string {
	switch classOf(t) {
	case classStruct:
		return "struct"
	case classUnion:
		return "union"
	}
	return "enum"
}
