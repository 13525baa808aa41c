package btfdump

import "encoding/binary"

const (
	magic      = 0xeB9F
	version    = 1
	minHeader  = 24 // struct btf_header up to str_len
	headerWith = 32 // with layout_off and layout_len (Linux 7.1)
)

// Header is the header of a BTF blob: struct btf_header. Offsets are in bytes
// from the end of the header, lengths in bytes.
type Header struct {
	Length                  uint32 // of the header itself: 24, 32 or more
	Flags                   uint8
	TypesOffset, TypesLen   uint32
	StringsOffset           uint32
	StringsLen              uint32
	LayoutOffset, LayoutLen uint32 // 0 in headers shorter than 32 bytes
}

// parseHeader checks the header and that its sections lie inside raw.
func parseHeader(raw []byte) (h Header, big bool, err error) {
	if len(raw) < 8 {
		return h, false, formatErrorf("%d bytes are too few for a header", len(raw))
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case binary.LittleEndian.Uint16(raw) == magic:
	case binary.BigEndian.Uint16(raw) == magic:
		order, big = binary.BigEndian, true
	default:
		return h, false, formatErrorf("no BTF magic 0xeb9f at its start, but % x", raw[:4])
	}
	if raw[2] != version {
		return h, false, formatErrorf("version %d is not supported, only %d is", raw[2], version)
	}
	h.Flags = raw[3]
	h.Length = order.Uint32(raw[4:])
	if h.Length < minHeader {
		return h, false, formatErrorf("header length %d is under %d bytes", h.Length, minHeader)
	}
	if uint64(h.Length) > uint64(len(raw)) {
		return h, false, formatErrorf("header of %d bytes is longer than the data's %d", h.Length, len(raw))
	}
	h.TypesOffset, h.TypesLen = order.Uint32(raw[8:]), order.Uint32(raw[12:])
	h.StringsOffset, h.StringsLen = order.Uint32(raw[16:]), order.Uint32(raw[20:])
	if h.Length >= headerWith {
		h.LayoutOffset, h.LayoutLen = order.Uint32(raw[24:]), order.Uint32(raw[28:])
	}
	for _, s := range []struct {
		name     string
		off, len uint32
	}{
		{"type", h.TypesOffset, h.TypesLen},
		{"string", h.StringsOffset, h.StringsLen},
		{"layout", h.LayoutOffset, h.LayoutLen},
	} {
		end := uint64(h.Length) + uint64(s.off) + uint64(s.len)
		if end > uint64(len(raw)) {
			return h, false, formatErrorf("%s section ends at byte %d, but the data has %d: it is cut short or corrupt", s.name, end, len(raw))
		}
	}
	if h.TypesOffset%4 != 0 {
		return h, false, formatErrorf("type section offset %d is not a multiple of 4", h.TypesOffset)
	}
	if h.LayoutLen%4 != 0 {
		return h, false, formatErrorf("layout section of %d bytes is not a multiple of 4", h.LayoutLen)
	}
	return h, big, nil
}
