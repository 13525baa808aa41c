package main

import (
	"slices"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/cgen"
)

// slimTypes are the types, and with --fields the members of records, that a
// slim header declares. They only ever become more.
type slimTypes struct {
	view    *btfdump.View
	index   *cgen.Index
	options cgen.Options
	roots   []btfdump.TypeID // in the order in which they were added
	isRoot  *btfdump.Set
	members *btfdump.MemberSet // nil: all
	pointer map[btfdump.TypeID]bool
}

func newSlimTypes(view *btfdump.View, index *cgen.Index, options cgen.Options, fields bool) *slimTypes {
	s := &slimTypes{view: view, index: index, options: options, isRoot: view.NewSet()}
	if fields {
		s.members = btfdump.NewMemberSet()
		s.options.Members = s.members
	}
	return s
}

// has tells whether the header of all types declares a name.
func (s *slimTypes) has(name core.TypeName) bool { return s.find(name) != 0 }

func (s *slimTypes) find(name core.TypeName) btfdump.TypeID {
	if name.Kind == btfdump.KindTypedef {
		if id := s.index.Ordinary[name.Name]; s.view.Type(id).Kind() == btfdump.KindTypedef {
			return id
		}
		return 0
	}
	return s.index.Tags[name.Name]
}

// add has a type defined. It reports whether that is news.
func (s *slimTypes) add(id btfdump.TypeID) bool {
	if id == 0 || s.view.Type(id).IsForward() || !s.isRoot.Add(id) {
		return false
	}
	s.roots = append(s.roots, id)
	return true
}

// addNeeds adds what an object needs.
func (s *slimTypes) addNeeds(n *core.Needs) (isNew bool) {
	for _, name := range n.Types {
		isNew = s.add(s.find(name)) || isNew
	}
	for _, name := range n.Names {
		isNew = s.add(s.index.Ordinary[name]) || isNew
	}
	for _, a := range n.Accesses {
		if id := s.find(a.Root); a.Whole {
			isNew = s.addDeep(id) || isNew
		} else {
			added, _ := s.addPath(id, a.Path)
			isNew = added || isNew
		}
	}
	return isNew
}

// equals are the records that must keep the same members as the given one.
func (s *slimTypes) equals(id btfdump.TypeID) []btfdump.TypeID {
	if list := s.index.Equal[id]; len(list) > 0 {
		return list
	}
	return []btfdump.TypeID{id}
}

// addPath keeps the member that names lead to from a type, with the members
// without a name on the way. found is false if there is no such member.
func (s *slimTypes) addPath(root btfdump.TypeID, path []string) (isNew, found bool) {
	if root == 0 {
		return false, false
	}
	if s.members == nil {
		return false, true
	}
	found = true
	for _, id := range s.equals(s.view.Resolve(root)) {
		for _, name := range path {
			id = s.record(id)
			next, added, ok := s.keep(id, name)
			isNew = isNew || added
			if !ok {
				found = false
				break
			}
			id = next
		}
	}
	return isNew, found
}

// record follows typedefs, qualifiers and arrays.
func (s *slimTypes) record(id btfdump.TypeID) btfdump.TypeID {
	for {
		id = s.view.Resolve(id)
		t := s.view.Type(id)
		if t.Kind() != btfdump.KindArray {
			return id
		}
		id = t.Ref()
	}
}

// keep keeps a record's member of a name, which may be inside of one without a
// name, and returns its type.
func (s *slimTypes) keep(record btfdump.TypeID, name string) (member btfdump.TypeID, isNew, ok bool) {
	t := s.view.Type(record)
	for i, m := range t.Members() {
		switch {
		case m.Name == name:
			return m.Type, s.keepIndex(record, i), true
		case m.Name == "":
			inner := s.view.Resolve(m.Type)
			if !s.view.Type(inner).Kind().IsRecord() {
				continue
			}
			if member, added, ok := s.keep(inner, name); ok {
				return member, s.keepIndex(record, i) || added, true
			}
		}
	}
	return 0, false, false
}

func (s *slimTypes) keepIndex(record btfdump.TypeID, i int) (isNew bool) {
	for _, id := range s.equals(record) {
		isNew = s.members.Add(id, i) || isNew
	}
	return isNew
}

// addWhole keeps all members of a record, those of members without a name
// included.
func (s *slimTypes) addWhole(id btfdump.TypeID) (isNew bool) {
	if s.members == nil || id == 0 {
		return false
	}
	for _, id := range s.equals(s.record(id)) {
		t := s.view.Type(id)
		if !t.Kind().IsRecord() || !s.members.AddAll(id) {
			continue
		}
		isNew = true
		for i := range t.NumMembers() {
			m, _ := t.MemberPlace(i)
			if inner := s.record(m.Type); s.view.Type(inner).Kind().IsRecord() && !s.view.Type(inner).HasName() {
				s.addWhole(inner)
			}
		}
	}
	return isNew
}

// addDeep keeps all members of a record and of the records in it.
func (s *slimTypes) addDeep(id btfdump.TypeID) (isNew bool) {
	if s.members == nil || id == 0 {
		return s.add(id)
	}
	isNew = s.add(id)
	for root := range s.view.ClosureOf([]btfdump.TypeID{id}, btfdump.PointersForward, nil).All() {
		if s.view.Type(root).Kind().IsRecord() {
			isNew = s.addWhole(root) || isNew
		}
	}
	return isNew
}

// addInside keeps all members of a record and of the records in it, without
// having it declared for itself.
func (s *slimTypes) addInside(id btfdump.TypeID) {
	for inner := range s.view.ClosureOf([]btfdump.TypeID{id}, btfdump.PointersForward, nil).All() {
		if s.view.Type(inner).Kind().IsRecord() {
			s.addWhole(inner)
		}
	}
}

// addNamed keeps members of a name that are in records without a name, anywhere
// inside of the given type.
func (s *slimTypes) addNamed(id btfdump.TypeID, name string) (isNew bool) {
	if s.members == nil || id == 0 {
		return false
	}
	for _, id := range s.equals(s.record(id)) {
		t := s.view.Type(id)
		for i := range t.NumMembers() {
			m, _ := t.MemberPlace(i)
			inner := s.record(m.Type)
			if r := s.view.Type(inner); !r.Kind().IsRecord() || r.HasName() {
				continue
			}
			if s.members.Has(id, i) {
				_, added, _ := s.keep(inner, name)
				isNew = s.addNamed(inner, name) || added || isNew
			}
		}
	}
	return isNew
}

// set returns the types that the header declares.
//
// On a kernel with pointers of 4 bytes, records that hold pointers keep all of
// their members: for BPF, pointers have 8 bytes, and what comes after them is
// where it is only because of them.
func (s *slimTypes) set() *btfdump.Set {
	for {
		set := s.view.ClosureOf(s.roots, btfdump.PointersForward, s.members)
		if s.members == nil || s.view.PointerSize() == 8 {
			return set
		}
		changed := false
		for id := range set.All() {
			if s.holdsPointer(id) {
				changed = s.addWhole(id) || changed
			}
		}
		if !changed {
			return set
		}
	}
}

// holdsPointer reports whether a record has a pointer among its values.
func (s *slimTypes) holdsPointer(id btfdump.TypeID) bool {
	t := s.view.Type(id)
	if !t.Kind().IsRecord() {
		return false
	}
	if s.pointer == nil {
		s.pointer = make(map[btfdump.TypeID]bool)
	}
	holds, ok := s.pointer[id]
	if ok {
		return holds
	}
	for i := range t.NumMembers() {
		m, _ := t.MemberPlace(i)
		inner := s.record(m.Type)
		if s.view.Type(inner).Kind() == btfdump.KindPtr || s.holdsPointer(inner) {
			holds = true
			break
		}
	}
	s.pointer[id] = holds
	return holds
}

// text prints the header, without prototypes of functions that are no roots.
func (s *slimTypes) text() ([]byte, error) {
	plan, err := cgen.NewPlan(s.view, s.set(), s.options)
	if err != nil {
		return nil, err
	}
	return plan.Print()
}

// everything keeps all members of what is declared, where a compiler does not
// tell which are used.
func (s *slimTypes) everything() (isNew bool) {
	if s.members == nil {
		return false
	}
	for _, id := range slices.Clone(s.roots) {
		isNew = s.addWhole(id) || isNew
	}
	return isNew
}
