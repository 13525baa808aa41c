package btfdump_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/cilium/ebpf/btf"
)

// sameType compares a type with its copy: all but the IDs, which must lead to
// types that are each other's copies (copyOf), or to a forward declaration where
// the original was left out.
func sameType(from, to *btfdump.View, a, b btfdump.Type, copyOf map[btfdump.TypeID]btfdump.TypeID) error {
	if a.Kind() != b.Kind() || a.Name() != b.Name() || a.Vlen() != b.Vlen() || a.KindFlag() != b.KindFlag() || a.Size() != b.Size() {
		return fmt.Errorf("%v %q has become %v %q", a.Kind(), a.Name(), b.Kind(), b.Name())
	}
	ref := func(what string, x, y btfdump.TypeID) error {
		if want, ok := copyOf[x]; ok {
			if y != want {
				return fmt.Errorf("%v %q: %s leads to type %d, want %d", a.Kind(), a.Name(), what, y, want)
			}
			return nil
		}
		target, forward := from.Type(x), to.Type(y)
		union := target.Kind() == btfdump.KindUnion || target.Kind() == btfdump.KindFwd && target.KindFlag()
		if forward.Kind() != btfdump.KindFwd || forward.Name() != target.Name() || forward.KindFlag() != union {
			return fmt.Errorf("%v %q: %s leads to %v %q in place of %v %q", a.Kind(), a.Name(), what, forward.Kind(), forward.Name(), target.Kind(), target.Name())
		}
		return nil
	}
	errs := []error{ref("its target", a.Ref(), b.Ref())}
	if _, ok := copyOf[a.ArrayIndex()]; ok {
		errs = append(errs, ref("its index", a.ArrayIndex(), b.ArrayIndex()))
	} else if x, y := from.Type(from.Resolve(a.ArrayIndex())), to.Type(b.ArrayIndex()); x.Kind() == btfdump.KindInt && (y.Kind() != btfdump.KindInt || x.Name() != y.Name()) {
		errs = append(errs, fmt.Errorf("an array's index is %v %q in place of int %q", y.Kind(), y.Name(), x.Name()))
	}
	if a.ArrayLen() != b.ArrayLen() || a.IntEncoding() != b.IntEncoding() || a.IntBits() != b.IntBits() || a.Linkage() != b.Linkage() || a.ComponentIndex() != b.ComponentIndex() {
		errs = append(errs, fmt.Errorf("%v %q: other words differ", a.Kind(), a.Name()))
	}
	for i, m := range a.Members() {
		n := b.Member(i)
		errs = append(errs, ref("member "+m.Name, m.Type, n.Type))
		if m.Name != n.Name || m.BitOffset != n.BitOffset || m.BitSize != n.BitSize {
			errs = append(errs, fmt.Errorf("%q: member %q differs", a.Name(), m.Name))
		}
	}
	for i, p := range a.Params() {
		q := b.Param(i)
		errs = append(errs, ref("parameter", p.Type, q.Type))
		if p.Name != q.Name {
			errs = append(errs, fmt.Errorf("parameter %q differs", p.Name))
		}
	}
	for i, e := range a.Enumerators() {
		if e != b.Enumerator(i) {
			errs = append(errs, fmt.Errorf("%q: enumerator %q differs", a.Name(), e.Name))
		}
	}
	for i := range a.NumSectionVars() {
		v, w := a.SectionVar(i), b.SectionVar(i)
		errs = append(errs, ref("variable", v.Type, w.Type))
		if v.Offset != w.Offset || v.Size != w.Size {
			errs = append(errs, fmt.Errorf("%q: variable %d differs", a.Name(), i))
		}
	}
	return errors.Join(errs...)
}

// checkSubset writes a set and compares all of its types with what is read back.
func checkSubset(t *testing.T, view *btfdump.View, set *btfdump.Set) []byte {
	t.Helper()
	raw, err := view.Subset(set)
	if err != nil {
		t.Fatal(err)
	}
	again, err := view.Subset(set)
	if err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("the second time, other bytes were written (%v)", err)
	}
	got, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	copyOf := map[btfdump.TypeID]btfdump.TypeID{0: 0}
	var ids []btfdump.TypeID
	hasLong := set == nil
	indexes := map[btfdump.TypeID]bool{}
	for typ := range view.All() {
		if i := typ.ArrayIndex(); i != 0 && set != nil && set.Has(typ.ID()) && !set.Has(i) && view.Type(view.Resolve(i)).Kind() == btfdump.KindInt {
			indexes[view.Resolve(i)] = true
		}
	}
	for typ := range view.All() {
		isLong := false // the one type that nobody needs to ask for
		if !hasLong && typ.Kind() == btfdump.KindInt && int(typ.Size()) == view.PointerSize() {
			switch typ.Name() {
			case "long", "long int", "long unsigned int", "unsigned long":
				hasLong, isLong = true, true
			}
		}
		id, about := typ.ID(), typ.ID()
		if typ.Kind() == btfdump.KindDeclTag {
			about = typ.Ref()
		}
		if isLong || indexes[id] || set == nil || set.Has(about) {
			ids = append(ids, id)
			copyOf[id] = btfdump.TypeID(len(ids))
		}
	}
	if got.PointerSize() != view.PointerSize() {
		t.Errorf("pointers of %d bytes have become %d", view.PointerSize(), got.PointerSize())
	}
	if set == nil && got.NumTypes() != view.NumTypes() {
		t.Errorf("%d types have become %d", view.NumTypes(), got.NumTypes())
	}
	for _, id := range ids {
		if err := sameType(view, got, view.Type(id), got.Type(copyOf[id]), copyOf); err != nil {
			t.Fatal(err)
		}
	}
	for id := len(ids) + 1; id < got.NumTypes(); id++ {
		if k := got.Type(btfdump.TypeID(id)).Kind(); k != btfdump.KindFwd {
			t.Errorf("there is a %v that nobody asked for", k)
		}
	}
	return raw
}

// What is written is what was asked for: read back here, by cilium/ebpf and by
// bpftool.
func TestSubsetOfCorpus(t *testing.T) {
	for _, kernel := range btftest.Kernels {
		t.Run(kernel.Name, func(t *testing.T) {
			var view *btfdump.View
			var err error
			if raw := btftest.Corpus(t, kernel.Name); kernel.Base == "" {
				view, err = btfdump.New(raw)
			} else {
				var base *btfdump.View
				if base, err = btfdump.New(btftest.Corpus(t, kernel.Base)); err == nil {
					view, err = btfdump.NewSplit(raw, base)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, set := range map[string]*btfdump.Set{
				"all":   nil,
				"none":  view.NewSet(),
				"few":   view.Closure(some(view, 20), btfdump.PointersForward),
				"many":  view.Closure(some(view, 7), btfdump.PointersFollowed),
				"lists": view.Closure(view.Lookup("list_head", btfdump.KindStruct), btfdump.PointersForward),
			} {
				raw := checkSubset(t, view, set)
				if name == "many" {
					continue // as large as all
				}
				spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
				if err != nil {
					t.Fatalf("%s: cilium/ebpf: %v", name, err)
				}
				read, err := btfdump.New(raw)
				if err != nil {
					t.Fatal(err)
				}
				for typ := range read.All() {
					other, err := spec.TypeByID(btf.TypeID(typ.ID()))
					if err != nil {
						t.Fatalf("%s: cilium/ebpf: %v", name, err)
					}
					theirs := other.TypeName()
					if tag, ok := other.(*btf.TypeTag); ok {
						theirs = tag.Value
					} else if typ.Kind() == btfdump.KindDeclTag {
						theirs = typ.Name() // it keeps that with the target only
					}
					if theirs != typ.Name() {
						t.Fatalf("%s: type %d is %q here and %q for cilium/ebpf", name, typ.ID(), typ.Name(), theirs)
					}
				}
				bpftoolReads(t, raw, read.NumTypes()-1)
			}
		})
	}
}

// some returns every n-hundredth type that can be declared.
func some(view *btfdump.View, n int) []btfdump.TypeID {
	var ids []btfdump.TypeID
	for typ := range view.All() {
		k := typ.Kind()
		if int(typ.ID())%(n*100) == 0 && (k.IsRecord() || k.IsEnum() || k == btfdump.KindTypedef || k == btfdump.KindFunc) {
			ids = append(ids, typ.ID())
		}
	}
	return ids
}

// bpftoolReads has bpftool print BTF, and counts the types.
func bpftoolReads(t *testing.T, raw []byte, types int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "subset.btf")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	bpftool, err := exec.LookPath("bpftool")
	if err != nil {
		bpftool = "/usr/sbin/bpftool"
	}
	out, err := exec.Command(bpftool, "btf", "dump", "file", path).CombinedOutput()
	if err != nil {
		t.Fatalf("bpftool: %v: %.500s", err, out)
	}
	got := bytes.Count(out, []byte("\n[")) + bytes.Count(out[:min(len(out), 1)], []byte("["))
	if got != types {
		t.Errorf("bpftool prints %d types, want %d", got, types)
	}
}

func TestSubsetIsCheckedForGaps(t *testing.T) {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	point := b.Struct("point", 4, btftest.Field("x", integer, 0))
	pointer := b.Ptr(point)
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	set := view.NewSet()
	set.Add(btfdump.TypeID(point))
	if raw, err := view.Subset(set); err == nil {
		t.Errorf("a record without its member's type was written, %d bytes", len(raw))
	}
	set = view.NewSet()
	set.Add(btfdump.TypeID(pointer))
	raw := checkSubset(t, view, set)
	got, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.NumTypes() != 3 || got.Type(2).Kind() != btfdump.KindFwd || got.Type(2).Name() != "point" || got.Type(1).Ref() != 2 {
		t.Error("a pointer to a record outside of the set is no pointer to a forward declaration")
	}
}

// Kinds that only a layout section tells the length of can't be renumbered.
func TestSubsetOfUnknownKind(t *testing.T) {
	b := btftest.New()
	b.HeaderLen = 32
	b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4})
	b.Int("int", 4, btftest.Signed)
	b.Raw(20, "", 0, false, 0, 1)
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var format *btfdump.FormatError
	if _, err := view.Subset(nil); !errors.As(err, &format) || format.ID != 2 {
		t.Errorf("got the error %v, want one about type 2", err)
	}
	set := view.NewSet()
	set.Add(1)
	if _, err := view.Subset(set); err != nil {
		t.Errorf("without the type in question: %v", err)
	}
}

// A split view on a base with other strings is the same module.
func TestRebase(t *testing.T) {
	for _, kernel := range btftest.Kernels {
		if kernel.Base == "" {
			continue
		}
		t.Run(kernel.Name, func(t *testing.T) {
			base, err := btfdump.New(btftest.Corpus(t, kernel.Base))
			if err != nil {
				t.Fatal(err)
			}
			split, err := btfdump.NewSplit(btftest.Corpus(t, kernel.Name), base)
			if err != nil {
				t.Fatal(err)
			}
			// Strings in another order, and other offsets.
			all, err := base.Subset(nil)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := btfdump.New(all)
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]btfdump.TypeID, base.NumTypes())
			for i := range ids {
				ids[i] = btfdump.TypeID(i)
			}
			raw, err := btfdump.Rebase(split, plain, ids)
			if err != nil {
				t.Fatal(err)
			}
			moved, err := btfdump.NewSplit(raw, plain)
			if err != nil {
				t.Fatal(err)
			}
			if err := moved.FitsBase(); err != nil {
				t.Error(err)
			}
			copyOf := map[btfdump.TypeID]btfdump.TypeID{}
			for i := range split.NumTypes() {
				copyOf[btfdump.TypeID(i)] = btfdump.TypeID(i)
			}
			for id := split.FirstID(); int(id) < split.NumTypes(); id++ {
				if err := sameType(split, moved, split.Type(id), moved.Type(id), copyOf); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := btfdump.Rebase(split, plain, ids[:len(ids)-1]); err == nil && len(ids) > 1 {
				t.Error("a base type without a counterpart was no error")
			}
			// A split view on a base that is a little different is found out.
			if wrong, err := btfdump.NewSplit(btftest.Corpus(t, kernel.Name), plain); err == nil && plain.Header().StringsLen != base.Header().StringsLen {
				if wrong.FitsBase() == nil {
					t.Error("a base with other strings seems to fit")
				}
			}
		})
	}
}

// A sanity check of the helper: it must tell a difference.
func TestSameTypeTellsDifferences(t *testing.T) {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Struct("a", 8, btftest.Field("x", integer, 0))
	b.Struct("a", 8, btftest.Field("x", integer, 32))
	b.Struct("a", 8, btftest.Field("y", integer, 0))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	copyOf := map[btfdump.TypeID]btfdump.TypeID{0: 0, 1: 1}
	var same []bool
	for _, id := range []btfdump.TypeID{2, 3, 4, 1} {
		same = append(same, sameType(view, view, view.Type(2), view.Type(id), copyOf) == nil)
	}
	if !slices.Equal(same, []bool{true, false, false, false}) {
		t.Errorf("got %v", same)
	}
}

// FuzzSubset writes all types of a view, and those that some of them need, and
// compares what is read back.
func FuzzSubset(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, raw, split []byte) {
		base, err := btfdump.New(raw)
		if err != nil {
			return
		}
		views := []*btfdump.View{base}
		if v, err := btfdump.NewSplit(split, base); err == nil {
			views = append(views, v)
		}
		for _, view := range views {
			for typ := range view.All() {
				if typ.Kind() > btfdump.KindEnum64 {
					return // can't be renumbered
				}
			}
			checkSubset(t, view, nil)
			checkSubset(t, view, view.Closure(some(view, 1), btfdump.PointersForward))
			var every []btfdump.TypeID
			for typ := range view.All() {
				if typ.ID()%3 == 0 {
					every = append(every, typ.ID())
				}
			}
			checkSubset(t, view, view.Closure(every, btfdump.PointersForward))
		}
	})
}

// Strings that start inside others are written in full, but not without end.
func TestSubsetOfSharedNames(t *testing.T) {
	subset := func(n int) ([]byte, error) {
		b := btftest.New()
		at := b.RawString([]byte(strings.Repeat("a", 4000) + "\x00"))
		for i := range n {
			b.RawWords(at+uint32(i), btftest.KindStruct<<24, 0)
		}
		v, err := btfdump.New(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return v.Subset(nil)
	}
	raw, err := subset(3)
	if err != nil {
		t.Fatal(err)
	}
	v, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if name := v.Type(btfdump.TypeID(i + 1)).Name(); name != strings.Repeat("a", 4000-i) {
			t.Errorf("type %d has a name of %d bytes", i+1, len(name))
		}
	}
	if raw, err := subset(4000); err == nil || !strings.Contains(err.Error(), "names start inside others") {
		t.Errorf("%d bytes and the error %v", len(raw), err)
	}
}
