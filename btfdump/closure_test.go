package btfdump_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestClosure(t *testing.T) {
	b := btftest.New()
	i32 := b.Int("int", 4, 1)
	leaf := b.Struct("leaf", 4, btftest.Field("i", i32, 0))
	leafT := b.Typedef("leaf_t", leaf)
	pLeaf := b.Ptr(leaf)
	pLeafT := b.Ptr(leafT)
	anon := b.Struct("", 8, btftest.Field("p", pLeaf, 0))
	pAnon := b.Ptr(anon)
	color := b.Enum("color", 4)
	pColor := b.Ptr(b.Const(color))
	constColor := pColor - 1
	fwd := b.FwdStruct("fwd")
	pFwd := b.Ptr(fwd)
	arr := b.Array(leaf, i32, 3)
	pArr := b.Ptr(arr)
	proto := b.FuncProto(leaf, btftest.Arg("x", leafT))
	fn := b.Func("fn", proto, 1)
	tag := b.DeclTag("bpf_kfunc", fn, -1)
	self := b.Reserve()
	pSelf := b.Ptr(self)
	b.At(self).Struct("self", 8, btftest.Field("next", pSelf, 0))
	va := b.Var("v", leafT, 1)
	sec := b.Datasec(".x", 4, btftest.SecVar{Type: va, Size: 4})
	holder := b.Struct("holder", 16, btftest.Field("p", pLeafT, 0), btftest.Field("l", leafT, 64))
	unused := b.Struct("unused", 4, btftest.Field("", i32, 0))
	v := mustNew(t, b.Bytes())

	for _, c := range []struct {
		name              string
		roots             []btftest.ID
		forward, followed []btftest.ID
	}{
		{"nothing", nil, nil, nil},
		{"void", []btftest.ID{0}, nil, nil},
		{"a scalar", []btftest.ID{i32}, []btftest.ID{i32}, []btftest.ID{i32}},
		{"a record", []btftest.ID{leaf}, []btftest.ID{i32, leaf}, []btftest.ID{i32, leaf}},
		{"a typedef takes its record along", []btftest.ID{leafT}, []btftest.ID{i32, leaf, leafT}, []btftest.ID{i32, leaf, leafT}},
		{"a pointer to a record", []btftest.ID{pLeaf}, []btftest.ID{pLeaf}, []btftest.ID{i32, leaf, pLeaf}},
		{"a pointer to a typedef", []btftest.ID{pLeafT}, []btftest.ID{leafT, pLeafT}, []btftest.ID{i32, leaf, leafT, pLeafT}},
		{"a pointer to an unnamed record", []btftest.ID{pAnon}, []btftest.ID{pLeaf, anon, pAnon}, []btftest.ID{i32, leaf, pLeaf, anon, pAnon}},
		{"a pointer to an enum", []btftest.ID{pColor}, []btftest.ID{color, constColor, pColor}, []btftest.ID{color, constColor, pColor}},
		{"a pointer to a declared record", []btftest.ID{pFwd}, []btftest.ID{pFwd}, []btftest.ID{fwd, pFwd}},
		{"a pointer to an array needs its element", []btftest.ID{pArr}, []btftest.ID{i32, leaf, arr, pArr}, []btftest.ID{i32, leaf, arr, pArr}},
		{"a function", []btftest.ID{fn}, []btftest.ID{leafT, proto, fn}, []btftest.ID{i32, leaf, leafT, proto, fn}},
		{"a decl tag", []btftest.ID{tag}, []btftest.ID{leafT, proto, fn, tag}, []btftest.ID{i32, leaf, leafT, proto, fn, tag}},
		{"a record that points to itself", []btftest.ID{self}, []btftest.ID{self, pSelf}, []btftest.ID{self, pSelf}},
		{"a section", []btftest.ID{sec}, []btftest.ID{i32, leaf, leafT, va, sec}, []btftest.ID{i32, leaf, leafT, va, sec}},
		{"a typedef behind a pointer, then by value", []btftest.ID{holder},
			[]btftest.ID{i32, leaf, leafT, pLeafT, holder}, []btftest.ID{i32, leaf, leafT, pLeafT, holder}},
		{"several roots", []btftest.ID{unused, pColor, unused}, []btftest.ID{i32, color, constColor, pColor, unused}, []btftest.ID{i32, color, constColor, pColor, unused}},
	} {
		var roots []btfdump.TypeID
		for _, id := range c.roots {
			roots = append(roots, btfdump.TypeID(id))
		}
		for policy, want := range map[btfdump.Policy][]btftest.ID{btfdump.PointersForward: c.forward, btfdump.PointersFollowed: c.followed} {
			var got []btftest.ID
			for id := range v.Closure(roots, policy).All() {
				got = append(got, btftest.ID(id))
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, policy %d: %v, want %v", c.name, policy, got, want)
			}
		}
	}
}

// In a closure of a real kernel, everything that needs to be complete is there.
func TestClosureOfTaskStructIsComplete(t *testing.T) {
	for _, kernel := range []string{"amd64-7.2-cloud", "s390x-6.12", "armhf-6.1"} {
		v := mustNew(t, btftest.Corpus(t, kernel))
		roots := v.Lookup("task_struct", btfdump.KindStruct)
		if len(roots) != 1 {
			t.Fatalf("%s: task_struct is at %v", kernel, roots)
		}
		forward := v.Closure(roots, btfdump.PointersForward)
		followed := v.Closure(roots, btfdump.PointersFollowed)
		for id := range forward.All() {
			if !followed.Has(id) {
				t.Errorf("%s: following pointers loses type %d", kernel, id)
			}
			for _, m := range v.Type(id).Members() {
				inner := v.Resolve(m.Type)
				for v.Type(inner).Kind() == btfdump.KindArray {
					inner = v.Resolve(v.Type(inner).Ref())
				}
				if !forward.Has(m.Type) || !forward.Has(inner) {
					t.Errorf("%s: %s.%s: its type is missing", kernel, v.Type(id).Name(), m.Name)
				}
			}
		}
		for id := range followed.All() {
			if ref := v.Type(id).Ref(); ref != 0 && !followed.Has(ref) {
				t.Errorf("%s: type %d refers to %d, which is missing", kernel, id, ref)
			}
		}
		if forward.Len() >= followed.Len() || followed.Len() >= v.NumTypes() {
			t.Errorf("%s: %d types with pointers forward, %d followed, %d in all", kernel, forward.Len(), followed.Len(), v.NumTypes())
		}
	}
}

// A chain as long as hostile input can make it needs no stack.
func TestClosureIsNotRecursive(t *testing.T) {
	const n = 300_000
	b := btftest.New()
	inner := b.Int("int", 4, 1)
	for i := range n {
		inner = b.Struct(fmt.Sprintf("s%d", i), 4, btftest.Field("", inner, 0))
	}
	last := b.Typedef("last", inner)
	for range n {
		last = b.Const(last)
	}
	v := mustNew(t, b.Bytes())
	if got := v.Closure([]btfdump.TypeID{btfdump.TypeID(last)}, btfdump.PointersFollowed).Len(); got != 2*n+2 {
		t.Errorf("%d types, want %d", got, 2*n+2)
	}
	if got := v.Layout(btfdump.TypeID(last), btfdump.BPF).Size; got != 4 {
		t.Errorf("layout has %d bytes, want 4", got)
	}
}
