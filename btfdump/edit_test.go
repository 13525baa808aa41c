package btfdump_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// edited applies an edit to a kernel and two modules joined to it.
func edited(t *testing.T, order binary.AppendByteOrder, edit func(e *btfdump.Edit, ids map[string]btfdump.TypeID)) (v *btfdump.View, ids map[string]btfdump.TypeID) {
	t.Helper()
	ids = make(map[string]btfdump.TypeID)
	b := btftest.New()
	b.Order = order
	i := b.Int("int", 4, btftest.Signed)
	def := b.Typedef("def", i)
	s := b.Struct("s", 12, btftest.Field("a", def, 0), btftest.Bitfield("b", i, 35, 3), btftest.Field("c", i, 64))
	b.DeclTag("of a", s, 0)
	b.DeclTag("of s", s, -1)
	b.DeclTag("of def", def, -1)
	b.Ptr(s)
	b.Enum("e", 4, btftest.Val("A", 1), btftest.Val("B", 2))
	f := b.Func("f", b.FuncProto(def), btftest.Static)
	b.Datasec(".ksyms", 0, btftest.SecVar{Type: f})
	base, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var modules []*btfdump.View
	for _, name := range []string{"one", "two"} {
		m := b.Split()
		m.Struct(name, 8, btftest.Field("x", def, 0), btftest.Field("y", m.Typedef("own_"+name, i), 32))
		split, err := btfdump.NewSplit(m.Bytes(), base)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, split)
	}
	joined, err := btfdump.Join(base, modules...)
	if err != nil {
		t.Fatal(err)
	}
	for typ := range joined.All() {
		ids[typ.Name()] = typ.ID()
		if typ.Kind() == btfdump.KindPtr {
			ids["pointer"] = typ.ID()
		}
	}
	e := btfdump.NewEdit(joined)
	edit(e, ids)
	if v, err = e.View(); err != nil {
		t.Fatal(err)
	}
	if v.NumTypes() != joined.NumTypes() {
		t.Errorf("%d types became %d", joined.NumTypes(), v.NumTypes())
	}
	return v, ids
}

func TestEdit(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		v, ids := edited(t, order, func(e *btfdump.Edit, ids map[string]btfdump.TypeID) {
			e.Drop(ids["s"], 0)
			e.Skip(ids["def"])
			e.Skip(ids["own_two"])
			e.PointToVoid(ids["pointer"])
			e.Unname(ids["e"])
			e.Drop(ids["e"], 1)
			e.Blank(ids["f"])
			if !e.Drops(ids["s"], 0) || e.Drops(ids["s"], 1) || e.Drops(ids["int"], 0) {
				t.Error("Drops does not say what was dropped")
			}
		})
		s := v.Type(ids["s"])
		if s.Size() != 12 || s.NumMembers() != 2 || s.Member(0) != (btfdump.Member{Name: "b", Type: ids["int"], BitOffset: 35, BitSize: 3}) || s.Member(1).Name != "c" {
			t.Errorf("struct s: %d bytes, %d members, %+v", s.Size(), s.NumMembers(), s.Member(0))
		}
		if e := v.Type(ids["e"]); e.HasName() || e.NumEnumerators() != 1 || e.Enumerator(0) != (btfdump.Enumerator{Name: "A", Value: 1}) {
			t.Errorf("enum: %q with %d enumerators", e.Name(), e.NumEnumerators())
		}
		for _, name := range []string{"def", "own_two", "pointer", "of a", "of def", "f", ".ksyms"} {
			if b := v.Type(ids[name]); b.Kind() != btfdump.KindPtr || b.Ref() != 0 || b.HasName() {
				t.Errorf("%s became a %s %q of type %d", name, b.Kind(), b.Name(), b.Ref())
			}
		}
		if tag := v.Type(ids["of s"]); tag.Kind() != btfdump.KindDeclTag || tag.Ref() != ids["s"] {
			t.Errorf("the tag of s became a %s of %d", tag.Kind(), tag.Ref())
		}
		if one := v.Type(ids["one"]); one.Member(0).Type != ids["int"] || one.Member(1).Type != ids["own_one"] {
			t.Errorf("struct one: %+v, %+v", one.Member(0), one.Member(1))
		}
		if two := v.Type(ids["two"]); two.Member(0).Type != ids["int"] || two.Member(1).Type != ids["int"] {
			t.Errorf("struct two: %+v, %+v", two.Member(0), two.Member(1))
		}
		if v.LevelOf(ids["one"]) != 1 || v.LevelOf(ids["two"]) != 2 || v.ByteOrder().String() != order.String() {
			t.Error("levels or byte order changed")
		}
	}
}

// What is not touched is not copied.
func TestEditOfAModuleLeavesTheKernelAlone(t *testing.T) {
	var kernel []byte
	v, ids := edited(t, binary.LittleEndian, func(e *btfdump.Edit, ids map[string]btfdump.TypeID) {
		e.Drop(ids["two"], 0)
	})
	kernel = v.Base().Raw()
	if v.Type(ids["one"]).NumMembers() != 2 || v.Type(ids["two"]).NumMembers() != 1 {
		t.Error("another module's record lost a member")
	}
	same, _ := edited(t, binary.LittleEndian, func(*btfdump.Edit, map[string]btfdump.TypeID) {})
	if string(same.Base().Raw()) != string(kernel) {
		t.Error("the kernel's bytes changed")
	}
}

// A layout section and kinds that only it explains come along.
func TestEditKeepsUnknownKinds(t *testing.T) {
	v, err := btfdump.New(btftest.Corpus(t, "x86_64-layout-section"))
	if err != nil {
		t.Fatal(err)
	}
	e := btfdump.NewEdit(v)
	id := v.Lookup("list_head", btfdump.KindStruct)[0]
	e.Drop(id, 1)
	got, err := e.View()
	if err != nil {
		t.Fatal(err)
	}
	if h := got.Header(); h.LayoutLen != v.Header().LayoutLen || h.Length != 32 {
		t.Errorf("header: %+v", h)
	}
	for typ := range v.All() {
		other := got.Type(typ.ID())
		if other.Kind() != typ.Kind() || other.Name() != typ.Name() || typ.ID() != id && other.Vlen() != typ.Vlen() {
			t.Fatalf("type %d became a %s %q", typ.ID(), other.Kind(), other.Name())
		}
	}
}
