package core

import (
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
)

// RelocationKind is what an instruction needs to know about a kernel's type:
// enum bpf_core_relo_kind of include/uapi/linux/bpf.h.
type RelocationKind uint32

// The kinds of relocations.
const (
	FieldByteOffset RelocationKind = iota
	FieldByteSize
	FieldExists
	FieldSigned
	FieldLShiftU64 // to extract a bitfield: shift left by so many bits,
	FieldRShiftU64 // then right by so many
	TypeIDLocal    // in the object's own BTF
	TypeIDTarget   // in the kernel's
	TypeExists
	TypeSize
	EnumvalExists
	EnumvalValue
	TypeMatches
)

var kindNames = [...]string{
	"field byte offset", "field byte size", "field exists", "field signed", "field left shift", "field right shift",
	"local type ID", "target type ID", "type exists", "type size", "enum value exists", "enum value", "type matches",
}

// String returns the kind in words.
func (k RelocationKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("relocation kind %d", uint32(k))
}

// IsField reports whether the kind is about a member.
func (k RelocationKind) IsField() bool { return k <= FieldRShiftU64 }

// IsType reports whether the kind is about a type as a whole.
func (k RelocationKind) IsType() bool { return k >= TypeIDLocal && k <= TypeSize || k == TypeMatches }

// IsEnumval reports whether the kind is about an enumerator.
func (k RelocationKind) IsEnumval() bool { return k == EnumvalExists || k == EnumvalValue }

// AsksExistence reports whether the kind asks if something is there, so that
// its absence is an answer and no failure.
func (k RelocationKind) AsksExistence() bool {
	return k == FieldExists || k == TypeExists || k == EnumvalExists || k == TypeMatches
}

// Relocation is a CO-RE relocation of an object.
type Relocation struct {
	// Function is the index in Object.Functions of the function that it stands
	// in, -1 if it is outside of all.
	Function int
	// Instruction is the index in that function's Code of the instruction that
	// it adapts.
	Instruction int

	Kind   RelocationKind
	Type   btfdump.TypeID // where the access starts, in the object's BTF
	Access string         // the path from there, such as "0:1:2"
	// Position is the place in the source of the access, if it is known.
	Position Position
}

// Position is a place in the source that an object was compiled from.
type Position struct {
	File         string // as the compiler was given it; it may be any string
	Line, Column int    // from 1; 0: not known
	Text         string // the line; it may be any string
}
