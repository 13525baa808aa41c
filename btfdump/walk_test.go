package btfdump_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// walk calls every accessor on every type of v and returns an error if two of
// them disagree or one leads out of the view: what New has accepted must hang
// together.
func walk(v *btfdump.View) error {
	n := btfdump.TypeID(v.NumTypes())
	if v.FirstID() < 1 || v.FirstID() > n {
		return fmt.Errorf("first ID is %d of %d", v.FirstID(), n)
	}
	if p := v.PointerSize(); p != 4 && p != 8 {
		return fmt.Errorf("pointer size is %d", p)
	}
	if v.Header().Length < 24 || v.ByteOrder() == nil || len(v.Raw()) < 24 {
		return errors.New("header is too short")
	}
	next := btfdump.TypeID(1)
	for t := range v.All() {
		if t.ID() != next || v.Type(next) != t {
			return fmt.Errorf("All gives type %d, want %d", t.ID(), next)
		}
		if err := walkType(v, t); err != nil {
			return fmt.Errorf("type %d (%s): %w", t.ID(), t.Kind(), err)
		}
		next++
	}
	if next != n {
		return fmt.Errorf("All ends before %d, NumTypes is %d", next, n)
	}
	void := v.Type(0)
	if void.Kind() != btfdump.KindVoid || void.Name() != "" || void.Size() != 0 || void.Ref() != 0 || void.Vlen() != 0 {
		return errors.New("void is not void")
	}
	return walkType(v, void)
}

func walkType(v *btfdump.View, t btfdump.Type) error {
	n := btfdump.TypeID(v.NumTypes())
	name := t.Name()
	if strings.ContainsRune(name, 0) || t.HasName() != (name != "") {
		return fmt.Errorf("name is %q, HasName %t", name, t.HasName())
	}
	for what, id := range map[string]btfdump.TypeID{"ref": t.Ref(), "index": t.ArrayIndex(), "resolve": v.Resolve(t.ID())} {
		if id >= n {
			return fmt.Errorf("%s leads to %d of %d", what, id, n)
		}
	}
	r := v.Type(v.Resolve(t.ID()))
	if r.Kind().IsModifier() || !t.Kind().IsModifier() && r.ID() != t.ID() || v.Resolve(r.ID()) != r.ID() {
		return fmt.Errorf("resolves to %d of kind %s", r.ID(), r.Kind())
	}
	if t.Kind() != btfdump.KindArray && t.Kind() != btfdump.KindPtr && !t.Kind().IsModifier() && v.SizeOf(t.ID()) != uint64(t.Size()) {
		return fmt.Errorf("size is %d, SizeOf %d", t.Size(), v.SizeOf(t.ID()))
	}
	if v.SizeOf(t.ID()) != v.SizeOf(r.ID()) {
		return fmt.Errorf("SizeOf is %d, resolved %d", v.SizeOf(t.ID()), v.SizeOf(r.ID()))
	}
	if t.IntBits()+t.IntBitOffset() > 8*t.Size() {
		return fmt.Errorf("bits %d at %d in %d bytes", t.IntBits(), t.IntBitOffset(), t.Size())
	}
	_, _, _, _, _ = t.IntEncoding(), t.Signed(), t.Linkage(), t.ComponentIndex(), t.KindFlag()
	_ = t.Kind().String()

	elements := t.NumMembers() + t.NumParams() + t.NumEnumerators() + t.NumSectionVars()
	if elements != 0 && elements != t.Vlen() {
		return fmt.Errorf("%d elements, vlen %d", elements, t.Vlen())
	}
	count := 0
	for i, m := range t.Members() {
		count++
		if t.Member(i) != m || m.Type >= n {
			return fmt.Errorf("member %d: %+v", i, m)
		}
		bits := uint64(m.BitSize)
		if mt := v.Type(v.Resolve(m.Type)); bits == 0 && mt.Kind() != btfdump.KindPtr && !pointers(v, mt) {
			bits = 8 * v.SizeOf(m.Type)
		}
		if end := uint64(m.BitOffset) + bits; end > 8*uint64(t.Size()) {
			return fmt.Errorf("member %d ends at bit %d of %d bytes", i, end, t.Size())
		}
	}
	for i, p := range t.Params() {
		count++
		if t.Param(i) != p || p.Type >= n {
			return fmt.Errorf("param %d: %+v", i, p)
		}
	}
	for i, e := range t.Enumerators() {
		count++
		if t.Enumerator(i) != e || strings.ContainsRune(e.Name, 0) {
			return fmt.Errorf("enumerator %d: %+v", i, e)
		}
	}
	for i := range t.NumSectionVars() {
		count++
		if s := t.SectionVar(i); s.Type >= n {
			return fmt.Errorf("section entry %d: %+v", i, s)
		}
	}
	if count != elements {
		return fmt.Errorf("iterators gave %d elements of %d", count, elements)
	}
	return nil
}

// pointers reports whether t is an array of pointers: the size of those is a
// guess that New doesn't hold against a record.
func pointers(v *btfdump.View, t btfdump.Type) bool {
	for t.Kind() == btfdump.KindArray {
		t = v.Type(v.Resolve(t.Ref()))
	}
	return t.Kind() == btfdump.KindPtr
}
