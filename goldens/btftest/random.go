package btftest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Random returns BTF of 1 to some 60 types of all kinds, in either byte order, as
// odd as the format allows and a little odder: most of it can be read, and about
// half of that can be written in C. The same numbers give the same bytes.
//
// Names are drawn from names, so that they collide within and across C's name
// spaces; [PlainNames] stands for nil. Which oddities there are is drawn first,
// some at a time, for BTF that has them all is never accepted.
func Random(r *rand.Rand, names []string) []byte {
	if names == nil {
		names = PlainNames
	}
	g := newRandomTypes(r, names)
	g.build()
	return g.b.Bytes()
}

// RandomSplit returns the BTF of a kernel and that of a module, which stands on it
// and refers to its types, and has others of the same names. Both are as those of
// [Random].
func RandomSplit(r *rand.Rand, names []string) (base, module []byte) {
	if names == nil {
		names = PlainNames
	}
	g := newRandomTypes(r, names)
	g.build()
	base = g.b.Bytes()
	g.b, g.reserved = g.b.Split(), nil
	g.more()
	return base, g.b.Bytes()
}

func newRandomTypes(r *rand.Rand, names []string) *randomTypes {
	g := &randomTypes{b: New(), r: r, names: names, pointer: 8}
	if g.chance(40) {
		g.b.Order = binary.BigEndian
	}
	percent := int(g.pick(6, 12, 12, 12, 25))
	for i := range g.odd {
		g.odd[i] = g.chance(percent)
	}
	return g
}

// PlainNames are names that a kernel could have given.
var PlainNames = []string{
	"a", "b", "c", "x", "y", "s", "u", "e", "A", "B", "C", "list", "node", "next", "data", "len", "u8", "u64", "t", "f",
	"a___2", "s___2", "A___2", "x_", "bool", "size_t", "uint64_t", "uint8_t", "class", "true", "new", "wchar_t", "anon_enum_A",
}

// keywordNames are keywords of C.
var keywordNames = []string{"int", "char", "goto", "typeof", "_Bool", "unsigned", "inline"}

// An oddity is something that compilers do not write, or seldom.
type oddity int

const (
	oddNames      oddity = iota // few names, so that nearly all collide
	oddNumbers                  // ints and floats of odd sizes and encodings
	oddNarrow                   // pointers of 4 bytes
	oddVoid                     // members, elements, parameters of void
	oddArrays                   // of 0 and of 2^32-1 elements, of arrays, with odd indexes
	oddPlaces                   // members that overlap, lie outside, or in another order
	oddPacking                  // members that are not aligned
	oddSizes                    // records of other sizes than their members need
	oddGaps                     // of up to 2^29 bytes
	oddBitfields                // of bool, enums, typedefs, of all widths
	oddLegacy                   // bitfields in the encoding of ints
	oddQualifiers               // on everything
	oddPrototypes               // arrays and functions as parameters and results
	oddNesting                  // hundreds of pointers, prototypes, records
	oddEnums                    // of odd sizes, without values, of other values than fit
	oddValues                   // enumerators that are there already
	oddRecords                  // empty, and of a size without members
	oddForwards                 // by value, without a name
	oddUnnamed                  // members without a name, typedefs without a name
	oddFlexible                 // arrays without elements, anywhere
	oddTags                     // type tags and decl tags on everything
	oddKfuncs                   // functions of odd types
	numOddities
)

// randomType is a type that others can use.
type randomType struct {
	id          ID
	size, align uint64 // bytes; size is 0 where there is none
	bits        uint32 // of an integer or an enum: the most that a bitfield has
	sized       bool   // values of it can be members
}

type randomTypes struct {
	b       *Builder
	r       *rand.Rand
	names   []string
	odd     [numOddities]bool
	pointer uint64 // size in bytes

	values   []randomType // sized
	all      []ID         // that can be referred to, void included
	protos   []ID
	reserved []ID
	records  []ID
	count    int // of enumerators, for names of their own
}

// chance is true so many times out of a hundred.
func (g *randomTypes) chance(percent int) bool { return g.r.IntN(100) < percent }

// is is true so many times out of a hundred, if there is an oddity.
func (g *randomTypes) is(o oddity, percent int) bool { return g.odd[o] && g.chance(percent) }

func (g *randomTypes) pick(from ...uint64) uint64 { return from[g.r.IntN(len(from))] }

func (g *randomTypes) name() string {
	names := g.names
	if g.odd[oddNames] {
		names = names[:min(4, len(names))]
	}
	name := names[g.r.IntN(len(names))]
	if g.is(oddNames, 3) {
		return keywordNames[g.r.IntN(len(keywordNames))]
	}
	if !g.odd[oddNames] && g.chance(60) { // else most records had members of one name
		g.count++
		name += fmt.Sprint(g.count)
	}
	return name
}

// maybeNamed returns a name, or none.
func (g *randomTypes) maybeNamed(percent int) string {
	if g.chance(percent) {
		return g.name()
	}
	return ""
}

func (g *randomTypes) addValue(id ID, size, align uint64, bits uint32) {
	g.values = append(g.values, randomType{id: id, size: size, align: max(align, 1), bits: bits, sized: true})
	g.all = append(g.all, id)
}

func (g *randomTypes) value() randomType {
	if n := len(g.values); n > 8 && g.chance(50) {
		return g.values[n-1-g.r.IntN(4)]
	}
	return g.values[g.r.IntN(len(g.values))]
}

// any returns a type that may be no value's.
func (g *randomTypes) any() ID {
	if len(g.reserved) > 0 && g.chance(15) {
		return g.reserved[g.r.IntN(len(g.reserved))]
	}
	if n := len(g.all); g.chance(50) {
		return g.all[n-1-g.r.IntN(min(n, 5))]
	}
	return g.all[g.r.IntN(len(g.all))]
}

func (g *randomTypes) build() {
	g.all = append(g.all, Void)
	if g.odd[oddNarrow] {
		g.pointer = 4
		g.addValue(g.b.Int("long unsigned int", 4, Unsigned), 4, 4, 32)
	} else if g.chance(60) {
		g.addValue(g.b.Int("long unsigned int", 8, Unsigned), 8, 8, 64)
	}
	g.addValue(g.b.Int("int", 4, Signed), 4, 4, 32)
	g.more()
}

// more adds types that can be of those that there are.
func (g *randomTypes) more() {
	for range g.r.IntN(3) {
		g.reserved = append(g.reserved, g.b.Reserve())
	}
	for range 1 + g.r.IntN(40) {
		g.addType()
	}
	for _, id := range g.reserved {
		g.define(id)
	}
	for range g.r.IntN(3) {
		g.variables()
	}
}

// define fills in a type that others refer to already.
func (g *randomTypes) define(id ID) {
	switch b := g.b.At(id); {
	case g.chance(70):
		g.record(b, g.maybeNamed(80))
	case g.chance(50):
		b.Typedef(g.name(), g.any())
	default:
		g.prototype(b)
	}
}

func (g *randomTypes) addType() {
	switch n := g.r.IntN(100); {
	case n < 10:
		g.number()
	case n < 17:
		g.addValue(g.b.Ptr(g.any()), g.pointer, g.pointer, 0)
	case n < 24:
		g.array()
	case n < 50:
		g.record(g.b, g.maybeNamed(60))
	case n < 60:
		g.enum()
	case n < 70:
		g.typedef()
	case n < 77:
		g.qualifier()
	case n < 83:
		id := g.prototype(g.b)
		g.addValue(g.b.Ptr(id), g.pointer, g.pointer, 0)
	case n < 87:
		g.forward()
	case n < 91:
		g.function()
	case n < 95:
		g.tag()
	default:
		g.nesting()
	}
}

// ints are what compilers write.
var randomInts = []struct {
	name     string
	size     uint32
	encoding uint32
}{
	{"char", 1, Signed}, {"unsigned char", 1, 0}, {"_Bool", 1, Bool}, {"short", 2, Signed}, {"unsigned int", 4, 0},
	{"long long int", 8, Signed}, {"__int128", 16, Signed}, {"__int128 unsigned", 16, 0}, {"char", 1, Char},
}

func (g *randomTypes) number() {
	if g.is(oddNumbers, 60) {
		size := uint32(g.pick(0, 1, 2, 3, 4, 8, 12, 16))
		name := g.maybeNamed(90)
		if g.chance(30) {
			name = randomInts[g.r.IntN(len(randomInts))].name
		}
		if g.chance(25) {
			size = uint32(g.pick(2, 4, 8, 12, 16))
			g.addValue(g.b.Float(name, size), uint64(size), uint64(size&-size), 0)
			return
		}
		bits := min(8*size, 128)
		offset := uint32(0)
		if g.chance(30) && bits > 0 {
			bits = g.r.Uint32N(bits + 1)
			offset = g.r.Uint32N(min(8*size-bits+1, 255))
		}
		g.addValue(g.b.IntBits(name, size, g.r.Uint32N(8), offset, bits), uint64(size), uint64(size&-size), 8*size)
		return
	}
	if g.chance(10) {
		size := g.pick(4, 8)
		g.addValue(g.b.Float(map[uint64]string{4: "float", 8: "double"}[size], uint32(size)), size, size, 0)
		return
	}
	i := randomInts[g.r.IntN(len(randomInts))]
	bits := 8 * i.size
	if i.encoding == Bool {
		bits = 1
	}
	g.addValue(g.b.Int(i.name, i.size, i.encoding), uint64(i.size), uint64(i.size), bits)
}

func (g *randomTypes) array() {
	elem := g.value()
	id := elem.id
	if g.is(oddVoid, 20) || g.is(oddForwards, 20) || g.is(oddPrototypes, 10) {
		id = g.any()
	}
	n := uint64(1 + g.r.IntN(5))
	switch {
	case g.is(oddArrays, 40):
		n = g.pick(0, 1, 1<<16, 1<<29, 1<<31, 1<<32-1)
	case g.is(oddFlexible, 40):
		n = 0
	}
	index := g.values[0].id
	if g.is(oddArrays, 30) {
		index = g.any()
	}
	size := n * elem.size
	if size > 1<<40 {
		size = 1 << 40
	}
	g.addValue(g.b.Array(id, index, uint32(n)), size, elem.align, 0)
}

func (g *randomTypes) typedef() {
	name := g.name()
	if g.is(oddUnnamed, 15) {
		name = ""
	}
	if g.chance(40) {
		g.all = append(g.all, g.b.Typedef(name, g.any()))
		return
	}
	t := g.value()
	g.addValue(g.b.Typedef(name, t.id), t.size, t.align, t.bits)
}

func (g *randomTypes) qualify(id ID) ID {
	switch n := g.r.IntN(10); {
	case n < 4:
		return g.b.Const(id)
	case n < 7:
		return g.b.Volatile(id)
	case n < 8 || g.odd[oddQualifiers]:
		return g.b.Restrict(id)
	}
	return g.b.TypeTag("rcu", id)
}

func (g *randomTypes) qualifier() {
	if g.chance(40) {
		g.all = append(g.all, g.qualify(g.any()))
		return
	}
	t := g.value()
	g.addValue(g.qualify(t.id), t.size, t.align, t.bits)
}

func (g *randomTypes) prototype(b *Builder) ID {
	param := func() ID {
		if g.odd[oddPrototypes] || g.is(oddVoid, 20) {
			return g.any()
		}
		return g.value().id
	}
	result := Void
	if g.chance(60) {
		result = param()
	}
	var params []Param
	for range g.r.IntN(4) {
		params = append(params, Arg(g.maybeNamed(60), param()))
	}
	if g.chance(15) {
		params = append(params, Variadic())
	}
	id := b.FuncProto(result, params...)
	g.protos = append(g.protos, id)
	if b == g.b {
		g.all = append(g.all, id)
	}
	return id
}

func (g *randomTypes) forward() {
	name := g.name()
	if g.is(oddForwards, 10) {
		name = ""
	}
	id := g.b.simple(KindFwd, name, 0, g.chance(30), 0)
	if g.is(oddForwards, 15) {
		g.addValue(id, 0, 1, 0)
		return
	}
	g.all = append(g.all, id)
}

func (g *randomTypes) function() {
	if len(g.protos) == 0 || !g.odd[oddKfuncs] && g.chance(70) {
		g.prototype(g.b)
	}
	g.count++
	id := g.b.Func(fmt.Sprint("bpf_", g.count), g.protos[g.r.IntN(len(g.protos))], g.r.IntN(2))
	if g.chance(70) {
		g.b.DeclTag("bpf_kfunc", id, -1)
	}
	if g.chance(10) {
		g.b.DeclTag("bpf_fastcall", id, -1)
	}
}

func (g *randomTypes) tag() {
	if len(g.records) > 0 && g.chance(30) {
		g.b.DeclTag(g.name(), g.records[g.r.IntN(len(g.records))], -1)
		return
	}
	t := g.value()
	if g.odd[oddTags] {
		id := g.any()
		if g.chance(50) {
			id = g.b.TypeAttr("address_space(1)", id)
		}
		g.all = append(g.all, g.b.TypeTag("user", id))
		return
	}
	id := g.b.Ptr(g.b.TypeTag("percpu", t.id))
	g.addValue(id, g.pointer, g.pointer, 0)
}

// nesting adds a long chain of one kind.
func (g *randomTypes) nesting() {
	if !g.odd[oddNesting] {
		return
	}
	n := int(g.pick(2, 5, 60, 110, 119, 125, 260, 300))
	t := g.value()
	id := t.id
	switch g.r.IntN(5) {
	case 0:
		for range n {
			id = g.b.Ptr(id)
		}
		g.addValue(id, g.pointer, g.pointer, 0)
	case 1:
		for range n {
			id = g.b.Ptr(g.b.FuncProto(Void, Arg("", id)))
		}
		g.addValue(id, g.pointer, g.pointer, 0)
	case 2:
		for range n {
			id = g.b.Ptr(g.b.FuncProto(id))
		}
		g.addValue(id, g.pointer, g.pointer, 0)
	case 3:
		for range n {
			id = g.b.Struct("", uint32(t.size), Field(g.maybeNamed(30), id, 0))
		}
		g.addValue(id, t.size, t.align, 0)
	case 4:
		for range n {
			id = g.b.Ptr(g.b.Array(id, g.values[0].id, 1+g.r.Uint32N(3)))
		}
		g.addValue(id, g.pointer, g.pointer, 0)
	}
}

func (g *randomTypes) enum() {
	size := uint64(4)
	if g.chance(25) || g.odd[oddEnums] {
		size = g.pick(1, 2, 4, 8)
	}
	if g.is(oddEnums, 5) {
		size = g.pick(0, 3, 16)
	}
	kind64 := size == 8 && g.chance(70) || g.is(oddEnums, 20)
	signed := g.chance(40)
	n := 1 + g.r.IntN(4)
	if g.is(oddEnums, 25) {
		n = 0
	}
	var values []Enumerator
	for range n {
		name := g.name()
		if !g.odd[oddValues] {
			g.count++
			name = fmt.Sprint("E", g.count)
		}
		value := uint64(g.r.IntN(100))
		switch {
		case signed && g.chance(40):
			value = -value
		case g.is(oddEnums, 50):
			value = g.pick(127, 128, 255, 256, 1<<15, 1<<16-1, 1<<31-1, 1<<31, 1<<32-1, 1<<32, 1<<63-1, 1<<63, 1<<64-1, ^uint64(127), ^uint64(128), ^uint64(1<<31-1), ^uint64(1<<31))
		}
		values = append(values, Enumerator{Name: name, Value: value})
	}
	if g.is(oddValues, 20) && n > 0 {
		values = append(values, values[0])
	}
	name := g.maybeNamed(60)
	var id ID
	if kind64 {
		id = g.b.enum64(name, uint32(size), signed, values)
	} else {
		id = g.b.enum(name, uint32(size), signed, values)
	}
	g.addValue(id, size, size&-size, uint32(8*size))
}

// variables adds a variable and a section that holds it.
func (g *randomTypes) variables() {
	t := g.value()
	v := g.b.Var(g.name(), t.id, uint32(g.r.IntN(3)))
	if g.chance(50) {
		g.b.Datasec("."+g.name(), uint32(t.size), SecVar{v, 0, uint32(t.size)})
	}
}
