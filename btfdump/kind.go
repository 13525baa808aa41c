package btfdump

import "fmt"

// TypeID is the number of a type in its view. 0 is void; a split view's own
// types continue the numbering of its base.
type TypeID uint32

// Kind is the kind of a type: BTF_KIND_* of include/uapi/linux/btf.h.
type Kind uint8

// The kinds that this package knows. Others (up to 127) can be present in a
// view when a layout section says how long they are.
const (
	KindVoid Kind = iota // type ID 0; BTF_KIND_UNKN in the kernel's header
	KindInt
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

	numKinds
)

var kindNames = [numKinds]string{
	"void", "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile",
	"const", "restrict", "func", "func_proto", "var", "datasec", "float", "decl_tag", "type_tag", "enum64",
}

// String returns the kind's name as bpftool prints it, in lower case, and
// "kind N" for a kind that this package does not know.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// kindSet is a set of kinds below 32.
type kindSet uint32

func kinds(ks ...Kind) kindSet {
	var s kindSet
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

// has is false for kinds this package does not know.
func (s kindSet) has(k Kind) bool { return k < numKinds && s>>k&1 != 0 }

var (
	// modifierKinds are those that a value's layout does not depend on.
	modifierKinds = kinds(KindTypedef, KindVolatile, KindConst, KindRestrict, KindTypeTag)
	// chainKinds have exactly one reference and no members, so that cycles
	// among them alone describe no type.
	chainKinds = modifierKinds | kinds(KindPtr, KindArray)
	// shortKinds have nothing behind the 12 bytes that every type has.
	shortKinds = kinds(KindPtr, KindFwd, KindTypedef, KindVolatile, KindConst, KindRestrict, KindFunc, KindFloat, KindTypeTag)
	// symbolKinds name or annotate things; they are no types of a value.
	symbolKinds = kinds(KindFunc, KindVar, KindDatasec, KindDeclTag)
	// unsizedKinds have no size: they can't be a member or an element.
	unsizedKinds = symbolKinds | kinds(KindVoid, KindFwd, KindFuncProto)
)

// IsModifier reports whether the kind is a typedef, a qualifier or a type tag:
// a type of such a kind has the layout of the type it refers to.
func (k Kind) IsModifier() bool { return modifierKinds.has(k) }

// IsRecord reports whether the kind is a struct or a union.
func (k Kind) IsRecord() bool { return k == KindStruct || k == KindUnion }

// IsEnum reports whether the kind is one of the two enum kinds.
func (k Kind) IsEnum() bool { return k == KindEnum || k == KindEnum64 }

// wireSize tells how many bytes follow the 12 bytes that every type has:
// info once, and elem for each of vlen elements. (A function's vlen is its
// linkage, and it has none.)
type wireSize struct{ info, elem uint8 }

var wireSizes = [numKinds]wireSize{
	KindInt:       {info: 4},
	KindArray:     {info: 12},
	KindStruct:    {elem: 12},
	KindUnion:     {elem: 12},
	KindEnum:      {elem: 8},
	KindFuncProto: {elem: 8},
	KindVar:       {info: 4},
	KindDatasec:   {elem: 12},
	KindDeclTag:   {info: 4},
	KindEnum64:    {elem: 12},
}
