package btftest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ID is a BTF type ID. 0 is void.
type ID uint32

// Void is the type ID that stands for void, and for "no type".
const Void ID = 0

// Builder collects the types and strings of one BTF. The zero value is not
// usable: call [New] or [Builder.Split].
type Builder struct {
	// Order is the byte order of everything written. Little endian unless set.
	// It is read by Bytes, so it may be set at any time.
	Order binary.AppendByteOrder

	// HeaderLen is the length of the header in bytes: 24 (the default), or 32
	// and more for a header that knows the layout section. Bytes past 32 are
	// zero. Fewer than 24 cuts the header short.
	HeaderLen uint32

	// Layout is written as the layout section (Linux 7.1) when it is not empty;
	// its index is the kind. HeaderLen must be at least 32 then. See
	// [StandardLayout].
	Layout []LayoutEntry

	// LayoutLast writes the layout section behind the strings. Otherwise it
	// stands between types and strings, where pahole puts it.
	LayoutLast bool

	firstID ID
	types   []record
	base    *Builder

	// At returns a builder that defines the type at of the builder root, and
	// has nothing else of its own.
	root *Builder
	at   ID

	firstString uint32
	strings     []byte
	stringIndex map[string]uint32

	pokes      []poke
	editHeader []func(*Header)
}

// record is one type, from its name offset on. BTF types consist of 32-bit
// words alone, so the byte order can be left open until the end.
type record struct {
	words []uint32
	bytes []byte // written as they are, instead of words
}

// New returns an empty BTF that has no base. Its first type gets ID 1.
func New() *Builder {
	return &Builder{
		Order:       binary.LittleEndian,
		HeaderLen:   24,
		firstID:     1,
		strings:     []byte{0},
		stringIndex: map[string]uint32{"": 0},
	}
}

// Split returns an empty split BTF on b: its IDs and string offsets go on from
// those that b has now, and b's strings are used again. Nothing may be added
// to b afterwards. b may be split itself.
func (b *Builder) Split() *Builder {
	return &Builder{
		Order:       b.Order,
		HeaderLen:   b.HeaderLen,
		firstID:     b.NextID(),
		base:        b,
		firstString: b.firstString + uint32(len(b.strings)),
		stringIndex: map[string]uint32{},
	}
}

// FirstID is the ID of the first type of b's own: 1 unless b is split.
func (b *Builder) FirstID() ID { return b.firstID }

// NextID is the ID that the next type gets when it is just appended. It is
// also the number of types, void and the base's types included.
func (b *Builder) NextID() ID { return b.firstID + ID(len(b.types)) }

// Reserve sets an ID aside for a type that [Builder.At] defines later, so that
// others can refer to it before.
func (b *Builder) Reserve() ID {
	b.types = append(b.types, record{})
	return b.NextID() - 1
}

// At returns a builder whose one type becomes the reserved type id of b. The
// types and strings that this one needs can be added to b in the same call:
//
//	node := b.Reserve()
//	b.At(node).Struct("node", 8, btftest.Field("next", b.Ptr(node), 0))
//
// Other methods than those that add a type make no sense on it.
func (b *Builder) At(id ID) *Builder {
	b.reserved(id)
	return &Builder{root: b, at: id}
}

// reserved returns the place of a type that was reserved and not defined yet.
func (b *Builder) reserved(id ID) *record {
	r := b.record(id)
	if r.words != nil || r.bytes != nil {
		panic(fmt.Sprintf("btftest: type %d is defined already", id))
	}
	return r
}

// Str returns the string offset of s, adding s to the string section when
// neither b nor one of its bases has it.
func (b *Builder) Str(s string) uint32 {
	if b.root != nil {
		b = b.root
	}
	for o := b; o != nil; o = o.base {
		if off, ok := o.stringIndex[s]; ok {
			return off
		}
	}
	off := b.RawString([]byte(s + "\x00"))
	b.stringIndex[s] = off
	return off
}

// Bytes returns the raw BTF. It panics when a reserved ID was not filled in.
// It may be called more than once; each call makes new bytes.
func (b *Builder) Bytes() []byte {
	var types []byte
	for i, r := range b.types {
		id := b.firstID + ID(i)
		switch {
		case r.bytes != nil:
			types = append(types, r.bytes...)
		case r.words != nil:
			for w, word := range r.words {
				for _, p := range b.pokes {
					if p.id == id && p.word == w {
						word = p.value
					}
				}
				types = b.Order.AppendUint32(types, word)
			}
		default:
			panic(fmt.Sprintf("btftest: type %d was reserved and never defined", id))
		}
	}
	return b.assemble(types)
}

// add appends a type, or defines the one that At chose.
func (b *Builder) add(r record) ID {
	if b.root != nil {
		*b.root.reserved(b.at) = r
		return b.at
	}
	b.types = append(b.types, r)
	return b.NextID() - 1
}

// record is the type id of b itself; one of its base has none here.
func (b *Builder) record(id ID) *record {
	if id < b.firstID || id >= b.NextID() {
		panic(fmt.Sprintf("btftest: type %d is none of this builder's %d to %d", id, b.firstID, b.NextID()-1))
	}
	return &b.types[id-b.firstID]
}

// info packs the word that tells a type's kind, its number of elements and
// its kind flag.
func info(kind, vlen int, kflag bool) uint32 {
	if kind < 0 || kind > 127 || vlen < 0 || vlen > 1<<24-1 {
		panic(fmt.Sprintf("btftest: kind %d with vlen %d does not fit the info word", kind, vlen))
	}
	w := uint32(kind)<<24 | uint32(vlen)
	if kflag {
		w |= 1 << 31
	}
	return w
}

func length(data []byte) uint32 {
	if uint64(len(data)) > math.MaxUint32 {
		panic("btftest: section of more than 4 GiB")
	}
	return uint32(len(data))
}
