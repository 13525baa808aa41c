package core

import (
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// Constant is a constant of an object that its loader sets: CheckOptions.Set can
// say to which value.
type Constant struct {
	Name string
	// Bits is the size of the number that it is, 1 for a bool; 0 if it is none:
	// a record, an array.
	Bits uint32
	// Kconfig is true for an option that the loader takes from the kernel's
	// configuration, and LINUX_KERNEL_VERSION; else it is a variable in .rodata.
	Kconfig bool
}

// Holds reports whether a number can be the constant's value.
func (c Constant) Holds(n int64) bool {
	switch {
	case c.Bits == 1:
		return n == 0 || n == 1
	case c.Bits > 0 && c.Bits < 64: // signed or not
		return n >= -1<<(c.Bits-1) && n < 1<<c.Bits
	}
	return c.Bits > 0
}

// Constants returns the object's constants in the order of its BTF.
func (o *Object) Constants() []Constant {
	var list []Constant
	v := o.View
	for t := range v.All() {
		kconfig := t.Name() == ".kconfig"
		if t.Kind() != btfdump.KindDatasec || !kconfig && !o.isConstant(t.Name()) {
			continue
		}
		for i := range t.NumSectionVars() {
			variable := v.Type(t.SectionVar(i).Type)
			list = append(list, Constant{Name: variable.Name(), Bits: numberBits(v, variable.Ref()), Kconfig: kconfig})
		}
	}
	return list
}

// isConstant reports whether the verifier knows what is in a data section.
func (o *Object) isConstant(section string) bool {
	for i := range o.Sections {
		if s := &o.Sections[i]; s.Name == section {
			return s.Constant && strings.HasPrefix(section, ".rodata")
		}
	}
	return false
}

// numberBits returns the size of a number in bits, 0 for other types.
func numberBits(v *btfdump.View, id btfdump.TypeID) uint32 {
	t := v.Type(v.Resolve(id))
	switch t.Kind() {
	case btfdump.KindInt:
		if t.IntEncoding()&btfdump.IntBool != 0 {
			return 1
		}
	case btfdump.KindEnum, btfdump.KindEnum64:
	default:
		return 0
	}
	if size := v.SizeOf(t.ID()); size <= 8 {
		return uint32(8 * size)
	}
	return 0
}
