package cgen

import (
	"github.com/btfgen/btfgen/btfdump"
)

// Options shape a header.
type Options struct {
	// Kfuncs adds the prototypes of kernel functions that programs may call.
	Kfuncs bool
	// Members are those that records keep, by the IDs of their own records;
	// padding takes the place of the others. nil stands for all of them. The set
	// of types to be declared must hold what these need, as the one made by
	// [btfdump.View.ClosureOf] does, and equal records of one name must keep the
	// same.
	Members *btfdump.MemberSet
	// Workers is the number of goroutines that print; 0 means one a core.
	// It does not change what is printed.
	Workers int

	// SPDX is the licence identifier for the header's first line, "" for none.
	SPDX string
	// NoProvenance leaves out the comment that says what made the header.
	NoProvenance bool
	// Version, Release and Flags are told in that comment: btfgen's version,
	// the kernel's release if it is known, and the flags that shaped the
	// header. They must be printable; other characters are replaced.
	Version, Release string
	Flags            []string
	// LeftOut is told there too, if it is not 0: how many things the view lacks
	// that [Printable] has left out.
	LeftOut int
}

// DeclKind says what a declaration is.
type DeclKind uint8

// The kinds of declarations.
const (
	DeclForward  DeclKind = iota // struct foo;
	DeclRecord                   // struct foo { … };
	DeclEnum                     // enum foo { … };
	DeclTypedef                  // typedef … foo;
	DeclFunction                 // extern … foo(…);
)

// Decl is one declaration of a header.
type Decl struct {
	Kind DeclKind
	ID   btfdump.TypeID
}

// Plan is what a header declares, in which order, and under which names. It is
// complete before a byte is printed, so that a declaration's text depends on
// nothing else. A Plan is immutable and safe for concurrent use.
type Plan struct {
	view   *btfdump.View
	opts   Options
	naming *naming
	target btfdump.Target
	styles []recordStyle // by type ID, for records and what members are of
	// unwritable are the records that C can't express.
	unwritable map[btfdump.TypeID]error
	// reordered are the members, in the order of their places, of the records
	// that list them in another one.
	reordered map[btfdump.TypeID][]int
	hoisted   map[btfdump.TypeID]string

	decls []Decl // in the order of printing, functions last
}

// NewPlan decides what a header of the types in set declares; nil stands for
// all types of the view. The set must hold what its types need, as those made
// by [btfdump.View.Closure] do. An error is a *[TypeError] that names the type
// which C can't express.
func NewPlan(v *btfdump.View, set *btfdump.Set, opts Options) (*Plan, error) {
	n, err := newNaming(v)
	if err != nil {
		return nil, err
	}
	p := &Plan{view: v, opts: opts, naming: n, target: abi(v)}
	styles := make(chan struct{})
	go func() {
		defer close(styles)
		p.decideStyles()
	}()
	err = p.order(set)
	<-styles
	if err != nil {
		return nil, err
	}
	for _, d := range p.decls {
		if d.Kind == DeclRecord {
			if _, err := p.style(d.ID); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// Decls returns the declarations in the order in which they are printed. The
// slice must not be changed.
func (p *Plan) Decls() []Decl { return p.decls }

// Name returns the C name by which the header refers to a named type: its own,
// or with a suffix where another type has that. It is "" for types that have
// no name in the header.
func (p *Plan) Name(id btfdump.TypeID) string {
	id = p.naming.canon[id]
	if name, ok := p.hoisted[id]; ok {
		return name
	}
	return p.naming.name(id)
}

// Canonical returns the type that the header declares in place of the given
// one: another if the BTF has several equal ones of the same name.
func (p *Plan) Canonical(id btfdump.TypeID) btfdump.TypeID { return p.naming.canon[id] }
