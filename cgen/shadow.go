package cgen

import "errors"

// Names that hide typedefs
//
// Members of a record without a name are members of the record around it, too.
// clang before 22 makes more of that than C does: from there to the end of the
// record around, their names hide typedefs, and "unknown type name 't'" is what
// comes of
//
//	struct s { struct { int t; }; t x; };

var errHidden = errors.New("a member of an anonymous record before it has its name, which clang before version 22 takes for the member")

// shadows are the names of members that may hide a typedef.
type shadows struct {
	names   []shadow // those of the innermost records at the end
	hiding  int      // how many of them hide it where printing is
	unnamed int      // of how many unnamed members members are being printed
}

type shadow struct {
	name  string
	hides bool
}

// note notes the name of a member.
func (s *shadows) note(n *naming, name string, h hash) {
	if s.unnamed > 0 && (n.typedefs.mayHave(h) || isSuffixed(name)) {
		s.names = append(s.names, shadow{name: name})
	}
}

// hide makes the names from one on hide typedefs: their record ends.
func (s *shadows) hide(from int) {
	for i := from; i < len(s.names); i++ {
		if !s.names[i].hides {
			s.names[i].hides = true
			s.hiding++
		}
	}
}

// forget drops the names from one on: the record around theirs ends.
func (s *shadows) forget(from int) {
	for _, n := range s.names[from:] {
		if n.hides {
			s.hiding--
		}
	}
	s.names = s.names[:from]
}

func (s *shadows) hides(name string) bool {
	for _, n := range s.names {
		if n.hides && n.name == name {
			return true
		}
	}
	return false
}

// nameFilter tells of most names that they are not in a set.
type nameFilter [1 << 10]uint64

func (f *nameFilter) add(h hash)          { f[h>>6%(1<<10)] |= 1 << (h & 63) }
func (f *nameFilter) mayHave(h hash) bool { return f[h>>6%(1<<10)]>>(h&63)&1 != 0 }
