package cgen

import "github.com/btfgen/btfgen/btfdump"

// Records that keep some of their members
//
// With [Options.Members], padding takes the place of what a record does not
// keep. Everything that C can see of the record from outside stays: its size,
// its alignment (copies of it are moved in units of that) and the places of the
// members that are left. So the style that all of its members need is decided
// first, and changed only where the members that are left no longer align the
// record, or need padding before them that others were.

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
		if named || m.BitSize == 0 {
			v, err := p.value(m.Type)
			if err != nil {
				return s, err
			}
			align = max(align, v.align)
		}
	}
	if dropped {
		s.padded = true
		s.aligned = s.aligned || !s.packed && align < s.align
	}
	return s, nil
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
	if words == 0 {
		return
	}
	p.line()
	p.text("long long: 64")
	for range words - 1 {
		p.text(", : 64")
	}
	p.text(";\n")
}
