package btfdump_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestSplit(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		want := sample(b)
		split := b.Split()
		u32 := btftest.ID(2)
		s := split.Struct("own", 8, btftest.Field("val", u32, 0), btftest.Field("fresh", u32, 32))
		p := split.Ptr(s)
		base := mustNew(t, b.Bytes())
		v := mustSplit(t, split.Bytes(), base)
		compare(t, v, 1, append(want,
			`struct "own" size 8 vlen 2 [val 2 at 0:0] [fresh 2 at 32:0]`,
			fmt.Sprintf(`ptr "" ref %d`, s)))
		if v.FirstID() != btfdump.TypeID(s) || v.NumTypes() != int(p)+1 {
			t.Errorf("own types %d to %d, want %d to %d", v.FirstID(), v.NumTypes()-1, s, p)
		}
		if v.Base() == nil || v.Base().NumTypes() != base.NumTypes() || v.LevelOf(1) != 0 || v.LevelOf(v.FirstID()) != 1 {
			t.Error("base and own types are mixed up")
		}
		if got := v.Lookup("own"); !slices.Equal(got, []btfdump.TypeID{v.FirstID()}) {
			t.Errorf("lookup of an own type gives %v", got)
		}
		if got := v.Lookup("jiffies"); len(got) != 1 || base.Lookup("own") != nil {
			t.Errorf("lookup of a base type gives %v", got)
		}
	})
}

// Split BTF needs no strings, no types, and its base need not have either.
func TestSplitOfNothing(t *testing.T) {
	for _, c := range []struct {
		name                 string
		baseTypes, baseStrs  bool
		splitTypes, splitStr bool
	}{
		{"all", true, true, true, true}, {"no split strings", true, true, true, false},
		{"header only", true, true, false, false}, {"no base types", false, true, true, true},
		{"no base at all", false, false, true, true}, {"nothing", false, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := btftest.New()
			if !c.baseStrs {
				b.ClearStrings()
			}
			if c.baseTypes {
				b.Int("int", 4, 1)
			}
			split := b.Split()
			var want []string
			if c.splitTypes {
				name, line := "", `struct "" size 4`
				if c.splitStr && !c.baseStrs {
					name = "own" // at offset 0, which stands for no name
				} else if c.splitStr {
					name, line = "own", `struct "own" size 4`
				}
				split.Struct(name, 4)
				split.Enum("", 4)
				want = append(want, line, `enum "" size 4`)
			}
			base := mustNew(t, b.Bytes())
			v := mustSplit(t, split.Bytes(), base)
			compare(t, v, btfdump.TypeID(split.FirstID()), want)
			if v.FirstID() != btfdump.TypeID(split.FirstID()) || v.Base().NumTypes() != base.NumTypes() {
				t.Errorf("first ID %d, base has %d", v.FirstID(), v.Base().NumTypes())
			}
		})
	}
}

func TestSplitOnSplit(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		i32 := b.Int("int", 4, 1)
		second := b.Split()
		s := second.Struct("second", 4, btftest.Field("a", i32, 0))
		third := second.Split()
		u := third.Union("third", 4, btftest.Field("a", s, 0), btftest.Field("int", i32, 0))
		fourth := third.Split()
		fourth.Typedef("fourth", u)
		v := mustSplit(t, fourth.Bytes(), mustSplit(t, third.Bytes(), mustSplit(t, second.Bytes(), mustNew(t, b.Bytes()))))
		compare(t, v, 1, []string{
			`int "int" size 4 encoding 1 bits 32 signed`,
			`struct "second" size 4 vlen 1 [a 1 at 0:0]`,
			`union "third" size 4 vlen 2 [a 2 at 0:0] [int 1 at 0:0]`,
			`typedef "fourth" ref 3`,
		})
		for id, level := range []int{0, 0, 1, 2, 3} {
			if got := v.LevelOf(btfdump.TypeID(id)); got != level {
				t.Errorf("type %d is of level %d, want %d", id, got, level)
			}
		}
		for level := 3; level > 0; level-- {
			v = v.Base()
			if v.NumTypes() != level+1 {
				t.Errorf("base at level %d has %d types", level, v.NumTypes())
			}
		}
		if v.Base() != nil {
			t.Error("the first level has a base")
		}
	})
}

// An empty level has the same first ID as the next one.
func TestBaseBehindAnEmptyLevel(t *testing.T) {
	b := btftest.New()
	second := b.Split()
	second.Int("int", 4, 1)
	third := second.Split()
	third.Ptr(1)
	v := mustSplit(t, third.Bytes(), mustSplit(t, second.Bytes(), mustNew(t, b.Bytes())))
	compare(t, v, 1, []string{`int "int" size 4 encoding 1 bits 32 signed`, `ptr "" ref 1`})
	if got := v.Base().NumTypes(); got != 2 {
		t.Errorf("base has %d IDs, want 2", got)
	}
}

// A split takes the layout section of its base when it has none.
func TestSplitUsesTheLayoutOfItsBase(t *testing.T) {
	b := btftest.New()
	b.HeaderLen = 32
	b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4, ElemSize: 8})
	b.Raw(20, "", 1, false, 0, 1, 2, 3)
	base := mustNew(t, b.Bytes())

	without := b.Split()
	without.HeaderLen = 24
	without.Raw(20, "", 0, false, 0, 1)
	without.Int("int", 4, 1)
	v := mustSplit(t, without.Bytes(), base)
	compare(t, v, 2, []string{`kind 20 ""`, `int "int" size 4 encoding 1 bits 32 signed`})

	with := b.Split()
	with.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 8})
	with.Raw(20, "", 2, false, 0, 1, 2)
	with.Int("int", 4, 1)
	v = mustSplit(t, with.Bytes(), base)
	compare(t, v, 2, []string{`kind 20 "" vlen 2`, `int "int" size 4 encoding 1 bits 32 signed`})
}

func TestSplitIsRefused(t *testing.T) {
	b := btftest.New()
	b.Int("int", 4, 1)
	base := mustNew(t, b.Bytes())
	beyond := b.Split()
	beyond.Ptr(3)
	other := b.Split()
	other.Order = binary.BigEndian
	badName := b.Split()
	badName.RawWords(5, 2<<24, 0)
	for _, c := range []struct {
		name, want string
		raw        []byte
	}{
		{"ID past the end", "refers to type 3", beyond.Bytes()},
		{"name past the end", "offset 5 of 5 bytes", badName.Bytes()},
		{"byte order", "byte order", other.Bytes()},
	} {
		if _, err := btfdump.NewSplit(c.raw, base); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Modules of one kernel count their IDs from the same number on; joined they
// get IDs of their own.
func TestJoin(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		i32 := b.Int("int", 4, 1)
		base := mustNew(t, b.Bytes())
		var views []*btfdump.View
		for _, name := range []string{"a", "b", "c"} {
			m := b.Split()
			s := m.Reserve()
			td := m.Typedef(name+"_t", m.Volatile(s))
			m.At(s).Struct(name, 16, btftest.Field("p", m.Ptr(td), 0), btftest.Field("i", i32, 64))
			proto := m.FuncProto(s, btftest.Arg("x", s), btftest.Arg("i", i32))
			m.DeclTag("bpf_kfunc", m.Func(name+"_fn", proto, btftest.Static), -1)
			m.Datasec(".x", 4, btftest.SecVar{Type: m.Var("v", m.Array(s, i32, 2), 0), Size: 4})
			views = append(views, mustSplit(t, m.Bytes(), base))
		}
		each := views[0].NumTypes() - base.NumTypes()
		joined, err := btfdump.Join(base, views...)
		if err != nil {
			t.Fatal(err)
		}
		if err := walk(joined); err != nil {
			t.Fatal(err)
		}
		if joined.NumTypes() != base.NumTypes()+3*each || joined.Base() == nil || joined.Base().NumTypes() != base.NumTypes() {
			t.Fatalf("%d types", joined.NumTypes())
		}
		for i, name := range []string{"a", "b", "c"} {
			first := base.NumTypes() + i*each
			if got := joined.Lookup(name); !slices.Equal(got, []btfdump.TypeID{btfdump.TypeID(first)}) {
				t.Errorf("%s is at %v, want %d", name, got, first)
			}
			shift := i * each
			own := func(id int) int { return base.NumTypes() + id + shift }
			compare(t, joined, btfdump.TypeID(first), []string{
				fmt.Sprintf(`struct %q size 16 vlen 2 [p %d at 0:0] [i 1 at 64:0]`, name, own(3)),
				fmt.Sprintf(`volatile "" ref %d`, own(0)),
				fmt.Sprintf(`typedef "%s_t" ref %d`, name, own(1)),
				fmt.Sprintf(`ptr "" ref %d`, own(2)),
				fmt.Sprintf(`func_proto "" ref %d vlen 2 (x %d) (i 1)`, own(0), own(0)),
				fmt.Sprintf(`func "%s_fn" ref %d`, name, own(4)),
				fmt.Sprintf(`decl_tag "bpf_kfunc" ref %d component -1`, own(5)),
				fmt.Sprintf(`array "" ref %d len 2 index 1`, own(0)),
				fmt.Sprintf(`var "v" ref %d`, own(7)),
				fmt.Sprintf(`datasec ".x" size 4 vlen 1 [%d at 0 size 4]`, own(8)),
			})
			if got := joined.Resolve(btfdump.TypeID(own(2))); int(got) != own(0) {
				t.Errorf("%s_t resolves to %d, want %d", name, got, own(0))
			}
			if got := joined.SizeOf(btfdump.TypeID(own(7))); got != 32 {
				t.Errorf("array in %s has %d bytes, want 32", name, got)
			}
			if got := joined.KernelID(btfdump.TypeID(own(3))); int(got) != base.NumTypes()+3 {
				t.Errorf("the kernel counts type %d of %s as %d", own(3), name, got)
			}
			if got := joined.LevelOf(btfdump.TypeID(own(0))); got != i+1 {
				t.Errorf("%s is of level %d", name, got)
			}
		}
		for id := range btfdump.TypeID(base.NumTypes()) {
			if got := joined.KernelID(id); got != id {
				t.Errorf("the kernel counts type %d as %d", id, got)
			}
		}
		if got := len(joined.Kfuncs()); got != 3 {
			t.Errorf("%d kfuncs, want 3", got)
		}
	})
}

func TestJoinOfSplitOnSplit(t *testing.T) {
	b := btftest.New()
	i32 := b.Int("int", 4, 1)
	base := mustNew(t, b.Bytes())
	var views []*btfdump.View
	for _, name := range []string{"a", "b"} {
		second := b.Split()
		s := second.Struct(name, 4, btftest.Field("i", i32, 0))
		third := second.Split()
		third.Struct(name+"_inline", 8, btftest.Field("s", s, 0), btftest.Field("i", i32, 32))
		views = append(views, mustSplit(t, third.Bytes(), mustSplit(t, second.Bytes(), base)))
	}
	joined, err := btfdump.Join(base, views...)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, joined, 1, []string{
		`int "int" size 4 encoding 1 bits 32 signed`,
		`struct "a" size 4 vlen 1 [i 1 at 0:0]`,
		`struct "a_inline" size 8 vlen 2 [s 2 at 0:0] [i 1 at 32:0]`,
		`struct "b" size 4 vlen 1 [i 1 at 0:0]`,
		`struct "b_inline" size 8 vlen 2 [s 4 at 0:0] [i 1 at 32:0]`,
	})
}

func TestJoinIsRefused(t *testing.T) {
	b := btftest.New()
	b.Int("int", 4, 1)
	base, again := mustNew(t, b.Bytes()), mustNew(t, b.Bytes())
	split := b.Split()
	split.Ptr(1)
	onBase, onAgain := mustSplit(t, split.Bytes(), base), mustSplit(t, split.Bytes(), again)
	for name, views := range map[string][]*btfdump.View{
		"another base": {onBase, onAgain}, "no split": {base}, "base alone": {again},
	} {
		if _, err := btfdump.Join(base, views...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	joined, err := btfdump.Join(base, onBase, onBase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := btfdump.NewSplit(split.Bytes(), joined); err == nil {
		t.Error("split BTF on a join of two modules: no error")
	}
	if v, err := btfdump.Join(base); err != nil || v.NumTypes() != base.NumTypes() {
		t.Errorf("join of nothing: %v", err)
	}
}
