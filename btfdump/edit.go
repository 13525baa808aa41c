package btfdump

import (
	"encoding/binary"
	"errors"
)

// An Edit makes a view without some of what another one says. All types keep
// their IDs, so that sets of them stay good. It may be used by one goroutine at
// a time.
type Edit struct {
	view    *View
	changes map[TypeID]*typeEdit
}

// typeEdit is what is done to a type.
type typeEdit struct {
	unnamed, blank, skipped, toVoid bool
	dropped                         map[int]bool // members, enumerators
}

// NewEdit returns an edit that changes nothing yet.
func NewEdit(view *View) *Edit { return &Edit{view, make(map[TypeID]*typeEdit)} }

func (e *Edit) of(id TypeID) *typeEdit {
	c := e.changes[id]
	if c == nil {
		c = &typeEdit{dropped: make(map[int]bool)}
		e.changes[id] = c
	}
	return c
}

// Unname takes a record's or enum's name from it.
func (e *Edit) Unname(id TypeID) { e.of(id).unnamed = true }

// Drop leaves out the member or enumerator with index i. A record keeps its
// size, and its other members their places.
func (e *Edit) Drop(id TypeID, i int) { e.of(id).dropped[i] = true }

// Drops reports whether Drop was called for a member or enumerator.
func (e *Edit) Drops(id TypeID, i int) bool {
	c := e.changes[id]
	return c != nil && c.dropped[i]
}

// PointToVoid makes a pointer one to void.
func (e *Edit) PointToVoid(id TypeID) { e.of(id).toVoid = true }

// Skip has what refers to a typedef, qualifier or type tag refer to its target
// instead.
func (e *Edit) Skip(id TypeID) { e.of(id).skipped, e.of(id).blank = true, true }

// Blank leaves a pointer to void, without a name, of a type. Its decl_tags go
// with it.
func (e *Edit) Blank(id TypeID) { e.of(id).blank = true }

// View returns the edited view; if there were no edits, the one that it was
// made for. The error is that of edits which leave a reference to what can't be
// referred to.
func (e *Edit) View() (*View, error) {
	if len(e.changes) == 0 {
		return e.view, nil
	}
	e.blankTags()
	made := make(map[*level]*level)
	var levels []*level
	for i, l := range e.view.levels {
		base := made[l.base]
		if base == l.base && !e.changesLevel(i) {
			made[l] = l
			levels = append(levels, l)
			continue
		}
		raw, err := e.raw(l)
		if err != nil {
			return nil, err
		}
		n, err := newLevel(raw, base)
		if err != nil {
			return nil, err
		}
		n.first = l.first
		n.plain = n.plain && n.first == n.firstRaw
		n.pointerSize = l.pointerSize
		made[l] = n
		levels = append(levels, n)
	}
	return newView(levels), nil
}

func (e *Edit) changesLevel(level int) bool {
	for id := range e.changes {
		if e.view.LevelOf(id) == level {
			return true
		}
	}
	return false
}

// blankTags blanks the decl_tags of types that are blank, and of members that
// are no longer where they were; and sections that list such a function.
func (e *Edit) blankTags() {
	isBlank := func(id TypeID) bool { c := e.changes[id]; return c != nil && c.blank }
	for t := range e.view.AllOf(KindDeclTag) {
		c := e.changes[t.Ref()]
		if c != nil && (c.blank || len(c.dropped) > 0 && t.ComponentIndex() >= 0) {
			e.Blank(t.ID())
		}
	}
	for t := range e.view.AllOf(KindDatasec) {
		for i := range t.NumSectionVars() {
			if isBlank(t.SectionVar(i).Type) {
				e.Blank(t.ID())
				break
			}
		}
	}
}

// target returns what a reference to a type becomes.
func (e *Edit) target(id TypeID) TypeID {
	for {
		c := e.changes[id]
		if c == nil || !c.skipped {
			return id
		}
		id = e.view.Type(id).Ref()
	}
}

// raw returns the blob of a level, edited. Strings stay where they are.
func (e *Edit) raw(l *level) ([]byte, error) {
	var types []byte
	for i, off := range l.offsets {
		t := Type{level: l, off: off, info: l.word(off + 4), id: l.first + TypeID(i)}
		end := uint32(len(l.types))
		if i+1 < len(l.offsets) {
			end = l.offsets[i+1]
		}
		types = e.append(types, t, l.types[off:end])
	}
	h := l.header
	order := byteOrder(binary.LittleEndian)
	if l.big {
		order = binary.BigEndian
	}
	strings := l.raw[h.Length+h.StringsOffset:][:h.StringsLen]
	layout := l.raw[h.Length+h.LayoutOffset:][:h.LayoutLen]
	if uint64(len(types))+uint64(len(strings))+uint64(len(layout)) > 1<<32-1 {
		return nil, errors.New("the BTF has 4 GiB or more")
	}
	length := uint32(minHeader)
	if len(layout) > 0 {
		length = headerWith
	}
	out := order.AppendUint16(make([]byte, 0, int(length)+len(types)+len(layout)+len(strings)), magic)
	out = append(out, version, h.Flags)
	at := uint32(len(types) + len(layout))
	for _, word := range []uint32{length, 0, uint32(len(types)), at, uint32(len(strings))} {
		out = order.AppendUint32(out, word)
	}
	if len(layout) > 0 {
		out = order.AppendUint32(order.AppendUint32(out, uint32(len(types))), uint32(len(layout)))
	}
	out = append(out, nativeWords(types, l.big)...)
	return append(append(out, layout...), strings...), nil
}

// append appends a type, edited, to types in little endian.
func (e *Edit) append(types []byte, t Type, words []byte) []byte {
	c := e.changes[t.id]
	if c == nil {
		c = &typeEdit{}
	}
	if c.blank {
		return append(types, 0, 0, 0, 0, 0, 0, 0, byte(KindPtr), 0, 0, 0, 0)
	}
	start := len(types)
	types = append(types, words...)
	put := func(at, word uint32) { binary.LittleEndian.PutUint32(types[start+int(at):], word) }
	if t.Kind() < numKinds { // where others refer to types is not known
		t.refs(func(at uint32, ref TypeID) {
			if to := e.target(ref); to != ref {
				put(at, uint32(e.view.KernelID(to)))
			}
		})
	}
	if c.unnamed {
		put(0, 0)
	}
	if c.toVoid {
		put(8, 0)
	}
	if len(c.dropped) > 0 {
		elem := int(wireSizes[t.Kind()].elem)
		kept, n := types[:start+12], uint32(0)
		for i := range t.Vlen() {
			if !c.dropped[i] {
				kept = append(kept, types[start+12+i*elem:][:elem]...)
				n++
			}
		}
		types = kept
		put(4, t.info&^0xffffff|n)
	}
	return types
}
