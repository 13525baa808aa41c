package core

import (
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
)

// match finds in a kernel's type what a relocation has found in the object's.
// It returns nil if that has none.
func (c *comparer) match(local *spec, kind RelocationKind, candidate btfdump.TypeID) (*spec, error) {
	s := &spec{view: c.target, root: candidate}
	switch {
	case kind == TypeMatches:
		return found(s)(c.matches(local.root, candidate, false, maxDepth))
	case kind.IsType():
		return found(s)(c.types(local.root, candidate, maxDepth))
	case kind.IsEnumval():
		return found(s)(c.enumerator(local, s))
	}
	id := c.target.Resolve(candidate)
	for i := range local.steps {
		step := &local.steps[i]
		if step.name != "" {
			next, ok, err := c.member(step, s, id)
			if !ok || err != nil {
				return nil, err
			}
			id = c.target.Resolve(next)
			continue
		}
		if i > 0 { // the first step's element is the root itself
			t := c.target.Type(id)
			if t.Kind() != btfdump.KindArray || step.Index >= t.ArrayLen() && !flexible(c.target, s.last(), t) {
				return nil, nil
			}
			id = c.target.Resolve(t.Ref())
		}
		size, ok := sizeOf(c.target, id)
		if !ok {
			return nil, fmt.Errorf("type %d of the kernel (%s %+.80q) has no size", id, c.target.Type(id).Kind(), c.target.Type(id).Name())
		}
		if len(s.raw)+s.lost == maxPath {
			return nil, errTooDeep
		}
		s.element(id, step.Index, size)
	}
	return s, nil
}

// found returns what to do with the answer of a comparison: s if it is yes.
func found(s *spec) func(bool, error) (*spec, error) {
	return func(ok bool, err error) (*spec, error) {
		if !ok || err != nil {
			return nil, err
		}
		return s, nil
	}
}

// enumerator makes the step to the enumerator of the same name.
func (c *comparer) enumerator(local, s *spec) (bool, error) {
	t := c.target.Type(c.target.Resolve(s.root))
	if !t.Kind().IsEnum() {
		return false, nil
	}
	want := EssentialName(local.steps[0].name)
	for i, e := range t.Enumerators() {
		if err := c.spend(); err != nil {
			return false, err
		}
		if EssentialName(e.Name) == want {
			step := Step{t.ID(), uint32(i)}
			s.raw = append(s.raw, step)
			s.steps = append(s.steps, namedStep{step, e.Name})
			return true, nil
		}
	}
	return false, nil
}

// member makes the steps to the member of the same name, which may be in a
// member without a name. The first of that name decides, also where its type is
// another: of the record, or of the member without a name. What is found behind
// that has the offset of the one that did not fit added to its own, and a step
// less is left to it, as in libbpf (bpf_core_match_member in relo_core.c).
func (c *comparer) member(local *namedStep, s *spec, id btfdump.TypeID) (next btfdump.TypeID, ok bool, err error) {
	t := c.target.Type(c.target.Resolve(id))
	if !t.Kind().IsRecord() {
		return 0, false, nil
	}
	for i := range t.NumMembers() {
		if err := c.spend(); err != nil {
			return 0, false, err
		}
		if len(s.raw)+s.lost == maxPath {
			return 0, false, errTooDeep
		}
		m := memberOf(c.target, t, i)
		if m.Name != "" && m.Name != local.name {
			continue
		}
		step := Step{t.ID(), uint32(i)}
		s.raw = append(s.raw, step)
		s.bitOffset += uint64(m.BitOffset)
		if m.Name != "" {
			type_ := c.local.Type(local.Type).Member(int(local.Index)).Type
			if ok, err = c.fields(type_, m.Type); ok {
				s.steps = append(s.steps, namedStep{step, m.Name})
			} else {
				s.raw = s.raw[:len(s.raw)-1]
				s.lost++
			}
			return m.Type, ok, err
		}
		next, ok, err := c.member(local, s, m.Type)
		if ok || err != nil {
			return next, ok, err
		}
		s.raw = s.raw[:len(s.raw)-1]
		s.bitOffset -= uint64(m.BitOffset)
	}
	return 0, false, nil
}
