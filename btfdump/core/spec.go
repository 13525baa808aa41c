package core

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// maxPath is how many steps a path may have, those through members without a
// name included, as libbpf has it (BPF_CORE_SPEC_MAX_LEN).
const maxPath = 64

// spec is a path that has been found in the types of an object or of a kernel.
type spec struct {
	view *btfdump.View
	root btfdump.TypeID
	// raw is the path with all steps, steps the part of it that has a meaning of
	// its own in C: members with a name, elements, enumerators.
	raw       []Step
	steps     []namedStep
	bitOffset uint64
	lost      int // steps that are not in raw but count for maxPath: see comparer.member
}

// namedStep is a step with the name of its member or enumerator; elements have
// none.
type namedStep struct {
	Step
	name string
}

func (s *spec) last() *namedStep { return &s.steps[len(s.steps)-1] }

// stepsOf goes along a path to a member, and says of each step whether it leads to
// a member: else it leads to an element, which may be a record too.
func stepsOf(v *btfdump.View, path []Step) iter.Seq2[Step, bool] {
	return func(yield func(Step, bool) bool) {
		var at btfdump.Type // where the steps so far lead
		for i, step := range path {
			isMember := i > 0 && at.Kind().IsRecord()
			if !yield(step, isMember) {
				return
			}
			id := step.Type
			if isMember {
				id = at.Member(int(step.Index)).Type
			}
			at = v.Type(v.Resolve(id))
		}
	}
}

// EssentialName returns the name by which types are found in a kernel: without
// the flavour, which is what follows the last "___" that stands between other
// characters.
func EssentialName(name string) string {
	for i := len(name) - 5; i >= 0; i-- {
		if name[i] != '_' && name[i+1:i+4] == "___" && name[i+4] != '_' {
			return name[:i+1]
		}
	}
	return name
}

// parseAccess reads an access string, such as "0:1:2".
func parseAccess(access string) ([]uint32, error) {
	var path []uint32
	for part := range strings.SplitSeq(access, ":") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || len(path) == maxPath {
			return nil, fmt.Errorf("access string %+.80q: want at most %d numbers with colons between them", access, maxPath)
		}
		path = append(path, uint32(n))
	}
	return path, nil
}

// localSpec finds the path of a relocation in the object's types.
func localSpec(v *btfdump.View, r *Relocation) (*spec, error) {
	path, err := parseAccess(r.Access)
	if err != nil {
		return nil, err
	}
	s := &spec{view: v, root: r.Type}
	switch {
	case r.Kind.IsType():
		if len(path) != 1 || path[0] != 0 {
			return nil, fmt.Errorf("access string %+.80q: a %s relocation has 0 there", r.Access, r.Kind)
		}
		return s, nil
	case r.Kind.IsEnumval():
		return s, s.enumerator(path)
	case r.Kind.IsField():
		return s, s.members(path)
	}
	return nil, fmt.Errorf("%s is not known", r.Kind)
}

// enumerator makes the one step to an enumerator.
func (s *spec) enumerator(path []uint32) error {
	t := s.view.Type(s.view.Resolve(s.root))
	if len(path) != 1 || !t.Kind().IsEnum() || int(path[0]) >= t.NumEnumerators() {
		return fmt.Errorf("type %d (%s %+.80q) has no such enumerator as the access string says", s.root, t.Kind(), t.Name())
	}
	step := Step{t.ID(), path[0]}
	s.raw = append(s.raw, step)
	s.steps = append(s.steps, namedStep{step, t.Enumerator(int(path[0])).Name})
	return nil
}

// members makes the steps to a member or element.
func (s *spec) members(path []uint32) error {
	id := s.view.Resolve(s.root)
	size, ok := sizeOf(s.view, id)
	if !ok {
		return fmt.Errorf("type %d (%s) has no size, and so no members", s.root, s.view.Type(s.root).Kind())
	}
	s.element(id, path[0], size)
	for _, index := range path[1:] {
		t := s.view.Type(id)
		switch {
		case t.Kind().IsRecord():
			if int(index) >= t.NumMembers() {
				return fmt.Errorf("type %d (%s %+.80q) has %d members, and the access string asks for the one with index %d", id, t.Kind(), t.Name(), t.NumMembers(), index)
			}
			m := memberOf(s.view, t, int(index))
			step := Step{id, index}
			s.raw = append(s.raw, step)
			if m.Name != "" {
				s.steps = append(s.steps, namedStep{step, m.Name})
			}
			s.bitOffset += uint64(m.BitOffset)
			id = s.view.Resolve(m.Type)
		case t.Kind() == btfdump.KindArray:
			element := s.view.Resolve(t.Ref())
			size, ok := sizeOf(s.view, element)
			if index >= t.ArrayLen() && !flexible(s.view, s.last(), t) || !ok {
				return fmt.Errorf("type %d (array of %d elements) has none with index %d", id, t.ArrayLen(), index)
			}
			s.element(element, index, size)
			id = element
		default:
			return fmt.Errorf("type %d (%s %+.80q) has no members, and the access string asks for one", id, t.Kind(), t.Name())
		}
	}
	return nil
}

// element makes a step to an element of an array.
func (s *spec) element(id btfdump.TypeID, index uint32, size uint64) {
	step := Step{id, index}
	s.raw = append(s.raw, step)
	s.steps = append(s.steps, namedStep{Step: step})
	s.bitOffset += uint64(index) * size * 8
}

// flexible reports whether an array, to which a step led, is the flexible array
// at the end of a record, so that any index is good.
func flexible(v *btfdump.View, before *namedStep, array btfdump.Type) bool {
	if before.name == "" || array.ArrayLen() > 0 {
		return false
	}
	return int(before.Index) == v.Type(before.Type).NumMembers()-1
}

// memberOf returns a member as libbpf sees it: it knows bitfields only where the
// record has the kind_flag, and not those that an int type of before Linux 5.1
// describes.
func memberOf(v *btfdump.View, record btfdump.Type, index int) btfdump.Member {
	m := record.Member(index)
	if !record.KindFlag() && m.BitSize > 0 {
		m.BitSize = 0
		m.BitOffset -= v.Type(v.Resolve(m.Type)).IntBitOffset()
	}
	return m
}

// maxSize is the largest size that types may have in an object or kernel: more
// is refused, so that sums of offsets don't overflow.
const maxSize = 1 << 31

// sizeOf returns the size of a type's values in bytes; ok is false for types
// that have none, or too much.
func sizeOf(v *btfdump.View, id btfdump.TypeID) (size uint64, ok bool) {
	innermost := v.Resolve(id)
	for v.Type(innermost).Kind() == btfdump.KindArray {
		innermost = v.Resolve(v.Type(innermost).Ref())
	}
	switch v.Type(innermost).Kind() {
	case btfdump.KindInt, btfdump.KindPtr, btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindFloat, btfdump.KindDatasec:
		size = v.SizeOf(id)
		return size, size <= maxSize
	}
	return 0, false
}

var errNoName = errors.New("the type at which it starts has no name, so it can't be found in a kernel")
