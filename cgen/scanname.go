package cgen

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// nameSeed starts the hashes of names. It differs from run to run, so that names
// can't be made which go to one slot of a table; no output depends on it.
var nameSeed = hash(rand.Uint64())

// nameRoom is the room in bytes that scanName needs for the longest name. Strings
// in BTF are no longer than 4096 bytes, which btfdump.New has checked.
const nameRoom = 4096 + 8

// scanName copies a name to dst, which must have nameRoom, and finds out all that printing has to know of it, in one pass of eight bytes
// at a time: its length, a hash, and whether it is an identifier. The name ends
// with text, or before its first NUL byte. If it is no identifier, n and h are
// of no use.
func scanName(dst []byte, text string) (n int, h hash, ok bool) {
	h = nameSeed
	rest := text
	var word, other uint64
	for len(rest) >= 8 {
		// firstWord(rest), which the compiler would call
		word = uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
			uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56
		binary.LittleEndian.PutUint64(dst, word)
		if other = notIdentifier(word); other != 0 {
			break
		}
		h = h.word(word)
		rest, dst = rest[8:], dst[8:]
	}
	if other == 0 {
		word = lastWord(rest)
		binary.LittleEndian.PutUint64(dst, word)
		other = notIdentifier(word)
	}
	at := bits.TrailingZeros64(other) &^ 7 // the first bit of the first such byte
	n = len(text) - len(rest) + at/8
	return n, h.word(word & (1<<at - 1)), word>>at&0xff == 0 && n > 0 && !isDigit(text[0])
}

// hashOf returns the hash of a name that need not be an identifier: the same as
// scanName for those that are.
func hashOf(name string) hash {
	h := nameSeed
	for len(name) >= 8 {
		h = h.word(firstWord(name))
		name = name[8:]
	}
	return h.word(lastWord(name))
}

// firstWord returns the first eight bytes of a text as a little-endian number:
// zeros stand for what it lacks.
func firstWord(s string) uint64 {
	if len(s) < 8 {
		return lastWord(s)
	}
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func lastWord(s string) (x uint64) {
	for i := range len(s) {
		x |= uint64(s[i]) << (8 * i)
	}
	return x
}

// notIdentifier returns a word with the highest bit set in those bytes that are
// no letters, digits or underscores.
func notIdentifier(word uint64) uint64 {
	const each = 0x0101010101010101
	const high = 0x80 * each
	// Sums of seven bits do not carry into the next byte: the highest bit tells
	// whether one is at least 0x80.
	low := word &^ high
	letter := low | 0x20*each // in lower case
	letter = (letter + (0x80-'a')*each) &^ (letter + (0x7f-'z')*each)
	digit := (low + (0x80-'0')*each) &^ (low + (0x7f-'9')*each)
	underscore := ^((low ^ '_'*each) + 0x7f*each)
	return high &^ ((letter | digit | underscore) &^ word)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
