package btftest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Shuffle returns the BTF raw, which has no base, with its type IDs permuted:
// the types stand in another order, and every reference follows. Strings,
// header and layout section stay as they are. The same seed gives the same
// order. It panics when raw is no well-formed BTF of kinds up to ENUM64: IDs in
// other kinds can't be found.
func Shuffle(raw []byte, seed uint64) []byte {
	return decode(raw).shuffle(1, seed)
}

// ShuffleSplit is [Shuffle] for split BTF: split's own types are permuted,
// those of base, which has none itself, keep their IDs.
func ShuffleSplit(split, base []byte, seed uint64) []byte {
	return decode(split).shuffle(1+len(decode(base).offsets), seed)
}

// CountTypes returns how many types raw has of its own, without void.
func CountTypes(raw []byte) int { return len(decode(raw).offsets) }

// blob is BTF cut into its types.
type blob struct {
	raw        []byte
	order      binary.ByteOrder
	start, end int   // of the type section in raw
	offsets    []int // of each type in raw
}

func decode(raw []byte) blob {
	b := blob{raw: raw, order: binary.LittleEndian}
	if b.order.Uint16(raw) != 0xeB9F {
		b.order = binary.BigEndian
	}
	if magic := b.order.Uint16(raw); magic != 0xeB9F {
		panic(fmt.Sprintf("btftest: no BTF magic: %#x", magic))
	}
	b.start = int(b.order.Uint32(raw[4:])) + int(b.order.Uint32(raw[8:]))
	b.end = b.start + int(b.order.Uint32(raw[12:]))
	for off := b.start; off < b.end; off += 12 + 4*b.tailWords(off) {
		b.offsets = append(b.offsets, off)
	}
	return b
}

func (b blob) word(off, i int) uint32 { return b.order.Uint32(b.raw[off+4*i:]) }

// tailWords is the number of words behind the first three of the type at off.
func (b blob) tailWords(off int) int {
	vlen := int(b.word(off, 1) & (1<<24 - 1))
	switch kind := int(b.word(off, 1) >> 24 & 127); kind {
	case KindPtr, KindFwd, KindTypedef, KindVolatile, KindConst, KindRestrict, KindFunc, KindFloat, KindTypeTag:
		return 0
	case KindInt, KindVar, KindDeclTag:
		return 1
	case KindArray:
		return 3
	case KindEnum, KindFuncProto:
		return 2 * vlen
	case KindStruct, KindUnion, KindDatasec, KindEnum64:
		return 3 * vlen
	default:
		panic(fmt.Sprintf("btftest: type at byte %d: unknown kind %d", off, kind))
	}
}

// refs returns the indexes of those words of the type at off that are IDs.
func (b blob) refs(off int) []int {
	switch int(b.word(off, 1) >> 24 & 127) {
	case KindPtr, KindTypedef, KindVolatile, KindConst, KindRestrict, KindFunc, KindVar, KindDeclTag, KindTypeTag:
		return []int{2}
	case KindArray:
		return []int{3, 4}
	case KindFuncProto:
		return append(every(2, b.tailWords(off)), 2)
	case KindStruct, KindUnion:
		return every(3, b.tailWords(off))
	case KindDatasec:
		refs := every(3, b.tailWords(off))
		for i := range refs {
			refs[i]-- // the ID stands first, where a member has its name
		}
		return refs
	default:
		return nil
	}
}

// every gives the index of the second word in each group of step words.
func every(step, words int) []int {
	var refs []int
	for i := 1; i < words; i += step {
		refs = append(refs, 3+i)
	}
	return refs
}

// shuffle permutes the types, the first of which has the ID first.
func (b blob) shuffle(first int, seed uint64) []byte {
	perm := rand.New(rand.NewPCG(seed, 0)).Perm(len(b.offsets)) // perm[new] = old
	newID := make([]uint32, len(b.offsets))
	for new, old := range perm {
		newID[old] = uint32(first + new)
	}

	out := append([]byte{}, b.raw[:b.start]...)
	for _, old := range perm {
		off := b.offsets[old]
		at := len(out)
		out = append(out, b.raw[off:off+12+4*b.tailWords(off)]...)
		for _, i := range b.refs(off) {
			if id := int(b.word(off, i)); id >= first {
				b.order.PutUint32(out[at+4*i:], newID[id-first])
			}
		}
	}
	return append(out, b.raw[b.end:]...)
}
