package cgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// record prints the definition of a named record.
func (p *printer) record(t btfdump.Type) {
	p.text(tagKeyword(t), " ", p.name(t.ID()), " ")
	p.members.reset()
	p.braces(t)
	p.text(" " + macroCoRE + ";\n\n")
}

// body prints an anonymous record in the place where it is used.
func (p *printer) body(t btfdump.Type) {
	p.bodies++
	p.used.gccWarns = p.used.gccWarns || p.prototypes > 0
	p.text(tagKeyword(t), " ")
	if p.indent == 0 { // of a typedef: clang hands the attribute down, but not up
		p.members.reset()
		p.braces(t)
		p.text(" " + macroCoRE)
		return
	}
	// Its members have a name space of their own.
	outer, depth := p.members, p.shadows.depth
	p.shadows.depth = 0
	p.members = memberSet{}
	if n := len(p.spare); n > 0 {
		p.members, p.spare = p.spare[n-1], p.spare[:n-1]
		p.members.reset()
	}
	p.braces(t)
	p.members, p.spare, p.shadows.depth = outer, append(p.spare, p.members), depth
}

// braces prints the members of a record and its attributes.
func (p *printer) braces(t btfdump.Type) {
	style, err := p.style(t.ID())
	if err != nil {
		p.fail(err)
		return
	}
	p.text("{\n")
	p.indent++
	outer := p.unit
	p.unit = p.paddingUnit(style)
	c := btfdump.Cursor{Union: t.Kind() == btfdump.KindUnion, Packed: style.is(packed)}
	if p.opts.Members != nil {
		p.keptMembers(t, style, &c)
	} else {
		p.allMembers(t, style, &c)
	}
	p.unit = outer
	if p.err != nil {
		return
	}
	p.indent--
	p.line()
	p.out = append(p.out, '}')
	p.used.packed = p.used.packed || style.is(packed)
	p.used.aligned = p.used.aligned || style.is(aligned)
	switch {
	case style.is(packed) && style.is(aligned):
		p.text(" __attribute__((packed, aligned(", strconv.Itoa(int(style.align())), ")))")
	case style.is(packed):
		p.text(" __attribute__((packed))")
	case style.is(aligned):
		p.text(" __attribute__((aligned(", strconv.Itoa(int(style.align())), ")))")
	}
}

// allMembers prints the members of a record, and padding up to its end.
func (p *printer) allMembers(t btfdump.Type, style recordStyle, c *btfdump.Cursor) {
	order := p.memberOrder(t)
	for at := range t.NumMembers() {
		i := nth(order, at)
		m, named := t.MemberPlace(i)
		if !named && !p.holdsRecord(m.Type) {
			continue // padding, which is added where it is needed
		}
		if style.is(padded) {
			p.pad(m, c)
		}
		if named {
			p.member(m, t.MemberText(i))
		} else {
			p.unnamed(m.Type)
		}
		if p.err != nil {
			return
		}
	}
	if style.is(padded) {
		p.tail(t, c, style)
	}
}

// memberOrder returns the order in which a record's members are printed; nil if
// it is that of the BTF.
func (p *Plan) memberOrder(t btfdump.Type) []int {
	if len(p.reordered) == 0 {
		return nil
	}
	return p.reordered[p.naming.canon[t.ID()]]
}

// holdsRecord reports whether a member without a name is of a record.
func (p *Plan) holdsRecord(id btfdump.TypeID) bool {
	return p.view.Type(p.view.Resolve(id)).Kind().IsRecord()
}

// pad prints the padding before a member, if there has to be any.
func (p *printer) pad(m btfdump.Place, c *btfdump.Cursor) {
	v, err := p.value(m.Type)
	if err != nil {
		p.fail(err)
		return
	}
	if c.Next(v.size, v.align, m.BitSize) != uint64(m.BitOffset) {
		p.padding(c.Bit(), uint64(m.BitOffset))
		c.Skip(uint64(m.BitOffset))
	}
	c.Place(uint64(m.BitOffset), v.size, v.align, m.BitSize)
}

// member prints a member with a name, which text starts with.
func (p *printer) member(m btfdump.Place, text string) {
	line := p.room()
	at := 0
	for ; at < p.indent; at++ {
		line[at] = '\t'
	}
	ref := p.reference(m.Type)
	if ref != nil {
		*(*[referenceText]byte)(line[at:]) = ref.text // all of it: that is no call
		at += int(ref.before)
	}
	n, h, ok := scanName(line[at:], text)
	if !ok {
		p.fail(fmt.Errorf("member %.80q: its name is no C identifier", nameIn(text)))
		return
	}
	name := text[:n]
	special := mayBeWord(name)
	if special {
		if err := memberNameError(name); err != nil {
			p.fail(fmt.Errorf("member %.80q: %w", name, err))
			return
		}
		special = isKeywordC23(name) || keywordCXX(name) >= 0
	}
	if err := p.members.add(name, h); err != nil {
		p.fail(err)
		return
	}
	if p.shadows.depth > 0 {
		p.mayShadow(name, h)
	}
	if ref == nil || special || m.BitSize != 0 && p.isNarrowEnum(m) {
		p.memberSpecial(m, name)
		return
	}
	at += n
	at += copy(line[at:], ref.text[ref.before:ref.before+ref.after])
	p.out = p.out[:len(p.out)+at]
	p.endMember(m)
}

// nameIn returns the name that a text starts with, up to a NUL byte.
func nameIn(text string) string {
	name, _, _ := strings.Cut(text, "\x00")
	return name
}

// memberSpecial prints a member whose type is written for the first time, or
// whose name may be more than a name. One that is a keyword since C23 (kernel
// 6.1 has a "u32 bool") or, from stdbool.h, a macro, can't have it there:
// programs can't access it then, but compile.
func (p *printer) memberSpecial(m btfdump.Place, name string) {
	if !isKeywordC23(name) {
		p.memberNamed(m, p.note(name))
		return
	}
	other := nameC23(name)
	if err := p.members.add(other, hashOf(other)); err != nil {
		p.fail(err)
		return
	}
	p.text("#if defined(", name, ") || ", hasKeywordsC23, "\n")
	p.memberNamed(m, other)
	p.text("#else\n")
	p.memberNamed(m, name)
	p.text("#endif\n")
}

func (p *printer) memberNamed(m btfdump.Place, name string) {
	p.line()
	if m.BitSize != 0 && p.isNarrowEnum(m) {
		p.narrowEnum(m.Type)
		p.text(" ", name)
	} else {
		p.declare(m.Type, name)
	}
	p.endMember(m)
}

// endMember prints what comes after a member's declarator.
func (p *printer) endMember(m btfdump.Place) {
	if m.BitSize != 0 {
		p.out = append(p.out, ": "...)
		p.out = strconv.AppendUint(p.out, uint64(m.BitSize), 10)
	}
	p.out = append(p.out, ";\n"...)
	p.checkSize()
}

// unnamed prints a member without a name: its members belong to the record
// around it. Kernels since 7.0 are compiled with -fms-extensions and have such
// members of named records too. Portable C can only write them as anonymous
// ones, which are laid out, and seen by CO-RE, the same.
func (p *printer) unnamed(id btfdump.TypeID) {
	record := p.view.Type(p.view.Resolve(id))
	p.line()
	p.qualifiers(id)
	p.text(tagKeyword(record), " ")
	end := p.shadows.begin()
	p.braces(record)
	p.shadows.end(end)
	p.text(";\n")
	p.checkSize()
}

// tail prints the padding after the last member, if the record's alignment
// does not make up for it.
func (p *printer) tail(t btfdump.Type, c *btfdump.Cursor, style recordStyle) {
	size := uint64(t.Size())
	if alignUp(c.Bit(), uint64(style.align())*8) == size*8 {
		return
	}
	oneBitfield := size <= 8 && size&(size-1) == 0 && (p.unit == 0 || size*8 <= p.unit)
	if start := alignUp(c.Bit(), 8); start >= maxFar && size*8-start > p.longestPadding() && t.Kind() == btfdump.KindStruct && hasBitfield(t) {
		p.fail(errFarBitfield) // the padding, which is a member
		return
	}
	if t.Kind() == btfdump.KindStruct || oneBitfield && t.NumMembers() == 0 {
		p.padding(c.Bit(), size*8)
		return
	}
	p.line()
	p.text("struct {\n")
	p.indent++
	outer := p.unit
	p.unit = p.paddingUnit(recordStyle{logAlign: style.logAlign}) // this struct is not packed
	p.padding(0, size*8)
	p.unit = outer
	p.indent--
	p.line()
	p.text("};\n")
}

// maxPadding is the number of bits up to which padding is written as unnamed
// bitfields, which are no members: 1 MiB. Types of which BTF only keeps the
// size, as in a module's distilled base, are all padding.
const maxPadding = 1 << 20 * 8

// longestPadding is that number for the record that is being printed: where
// bitfields have to be short, it takes many.
func (p *printer) longestPadding() uint64 {
	if p.unit == 0 {
		return maxPadding
	}
	return p.unit << 12
}

// padding fills a record from one bit to another with unnamed bitfields, each
// in the place where its type puts it anyway, so that it does the same in
// packed records and in others. Unnamed bitfields do not align the record.
func (p *printer) padding(from, to uint64) {
	if to-from > p.longestPadding() {
		start := alignUp(from, 8)
		if start != from {
			p.padding(from, start)
		}
		name := "__padding_" + strconv.FormatUint(start/8, 10)
		if err := p.members.add(name, hashOf(name)); err != nil {
			p.fail(err)
			return
		}
		p.line()
		p.text("unsigned char ", name, "[", strconv.FormatUint((to-start)/8, 10), "];\n")
		from = to - to%8
	}
	for from < to {
		if words := (to - from) / 64; p.opts.Members != nil && words > 0 && from%64 == 0 && p.unit == 0 {
			p.wordPadding(words)
			from += words * 64
			continue
		}
		if macro, bits := paddingMacro(to - from); bits != 0 && from%64 == 0 && p.unit == 0 {
			p.used.padding = true
			p.line()
			p.text(macro, "\n")
			from += bits
			continue
		}
		kind, width := "char", min(8-from%8, to-from)
		for _, unit := range []struct {
			kind string
			bits uint64
		}{{"long long", 64}, {"int", 32}, {"short", 16}} {
			if from%unit.bits == 0 && to-from >= unit.bits && (p.unit == 0 || unit.bits <= p.unit) {
				kind, width = unit.kind, unit.bits
				break
			}
		}
		n := uint64(1)
		if width == p.unit { // many may follow
			n = min(16, (to-from)/width)
		}
		p.bitfields(kind, width, n)
		from += n * width
		p.checkSize()
	}
}

// bitfields prints n unnamed bitfields of a width in bits on one line.
func (p *printer) bitfields(kind string, width, n uint64) {
	bits := strconv.FormatUint(width, 10)
	p.line()
	p.text(kind, ": ", bits)
	for range n - 1 {
		p.text(", : ", bits)
	}
	p.text(";\n")
}

// typedef prints a typedef.
func (p *printer) typedef(t btfdump.Type) {
	name := p.name(t.ID())
	if name != t.Name() && isLeftMacro(t.Name()) {
		p.fail(errMacro)
		return
	}
	std, isStd := standardTypes[t.Name()]
	var end string
	switch {
	case isStd && name != t.Name(): // C's meaning stays available under the plain name
		p.text("typedef ", std.macro, " ", t.Name(), ";\n")
	case isStd && std.meaningOf(p.view, t.ID(), name) == longLong:
		p.used.int64 = p.used.int64 || std.signed
		p.used.uint64 = p.used.uint64 || !std.signed
		p.text(map[bool]string{true: unlessInt64Taken, false: unlessUint64Taken}[std.signed])
		end = "#endif\n"
	case isStd:
		p.used.pointerInts = p.used.pointerInts || name == "uintptr_t" || name == "intptr_t"
		p.text("typedef ", std.macro, " ", name, ";\n")
		return
	case name == "bool":
		p.text(unlessBool, "typedef _Bool bool;\n#endif\n")
		return
	}
	p.text("typedef ")
	p.declare(t.Ref(), name)
	p.text(";\n", end)
	if last := len(p.out) - 3; p.out[last] == '}' || p.view.Type(t.Ref()).Kind().IsRecord() && !p.view.Type(t.Ref()).HasName() {
		p.text("\n")
	}
}

// function prints the prototype of a kfunc.
func (p *printer) function(t btfdump.Type) {
	if err := kfuncNameError(t.Name()); err != nil {
		p.fail(err)
		return
	}
	p.text("extern ")
	if p.naming.isFastcall(t.ID()) {
		p.text("__bpf_fastcall ")
	}
	p.declare(t.Ref(), p.name(t.ID()))
	p.text(" __weak __ksym;\n")
}
