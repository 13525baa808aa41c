package btfdump

import (
	"encoding/binary"
	"fmt"
)

// CoreRelocation is a place in a BPF program that a loader has to adapt to the
// kernel: struct bpf_core_relo in include/uapi/linux/bpf.h.
type CoreRelocation struct {
	// Section is the name of the ELF section of the instruction, and Offset its
	// distance from that section's start in bytes.
	Section string
	Offset  uint32
	// Type is the type, in the object's BTF, from which the access starts.
	Type TypeID
	// Access is the path from there, such as "0:1:2".
	Access string
	// Kind is what the instruction needs to know: enum bpf_core_relo_kind. It
	// has not been checked to be one of those that are known.
	Kind uint32
}

// CoreRelocations reads the CO-RE relocations of an ELF section .BTF.ext. view
// is the BTF of the same object. Errors are *[FormatError].
//
// The section is described in Documentation/bpf/btf.rst: a header of 24 bytes
// that has an 8 byte extension with the relocations' place, and there, for each
// ELF section with any, a name, a number and as many records.
func CoreRelocations(raw []byte, view *View) ([]CoreRelocation, error) {
	order := view.ByteOrder()
	if len(raw) < 8 {
		return nil, formatErrorf(".BTF.ext has %d bytes, fewer than its header", len(raw))
	}
	if got := order.Uint16(raw); got != magic {
		return nil, formatErrorf(".BTF.ext starts with %#04x instead of %#04x, in the BTF's byte order", got, magic)
	}
	if raw[2] != version {
		return nil, formatErrorf(".BTF.ext has version %d, but only %d is known", raw[2], version)
	}
	length := order.Uint32(raw[4:])
	if length > uint32(len(raw)) || length < 24 {
		return nil, formatErrorf(".BTF.ext states a header of %d bytes and has %d", length, len(raw))
	}
	if length < 32 {
		return nil, nil // from before Linux 5.4: no relocations
	}
	off, size := uint64(order.Uint32(raw[24:])), uint64(order.Uint32(raw[28:]))
	if body := uint64(len(raw)) - uint64(length); off > body || size > body-off {
		return nil, formatErrorf(".BTF.ext: relocations at %d, %d bytes, lie outside of the section", off, size)
	}
	if size == 0 {
		return nil, nil
	}
	return readRelocations(raw[uint64(length)+off:][:size], order, view)
}

func readRelocations(data []byte, order binary.ByteOrder, view *View) ([]CoreRelocation, error) {
	if len(data) < 4 {
		return nil, formatErrorf(".BTF.ext: relocations end inside their record size")
	}
	record := order.Uint32(data)
	data = data[4:]
	if record < 16 || record%4 != 0 {
		return nil, formatErrorf(".BTF.ext: relocations of %d bytes; they have 16 or more", record)
	}
	level := view.top()
	text := func(off uint32) (string, error) {
		if uint64(off) >= level.stringsEnd() {
			return "", formatErrorf(".BTF.ext: string at offset %d of %d bytes of strings", off, level.stringsEnd())
		}
		return level.name(off), nil
	}
	var list []CoreRelocation
	for len(data) > 0 {
		if len(data) < 8 {
			return nil, formatErrorf(".BTF.ext: relocations end inside a section's head")
		}
		section, err := text(order.Uint32(data))
		if err != nil {
			return nil, err
		}
		count := order.Uint32(data[4:])
		data = data[8:]
		if uint64(count)*uint64(record) > uint64(len(data)) {
			return nil, formatErrorf(".BTF.ext: %d relocations for section %.80q, but only %d bytes of them", count, section, len(data))
		}
		for range count {
			r := CoreRelocation{Section: section, Offset: order.Uint32(data), Type: TypeID(order.Uint32(data[4:])), Kind: order.Uint32(data[12:])}
			if uint64(r.Type) >= uint64(view.NumTypes()) {
				return nil, fmt.Errorf("relocation of section %.80q at byte %d: %w", section, r.Offset,
					formatErrorf("refers to type %d, but there are only %d", r.Type, view.NumTypes()))
			}
			if r.Access, err = text(order.Uint32(data[8:])); err != nil {
				return nil, err
			}
			list = append(list, r)
			data = data[record:]
		}
	}
	return list, nil
}
