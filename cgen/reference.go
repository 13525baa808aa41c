package cgen

import "github.com/btfgen/btfgen/btfdump"

// reference is how declarations write a type: what comes before the name and
// what comes after it. A kernel has four members for each type that members
// have, and most of those types are written in a few bytes.
type reference struct {
	id            btfdump.TypeID // 0: none
	before, after uint8          // bytes of text
	text          [referenceText]byte
}

// referenceText is the number of bytes that a reference may have: it makes the
// struct one line of a processor's cache.
const referenceText = 58

// references remembers how types are written, each in a place that its ID
// decides, until another type takes that. More places would find more, but each
// page of memory takes as long as printing dozens of types anew.
type references []reference

const numReferences = 1024

// find returns how a type is written; nil if that is not known.
func (r references) find(id btfdump.TypeID) *reference {
	if ref := &r[id%numReferences]; ref.id == id && id != 0 {
		return ref
	}
	return nil
}

// note remembers that a type is written as text is, but for the name in it.
func (r references) note(id btfdump.TypeID, text []byte, nameAt, nameLen int) {
	if len(text)-nameLen > referenceText || id == 0 {
		return
	}
	ref := &r[id%numReferences]
	ref.id = id
	ref.before = uint8(copy(ref.text[:], text[:nameAt]))
	ref.after = uint8(copy(ref.text[nameAt:], text[nameAt+nameLen:]))
}

// isFor reports whether a reference serves where there is a name, or none: arrays
// of arrays have a space between element and dimensions, other arrays do not.
func (r *reference) isFor(name string) bool {
	return name != "" || r.after == 0 || r.text[r.before] != '['
}

// append puts a name into a reference, and that behind out.
func (r *reference) append(out []byte, name string) []byte {
	before := r.text[:r.before]
	if n := len(before); name == "" && n > 0 && before[n-1] == ' ' {
		before = before[:n-1]
	}
	out = append(append(out, before...), name...)
	return append(out, r.text[r.before:r.before+r.after]...)
}
