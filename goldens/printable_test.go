package goldens_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// rust adds types as rustc 1.95 has LLVM write them: members as they were
// declared and not as they lie, an enum's variants in a union beside the
// number that tells them apart, generic types with their parameters in the name.
func rust(b *btftest.Builder) {
	u8, u16, u64 := b.Int("u8", 1, 0), b.Int("u16", 2, 0), b.Int("u64", 8, 0)
	none := b.Struct("None", 4)
	some := b.Struct("Some", 4, btftest.Field("__0", u16, 16))
	opt := b.Struct("Option<u16>", 4, btftest.Field("", b.Union("", 4, btftest.Field("", u16, 0), btftest.Field("None", none, 0), btftest.Field("Some", some, 0)), 0))
	str := b.Struct("&str", 16, btftest.Field("data_ptr", b.Ptr(u8), 0), btftest.Field("length", b.Int("usize", 8, 0), 64))
	node := b.Reserve()
	next := b.Struct("Option<alloc::boxed::Box<l::Node<u8>>>", 8, btftest.Field("Some", b.Ptr(node), 0))
	b.At(node).Struct("Node<u8>", 48, btftest.Field("v", u8, 320), btftest.Field("next", next, 256), btftest.Field("s", str, 0), btftest.Field("big", b.Int("u128", 16, 0), 128))
	call := b.Ptr(b.FuncProto(opt, btftest.Arg("", node)))
	b.Struct("P", 96, btftest.Field("a", u8, 632), btftest.Field("b", u64, 0), btftest.Field("f", call, 64), btftest.Field("arr", b.Array(opt, u64, 3), 512),
		btftest.Field("node", node, 128), btftest.Field("list", b.Ptr(node), 640), btftest.Field("tuple", b.Struct("(u8, u16)", 4, btftest.Field("__0", u8, 16), btftest.Field("__1", u16, 0)), 704))
	b.Typedef("Alias<u8>", node)
	b.Struct("uses", 8, btftest.Field("p", b.Ptr(b.Typedef("alias", node)), 0))
	b.Struct("x87", 48, btftest.Field("last", u8, 256), btftest.Field("f", b.Array(b.Float("long double", 12), u64, 2), 0), btftest.Field("p", b.Ptr(u64), 320))
}

// What C can express of types that it can't is what the types say.
func TestPrintableHolds(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		t.Run(order.String(), func(t *testing.T) {
			b := btftest.New()
			b.Order = order
			rust(b)
			base := b.Bytes()
			m := b.Split()
			m.Struct("module", 8, btftest.Field("o", m.Struct("Of<u8>", 4, btftest.Field("a", 1, 0)), 32), btftest.Field("goto", 2, 16))
			v := readView(t, base, m.Bytes())
			view, left, err := cgen.Printable(v)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != 9 {
				t.Errorf("left out: %q", left)
			}
			_, text := header(t, view, cgen.Options{})
			compileEverywhere(t, view, text, "")
			if n := mustHold(t, view, text).Counts; n.Records != 6 || n.Members != 12 {
				t.Errorf("compared: %+v\n%s", n, text)
			}
			for seed := range uint64(2) {
				shuffled := readView(t, btftest.Shuffle(base, seed))
				plain, _, err := cgen.Printable(readView(t, base))
				if err != nil {
					t.Fatal(err)
				}
				_, want := header(t, plain, cgen.Options{})
				if shuffled, _, err = cgen.Printable(shuffled); err != nil {
					t.Fatal(err)
				}
				if _, got := header(t, shuffled, cgen.Options{}); got != want {
					t.Errorf("the header depends on type IDs: %s", firstDifference(got, want))
				}
			}
		})
	}
}

// Random types, some of whose names C can't have, and whose members stand in
// any order.
func TestSpoiltTypesHold(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			source := clangtest.RandomTypes(r)
			raw := spoil(clangtest.Newest(t).BTF(t, source, "bpfel", "-w"), r)
			view, left, err := cgen.Printable(readView(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				t.Error("nothing is left out")
			}
			_, text := header(t, view, cgen.Options{NoProvenance: true})
			compileEverywhere(t, view, text, "")
			if mustHold(t, view, text).Counts.Records == 0 {
				t.Error("no record was compared")
			}
			if t.Failed() {
				t.Logf("%s\n%s", source, text)
			}
		})
	}
}

// spoil makes some names of little-endian BTF no C identifiers, and moves the
// last member of each struct to the front.
func spoil(raw []byte, r *rand.Rand) []byte {
	raw = slices.Clone(raw)
	word := func(at int) int { return int(binary.LittleEndian.Uint32(raw[at:])) }
	head := word(4)
	types := raw[head+word(8):][:word(12)]
	strs := raw[head+word(16):][:word(20)]
	for i := 1; i+1 < len(strs); i++ {
		if strs[i-1] == 0 && strs[i] != 0 && r.IntN(6) == 0 {
			strs[i] = '<'
		}
	}
	info := map[int]int{btftest.KindInt: 4, btftest.KindArray: 12, btftest.KindVar: 4, btftest.KindDeclTag: 4}
	elem := map[int]int{btftest.KindStruct: 12, btftest.KindUnion: 12, btftest.KindEnum: 8, btftest.KindEnum64: 12, btftest.KindFuncProto: 8, btftest.KindDatasec: 12}
	for len(types) > 0 {
		word := int(binary.LittleEndian.Uint32(types[4:]))
		kind, vlen := word>>24&0x7f, word&0xffffff
		size := 12 + info[kind]
		if kind == btftest.KindStruct && vlen > 1 {
			members := types[12:][:12*vlen]
			last := slices.Clone(members[12*(vlen-1):])
			copy(members[12:], members)
			copy(members, last)
		}
		types = types[size+elem[kind]*vlen:]
	}
	return raw
}
