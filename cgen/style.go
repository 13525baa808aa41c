package cgen

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/btfgen/btfgen/btfdump"
)

// recordStyle is how a record is written so that a BPF compiler lays it out as
// the BTF says. The zero style has not been decided yet.
type recordStyle struct {
	// align is the record's alignment in bytes as printed. It need not be the
	// kernel's, which BTF does not tell: padding makes up for it.
	align   uint32
	decided bool
	packed  bool
	// aligned says that an attribute has to state the alignment.
	aligned bool
	// padded says that members or the end need padding, or may do.
	padded bool
}

var (
	errOverlap = errors.New("it starts before the end of the member before it, which C can't write")
	errUnionAt = errors.New("it is in a union but not at its start, which C can't write")
	errTooFar  = errors.New("its members and their padding do not end at its size")
)

// value is what a record's layout needs to know of a member's type.
type value struct {
	size  uint64 // bytes
	align uint32 // bytes
}

// abi is the compiler's ABI, with the kernel's pointer size: pointers stay
// pointers, which CO-RE relocates, so on a 32-bit kernel they may not count as
// what BPF makes of them when padding is decided.
func abi(v *btfdump.View) btfdump.Target {
	t := btfdump.BPF
	t.PointerSize = uint32(v.PointerSize())
	return t
}

// value returns the size and alignment of a member's type as printed. The
// style of a record that it holds has been decided.
func (p *Plan) value(id btfdump.TypeID) (value, error) {
	n := uint64(1)
	for {
		id = p.view.Resolve(id)
		t := p.view.Type(id)
		switch k := t.Kind(); {
		case k == btfdump.KindArray:
			n *= uint64(t.ArrayLen()) // fits: New has checked that members lie in their records
			id = t.Ref()
			continue
		case k.IsRecord():
			s, err := p.style(id)
			return value{n * uint64(t.Size()), s.align}, err
		case k == btfdump.KindPtr:
			size := p.target.PointerSize
			return value{n * uint64(size), size}, nil
		case k == btfdump.KindFloat && floatSpelling(t) == "":
			return value{}, fmt.Errorf("a floating-point member has %d bytes, which BPF compilers do not know", t.Size())
		default:
			return value{n * uint64(t.Size()), p.target.ScalarAlign(t.Size())}, nil
		}
	}
}

// style returns how a record is written, or why it can't be.
func (p *Plan) style(id btfdump.TypeID) (recordStyle, error) {
	s := p.styles[p.naming.canon[id]]
	if !s.decided {
		return s, p.unwritable[p.naming.canon[id]]
	}
	return s, nil
}

// decideStyles decides how every record of the view is written, those inside
// others first. It keeps its own stack: records can be nested as deep as the
// BTF is long. Records that can't be written are only an error once they are
// to be declared.
func (p *Plan) decideStyles() {
	p.styles = make([]recordStyle, p.view.NumTypes())
	p.unwritable = make(map[btfdump.TypeID]error)
	var stack []btfdump.TypeID
	for t := range p.view.All() {
		if !t.Kind().IsRecord() {
			continue
		}
		for stack = append(stack[:0], t.ID()); len(stack) > 0; {
			id := p.naming.canon[stack[len(stack)-1]]
			if p.isDecided(id) {
				stack = stack[:len(stack)-1]
				continue
			}
			t := p.view.Type(id)
			n := len(stack)
			for i := range t.NumMembers() {
				m, _ := t.MemberPlace(i)
				if inner := p.innerRecord(m.Type); inner != 0 && !p.isDecided(inner) {
					stack = append(stack, inner)
				}
			}
			if len(stack) > n {
				continue
			}
			s, err := p.decide(t)
			if err == nil && p.opts.Members != nil {
				s, err = p.prunedStyle(t, s)
			}
			var inside *TypeError
			switch {
			case err == nil:
				p.styles[id] = s
			case errors.As(err, &inside): // names the record at fault already
				p.unwritable[id] = inside
			default:
				p.unwritable[id] = typeError(t, err)
			}
		}
	}
}

func (p *Plan) isDecided(id btfdump.TypeID) bool {
	return p.styles[id].decided || len(p.unwritable) > 0 && p.unwritable[id] != nil
}

// innerRecord returns the record that a value of a type holds, 0 if none.
func (p *Plan) innerRecord(id btfdump.TypeID) btfdump.TypeID {
	for {
		id = p.view.Resolve(id)
		t := p.view.Type(id)
		switch {
		case t.Kind() == btfdump.KindArray:
			id = t.Ref()
		case t.Kind().IsRecord():
			return p.naming.canon[id]
		default:
			return 0
		}
	}
}

// natural stands for "no limit" in a record whose alignment is C's.
const natural = 1 << 31

// decide tries to write a record without attributes; then, for ABIs that align
// large scalars less than BPF does (s390x: __int128 to 8, i386: u64 to 4) and
// for "#pragma pack", packed with the alignment that those give it, as packed
// alone would make compilers access members byte by byte; then packed.
func (p *Plan) decide(t btfdump.Type) (recordStyle, error) {
	for _, limit := range []uint32{natural, 8, 4, 2, 1} {
		align, padded, ok, err := p.fits(t, limit)
		if err != nil {
			return recordStyle{}, err
		}
		if !ok {
			continue
		}
		s := recordStyle{decided: true, packed: limit < natural, align: align, padded: padded || limit < natural}
		s.aligned = s.packed && align > 1
		if t.Kind() == btfdump.KindUnion && !s.packed {
			if align := p.unionAlign(t); align != 0 {
				s.align, s.aligned, s.padded = align, true, false
			}
		}
		return s, nil
	}
	return recordStyle{}, errTooFar
}

// fits reports whether all members can be put where the BTF says, with padding
// before them where needed, if no alignment counts for more than limit bytes;
// and the record's alignment then. padded says whether padding is needed.
func (p *Plan) fits(t btfdump.Type, limit uint32) (align uint32, padded, ok bool, err error) {
	union := t.Kind() == btfdump.KindUnion
	var end uint64 // of the members so far, in bits
	ok, align = true, 1
	for i := range t.NumMembers() {
		m, named := t.MemberPlace(i)
		v, err := p.value(m.Type)
		at := uint64(m.BitOffset)
		switch {
		case err != nil:
		case union && at != 0:
			err = errUnionAt
		case !union && at < end:
			err = errOverlap
		}
		if err != nil {
			return 0, false, false, fmt.Errorf("member %d (%.80q): %w", i, t.Member(i).Name, err)
		}
		a := min(v.align, limit)
		unit := uint64(a) * 8
		if m.BitSize == 0 {
			ok = ok && at%unit == 0
			padded = padded || alignUp(end, unit) != at && !union
			end = max(end, at+v.size*8)
		} else {
			// A bitfield may not cross a boundary of its type's size, but in
			// packed records.
			ok = ok && (limit < natural || at%unit+uint64(m.BitSize) <= v.size*8)
			padded = padded || end != at
			end = max(end, at+uint64(m.BitSize))
		}
		if !named {
			padded = true // it may be padding
		}
		if named || m.BitSize == 0 { // unnamed bitfields do not align
			align = max(align, a)
		}
	}
	if end > uint64(t.Size())*8 {
		return 0, false, false, errTooFar
	}
	padded = padded || alignUp(end, uint64(align)*8) != uint64(t.Size())*8
	return align, padded, ok && t.Size()%align == 0, nil
}

// unionAlign returns the alignment that gives a union of aligned members its
// size, 0 if none does: what __attribute__((aligned)) or an aligned type that
// BTF doesn't know did in the kernel.
func (p *Plan) unionAlign(t btfdump.Type) uint32 {
	var size uint64
	least := uint32(1)
	for _, m := range t.Members() {
		v, err := p.value(m.Type)
		if err != nil {
			return 0
		}
		bytes := v.size
		if m.BitSize != 0 {
			bytes = uint64(m.BitSize+7) / 8
		}
		size, least = max(size, bytes), max(least, v.align)
	}
	want := uint64(t.Size())
	if size == 0 || alignUp(size, uint64(least)) == want {
		return 0
	}
	align := uint64(1) << bits.Len64(want-1)
	for ; align > uint64(least); align /= 2 {
		if alignUp(size, align) == want {
			return uint32(align)
		}
	}
	return 0
}

// alignUp rounds up to a multiple of a power of two.
func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }
