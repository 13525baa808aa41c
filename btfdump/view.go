package btfdump

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"sync"
	"unsafe"
)

// View is an immutable view of the types of one BTF blob, or of several that
// build on each other. It may be used by many goroutines at once.
type View struct {
	// levels are the blobs in the order of their type IDs: the base first.
	levels []*level
	bottom *level           // levels[0], which most types are in
	index  func() nameIndex // built when first asked for
}

// maxTypes keeps type IDs well inside 31 bits; kernels have some 100,000.
const maxTypes = 1 << 31

// level is one blob of a view.
type level struct {
	raw     []byte
	header  Header
	types   []byte       // the type section, in little endian; shares raw's memory if that is
	strings string       // the string section, sharing raw's memory
	long    []longString // the strings that are too long for names, those of bases included
	layout  []byte       // the layout section that applies, also one of a base
	big     bool         // big endian

	base     *level // the blob whose IDs and strings this one continues
	strStart uint32 // the string offset at which own strings start
	// firstRaw is the first own type ID as the blob counts, first as the view
	// does. They differ only in a view made by Join.
	firstRaw, first TypeID

	offsets  []uint32 // of each own type, in bytes from the start of types
	kinds    []Kind   // of each own type: dense, since every reference is checked against them
	resolved []TypeID // each own type without modifiers; IDs as the blob counts

	pointerSize     uint32 // bytes; 0: not known
	legacyBitfields bool   // an int of this level or its bases has fewer bits than bytes hold, or an offset
	// plain says that a member's words mean what they say: there are no legacy
	// bitfields, the blob counts types as the view does, and a name that is empty
	// is at offset 0.
	plain bool
}

// New checks a blob of BTF and returns a view of it. The view keeps raw, which
// must not be changed from then on. Errors are *[FormatError].
func New(raw []byte) (*View, error) {
	l, err := newLevel(raw, nil)
	if err != nil {
		return nil, err
	}
	return newView([]*level{l}), nil
}

func newView(levels []*level) *View {
	v := &View{levels: levels, bottom: levels[0]}
	v.index = sync.OnceValue(v.buildIndex)
	return v
}

// newLevel reads a blob that continues base, which may be nil.
func newLevel(raw []byte, base *level) (*level, error) {
	h, big, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	section := func(off, len uint32) []byte { return raw[h.Length+off:][:len:len] }
	l := &level{raw: raw, header: h, big: big, base: base, first: 1, firstRaw: 1}
	l.types = nativeWords(section(h.TypesOffset, h.TypesLen), big)
	l.layout = section(h.LayoutOffset, h.LayoutLen)
	if strs := section(h.StringsOffset, h.StringsLen); len(strs) > 0 {
		if strs[len(strs)-1] != 0 {
			return nil, formatErrorf("string section does not end in a NUL byte")
		}
		if base == nil && strs[0] != 0 {
			return nil, formatErrorf("string section does not start with the empty string")
		}
		l.long = longStrings(strs)
		// The view promises that raw stays as it is, so a string may share it.
		l.strings = unsafe.String(&strs[0], len(strs))
	}
	if base != nil {
		if base.big != big {
			return nil, formatErrorf("byte order differs from that of the base")
		}
		end := uint64(base.strStart) + uint64(len(base.strings))
		if end+uint64(len(l.strings)) > 1<<32-1 {
			return nil, formatErrorf("string sections are longer than 4 GiB together")
		}
		l.strStart = uint32(end)
		for i := range l.long {
			l.long[i].start += l.strStart
			l.long[i].end += l.strStart
		}
		l.long = append(slices.Clone(base.long), l.long...)
		l.firstRaw = base.firstRaw + TypeID(len(base.offsets))
		l.first = l.firstRaw
		l.pointerSize = base.pointerSize
		l.legacyBitfields = base.legacyBitfields
		if len(l.layout) == 0 {
			l.layout = base.layout
		}
	}
	if err := l.scan(); err != nil {
		return nil, err
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	return l, nil
}

// maxString is the length in bytes that a name may have. Types can share
// strings, and the ends of strings, so without a limit the names of a blob
// could together be as long as the square of its size. The kernel stops at
// KSYM_NAME_LEN, which is 512. Strings that no type has as its name, such as
// lines of source code, may be longer.
const maxString = 4096

// longString is where a string of more than maxString bytes starts and ends, as
// offsets that count the base's strings too.
type longString struct{ start, end uint32 }

// longStrings finds those strings. Each must cover one of the windows of half
// that size which the section divides into, so only the windows' first strings are
// looked at.
func longStrings(strs []byte) (list []longString) {
	const window = maxString / 2
	for at := 0; at < len(strs); at += window {
		if bytes.IndexByte(strs[at:min(at+window, len(strs))], 0) >= 0 {
			continue
		}
		if n := len(list); n > 0 && at < int(list[n-1].end) {
			continue
		}
		start := bytes.LastIndexByte(strs[:at], 0) + 1
		if end := at + bytes.IndexByte(strs[at:], 0); end-start > maxString {
			list = append(list, longString{uint32(start), uint32(end)})
		}
	}
	return list
}

// tooLong returns the length in bytes of the string at an offset, if that is
// more than a name may have, else 0.
func (l *level) tooLong(off uint32) uint32 {
	i, _ := slices.BinarySearchFunc(l.long, off, func(s longString, off uint32) int { return cmp.Compare(s.end, off) })
	if i < len(l.long) && l.long[i].start <= off && l.long[i].end-off > maxString {
		return l.long[i].end - off
	}
	return 0
}

// Base returns the view that a split view builds on, and nil for one that
// stands by itself. For a view made by [Join] it is the common base.
func (v *View) Base() *View {
	top := v.levels[len(v.levels)-1]
	if top.base == nil {
		return nil
	}
	for i, l := range v.levels {
		if l == top.base {
			return newView(v.levels[:i+1])
		}
	}
	return nil
}

// Raw returns the blob of the view's own types, without those of its base. It
// must not be changed.
func (v *View) Raw() []byte { return v.top().raw }

// RawLen returns the number of bytes of all blobs of the view, its base
// included.
func (v *View) RawLen() int {
	n := 0
	for _, l := range v.levels {
		n += len(l.raw)
	}
	return n
}

// Header returns the header of the view's own blob.
func (v *View) Header() Header { return v.top().header }

// ByteOrder returns the byte order of the blob, which is the kernel's.
func (v *View) ByteOrder() binary.ByteOrder {
	if v.top().big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// PointerSize returns the size of a pointer in bytes, 4 or 8. BTF does not
// state it: it is that of the type long, and where there is none, 8 or what
// [View.WithPointerSize] says.
func (v *View) PointerSize() int {
	if s := v.top().pointerSize; s != 0 {
		return int(s)
	}
	return 8
}

// WithPointerSize returns a view of the same types for those who know better than
// the BTF how many bytes a pointer has, 4 or 8: from the ELF header of the file
// that it is in. If the BTF tells, it returns v.
func (v *View) WithPointerSize(bytes int) *View {
	if v.top().pointerSize != 0 {
		return v
	}
	top := *v.top()
	top.pointerSize = uint32(bytes)
	levels := slices.Clone(v.levels)
	levels[len(levels)-1] = &top
	return newView(levels)
}

// NumTypes returns the number of type IDs, those of bases and void included:
// IDs run from 0 to NumTypes()-1.
func (v *View) NumTypes() int { return int(v.top().end()) }

// FirstID returns the first type ID that is not one of the base: 1 for a view
// that has none. For a view made by [Join] it is the first ID of its last blob.
func (v *View) FirstID() TypeID { return v.top().first }

func (v *View) top() *level { return v.levels[len(v.levels)-1] }

// end returns the ID after the level's last one.
func (l *level) end() TypeID { return l.first + TypeID(len(l.offsets)) }

// Type returns the type with the given ID. It panics if the ID is not below
// NumTypes, as indexing a slice does: IDs that come from the view always are.
func (v *View) Type(id TypeID) Type {
	l := v.bottom
	if at := id - 1; at < TypeID(len(l.offsets)) {
		off := l.offsets[at]
		return Type{level: l, off: off, info: l.word(off + 4), id: id}
	}
	return v.typeAbove(id)
}

// typeAbove is Type for void and for types that are not in the bottom level.
func (v *View) typeAbove(id TypeID) Type {
	if id == 0 {
		return Type{level: v.bottom}
	}
	l := v.levelOf(id)
	off := l.offsets[id-l.first]
	return Type{level: l, off: off, info: l.word(off + 4), id: id}
}

// word reads the word at an offset into the type section.
func (l *level) word(off uint32) uint32 { return binary.LittleEndian.Uint32(l.types[off:]) }

// LevelOf returns the index of the blob that holds the type: 0 for the base,
// 1 for the first split on it, and so on.
func (v *View) LevelOf(id TypeID) int {
	return sort.Search(len(v.levels)-1, func(i int) bool { return id < v.levels[i].end() })
}

func (v *View) levelOf(id TypeID) *level { return v.levels[v.LevelOf(id)] }

// KernelID returns the ID of a type as the blob that holds it counts, and so the
// kernel: in a view made by [Join] those of several modules are the same.
func (v *View) KernelID(id TypeID) TypeID {
	l := v.levelOf(id)
	if id < l.first {
		return id // void
	}
	return id - (l.first - l.firstRaw)
}

// All iterates over all types in the order of their IDs: those of the bases
// first, and without void.
func (v *View) All() iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for _, l := range v.levels {
			for i, off := range l.offsets {
				if !yield(Type{level: l, off: off, info: l.word(off + 4), id: l.first + TypeID(i)}) {
					return
				}
			}
		}
	}
}

// AllOf iterates over the types of the given kinds in the order of their IDs. It
// does not touch others.
func (v *View) AllOf(ks ...Kind) iter.Seq[Type] {
	want := kinds(ks...)
	return func(yield func(Type) bool) {
		for _, l := range v.levels {
			for i, k := range l.kinds {
				if !want.has(k) {
					continue
				}
				off := l.offsets[i]
				if !yield(Type{level: l, off: off, info: l.word(off + 4), id: l.first + TypeID(i)}) {
					return
				}
			}
		}
	}
}

// Resolve returns the ID that remains when typedefs, qualifiers and type tags
// are skipped: the type that decides the layout.
func (v *View) Resolve(id TypeID) TypeID {
	if at := id - 1; at < TypeID(len(v.bottom.resolved)) {
		return v.bottom.resolved[at]
	}
	return v.resolveAbove(id)
}

// resolveAbove is Resolve for void and for types that are not in the bottom level.
func (v *View) resolveAbove(id TypeID) TypeID {
	if id == 0 {
		return 0
	}
	l := v.levelOf(id)
	return l.global(l.resolved[id-l.first])
}

// SizeOf returns the size of a value of the type in bytes: 0 for types that
// have none, such as void, functions and forward declarations. The size of an
// array that would not fit 64 bits is reported as the largest number that does.
func (v *View) SizeOf(id TypeID) uint64 {
	n := uint64(1)
	for {
		t := v.Type(v.Resolve(id))
		switch {
		case t.Kind() == KindArray:
			n = saturatingMul(n, uint64(t.ArrayLen()))
			id = t.Ref()
		case t.Kind() == KindPtr:
			return saturatingMul(n, uint64(v.PointerSize()))
		default:
			return saturatingMul(n, uint64(t.Size()))
		}
	}
}

func saturatingMul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi != 0 {
		return ^uint64(0)
	}
	return lo
}

// global translates a type ID of the blob's own counting to that of the view.
func (l *level) global(id TypeID) TypeID {
	for id < l.firstRaw {
		if l.base == nil {
			return id // void
		}
		l = l.base
	}
	return id + (l.first - l.firstRaw)
}

// hasName reports whether the string at an offset is not empty.
func (l *level) hasName(off uint32) bool {
	if off == 0 {
		return false
	}
	for off < l.strStart {
		l = l.base
	}
	return off-l.strStart < uint32(len(l.strings)) && l.strings[off-l.strStart] != 0
}

// text returns the string section from an offset on, which has been checked to
// be in range.
func (l *level) text(off uint32) string {
	if off == 0 {
		return "" // also where no level has the empty string at its start
	}
	for off < l.strStart {
		l = l.base
	}
	return l.strings[off-l.strStart:]
}

// name returns the string at an offset, which has been checked to be in range.
func (l *level) name(off uint32) string {
	if off == 0 {
		return "" // also where no level has the empty string at its start
	}
	for off < l.strStart {
		l = l.base
	}
	s := l.strings[off-l.strStart:]
	return s[:strings.IndexByte(s, 0)] // the section ends in NUL
}
