package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The parts of BTF that a copy with other IDs and names has to know
// (include/uapi/linux/btf.h).
const (
	kindInt = 1 + iota
	kindPtr
	kindArray
	kindStruct
	kindUnion
	kindEnum
	kindFwd
	kindTypedef
	kindVolatile
	kindConst
	kindRestrict
	kindFunc
	kindFuncProto
	kindVar
	kindDatasec
	kindFloat
	kindDeclTag
	kindTypeTag
	kindEnum64
)

// replicate returns a kernel's BTF n times over: each copy has all types,
// referring to each other as in the original, and names of its own for what C
// declares (records, enums, enumerators, typedefs, functions, variables). The
// result is as intricate as a kernel is, only larger. Little endian only.
func replicate(raw []byte, n uint32) ([]byte, error) {
	le := binary.LittleEndian
	if len(raw) < 24 || le.Uint16(raw) != 0xeb9f {
		return nil, errors.New("want BTF in little endian")
	}
	headerLen := le.Uint32(raw[4:])
	body := raw[headerLen:]
	types := body[le.Uint32(raw[8:]):][:le.Uint32(raw[12:])]
	strings := body[le.Uint32(raw[16:]):][:le.Uint32(raw[20:])]
	count, err := countTypes(types)
	if err != nil {
		return nil, err
	}

	var outTypes []byte
	outStrings := append([]byte(nil), strings...)
	for copyNo := range n {
		renamed := make(map[uint32]uint32)
		name := func(at []byte) {
			off := le.Uint32(at)
			if off == 0 || copyNo == 0 {
				return
			}
			if _, ok := renamed[off]; !ok {
				renamed[off] = uint32(len(outStrings))
				outStrings = fmt.Appendf(outStrings, "c%d_", copyNo)
				for i := off; ; i++ {
					outStrings = append(outStrings, strings[i])
					if strings[i] == 0 {
						break
					}
				}
			}
			le.PutUint32(at, renamed[off])
		}
		id := func(at []byte) {
			if old := le.Uint32(at); old != 0 {
				le.PutUint32(at, old+copyNo*count)
			}
		}
		start := len(outTypes)
		outTypes = append(outTypes, types...)
		for t := outTypes[start:]; len(t) > 0; {
			kind, size, elem, err := shape(t)
			if err != nil {
				return nil, err
			}
			tail := t[12:size]
			switch kind {
			case kindStruct, kindUnion, kindEnum, kindEnum64, kindFwd, kindTypedef, kindFunc, kindVar:
				name(t)
			}
			switch kind {
			case kindPtr, kindTypedef, kindVolatile, kindConst, kindRestrict, kindFunc, kindFuncProto, kindVar, kindDeclTag, kindTypeTag:
				id(t[8:])
			case kindArray:
				id(tail)
				id(tail[4:])
			}
			for ; elem > 0 && len(tail) > 0; tail = tail[elem:] {
				switch kind {
				case kindStruct, kindUnion, kindFuncProto:
					id(tail[4:])
				case kindDatasec:
					id(tail)
				case kindEnum, kindEnum64:
					name(tail)
				}
			}
			t = t[size:]
		}
	}

	out := append([]byte(nil), raw[:24]...)
	le.PutUint32(out[4:], 24)
	le.PutUint32(out[8:], 0)
	le.PutUint32(out[12:], uint32(len(outTypes)))
	le.PutUint32(out[16:], uint32(len(outTypes)))
	le.PutUint32(out[20:], uint32(len(outStrings)))
	return append(append(out, outTypes...), outStrings...), nil
}

// shape returns the kind of the type at the start of t, its size in bytes, and
// the size of one of its elements, 0 if it has none.
func shape(t []byte) (kind, size, elem uint32, err error) {
	if len(t) < 12 {
		return 0, 0, 0, errors.New("a type is cut short")
	}
	info := binary.LittleEndian.Uint32(t[4:])
	kind = info >> 24 & 0x7f
	vlen := info & 0xffffff
	size = 12
	switch kind {
	case kindInt, kindDeclTag:
		size += 4
	case kindVar:
		size += 4
	case kindArray:
		size += 12
	case kindStruct, kindUnion, kindDatasec, kindEnum64:
		elem = 12
	case kindEnum, kindFuncProto:
		elem = 8
	case kindPtr, kindFwd, kindTypedef, kindVolatile, kindConst, kindRestrict, kindFunc, kindFloat, kindTypeTag:
	default:
		return 0, 0, 0, fmt.Errorf("unknown kind %d", kind)
	}
	if elem > 0 {
		size += elem * vlen
	}
	if uint64(len(t)) < uint64(size) {
		return 0, 0, 0, errors.New("a type is cut short")
	}
	return kind, size, elem, nil
}

func countTypes(types []byte) (uint32, error) {
	var n uint32
	for len(types) > 0 {
		_, size, _, err := shape(types)
		if err != nil {
			return 0, err
		}
		types = types[size:]
		n++
	}
	return n, nil
}
