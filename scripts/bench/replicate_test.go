package main

import (
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// The benchmark of linearity is worth as much as its input: every copy must
// have all types of the original, in the same relation to each other.
func TestReplicate(t *testing.T) {
	raw := btftest.Corpus(t, tenfold)
	one, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	large, err := replicate(raw, 3)
	if err != nil {
		t.Fatal(err)
	}
	three, err := btfdump.New(large)
	if err != nil {
		t.Fatal(err)
	}
	count := one.NumTypes() - 1
	if got := three.NumTypes() - 1; got != 3*count {
		t.Fatalf("got %d types, want three times %d", got, count)
	}
	prefixes := []string{"", "c1_", "c2_"}
	for typ := range one.All() {
		for i, prefix := range prefixes {
			shift := btfdump.TypeID(i * count)
			got := three.Type(typ.ID() + shift)
			name := typ.Name()
			switch typ.Kind() {
			case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindFwd, btfdump.KindTypedef, btfdump.KindFunc, btfdump.KindVar:
				if name != "" {
					name = prefix + name
				}
			}
			if got.Kind() != typ.Kind() || got.Name() != name || got.Vlen() != typ.Vlen() {
				t.Fatalf("copy %d of type %d is %v %q, want %v %q", i, typ.ID(), got.Kind(), got.Name(), typ.Kind(), name)
			}
			if !typ.Kind().IsRecord() {
				continue
			}
			for j, m := range typ.Members() {
				want := m.Type
				if want != 0 {
					want += shift
				}
				if g := got.Member(j); g.Type != want || g.Name != m.Name || g.BitOffset != m.BitOffset {
					t.Fatalf("copy %d of %v %s: member %d is %+v, want %+v of type %d", i, typ.Kind(), typ.Name(), j, g, m, want)
				}
			}
		}
	}
}

func TestIsSplit(t *testing.T) {
	for name, want := range map[string]bool{
		"amd64-7.2-cloud": false, "armhf-6.1": false, "s390x-6.12": false, "x86_64-layout-section": false,
		"amd64-7.2-cloud.veth": true, "s390x-6.12.xfs": true, "btf_testmod": true, "btf_testmod.distilled-base": true,
	} {
		if got := isSplit(name); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
}
