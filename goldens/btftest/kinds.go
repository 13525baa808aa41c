package btftest

import "fmt"

// The kinds of BTF types, by their number in the info word.
const (
	KindInt = iota + 1
	KindPtr
	KindArray
	KindStruct
	KindUnion
	KindEnum
	KindFwd
	KindTypedef
	KindVolatile
	KindConst
	KindRestrict
	KindFunc
	KindFuncProto
	KindVar
	KindDatasec
	KindFloat
	KindDeclTag
	KindTypeTag
	KindEnum64
)

// Encodings of an integer, for [Builder.Int]. They can be combined.
const (
	Unsigned = 0
	Signed   = 1
	Char     = 2
	Bool     = 4
)

// Linkages of functions and variables.
const (
	Static = 0
	Global = 1
	Extern = 2
)

// Member is a member of a struct or union.
type Member struct {
	Name    string // "" for an anonymous member
	Type    ID
	Offset  uint32 // in bits from the start of the record
	BitSize uint32 // width in bits; 0 if it is no bitfield
}

// Field is a member at an offset in bits.
func Field(name string, typ ID, bitOffset uint32) Member {
	return Member{Name: name, Type: typ, Offset: bitOffset}
}

// Bitfield is a member of bitSize bits at an offset in bits. One such member
// makes the record use the kind flag.
func Bitfield(name string, typ ID, bitOffset, bitSize uint32) Member {
	return Member{Name: name, Type: typ, Offset: bitOffset, BitSize: bitSize}
}

// Enumerator is one value of an enum. Values of a signed enum are
// sign-extended to 64 bits; [Builder.Enum] keeps the low 32.
type Enumerator struct {
	Name  string
	Value uint64
}

// Val is an enumerator of any integer value.
func Val[T int | int32 | int64 | uint32 | uint64](name string, value T) Enumerator {
	return Enumerator{Name: name, Value: uint64(value)}
}

// Param is a parameter of a function prototype.
type Param struct {
	Name string
	Type ID
}

// Arg is a parameter.
func Arg(name string, typ ID) Param { return Param{Name: name, Type: typ} }

// Variadic is the last parameter of a function that takes "...".
func Variadic() Param { return Param{} }

// SecVar is a variable's place in a section.
type SecVar struct {
	Type         ID
	Offset, Size uint32 // in bytes
}

// Int adds an integer of size bytes that uses all its bits. encoding is 0 or a
// combination of Signed, Char and Bool.
func (b *Builder) Int(name string, size uint32, encoding uint32) ID {
	return b.IntBits(name, size, encoding, 0, 8*size)
}

// IntBits adds an integer of size bytes, of which only bits are used, starting
// at bit offset. Compilers before Linux 5.0's kind flag wrote a bitfield's
// place this way; see [Builder.Struct].
func (b *Builder) IntBits(name string, size, encoding, offset, bits uint32) ID {
	if encoding > 15 || offset > 255 || bits > 255 {
		panic(fmt.Sprintf("btftest: int %q: encoding %d, offset %d or bits %d does not fit", name, encoding, offset, bits))
	}
	return b.simple(KindInt, name, 0, false, size, encoding<<24|offset<<16|bits)
}

// Float adds a floating point type of size bytes.
func (b *Builder) Float(name string, size uint32) ID {
	return b.simple(KindFloat, name, 0, false, size)
}

// Ptr adds a pointer.
func (b *Builder) Ptr(target ID) ID { return b.simple(KindPtr, "", 0, false, uint32(target)) }

// Array adds an array of n elements.
func (b *Builder) Array(elem, index ID, n uint32) ID {
	return b.simple(KindArray, "", 0, false, 0, uint32(elem), uint32(index), n)
}

// Struct adds a struct of size bytes. With a bitfield among the members it
// gets the kind flag, else member offsets are plain; a legacy bitfield is then
// a plain member of a type that [Builder.IntBits] made.
func (b *Builder) Struct(name string, size uint32, members ...Member) ID {
	return b.composite(KindStruct, name, size, hasBitfield(members), members)
}

// Union adds a union of size bytes; bitfields as in [Builder.Struct].
func (b *Builder) Union(name string, size uint32, members ...Member) ID {
	return b.composite(KindUnion, name, size, hasBitfield(members), members)
}

// StructFlagged adds a struct with the kind flag set, bitfields or not.
func (b *Builder) StructFlagged(name string, size uint32, members ...Member) ID {
	return b.composite(KindStruct, name, size, true, members)
}

// UnionFlagged adds a union with the kind flag set, bitfields or not.
func (b *Builder) UnionFlagged(name string, size uint32, members ...Member) ID {
	return b.composite(KindUnion, name, size, true, members)
}

// Enum adds an unsigned enum of size bytes (1, 2, 4 or 8) whose values have 32
// bits.
func (b *Builder) Enum(name string, size uint32, values ...Enumerator) ID {
	return b.enum(name, size, false, values)
}

// SignedEnum is an [Builder.Enum] whose values are signed.
func (b *Builder) SignedEnum(name string, size uint32, values ...Enumerator) ID {
	return b.enum(name, size, true, values)
}

// Enum64 adds an unsigned enum of size bytes whose values have 64 bits.
func (b *Builder) Enum64(name string, size uint32, values ...Enumerator) ID {
	return b.enum64(name, size, false, values)
}

// SignedEnum64 is an [Builder.Enum64] whose values are signed.
func (b *Builder) SignedEnum64(name string, size uint32, values ...Enumerator) ID {
	return b.enum64(name, size, true, values)
}

// FwdStruct adds a forward declaration of a struct.
func (b *Builder) FwdStruct(name string) ID { return b.simple(KindFwd, name, 0, false, 0) }

// FwdUnion adds a forward declaration of a union.
func (b *Builder) FwdUnion(name string) ID { return b.simple(KindFwd, name, 0, true, 0) }

// Typedef adds another name for target.
func (b *Builder) Typedef(name string, target ID) ID {
	return b.simple(KindTypedef, name, 0, false, uint32(target))
}

// Volatile adds a volatile-qualified target.
func (b *Builder) Volatile(target ID) ID {
	return b.simple(KindVolatile, "", 0, false, uint32(target))
}

// Const adds a const-qualified target.
func (b *Builder) Const(target ID) ID { return b.simple(KindConst, "", 0, false, uint32(target)) }

// Restrict adds a restrict-qualified pointer.
func (b *Builder) Restrict(target ID) ID {
	return b.simple(KindRestrict, "", 0, false, uint32(target))
}

// FuncProto adds a function's type. ret is [Void] for none.
func (b *Builder) FuncProto(ret ID, params ...Param) ID {
	var tail []uint32
	for _, p := range params {
		tail = append(tail, b.Str(p.Name), uint32(p.Type))
	}
	return b.simple(KindFuncProto, "", len(params), false, uint32(ret), tail...)
}

// Func adds a function of the type proto. linkage is Static, Global or Extern.
func (b *Builder) Func(name string, proto ID, linkage int) ID {
	return b.simple(KindFunc, name, linkage, false, uint32(proto))
}

// Var adds a variable. linkage is Static, Global or Extern.
func (b *Builder) Var(name string, typ ID, linkage uint32) ID {
	return b.simple(KindVar, name, 0, false, uint32(typ), linkage)
}

// Datasec adds a section of variables, size bytes long.
func (b *Builder) Datasec(name string, size uint32, vars ...SecVar) ID {
	var tail []uint32
	for _, v := range vars {
		tail = append(tail, uint32(v.Type), v.Offset, v.Size)
	}
	return b.simple(KindDatasec, name, len(vars), false, size, tail...)
}

// DeclTag adds __attribute__((btf_decl_tag("value"))) on target, or on its
// member or parameter number component; -1 is target itself.
func (b *Builder) DeclTag(value string, target ID, component int32) ID {
	return b.simple(KindDeclTag, value, 0, false, uint32(target), uint32(component))
}

// DeclAttr adds __attribute__((attribute)) on target as [Builder.DeclTag]
// does: a decl tag with the kind flag (Linux 6.15).
func (b *Builder) DeclAttr(attribute string, target ID, component int32) ID {
	return b.simple(KindDeclTag, attribute, 0, true, uint32(target), uint32(component))
}

// TypeTag adds target with __attribute__((btf_type_tag("value"))).
func (b *Builder) TypeTag(value string, target ID) ID {
	return b.simple(KindTypeTag, value, 0, false, uint32(target))
}

// TypeAttr adds target with __attribute__((attribute)): a type tag with the
// kind flag (Linux 6.15).
func (b *Builder) TypeAttr(attribute string, target ID) ID {
	return b.simple(KindTypeTag, attribute, 0, true, uint32(target))
}

func (b *Builder) simple(kind int, name string, vlen int, kflag bool, sizeOrType uint32, tail ...uint32) ID {
	words := append([]uint32{b.Str(name), info(kind, vlen, kflag), sizeOrType}, tail...)
	return b.add(record{words: words})
}

func (b *Builder) composite(kind int, name string, size uint32, kflag bool, members []Member) ID {
	var tail []uint32
	for _, m := range members {
		offset := m.Offset
		if kflag {
			if offset >= 1<<24 || m.BitSize > 255 {
				panic(fmt.Sprintf("btftest: %s.%s: bit offset %d or bit size %d does not fit", name, m.Name, offset, m.BitSize))
			}
			offset |= m.BitSize << 24
		}
		tail = append(tail, b.Str(m.Name), uint32(m.Type), offset)
	}
	return b.simple(kind, name, len(members), kflag, size, tail...)
}

func (b *Builder) enum(name string, size uint32, signed bool, values []Enumerator) ID {
	var tail []uint32
	for _, v := range values {
		tail = append(tail, b.Str(v.Name), uint32(v.Value))
	}
	return b.simple(KindEnum, name, len(values), signed, size, tail...)
}

func (b *Builder) enum64(name string, size uint32, signed bool, values []Enumerator) ID {
	var tail []uint32
	for _, v := range values {
		tail = append(tail, b.Str(v.Name), uint32(v.Value), uint32(v.Value>>32))
	}
	return b.simple(KindEnum64, name, len(values), signed, size, tail...)
}

func hasBitfield(members []Member) bool {
	for _, m := range members {
		if m.BitSize != 0 {
			return true
		}
	}
	return false
}
