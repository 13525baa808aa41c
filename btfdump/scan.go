package btfdump

import "encoding/binary"

func (l *level) order() binary.ByteOrder {
	if l.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// scan finds the offset of every type of the level and learns what can be
// known from single types: the size of a pointer, how bitfields are written.
func (l *level) scan() error {
	order := l.order()
	l.offsets = make([]uint32, 0, len(l.types)/24)
	l.kinds = make([]Kind, 0, len(l.types)/24)
	for off := 0; off < len(l.types); {
		id := l.firstRaw + TypeID(len(l.offsets))
		if id >= maxTypes {
			return formatErrorf("more than 2^31 types")
		}
		rest := l.types[off:]
		if len(rest) < 12 {
			return &FormatError{ID: id, Msg: "the type section ends inside the type"}
		}
		info := order.Uint32(rest[4:])
		kind := Kind(info >> 24 & 0x7f)
		vlen := uint64(info & 0xffffff)
		size, err := l.wireSize(kind)
		if err != nil {
			err.ID = id
			return err
		}
		if kind == KindFunc {
			vlen = 0 // it is the linkage
		}
		length := 12 + uint64(size.info) + vlen*uint64(size.elem)
		if length > uint64(len(rest)) {
			return &FormatError{ID: id, Kind: kind, Msg: "the type section ends inside the type"}
		}
		l.offsets = append(l.offsets, uint32(off))
		l.kinds = append(l.kinds, kind)
		if kind == KindInt {
			l.noteInt(rest, order)
		}
		off += int(length)
	}
	return nil
}

// wireSize returns the length of what follows a type of the kind. For kinds
// that are not known here the layout section says it: struct btf_layout
// {__u8 info_sz; __u8 elem_sz; __u16 flags;} indexed by kind (Linux 7.1).
func (l *level) wireSize(kind Kind) (wireSize, *FormatError) {
	if kind != KindVoid && kind < numKinds {
		return wireSizes[kind], nil
	}
	at := int(kind) * 4
	if kind == KindVoid || at+4 > len(l.layout) {
		return wireSize{}, &FormatError{Kind: kind, Msg: "unknown kind, and no layout section says how long it is"}
	}
	size := wireSize{info: l.layout[at], elem: l.layout[at+1]}
	if size.info%4 != 0 || size.elem%4 != 0 {
		return wireSize{}, &FormatError{Kind: kind, Msg: "unknown kind, and its lengths in the layout section are not multiples of 4"}
	}
	return size, nil
}

// noteInt learns from an int whether legacy bitfields are possible, and the
// size of a pointer: that of long in every ABI of Linux.
func (l *level) noteInt(t []byte, order binary.ByteOrder) {
	size, encoding := order.Uint32(t[8:]), order.Uint32(t[12:])
	if encoding>>16&0xff != 0 || encoding&0xff != size*8 {
		l.legacyBitfields = true
	}
	if l.pointerSize != 0 || size != 4 && size != 8 {
		return
	}
	nameOff := order.Uint32(t)
	if uint64(nameOff) >= l.stringsEnd() {
		return // reported by validate
	}
	if isLong(l.name(nameOff)) {
		l.pointerSize = size
	}
}

// isLong says whether an int's name is that of a type as large as a pointer.
func isLong(name string) bool {
	switch name {
	case "long int", "long", "long unsigned int", "unsigned long":
		return true
	}
	return false
}

func (l *level) stringsEnd() uint64 { return uint64(l.strStart) + uint64(len(l.strings)) }
