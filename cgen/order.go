package cgen

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// order finds the order of declarations. C wants
//
//   - an enum before it is mentioned: C has no forward declaration of enums.
//     Enums need nothing themselves, so all come first, sorted by name;
//   - a typedef before it is mentioned, even behind a pointer;
//   - a record before it is a member or an array's element. For
//     "struct a { struct b *p; }" the order does not matter, and it must not:
//     b may hold a by value;
//   - a record's tag before a function prototype mentions it, or else the tag
//     would be the prototype's own. A forward declaration does, where neither
//     the definition nor another mention comes before.
//
// The rest is a depth-first walk over typedefs and records sorted by name: each
// is declared once all that it needs has been. So the order depends on names
// and contents, and never on type IDs.
func (p *Plan) order(set *btfdump.Set) error {
	o := orderer{
		Plan:   p,
		set:    set,
		state:  fresh[uint8](p.view.NumTypes()),
		tags:   p.view.NewSet(),
		uses:   make(map[btfdump.TypeID]int),
		known:  [2]*btfdump.Set{p.view.NewSet(), p.view.NewSet()},
		budget: budget(p.view),
	}
	o.out = make([]Decl, 0, len(p.naming.all.named))
	for _, e := range p.naming.all.named {
		id := p.naming.canon[e.id]
		if e.class == classEnum || !o.wanted(e) || e.fwd && p.view.Type(id).Kind() != btfdump.KindFwd {
			continue
		}
		if err := o.visit(id); err != nil {
			return err
		}
	}
	if p.opts.Kfuncs {
		for _, k := range p.naming.kfuncs {
			if set == nil || set.Has(k.id) {
				if err := o.visit(k.id); err != nil {
					return err
				}
			}
		}
	}
	p.decls = append(o.enums(), o.out...)
	p.decls = append(p.decls, o.functions...)
	return nil
}

// orderer is the state of the walk.
type orderer struct {
	*Plan
	set       *btfdump.Set
	state     []uint8      // by type ID: how far its declaration is
	tags      *btfdump.Set // records whose tag has been used or declared
	uses      map[btfdump.TypeID]int
	out       []Decl
	functions []Decl
	budget    int
	// known are types of which nothing is left to collect: where they stand
	// behind a pointer, and where their size must be known.
	known  [2]*btfdump.Set
	bodies int // how often walk has met something that counts each time it is printed

	// What the declarations being visited need and mention, those of the
	// innermost at the end: two stacks instead of two slices for each.
	needs    []btfdump.TypeID
	mentions []mention
	frames   []frame
}

const (
	unseen uint8 = iota
	open         // being visited
	done
)

// mention is a record whose tag is used where no definition is needed.
type mention struct {
	id          btfdump.TypeID
	inPrototype bool
}

// frame is a declaration being visited.
type frame struct {
	id       btfdump.TypeID
	need     int // index in needs of the next one
	mentions int // index of its first in mentions
	start    int // index of its first in needs
}

// wanted reports whether a named type is to be declared: in the set, itself or
// in the shape of a type equal to it.
func (o *orderer) wanted(e named) bool { return o.set == nil || o.set.Has(e.id) }

var errNeedsItself = errors.New("its declaration needs itself in a way that C can't write")

// visit declares a type after all that it needs. It keeps its own stack, as a
// chain of types can be as long as the BTF.
func (o *orderer) visit(id btfdump.TypeID) error {
	if s := o.state[id]; s == done {
		return nil
	}
	if err := o.open(id); err != nil {
		return err
	}
	for len(o.frames) > 0 {
		f := &o.frames[len(o.frames)-1]
		if f.need < len(o.needs) {
			next := o.needs[f.need]
			f.need++
			switch o.state[next] {
			case done:
			case open:
				return typeError(o.view.Type(next), errNeedsItself)
			default:
				if err := o.open(next); err != nil {
					return err
				}
			}
			continue
		}
		o.close(*f)
		o.needs, o.mentions = o.needs[:f.start], o.mentions[:f.mentions]
		o.frames = o.frames[:len(o.frames)-1]
	}
	return nil
}

// open starts a declaration: it collects what it needs and mentions.
func (o *orderer) open(id btfdump.TypeID) error {
	o.frames = append(o.frames, frame{
		id: id, need: len(o.needs), start: len(o.needs), mentions: len(o.mentions),
	})
	o.state[id] = open
	t := o.view.Type(id)
	var err error
	switch k := t.Kind(); {
	case k.IsRecord():
		err = o.members(t, use{})
	case k == btfdump.KindTypedef:
		err = o.walk(t.Ref(), use{})
	case k == btfdump.KindFunc:
		err = o.walk(t.Ref(), use{})
	}
	if err != nil {
		return typeError(t, err)
	}
	return nil
}

// close puts a declaration out, after forward declarations of the tags that it
// can't be the first to mention.
func (o *orderer) close(f frame) {
	t := o.view.Type(f.id)
	o.state[f.id] = done
	for _, m := range o.mentions[f.mentions:] {
		if m.id != f.id && o.tags.Add(m.id) && m.inPrototype {
			o.out = append(o.out, Decl{DeclForward, m.id})
		}
	}
	switch k := t.Kind(); k {
	case btfdump.KindFwd:
		o.out = append(o.out, Decl{DeclForward, f.id})
	case btfdump.KindFunc:
		o.functions = append(o.functions, Decl{DeclFunction, f.id})
	case btfdump.KindTypedef:
		o.out = append(o.out, Decl{DeclTypedef, f.id})
	default:
		o.tags.Add(f.id)
		o.out = append(o.out, Decl{DeclRecord, f.id})
	}
}

// maxArray returns the size in bytes from which on compilers refuse an array: that
// for BPF, and that by which the header of a 32-bit kernel is verified.
func maxArray(v *btfdump.View) uint64 {
	if v.PointerSize() == 4 {
		return 1 << 32
	}
	return 1 << 61
}

// use says where in a declaration an expression stands.
type use struct {
	complete    bool // the type's size must be known
	inPrototype bool // among a function's parameters
	depth       int  // of braces and parentheses
}

var (
	errArrayOfFunctions  = errors.New("array of functions")
	errReturnsNoObject   = errors.New("function that returns an array or a function")
	errVoidParam         = errors.New("function with a parameter that is void")
	errVoidValue         = errors.New("member or array element that is void, as rustc's char is")
	errArrayTooLarge     = errors.New("array of 2^61 bytes or more, or 2^32 in a 32-bit kernel")
	errNoName            = errors.New("typedef or forward declaration without a name")
	errIncompleteElement = errors.New("array of a record that is only declared")
)

// walk collects what the expression for a type needs and mentions. It visits
// each layer as often as it will be printed, and so bounds what is printed. Once
// nothing has been found, as all has been declared, nothing will be.
func (o *orderer) walk(id btfdump.TypeID, u use) error {
	known := o.known[0]
	if u.complete {
		known = o.known[1]
	}
	if known.Has(id) {
		if o.budget--; o.budget < 0 {
			return errTooMuch
		}
		return nil
	}
	needs, mentions, bodies := len(o.needs), len(o.mentions), o.bodies
	if err := o.walkAnew(id, u); err != nil {
		return err
	}
	if len(o.needs) == needs && len(o.mentions) == mentions && o.bodies == bodies {
		known.Add(id)
	}
	return nil
}

// walkAnew is walk for types that are not known.
func (o *orderer) walkAnew(id btfdump.TypeID, u use) error {
	if u.depth > maxNesting {
		return errNesting
	}
	pointed := false // the declarator ends in a pointer, which takes parentheses
	parens := 0
	for {
		if o.budget--; o.budget < 0 {
			return errTooMuch
		}
		id = o.naming.canon[id]
		t := o.view.Type(id)
		if u.complete && o.view.Resolve(id) == 0 {
			return errVoidValue
		}
		if k := t.Kind(); pointed && (k == btfdump.KindArray || k == btfdump.KindFuncProto) {
			if parens++; u.depth+parens > maxNesting {
				return errNesting
			}
			pointed = false
		}
		switch t.Kind() {
		case btfdump.KindVoid, btfdump.KindInt, btfdump.KindFloat:
			return nil
		case btfdump.KindPtr:
			u.complete, pointed = false, true
			id = t.Ref()
		case btfdump.KindConst, btfdump.KindVolatile, btfdump.KindRestrict, btfdump.KindTypeTag:
			id = t.Ref()
		case btfdump.KindArray:
			if o.view.SizeOf(id) >= maxArray(o.view) {
				return errArrayTooLarge
			}
			u.complete = true // even behind a pointer
			id = t.Ref()
		case btfdump.KindTypedef:
			if !t.HasName() {
				return errNoName
			}
			o.need(id)
			if u.complete {
				o.needTarget(id)
			}
			return nil
		case btfdump.KindStruct, btfdump.KindUnion:
			if !t.HasName() {
				o.bodies++
				u.depth++
				return o.members(t, u)
			}
			if u.complete {
				o.need(id)
			} else {
				o.mention(id, u)
			}
			return nil
		case btfdump.KindFwd:
			switch {
			case u.complete:
				return errIncompleteElement
			case !t.HasName():
				return errNoName
			}
			o.need(id) // the only declaration it will have
			return nil
		case btfdump.KindEnum, btfdump.KindEnum64:
			if !t.HasName() {
				if t.IsForward() {
					return errNoName
				}
				o.bodies++
				o.uses[id]++
				if u.inPrototype { // whose scope it would be confined to
					o.uses[id]++
				}
			}
			return nil
		case btfdump.KindFuncProto:
			if u.complete {
				return errArrayOfFunctions
			}
			o.bodies++
			outside := 0 // parentheses that are around the parameters
			if t.NumParams() > 0 {
				outside = o.parens(t.Ref())
			}
			for i := range t.NumParams() {
				param := t.Param(i).Type
				if (param != 0 || i+1 < t.NumParams()) && o.view.Resolve(param) == 0 {
					return errVoidParam
				}
				if err := o.walk(param, use{inPrototype: true, depth: u.depth + 1 + outside}); err != nil {
					return err
				}
			}
			switch o.view.Type(o.view.Resolve(t.Ref())).Kind() {
			case btfdump.KindArray, btfdump.KindFuncProto:
				return errReturnsNoObject
			}
			id = t.Ref()
		default:
			return errUnknownKind
		}
	}
}

// parens returns how many pairs of parentheses a type puts around a declarator, up
// to one more than there may be.
func (o *orderer) parens(id btfdump.TypeID) (n int) {
	for pointed := false; n <= maxNesting; {
		t := o.view.Type(id)
		switch k := t.Kind(); {
		case k == btfdump.KindPtr:
			pointed = true
		case k == btfdump.KindFuncProto && !pointed:
			return n // C has no function that returns one
		case k == btfdump.KindArray, k == btfdump.KindFuncProto:
			if pointed {
				n++
			}
			pointed = false
		case k.IsModifier() && k != btfdump.KindTypedef:
		default:
			return n
		}
		id = t.Ref()
	}
	return n
}

var errUnknownKind = errors.New("it refers to a type of a kind that this version of btfgen does not know")

// members walks the members of a record whose body is printed.
func (o *orderer) members(t btfdump.Type, u use) error {
	if u.depth > maxNesting {
		return errNesting
	}
	var err error
	i := -1
	for m, named := range t.Places() {
		if i++; !o.opts.Members.Has(t.ID(), i) {
			continue
		}
		if o.budget--; o.budget < 0 {
			err = errTooMuch
		} else if named {
			if !o.known[1].Has(m.Type) {
				err = o.walk(m.Type, use{complete: true, inPrototype: u.inPrototype, depth: u.depth})
			}
		} else if inner := o.view.Type(o.view.Resolve(m.Type)); inner.Kind().IsRecord() {
			// printed as a body even if it has a name; see printer.unnamed
			err = o.members(inner, use{inPrototype: u.inPrototype, depth: u.depth + 1})
		}
		if err != nil {
			break
		}
	}
	return err
}

func (o *orderer) need(id btfdump.TypeID) {
	if o.state[id] != done {
		o.needs = append(o.needs, id)
	}
}

// needTarget needs the record that a typedef stands for, also by way of arrays.
func (o *orderer) needTarget(id btfdump.TypeID) {
	for {
		id = o.naming.canon[o.view.Resolve(id)]
		t := o.view.Type(id)
		if t.Kind() != btfdump.KindArray {
			if t.Kind().IsRecord() && t.HasName() {
				o.need(id)
			}
			return
		}
		id = t.Ref()
	}
}

func (o *orderer) mention(id btfdump.TypeID, u use) {
	if !o.tags.Has(id) {
		o.mentions = append(o.mentions, mention{id, u.inPrototype})
	}
}

// enums returns the declarations of enums: the named ones by name, then the
// anonymous ones by their first enumerator. Anonymous enums that only one
// declaration uses are printed there. Those that several use get a tag, as a
// second copy would define the enumerators again, and so do those without
// enumerators, which C can't write without one.
func (o *orderer) enums() []Decl {
	var decls []Decl
	for _, e := range o.naming.all.named {
		if e.class == classEnum && o.wanted(e) && o.state[o.naming.canon[e.id]] == unseen {
			o.state[o.naming.canon[e.id]] = done
			decls = append(decls, Decl{DeclEnum, o.naming.canon[e.id]})
		}
	}
	type anonymousEnum struct {
		first string // enumerator
		id    btfdump.TypeID
	}
	var anonymous []anonymousEnum
	for _, id := range o.naming.all.enums {
		if o.view.Type(id).HasName() || o.set != nil && !o.set.Has(id) {
			continue
		}
		id = o.naming.canon[id]
		empty := o.view.Type(id).NumEnumerators() == 0
		if o.state[id] != unseen || o.uses[id] == 1 && id != o.naming.boolEnum && !empty || o.uses[id] == 0 && empty {
			continue
		}
		o.state[id] = done
		first := ""
		if !empty {
			first = o.view.Type(id).Enumerator(0).Name
		}
		anonymous = append(anonymous, anonymousEnum{first, id})
	}
	slices.SortFunc(anonymous, func(a, b anonymousEnum) int {
		if c := strings.Compare(a.first, b.first); c != 0 {
			return c
		}
		return cmp.Compare(enumContent(o.view.Type(a.id)), enumContent(o.view.Type(b.id)))
	})
	o.hoisted = make(map[btfdump.TypeID]string)
	for _, e := range anonymous {
		if o.uses[e.id] > 0 {
			o.hoisted[e.id] = o.naming.tagFor(o.view.Type(e.id))
		}
		decls = append(decls, Decl{DeclEnum, e.id})
	}
	return decls
}
