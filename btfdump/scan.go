package btfdump

import (
	"encoding/binary"

	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// nativeWords turns a type section of either byte order into one in little
// endian, or back: it is returned as it is, or copied with the bytes of each word
// reversed. A type is made of words of 32 bits only, so nothing else has to know
// of byte orders.
func nativeWords(types []byte, big bool) []byte {
	if !big {
		return types
	}
	swapped := make([]byte, len(types))
	for at := 0; at+4 <= len(types); at += 4 {
		binary.LittleEndian.PutUint32(swapped[at:], binary.BigEndian.Uint32(types[at:]))
	}
	return swapped
}

// scan finds the offset of every type of the level and learns what can be
// known from single types: the size of a pointer, how bitfields are written.
func (l *level) scan() error {
	types := l.types
	most := len(types) / 12 // what they turn out not to need is never touched
	offsets, kinds := hugepages.Make[uint32](most), hugepages.Make[Kind](most)
	n, off := 0, 0
	for ; n < len(offsets) && n < len(kinds) && off+12 <= len(types); n++ {
		info := binary.LittleEndian.Uint32(types[off+4:])
		kind := Kind(info >> 24 & 0x7f)
		offsets[n], kinds[n] = uint32(off), kind
		if shortKinds.has(kind) {
			// A branch that processors foresee: they go on to the next type
			// before they have read this one.
			off += 12
			continue
		}
		length, err := l.wireLength(types[off:], kind, info)
		if err != nil {
			err.ID = l.firstRaw + TypeID(n)
			return err
		}
		off += length
	}
	if off < len(types) {
		return &FormatError{ID: l.firstRaw + TypeID(n), Msg: "the type section ends inside the type"}
	}
	if uint64(l.firstRaw)+uint64(n) > maxTypes {
		return formatErrorf("more than 2^31 types")
	}
	l.offsets, l.kinds = offsets[:n], kinds[:n]
	return nil
}

// wireLength returns how many bytes the first type in rest has, which is of a kind
// that is not short, and notes what it tells.
func (l *level) wireLength(rest []byte, kind Kind, info uint32) (int, *FormatError) {
	var size wireSize
	if kind != KindVoid && kind < numKinds {
		size = wireSizes[kind]
	} else {
		var err *FormatError
		if size, err = l.foreignSize(kind); err != nil {
			return 0, err
		}
	}
	length := 12 + uint64(size.info) + uint64(info&0xffffff)*uint64(size.elem)
	if length > uint64(len(rest)) {
		return 0, &FormatError{Kind: kind, Msg: "the type section ends inside the type"}
	}
	if kind == KindInt {
		l.noteInt(rest)
	}
	return int(length), nil
}

// foreignSize returns the length of what follows a type of a kind that is not
// known here. The layout section says it: struct btf_layout
// {__u8 info_sz; __u8 elem_sz; __u16 flags;} indexed by kind (Linux 7.1).
func (l *level) foreignSize(kind Kind) (wireSize, *FormatError) {
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
func (l *level) noteInt(t []byte) {
	size, encoding := binary.LittleEndian.Uint32(t[8:]), binary.LittleEndian.Uint32(t[12:])
	if encoding>>16&0xff != 0 || encoding&0xff != size*8 {
		l.legacyBitfields = true
	}
	if l.pointerSize != 0 || size != 4 && size != 8 {
		return
	}
	nameOff := binary.LittleEndian.Uint32(t)
	if uint64(nameOff) >= l.stringsEnd() {
		return // reported by validate
	}
	if l.tooLong(nameOff) == 0 && isLong(l.name(nameOff)) {
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
