package btfdump

// Type is one type of a view: a small value, to be passed by value. The zero
// Type is not valid; they come from [View.Type] and [View.All].
//
// Accessors that make no sense for the type's kind return the zero value.
type Type struct {
	level *level
	off   uint32 // of the type in level.types, meaningless for void
	info  uint32 // the info word, which nearly every use needs; 0 for void
	id    TypeID
}

// u32 reads the word at byte i of the type.
func (t Type) u32(i uint32) uint32 { return t.level.word(t.off + i) }

// ID returns the type's ID in its view.
func (t Type) ID() TypeID { return t.id }

// Kind returns the type's kind.
func (t Type) Kind() Kind { return Kind(t.info >> 24 & 0x7f) }

// Vlen returns the number of members, parameters, enumerators or section
// entries. For a function it is the linkage; see [Type.Linkage].
func (t Type) Vlen() int { return int(t.info & 0xffffff) }

// KindFlag returns bit 31 of the info word. What it says depends on the kind:
// members hold bitfield sizes (struct, union), a union is declared (fwd),
// values are signed (enum, enum64), the name is a raw attribute (decl_tag,
// type_tag).
func (t Type) KindFlag() bool { return t.info>>31 != 0 }

// Name returns the type's name, "" if it has none. It shares the view's
// memory. It may be any string without a NUL byte, not just an identifier.
func (t Type) Name() string {
	if t.id == 0 {
		return ""
	}
	return t.level.name(t.u32(0))
}

// NameText returns the string section from the type's name on: the name ends
// before the first NUL byte, or with the text. That spares callers who look at
// each byte of a name anyway the search for its end.
func (t Type) NameText() string {
	if t.id == 0 {
		return ""
	}
	return t.level.text(t.u32(0))
}

// HasName reports whether the type has a name.
func (t Type) HasName() bool { return t.id != 0 && t.level.hasName(t.u32(0)) }

var sizedKinds = kinds(KindInt, KindStruct, KindUnion, KindEnum, KindDatasec, KindFloat, KindEnum64)

// Size returns the size in bytes of an int, float, enum, record or data
// section. [View.SizeOf] knows the size of other types too.
func (t Type) Size() uint32 {
	if !sizedKinds.has(t.Kind()) {
		return 0
	}
	return t.u32(8)
}

// IsForward reports whether the type is only declared: forward declarations, and
// enums of 0 bytes, which clang writes for the GNU extension "enum foo;".
func (t Type) IsForward() bool {
	return t.Kind() == KindFwd || t.Kind().IsEnum() && t.Size() == 0
}

var refKinds = modifierKinds | kinds(KindPtr, KindFunc, KindFuncProto, KindVar, KindDeclTag)

// Ref returns the type that this one refers to: the target of a pointer,
// modifier or tag, an array's element, a function's prototype, a prototype's
// return type, a variable's type.
func (t Type) Ref() TypeID {
	switch k := t.Kind(); {
	case refKinds.has(k):
		return t.level.global(TypeID(t.u32(8)))
	case k == KindArray:
		return t.level.global(TypeID(t.u32(12)))
	}
	return 0
}

// ArrayLen returns an array's number of elements.
func (t Type) ArrayLen() uint32 {
	if t.Kind() != KindArray {
		return 0
	}
	return t.u32(20)
}

// ArrayIndex returns the type of an array's index.
func (t Type) ArrayIndex() TypeID {
	if t.Kind() != KindArray {
		return 0
	}
	return t.level.global(TypeID(t.u32(16)))
}

// IntEncoding is how the bits of an int are to be read.
type IntEncoding uint8

// The bits of an IntEncoding.
const (
	IntSigned IntEncoding = 1 << iota
	IntChar
	IntBool
)

// IntEncoding returns the encoding of an int.
func (t Type) IntEncoding() IntEncoding {
	if t.Kind() != KindInt {
		return 0
	}
	return IntEncoding(t.u32(12) >> 24 & 0xf)
}

// IntBits returns the number of bits that an int uses.
func (t Type) IntBits() uint32 {
	if t.Kind() != KindInt {
		return 0
	}
	return t.u32(12) & 0xff
}

// IntBitOffset returns the bit at which an int's value starts: not 0 only in
// BTF from before kernel 5.1, where it is half of a bitfield's position.
func (t Type) IntBitOffset() uint32 {
	if t.Kind() != KindInt {
		return 0
	}
	return t.u32(12) >> 16 & 0xff
}

// Signed reports whether an int or the values of an enum are signed.
func (t Type) Signed() bool {
	switch t.Kind() {
	case KindInt:
		return t.IntEncoding()&IntSigned != 0
	case KindEnum, KindEnum64:
		return t.KindFlag()
	}
	return false
}

// Linkage is the linkage of a function or variable.
type Linkage uint32

// The linkages: BTF_FUNC_* and BTF_VAR_*.
const (
	LinkageStatic Linkage = iota
	LinkageGlobal
	LinkageExtern
)

// Linkage returns the linkage of a function or variable.
func (t Type) Linkage() Linkage {
	switch t.Kind() {
	case KindFunc:
		return Linkage(t.Vlen())
	case KindVar:
		return Linkage(t.u32(12))
	}
	return 0
}

// ComponentIndex returns which member or parameter of its target a decl_tag
// is about, -1 for the target itself.
func (t Type) ComponentIndex() int32 {
	if t.Kind() != KindDeclTag {
		return 0
	}
	return int32(t.u32(12))
}
