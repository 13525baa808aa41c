package btfdump_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestLookup(t *testing.T) {
	b := btftest.New()
	s := b.Struct("thing", 0)
	e := b.Enum("thing", 4)
	b.Struct("", 0)
	td := b.Typedef("thing", s)
	v := mustNew(t, b.Bytes())
	ids := func(ids ...btftest.ID) (out []btfdump.TypeID) {
		for _, id := range ids {
			out = append(out, btfdump.TypeID(id))
		}
		return out
	}
	for _, c := range []struct {
		name  string
		kinds []btfdump.Kind
		want  []btfdump.TypeID
	}{
		{"thing", nil, ids(s, e, td)},
		{"thing", []btfdump.Kind{btfdump.KindEnum}, ids(e)},
		{"thing", []btfdump.Kind{btfdump.KindTypedef, btfdump.KindStruct}, ids(s, td)},
		{"thing", []btfdump.Kind{btfdump.KindUnion}, nil},
		{"thin", nil, nil}, {"", nil, nil}, {"things", nil, nil},
	} {
		if got := v.Lookup(c.name, c.kinds...); !slices.Equal(got, c.want) {
			t.Errorf("%q %v: %v, want %v", c.name, c.kinds, got, c.want)
		}
	}
}

// Every name of a kernel leads back to its type.
func TestLookupOfEveryName(t *testing.T) {
	v := corpusView(t, btftest.Kernels[1])
	for typ := range v.All() {
		name := typ.Name()
		if name == "" {
			continue
		}
		if got := v.Lookup(name, typ.Kind()); !slices.Contains(got, typ.ID()) || !slices.IsSorted(got) {
			t.Fatalf("%s %q: %v, want type %d among them", typ.Kind(), name, got, typ.ID())
		}
	}
}

func TestMatch(t *testing.T) {
	b := btftest.New()
	b.Int("sk_int", 4, 1)
	skBuff := b.Struct("sk_buff", 0)
	sk := b.Union("sk", 0)
	skFwd := b.FwdStruct("sk_fwd")
	skFwdUnion := b.FwdUnion("sk_fwdu")
	skEnum := b.Enum("sk_enum", 4)
	skEnum64 := b.Enum64("sk_e64", 8)
	skT := b.Typedef("sk_t", skBuff)
	proto := b.FuncProto(btftest.Void)
	kfunc := b.Func("sk_kfunc", proto, 0)
	b.Func("sk_func", proto, 0)
	b.DeclTag("bpf_kfunc", kfunc, -1)
	b.Var("sk_var", skT, 0)
	v := mustNew(t, b.Bytes())
	for _, c := range []struct {
		pattern string
		want    []btftest.ID
	}{
		{"sk_*", []btftest.ID{skBuff, skFwd, skFwdUnion, skEnum, skEnum64, skT, kfunc}},
		{"sk*", []btftest.ID{skBuff, sk, skFwd, skFwdUnion, skEnum, skEnum64, skT, kfunc}},
		{"sk", []btftest.ID{sk}},
		{"sk_kfunc", []btftest.ID{kfunc}},
		{"sk_[bt]*", []btftest.ID{skBuff, skT}},
		{"sk_?", []btftest.ID{skT}},
		{"struct sk_*", []btftest.ID{skBuff, skFwd}},
		{"union sk*", []btftest.ID{sk, skFwdUnion}},
		{"enum sk_*", []btftest.ID{skEnum, skEnum64}},
		{"typedef *", []btftest.ID{skT}},
		{"func sk_*", []btftest.ID{kfunc}},
		{"func sk_func", nil}, {"sk_int", nil}, {"sk_var", nil}, {"nothing*", nil}, {"", nil}, {"struct sk", nil},
	} {
		ids, err := v.Match(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		var got []btftest.ID
		for _, id := range ids {
			got = append(got, btftest.ID(id))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.pattern, got, c.want)
		}
	}
	for _, pattern := range []string{"[", "struct [a", "class foo", "unsigned int"} {
		if ids, err := v.Match(pattern); err == nil {
			t.Errorf("%q: %v and no error", pattern, ids)
		}
	}
}

func TestKfuncs(t *testing.T) {
	b := btftest.New()
	proto := b.FuncProto(btftest.Void, btftest.Arg("x", b.Int("int", 4, 1)))
	plain := b.Func("plain", proto, 0)
	fast := b.Func("fast", proto, 0)
	none := b.Func("none", proto, 0)
	b.DeclTag("bpf_fastcall", fast, -1)
	b.DeclTag("bpf_kfunc", fast, -1)
	b.DeclTag("bpf_kfunc", plain, -1)
	b.DeclTag("bpf_kfunc", fast, -1)
	b.DeclTag("bpf_kfunc", none, 0)
	b.DeclTag("bpf_kfunc", b.Struct("s", 0), -1)
	got := mustNew(t, b.Bytes()).Kfuncs()
	want := []btfdump.Kfunc{{Func: btfdump.TypeID(fast), Fastcall: true}, {Func: btfdump.TypeID(plain)}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n := len(corpusView(t, btftest.Kernels[0]).Kfuncs()); n < 100 {
		t.Errorf("the kernel %s has %d kfuncs", btftest.Kernels[0].Name, n)
	}
}

// TestStartingWith compares with a look at every name.
func TestStartingWith(t *testing.T) {
	base, err := btfdump.New(btftest.Corpus(t, "amd64-7.2-cloud"))
	if err != nil {
		t.Fatal(err)
	}
	view, err := btfdump.NewSplit(btftest.Corpus(t, "amd64-7.2-cloud.btrfs"), base)
	if err != nil {
		t.Fatal(err)
	}
	types := []btfdump.Kind{btfdump.KindInt, btfdump.KindStruct, btfdump.KindTypedef, btfdump.KindFwd}
	for _, ks := range [][]btfdump.Kind{types, {btfdump.KindFunc}, {btfdump.KindUnion}, nil} {
		for _, names := range [][]string{nil, {"task_struct"}, {"btrfs_root", "list_head", "pid_t"}, {"x", "zs_"}, {"no such type"}, {"u8", "\x00"}} {
			set := make(map[string]bool)
			for _, name := range names {
				set[name] = true
			}
			var want []btfdump.TypeID
			for typ := range view.All() {
				if typ.HasName() && (len(ks) == 0 || slices.Contains(ks, typ.Kind())) && slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(typ.Name(), name) }) {
					want = append(want, typ.ID())
				}
			}
			if got := view.StartingWith(set, ks...); !slices.Equal(got, want) {
				t.Errorf("%q of %v: %d types, want %d", names, ks, len(got), len(want))
			}
		}
	}
}
