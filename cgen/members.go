package cgen

import (
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// Records that keep some of their members
//
// With [Options.Members], padding takes the place of what a record does not
// keep. Everything that C can see of the record from outside stays: its size,
// its alignment (copies of it are moved in units of that) and the places of the
// members that are left. So the style that all of its members need is decided
// first, and changed only where the members that are left no longer align the
// record, or need padding before them that others were.

// Bitfields that follow one another are one unit for a compiler: clang accesses
// several at once, and before version 20 as many as there are (see
// CGRecordLowering::accumulateBitFields). Padding is made of bitfields too, and
// would join them. So of a run of bitfields, all are printed if one is kept, the
// others without a name; and a bitfield of width 0 parts the run from padding.

// gap is what lies between two members that are printed.
type gap struct {
	dropped       bool // there are members that are not kept
	afterBitfield bool
}

func (gap) after(m btfdump.Place) gap { return gap{afterBitfield: m.BitSize != 0} }

// nth returns the index of the member that is printed at a place, 0 for the first:
// order is what [Plan.memberOrder] returns.
func nth(order []int, at int) int {
	if order == nil {
		return at
	}
	return order[at]
}

// isBesideBitfield reports whether the member that is printed at a place is a
// bitfield in a run of which one is kept.
func (p *printer) isBesideBitfield(t btfdump.Type, order []int, at int) bool {
	if m, _ := t.MemberPlace(nth(order, at)); m.BitSize == 0 || t.Kind() == btfdump.KindUnion {
		return false
	}
	for _, step := range []int{-1, 1} {
		for j := at + step; j >= 0 && j < t.NumMembers(); j += step {
			m, _ := t.MemberPlace(nth(order, j))
			if m.BitSize == 0 {
				break
			}
			if p.opts.Members.Has(t.ID(), nth(order, j)) {
				return true
			}
		}
	}
	return false
}

// keptMembers prints the members of a record that are kept, and padding up to its
// end.
func (p *printer) keptMembers(t btfdump.Type, style recordStyle, c *btfdump.Cursor) {
	var gap gap
	order := p.memberOrder(t)
	for at := range t.NumMembers() {
		i := nth(order, at)
		kept := p.opts.Members.Has(t.ID(), i)
		if !kept && !p.isBesideBitfield(t, order, at) {
			gap.dropped = true
			continue // padding takes its place
		}
		m, named := t.MemberPlace(i)
		if !named && !p.holdsRecord(m.Type) {
			continue // padding, which is added where it is needed
		}
		if style.is(padded) {
			v, err := p.value(m.Type)
			if err != nil {
				p.fail(err)
				return
			}
			if c.Next(v.size, v.align, m.BitSize) != uint64(m.BitOffset) {
				p.fill(c, gap, uint64(m.BitOffset), m.BitSize != 0)
				c.Skip(uint64(m.BitOffset))
			}
			c.Place(uint64(m.BitOffset), v.size, v.align, m.BitSize)
		}
		switch {
		case !kept:
			p.unnamedBitfield(m)
		case named:
			p.member(m, t.MemberText(i))
		default:
			p.unnamed(m.Type)
		}
		if p.err != nil {
			return
		}
		gap = gap.after(m)
	}
	if style.is(padded) {
		p.endBitfields(c, gap)
		p.tail(t, c, style)
	}
}

// unnamedBitfield prints a bitfield that is not kept, in a run of which another
// one is. Its type may not be declared: a number takes its place.
func (p *printer) unnamedBitfield(m btfdump.Place) {
	t := p.view.Type(p.view.Resolve(m.Type))
	p.line()
	p.scalar(sizedInt(t.Size(), t.Signed()))
	p.text(": ", strconv.FormatUint(uint64(m.BitSize), 10), ";\n")
}

// fill fills the gap before a member.
func (p *printer) fill(c *btfdump.Cursor, g gap, to uint64, beforeBitfield bool) {
	p.endBitfields(c, g)
	if start := to &^ 7; g.dropped && beforeBitfield && start >= c.Bit() {
		p.padding(c.Bit(), start)
		p.line()
		p.text("char: 0;\n")
		c.Skip(start)
	}
	p.padding(c.Bit(), to)
}

// endBitfields ends a run of bitfields if members that are not kept follow it.
func (p *printer) endBitfields(c *btfdump.Cursor, g gap) {
	if g.dropped && g.afterBitfield {
		p.line()
		p.text("char: 0;\n")
		c.Skip(alignUp(c.Bit(), 8))
	}
}

// prunedStyle is the style of a record that keeps some of its members, from that
// of the whole record.
func (p *Plan) prunedStyle(t btfdump.Type, s recordStyle) (recordStyle, error) {
	align, dropped := uint32(1), false
	for i := range t.NumMembers() {
		if !p.opts.Members.Has(t.ID(), i) {
			dropped = true
			continue
		}
		m, named := t.MemberPlace(i)
		if named || p.holdsRecord(m.Type) {
			v, err := p.value(m.Type)
			if err != nil {
				return s, err
			}
			align = max(align, v.align)
		}
	}
	if dropped {
		s.form |= padded
		if !s.is(packed) && align < s.align() {
			s.form |= aligned
		}
	}
	return s, nil
}

// paddingUnit returns the length in bits of the longest bitfield for padding in
// a record, 0 for no limit. On BPF, unnamed bitfields do not align a record. On
// ARM they do unless it is packed, and records of a 32-bit kernel can only be
// verified for a machine with pointers as short as its own.
func (p *printer) paddingUnit(style recordStyle) uint64 {
	if p.target.PointerSize == 8 || style.is(packed) || style.align() >= 8 {
		return 0
	}
	return 8 * uint64(style.align())
}

// paddingSizes are the sizes in bytes of the macros for padding, with what they
// are called.
var paddingSizes = []struct {
	bytes uint64
	macro string
}{{bitsPad4K / 8, macroPad4096}, {512, macroPad512}, {bitsPad64 / 8, macroPad64}}

// maxOnLine is how many macros are put on a line.
const maxOnLine = 6

// wordPadding prints padding of so many 64-bit words, at a multiple of their
// size. Records that keep some of their members are mostly padding: it takes few
// lines.
func (p *printer) wordPadding(words uint64) {
	for _, size := range paddingSizes {
		for n := 8 * words / size.bytes; n > 0; {
			p.used.padding = true
			p.line()
			for i := range min(n, maxOnLine) {
				if i > 0 {
					p.out = append(p.out, ' ')
				}
				p.text(size.macro)
			}
			p.out = append(p.out, '\n')
			words -= min(n, maxOnLine) * size.bytes / 8
			n -= min(n, maxOnLine)
		}
	}
	if words > 0 {
		p.bitfields("long long", 64, words)
	}
}
