package cgen

import (
	"errors"

	"github.com/btfgen/btfgen/btfdump"
)

// Typedefs that members hide
//
// In C, members have a name space of their own. But to clang before version 22, a
// member of an anonymous record is an ordinary name in the record around it, as it
// is in C++, from the end of the anonymous one on:
//
//	struct a { struct { int u32; }; u32 x; };    // "unknown type name 'u32'"

// shadows are the typedefs that members hide in the declaration being printed.
type shadows struct {
	depth  int             // of anonymous records around what is being printed
	inside []string        // members of these that have the name of a typedef
	names  map[string]bool // those of anonymous records that have ended
}

func (s *shadows) reset() {
	s.depth, s.inside = 0, s.inside[:0]
	if len(s.names) > 0 {
		clear(s.names)
	}
}

// begin begins an anonymous record. end takes what it returns.
func (s *shadows) begin() int {
	s.depth++
	return len(s.inside)
}

func (s *shadows) end(begin int) {
	s.depth--
	for _, name := range s.inside[begin:] {
		if s.names == nil {
			s.names = make(map[string]bool)
		}
		s.names[name] = true
	}
	s.inside = s.inside[:begin]
}

func (s *shadows) has(name string) bool { return len(s.names) > 0 && s.names[name] }

var errShadowed = errors.New("a member of an anonymous record before it has its name, which clang before version 22 takes for the member")

// mayShadow notes the name of a member of an anonymous record, with its hash, if
// a typedef has it too, or may have it as a name with a suffix.
func (p *printer) mayShadow(name string, h hash) {
	if p.naming.all.mayBeTypedef(h) && p.naming.isTypedef(name) || isSuffixed(name) {
		p.shadows.inside = append(p.shadows.inside, name)
	}
}

// reference returns how a type is written, if that is known and no typedef in it
// can be hidden.
func (p *printer) reference(id btfdump.TypeID) *reference {
	if len(p.shadows.names) > 0 {
		return nil
	}
	return p.refs.find(id)
}
