package btfdump_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// selection is what a test asks a Pruning for.
type selection struct {
	roots    map[btfdump.TypeID]bool
	named    map[btfdump.TypeID]bool
	targets  map[btfdump.TypeID]bool
	elements map[btfdump.TypeID]map[int]bool
}

// randomSelection selects some types with a name, and parts of these and of what
// they refer to.
func randomSelection(view *btfdump.View, random *rand.Rand, n int) selection {
	s := selection{make(map[btfdump.TypeID]bool), make(map[btfdump.TypeID]bool), make(map[btfdump.TypeID]bool), make(map[btfdump.TypeID]map[int]bool)}
	if view.NumTypes() < 2 {
		return s
	}
	for range n {
		id := btfdump.TypeID(1 + random.IntN(view.NumTypes()-1))
		switch t := view.Type(id); t.Kind() {
		case btfdump.KindVar, btfdump.KindDatasec, btfdump.KindDeclTag:
			continue
		default:
			if s.roots[id] = true; t.Kind().IsRecord() {
				s.named[id] = true
			}
		}
		for range 6 {
			t := view.Type(id)
			switch {
			case t.NumMembers() > 0:
				i := random.IntN(t.NumMembers())
				s.element(id, i)
				if random.IntN(2) == 0 {
					s.named[id] = true
				}
				id = view.Resolve(t.Member(i).Type)
			case t.NumEnumerators() > 0:
				s.element(id, random.IntN(t.NumEnumerators()))
			case t.Kind() == btfdump.KindPtr || t.Kind() == btfdump.KindFuncProto:
				s.targets[id] = true
				id = view.Resolve(t.Ref())
			default:
				id = view.Resolve(t.Ref())
			}
		}
	}
	return s
}

func (s *selection) element(id btfdump.TypeID, i int) {
	if s.elements[id] == nil {
		s.elements[id] = make(map[int]bool)
	}
	s.elements[id][i] = true
}

func (s *selection) pruning(view *btfdump.View) *btfdump.Pruning {
	p := btfdump.NewPruning(view)
	for id := range s.roots {
		p.Root(id)
	}
	for id := range s.named {
		p.Name(id)
	}
	for id := range s.targets {
		p.Targets(id)
	}
	for id, elements := range s.elements {
		for i := range elements {
			p.Element(id, i)
		}
	}
	return p
}

// pruned compares a type with what was made of it.
func (s *selection) pruned(from, to *btfdump.View, a, b btfdump.TypeID, same map[[2]btfdump.TypeID]bool) error {
	if same[[2]btfdump.TypeID{a, b}] {
		return nil
	}
	same[[2]btfdump.TypeID{a, b}] = true // or else an error is on its way
	x, y := from.Type(a), to.Type(b)
	ref := func(m, n btfdump.TypeID) error { return s.pruned(from, to, from.Resolve(m), n, same) }
	name := x.Name()
	if x.Kind().IsRecord() && !s.named[a] {
		name = ""
	}
	if x.Kind() != y.Kind() || name != y.Name() || x.Size() != y.Size() {
		return fmt.Errorf("%s %q of %d bytes became %s %q of %d", x.Kind(), name, x.Size(), y.Kind(), y.Name(), y.Size())
	}
	kept := 0
	for i, m := range x.Members() {
		if !s.elements[a][i] {
			continue
		}
		if kept >= y.NumMembers() {
			return fmt.Errorf("%s %q has only %d members", y.Kind(), name, y.NumMembers())
		}
		n := y.Member(kept)
		if kept++; m.Name != n.Name || m.BitOffset != n.BitOffset || m.BitSize != n.BitSize {
			return fmt.Errorf("%s %q: member %+v became %+v", x.Kind(), name, m, n)
		}
		if err := ref(m.Type, n.Type); err != nil {
			return fmt.Errorf("%s.%s: %w", name, m.Name, err)
		}
	}
	for i, e := range x.Enumerators() {
		if !s.elements[a][i] {
			continue
		}
		if kept >= y.NumEnumerators() || y.Enumerator(kept) != e {
			return fmt.Errorf("enum %q lacks %v", name, e)
		}
		kept++
	}
	if kept != y.NumMembers()+y.NumEnumerators() {
		return fmt.Errorf("%s %q has %d elements, not %d", x.Kind(), name, y.NumMembers()+y.NumEnumerators(), kept)
	}
	switch k := x.Kind(); {
	case k == btfdump.KindInt:
		if x.IntEncoding() != y.IntEncoding() || x.IntBits() != y.IntBits() || x.IntBitOffset() != y.IntBitOffset() {
			return fmt.Errorf("int %q has another encoding", name)
		}
	case k.IsEnum(), k == btfdump.KindFwd:
		if x.KindFlag() != y.KindFlag() {
			return fmt.Errorf("%s %q has another flag", k, name)
		}
	case (k == btfdump.KindPtr || k == btfdump.KindFuncProto) && !s.targets[a]:
		if y.Ref() != 0 || y.NumParams() != 0 {
			return fmt.Errorf("%s has a target", k)
		}
		return nil
	case k == btfdump.KindFuncProto:
		if x.NumParams() != y.NumParams() {
			return fmt.Errorf("%d parameters became %d", x.NumParams(), y.NumParams())
		}
		for i, p := range x.Params() {
			param := y.Param(i).Type
			if (p.Type == 0) != (param == 0) {
				return fmt.Errorf("parameter %d of type %d became one of type %d: void alone stands for variable arguments", i, p.Type, param)
			}
			if err := ref(p.Type, to.Resolve(param)); err != nil {
				return err
			}
		}
		return ref(x.Ref(), y.Ref())
	case k == btfdump.KindArray && x.ArrayLen() != y.ArrayLen():
		return fmt.Errorf("an array of %d became one of %d", x.ArrayLen(), y.ArrayLen())
	case k == btfdump.KindArray, k == btfdump.KindPtr, k.IsModifier(), k == btfdump.KindFunc:
		return ref(x.Ref(), y.Ref())
	}
	return nil
}

// checkPruning writes a selection, reads it back and compares.
func checkPruning(t *testing.T, view *btfdump.View, s selection) {
	t.Helper()
	raw, err := s.pruning(view).Bytes()
	var format *btfdump.FormatError
	if errors.As(err, &format) && format.Kind > btfdump.KindEnum64 {
		return // can't be renumbered
	}
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.pruning(view).Bytes(); err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("the same selection gives other bytes: %v", err)
	}
	small, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for typ := range small.All() {
		off := typ.Name() + fmt.Sprint(typ.Kind(), typ.Size(), typ.Ref(), typ.Vlen(), typ.KindFlag(), typ.ArrayLen(), typ.IntEncoding(), typ.IntBits(), typ.IntBitOffset())
		for _, m := range typ.Members() {
			off += fmt.Sprint(m)
		}
		for _, p := range typ.Params() {
			off += fmt.Sprint(p)
		}
		for _, e := range typ.Enumerators() {
			off += fmt.Sprint(e)
		}
		if seen[off] {
			t.Errorf("type %d, %s %q, is there twice", typ.ID(), typ.Kind(), typ.Name())
		}
		seen[off] = true
	}
	for id := range s.roots {
		err := errors.New("it is not there")
		for typ := range small.All() {
			if typ.Kind() == view.Type(id).Kind() && typ.Name() == view.Type(id).Name() {
				if err = s.pruned(view, small, id, typ.ID(), make(map[[2]btfdump.TypeID]bool)); err == nil {
					break
				}
			}
		}
		if err != nil {
			t.Errorf("type %d, %s %q: %v", id, view.Type(id).Kind(), view.Type(id).Name(), err)
		}
	}
}

func TestPruningOfCorpus(t *testing.T) {
	for _, kernel := range btftest.Kernels {
		view, err := btfdump.New(btftest.Corpus(t, kernel.Name))
		if kernel.Base != "" {
			var base *btfdump.View
			if base, err = btfdump.New(btftest.Corpus(t, kernel.Base)); err == nil {
				view, err = btfdump.NewSplit(btftest.Corpus(t, kernel.Name), base)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 5 {
			checkPruning(t, view, randomSelection(view, random, 100))
		}
	}
}

// TestPruningTypes has every type of a small selection, and its size.
func TestPruningTypes(t *testing.T) {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Int("unused", 8, 0)
	inner := b.Struct("inner", 16, btftest.Field("a", integer, 0), btftest.Field("b", integer, 32))
	s := b.Struct("s", 48, btftest.Field("p", b.Ptr(inner), 0), btftest.Field("in", b.Const(inner), 64), btftest.Field("q", b.Ptr(integer), 192), btftest.Field("l", integer, 256))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p := btfdump.NewPruning(view)
	p.Root(btfdump.TypeID(s))
	for i := range 3 {
		p.Element(btfdump.TypeID(s), i)
	}
	p.Element(btfdump.TypeID(inner), 1)
	got, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := btftest.New()
	pointer := want.Reserve()
	record := want.Reserve()
	number := want.Int("int", 4, btftest.Signed)
	want.At(pointer).Ptr(btftest.Void)
	want.At(record).Struct("", 16, btftest.Field("b", number, 32))
	want.Struct("s", 48, btftest.Field("p", pointer, 0), btftest.Field("in", record, 64), btftest.Field("q", pointer, 192))
	wantView, err := btfdump.New(want.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	gotView, err := btfdump.New(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want.Bytes()) || gotView.NumTypes() != wantView.NumTypes() {
		t.Fatalf("%d bytes and %d types, want %d and %d", len(got), gotView.NumTypes(), len(want.Bytes()), wantView.NumTypes())
	}
	ids := map[btfdump.TypeID]btfdump.TypeID{0: 0}
	for id := range btfdump.TypeID(gotView.NumTypes()) {
		ids[id] = id
	}
	for id := range btfdump.TypeID(gotView.NumTypes()) {
		if err := sameType(wantView, gotView, wantView.Type(id), gotView.Type(id), ids); err != nil {
			t.Errorf("type %d: %v", id, err)
		}
	}
}

// TestPruningKeepsCirclesApart has two lists that differ only in what comes at
// the second step of a circle.
func TestPruningKeepsCirclesApart(t *testing.T) {
	b := btftest.New()
	var first [3]btftest.ID
	for i := range first {
		size := uint32(4)
		if i == 2 {
			size = 8
		}
		a, c := b.Reserve(), b.Reserve()
		b.At(a).Struct("a", 8, btftest.Field("next", b.Ptr(c), 0))
		b.At(c).Struct("c", 16, btftest.Field("next", b.Ptr(a), 0), btftest.Field("v", b.Int("v", size, 0), 64))
		first[i] = a
	}
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p := btfdump.NewPruning(view)
	for typ := range view.All() {
		p.Targets(typ.ID())
		for i := range typ.Members() {
			p.Element(typ.ID(), i)
		}
	}
	for _, id := range first {
		p.Root(btfdump.TypeID(id))
	}
	count := func() int {
		raw, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		small, err := btfdump.New(raw)
		if err != nil {
			t.Fatal(err)
		}
		return len(small.Lookup("a"))
	}
	if n := count(); n != 2 {
		t.Errorf("there are %d types a, want 2", n)
	}
	p.Distinct(btfdump.TypeID(first[0]))
	p.Distinct(btfdump.TypeID(first[1]))
	if n := count(); n != 3 {
		t.Errorf("there are %d types a, want 3: two of them are to be kept apart", n)
	}
}

// A parameter that is void by way of a qualifier must not become the one that
// stands for variable arguments, which only the last can.
func TestPruningVoidParameter(t *testing.T) {
	b := btftest.New()
	proto := b.FuncProto(btftest.Void, btftest.Arg("a", b.Const(btftest.Void)), btftest.Arg("b", b.Int("int", 4, btftest.Signed)))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	checkPruning(t, view, selection{roots: map[btfdump.TypeID]bool{btfdump.TypeID(proto): true}, targets: map[btfdump.TypeID]bool{btfdump.TypeID(proto): true}})
}

// Bits of an int's word that mean nothing make it no other type.
func TestPruningIntsWithSpareBits(t *testing.T) {
	b := btftest.New()
	one := b.Raw(btftest.KindInt, "int", 0, false, 4, 32)
	two := b.Raw(btftest.KindInt, "int", 0, false, 4, 0x10004020)
	three := b.Raw(btftest.KindInt, "int", 0, false, 4, 1<<24|32)
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p := btfdump.NewPruning(view)
	for _, id := range []btftest.ID{one, two, three} {
		p.Root(btfdump.TypeID(id))
	}
	raw, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	small, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(small.Lookup("int")); n != 2 {
		t.Errorf("there are %d ints, want 2: unsigned and signed", n)
	}
}

func TestPruningErrors(t *testing.T) {
	b := btftest.New()
	b.HeaderLen = 32
	b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4})
	integer := b.Int("int", 4, btftest.Signed)
	b.Raw(20, "", 0, false, 0, 1)
	b.Var("v", integer, 0)
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[btfdump.TypeID]btfdump.Kind{2: 20, 3: btfdump.KindVar} {
		p := btfdump.NewPruning(view)
		p.Root(1)
		if _, err := p.Bytes(); err != nil {
			t.Errorf("an int alone: %v", err)
		}
		p.Root(id)
		var format *btfdump.FormatError
		if _, err := p.Bytes(); !errors.As(err, &format) || format.ID != id || format.Kind != want {
			t.Errorf("type %d: the error is %v", id, err)
		}
	}
}

// FuzzPruning writes random parts of views.
func FuzzPruning(f *testing.F) {
	for seed := range uint64(2) {
		f.Add(seed, btftest.Corpus(f, "btf_testmod.distilled-base"), btftest.Corpus(f, "btf_testmod"))
	}
	f.Fuzz(func(t *testing.T, seed uint64, raw, split []byte) {
		base, err := btfdump.New(raw)
		if err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 1))
		checkPruning(t, base, randomSelection(base, random, 20))
		if v, err := btfdump.NewSplit(split, base); err == nil {
			checkPruning(t, v, randomSelection(v, random, 20))
		}
	})
}
