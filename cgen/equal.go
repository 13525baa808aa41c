package cgen

import (
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
)

// maxNesting bounds how deep braces and parentheses nest in what is printed.
// clang stops at 256 (-fbracket-depth), a real kernel stays under 10.
const maxNesting = 200

var errNesting = fmt.Errorf("anonymous types or function prototypes are nested more than %d deep", maxNesting)

var errTooMuch = errors.New("its anonymous types repeat each other so often that the header would be far larger than the BTF")

// equality decides which types of the same name are the same. A reference to
// a named type is compared by that name; where the name itself is ambiguous,
// by the label of the type it refers to. Labels start as equal for all types
// of a name and class, and are refined by the types' contents, round by round,
// until no more types are told apart. They depend on contents alone, not on
// type IDs, and serve to order types of the same name too.
//
// That is the coarsest bisimulation, computed as by Paige and Tarjan's naive
// method: the ambiguous types of a kernel are few, and the budget ends the
// rounds for blobs made to need many.
type equality struct {
	view   *btfdump.View
	label  map[btfdump.TypeID]hash // of ambiguous types
	enums  map[btfdump.TypeID]hash // contents: each is hashed once
	budget int                     // remaining steps
}

// refine computes the labels of groups of ambiguous types.
func (e *equality) refine(groups [][]named) error {
	e.label, e.enums = make(map[btfdump.TypeID]hash), make(map[btfdump.TypeID]hash)
	for _, g := range groups {
		for _, n := range g {
			e.label[n.id] = e.nameLabel(n.id)
		}
	}
	classes := 0
	for {
		next := make(map[btfdump.TypeID]hash, len(e.label))
		distinct := make(map[hash]struct{})
		for _, g := range groups {
			for _, n := range g {
				h := e.label[n.id]
				if e.budget--; e.budget < 0 {
					return typeError(e.view.Type(n.id), errTooMuch)
				}
				if !n.fwd { // a declaration has no contents; it is settled by name
					content, err := e.content(e.view.Type(n.id))
					if err != nil {
						return typeError(e.view.Type(n.id), err)
					}
					h = h.word(uint64(content))
				}
				next[n.id] = h
				distinct[h] = struct{}{}
			}
		}
		if len(distinct) == classes {
			return nil
		}
		classes = len(distinct)
		e.label = next
		e.shareForward(groups)
	}
}

// shareForward gives a forward declaration the label of the only definition
// that it can stand for, so that pointers to the two count as equal.
func (e *equality) shareForward(groups [][]named) {
	for _, g := range groups {
		for _, c := range []class{classStruct, classUnion} {
			var label hash
			one := true
			for _, n := range g {
				if n.class == c && !n.fwd {
					one = one && (label == 0 || label == e.label[n.id])
					label = e.label[n.id]
				}
			}
			if label == 0 || !one {
				continue
			}
			for _, n := range g {
				if n.class == c && n.fwd {
					e.label[n.id] = label
				}
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
		h = h.string(m.Name).word(uint64(m.BitOffset)<<32 | uint64(m.BitSize)).word(uint64(ref))
	}
	return h, nil
}

// reference hashes the expression by which a declaration refers to a type, up
// to and including the first name on each path.
func (e *equality) reference(id btfdump.TypeID, depth int) (hash, error) {
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
			label, ok := e.label[id]
			if !ok {
				label = e.nameLabel(id)
				e.budget -= len(t.Name()) / 64
			}
			return h.word(uint64(label)), nil
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
			h = h.string(t.Name())
		case k == btfdump.KindInt || k == btfdump.KindFloat:
			return h.string(t.Name()).word(uint64(t.Size())).word(uint64(t.IntEncoding())), nil
		case t.Ref() == 0 && k != btfdump.KindPtr && !k.IsModifier():
			return h, nil
		}
		id = t.Ref()
	}
}

// enum returns enumContent, which is not paid for from the budget, from a cache.
func (e *equality) enum(t btfdump.Type) hash {
	h, ok := e.enums[t.ID()]
	if !ok {
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
