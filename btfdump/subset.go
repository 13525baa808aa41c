package btfdump

import (
	"encoding/binary"
	"fmt"
)

// Subset returns the types of a set as BTF of its own that stands on no base,
// renumbered in the order of their IDs; a nil set stands for all types of the
// view. Names keep their bytes, and the byte order is the view's.
//
// The set must hold what its types refer to, as [View.Closure] makes it, but for
// named records: what refers to one that is not in the set refers to a forward
// declaration. The decl_tags of types in the set come along. The error is that
// of a set that lacks something else, of a view with kinds that this package
// does not know (the type IDs in those can't be found), or of names that share
// their bytes as no compiler has them do.
func (v *View) Subset(set *Set) ([]byte, error) {
	in := func(id TypeID) bool { return set == nil || set.Has(id) }
	w := newWriter(v)
	keep := v.NewSet()
	for t := range v.All() {
		about := t.ID()
		if t.Kind() == KindDeclTag {
			about = t.Ref() // which a forward declaration can't stand for
		}
		if in(about) {
			keep.Add(t.ID())
		}
	}
	if long := v.longType(); long != 0 {
		keep.Add(long)
	}
	for t := range v.All() {
		if index := v.Resolve(t.ArrayIndex()); keep.Has(t.ID()) && v.Type(index).Kind() == KindInt && !keep.Has(t.ArrayIndex()) {
			keep.Add(index)
		}
	}
	for id := range keep.All() {
		w.next(id)
	}

	// Forward declarations follow the types of the set, in the order in which
	// they are referred to.
	var forward []TypeID
	declared := make(map[string]TypeID) // the new IDs of forward declarations, by keyword and name
	var missing error
	for id := range keep.All() {
		t := v.Type(id)
		if t.Kind() >= numKinds {
			return nil, &FormatError{ID: id, Kind: t.Kind(), Msg: "types of this kind can't be renumbered, since nothing tells where they refer to others"}
		}
		t.refs(func(at uint32, ref TypeID) {
			target := v.Type(ref)
			switch {
			case ref == 0 || w.ids[ref] != 0 || t.Kind() == KindArray && at == arrayIndexAt:
			case (target.Kind().IsRecord() || target.Kind() == KindFwd) && target.HasName():
				key := forwardKey(target)
				if w.ids[ref] = declared[key]; w.ids[ref] == 0 {
					forward = append(forward, ref)
					w.next(ref)
					declared[key] = w.ids[ref]
				}
			case missing == nil:
				missing = fmt.Errorf("type %d (%s) refers to type %d (%s), which is not in the set", id, t.Kind(), ref, target.Kind())
			}
		})
	}
	if missing != nil {
		return nil, missing
	}
	for id := range keep.All() {
		w.copyType(v.Type(id))
	}
	for _, id := range forward {
		w.forward(v.Type(id))
	}
	return w.bytes()
}

// Rebase returns the split view's own types as split BTF on another base: ids
// has, for each type ID of its present base, the ID of the type on the new base
// that takes its place. Strings that were the base's become the blob's own.
func Rebase(split, base *View, ids []TypeID) ([]byte, error) {
	first := split.FirstID()
	if split.ByteOrder() != base.ByteOrder() {
		return nil, formatErrorf("byte order differs from that of the base")
	}
	if len(ids) < int(first) {
		return nil, fmt.Errorf("%d types of the base have no counterpart", int(first)-len(ids))
	}
	w := newWriter(split)
	copy(w.ids, ids[:first])
	for id := TypeID(1); id < first; id++ {
		if w.ids[id] == 0 || int(w.ids[id]) >= base.NumTypes() {
			return nil, fmt.Errorf("type %d of the base has no counterpart", id)
		}
	}
	w.count = TypeID(base.NumTypes()) - 1
	w.stringStart = uint32(base.top().stringsEnd())
	w.strings = nil
	for id := int(first); id < split.NumTypes(); id++ {
		w.next(TypeID(id))
	}
	for id := int(first); id < split.NumTypes(); id++ {
		t := split.Type(TypeID(id))
		if t.Kind() >= numKinds {
			return nil, &FormatError{ID: t.ID(), Kind: t.Kind(), Msg: "types of this kind can't be renumbered, since nothing tells where they refer to others"}
		}
		w.copyType(t)
	}
	return w.bytes()
}

// longType returns the ID of the first int that tells the size of a pointer, as
// noteInt finds it; 0 if there is none.
func (v *View) longType() TypeID {
	for t := range v.All() {
		if t.Kind() == KindInt && int(t.Size()) == v.PointerSize() && isLong(t.Name()) {
			return t.ID()
		}
	}
	return 0
}

// A writer puts types of a view together to a new blob.
type writer struct {
	view  *View
	ids   []TypeID // the new ID of each of the view's types, 0: none yet
	count TypeID   // the last new ID given out
	order byteOrder

	types       []byte // in little endian, as views have them
	strings     []byte
	stringStart uint32            // the offset at which own strings start
	offsets     map[string]uint32 // of each string
	room        int               // bytes that strings may still have
}

var errStrings = formatErrorf("names start inside others so often that they would take far more room than the BTF has for them: no compiler writes such BTF")

// byteOrder is what is needed of package binary's byte orders.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func newWriter(v *View) *writer {
	// A string that starts inside another one takes room of its own: there are
	// none from compilers, and cilium/ebpf refuses them.
	room := 1 << 20
	for _, l := range v.levels {
		room += 2 * len(l.strings)
	}
	w := &writer{view: v, ids: make([]TypeID, v.NumTypes()), order: binary.LittleEndian, strings: []byte{0}, offsets: make(map[string]uint32), room: room}
	if v.top().big {
		w.order = binary.BigEndian
	}
	return w
}

// next gives a type the next ID.
func (w *writer) next(id TypeID) {
	w.count++
	w.ids[id] = w.count
}

// name returns the offset of a string, which it adds if it is new.
func (w *writer) name(s string) uint32 {
	if s == "" {
		return 0
	}
	offset, ok := w.offsets[s]
	if !ok {
		offset = w.stringStart + uint32(len(w.strings))
		if w.room -= len(s) + 1; w.room < 0 {
			return 0 // bytes refuses what is written
		}
		w.offsets[s] = offset
		w.strings = append(append(w.strings, s...), 0)
	}
	return offset
}

// copyType writes a type with its names and references in the new counting.
func (w *writer) copyType(t Type) {
	start := uint32(len(w.types))
	w.types = append(w.types, t.level.types[t.off:t.off+t.length()]...)
	put := func(at, word uint32) { binary.LittleEndian.PutUint32(w.types[start+at:], word) }
	put(0, w.name(t.Name()))
	t.names(func(at uint32) { put(at, w.name(t.level.name(t.u32(at)))) })
	t.refs(func(at uint32, ref TypeID) {
		if t.Kind() == KindArray && at == arrayIndexAt && w.ids[ref] == 0 {
			ref = w.view.Resolve(ref)
		}
		put(at, uint32(w.ids[ref]))
	})
}

// arrayIndexAt is where an array has the type of its index, in bytes from the
// start of the type. No declaration needs that type, so a closure may lack it:
// the int that it comes down to takes its place.
const arrayIndexAt = 16

// forwardKey is what a forward declaration of a record says: keyword and name.
func forwardKey(t Type) string {
	if isUnion(t) {
		return "union " + t.Name()
	}
	return "struct " + t.Name()
}

// isUnion tells unions, and forward declarations of unions, from those of
// structs.
func isUnion(t Type) bool {
	return t.Kind() == KindUnion || t.Kind() == KindFwd && t.KindFlag()
}

// forward writes a forward declaration of a record.
func (w *writer) forward(t Type) {
	info := uint32(KindFwd) << 24
	if isUnion(t) {
		info |= 1 << 31
	}
	for _, word := range []uint32{w.name(t.Name()), info, 0} {
		w.types = binary.LittleEndian.AppendUint32(w.types, word)
	}
}

// bytes returns the blob.
func (w *writer) bytes() ([]byte, error) {
	return w.blob(nativeWords(w.types, w.view.top().big))
}

// blob puts BTF together: a header of 24 bytes, types in the blob's byte order,
// strings. The error is that of names which take too much room.
func (w *writer) blob(types []byte) ([]byte, error) {
	if w.room < 0 {
		return nil, errStrings
	}
	out := make([]byte, 0, minHeader+len(types)+len(w.strings))
	out = w.order.AppendUint16(out, magic)
	out = append(out, version, 0)
	for _, word := range []int{minHeader, 0, len(types), len(types), len(w.strings)} {
		out = w.order.AppendUint32(out, uint32(word))
	}
	return append(append(out, types...), w.strings...), nil
}

// length returns how many bytes the type has in its blob. Its kind must be a
// known one.
func (t Type) length() uint32 {
	size := wireSizes[t.Kind()]
	return 12 + uint32(size.info) + uint32(t.Vlen())*uint32(size.elem)
}

// refs calls f for each word of a type that is a type ID: with its place in the
// type, in bytes, and the ID as the view counts.
func (t Type) refs(f func(at uint32, ref TypeID)) {
	word := func(at uint32) { f(at, t.level.global(TypeID(t.u32(at)))) }
	k := t.Kind()
	switch {
	case refKinds.has(k):
		word(8)
	case k == KindArray:
		word(12)
		word(arrayIndexAt)
	}
	switch k {
	case KindStruct, KindUnion, KindFuncProto, KindDatasec:
		first := uint32(16) // a member or parameter has its name first
		if k == KindDatasec {
			first = 12
		}
		for i := range uint32(t.Vlen()) {
			word(first + i*uint32(wireSizes[k].elem))
		}
	}
}

// names calls f for each word of a type, but the first, that is a string offset:
// with its place in the type, in bytes.
func (t Type) names(f func(at uint32)) {
	switch k := t.Kind(); k {
	case KindStruct, KindUnion, KindFuncProto, KindEnum, KindEnum64:
		for i := range uint32(t.Vlen()) {
			f(12 + i*uint32(wireSizes[k].elem))
		}
	}
}
