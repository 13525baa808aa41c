package gogen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// class is how Go holds a C value.
type class uint8

const (
	classUint   class = iota // uint8 to uint64
	classInt                 // int8 to int64
	classFloat               // float32, float64
	classBool                // Bool, or bool from an accessor
	classPtr                 // Ptr
	classInt128              // Int128, Uint128
	classEnum                // a type of its own
	classRecord              // a type of its own
	classBytes               // what Go has no type for, such as long double: [N]byte
)

// value is the Go type of a C value: an element, and the dimensions of an
// array of them.
type value struct {
	class  class
	signed bool
	char   bool // C's plain char
	align  uint8
	size   uint32         // bytes of one element
	id     btfdump.TypeID // of an enum or record
	// namer is the typedef, enum or record whose name the Go type has; 0 for
	// a type that is named after the member which has it.
	namer btfdump.TypeID
	dims  []uint32 // outermost first; nil for a value that is no array
}

// bytes returns the size of the whole value.
func (v *value) bytes() uint64 {
	n := uint64(v.size)
	for _, d := range v.dims {
		n *= uint64(d) // fits: values lie inside a record of at most maxRecord bytes
	}
	return n
}

// checkSize refuses arrays that the Go compiler would, also those of which C
// has no elements.
func (v *value) checkSize() error {
	n := uint64(v.size)
	for i := len(v.dims) - 1; i >= 0; i-- {
		n *= uint64(v.dims[i])
		if n >= maxRecord || v.dims[i] >= maxRecord {
			return errTooLarge
		}
	}
	return nil
}

// isFlexible reports whether the value is an array that C gives no length.
func (v *value) isFlexible() bool { return len(v.dims) > 0 && v.dims[0] == 0 }

// leaf is a member with a name. Members without one are records whose members
// C treats as the outer record's own, and so does the Go type.
type leaf struct {
	name  string
	typ   btfdump.TypeID
	value value
	off   uint32 // bytes from the start of the record; of a bitfield, of its first byte
	bit   uint32 // bits from the start of the record, of a bitfield
	bits  uint32 // width of a bitfield, 0 for others
	slot  int32  // the slot that it is in; -1 for a leaf without bytes
}

// end returns the byte after the leaf's last.
func (l *leaf) end() uint64 {
	if l.bits != 0 {
		return (uint64(l.bit) + uint64(l.bits) + 7) / 8
	}
	return uint64(l.off) + l.value.bytes()
}

// slot is a field of the Go struct: a member, or bytes that accessors read
// members from.
type slot struct {
	off, end  uint32 // bytes
	leaf      int32  // the member that the field is; -1 for bytes
	bitfields bool   // the bytes hold bitfields alone
}

// layout is a record as Go has it.
type layout struct {
	size, align uint32 // bytes; align is that of the Go type on 64-bit machines
	marker      uint32 // if not 0, align needs a first field [0]uintN of this many bytes
	swaps       bool   // some field depends on the byte order
	nesting     int    // how deep the records in it are nested, itself included
	leaves      []leaf
	slots       []slot // by offset, disjoint
}

const (
	// maxNesting bounds how deep records with names hold each other by value. Each
	// level doubles the time that the Go compiler and go vet take to find a size:
	// 18 take an eighth of a second, for each use. Kernels and their modules have
	// up to 13.
	maxNesting = 18
	// maxDepth bounds how deep types are followed that become no Go types, such
	// as records that are members without a name.
	maxDepth = 500
	// maxRecord is the size in bytes from which on a record is refused: the Go
	// compiler has a limit too, 2 GiB for 32-bit machines.
	maxRecord = 1 << 30
	// maxMembers is how many members a record may have: what BTF had room for
	// before it got 24 bits for their number. In kernels it is some hundreds.
	maxMembers = 1<<16 - 1
)

var (
	errNesting       = fmt.Errorf("records are nested more than %d deep: the Go compiler takes twice as long for each level", maxNesting)
	errDepth         = fmt.Errorf("types are nested more than %d deep", maxDepth)
	errTooMany       = fmt.Errorf("it has more than %d members: Go types are limited to that", maxMembers)
	errTooLarge      = fmt.Errorf("it has %d bytes or more: Go types are limited to that", maxRecord)
	errNoLayout      = errors.New("no layout was made for it")
	errBadEnumerator = errors.New("the name of one of its enumerators is no C identifier")
	errTooMuch       = errors.New("the Go code would be far larger than the BTF, which holds once what the code repeats: choose fewer types")
)

// layouter computes layouts, each once. Types that are equal have equal
// layouts, so nothing depends on type IDs.
type layouter struct {
	view  *btfdump.View
	known []*layout // by type ID
	// typedefs are the answers of lastTypedef.
	typedefs map[btfdump.TypeID]btfdump.TypeID
	pointer  uint32 // size in bytes
	budget   int    // leaves that may still be made; a member of the BTF has 12 bytes
	depth    int
}

func newLayouter(v *btfdump.View) *layouter {
	return &layouter{view: v, known: make([]*layout, v.NumTypes()), typedefs: make(map[btfdump.TypeID]btfdump.TypeID), pointer: uint32(v.PointerSize()), budget: v.RawLen()/6 + 1<<16}
}

// layout decides how Go lays out a record, and those that it holds.
//
// Offsets and sizes are the BTF's. A member becomes a field where no other one
// overlaps it, its offset is a multiple of Go's alignment for it, and that
// alignment divides the record's size; else it lies in bytes that accessors
// read. Go's alignment is taken to be that of 64-bit machines everywhere: on
// those of 32 bits it can only be smaller, and as every gap is written out, the
// layout is the same.
func (c *layouter) layout(id btfdump.TypeID) (*layout, error) {
	if l := c.known[id]; l != nil {
		return l, nil
	}
	t := c.view.Type(id)
	if t.Size() >= maxRecord {
		return nil, typeError(t, fmt.Errorf("it has %d bytes: Go records are limited to %d", t.Size(), maxRecord))
	}
	if t.NumMembers() > maxMembers {
		return nil, typeError(t, errTooMany)
	}
	if c.depth++; c.depth > maxNesting {
		return nil, typeError(t, errNesting)
	}
	l := &layout{size: t.Size(), align: 1, nesting: 1}
	l.leaves = make([]leaf, 0, t.NumMembers())
	err := c.flatten(l, t, t, 0, 0)
	if err == nil && len(l.leaves) > maxMembers {
		err = errTooMany
	}
	if err == nil && l.nesting > maxNesting {
		err = errNesting
	}
	if err == nil {
		err = l.place()
	}
	if err != nil {
		var known *TypeError
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, typeError(t, err)
	}
	c.depth--
	c.known[id] = l
	return l, nil
}

// flatten adds the members of t, which lies at bit base of the record outer.
func (c *layouter) flatten(l *layout, outer, t btfdump.Type, base uint64, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	for i := range t.NumMembers() {
		m := t.Member(i)
		at := base + uint64(m.BitOffset)
		if m.Name == "" {
			if inner := c.view.Type(c.view.Resolve(m.Type)); inner.Kind().IsRecord() {
				if c.budget--; c.budget < 0 {
					return errTooMuch
				}
				if err := c.flatten(l, outer, inner, at, depth+1); err != nil {
					return err
				}
			}
			continue // else padding
		}
		if !btfdump.IsIdentifier(m.Name) {
			return fmt.Errorf("member %.80q: its name is no C identifier", m.Name)
		}
		if c.budget -= 1 + len(m.Name)/64; c.budget < 0 {
			return errTooMuch
		}
		v, err := c.value(m.Type)
		if err == nil && v.class == classRecord {
			l.nesting = max(l.nesting, 1+c.known[v.id].nesting)
		}
		if known := (*TypeError)(nil); errors.As(err, &known) {
			return err // of a record that this one holds, which it names
		}
		if err != nil {
			return fmt.Errorf("member %q: %w", m.Name, err)
		}
		f := leaf{name: m.Name, typ: m.Type, value: v, off: uint32(at / 8), slot: -1}
		if m.BitSize != 0 {
			f.bit, f.bits = uint32(at), m.BitSize
			if f.value.class == classBytes { // an int of, say, 3 bytes: the bits are a number all the same
				if f.bits > 64 {
					return fmt.Errorf("bitfield %q has %d bits of a type with %d bytes, which Go has no number for", m.Name, f.bits, f.value.size)
				}
				f.value.class, f.value.size = classUint, 8
				if f.value.signed = c.view.Type(c.view.Resolve(m.Type)).Signed(); f.value.signed {
					f.value.class = classInt
				}
			}
		}
		if f.end() > uint64(outer.Size()) { // the check of the BTF leaves out pointers, whose size it only infers
			return fmt.Errorf("member %q ends at byte %d of %d", m.Name, f.end(), outer.Size())
		}
		l.leaves = append(l.leaves, f)
	}
	return nil
}

// place decides which leaves are fields and which share bytes.
func (l *layout) place() error {
	order := make([]int32, 0, len(l.leaves))
	sorted := true
	for i := range l.leaves {
		f := &l.leaves[i]
		if f.end() == uint64(f.off) {
			continue // no bytes
		}
		if n := len(order); n > 0 && l.leaves[order[n-1]].off > f.off {
			sorted = false
		}
		order = append(order, int32(i))
	}
	if !sorted {
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(l.leaves[a].off, l.leaves[b].off) })
	}
	l.slots = make([]slot, 0, len(order))
	for _, i := range order {
		f := &l.leaves[i]
		end := uint32(f.end())
		if n := len(l.slots); n > 0 {
			s := &l.slots[n-1]
			if f.off < s.end || f.off == s.end && f.bits != 0 && s.bitfields {
				s.end = max(s.end, end)
				s.bitfields = s.bitfields && f.bits != 0
				s.leaf = -1
				f.slot = int32(n - 1)
				continue
			}
		}
		s := slot{off: f.off, end: end, leaf: i, bitfields: f.bits != 0}
		if f.bits != 0 || !l.aligned(f) {
			s.leaf = -1
		}
		f.slot = int32(len(l.slots))
		l.slots = append(l.slots, s)
	}
	wanted := uint32(1)
	for i := range l.leaves {
		f := &l.leaves[i]
		a := uint32(f.value.align)
		if f.slot < 0 || f.bits != 0 || !l.aligned(f) {
			continue
		}
		wanted = max(wanted, a)
		if l.slots[f.slot].leaf >= 0 {
			l.align = max(l.align, a)
			l.swaps = l.swaps || f.value.swaps()
		}
	}
	if wanted > l.align {
		l.align, l.marker = wanted, wanted
	}
	return nil
}

// aligned reports whether Go can have a field where the leaf is.
func (l *layout) aligned(f *leaf) bool {
	a := uint32(f.value.align)
	return f.off%a == 0 && l.size%a == 0
}

// swaps reports whether the value's bytes depend on the byte order. For
// records that is not known here: those of one byte or alignment never do.
func (v *value) swaps() bool {
	switch v.class {
	case classBytes, classBool:
		return false
	case classRecord:
		return v.align > 1
	}
	return v.size > 1
}

// value decides on the Go type of a C type.
func (c *layouter) value(id btfdump.TypeID) (value, error) {
	var v value
	for {
		t := c.view.Type(c.view.Resolve(id))
		if t.Kind() == btfdump.KindArray {
			v.dims = append(v.dims, t.ArrayLen())
			id = t.Ref()
			continue
		}
		v.id = t.ID()
		if t.HasName() {
			v.namer = v.id
		} else if t.Kind().IsRecord() || t.Kind().IsEnum() {
			v.namer = c.lastTypedef(id)
		}
		if err := c.element(&v, t); err != nil {
			return v, err
		}
		return v, v.checkSize()
	}
}

// lastTypedef returns the last typedef before the record or enum that id stands
// for: the one that names it if nothing else does. 0 if there is none.
func (c *layouter) lastTypedef(id btfdump.TypeID) btfdump.TypeID {
	var passed []btfdump.TypeID // typedefs, each of which has the same answer
	last := btfdump.TypeID(0)
	for t := c.view.Type(id); t.Kind().IsModifier(); t = c.view.Type(t.Ref()) {
		if t.Kind() != btfdump.KindTypedef {
			continue
		}
		if known, ok := c.typedefs[t.ID()]; ok {
			last = known
			break
		}
		last = t.ID()
		passed = append(passed, last)
	}
	for _, id := range passed {
		c.typedefs[id] = last
	}
	return last
}

// element fills in what an array's element, or a value that is no array, is.
func (c *layouter) element(v *value, t btfdump.Type) error {
	v.size, v.align = t.Size(), 1
	switch k := t.Kind(); {
	case k == btfdump.KindPtr:
		v.class, v.size = classPtr, c.pointer
	case k.IsEnum():
		v.class, v.signed = classEnum, t.Signed()
	case k.IsRecord():
		l, err := c.layout(t.ID())
		if err != nil {
			return err
		}
		v.class, v.align = classRecord, uint8(l.align)
		return nil
	case k == btfdump.KindFloat && (v.size == 4 || v.size == 8):
		v.class = classFloat
	case k == btfdump.KindInt && t.IntEncoding()&btfdump.IntBool != 0 && v.size == 1:
		v.class = classBool
	case k == btfdump.KindInt && v.size == 16:
		v.class, v.signed, v.align = classInt128, t.Signed(), 8
		return nil
	case k == btfdump.KindInt && v.size > 0 && v.size&(v.size-1) == 0:
		v.class, v.signed = classUint, t.Signed()
		if v.signed {
			v.class = classInt
		}
		v.char = v.size == 1 && t.Name() == "char"
	default:
		v.class = classBytes
		return nil
	}
	v.align = uint8(v.size)
	return nil
}
