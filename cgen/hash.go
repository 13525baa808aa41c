package cgen

import "math/bits"

// hash is a running 64-bit hash. It orders and compares the contents of types
// that have the same name, so it must not differ from run to run as
// hash/maphash does. It is not meant to resist collisions made on purpose:
// those merge two types of a blob whose author made both.
type hash uint64

const hashSeed hash = 0x9e3779b97f4a7c15

func (h hash) word(x uint64) hash {
	hi, lo := bits.Mul64(uint64(h)^x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return hash(hi ^ lo)
}

func (h hash) string(s string) hash {
	h = h.word(uint64(len(s)))
	for len(s) >= 8 {
		h = h.word(prefix(s))
		s = s[8:]
	}
	if len(s) > 0 {
		h = h.word(prefix(s))
	}
	return h
}

// prefix returns the first 8 bytes of a string as a big-endian number, so that
// numbers compare as the strings do.
func prefix(s string) uint64 {
	if len(s) >= 8 {
		return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
			uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
	}
	var x uint64
	for i := range len(s) {
		x |= uint64(s[i]) << (56 - 8*i)
	}
	return x
}
