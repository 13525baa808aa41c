package cgen

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// enum prints an enum at the top level.
func (p *printer) enum(t btfdump.Type) {
	name := ""
	switch hoisted, ok := p.hoisted[t.ID()]; {
	case ok:
		name = hoisted
	case t.HasName():
		name = p.name(t.ID())
	}
	switch {
	case t.ID() == p.naming.boolEnum:
		p.text(unlessBool)
		p.enumBody(t, "")
		p.text(";\n#endif\n\n")
	case t.NumEnumerators() == 0:
		p.emptyEnum(t, name)
	default:
		p.enumBody(t, name)
		p.text(";\n\n")
	}
}

// noneSuffix ends the name of an enumerator that an enum has for want of others.
const noneSuffix = "___none"

// emptyEnum declares an enum without enumerators, which C can't define. With
// its type stated it needs none: in C23, and in clang whatever the standard.
func (p *printer) emptyEnum(t btfdump.Type, name string) {
	if t.IsForward() { // only declared, which compilers take
		p.text("enum ", name, ";\n\n")
		return
	}
	kind := sizedInt(t.Size(), t.Signed())
	p.text("#if defined(__clang__) || __STDC_VERSION__ >= 202311L\n",
		"enum ", name, " : ", kind, ";\n",
		"#else\nenum ", name, " { ", name, noneSuffix, " } __attribute__((mode(", enumModes[t.Size()], ")));\n#endif\n\n")
}

// anonymousEnum prints an enum where it is used, and reports whether that was
// a definition.
func (p *printer) anonymousEnum(t btfdump.Type) bool {
	hoisted, ok := p.hoisted[t.ID()]
	switch {
	case t.HasName():
		p.text("enum ", p.name(t.ID()))
	case ok:
		p.text("enum ", hoisted)
	default:
		p.enumBody(t, "")
		return true
	}
	return false
}

// enumModes are gcc's names for the sizes of integers, which clang knows too.
var enumModes = map[uint32]string{1: "QI", 2: "HI", 4: "SI", 8: "DI"}

// enumBody prints an enum with its values and, if C would give it another
// size, that size.
func (p *printer) enumBody(t btfdump.Type, name string) {
	p.bodies++
	attribute := ""
	p.text("enum ")
	if name != "" {
		p.text(name, " ")
	}
	if t.Size() != 4 || t.Signed() && !hasNegative(t) {
		attribute = p.enumSize(t)
	}
	p.text("{\n")
	renamed := p.naming.renamedEnum[t.ID()]
	for i := range t.NumEnumerators() {
		line := p.room()
		at := 0
		for ; at <= p.indent; at++ {
			line[at] = '\t'
		}
		text := t.EnumeratorText(i)
		n, _, ok := scanName(line[at:], text)
		if !ok {
			p.fail(fmt.Errorf("enumerator %d: its name %.80q is no C identifier", i, nameIn(text)))
			return
		}
		name := text[:n]
		if renamed {
			if other, ok := p.naming.enumerators[enumeratorID{t.ID(), int32(i)}]; ok {
				if isLeftMacro(name) {
					p.fail(fmt.Errorf("enumerator %d (%s): %w", i, name, errMacro))
					return
				}
				name = other
				n = copy(line[at:], other)
			}
		}
		p.note(name)
		p.out = append(p.out[:len(p.out)+at+n], " = "...)
		if value := t.EnumeratorValue(i); !p.printEnumValue(t, value) {
			p.fail(fmt.Errorf("enumerator %d (%s): the value %#x does not fit %d bytes", i, name, value, t.Size()))
			return
		}
		p.out = append(p.out, ",\n"...)
		if p.checkSize(); p.err != nil {
			return
		}
	}
	p.line()
	p.text("}", attribute)
}

// hasNegative reports whether an enum has a negative value. A signed one from a
// compiler has, but for those whose type is stated, and for what [Printable]
// leaves of one.
func hasNegative(t btfdump.Type) bool {
	for i := range t.NumEnumerators() {
		if int64(t.EnumeratorValue(i)) < 0 {
			return true
		}
	}
	return false
}

// enumRange returns the least and the greatest of an enum's values and 0.
func enumRange(t btfdump.Type) (least int64, most uint64) {
	for _, e := range t.Enumerators() {
		if v, negative, _ := enumValue(t, e.Value); negative {
			least = min(least, int64(v))
		} else {
			most = max(most, v)
		}
	}
	return least, most
}

// isNarrowEnum reports whether a bitfield can't hold all values of the enum that
// it is of.
func (p *printer) isNarrowEnum(m btfdump.Place) bool {
	t := p.view.Type(p.view.Resolve(m.Type))
	if !t.Kind().IsEnum() || uint32(m.BitSize) >= 8*t.Size() {
		return false
	}
	least, most := enumRange(t)
	width := max(bits.Len64(most), bits.Len64(uint64(^least))) // ^least of a negative one is -least-1
	if least >= 0 {
		width = bits.Len64(most)
	}
	if least < 0 || t.Signed() {
		width++
	}
	return width > int(m.BitSize)
}

// narrowEnum prints the type of such a bitfield.
func (p *printer) narrowEnum(id btfdump.TypeID) {
	p.used.narrowEnums = true
	p.text(macroNarrowEnum, "(")
	p.qualifiers(id)
	t := p.view.Type(p.view.Resolve(id))
	p.scalar(sizedInt(t.Size(), t.Signed()))
	p.text(", ")
	p.declare(id, "")
	p.text(")")
}

// enumSize gives an enum a size or sign that is not what its values give it:
// packed does where they need just those bytes, and nothing has to be done where
// they need 8. Else the type of the values is stated or, for compilers that know
// no such thing, such as gcc before C23, the enum's mode: which gcc needs and
// clang must not have, since it takes all such enums for signed. It prints what
// stands before the body and returns what comes after it.
func (p *printer) enumSize(t btfdump.Type) (attribute string) {
	signed := t.Signed()
	least, most := enumRange(t)
	negative := least < 0
	needs := uint32(1)
	for ; needs < 8; needs *= 2 {
		limit := uint64(1) << (8*needs - 1)
		if negative && least >= -int64(limit) && most < limit || !negative && most < 2*limit {
			break
		}
	}
	switch kind := sizedInt(t.Size(), signed || negative); {
	case needs > t.Size():
		p.fail(fmt.Errorf("its values need %d bytes, but it has %d", needs, t.Size()))
	case needs == t.Size() && signed == negative:
		if needs < 8 {
			return " __attribute__((packed))"
		}
	default:
		p.used.enumTypes = true
		p.text(macroEnumType, "(", kind, ") ")
		return " " + macroEnumMode + "(" + enumModes[t.Size()] + ")"
	}
	return ""
}

// printEnumValue prints a value. It reports whether that fits the enum's size.
func (p *printer) printEnumValue(t btfdump.Type, value uint64) bool {
	v, negative, ok := enumValue(t, value)
	switch {
	case negative && int64(v) == math.MinInt64:
		p.text("(-9223372036854775807LL - 1)")
	case negative:
		p.out = strconv.AppendInt(p.out, int64(v), 10)
	default:
		p.out = strconv.AppendUint(p.out, v, 10)
		if v > math.MaxInt64 {
			p.text("ULL")
		}
	}
	return ok
}

// enumValue returns an enumerator's value, an int64 if it is negative, and
// whether it fits the enum's size.
func enumValue(t btfdump.Type, value uint64) (v uint64, negative, ok bool) {
	bits := t.Size() * 8
	if !t.Signed() && (bits == 64 || value < 1<<bits) {
		return value, false, true
	}
	signed := int64(value)
	if !t.Signed() {
		// Without kind_flag, which kernels before 6.1 do not write, small
		// enums hold the negative values of 32 bits.
		signed = int64(int32(value))
		if value > math.MaxUint32 || signed >= 0 {
			return value, false, false
		}
	}
	limit := int64(1) << (bits - 1) // wraps for 64 bits, where all fits
	return uint64(signed), signed < 0, bits == 64 || signed >= -limit && signed < limit
}
