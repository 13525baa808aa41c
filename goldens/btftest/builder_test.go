package btftest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// everyKind builds each kind at least once and says what each ID must read as.
func everyKind(b *btftest.Builder) []string {
	var want []string
	add := func(id btftest.ID, format string, args ...any) btftest.ID {
		if int(id) != len(want)+1 {
			panic(fmt.Sprintf("type %d comes after %d", id, len(want)))
		}
		want = append(want, fmt.Sprintf(format, args...))
		return id
	}
	i32 := add(b.Int("int", 4, btftest.Signed), "int int size 4 encoding 1")
	u32 := add(b.Int("unsigned int", 4, btftest.Unsigned), "int unsigned int size 4 encoding 0")
	add(b.Int("char", 1, btftest.Signed|btftest.Char), "int char size 1 encoding 3")
	add(b.Int("_Bool", 1, btftest.Bool), "int _Bool size 1 encoding 4")
	b3 := add(b.IntBits("unsigned int", 4, 0, 5, 3), "int unsigned int size 4 encoding 0")
	add(b.Float("double", 8), "float double size 8")
	node := b.Reserve()
	want = append(want, "")
	next := add(b.Ptr(node), "ptr %d", node)
	b.At(node).Struct("node", 16, btftest.Field("next", next, 0), btftest.Field("val", i32, 64))
	want[node-1] = fmt.Sprintf("struct node size 16 [next %d at 0:0] [val %d at 64:0]", next, i32)
	add(b.Array(i32, u32, 7), "array %d index %d of 7", i32, u32)
	s := add(b.Struct("bits", 4, btftest.Bitfield("a", i32, 0, 3), btftest.Field("b", i32, 32)),
		"struct bits size 4 [a %d at 0:3] [b %d at 32:0]", i32, i32)
	add(b.Struct("legacy", 4, btftest.Field("a", b3, 0)), "struct legacy size 4 [a %d at 5:3]", b3)
	add(b.StructFlagged("flagged", 4, btftest.Field("a", u32, 0)), "struct flagged size 4 [a %d at 0:0]", u32)
	u := add(b.Union("u", 4, btftest.Field("", s, 0), btftest.Field("x", u32, 0)),
		"union u size 4 [ %d at 0:0] [x %d at 0:0 tags [\"member\"]] tags [\"rec\"]", s, u32)
	add(b.UnionFlagged("", 4), "union  size 4")
	add(b.Enum("e", 4, btftest.Val("A", 0), btftest.Val("B", uint32(1<<31))), "enum e size 4 signed false A=0x0 B=0x80000000")
	add(b.SignedEnum("se", 1, btftest.Val("M", -1)), "enum se size 1 signed true M=0xffffffffffffffff")
	add(b.Enum64("e64", 8, btftest.Val("BIG", uint64(1<<63))), "enum e64 size 8 signed false BIG=0x8000000000000000")
	add(b.SignedEnum64("se64", 8, btftest.Val("MIN", int64(-1<<63))), "enum se64 size 8 signed true MIN=0x8000000000000000")
	add(b.FwdStruct("fs"), "fwd struct fs")
	add(b.FwdUnion("fu"), "fwd union fu")
	add(b.Typedef("t", u), "typedef t %d tags [\"td\"]", u)
	add(b.Volatile(i32), "volatile %d", i32)
	add(b.Const(i32), "const %d", i32)
	add(b.Restrict(next), "restrict %d", next)
	proto := add(b.FuncProto(i32, btftest.Arg("fmt", next), btftest.Variadic()),
		"func_proto %d (fmt %d) ( 0)", i32, next)
	fn := add(b.Func("printf", proto, btftest.Global), "func printf %d linkage 1 param 0 tags [\"arg\"] param 1", proto)
	v := add(b.Var("jiffies", u32, btftest.Extern), "var jiffies %d linkage 2", u32)
	add(b.Datasec(".data", 64, btftest.SecVar{Type: v, Offset: 8, Size: 4}), "datasec .data size 64 [%d at 8 size 4]", v)
	for _, tag := range []btftest.ID{
		b.DeclTag("rec", u, -1), b.DeclTag("member", u, 1), b.DeclTag("arg", fn, 0), b.DeclAttr("td", u+8, -1),
	} {
		add(tag, "*btf.declTag")
	}
	add(b.TypeTag("rcu", i32), "type_tag rcu %d", i32)
	add(b.TypeAttr("address_space(1)", i32), "type_tag address_space(1) %d", i32)
	return want
}

func TestEveryKindReadsBack(t *testing.T) {
	orders := []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}
	shapes := []struct {
		name  string
		shape func(b *btftest.Builder)
	}{
		{"header of 24 bytes", func(b *btftest.Builder) {}},
		{"header of 28 bytes", func(b *btftest.Builder) { b.HeaderLen = 28 }},
		{"header of 32 bytes", func(b *btftest.Builder) { b.HeaderLen = 32 }},
		{"header of 48 bytes", func(b *btftest.Builder) { b.HeaderLen = 48 }},
		{"layout between", func(b *btftest.Builder) { b.HeaderLen, b.Layout = 32, btftest.StandardLayout() }},
		{"layout last", func(b *btftest.Builder) {
			b.HeaderLen, b.Layout, b.LayoutLast = 40, btftest.StandardLayout(), true
		}},
	}
	for _, order := range orders {
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%v/%s", order, shape.name), func(t *testing.T) {
				b := btftest.New()
				b.Order = order
				shape.shape(b)
				want := everyKind(b)
				spec := parse(t, b.Bytes(), nil)
				for i, line := range want {
					id := btftest.ID(i + 1)
					if got := describe(t, spec, id); got != line {
						t.Errorf("type %d reads\n %s\nwant\n %s", id, got, line)
					}
				}
			})
		}
	}
}

func TestSplitGoesOnFromItsBase(t *testing.T) {
	base := btftest.New()
	u32 := base.Int("unsigned int", 4, 0)
	split := base.Split()
	if split.FirstID() != u32+1 {
		t.Fatalf("first ID is %d, want %d", split.FirstID(), u32+1)
	}
	own := split.Struct("own", 8, btftest.Field("unsigned int", u32, 0), btftest.Field("fresh", u32, 32))
	spec := parse(t, split.Bytes(), parse(t, base.Bytes(), nil))
	want := "struct own size 8 [unsigned int 1 at 0:0] [fresh 1 at 32:0]"
	if got := describe(t, spec, own); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	raw := split.Bytes()
	if !bytes.Contains(raw, []byte("fresh\x00")) || bytes.Contains(raw, []byte("unsigned int\x00")) {
		t.Error("split BTF must hold the strings that its base lacks, and no others")
	}
	// cilium/ebpf reads no split on split: check what the next level starts from.
	third := split.Split()
	if third.FirstID() != own+1 {
		t.Errorf("third level starts at %d, want %d", third.FirstID(), own+1)
	}
	baseStrings, splitStrings := len("\x00unsigned int\x00"), len("own\x00fresh\x00")
	if got, want := third.Str("new"), uint32(baseStrings+splitStrings); got != want {
		t.Errorf("third level's first string is at %d, want %d", got, want)
	}
	if got, want := third.Str("fresh"), uint32(baseStrings); got != want {
		t.Errorf("the second level's first string is at %d, want %d", got, want)
	}
}

// The raw escape hatches are for BTF that no other reader takes, so these
// compare bytes.
func TestRawBytes(t *testing.T) {
	b := btftest.New()
	b.Order = binary.BigEndian
	b.HeaderLen = 32
	b.Layout = []btftest.LayoutEntry{{}, {InfoSize: 4, ElemSize: 8, Flags: 0x102}}
	unknown := b.Raw(100, "", 1<<16, true, 5, 6, 7)
	b.RawWords(1, 2, 3)
	b.RawBytes([]byte{0xaa})
	b.Poke(unknown, 3, 0xdead)
	off := b.RawString([]byte("x\n"))
	if off != 1 {
		t.Errorf("raw string at %d, want 1", off)
	}
	b.EditHeader(func(h *btftest.Header) { h.Flags = 9; h.StringLen += 100 })
	want := []byte{
		0xeb, 0x9f, 1, 9, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 33, 0, 0, 0, 41, 0, 0, 0, 103, 0, 0, 0, 33, 0, 0, 0, 8,
		0, 0, 0, 0, 0xe4, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0xde, 0xad, 0, 0, 0, 7,
		0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3,
		0xaa,
		0, 0, 0, 0, 4, 8, 1, 2,
		0, 'x', '\n',
	}
	if got := b.Bytes(); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
	b.ClearStrings()
	if got := b.Bytes(); !bytes.Equal(got[32:], want[32:len(want)-3]) {
		t.Errorf("without strings: % x", got)
	}
}

func TestMisusePanics(t *testing.T) {
	for name, misuse := range map[string]func(b *btftest.Builder){
		"reserved, not defined": func(b *btftest.Builder) { b.Reserve(); b.Bytes() },
		"defined twice":         func(b *btftest.Builder) { b.At(b.Int("int", 4, 1)) },
		"At without a type":     func(b *btftest.Builder) { b.At(b.Reserve()); b.Bytes() },
		"two types for one At":  func(b *btftest.Builder) { at := b.At(b.Reserve()); at.Ptr(0); at.Ptr(0) },
		"layout, short header":  func(b *btftest.Builder) { b.Layout = btftest.StandardLayout(); b.Bytes() },
		"another builder's ID":  func(b *btftest.Builder) { b.At(9) },
		"bitfield too wide":     func(b *btftest.Builder) { b.Struct("s", 4, btftest.Bitfield("a", 1, 0, 256)) },
		"too many elements":     func(b *btftest.Builder) { b.Raw(4, "", 1<<24, false, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(btftest.New())
		})
	}
}
