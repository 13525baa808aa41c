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
