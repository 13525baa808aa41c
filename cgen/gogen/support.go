package gogen

import (
	"slices"
	"strings"
)

// A helper is a piece of the code that generated types use. Only those that
// are used are put into the output. In the text, @ stands before each name that
// is the helper's own.
type helper int

const (
	helperOrder helper = iota
	helperForeign
	helperSwap2
	helperSwap4
	helperSwap8
	helperBits
	helperCString
	helperShort
	helperBytes
	helperElements
	helperView
	helperPtr
	helperBool
	helperInt128
	helperUint128
	// What follows has no code, but imports a package.
	helperUnsafe
	helperHostLayout
	helperMath
	helperStrconv

	numHelpers
)

type helpers uint32

func (h *helpers) add(x helper)     { *h |= 1 << x }
func (h helpers) has(x helper) bool { return h>>x&1 != 0 }

// reserved are the helpers' exported names. No type gets them, whether they are
// used or not, so that names don't depend on what is selected.
var reserved = []string{"Ptr", "Bool", "True", "False", "Int128", "Uint128", "View"}

// helperCode is a helper's text, for little-endian kernels and, where that
// differs, big-endian ones.
type helperCode struct {
	text, bigText string
	imports       []string
	needs         []helper
}

var helperCodes = [numHelpers]helperCode{
	helperUnsafe:     {imports: []string{"unsafe"}},
	helperHostLayout: {imports: []string{"structs"}},
	helperMath:       {imports: []string{"math"}},
	helperStrconv:    {imports: []string{"strconv"}},
	helperOrder: {
		text: `
// @order is the byte order of the records.
var @order = binary.LittleEndian
`,
		bigText: `
// @order is the byte order of the records.
var @order = binary.BigEndian
`,
		imports: []string{"encoding/binary"},
	},
	helperForeign: {
		text: `
// @foreign says that this machine's byte order is not that of the records.
var @foreign = binary.NativeEndian.Uint16([]byte{1, 0}) != 1
`,
		bigText: `
// @foreign says that this machine's byte order is not that of the records.
var @foreign = binary.NativeEndian.Uint16([]byte{0, 1}) != 1
`,
		imports: []string{"encoding/binary"},
	},
	helperSwap2: {
		text: `
func @swap2[T ~int16 | ~uint16](p *T) { *p = T(bits.ReverseBytes16(uint16(*p))) }
`,
		imports: []string{"math/bits"},
	},
	helperSwap4: {
		text: `
func @swap4[T ~int32 | ~uint32 | ~float32](p *T) {
	u := (*uint32)(unsafe.Pointer(p))
	*u = bits.ReverseBytes32(*u)
}
`,
		imports: []string{"math/bits", "unsafe"},
	},
	helperSwap8: {
		text: `
func @swap8[T ~int64 | ~uint64 | ~float64](p *T) {
	u := (*uint64)(unsafe.Pointer(p))
	*u = bits.ReverseBytes64(*u)
}
`,
		imports: []string{"math/bits", "unsafe"},
	},
	helperBits: {
		text: `
// @getBits returns the bitfield of width bits in b, whose least significant bit
// is number low of the first byte.
func @getBits(b []byte, low, width uint) uint64 {
	v := uint64(b[0]) >> low
	for i, c := range b[1:] {
		v |= uint64(c) << (8*uint(i+1) - low)
	}
	return v & (1<<width - 1)
}

// @putBits sets that bitfield to the low bits of v.
func @putBits(b []byte, low, width uint, v uint64) {
	mask := uint64(1)<<width - 1
	v &= mask
	b[0] = b[0]&^byte(mask<<low) | byte(v<<low)
	for i := range b[1:] {
		shift := 8*uint(i+1) - low
		b[i+1] = b[i+1]&^byte(mask>>shift) | byte(v>>shift)
	}
}
`,
		bigText: `
// @getBits returns the bitfield of width bits in b, whose least significant bit
// is number low of the last byte.
func @getBits(b []byte, low, width uint) uint64 {
	last := len(b) - 1
	v := uint64(b[last]) >> low
	for i := range last {
		v |= uint64(b[i]) << (8*uint(last-i) - low)
	}
	return v & (1<<width - 1)
}

// @putBits sets that bitfield to the low bits of v.
func @putBits(b []byte, low, width uint, v uint64) {
	mask := uint64(1)<<width - 1
	v &= mask
	last := len(b) - 1
	b[last] = b[last]&^byte(mask<<low) | byte(v<<low)
	for i := range last {
		shift := 8*uint(last-i) - low
		b[i] = b[i]&^byte(mask>>shift) | byte(v>>shift)
	}
}
`,
	},
	helperCString: {
		text: `
// @cString returns the bytes before the first NUL as a string.
func @cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
`,
		imports: []string{"bytes"},
	},
	helperShort: {
		text: `
// @shortError is the error for a record of which only part is there.
func @shortError(name string, size, have int) error {
	return fmt.Errorf("%s has %d bytes, but only %d are given: %w", name, size, have, io.ErrUnexpectedEOF)
}
`,
		imports: []string{"fmt", "io"},
	},
	helperBytes: {
		text: `
// @tail returns the n bytes at an offset, which belong to a flexible array.
func @tail(name string, b []byte, offset, n int) ([]byte, error) {
	if n < 0 || offset > len(b) || n > len(b)-offset {
		return nil, fmt.Errorf("%s: %d elements at offset %d don't fit %d bytes: %w", name, n, offset, len(b), io.ErrUnexpectedEOF)
	}
	return b[offset : offset+n : offset+n], nil
}
`,
		imports: []string{"fmt", "io"},
	},
	helperElements: {
		text: `
// @elements returns a copy of the n elements at an offset, which belong to a
// flexible array.
func @elements[T any](name string, b []byte, offset, n int) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if n < 0 || offset > len(b) || size > 0 && n > (len(b)-offset)/size {
		return nil, fmt.Errorf("%s: %d elements at offset %d don't fit %d bytes: %w", name, n, offset, len(b), io.ErrUnexpectedEOF)
	}
	v := make([]T, n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), n*size), b[offset:])
	return v, nil
}
`,
		imports: []string{"fmt", "io", "unsafe"},
	},
	helperView: {
		text: `
// @View returns the record at the start of b without copying it: it shares b's
// memory. That takes a machine with the records' byte order, and b aligned as
// the record is in Go. Where one of the two is missing, UnmarshalBinary does
// the job.
func @View[T any, P interface {
	*T
	swapBytes()
}](b []byte) (P, error) {
	var zero T
	size, align := unsafe.Sizeof(zero), unsafe.Alignof(zero)
	at := unsafe.Pointer(unsafe.SliceData(b))
	switch {
	case size == 0:
		return new(T), nil
	case uintptr(len(b)) < size:
		return nil, @shortError(fmt.Sprintf("%T", (*T)(nil)), int(size), len(b))
	case @foreign:
		return nil, fmt.Errorf("%T: the record's byte order is not this machine's: %w", (*T)(nil), errors.ErrUnsupported)
	case uintptr(at)%align != 0:
		return nil, fmt.Errorf("%T: the record is at %p, which is no multiple of %d: %w", (*T)(nil), at, align, errors.ErrUnsupported)
	}
	return P(at), nil
}
`,
		imports: []string{"errors", "fmt", "unsafe"},
		needs:   []helper{helperShort, helperForeign},
	},
	helperPtr: {
		text: `
// @Ptr is a pointer of the kernel, which means nothing to this process. What
// it points to stands in the comment of each field.
type @Ptr @uintptr

// String returns the address in hexadecimal.
func (p @Ptr) String() string { return "0x" + strconv.FormatUint(uint64(p), 16) }
`,
		imports: []string{"strconv"},
	},
	helperBool: {
		text: `
// @Bool is C's bool as it lies in memory. Any value but 0 is true, though the
// compiler writes no others than 0 and 1.
type @Bool uint8

// The values of @Bool that C writes.
const (
	@False @Bool = 0
	@True  @Bool = 1
)

// IsTrue returns b as Go's bool.
func (b @Bool) IsTrue() bool { return b != 0 }

// String returns "true" or "false".
func (b @Bool) String() string { return strconv.FormatBool(b != 0) }

// Set makes b what v is.
func (b *@Bool) Set(v bool) {
	*b = @False
	if v {
		*b = @True
	}
}
`,
		imports: []string{"strconv"},
	},
	helperInt128: {
		text: `
// @Int128 is an __int128: the low 64 bits, and the high ones.
type @Int128 [2]uint64

// Low and High return the halves of the number.
func (i @Int128) Low() uint64 { return i[0] }

// High is the half that holds the sign.
func (i @Int128) High() int64 { return int64(i[1]) }
`,
		bigText: `
// @Int128 is an __int128: the high 64 bits, and the low ones.
type @Int128 [2]uint64

// Low and High return the halves of the number.
func (i @Int128) Low() uint64 { return i[1] }

// High is the half that holds the sign.
func (i @Int128) High() int64 { return int64(i[0]) }
`,
	},
	helperUint128: {
		text: `
// @Uint128 is an unsigned __int128: the low 64 bits, and the high ones.
type @Uint128 [2]uint64

// Low and High return the halves of the number.
func (i @Uint128) Low() uint64 { return i[0] }

// High is the other half.
func (i @Uint128) High() uint64 { return i[1] }
`,
		bigText: `
// @Uint128 is an unsigned __int128: the high 64 bits, and the low ones.
type @Uint128 [2]uint64

// Low and High return the halves of the number.
func (i @Uint128) Low() uint64 { return i[1] }

// High is the other half.
func (i @Uint128) High() uint64 { return i[0] }
`,
	},
}

// closure adds what the helpers need themselves.
func (h helpers) closure() helpers {
	for x := range numHelpers {
		if h.has(x) {
			for _, needed := range helperCodes[x].needs {
				h.add(needed)
			}
		}
	}
	return h
}

// imports returns the packages that the helpers import, sorted.
func (h helpers) imports() []string {
	var all []string
	for x := range numHelpers {
		if h.has(x) {
			all = append(all, helperCodes[x].imports...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// helperName returns the name of a helper, or of a type of it, in the output.
// Unexported ones get an underscore behind the prefix, which keeps them from
// clashing with types when the prefix starts with a small letter.
func helperName(prefix, name string) string {
	if prefix == "" || name[0] >= 'A' && name[0] <= 'Z' {
		return prefix + name
	}
	return strings.ToLower(prefix[:1]) + prefix[1:] + "_" + name
}

// appendText appends a helper's text.
func (x helper) appendText(b []byte, prefix string, big bool, pointer uint32) []byte {
	text := helperCodes[x].text
	if big && helperCodes[x].bigText != "" {
		text = helperCodes[x].bigText
	}
	text = strings.ReplaceAll(text, "@uintptr", map[uint32]string{4: "uint32", 8: "uint64"}[pointer])
	for {
		before, rest, found := strings.Cut(text, "@")
		b = append(b, before...)
		if !found {
			return b
		}
		end := 0
		for end < len(rest) && (isLetter(rest[end]) || isDigit(rest[end])) {
			end++
		}
		b = append(b, helperName(prefix, rest[:end])...)
		text = rest[end:]
	}
}
