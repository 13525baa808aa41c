package btfdump_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// rust builds what LLVM makes of Rust's types (rustc 1.95 with debug information,
// for bpfel-unknown-none): the unit type () has no bytes, and char, for which BTF
// has no kind, is void wherever it stands.
func rust(b *btftest.Builder) {
	u16, u32 := b.Int("u16", 2, 0), b.Int("u32", 4, 0)
	unit := b.Int("()", 0, 0)
	index := b.Int("__ARRAY_SIZE_TYPE__", 4, 0)
	wrapper := b.Struct("Wrapper<u16>", 8, btftest.Field("v", u16, 32), btftest.Field("u", unit, 48), btftest.Field("c", btftest.Void, 0))
	b.Struct("(char, [char; 3], [(); 5])", 16, btftest.Field("__0", btftest.Void, 96), btftest.Field("__1", b.Array(btftest.Void, index, 3), 0), btftest.Field("__2", b.Array(unit, index, 5), 128))
	b.Struct("PhantomData<u64>", 0)
	b.Func("prog", b.FuncProto(u32, btftest.Arg("w", b.Ptr(wrapper)), btftest.Arg("c", btftest.Void), btftest.Arg("u", unit)), 1)
	b.Datasec(".data", 0, btftest.SecVar{Type: b.Var("CHAR", btftest.Void, 1), Size: 0}, btftest.SecVar{Type: b.Var("UNIT", unit, 1)})
}

// BTF of Rust programs is read, as the kernel's loaders read it: what C can't
// express is no fault of the BTF.
func TestRust(t *testing.T) {
	b := btftest.New()
	rust(b)
	raw := b.Bytes()
	if _, err := btf.LoadSpecFromReader(bytes.NewReader(raw)); err != nil {
		t.Fatalf("cilium/ebpf does not take it, so that it says nothing: %v", err)
	}
	v, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := walk(v); err != nil {
		t.Error(err)
	}
	wrapper := v.Type(v.Lookup("Wrapper<u16>")[0])
	for i, want := range []struct {
		name string
		bit  uint32
		size uint64
	}{{"v", 32, 2}, {"u", 48, 0}, {"c", 0, 0}} {
		m := wrapper.Member(i)
		if m.Name != want.name || m.BitOffset != want.bit || m.BitSize != 0 || v.SizeOf(m.Type) != want.size {
			t.Errorf("member %d is %+v of %d bytes, want %+v", i, m, v.SizeOf(m.Type), want)
		}
	}
	for _, m := range v.Type(v.Lookup("(char, [char; 3], [(); 5])")[0]).Members() {
		if size := v.SizeOf(m.Type); size != 0 {
			t.Errorf("member %s has %d bytes", m.Name, size)
		}
	}
	for typ := range v.AllOf(btfdump.KindStruct) {
		if l := v.Layout(typ.ID(), btfdump.BPF); l.Align == 0 {
			t.Errorf("%s has no alignment", typ.Name())
		}
	}
	// What is made of it can be read again.
	set := v.NewSet()
	for typ := range v.All() {
		set.Add(typ.ID())
	}
	subset, err := v.Subset(set)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := btfdump.New(subset); err != nil {
		t.Errorf("a subset: %v", err)
	}
	// Its types may stand on others, and in another byte order.
	for _, order := range []bool{false, true} {
		b := btftest.New()
		if order {
			b.Order = binary.BigEndian
		}
		base := mustNew(t, b.Bytes())
		s := b.Split()
		rust(s)
		if split, err := btfdump.NewSplit(s.Bytes(), base); err != nil {
			t.Error(err)
		} else if err := walk(split); err != nil {
			t.Error(err)
		}
	}
}
