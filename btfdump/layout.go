package btfdump

// Target is the part of a C ABI that decides how records are laid out.
type Target struct {
	PointerSize uint32 // bytes
	Int128Align uint32 // alignment of __int128 in bytes
}

// BPF is the ABI of the BPF target, for both byte orders, as clang and gcc
// implement it: every scalar is aligned to its size.
var BPF = Target{PointerSize: 8, Int128Align: 16}

// ScalarAlign returns the alignment in bytes of a scalar of the given size.
func (t Target) ScalarAlign(size uint32) uint32 {
	switch {
	case size >= 16:
		return t.Int128Align
	case size == 0:
		return 1
	}
	return size & -size // 12, of a long double, is aligned to 4
}

// Cursor places the members of one record after each other as a C compiler
// does. The zero Cursor is at the start of a struct.
type Cursor struct {
	// Union makes every member start at 0.
	Union bool
	// Packed makes every member start at the next byte, and bitfields at the
	// next bit: __attribute__((packed)).
	Packed bool

	bit   uint64 // the end of what has been placed, in bits
	align uint64 // of the record so far, in bytes; 0 stands for 1
}

// Next returns where a member of size bytes, aligned to align bytes, would be
// placed, in bits from the record's start. bitSize is the width in bits of a
// bitfield, 0 for other members.
//
// The rule is that of the System V ABIs, which BPF compilers follow: a
// bitfield starts at the next bit unless it would cross a boundary of its
// type's size.
func (c *Cursor) Next(size uint64, align, bitSize uint32) uint64 {
	at := c.bit
	if c.Union {
		at = 0
	}
	switch {
	case bitSize == 0 && c.Packed:
		return alignUp(at, 8)
	case bitSize == 0:
		return alignUp(at, uint64(align)*8)
	case !c.Packed && at%(uint64(align)*8)+uint64(bitSize) > size*8:
		return alignUp(at, uint64(align)*8)
	}
	return at
}

// Place puts a member at a bit offset. What lies between there and the end of
// the members before is padding.
func (c *Cursor) Place(at, size uint64, align, bitSize uint32) {
	end := at + uint64(bitSize)
	if bitSize == 0 {
		end = at + saturatingMul(size, 8)
	}
	c.bit = max(c.bit, end)
	if !c.Packed {
		c.align = max(c.align, uint64(align))
	}
}

// Bit returns the end of the members placed so far, in bits.
func (c *Cursor) Bit() uint64 { return c.bit }

// Skip moves the end of the members placed so far to a bit offset, as unnamed
// bitfields do that fill a gap.
func (c *Cursor) Skip(to uint64) { c.bit = max(c.bit, to) }

// End returns the size and the alignment of the record in bytes.
func (c *Cursor) End() (size, align uint64) {
	align = max(c.align, 1)
	return alignUp(c.bit, align*8) / 8, align
}

// alignUp rounds up to a multiple of a power of two.
func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// Layout is where the members of a record are.
type Layout struct {
	Size, Align uint64   // bytes
	BitOffsets  []uint64 // of each member, in bits from the record's start
}

// Layout returns how the C compiler of a target lays out a record that is
// written with the members of the given one and no attributes or padding, and
// likewise the records inside it. For other types it returns size and
// alignment alone. Compare with the offsets that the BTF states to see what
// the kernel's ABI or attributes changed. It is safe for concurrent use.
func (v *View) Layout(id TypeID, target Target) Layout {
	c := layouter{view: v, target: target, known: make(map[TypeID]sizeAlign)}
	return c.layout(v.Resolve(id))
}

type sizeAlign struct{ size, align uint64 }

type layouter struct {
	view   *View
	target Target
	known  map[TypeID]sizeAlign // of records
}

// layout lays the record out after those inside it, deepest first. New has
// made sure that no record contains itself.
func (c *layouter) layout(root TypeID) Layout {
	stack := []TypeID{root}
	for {
		id := stack[len(stack)-1]
		if _, ok := c.known[id]; ok && len(stack) > 1 {
			stack = stack[:len(stack)-1] // it was waiting more than once
			continue
		}
		t := c.view.Type(id)
		if !t.Kind().IsRecord() {
			n, inner := c.element(id)
			if inner == 0 {
				s := c.scalar(id)
				return Layout{Size: saturatingMul(n, s.size), Align: s.align}
			}
			if s, ok := c.known[inner]; ok {
				return Layout{Size: saturatingMul(n, s.size), Align: s.align}
			}
			stack = append(stack, inner)
			continue
		}
		if waiting := c.unknownInside(t); len(waiting) > 0 {
			stack = append(stack, waiting...)
			continue
		}
		l := c.record(t)
		c.known[id] = sizeAlign{l.Size, l.Align}
		if stack = stack[:len(stack)-1]; len(stack) == 0 {
			return l
		}
	}
}

// element returns how many innermost elements an array (or any other type, as
// an array of one) has, and the record that they are, if they are one.
func (c *layouter) element(id TypeID) (n uint64, record TypeID) {
	n = 1
	for {
		id = c.view.Resolve(id)
		t := c.view.Type(id)
		if t.Kind() == KindArray {
			n = saturatingMul(n, uint64(t.ArrayLen()))
			id = t.Ref()
			continue
		}
		if t.Kind().IsRecord() {
			return n, id
		}
		return n, 0
	}
}

func (c *layouter) unknownInside(t Type) (ids []TypeID) {
	for _, m := range t.Members() {
		if _, record := c.element(m.Type); record != 0 {
			if _, ok := c.known[record]; !ok {
				ids = append(ids, record)
			}
		}
	}
	return ids
}

func (c *layouter) scalar(id TypeID) sizeAlign {
	t := c.view.Type(c.view.Resolve(id))
	for t.Kind() == KindArray {
		t = c.view.Type(c.view.Resolve(t.Ref()))
	}
	size := t.Size()
	if t.Kind() == KindPtr {
		size = c.target.PointerSize
	}
	return sizeAlign{uint64(size), uint64(c.target.ScalarAlign(size))}
}

func (c *layouter) record(t Type) Layout {
	cur := Cursor{Union: t.Kind() == KindUnion}
	l := Layout{BitOffsets: make([]uint64, 0, t.NumMembers())}
	for _, m := range t.Members() {
		n, record := c.element(m.Type)
		s, ok := c.known[record]
		if !ok {
			s = c.scalar(m.Type)
		}
		size := saturatingMul(n, s.size)
		at := cur.Next(size, uint32(s.align), m.BitSize)
		cur.Place(at, size, uint32(s.align), m.BitSize)
		l.BitOffsets = append(l.BitOffsets, at)
	}
	l.Size, l.Align = cur.End()
	return l
}
