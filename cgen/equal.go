package cgen

import (
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// maxNesting bounds how deep braces and parentheses nest in what is printed.
// clang stops at 256 (-fbracket-depth), and with prototypes at 127; a real kernel
// stays under 10.
const maxNesting = 120

var errNesting = fmt.Errorf("anonymous types or function prototypes are nested more than %d deep", maxNesting)

var errTooMuch = errors.New("the types without a name that it is made of are so many, or repeat each other so often, that the header would be far larger than the BTF")

// equality decides which types of the same name are the same. A reference to
// a named type is compared by that name; where the name itself is ambiguous,
// by the label of the type it refers to. Labels start as equal for all types
// of a name and class, and are refined by the types' contents, round by round,
// until no more types are told apart. They depend on contents alone, not on
// type IDs, and serve to order types of the same name too.
//
// That is the coarsest bisimulation, computed as by Paige and Tarjan's naive
// method. A kernel with all of its modules has some 800,000 ambiguous types and
// takes 20 rounds, but most are copies of each other: so copies are found first,
// by a faster method that gives no labels (see [equality.partition]), and only
// one of each is labelled. The budget ends the rounds for blobs made to need
// many.
type equality struct {
	view   *btfdump.View
	enums  map[btfdump.TypeID]hash // contents: each is hashed once
	budget int                     // remaining steps

	types []named // the ambiguous ones
	index []int32 // by type ID: the place in types, plus 1; 0 for others
	// known are, by type ID, the hashes of references that no ambiguous type is
	// part of; 0 for others.
	known []hash
	copies
	label []hash // by class of copies; nil until there are labels
}

// maxSameName bounds how many different types of one name there can be, and how
// many enumerators of one name that are not in equal enums. Kernels with all of
// their modules have up to 46 such types.
const maxSameName = 1024

var (
	errSameName = fmt.Errorf("more than %d different types have its name: no kernel has so many, so the BTF is not one of a kernel, or damaged", maxSameName)
	errRounds   = errors.New("the types of its name differ only in types that they refer to, and these in others, on and on: no kernel has such types, so the BTF is not one of a kernel, or damaged")
)

// refine computes the labels of groups of ambiguous types.
func (e *equality) refine(groups [][]named) error {
	count := 0
	for _, g := range groups {
		count += len(g)
	}
	e.types, e.index = make([]named, 0, count), hugepages.Make[int32](e.view.NumTypes())
	e.known = hugepages.Make[hash](e.view.NumTypes())
	for _, g := range groups {
		for _, t := range g {
			e.types = append(e.types, t)
			e.index[t.id] = int32(len(e.types))
		}
	}
	if err := e.readContents(); err != nil {
		return err
	}
	if err := e.partition(groups); err != nil {
		return err
	}
	return e.labelCopies(groups)
}

// labelOf returns the label of a type that refine was given.
func (e *equality) labelOf(id btfdump.TypeID) hash { return e.label[e.class[e.index[id]-1]] }

// labelCopies computes the labels of the classes of copies, by one type of each.
func (e *equality) labelCopies(groups [][]named) error {
	var firsts []int32 // the first of each class, group by group
	var ends []int     // of groups in firsts
	seen := make([]bool, len(e.size))
	at := int32(0)
	for _, g := range groups {
		start := len(firsts)
		for range g {
			if c := e.class[at]; !seen[c] {
				seen[c] = true
				firsts = append(firsts, at)
			}
			at++
		}
		if len(firsts)-start > maxSameName {
			return typeError(e.view.Type(g[0].id), errSameName)
		}
		ends = append(ends, len(firsts))
	}
	label := make([]hash, len(e.size))
	for _, i := range firsts {
		label[e.class[i]] = e.nameLabel(e.types[i].id)
	}
	e.label = label
	next := make([]hash, len(label))
	distinct := make(map[hash]struct{})
	for classes := 0; ; classes = len(distinct) {
		clear(distinct)
		for _, i := range firsts {
			t := e.types[i]
			h := e.label[e.class[i]]
			e.budget--
			if !t.fwd { // a declaration has no contents; it is settled by name
				content := e.contents[i]
				var err error
				if len(e.refsOf(i)) > 0 {
					content, err = e.content(e.view.Type(t.id))
				}
				if err != nil || e.budget < 0 { // it has been read once
					return typeError(e.view.Type(t.id), errRounds)
				}
				h = h.word(uint64(content))
			}
			next[e.class[i]] = h
			distinct[h] = struct{}{}
		}
		if len(distinct) == classes {
			return nil
		}
		e.label, next = next, e.label
		start := 0
		for _, end := range ends {
			e.shareForward(firsts[start:end])
			start = end
		}
	}
}

// shareForward gives a forward declaration the label of the only definition
// that it can stand for, so that pointers to the two count as equal. It is given
// types of one name.
func (e *equality) shareForward(firsts []int32) {
	for _, c := range []class{classStruct, classUnion} {
		var label hash
		one := true
		for _, i := range firsts {
			if t := e.types[i]; t.class == c && !t.fwd {
				one = one && (label == 0 || label == e.label[e.class[i]])
				label = e.label[e.class[i]]
			}
		}
		if label == 0 || !one {
			continue
		}
		for _, i := range firsts {
			if t := e.types[i]; t.class == c && t.fwd {
				e.label[e.class[i]] = label
			}
		}
	}
}

func (e *equality) nameLabel(id btfdump.TypeID) hash {
	t := e.view.Type(id)
	return hashSeed.word(uint64(classOf(t))).string(t.Name())
}

// content hashes what a named type's declaration says.
func (e *equality) content(t btfdump.Type) (hash, error) {
	switch k := t.Kind(); {
	case k.IsRecord():
		return e.record(t, 0)
	case k.IsEnum():
		return e.enum(t), nil
	default:
		return e.reference(t.Ref(), 0)
	}
}

func (e *equality) record(t btfdump.Type, depth int) (hash, error) {
	h := hashSeed.word(uint64(t.Kind())).word(uint64(t.Size()))
	for _, m := range t.Members() {
		ref, err := e.reference(m.Type, depth)
		if err != nil {
			return 0, err
		}
		e.budget -= len(m.Name) / 64
		h = h.string(m.Name).word(uint64(m.BitOffset)<<32 | uint64(m.BitSize)).word(uint64(ref))
	}
	return h, nil
}

// reference hashes the expression by which a declaration refers to a type, up
// to and including the first name on each path.
func (e *equality) reference(id btfdump.TypeID, depth int) (hash, error) {
	if e.known == nil {
		return e.referenceAnew(id, depth)
	}
	if h := e.known[id]; h != 0 {
		e.budget--
		return h, nil
	}
	refs := len(e.refs)
	h, err := e.referenceAnew(id, depth)
	if err == nil && e.label == nil && len(e.refs) == refs {
		e.known[id] = h
	}
	return h, err
}

// referenceAnew is reference for types of which it is not known.
func (e *equality) referenceAnew(id btfdump.TypeID, depth int) (hash, error) {
	if depth > maxNesting {
		return 0, errNesting
	}
	h := hashSeed
	for {
		if e.budget--; e.budget < 0 {
			return 0, errTooMuch
		}
		t := e.view.Type(id)
		if classOf(t) != classNone && t.HasName() {
			return h.word(uint64(e.named(t))), nil
		}
		k := t.Kind()
		h = h.word(uint64(k))
		switch {
		case k == btfdump.KindVoid:
			return h, nil
		case k.IsRecord():
			inner, err := e.record(t, depth+1)
			return h.word(uint64(inner)), err
		case k.IsEnum():
			return h.word(uint64(e.enum(t))), nil
		case k == btfdump.KindFuncProto:
			for _, p := range t.Params() {
				ref, err := e.reference(p.Type, depth+1)
				if err != nil {
					return 0, err
				}
				h = h.word(uint64(ref))
			}
		case k == btfdump.KindArray:
			h = h.word(uint64(t.ArrayLen()))
		case k == btfdump.KindTypeTag:
			e.budget -= len(t.Name()) / 64
			h = h.string(t.Name())
		case k == btfdump.KindInt || k == btfdump.KindFloat:
			return h.string(t.Name()).word(uint64(t.Size())).word(uint64(t.IntEncoding())), nil
		case t.Ref() == 0 && k != btfdump.KindPtr && !k.IsModifier():
			return h, nil
		}
		id = t.Ref()
	}
}

// named returns what stands for a type with a name in the content of one that
// refers to it.
func (e *equality) named(t btfdump.Type) hash {
	if e.index != nil {
		if i := e.index[t.ID()]; i != 0 {
			if e.label != nil {
				return e.label[e.class[i-1]]
			}
			e.refs = append(e.refs, i-1)
			return 0
		}
	}
	e.budget -= len(t.Name()) / 64
	return e.nameLabel(t.ID())
}

// enum returns enumContent, which is not paid for from the budget, from a cache.
func (e *equality) enum(t btfdump.Type) hash {
	h, ok := e.enums[t.ID()]
	if !ok {
		if e.enums == nil {
			e.enums = make(map[btfdump.TypeID]hash)
		}
		h = enumContent(t)
		e.enums[t.ID()] = h
	}
	return h
}

// enumContent hashes the values of an enum.
func enumContent(t btfdump.Type) hash {
	h := hashSeed.word(uint64(t.Size()))
	if t.Signed() {
		h = h.word(1)
	}
	for i := range t.NumEnumerators() {
		e := t.Enumerator(i)
		h = h.string(e.Name).word(e.Value)
	}
	return h
}
