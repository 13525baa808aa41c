package cgen_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// sample adds at least one of all that a header can declare.
func sample(b *btftest.Builder) {
	i32 := b.Int("int", 4, btftest.Signed)
	u64 := b.Int("long unsigned int", 8, btftest.Unsigned)
	char := b.Int("char", 1, btftest.Char)
	b.Typedef("bool", b.Int("_Bool", 1, btftest.Bool))
	b.Enum("", 4, btftest.Val("false", 0), btftest.Val("true", 1))
	b.Typedef("wchar_t", b.Int("short unsigned int", 2, btftest.Unsigned))
	mode := b.Enum("mode", 4, btftest.Val("A", 0), btftest.Val("B", uint32(7)))
	b.SignedEnum64("wide", 8, btftest.Val("A", int64(-1<<63)), btftest.Val("int", int64(1)))
	b.Enum("none", 1)
	node := b.Reserve()
	link := b.Ptr(b.TypeTag("rcu", node))
	b.At(node).Struct("node", 16, btftest.Field("next", link, 0), btftest.Field("class", b.Ptr(b.Const(char)), 64))
	b.Struct("node", 8, btftest.Field("other", u64, 0))
	b.FwdUnion("node")
	anon := b.Union("", 8, btftest.Field("a", i32, 0), btftest.Field("b", u64, 0))
	b.Struct("outer", 40, btftest.Field("", b.Const(anon), 0), btftest.Field("n", node, 64),
		btftest.Field("e", b.Enum("", 4, btftest.Val("C", 3)), 192), btftest.Bitfield("bits", i32, 227, 5), btftest.Field("mode", mode, 256))
	b.Struct("odd", 7, btftest.Field("bool", i32, 8))
	callback := b.Ptr(b.FuncProto(b.Ptr(b.Volatile(b.FuncProto(btftest.Void))), btftest.Arg("outer", b.Ptr(b.FwdStruct("far"))), btftest.Variadic()))
	table := b.Typedef("table", b.Array(b.Array(callback, i32, 2), i32, 3))
	b.Typedef("tagged", b.Ptr(b.TypeAttr("address_space(1)", table)))
	f := b.Func("bpf_sample", b.FuncProto(b.Restrict(link), btftest.Arg("n", link), btftest.Arg("n", i32)), btftest.Static)
	b.DeclTag("bpf_kfunc", f, -1)
	b.DeclTag("bpf_fastcall", f, -1)
}

// expansion adds records that print as 2^levels lines.
func expansion(b *btftest.Builder, levels int) {
	id := b.Int("char", 1, btftest.Char)
	for range levels {
		p := b.Ptr(id)
		id = b.Struct("", 16, btftest.Field("a", p, 0), btftest.Field("b", p, 64))
	}
	b.Struct("outer", 8, btftest.Field("all", b.Ptr(id), 0))
}

// split returns the types and the strings of a little-endian blob.
func split(raw []byte) (types, strings []byte) {
	section := func(at int) []byte {
		off, n := binary.LittleEndian.Uint32(raw[at:]), binary.LittleEndian.Uint32(raw[at+4:])
		return raw[24+off:][:n]
	}
	return section(8), section(16)
}

// withHeader makes a blob of types and strings.
func withHeader(types, strings []byte) []byte {
	types = types[:len(types)&^3]
	raw := []byte{0x9f, 0xeb, 1, 0}
	for _, n := range []int{24, 0, len(types), len(types), len(strings)} {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(n))
	}
	return append(append(raw, types...), strings...)
}

// FuzzHeader makes headers of any bytes: of all types, with kfuncs and
// without, and of those that a pattern selects. Bytes that do not start as a
// blob does are taken as types that lack a header and strings, since a header
// rarely survives when bytes come or go.
func FuzzHeader(f *testing.F) {
	add := func(build func(*btftest.Builder), patterns ...string) {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			b := btftest.New()
			b.Order = order
			build(b)
			for _, p := range patterns {
				f.Add(b.Bytes(), p)
			}
		}
	}
	add(sample, "*", "outer", "func bpf_*", "struct node")
	add(func(b *btftest.Builder) { expansion(b, 5) }, "outer")
	add(func(b *btftest.Builder) { expansion(b, 30) }, "")
	for _, c := range hostile {
		add(c.build, "*")
	}
	for seed := range uint64(30) {
		f.Add(btftest.Random(rand.New(rand.NewPCG(seed, 13)), nil), "*")
	}
	f.Add(btftest.Corpus(f, "btf_testmod.distilled-base"), "task_*")
	b := btftest.New()
	sample(b)
	types, strings := split(b.Bytes())
	f.Add(types, "*")
	f.Fuzz(func(t *testing.T, raw []byte, pattern string) {
		if !bytes.HasPrefix(raw, []byte{0x9f, 0xeb}) && !bytes.HasPrefix(raw, []byte{0xeb, 0x9f}) {
			raw = withHeader(raw, strings)
		}
		v, err := btfdump.New(raw)
		if err != nil {
			return
		}
		sets := []*btfdump.Set{nil}
		if roots, err := v.Match(pattern); err == nil && len(roots) > 0 {
			sets = append(sets, v.Closure(roots, btfdump.PointersForward), v.Closure(roots, btfdump.PointersFollowed))
		}
		for _, set := range sets {
			for _, kfuncs := range []bool{false, true} {
				checkHeader(t, v, set, kfuncs, len(raw))
			}
		}
		if rest, left, err := cgen.Printable(v); err == nil && len(left) > 0 {
			checkHeader(t, rest, nil, true, len(raw))
		}
	})
}

// checkHeader makes a header with one goroutine and with two, and checks what
// must hold of every header.
func checkHeader(t *testing.T, v *btfdump.View, set *btfdump.Set, kfuncs bool, size int) {
	one, err1 := makeHeader(v, set, cgen.Options{Kfuncs: kfuncs, Workers: 1})
	two, err2 := makeHeader(v, set, cgen.Options{Kfuncs: kfuncs, Workers: 2})
	switch {
	case (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error():
		t.Fatalf("with one goroutine: %v; with two: %v", err1, err2)
	case err1 != nil && (one != nil || two != nil):
		t.Fatalf("%d bytes beside the error %v", len(one)+len(two), err1)
	case !bytes.Equal(one, two):
		t.Fatal("two goroutines print something else than one")
	case len(one) > 64*size+64<<10:
		t.Fatalf("%d bytes of BTF make a header of %d", size, len(one))
	}
	for i, c := range one {
		if (c < ' ' || c > '~') && c != '\t' && c != '\n' {
			t.Fatalf("the header has the byte %#x at %d", c, i)
		}
	}
}

func makeHeader(v *btfdump.View, set *btfdump.Set, opts cgen.Options) ([]byte, error) {
	p, err := cgen.NewPlan(v, set, opts)
	if err != nil {
		return nil, err
	}
	return p.Print()
}

// A fuzzer seldom finds the few values that a word of a type can have, which
// are mostly type IDs: here each word has all of them, and each bit flipped.
func TestEveryWordOfTypes(t *testing.T) {
	b := btftest.New()
	sample(b)
	n := uint32(b.NextID())
	types, strings := split(b.Bytes())
	var made, refused int
	for at := 0; at < len(types); at += 4 {
		was := binary.LittleEndian.Uint32(types[at:])
		var values []uint32
		for i := range n {
			values = append(values, i)
		}
		for i := range 32 {
			values = append(values, was^1<<i)
		}
		for _, value := range values {
			binary.LittleEndian.PutUint32(types[at:], value)
			raw := withHeader(types, strings)
			v, err := btfdump.New(raw)
			if err != nil {
				continue
			}
			checkHeader(t, v, nil, true, len(raw))
			opts := cgen.Options{Kfuncs: true, Workers: 1}
			text, err := makeHeader(v, nil, opts)
			if err != nil {
				refused++
				continue
			}
			made++
			shuffled, err := btfdump.New(btftest.Shuffle(raw, uint64(made)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := makeHeader(shuffled, nil, opts); err != nil || !bytes.Equal(got, text) {
				t.Errorf("word %d is %#x instead of %#x: the header depends on type IDs (%v)", at/4, value, was, err)
			}
		}
		binary.LittleEndian.PutUint32(types[at:], was)
	}
	if made < 1000 || refused < 100 {
		t.Errorf("only %d headers were made, %d refused", made, refused)
	}
	t.Logf("%d headers were made, %d refused", made, refused)
}

// What is printed of random types, and whether anything is, does not depend on
// their IDs, nor on how many goroutines print.
func TestRandomTypesShuffled(t *testing.T) {
	made := 0
	for seed := range uint64(600) {
		raw := btftest.Random(rand.New(rand.NewPCG(seed, 13)), nil)
		v, err := btfdump.New(raw)
		if err != nil {
			continue
		}
		checkHeader(t, v, nil, true, len(raw))
		opts := cgen.Options{Kfuncs: true, NoProvenance: true}
		want, err := makeHeader(v, nil, opts)
		if err == nil {
			made++
		}
		shuffled, e := btfdump.New(btftest.Shuffle(raw, seed))
		if e != nil {
			t.Fatalf("seed %d: %v", seed, e)
		}
		if got, e := makeHeader(shuffled, nil, opts); (e == nil) != (err == nil) || !bytes.Equal(got, want) {
			t.Errorf("seed %d: the header depends on type IDs (%v, %v)", seed, err, e)
		}
	}
	if made < 200 {
		t.Errorf("only %d headers were made", made)
	}
}

var spoilt = flag.Uint64("spoilt", 400, "how many variants of a kernel's types to try that are spoilt")

// The types of a kernel lead to each other in ways that made-up ones do not. Some
// words of them are changed: to another type, to what stands elsewhere, or a bit.
func TestSpoiltTypesOfAKernel(t *testing.T) {
	kernel, err := btfdump.New(btftest.Corpus(t, "amd64-7.2-cloud"))
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{"flow_", "bpf_", "ip"} {
		var roots []btfdump.TypeID
		for typ := range kernel.All() {
			if typ.Kind().IsRecord() && strings.HasPrefix(typ.Name(), start) && len(roots) < 40 {
				roots = append(roots, typ.ID())
			}
		}
		closure := kernel.Closure(roots, btfdump.PointersForward)
		raw, err := kernel.Subset(closure)
		if err != nil {
			t.Fatal(err)
		}
		types, strings := split(raw)
		n := uint32(closure.Len())
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			made, refused := 0, 0
			for seed := range *spoilt {
				r := rand.New(rand.NewPCG(seed, 7))
				changed := bytes.Clone(types)
				for range 1 + r.IntN(5) {
					at, from := 4*r.IntN(len(types)/4), 4*r.IntN(len(types)/4)
					value := binary.LittleEndian.Uint32(types[at:])
					switch r.IntN(4) {
					case 0:
						value ^= 1 << r.IntN(32)
					case 1:
						value = binary.LittleEndian.Uint32(types[from:])
					default:
						value = r.Uint32N(n + 1)
					}
					binary.LittleEndian.PutUint32(changed[at:], value)
				}
				v, err := btfdump.New(withHeader(changed, strings))
				if err != nil {
					continue
				}
				checkHeader(t, v, nil, true, len(raw))
				if _, err := makeHeader(v, nil, cgen.Options{Kfuncs: true, Workers: 1}); err != nil {
					refused++
				} else {
					made++
				}
			}
			t.Logf("%d types: %d headers were made, %d refused", n, made, refused)
			if made+refused < int(*spoilt)/20 {
				t.Errorf("only %d headers were made, %d refused", made, refused)
			}
		})
	}
}
