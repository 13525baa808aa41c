package btfdump

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// validate checks all types of a level, once: what passes can be decoded by
// accessors that have no errors to return. Every step is linear in the size
// of the blob, and none recurses.
func (l *level) validate() error {
	c := checker{level: l, end: l.firstRaw + TypeID(len(l.offsets)), strEnd: uint32(l.stringsEnd())}
	if len(l.long) > 0 {
		c.strEnd = 0 // each name has to be looked at by nameOffset
	}
	var other sync.WaitGroup
	help := func(s *sweep) {
		if len(l.types) >= sweepAlone {
			other.Go(s.work)
		}
	}
	// Chains are followed one after the other. Meanwhile, another core checks what
	// does not ask where they lead: most types.
	single := sweep{c: c}
	help(&single)
	err := c.resolveChains()
	if err != nil {
		single.stop()
	}
	single.work()
	other.Wait()
	if err := cmp.Or(err, cmp.Or(single.errs[:]...)); err != nil {
		return err
	}
	composed := sweep{c: c, composed: true}
	help(&composed)
	composed.work()
	other.Wait()
	if err := cmp.Or(composed.errs[:]...); err != nil {
		return err
	}
	c.plain = !c.legacyBitfields
	for i := range composed.parts {
		c.inner = append(c.inner, composed.parts[i].inner...)
		c.plain = c.plain && !composed.parts[i].emptyName
	}
	return c.byValueCycles()
}

// sweepParts is how many parts the types are checked in: enough that two cores
// end together, whatever else they have to do.
const sweepParts = 16

// sweepAlone is the length in bytes below which types are checked before another
// core has begun.
const sweepAlone = 64 << 10

// composedKinds are those whose checks ask for the layout of others, and so where
// chains of qualifiers and typedefs lead.
var composedKinds = kinds(KindStruct, KindUnion, KindArray)

// A sweep checks all types of a level that are, or are not, of composedKinds. Any
// number of goroutines may work on it.
type sweep struct {
	c        checker // what every part starts from
	composed bool
	next     atomic.Int32
	parts    [sweepParts]checker
	errs     [sweepParts]error // of the first type in each part that fails
}

func (s *sweep) work() {
	for i := s.next.Add(1) - 1; i < sweepParts; i = s.next.Add(1) - 1 {
		s.parts[i] = s.c
		if s.errs[i] = s.part(&s.parts[i], s.c.partStart(i), s.c.partStart(i+1)); s.errs[i] != nil {
			s.stop() // the parts before this one have been begun
		}
	}
}

// stop keeps parts that nobody works on yet from being begun.
func (s *sweep) stop() { s.next.Store(sweepParts) }

// partStart returns the index of a part's first type. Parts have the same number
// of bytes: records are long.
func (c *checker) partStart(i int32) int {
	at := uint64(len(c.level.types)) * uint64(i) / sweepParts
	index, _ := slices.BinarySearch(c.offsets, uint32(at))
	return index
}

// part checks some of the types.
func (s *sweep) part(c *checker, from, to int) error {
	offsets, kinds := c.offsets[from:to], c.kinds[from:to]
	for i, k := range kinds {
		off := offsets[i]
		switch {
		case composedKinds.has(k) != s.composed:
			continue
		case k == KindFunc && c.isPlainFunc(off): // half of a kernel's types
			continue
		case nameOnlyKinds.has(k) && c.isString(c.word(off)): // half of the others
			continue
		}
		if err := c.check(Type{level: c.level, off: off, info: c.word(off + 4), id: c.firstRaw + TypeID(from+i)}); err != nil {
			return err
		}
	}
	return nil
}

// nameOnlyKinds are those of which nothing but the name is left to be checked
// once chains have been resolved.
var nameOnlyKinds = chainKinds&^kinds(KindArray) | kinds(KindFwd)

// typeRaw returns a type by the ID that the blob itself counts.
func (l *level) typeRaw(id TypeID) Type {
	for id < l.firstRaw {
		if l.base == nil {
			return Type{level: l} // void
		}
		l = l.base
	}
	off := l.offsets[id-l.firstRaw]
	return Type{level: l, off: off, info: l.word(off + 4), id: id}
}

// kindRaw returns the kind of a type by the ID that the blob itself counts.
func (l *level) kindRaw(id TypeID) Kind {
	for id < l.firstRaw {
		if l.base == nil {
			return KindVoid
		}
		l = l.base
	}
	return l.kinds[id-l.firstRaw]
}

// resolveRaw is View.Resolve in the blob's own counting.
func (l *level) resolveRaw(id TypeID) TypeID {
	for id < l.firstRaw {
		if l.base == nil {
			return id // void
		}
		l = l.base
	}
	return l.resolved[id-l.firstRaw]
}

// checker holds what the checks of one level share. All IDs are the blob's own.
type checker struct {
	*level
	end       TypeID   // the ID after the last
	inner     []TypeID // records that are as large as one that holds them, or in an array of no elements
	strEnd    uint32   // the offset after the last string that may be a name
	emptyName bool     // a member has an empty name that is not at offset 0
}

func errorAt(t Type, format string, args ...any) error {
	e := &FormatError{ID: t.id, Kind: t.Kind(), Msg: fmt.Sprintf(format, args...)}
	if nameOff := t.u32(0); uint64(nameOff) < t.level.stringsEnd() {
		e.Name = t.Name()
	}
	return e
}

// check checks a type: that its words refer to strings and types that there are
// and that may stand there, its size, and where its members lie. What a chain
// kind refers to has been checked.
func (c *checker) check(t Type) error {
	if err := c.nameOffset(t, t.u32(0), "its name"); err != nil {
		return err
	}
	switch t.Kind() {
	case KindInt:
		bits, offset := t.IntBits(), t.IntBitOffset()
		// The kernel, libbpf and cilium/ebpf take an int of no bytes, if it has no
		// bits: rustc's unit type () is one.
		if size := t.Size(); size > 16 || bits > 128 || bits+offset > size*8 {
			return errorAt(t, "%d bits at bit %d do not fit its size of %d bytes", bits, offset, size)
		}
	case KindArray:
		if err := c.target(t, TypeID(t.u32(16)), symbolKinds); err != nil {
			return err
		}
		return c.array(t)
	case KindStruct, KindUnion:
		return c.record(t)
	case KindEnum, KindEnum64:
		return c.enum(t)
	case KindFunc:
		return c.target(t, TypeID(t.u32(8)), ^kinds(KindFuncProto))
	case KindFuncProto:
		return c.prototype(t)
	case KindVar:
		return c.target(t, TypeID(t.u32(8)), symbolKinds)
	case KindDatasec:
		for i := range t.Vlen() {
			if err := c.target(t, TypeID(t.u32(12+uint32(i)*12)), ^kinds(KindVar, KindFunc)); err != nil {
				return err
			}
		}
	case KindFloat:
		switch t.Size() {
		case 2, 4, 8, 12, 16:
		default:
			return errorAt(t, "a floating-point number can't have %d bytes", t.Size())
		}
	case KindDeclTag:
		if err := c.target(t, TypeID(t.u32(8)), ^declTagTargets); err != nil {
			return err
		}
		return c.component(t)
	}
	return nil
}

func (c *checker) enum(t Type) error {
	switch t.Size() {
	case 1, 2, 4, 8:
	case 0: // see IsForward
		if t.Vlen() > 0 {
			return errorAt(t, "an enum with values can't have 0 bytes")
		}
	default:
		return errorAt(t, "an enum can't have %d bytes", t.Size())
	}
	elem := uint32(wireSizes[t.Kind()].elem)
	for i := range t.Vlen() {
		if name := t.u32(12 + uint32(i)*elem); !c.isString(name) {
			if err := c.nameOffset(t, name, "enumerator name"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) prototype(t Type) error {
	if err := c.target(t, TypeID(t.u32(8)), symbolKinds); err != nil {
		return err
	}
	params := c.level.types[t.off+12:][:8*t.Vlen()]
	for i := 0; len(params) >= 8; i++ {
		name, param := binary.LittleEndian.Uint32(params), TypeID(binary.LittleEndian.Uint32(params[4:]))
		if !c.isString(name) || !c.isValue(param) {
			if err := cmp.Or(c.nameOffset(t, name, "parameter name"), c.target(t, param, symbolKinds)); err != nil {
				return err
			}
		}
		params = params[8:]
	}
	return nil
}

func (c *checker) record(t Type) error {
	members := c.level.types[t.off+12:][:12*t.Vlen()]
	size := t.Size()
	for i := 0; len(members) >= 12; i++ {
		name, ref, place := binary.LittleEndian.Uint32(members), TypeID(binary.LittleEndian.Uint32(members[4:])), binary.LittleEndian.Uint32(members[8:])
		members = members[12:]
		if !c.isString(name) || !c.isValue(ref) {
			if err := cmp.Or(c.nameOffset(t, name, "member name"), c.target(t, ref, symbolKinds)); err != nil {
				return err
			}
		}
		if name != 0 && !c.hasName(name) {
			c.emptyName = true
		}
		if place>>24 == 0 && !c.legacyBitfields && c.isPlain(ref, place, size) {
			continue // above 24 bits, it may have the width of a bitfield
		}
		if err := c.member(t, i, ref, place); err != nil {
			return err
		}
	}
	return nil
}

// declTagTargets are what a decl_tag can be about: btf_type_is_decl_tag_target
// in the kernel's kernel/bpf/btf.c.
var declTagTargets = kinds(KindTypedef, KindStruct, KindUnion, KindFunc, KindVar)

// isString reports whether a string starts at an offset, and isValue whether an
// ID is that of an own type that can have values: what loops over members ask
// before they call nameOffset and target, which know all cases.
func (c *checker) isString(off uint32) bool { return off < c.strEnd }

func (c *checker) isValue(id TypeID) bool {
	at := id - c.firstRaw
	return at < TypeID(len(c.kinds)) && !symbolKinds.has(c.kinds[at])
}

// isPlainFunc reports whether nothing is wrong with the function at an offset.
func (c *checker) isPlainFunc(off uint32) bool {
	words := c.level.types[off:][:12]
	at := TypeID(binary.LittleEndian.Uint32(words[8:])) - c.firstRaw
	return c.isString(binary.LittleEndian.Uint32(words)) && at < TypeID(len(c.kinds)) && c.kinds[at] == KindFuncProto
}

// nameOffset checks the place of a string.
func (c *checker) nameOffset(t Type, off uint32, what string) error {
	if c.isString(off) || off == 0 {
		return nil
	}
	if end := c.stringsEnd(); uint64(off) >= end {
		return errorAt(t, "%s is at offset %d of %d bytes of strings", what, off, end)
	}
	if n := c.tooLong(off); n > 0 {
		return errorAt(t, "%s has %d bytes, more than %d", what, n, maxString)
	}
	return nil
}

// target checks that a reference leads to a type, and to none of the kinds
// given. Unknown kinds may be referred to by any type.
func (c *checker) target(t Type, id TypeID, except kindSet) error {
	if at := id - c.firstRaw; at < TypeID(len(c.kinds)) && !except.has(c.kinds[at]) {
		return nil
	}
	return c.otherTarget(t, id, except)
}

// otherTarget is target for void, for types of the base, and for errors.
func (c *checker) otherTarget(t Type, id TypeID, except kindSet) error {
	if id >= c.end {
		return errorAt(t, "refers to type %d, but there are only %d", id, c.end)
	}
	k := c.kindRaw(id)
	switch {
	case !except.has(k):
		return nil
	case id == 0:
		return errorAt(t, "refers to void, which its kind does not allow")
	}
	return errorAt(t, "refers to type %d of kind %s, which its kind does not allow", id, k)
}

// resolveChains fills in resolved, and rejects chains of pointers, arrays and
// modifiers that lead back to themselves.
func (c *checker) resolveChains() error {
	resolved, kinds, chainKinds := hugepages.Make[TypeID](len(c.kinds)), c.kinds, chainKinds
	c.resolved = resolved
	for i := range resolved {
		resolved[i] = c.firstRaw + TypeID(i)
		if chainKinds.has(kinds[i]) {
			resolved[i] = unresolved
		}
	}
	var chain []TypeID
	for i, k := range kinds {
		if !chainKinds.has(k) {
			continue
		}
		id := c.firstRaw + TypeID(i)
		if resolved[i] != unresolved {
			continue
		}
		// Most refer to a type of which the answer is known already.
		words := c.level.types[c.offsets[i]:][:12]
		if at := TypeID(binary.LittleEndian.Uint32(words[8:])) - c.firstRaw; k != KindArray && at < TypeID(len(resolved)) && !symbolKinds.has(kinds[at]) && resolved[at] != unresolved {
			resolved[i] = id
			if modifierKinds.has(k) {
				resolved[i] = resolved[at]
			}
			continue
		}
		// Walk to where the answer is known …
		chain = chain[:0]
		for id >= c.firstRaw && c.resolved[id-c.firstRaw] == unresolved {
			c.resolved[id-c.firstRaw] = resolving
			chain = append(chain, id)
			t := c.typeRaw(id)
			ref := TypeID(t.u32(8))
			if t.Kind() == KindArray {
				ref = TypeID(t.u32(12))
			}
			if err := c.target(t, ref, symbolKinds); err != nil {
				return err
			}
			id = ref
		}
		if id >= c.firstRaw && c.resolved[id-c.firstRaw] == resolving {
			return errorAt(c.typeRaw(id), "refers to itself through pointers, arrays or qualifiers alone")
		}
		// … and carry it back.
		target := c.resolveRaw(id)
		for j := len(chain) - 1; j >= 0; j-- {
			at := chain[j] - c.firstRaw
			if !c.kinds[at].IsModifier() {
				target = chain[j]
			}
			c.resolved[at] = target
		}
	}
	return nil
}

// What level.resolved holds before a chain's end is known. IDs are smaller.
const (
	unresolved = ^TypeID(0)
	resolving  = unresolved - 1
)

// component checks that a decl_tag is about its target as a whole, or a member
// or parameter that this has.
func (c *checker) component(t Type) error {
	target := c.typeRaw(TypeID(t.u32(8)))
	n := 0
	switch target.Kind() {
	case KindStruct, KindUnion:
		n = target.Vlen()
	case KindFunc:
		// Its own check may be yet to come, and fail: then it has none.
		if id := TypeID(target.u32(8)); id < c.end && c.kindRaw(id) == KindFuncProto {
			n = c.typeRaw(id).Vlen()
		}
	}
	if i := t.ComponentIndex(); i < -1 || int(i) >= n {
		return errorAt(t, "is about component %d of type %d, which has %d", i, target.id, n)
	}
	return nil
}

// maxDimensions bounds how many arrays can be nested directly. C promises a
// program 12 declarators in a row; it keeps size computations linear.
const maxDimensions = 64

func (c *checker) array(t Type) error {
	id := TypeID(t.u32(12))
	for range maxDimensions {
		elem := c.typeRaw(c.resolveRaw(id))
		if k := elem.Kind(); k != KindArray {
			if k != KindVoid && unsizedKinds.has(k) || elem.IsForward() { // void: see member
				return errorAt(t, "array of type %d, of kind %s, which has no size", id, k)
			}
			return nil
		}
		id = TypeID(elem.u32(12))
	}
	return errorAt(t, "array of more than %d dimensions", maxDimensions)
}

// isPlain reports whether a member, which is no bitfield, is of a pointer, number
// or smaller record, and lies inside its record of size bytes: it is what member
// would find out of nearly all, faster.
func (c *checker) isPlain(ref TypeID, bitOffset, size uint32) bool {
	at := ref - c.firstRaw
	if at >= TypeID(len(c.resolved)) || bitOffset%8 != 0 {
		return false
	}
	offset := bitOffset / 8
	if at = c.resolved[at] - c.firstRaw; at >= TypeID(len(c.kinds)) {
		return false
	}
	switch c.kinds[at] {
	case KindPtr:
		return offset <= size
	case KindInt, KindFloat, KindStruct, KindUnion, KindEnum:
		inner := c.word(c.offsets[at] + 8)
		return inner > 0 && inner < size && offset <= size-inner
	}
	return false
}

// member checks that a member has a size and lies inside its record, and
// notes records inside others of the same size for byValueCycles. ref and
// place are the words of its type and its offset.
func (c *checker) member(t Type, i int, ref TypeID, place uint32) error {
	at := 12 + uint32(i)*12
	id := c.resolveRaw(ref)
	k := c.kindRaw(id)
	// LLVM writes void for the types of other languages that it has no kind for,
	// rustc's char among them. C has no such members, but loaders take them.
	if k != KindVoid && unsizedKinds.has(k) || k.IsEnum() && c.typeRaw(id).Size() == 0 {
		return errorAt(t, "member %d (%.80q) is of kind %s, which has no size", i, c.name(t.u32(at)), k)
	}
	limit := uint64(t.Size()) * 8
	offset, width := uint64(place), uint64(0)
	if t.KindFlag() {
		offset, width = offset&0xffffff, offset>>24
	} else if offset > limit { // before a legacy bitfield's offset is added to it
		return errorAt(t, "member %d (%.80q) at bit offset %d lies outside of the %d bytes", i, c.name(t.u32(at)), offset, t.Size())
	} else if c.legacyBitfields {
		o, w := c.legacyBitfield(id, uint32(offset))
		offset, width = uint64(o), uint64(w)
	}
	bits := width
	if width != 0 {
		if k != KindInt && !k.IsEnum() || width > uint64(c.typeRaw(id).Size())*8 {
			return errorAt(t, "member %d (%.80q) is a bitfield of %d bits, but of kind %s and %d bytes", i, c.name(t.u32(at)), width, k, c.typeRaw(id).Size())
		}
	} else {
		if offset%8 != 0 {
			return errorAt(t, "member %d (%.80q) is no bitfield, but at bit offset %d", i, c.name(t.u32(at)), offset)
		}
		size, record := c.valueSize(id)
		bits = saturatingMul(size, 8)
		if record != 0 && (size == 0 || size >= uint64(t.Size())) {
			c.inner = append(c.inner, record)
		}
	}
	if offset > limit || bits > limit-offset {
		return errorAt(t, "member %d (%.80q) at bit offset %d, %d bits long, lies outside of the %d bytes", i, c.name(t.u32(at)), offset, bits, t.Size())
	}
	return nil
}

// valueSize returns the size in bytes of a type that has been resolved, and
// the record that a value of it holds, 0 for none. Pointers count as 0: their
// size is a guess where BTF has no long.
func (c *checker) valueSize(id TypeID) (size uint64, record TypeID) {
	n := uint64(1)
	for {
		t := c.typeRaw(id)
		switch k := t.Kind(); {
		case k == KindArray:
			n = saturatingMul(n, uint64(t.u32(20)))
			id = c.resolveRaw(TypeID(t.u32(12)))
		case k == KindPtr:
			return 0, 0
		case k.IsRecord():
			return saturatingMul(n, uint64(t.Size())), id
		default:
			return saturatingMul(n, uint64(t.Size())), 0
		}
	}
}

// byValueCycles rejects records that contain themselves. Members have been checked to
// lie inside their record, so somewhere on such a cycle one is as large as the record,
// or is an array of no elements, which can be in a record of any size: it is looked for
// from there, along all members. C declares no such record, and the kernel takes none
// either (env_stack_push in kernel/bpf/btf.c).
func (c *checker) byValueCycles() error {
	if len(c.inner) == 0 {
		return nil
	}
	const open, done = 1, 2
	state := make([]uint8, len(c.offsets))
	type frame struct {
		id   TypeID
		next int // member
	}
	var path []frame
	first := c.end
	for _, root := range c.inner {
		if root < c.firstRaw || state[root-c.firstRaw] == done { // a base refers to nothing behind it
			continue
		}
		state[root-c.firstRaw] = open
		path = append(path[:0], frame{id: root})
		for len(path) > 0 {
			f := &path[len(path)-1]
			t := c.typeRaw(f.id)
			if f.next == t.Vlen() {
				state[f.id-c.firstRaw] = done
				path = path[:len(path)-1]
				continue
			}
			ref := TypeID(t.u32(12 + 12*uint32(f.next) + 4))
			f.next++
			_, id := c.valueSize(c.resolveRaw(ref))
			if id < c.firstRaw {
				continue
			}
			switch state[id-c.firstRaw] {
			case open: // of all that are on the cycle, the first is named
				for i := len(path) - 1; path[i].id != id; i-- {
					first = min(first, path[i].id)
				}
				return errorAt(c.typeRaw(min(first, id)), "contains itself")
			case 0:
				state[id-c.firstRaw] = open
				path = append(path, frame{id: id})
			}
		}
	}
	return nil
}
