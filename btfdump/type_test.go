package btfdump_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// describe says in one line what every accessor that applies to t's kind
// returns. Accessors of other kinds must return zero.
func describe(t btfdump.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q", t.Kind(), t.Name())
	if t.KindFlag() {
		b.WriteString(" kflag")
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"size", int64(t.Size())}, {"ref", int64(t.Ref())}, {"vlen", int64(t.Vlen())},
		{"encoding", int64(t.IntEncoding())}, {"bits", int64(t.IntBits())}, {"bitoffset", int64(t.IntBitOffset())},
		{"len", int64(t.ArrayLen())}, {"index", int64(t.ArrayIndex())},
		{"component", int64(t.ComponentIndex())}, {"linkage", int64(t.Linkage())},
	} {
		if f.value != 0 {
			fmt.Fprintf(&b, " %s %d", f.name, f.value)
		}
	}
	if t.Signed() {
		b.WriteString(" signed")
	}
	for _, m := range t.Members() {
		fmt.Fprintf(&b, " [%s %d at %d:%d]", m.Name, m.Type, m.BitOffset, m.BitSize)
	}
	for _, p := range t.Params() {
		fmt.Fprintf(&b, " (%s %d)", p.Name, p.Type)
	}
	for _, e := range t.Enumerators() {
		fmt.Fprintf(&b, " %s=%#x", e.Name, e.Value)
	}
	for i := range t.NumSectionVars() {
		s := t.SectionVar(i)
		fmt.Fprintf(&b, " [%d at %d size %d]", s.Type, s.Offset, s.Size)
	}
	return b.String()
}

// legacyTypedef is a record of the sample whose legacy bitfield hides behind a
// typedef.
const legacyTypedef = "legacy_typedef"

// sample is BTF with every kind, and what each type must read as.
func sample(b *btftest.Builder) (want []string) {
	add := func(id btftest.ID, format string, args ...any) btftest.ID {
		if id != b.FirstID()+btftest.ID(len(want)) {
			panic(fmt.Sprintf("type %d comes after %d others", id, len(want)))
		}
		want = append(want, fmt.Sprintf(format, args...))
		return id
	}
	i32 := add(b.Int("int", 4, btftest.Signed), `int "int" size 4 encoding 1 bits 32 signed`)
	u32 := add(b.Int("unsigned int", 4, btftest.Unsigned), `int "unsigned int" size 4 bits 32`)
	add(b.Int("char", 1, btftest.Signed|btftest.Char), `int "char" size 1 encoding 3 bits 8 signed`)
	add(b.Int("_Bool", 1, btftest.Bool), `int "_Bool" size 1 encoding 4 bits 8`)
	add(b.Int("__int128", 16, btftest.Signed), `int "__int128" size 16 encoding 1 bits 128 signed`)
	b3 := add(b.IntBits("unsigned int", 4, 0, 5, 3), `int "unsigned int" size 4 bits 3 bitoffset 5`)
	add(b.Float("double", 8), `float "double" size 8`)
	node := b.Reserve()
	want = append(want, "")
	next := add(b.Ptr(node), `ptr "" ref %d`, node)
	b.At(node).Struct("node", 16, btftest.Field("next", next, 0), btftest.Field("val", i32, 64))
	want[node-b.FirstID()] = fmt.Sprintf(`struct "node" size 16 vlen 2 [next %d at 0:0] [val %d at 64:0]`, next, i32)
	add(b.Array(i32, u32, 7), `array "" ref %d len 7 index %d`, i32, u32)
	add(b.Array(i32, u32, 1<<32-1), `array "" ref %d len 4294967295 index %d`, i32, u32)
	s := add(b.Struct("bits", 8, btftest.Bitfield("a", i32, 0, 3), btftest.Bitfield("", i32, 3, 29), btftest.Field("b", i32, 32)),
		`struct "bits" kflag size 8 vlen 3 [a %d at 0:3] [ %d at 3:29] [b %d at 32:0]`, i32, i32, i32)
	t3 := add(b.Typedef("b3", b3), `typedef "b3" ref %d`, b3)
	add(b.Struct("legacy", 8, btftest.Field("a", b3, 0), btftest.Field("c", i32, 32)),
		`struct "legacy" size 8 vlen 2 [a %d at 5:3] [c %d at 32:0]`, b3, i32)
	add(b.Struct(legacyTypedef, 4, btftest.Field("a", t3, 8)), `struct "legacy_typedef" size 4 vlen 1 [a %d at 13:3]`, t3)
	add(b.StructFlagged("flagged", 4, btftest.Field("a", b3, 0)), `struct "flagged" kflag size 4 vlen 1 [a %d at 0:0]`, b3)
	u := add(b.Union("u", 8, btftest.Field("", s, 0), btftest.Field("x", u32, 0)),
		`union "u" size 8 vlen 2 [ %d at 0:0] [x %d at 0:0]`, s, u32)
	add(b.UnionFlagged("", 4), `union "" kflag size 4`)
	add(b.Struct("empty", 0), `struct "empty"`)
	add(b.Enum("e", 4, btftest.Val("A", 0), btftest.Val("B", uint32(1<<31))), `enum "e" size 4 vlen 2 A=0x0 B=0x80000000`)
	add(b.SignedEnum("se", 1, btftest.Val("M", -1)), `enum "se" kflag size 1 vlen 1 signed M=0xffffffffffffffff`)
	add(b.Enum("", 2), `enum "" size 2`)
	add(b.Enum64("e64", 8, btftest.Val("BIG", uint64(1<<63)), btftest.Val("LOW", 7)),
		`enum64 "e64" size 8 vlen 2 BIG=0x8000000000000000 LOW=0x7`)
	add(b.SignedEnum64("se64", 4, btftest.Val("MIN", int64(-1<<63))), `enum64 "se64" kflag size 4 vlen 1 signed MIN=0x8000000000000000`)
	add(b.FwdStruct("fs"), `fwd "fs"`)
	add(b.FwdUnion("fu"), `fwd "fu" kflag`)
	td := add(b.Typedef("t", u), `typedef "t" ref %d`, u)
	add(b.Volatile(i32), `volatile "" ref %d`, i32)
	add(b.Const(btftest.Void), `const ""`)
	add(b.Restrict(next), `restrict "" ref %d`, next)
	proto := add(b.FuncProto(i32, btftest.Arg("fmt", next), btftest.Variadic()),
		`func_proto "" ref %d vlen 2 (fmt %d) ( 0)`, i32, next)
	add(b.FuncProto(btftest.Void), `func_proto ""`)
	fn := add(b.Func("printf", proto, btftest.Extern), `func "printf" ref %d vlen 2 linkage 2`, proto)
	add(b.Func("local", proto, btftest.Static), `func "local" ref %d`, proto)
	v := add(b.Var("jiffies", u32, btftest.Global), `var "jiffies" ref %d linkage 1`, u32)
	add(b.Datasec(".data", 64, btftest.SecVar{Type: v, Offset: 8, Size: 4}, btftest.SecVar{Type: fn}),
		`datasec ".data" size 64 vlen 2 [%d at 8 size 4] [%d at 0 size 0]`, v, fn)
	add(b.DeclTag("rec", u, -1), `decl_tag "rec" ref %d component -1`, u)
	add(b.DeclTag("member", u, 1), `decl_tag "member" ref %d component 1`, u)
	add(b.DeclTag("arg", fn, 0), `decl_tag "arg" ref %d`, fn)
	add(b.DeclAttr("aligned(8)", td, -1), `decl_tag "aligned(8)" kflag ref %d component -1`, td)
	add(b.TypeTag("rcu", i32), `type_tag "rcu" ref %d`, i32)
	add(b.TypeAttr("address_space(1)", i32), `type_tag "address_space(1)" kflag ref %d`, i32)
	return want
}

// bothOrders runs a test on an empty builder of each byte order.
func bothOrders(t *testing.T, test func(t *testing.T, b *btftest.Builder)) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			b := btftest.New()
			b.Order = order
			test(t, b)
		})
	}
}

func mustNew(t testing.TB, raw []byte) *btfdump.View {
	t.Helper()
	v, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustSplit(t testing.TB, raw []byte, base *btfdump.View) *btfdump.View {
	t.Helper()
	v, err := btfdump.NewSplit(raw, base)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func compare(t *testing.T, v *btfdump.View, first btfdump.TypeID, want []string) {
	t.Helper()
	if err := walk(v); err != nil {
		t.Error(err)
	}
	if got := v.NumTypes() - int(first); got < len(want) {
		t.Fatalf("%d types from %d on, want %d", got, first, len(want))
	}
	for i, line := range want {
		if got := describe(v.Type(first + btfdump.TypeID(i))); got != line {
			t.Errorf("type %d reads\n %s\nwant\n %s", int(first)+i, got, line)
		}
	}
}

func TestEveryKind(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		want := sample(b)
		v := mustNew(t, b.Bytes())
		compare(t, v, 1, want)
		if got := v.NumTypes(); got != len(want)+1 {
			t.Errorf("NumTypes is %d, want %d", got, len(want)+1)
		}
		if fmt.Sprint(v.ByteOrder()) != fmt.Sprint(b.Order) {
			t.Errorf("byte order is %v", v.ByteOrder())
		}
		seen := map[btfdump.Kind]bool{}
		for typ := range v.All() {
			seen[typ.Kind()] = true
		}
		for k := btfdump.KindInt; k <= btfdump.KindEnum64; k++ {
			if !seen[k] {
				t.Errorf("the sample has no %s", k)
			}
		}
	})
}

func TestKindString(t *testing.T) {
	for k, want := range map[btfdump.Kind]string{
		btfdump.KindVoid: "void", btfdump.KindInt: "int", btfdump.KindFuncProto: "func_proto",
		btfdump.KindTypeTag: "type_tag", btfdump.KindEnum64: "enum64", 20: "kind 20", 127: "kind 127",
	} {
		if got := k.String(); got != want {
			t.Errorf("%d: %q, want %q", uint8(k), got, want)
		}
	}
}

func TestElementsPastTheEndPanicOrAreAbsent(t *testing.T) {
	b := btftest.New()
	b.Int("int", 4, 1)
	v := mustNew(t, b.Bytes())
	typ := v.Type(1)
	if typ.NumMembers()+typ.NumParams()+typ.NumEnumerators()+typ.NumSectionVars() != 0 {
		t.Error("an int has elements")
	}
	defer func() {
		if recover() == nil {
			t.Error("Type past NumTypes did not panic")
		}
	}()
	v.Type(2)
}

func TestResolveAndSizeOf(t *testing.T) {
	b := btftest.New()
	u64 := b.Int("long unsigned int", 8, 0)
	i16 := b.Int("short", 2, 1)
	td := b.Typedef("t", b.Const(b.Volatile(b.TypeTag("x", b.Typedef("inner", i16)))))
	array := b.Array(b.Typedef("row", b.Array(td, u64, 5)), u64, 3)
	ptr := b.Ptr(td)
	ptrs := b.Array(ptr, u64, 4)
	huge := b.Array(b.Array(b.Array(u64, u64, 1<<32-1), u64, 1<<32-1), u64, 1<<32-1)
	flex := b.Array(i16, u64, 0)
	fwd := b.FwdStruct("f")
	tdVoid := b.Typedef("v", btftest.Void)
	v := mustNew(t, b.Bytes())
	for _, c := range []struct {
		id, resolved btftest.ID
		size         uint64
	}{
		{td, i16, 2}, {array, array, 30}, {ptr, ptr, 8}, {ptrs, ptrs, 32}, {huge, huge, 1<<64 - 1},
		{flex, flex, 0}, {fwd, fwd, 0}, {tdVoid, 0, 0}, {0, 0, 0},
	} {
		if got := v.Resolve(btfdump.TypeID(c.id)); got != btfdump.TypeID(c.resolved) {
			t.Errorf("type %d resolves to %d, want %d", c.id, got, c.resolved)
		}
		if got := v.SizeOf(btfdump.TypeID(c.id)); got != c.size {
			t.Errorf("size of type %d is %d, want %d", c.id, got, c.size)
		}
	}
}

func TestPointerSize(t *testing.T) {
	for _, c := range []struct {
		name string
		size uint32
		want int
	}{
		{"long unsigned int", 4, 4}, {"long int", 4, 4}, {"unsigned long", 4, 4}, {"long", 4, 4},
		{"long int", 8, 8}, {"int", 4, 8}, {"long long int", 8, 8}, {"long int", 2, 8},
	} {
		b := btftest.New()
		p := b.Ptr(b.Int(c.name, c.size, 0))
		v := mustNew(t, b.Bytes())
		if got := v.PointerSize(); got != c.want {
			t.Errorf("%s of %d bytes: pointer size %d, want %d", c.name, c.size, got, c.want)
		}
		if got := v.SizeOf(btfdump.TypeID(p)); got != uint64(c.want) {
			t.Errorf("%s of %d bytes: a pointer's SizeOf is %d, want %d", c.name, c.size, got, c.want)
		}
	}
}

func TestSet(t *testing.T) {
	b := btftest.New()
	for i := range 200 {
		b.Int(fmt.Sprintf("i%d", i), 4, 0)
	}
	set := mustNew(t, b.Bytes()).NewSet()
	want := []btfdump.TypeID{0, 1, 63, 64, 65, 127, 128, 200}
	for _, id := range []btfdump.TypeID{200, 64, 0, 65, 63, 128, 127, 1} {
		if set.Has(id) || !set.Add(id) || set.Add(id) || !set.Has(id) {
			t.Errorf("adding %d", id)
		}
	}
	if got := slices.Collect(set.All()); !slices.Equal(got, want) || set.Len() != len(want) {
		t.Errorf("set holds %v (%d), want %v", got, set.Len(), want)
	}
	for id := range set.All() {
		if id == 63 {
			break // an iterator that goes on after this panics
		}
	}
}
