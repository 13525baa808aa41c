package btfdump

import (
	"encoding/binary"
	"iter"
)

// Member is a member of a struct or union.
type Member struct {
	Name string // "" for an anonymous record, or padding
	Type TypeID
	// BitOffset is the member's distance from the record's start in bits.
	BitOffset uint32
	// BitSize is the width of a bitfield in bits, 0 for other members.
	BitSize uint32
}

// NumMembers returns the number of members of a struct or union.
func (t Type) NumMembers() int {
	if !t.Kind().IsRecord() {
		return 0
	}
	return t.Vlen()
}

// Member returns the member with index i of a struct or union.
func (t Type) Member(i int) Member {
	p, named := t.MemberPlace(i)
	m := Member{Type: p.Type, BitOffset: p.BitOffset, BitSize: p.BitSize}
	if named {
		m.Name = t.level.name(t.u32(12 + uint32(i)*12))
	}
	return m
}

// Place is a member without its name.
type Place struct {
	Type               TypeID
	BitOffset, BitSize uint32 // as in Member
}

// MemberPlace returns what Member does but for the name, of which it only tells
// whether there is one.
func (t Type) MemberPlace(i int) (p Place, named bool) {
	if !t.level.plain {
		return t.oddPlace(i)
	}
	return placeIn(t.level.types[t.off+12+uint32(i)*12:][:12], t.KindFlag())
}

// placeIn reads a member of a plain level.
func placeIn(words []byte, kindFlag bool) (p Place, named bool) {
	p = Place{Type: TypeID(binary.LittleEndian.Uint32(words[4:])), BitOffset: binary.LittleEndian.Uint32(words[8:])}
	if kindFlag {
		p.BitOffset, p.BitSize = p.BitOffset&0xffffff, p.BitOffset>>24
	}
	return p, binary.LittleEndian.Uint32(words) != 0
}

// Places iterates over the members of a struct or union without their names, and
// tells whether they have one: layouts need no more.
func (t Type) Places() iter.Seq2[Place, bool] {
	return func(yield func(Place, bool) bool) {
		plain, kindFlag := t.level.plain, t.KindFlag()
		words := t.level.types[t.off+12:][:12*t.NumMembers()]
		for i := 0; len(words) >= 12; i++ {
			p, named := placeIn(words[:12], kindFlag)
			if !plain {
				p, named = t.oddPlace(i)
			}
			words = words[12:]
			if !yield(p, named) {
				return
			}
		}
	}
}

// oddPlace is MemberPlace for levels that are not plain.
func (t Type) oddPlace(i int) (p Place, named bool) {
	l := t.level
	words := l.types[t.off+12+uint32(i)*12:][:12]
	name, id := binary.LittleEndian.Uint32(words), TypeID(binary.LittleEndian.Uint32(words[4:]))
	p = Place{Type: l.global(id), BitOffset: binary.LittleEndian.Uint32(words[8:])}
	if t.KindFlag() {
		p.BitOffset, p.BitSize = p.BitOffset&0xffffff, p.BitOffset>>24
	} else if l.legacyBitfields {
		p.BitOffset, p.BitSize = l.legacyBitfield(id, p.BitOffset)
	}
	return p, l.hasName(name)
}

// MemberText returns the string section from the name of a member on, as
// [Type.NameText] does.
func (t Type) MemberText(i int) string { return t.level.text(t.u32(12 + uint32(i)*12)) }

// legacyBitfield returns the place of a member whose record has no kind_flag:
// there, the int type says which of its bits are used.
func (l *level) legacyBitfield(id TypeID, bitOffset uint32) (offset, size uint32) {
	t := l.typeRaw(l.resolveRaw(id))
	bits := t.IntBits()
	if t.Kind() != KindInt || bits == t.Size()*8 && t.IntBitOffset() == 0 {
		return bitOffset, 0
	}
	return bitOffset + t.IntBitOffset(), bits
}

// Members iterates over the members of a struct or union.
func (t Type) Members() iter.Seq2[int, Member] {
	return func(yield func(int, Member) bool) {
		for i := range t.NumMembers() {
			if !yield(i, t.Member(i)) {
				return
			}
		}
	}
}

// Param is a parameter of a function prototype.
type Param struct {
	Name string // often ""
	Type TypeID // 0 in the last one: variable arguments follow
}

// NumParams returns the number of parameters of a function prototype.
func (t Type) NumParams() int {
	if t.Kind() != KindFuncProto {
		return 0
	}
	return t.Vlen()
}

// Param returns the parameter with index i of a function prototype.
func (t Type) Param(i int) Param {
	at := 12 + uint32(i)*8
	return Param{Name: t.level.name(t.u32(at)), Type: t.level.global(TypeID(t.u32(at + 4)))}
}

// Params iterates over the parameters of a function prototype.
func (t Type) Params() iter.Seq2[int, Param] {
	return func(yield func(int, Param) bool) {
		for i := range t.NumParams() {
			if !yield(i, t.Param(i)) {
				return
			}
		}
	}
}

// Enumerator is a named value of an enum.
type Enumerator struct {
	Name string
	// Value is the value, sign-extended where the enum is signed: convert it
	// to int64 then.
	Value uint64
}

// NumEnumerators returns the number of an enum's values.
func (t Type) NumEnumerators() int {
	if !t.Kind().IsEnum() {
		return 0
	}
	return t.Vlen()
}

// Enumerator returns the value with index i of an enum.
func (t Type) Enumerator(i int) Enumerator {
	return Enumerator{Name: t.level.name(t.u32(12 + uint32(i)*uint32(wireSizes[t.Kind()].elem))), Value: t.EnumeratorValue(i)}
}

// EnumeratorValue returns the value of the enumerator with index i.
func (t Type) EnumeratorValue(i int) uint64 {
	if t.Kind() == KindEnum64 {
		at := 12 + uint32(i)*12
		return uint64(t.u32(at+8))<<32 | uint64(t.u32(at+4))
	}
	value := t.u32(12 + uint32(i)*8 + 4)
	if t.KindFlag() {
		return uint64(int64(int32(value)))
	}
	return uint64(value)
}

// EnumeratorText returns the string section from the name of an enumerator on,
// as [Type.NameText] does.
func (t Type) EnumeratorText(i int) string {
	return t.level.text(t.u32(12 + uint32(i)*uint32(wireSizes[t.Kind()].elem)))
}

// Enumerators iterates over the values of an enum.
func (t Type) Enumerators() iter.Seq2[int, Enumerator] {
	return func(yield func(int, Enumerator) bool) {
		for i := range t.NumEnumerators() {
			if !yield(i, t.Enumerator(i)) {
				return
			}
		}
	}
}

// SectionVar is an entry of a data section.
type SectionVar struct {
	Type         TypeID // a variable, or a function in .ksyms
	Offset, Size uint32 // bytes; 0 before an object is linked
}

// NumSectionVars returns the number of entries of a data section.
func (t Type) NumSectionVars() int {
	if t.Kind() != KindDatasec {
		return 0
	}
	return t.Vlen()
}

// SectionVar returns the entry with index i of a data section.
func (t Type) SectionVar(i int) SectionVar {
	at := 12 + uint32(i)*12
	return SectionVar{Type: t.level.global(TypeID(t.u32(at))), Offset: t.u32(at + 4), Size: t.u32(at + 8)}
}
