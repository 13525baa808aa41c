package cgen

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// recordStyle is how a record is written so that a BPF compiler lays it out as
// the BTF says; of other types that members have, it only tells size and
// alignment. The zero style has not been decided yet.
type recordStyle struct {
	size uint32 // bytes
	// logAlign is the record's alignment as printed, as a power of two in bytes.
	// It need not be the kernel's, which BTF does not tell: padding makes up for it.
	logAlign uint8
	decided  bool
	form
}

// form is what there is to a record beside its members.
type form uint8

const (
	packed  form = 1 << iota
	aligned      // an attribute has to state the alignment
	padded       // members or the end need padding, or may do
)

func (f form) is(what form) bool { return f&what != 0 }

// align returns the alignment in bytes.
func (s recordStyle) align() uint32 { return 1 << s.logAlign }

var (
	errOverlap = errors.New("it starts before the end of another member, which C can't write")
	errUnionAt = errors.New("it is in a union but not at its start, which C can't write")
	errTooFar  = errors.New("its members and their padding do not end at its size")

	errRecordTooLarge = errors.New("record of 512 MiB or more, whose size compilers get wrong in BTF")
	errFarBitfield    = errors.New("it lies 2 MiB or more behind the start of a record with bitfields, where compilers' BTF has no place for it")
	errBoolWidth      = errors.New("it is a bitfield of more bits than C's _Bool has, which is one")
)

// maxRecord is the size in bytes from which on LLVM writes another one into BTF:
// it counts in bits, and those in 32 of them (roundupToBytes in BTFDebug.cpp).
const maxRecord = 1 << 29

// maxFar is the first bit that BTF has no place for in a record with bitfields.
// What has them in the encoding of ints, as BTF had before Linux 5.0, has room.
const maxFar = 1 << 24

func hasBitfield(t btfdump.Type) bool {
	for m := range t.Places() {
		if m.BitSize != 0 {
			return true
		}
	}
	return false
}

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
	if s := p.styles[id]; s.decided {
		return value{uint64(s.size), s.align()}, nil
	}
	v, _, err := p.valueOf(id)
	return v, err
}

// valueOf is value for types of which it is not known. It returns the record
// that a value holds too, 0 if it holds none.
func (p *Plan) valueOf(id btfdump.TypeID) (v value, record btfdump.TypeID, err error) {
	n := uint64(1)
	for {
		id = p.view.Resolve(id)
		t := p.view.Type(id)
		switch k := t.Kind(); {
		case k == btfdump.KindArray:
			n = times(n, uint64(t.ArrayLen()))
			id = t.Ref()
			continue
		case k.IsRecord():
			s, err := p.style(id)
			return value{times(n, uint64(t.Size())), s.align()}, p.naming.canon[id], err
		case k == btfdump.KindPtr:
			size := p.target.PointerSize
			return value{times(n, uint64(size)), size}, 0, nil
		case k == btfdump.KindFloat && floatSpelling(t) == "":
			return value{}, 0, fmt.Errorf("a floating-point member has %d bytes, which BPF compilers do not know", t.Size())
		default:
			return value{times(n, uint64(t.Size())), p.target.ScalarAlign(t.Size())}, 0, nil
		}
	}
}

// times multiplies sizes in bytes. Arrays of pointers can be larger than any
// record: what is more than a record can have need not be told apart.
func times(n, size uint64) uint64 {
	const most = 1 << 40
	if hi, lo := bits.Mul64(n, size); hi == 0 && lo < most {
		return lo
	}
	return most
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
	p.styles = fresh[recordStyle](p.view.NumTypes())
	p.unwritable = make(map[btfdump.TypeID]error)
	p.reordered = make(map[btfdump.TypeID][]int)
	var stack []btfdump.TypeID
	begun := p.view.NewSet() // records that wait for those above them on the stack
	for t := range p.view.AllOf(btfdump.KindStruct, btfdump.KindUnion) {
		for stack = append(stack[:0], p.naming.canon[t.ID()]); len(stack) > 0; {
			n := len(stack)
			id := stack[n-1]
			if p.isDecided(id) {
				stack = stack[:n-1]
				continue
			}
			t := p.view.Type(id)
			var s recordStyle
			var err error
			if s, stack, err = p.decide(t, stack); len(stack) > n {
				begun.Add(id)
				if !slices.ContainsFunc(stack[n:], begun.Has) {
					continue
				}
				// No type holds itself, but two that count as one may: see hash.
				stack, err = stack[:n], errNeedsItself
			}
			if err == nil && p.opts.Members != nil {
				s, err = p.prunedStyle(t, s)
			}
			if err != nil {
				p.unwritable[id] = faultOf(t, err)
			} else {
				p.styles[id] = s
			}
		}
	}
}

// faultOf returns the error about a record that can't be written: one that names the
// record at fault already, or one that names it.
func faultOf(t btfdump.Type, err error) error {
	var inside *TypeError
	if errors.As(err, &inside) {
		return inside
	}
	return typeError(t, err)
}

func (p *Plan) isDecided(id btfdump.TypeID) bool {
	return p.styles[id].decided || len(p.unwritable) > 0 && p.unwritable[id] != nil
}

// learn is value for deciding styles: it remembers what it finds, and instead of
// a value it may return a record that is to be decided first.
func (p *Plan) learn(id btfdump.TypeID) (v value, first btfdump.TypeID, err error) {
	if s := p.styles[id]; s.decided {
		return value{uint64(s.size), s.align()}, 0, nil
	}
	v, record, err := p.valueOf(id)
	switch {
	case record != 0 && !p.isDecided(record):
		return value{}, record, nil
	case err == nil && v.size <= math.MaxUint32 && record != id:
		p.styles[id] = recordStyle{size: uint32(v.size), logAlign: log2(v.align), decided: true}
	}
	return v, 0, err
}

func log2(n uint32) uint8 { return uint8(bits.Len32(n) - 1) }

// natural stands for "no limit" in a record whose alignment is C's.
const natural = 1 << 31

// decide tries to write a record without attributes; then, for ABIs that align
// large scalars less than BPF does (s390x: __int128 to 8, i386: u64 to 4) and
// for "#pragma pack", packed with the alignment that those give it, as packed
// alone would make compilers access members byte by byte; then packed.
//
// Records inside this one that have not been decided are put on the stack
// instead.
func (p *Plan) decide(t btfdump.Type, stack []btfdump.TypeID) (recordStyle, []btfdump.TypeID, error) {
	n := len(stack)
	if t.Size() >= maxRecord {
		return recordStyle{}, stack, errRecordTooLarge
	}
	for _, limit := range []uint32{natural, 8, 4, 2, 1} {
		var f fit
		var err error
		if f, stack, err = p.fits(t, limit, stack); err != nil || len(stack) > n {
			return recordStyle{}, stack, err
		}
		if !f.ok {
			continue
		}
		s := recordStyle{decided: true, size: t.Size(), logAlign: log2(f.align)}
		switch {
		case limit < natural && f.align > 1:
			s.form = packed | aligned | padded
		case limit < natural:
			s.form = packed | padded
		case f.padded:
			s.form = padded
		}
		if t.Kind() == btfdump.KindUnion && !s.is(packed) {
			if align := p.unionAlign(t); align != 0 {
				s.logAlign, s.form = log2(align), aligned
			}
		}
		return s, stack, nil
	}
	return recordStyle{}, stack, errTooFar
}

// fit is how a record comes out that is written with some limit of alignment.
type fit struct {
	ok     bool   // all members are where the BTF says
	padded bool   // that takes padding, or may do
	align  uint32 // of the record, in bytes
}

// fits tries to put all members where the BTF says, with padding before them
// where needed, if no alignment counts for more than limit bytes. As decide, it
// may return a longer stack instead.
func (p *Plan) fits(t btfdump.Type, limit uint32, stack []btfdump.TypeID) (fit, []btfdump.TypeID, error) {
	if f, ok := p.fitsPlainly(t, limit); ok {
		return f, stack, nil
	}
	union := t.Kind() == btfdump.KindUnion
	var end uint64 // of the members so far, in bits
	f := fit{ok: true, align: 1}
	waits := false
	order := p.memberOrder(t)
	for at := range t.NumMembers() {
		i := nth(order, at)
		m, named := t.MemberPlace(i)
		if !named && !p.holdsRecord(m.Type) {
			f.padded = true // it is padding, and nothing of it is written
			continue
		}
		v, first, err := p.learn(m.Type)
		if first != 0 {
			stack = append(stack, first)
			waits = true
		}
		if waits {
			continue // to find all that have to be decided
		}
		at := uint64(m.BitOffset)
		switch {
		case err != nil:
		case union && at != 0:
			err = errUnionAt
		case !union && at < end && order == nil:
			p.reordered[p.naming.canon[t.ID()]] = inOrder(p.view, t)
			return p.fits(t, limit, stack)
		case !union && at < end:
			err = errOverlap
		case at >= maxFar && hasBitfield(t):
			err = errFarBitfield
		case m.BitSize > 1 && p.isBool(m.Type):
			err = errBoolWidth
		}
		if err != nil {
			return fit{}, stack, fmt.Errorf("member %d (%.80q): %w", i, t.Member(i).Name, err)
		}
		a := min(v.align, limit)
		unit := uint64(a) * 8 // a power of two
		if m.BitSize == 0 {
			f.ok = f.ok && at&(unit-1) == 0
			f.padded = f.padded || alignUp(end, unit) != at && !union
			end = max(end, at+v.size*8)
		} else {
			// A bitfield may not cross a boundary of its type's size, but in
			// packed records.
			f.ok = f.ok && (limit < natural || at&(unit-1)+uint64(m.BitSize) <= v.size*8)
			f.padded = f.padded || end != at
			end = max(end, at+uint64(m.BitSize))
		}
		f.align = max(f.align, a)
	}
	if waits {
		return fit{}, stack, nil
	}
	if end > uint64(t.Size())*8 {
		return fit{}, stack, errTooFar
	}
	f.finish(t, end)
	return f, stack, nil
}

// isBool reports whether values of a type are C's _Bool.
func (p *Plan) isBool(id btfdump.TypeID) bool { return isBool(p.view.Type(p.view.Resolve(id))) }

func isBool(t btfdump.Type) bool {
	return t.Kind() == btfdump.KindInt && t.Size() == 1 && intSpelling(t) == "_Bool"
}

// inOrder returns the indexes of a struct's members in the order of their
// places. C's members follow one another; Rust's are listed as they were
// declared, wherever the compiler has put them.
func inOrder(v *btfdump.View, t btfdump.Type) []int {
	order := make([]int, t.NumMembers())
	for i := range order {
		order[i] = i
	}
	if t.Kind() == btfdump.KindUnion {
		return order
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, _ := t.MemberPlace(i)
		b, _ := t.MemberPlace(j)
		isEmpty := func(m btfdump.Place) bool { return m.BitSize == 0 && v.SizeOf(m.Type) == 0 }
		// What takes no room comes before what does.
		return cmp.Or(cmp.Compare(a.BitOffset, b.BitOffset), compareBool(!isEmpty(a), !isEmpty(b)))
	})
	return order
}

// finish takes account of a record's end; that of its members is given in bits.
func (f *fit) finish(t btfdump.Type, end uint64) {
	f.padded = f.padded || alignUp(end, uint64(f.align)*8) != uint64(t.Size())*8
	f.ok = f.ok && t.Size()&(f.align-1) == 0
}

// fitsPlainly is what fits comes to for most records: structs whose members have
// names, are no bitfields, and hold no record that has not been decided. For
// others, ok is false.
func (p *Plan) fitsPlainly(t btfdump.Type, limit uint32) (f fit, ok bool) {
	if t.Kind() != btfdump.KindStruct {
		return fit{}, false
	}
	styles := p.styles
	var end, misplaced, gaps uint64 // in bits; the latter two are 0 if there is none
	align := uint32(1)
	plain := true
	for m, named := range t.Places() {
		s := styles[m.Type]
		if !s.decided {
			_, _, _ = p.learn(m.Type) // fits finds out what is in the way, if anything is
			s = styles[m.Type]
		}
		at := uint64(m.BitOffset)
		if !s.decided || !named || m.BitSize != 0 || at < end {
			plain = false
			break
		}
		a := min(s.align(), limit)
		unit := uint64(a) * 8
		misplaced |= at & (unit - 1)
		gaps |= alignUp(end, unit) ^ at
		align = max(align, a)
		end = at + uint64(s.size)*8
	}
	if !plain || end > uint64(t.Size())*8 {
		return fit{}, false
	}
	f = fit{ok: misplaced == 0, padded: gaps != 0, align: align}
	f.finish(t, end)
	return f, true
}

// unionAlign returns the alignment that gives a union of aligned members its
// size, 0 if none does: what __attribute__((aligned)) or an aligned type that
// BTF doesn't know did in the kernel.
func (p *Plan) unionAlign(t btfdump.Type) uint32 {
	var size uint64
	least := uint32(1)
	for _, m := range t.Members() {
		if m.Name == "" && !p.holdsRecord(m.Type) {
			continue
		}
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
