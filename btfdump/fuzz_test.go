package btfdump_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// fuzzSeeds are blobs that reach every kind: the sample, shuffled and plain,
// and the corpus's small ones.
func fuzzSeeds(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		base, split := mutants(order)
		f.Add(base, split)
		plain := btftest.New()
		plain.Order = order
		sample(plain)
		f.Add(plain.Bytes(), split)
		f.Add(btftest.Shuffle(plain.Bytes(), 1), []byte(nil))
	}
	f.Add(btftest.Corpus(f, "btf_testmod.distilled-base"), btftest.Corpus(f, "btf_testmod"))
}

// FuzzView reads a blob, and a second one as split BTF on it and by itself,
// and calls everything that a view has.
func FuzzView(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, raw, split []byte) {
		base, err := try(raw, nil)
		if err != nil && base != nil {
			t.Fatal(err)
		}
		if base == nil {
			return
		}
		exercise(t, base)
		v, err := try(split, base)
		if err != nil && v != nil {
			t.Fatal(err)
		}
		if v == nil {
			return
		}
		exercise(t, v)
		joined, err := btfdump.Join(base, v, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := walk(joined); err != nil {
			t.Fatal(err)
		}
		exercise(t, joined)
	})
}

// exercise calls what works on the view as a whole.
func exercise(t *testing.T, v *btfdump.View) {
	var roots []btfdump.TypeID
	for typ := range v.All() {
		roots = append(roots, typ.ID())
		if len(roots) <= 64 {
			l := v.Layout(typ.ID(), btfdump.BPF)
			if len(l.BitOffsets) != typ.NumMembers() && typ.Kind().IsRecord() {
				t.Fatalf("layout of type %d has %d of %d members", typ.ID(), len(l.BitOffsets), typ.NumMembers())
			}
			if name := typ.Name(); name != "" && len(v.Lookup(name, typ.Kind())) == 0 {
				t.Fatalf("no type is called %q", name)
			}
		}
	}
	if n := v.Closure(roots, btfdump.PointersForward).Len(); n != len(roots) {
		t.Fatalf("the closure of all %d types has %d", len(roots), n)
	}
	if len(roots) > 0 {
		one := roots[len(roots)/2 : len(roots)/2+1]
		if f, all := v.Closure(one, btfdump.PointersForward).Len(), v.Closure(one, btfdump.PointersFollowed).Len(); f > all {
			t.Fatalf("closure of type %d: %d types, followed %d", one[0], f, all)
		}
	}
	if _, err := v.Match("*"); err != nil {
		t.Fatal(err)
	}
	for _, k := range v.Kfuncs() {
		if v.Type(k.Func).Kind() != btfdump.KindFunc {
			t.Fatalf("kfunc %d is of kind %s", k.Func, v.Type(k.Func).Kind())
		}
	}
}
