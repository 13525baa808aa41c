package btftest

// Header is the BTF header as it is written; [Builder.EditHeader] changes it.
// Offsets count from the end of the header, in bytes, as do lengths.
type Header struct {
	Magic                uint16
	Version, Flags       uint8
	HeaderLen            uint32
	TypeOff, TypeLen     uint32
	StringOff, StringLen uint32
	LayoutOff, LayoutLen uint32 // written only if the builder's HeaderLen is 32 or more
}

// LayoutEntry tells how long the records of one kind are: InfoSize bytes after
// the 12 that every type has, and ElemSize bytes for each of its vlen elements.
type LayoutEntry struct {
	InfoSize, ElemSize uint8
	Flags              uint16
}

// StandardLayout returns the layout of the kinds 0 to 19, to append unknown
// kinds to.
func StandardLayout() []LayoutEntry {
	layout := make([]LayoutEntry, KindEnum64+1)
	for kind, size := range map[int]uint8{KindInt: 4, KindArray: 12, KindVar: 4, KindDeclTag: 4} {
		layout[kind].InfoSize = size
	}
	for kind, size := range map[int]uint8{
		KindStruct: 12, KindUnion: 12, KindEnum: 8, KindEnum64: 12, KindFuncProto: 8, KindDatasec: 12,
	} {
		layout[kind].ElemSize = size
	}
	return layout
}

// Raw adds a type of any kind out of its words: what follows the name, the
// info word (kind, vlen, kind flag) and the size or type. It can make unknown
// kinds, wrong IDs and names where none belong.
func (b *Builder) Raw(kind int, name string, vlen int, kflag bool, sizeOrType uint32, tail ...uint32) ID {
	return b.simple(kind, name, vlen, kflag, sizeOrType, tail...)
}

// RawWords adds a type of which every word is given, the name offset first.
func (b *Builder) RawWords(words ...uint32) ID {
	return b.add(record{words: words})
}

// RawBytes adds data as it is where a type belongs. It counts as one ID.
func (b *Builder) RawBytes(data []byte) ID {
	return b.add(record{bytes: append([]byte{}, data...)})
}

// RawString appends data to the string section, adding no terminator, and
// returns the offset of its first byte.
func (b *Builder) RawString(data []byte) uint32 {
	off := b.firstString + length(b.strings)
	b.strings = append(b.strings, data...)
	return off
}

// ClearStrings drops the string section altogether: it has length 0 then, not
// even the empty string. Names added before keep their offsets.
func (b *Builder) ClearStrings() { b.strings = nil }

type poke struct {
	id    ID
	word  int
	value uint32
}

// Poke overwrites one 32-bit word of type id when Bytes is called: 0 is the
// name offset, 1 the info word, 2 the size or type, 3 the first word of what
// the kind adds.
func (b *Builder) Poke(id ID, word int, value uint32) {
	b.record(id)
	b.pokes = append(b.pokes, poke{id, word, value})
}

// EditHeader lets edit change the header before it is written; several run in
// turn.
func (b *Builder) EditHeader(edit func(*Header)) {
	b.editHeader = append(b.editHeader, edit)
}

// assemble puts header, types, layout and strings together.
func (b *Builder) assemble(types []byte) []byte {
	var layout []byte
	for _, e := range b.Layout {
		layout = append(layout, e.InfoSize, e.ElemSize)
		layout = b.Order.AppendUint16(layout, e.Flags)
	}
	if len(layout) > 0 && b.HeaderLen < 32 {
		panic("btftest: a layout section needs a HeaderLen of at least 32")
	}

	h := Header{
		Magic: 0xeB9F, Version: 1, HeaderLen: b.HeaderLen,
		TypeLen: length(types), StringLen: length(b.strings), LayoutLen: length(layout),
	}
	body := append([]byte{}, types...)
	if !b.LayoutLast {
		if len(layout) > 0 {
			h.LayoutOff = length(body)
		}
		body = append(body, layout...)
	}
	h.StringOff = length(body)
	body = append(body, b.strings...)
	if b.LayoutLast {
		// The kernel wants the section aligned to 4 bytes.
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		h.LayoutOff = length(body)
		body = append(body, layout...)
	}
	for _, edit := range b.editHeader {
		edit(&h)
	}

	var head []byte
	head = b.Order.AppendUint16(head, h.Magic)
	head = append(head, h.Version, h.Flags)
	for _, word := range []uint32{
		h.HeaderLen, h.TypeOff, h.TypeLen, h.StringOff, h.StringLen, h.LayoutOff, h.LayoutLen,
	} {
		head = b.Order.AppendUint32(head, word)
	}
	for uint32(len(head)) < b.HeaderLen {
		head = append(head, 0)
	}
	return append(head[:b.HeaderLen], body...)
}
