package btfdump

import (
	"encoding/binary"
	"fmt"
)

// Ext is what a BPF object's section .BTF.ext tells about its instructions.
type Ext struct {
	Functions   []ExtFunction
	Lines       []ExtLine
	Relocations []CoreRelocation
}

// ExtPlace is the place of an instruction in an object.
type ExtPlace struct {
	// Section is the name of the ELF section of the instruction, and Offset its
	// distance from that section's start in bytes.
	Section string
	Offset  uint32
}

// ExtFunction says which function starts at an instruction: struct
// bpf_func_info in include/uapi/linux/bpf.h.
type ExtFunction struct {
	ExtPlace
	Type TypeID // of kind func, in the object's BTF
}

// ExtLine says which line of the source an instruction, and those after it, were
// made from: struct bpf_line_info.
type ExtLine struct {
	ExtPlace
	File, Text   string // they may be any strings
	Line, Column uint32 // from 1; 0: not known
}

// CoreRelocation is a place in a BPF program that a loader has to adapt to the
// kernel: struct bpf_core_relo in include/uapi/linux/bpf.h.
type CoreRelocation struct {
	ExtPlace
	// Type is the type, in the object's BTF, from which the access starts.
	Type TypeID
	// Access is the path from there, such as "0:1:2".
	Access string
	// Kind is what the instruction needs to know: enum bpf_core_relo_kind. It
	// has not been checked to be one of those that are known.
	Kind uint32
}

// ReadExt reads an ELF section .BTF.ext. view is the BTF of the same object.
// Errors are *[FormatError].
//
// The section is described in Documentation/bpf/btf.rst: a header of 24 bytes
// that tells where the functions and lines are, and since Linux 5.4 has an
// 8 byte extension with the relocations' place. Each of the three starts with
// the size of its records, and has, for each ELF section with any, a name, a
// number and as many records.
func ReadExt(raw []byte, view *View) (*Ext, error) {
	r := extReader{order: view.ByteOrder(), view: view, strings: view.top()}
	header, err := r.header(raw)
	if err != nil {
		return nil, err
	}
	var ext Ext
	err = r.records(raw, header, 8, "functions", 8, func(at ExtPlace, record []byte) error {
		id := TypeID(r.order.Uint32(record[4:]))
		if err := r.kind(id, KindFunc); err != nil {
			return err
		}
		ext.Functions = append(ext.Functions, ExtFunction{at, id})
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.records(raw, header, 16, "lines", 16, func(at ExtPlace, record []byte) error {
		file, err := r.text(r.order.Uint32(record[4:]))
		if err != nil {
			return err
		}
		text, err := r.text(r.order.Uint32(record[8:]))
		if err != nil {
			return err
		}
		place := r.order.Uint32(record[12:]) // 22 bits of line, 10 of column
		ext.Lines = append(ext.Lines, ExtLine{at, file, text, place >> 10, place & (1<<10 - 1)})
		return nil
	})
	if err != nil || header < 32 {
		return &ext, err
	}
	err = r.records(raw, header, 24, "relocations", 16, func(at ExtPlace, record []byte) error {
		id := TypeID(r.order.Uint32(record[4:]))
		if uint64(id) >= uint64(view.NumTypes()) {
			return formatErrorf("refers to type %d, but there are only %d", id, view.NumTypes())
		}
		access, err := r.text(r.order.Uint32(record[8:]))
		if err != nil {
			return err
		}
		ext.Relocations = append(ext.Relocations, CoreRelocation{at, id, access, r.order.Uint32(record[12:])})
		return nil
	})
	return &ext, err
}

// extReader reads the parts of a section .BTF.ext.
type extReader struct {
	order   binary.ByteOrder
	view    *View
	strings *level
}

// header checks the section's header and returns its length in bytes.
func (r *extReader) header(raw []byte) (uint32, error) {
	if len(raw) < 8 {
		return 0, formatErrorf(".BTF.ext has %d bytes, fewer than its header", len(raw))
	}
	if got := r.order.Uint16(raw); got != magic {
		return 0, formatErrorf(".BTF.ext starts with %#04x instead of %#04x, in the BTF's byte order", got, magic)
	}
	if raw[2] != version {
		return 0, formatErrorf(".BTF.ext has version %d, but only %d is known", raw[2], version)
	}
	length := r.order.Uint32(raw[4:])
	if uint64(length) > uint64(len(raw)) || length < 24 {
		return 0, formatErrorf(".BTF.ext states a header of %d bytes and has %d", length, len(raw))
	}
	return length, nil
}

// records calls visit for each record of the part whose place is told in the
// header at the given byte. Records have at least size bytes.
func (r *extReader) records(raw []byte, header, field uint32, what string, size uint32, visit func(ExtPlace, []byte) error) error {
	start, length := uint64(r.order.Uint32(raw[field:])), uint64(r.order.Uint32(raw[field+4:]))
	if body := uint64(len(raw)) - uint64(header); start > body || length > body-start {
		return formatErrorf(".BTF.ext: %s at %d, %d bytes, lie outside of the section", what, start, length)
	}
	if length == 0 {
		return nil
	}
	data := raw[uint64(header)+start:][:length]
	if len(data) < 4 {
		return formatErrorf(".BTF.ext: %s end inside their record size", what)
	}
	record := r.order.Uint32(data)
	data = data[4:]
	if record < size || record%4 != 0 {
		return formatErrorf(".BTF.ext: %s of %d bytes; they have %d or more", what, record, size)
	}
	for len(data) > 0 {
		if len(data) < 8 {
			return formatErrorf(".BTF.ext: %s end inside a section's head", what)
		}
		section, err := r.text(r.order.Uint32(data))
		if err != nil {
			return err
		}
		count := r.order.Uint32(data[4:])
		data = data[8:]
		if uint64(count)*uint64(record) > uint64(len(data)) {
			return formatErrorf(".BTF.ext: %d %s for section %.80q, but only %d bytes of them", count, what, section, len(data))
		}
		for range count {
			at := ExtPlace{section, r.order.Uint32(data)}
			if err := visit(at, data[:record]); err != nil {
				return fmt.Errorf(".BTF.ext: %s: section %.80q, byte %d: %w", what, section, at.Offset, err)
			}
			data = data[record:]
		}
	}
	return nil
}

// text returns the string at an offset of the BTF's strings, of long ones the
// start: many places may refer to the same.
func (r *extReader) text(off uint32) (string, error) {
	if uint64(off) >= r.strings.stringsEnd() {
		return "", formatErrorf(".BTF.ext: string at offset %d of %d bytes of strings", off, r.strings.stringsEnd())
	}
	if r.strings.tooLong(off) > 0 {
		return r.strings.text(off)[:maxString], nil
	}
	return r.strings.name(off), nil
}

// kind checks that a type is there, and of a kind.
func (r *extReader) kind(id TypeID, want Kind) error {
	if uint64(id) >= uint64(r.view.NumTypes()) {
		return formatErrorf("refers to type %d, but there are only %d", id, r.view.NumTypes())
	}
	if k := r.view.Type(id).Kind(); k != want {
		return &FormatError{ID: id, Kind: k, Name: r.view.Type(id).Name(), Msg: fmt.Sprintf(".BTF.ext refers to it as a %s", want)}
	}
	return nil
}
