package gogen

import (
	"crypto/sha256"
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// signer tells types apart that ask for the same name. The signature of a type
// says what its Go declaration does, so types with equal signatures are one.
// Types that it holds by value count by their names, or by their signatures
// where these are ambiguous; those that it points to only as they are spelled
// in comments.
type signer struct {
	view      *btfdump.View
	known     map[btfdump.TypeID]string // signatures: hashes, which need no room
	ambiguous func(btfdump.TypeID) bool
	room      int // bytes that may still be hashed
	err       error
}

// sign returns the signature of a type. It recurses along members by value,
// which the BTF's check knows to end.
func (s *signer) sign(id btfdump.TypeID, depth int) string {
	if sig, ok := s.known[id]; ok {
		return sig
	}
	t := s.view.Type(id)
	if depth > maxDepth {
		if s.err == nil {
			s.err = typeError(t, errDepth)
		}
		return ""
	}
	var b []byte
	switch k := t.Kind(); {
	case k.IsRecord():
		b = append(b, k.String()...)
		b = strconv.AppendUint(b, uint64(t.Size()), 10)
		for _, m := range t.Members() {
			if s.tooMuch(t, len(b)) {
				return ""
			}
			b = append(b, ';')
			b = append(b, m.Name...)
			b = append(b, '@')
			b = strconv.AppendUint(b, uint64(m.BitOffset), 10)
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(m.BitSize), 10)
			b = s.reference(b, m.Type, depth+1)
		}
	case k.IsEnum():
		return s.enum(t)
	default:
		b = s.reference(b, t.Ref(), depth+1)
	}
	return s.note(t, b)
}

// note remembers the signature of a type, of which b says what its declaration
// does.
func (s *signer) note(t btfdump.Type, b []byte) string {
	if s.tooMuch(t, len(b)) {
		return ""
	}
	s.room -= len(b)
	sum := sha256.Sum256(b)
	s.known[t.ID()] = string(sum[:])
	return s.known[t.ID()]
}

// tooMuch reports whether there is no room for the n bytes that say what a type's
// declaration does.
func (s *signer) tooMuch(t btfdump.Type, n int) bool {
	if n > s.room && s.err == nil {
		s.err = typeError(t, errTooMuch)
	}
	return s.err != nil
}

// reference appends what a declaration says about a type that it uses.
func (s *signer) reference(b []byte, id btfdump.TypeID, depth int) []byte {
	b = append(b, ' ')
	b = appendCType(b, s.view, id)
	for {
		t := s.view.Type(s.view.Resolve(id))
		k := t.Kind()
		switch {
		case k == btfdump.KindArray:
			b = append(b, '[')
			b = strconv.AppendUint(b, uint64(t.ArrayLen()), 10)
		case k.IsRecord(), k.IsEnum():
			if !t.HasName() || s.ambiguous(t.ID()) {
				b = append(b, s.sign(t.ID(), depth)...)
			}
			return b
		default:
			b = strconv.AppendUint(b, uint64(t.Size()), 10)
			if t.Signed() {
				b = append(b, '-')
			}
			return b
		}
		id = t.Ref()
	}
}

// enum returns the signature of an enum.
func (s *signer) enum(t btfdump.Type) string {
	if sig, ok := s.known[t.ID()]; ok {
		return sig
	}
	var b []byte
	b = strconv.AppendUint(b, uint64(t.Size()), 10)
	b = strconv.AppendBool(b, t.Signed())
	for i := range t.NumEnumerators() {
		if s.tooMuch(t, len(b)) {
			return ""
		}
		e := t.Enumerator(i)
		b = append(b, ';')
		b = append(b, e.Name...)
		b = append(b, '=')
		b = strconv.AppendUint(b, e.Value, 16)
	}
	return s.note(t, b)
}
