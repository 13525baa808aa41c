package cgen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// nested adds a record with anonymous ones in it, as deep as given.
func nested(b *btftest.Builder, depth int, member string) {
	id := b.Struct("", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
	for range depth - 1 {
		id = b.Struct("", 4, btftest.Field(member, id, 0))
	}
	b.Struct("outer", 4, btftest.Field(member, id, 0))
}

// hostile are BTFs that are well-formed but that C can't express, and what the
// error about it says.
var hostile = []struct {
	name  string
	build func(b *btftest.Builder)
	typ   string // the one that the error has to name
	want  string
}{
	{"2^30 copies of an anonymous record", func(b *btftest.Builder) { expansion(b, 30) }, "outer", "repeat each other so often"},
	{"anonymous members 121 deep", func(b *btftest.Builder) { nested(b, 121, "") }, "outer", "more than 120 deep"},
	{"members of anonymous types 121 deep", func(b *btftest.Builder) { nested(b, 121, "m") }, "outer", "more than 120 deep"},
	{"prototypes 121 deep", func(b *btftest.Builder) {
		id := btftest.Void
		for range 202 {
			id = b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", b.Ptr(id))))
		}
		b.Typedef("callback", id)
	}, "callback", "more than 120 deep"},
	{"a prototype that takes itself", func(b *btftest.Builder) {
		proto := b.Reserve()
		p := b.Ptr(proto)
		b.At(proto).FuncProto(btftest.Void, btftest.Arg("", p))
		b.Typedef("callback", p)
	}, "callback", "more than 120 deep"},
	{"a prototype that takes itself twice", func(b *btftest.Builder) {
		proto := b.Reserve()
		p := b.Ptr(proto)
		b.At(proto).FuncProto(btftest.Void, btftest.Arg("", p), btftest.Arg("", p))
		b.Typedef("callback", p)
	}, "callback", "more than 120 deep"},
	{"a prototype that returns itself", func(b *btftest.Builder) {
		proto := b.Reserve()
		p := b.Ptr(proto)
		b.At(proto).FuncProto(p)
		b.Typedef("callback", p)
	}, "callback", "more than 120 deep"},
	{"a member that is void", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("a", b.Int("int", 4, btftest.Signed), 0), btftest.Field("c", btftest.Void, 32))
	}, "s", "member or array element that is void"},
	{"a member that is void by a typedef", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("c", b.Typedef("none", b.Const(btftest.Void)), 32))
	}, "s", "member or array element that is void"},
	{"a pointer to an array of void", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("c", b.Ptr(b.Array(btftest.Void, b.Int("int", 4, btftest.Signed), 3)), 0))
	}, "s", "member or array element that is void"},
	{"an int of no bytes", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("c", b.Int("()", 0, 0), 0))
	}, "s", "a number of a size that C has no type for"},
	{"void before another parameter", func(b *btftest.Builder) {
		b.Typedef("callback", b.FuncProto(btftest.Void, btftest.Arg("a", btftest.Void), btftest.Arg("b", b.Ptr(btftest.Void))))
	}, "callback", "a parameter that is void"},
	{"a parameter that is void", func(b *btftest.Builder) {
		b.Typedef("callback", b.FuncProto(btftest.Void, btftest.Arg("a", b.Const(btftest.Void)), btftest.Arg("b", b.Ptr(btftest.Void))))
	}, "callback", "a parameter that is void"},
	{"a typedef without a name", func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Field("a", b.Typedef("", b.Int("int", 4, btftest.Signed)), 0))
	}, "s", "without a name"},
	{"a forward declaration without a name", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("a", b.Ptr(b.FwdStruct("")), 0))
	}, "s", "without a name"},
	{"an array of 2^61 bytes", func(b *btftest.Builder) {
		i := b.Int("long unsigned int", 8, 0)
		b.Typedef("t", b.Ptr(b.Array(b.Array(i, i, 1<<29), i, 1<<29)))
	}, "t", "2^61 bytes"},
	{"an anonymous record that points to itself", func(b *btftest.Builder) {
		s := b.Reserve()
		p := b.Ptr(s)
		b.At(s).Struct("", 8, btftest.Field("next", p, 0))
		b.Struct("outer", 8, btftest.Field("list", s, 0))
	}, "outer", "more than 120 deep"},
	{"two records of one name with such a list", func(b *btftest.Builder) {
		for _, size := range []uint32{8, 16} {
			s := b.Reserve()
			p := b.Ptr(s)
			b.At(s).Struct("", 8, btftest.Field("next", p, 0))
			b.Struct("outer", size, btftest.Field("list", s, 0))
		}
	}, "outer", "more than 120 deep"},
	{"a typedef whose prototype takes it", func(b *btftest.Builder) {
		def := b.Reserve()
		proto := b.FuncProto(btftest.Void, btftest.Arg("", def))
		b.At(def).Typedef("t", b.Ptr(proto))
	}, "t", "needs itself"},
	{"members of the same name", func(b *btftest.Builder) {
		c := b.Int("char", 1, btftest.Char)
		b.Struct("twins", 2, btftest.Field("x", c, 0), btftest.Field("x", c, 8))
	}, "twins", "another one has the same name"},
	{"members of the same name, one in an anonymous record", func(b *btftest.Builder) {
		c := b.Int("char", 1, btftest.Char)
		b.Struct("twins", 2, btftest.Field("x", c, 0), btftest.Field("", b.Struct("", 1, btftest.Field("x", c, 0)), 8))
	}, "twins", "another one has the same name"},
	{"a name that ends the declaration", func(b *btftest.Builder) { b.Struct("x; } evil", 0) }, "x; } evil", "no C identifier"},
	{"such a member", func(b *btftest.Builder) {
		b.Struct("s", 1, btftest.Field("x; int y", b.Int("char", 1, btftest.Char), 0))
	}, "s", "no C identifier"},
	{"such an enumerator", func(b *btftest.Builder) { b.Enum("e", 4, btftest.Val("A = 1, B", 0)) }, "e", "no C identifier"},
	{"a tag that ends its string", func(b *btftest.Builder) {
		b.Typedef("t", b.Ptr(b.TypeTag("\")))) evil", b.FwdStruct("s"))))
	}, "t", "a type tag has other characters than"},
	{"a tag with a trigraph", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("p", b.Ptr(b.TypeTag("a??/", b.FwdStruct("t"))), 0))
	}, "s", "a type tag has other characters than"},
	{"a tag with a comment", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("p", b.Ptr(b.TypeTag("/*", b.FwdStruct("t"))), 0))
	}, "s", "a type tag has other characters than"},
	{"a tag with a universal character name", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("p", b.Ptr(b.TypeTag("\\u0022", b.FwdStruct("t"))), 0))
	}, "s", "a type tag has other characters than"},
	{"a tag with a digraph", func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("p", b.Ptr(b.TypeTag("%:define", b.FwdStruct("t"))), 0))
	}, "s", "a type tag has other characters than"},
	{"a member called as a predefined macro", func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Field("__LINE__", b.Int("int", 4, btftest.Signed), 0))
	}, "s", "a predefined macro or a keyword of a compiler's"},
	{"such a member of an anonymous record", func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Field("", b.Union("", 4, btftest.Field("__BPF__", b.Int("int", 4, btftest.Signed), 0)), 0))
	}, "s", "a predefined macro or a keyword of a compiler's"},
	{"a member called as one of the header's macros", func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Field("__weak", b.Int("int", 4, btftest.Signed), 0))
	}, "s", "or a macro that headers define"},
	{"members bool and bool_, of which one is the other in C23", func(b *btftest.Builder) {
		i := b.Int("int", 4, btftest.Signed)
		b.Struct("s", 8, btftest.Field("bool", i, 0), btftest.Field("bool_", i, 32))
	}, "s", "another one has the same name"},
	{"a kfunc called as a function of C's", func(b *btftest.Builder) { kfuncCalled(b, "memcpy") }, "memcpy", "a function of C's"},
	{"a kfunc called as a function of a compiler's", func(b *btftest.Builder) { kfuncCalled(b, "__builtin_trap") }, "__builtin_trap", "of a compiler's"},
	{"a kfunc called as a keyword", func(b *btftest.Builder) { kfuncCalled(b, "int") }, "int", "a keyword of C"},
	{"a kfunc called as a keyword of C23", func(b *btftest.Builder) { kfuncCalled(b, "alignas") }, "alignas", "a keyword of C"},
	{"a kfunc called as a type of stdint.h", func(b *btftest.Builder) { kfuncCalled(b, "uint32_t") }, "uint32_t", "a type of C's"},
	{"a kfunc called as one of the header's macros", func(b *btftest.Builder) { kfuncCalled(b, "__ksym") }, "__ksym", "or a macro that headers define"},
}

// kfuncCalled adds a kfunc.
func kfuncCalled(b *btftest.Builder, name string) {
	b.DeclTag("bpf_kfunc", b.Func(name, b.FuncProto(btftest.Void), 0), -1)
}

func TestHostile(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			b := btftest.New()
			c.build(b)
			v, err := btfdump.New(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			text, err := makeHeader(v, nil, cgen.Options{Kfuncs: true})
			var inside *cgen.TypeError
			if !errors.As(err, &inside) {
				t.Fatalf("want an error about a type, have %v and a header of %d bytes", err, len(text))
			}
			if inside.Name != c.typ || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q about %q, have %v", c.want, c.typ, err)
			}
			if text != nil {
				t.Errorf("%d bytes beside the error", len(text))
			}
		})
	}
}

// view reads what build makes.
func view(t *testing.T, build func(b *btftest.Builder)) *btfdump.View {
	t.Helper()
	b := btftest.New()
	build(b)
	v, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// header returns the header of a set of types.
func header(t *testing.T, v *btfdump.View, set *btfdump.Set) string {
	t.Helper()
	text, err := makeHeader(v, set, cgen.Options{NoProvenance: true})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDeepestNesting(t *testing.T) {
	text := header(t, view(t, func(b *btftest.Builder) { nested(b, 120, "") }), nil)
	if want := "\n" + strings.Repeat("\t", 121) + "int x;\n"; !strings.Contains(text, want) {
		t.Error("the innermost member is not there")
	}
}

func TestLongChains(t *testing.T) {
	const n = 10000
	text := header(t, view(t, func(b *btftest.Builder) {
		id := b.Int("int", 4, btftest.Signed)
		pointer := id
		for i := range n {
			id = b.Typedef(fmt.Sprintf("t%d", i), id)
			pointer = b.Ptr(pointer)
		}
		b.Typedef("deep", pointer)
	}), nil)
	want := "typedef int t0;\n"
	for i := 1; i < n; i++ {
		want += fmt.Sprintf("typedef t%d t%d;\n", i-1, i)
	}
	if !strings.Contains(text, want) {
		t.Error("typedefs do not come each after what it needs")
	}
	if want := "typedef int " + strings.Repeat("*", n) + "deep;\n"; !strings.Contains(text, want) {
		t.Errorf("the typedef of %d pointers is not there", n)
	}
}

// Each struct holds the next one: their order is the reverse of their names'.
func TestLongChainOfMembers(t *testing.T) {
	const n = 10000
	text := header(t, view(t, func(b *btftest.Builder) {
		id := b.Int("int", 4, btftest.Signed)
		for i := range n {
			id = b.Struct(fmt.Sprintf("s%05d", n-i), 4, btftest.Field("m", id, 0))
		}
	}), nil)
	if first, last := strings.Index(text, "struct s10000 {"), strings.Index(text, "struct s00001 {"); first < 0 || last < first {
		t.Errorf("the innermost is at %d, the outermost at %d", first, last)
	}
	if got := strings.Count(text, "\tstruct s"); got != n-1 {
		t.Errorf("%d members are structs, want %d", got, n-1)
	}
}

func TestManyMembers(t *testing.T) {
	const n = 1 << 20
	text := header(t, view(t, func(b *btftest.Builder) {
		c := b.Int("char", 1, btftest.Char)
		members := make([]btftest.Member, n)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprintf("m%d", i), c, uint32(8*i))
		}
		b.Struct("wide", n, members...)
	}), nil)
	if got := strings.Count(text, "\tchar m"); got != n {
		t.Errorf("%d members, want %d", got, n)
	}
	if !strings.Contains(text, fmt.Sprintf("\tchar m%d;\n}", n-1)) {
		t.Error("the last member is not the last")
	}
}

// enumeratorsOfOneName adds an enum whose values have all the same name.
func enumeratorsOfOneName(b *btftest.Builder, n int) {
	values := make([]btftest.Enumerator, n)
	for i := range values {
		values[i] = btftest.Val("A", i)
	}
	b.Enum("e", 4, values...)
}

func TestManyEnumeratorsOfOneName(t *testing.T) {
	const n = 1024
	text := header(t, view(t, func(b *btftest.Builder) { enumeratorsOfOneName(b, n) }), nil)
	if want := "enum e {\n\tA = 0,\n\tA___2 = 1,\n"; !strings.Contains(text, want) {
		t.Errorf("want %q", want)
	}
	if want := fmt.Sprintf("\tA___%d = %d,\n}", n, n-1); !strings.Contains(text, want) {
		t.Errorf("want %q", want)
	}
}

// A kind that only the layout section describes can be skipped, not used.
func TestUnknownKind(t *testing.T) {
	build := func(used bool) *btftest.Builder {
		b := btftest.New()
		b.HeaderLen = 32
		b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4})
		unknown := b.Raw(len(b.Layout)-1, "", 0, false, 0, 0)
		if used {
			b.Typedef("t", b.Ptr(unknown))
		}
		return b
	}
	v, err := btfdump.New(build(false).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	header(t, v, nil)
	v, err = btfdump.New(build(true).Bytes())
	if err == nil {
		_, err = makeHeader(v, nil, cgen.Options{})
	}
	if err == nil || !strings.Contains(err.Error(), "kind") || !strings.Contains(err.Error(), `"t"`) {
		t.Errorf("want an error about the kind that t refers to, have %v", err)
	}
}

// What a pattern selects is defined, and what is only pointed to is not.
func TestSelection(t *testing.T) {
	v := view(t, func(b *btftest.Builder) {
		i := b.Int("int", 4, btftest.Signed)
		far := b.Struct("far", 4, btftest.Field("x", i, 0))
		near := b.Struct("near", 4, btftest.Field("x", b.Typedef("number", i), 0))
		b.Struct("chosen", 16, btftest.Field("p", b.Ptr(far), 0), btftest.Field("n", near, 64))
		b.Struct("other", 16, btftest.Field("c", b.Ptr(near), 0))
	})
	roots, err := v.Match("cho*")
	if err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[btfdump.Policy]string{
		btfdump.PointersForward:  "number near chosen",
		btfdump.PointersFollowed: "number near chosen far",
	} {
		set := v.Closure(roots, policy)
		text := header(t, v, set)
		var got []string
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			switch {
			case strings.HasPrefix(line, "typedef"):
				got = append(got, strings.TrimSuffix(f[2], ";"))
			case strings.HasPrefix(line, "struct") && f[2] == "{":
				got = append(got, f[1])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("policy %d: defined are %v, want %s", policy, got, want)
		}
		if !strings.Contains(text, "\tstruct far *p;\n") {
			t.Errorf("policy %d: the pointer is not there", policy)
		}
	}
}

// ends adds a string of 4000 letters, and returns where each of its ends starts.
func ends(b *btftest.Builder) []uint32 {
	at := b.RawString([]byte(strings.Repeat("a", 4000) + "\x00"))
	var all []uint32
	for i := range uint32(4000) {
		all = append(all, at+i)
	}
	return all
}

// No kernel comes near the limits that these meet. Each error must name a type,
// and tell what there is too much of.
func TestTooMuchOfOneName(t *testing.T) {
	for name, c := range map[string]struct {
		build func(b *btftest.Builder)
		typ   string
		want  string
	}{
		"structs": {func(b *btftest.Builder) {
			for i := range 1025 {
				b.Struct("s", uint32(i))
			}
		}, "s", "more than 1024 different types have its name"},
		"typedefs of each other": {func(b *btftest.Builder) {
			id := b.Int("int", 4, btftest.Signed)
			for range 100000 {
				id = b.Typedef("t", id)
			}
		}, "t", "differ only in types that they refer to"},
		"structs in each other": {func(b *btftest.Builder) {
			id := b.Struct("s", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
			for range 100000 {
				id = b.Struct("s", 4, btftest.Field("m", id, 0))
			}
		}, "s", "differ only in types that they refer to"},
		"two structs of each name, which lead to each other": {func(b *btftest.Builder) {
			p, q := b.Struct("s", 4), b.Struct("s", 8)
			for i := range 10000 {
				name := fmt.Sprint("s", i)
				p, q = b.Struct(name, 8, btftest.Field("m", b.Ptr(p), 0)), b.Struct(name, 8, btftest.Field("m", b.Ptr(q), 0))
			}
		}, "", "differ only in types that they refer to"},
		"enumerators of one enum": {func(b *btftest.Builder) { enumeratorsOfOneName(b, 1025) }, "e", "enumerator \"A\": more than 1024"},
		"enumerators of enums without a name": {func(b *btftest.Builder) {
			for i := range 1025 {
				b.Enum("", 4, btftest.Val("A", i))
			}
		}, "", "enumerator \"A\": more than 1024"},
		"structs whose names are ends of each other": {func(b *btftest.Builder) {
			for _, at := range ends(b) {
				b.RawWords(at, btftest.KindStruct<<24, 0)
			}
		}, "", "share their bytes in the string section"},
		"enumerators whose names are ends of each other": {func(b *btftest.Builder) {
			var tail []uint32
			for i, at := range ends(b) {
				tail = append(tail, at, uint32(i))
			}
			b.Raw(btftest.KindEnum, "e", 4000, false, 4, tail...)
		}, "e", "share their bytes in the string section"},
		"long names that need suffixes": {func(b *btftest.Builder) {
			for k := range 10 {
				values := make([]btftest.Enumerator, 100)
				for i := range values {
					values[i] = btftest.Val(fmt.Sprint(strings.Repeat("n", 500), i%10), i)
				}
				b.Enum(fmt.Sprint("e", k), 4, values...)
			}
		}, "", "need a suffix each"},
		"typedefs of one chain of qualifiers": {func(b *btftest.Builder) {
			id := b.Int("int", 4, btftest.Signed)
			for i := range 20000 {
				id = b.Const(id)
				b.Typedef(fmt.Sprint("t", i), id)
			}
		}, "", "the types without a name that it is made of are so many"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := makeHeader(view(t, c.build), nil, cgen.Options{})
			var inside *cgen.TypeError
			if !errors.As(err, &inside) || inside.ID == 0 || text != nil {
				t.Fatalf("want an error about a type, have %v and %d bytes", err, len(text))
			}
			if c.typ != "" && inside.Name != c.typ || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q about %q, have %v", c.want, c.typ, err)
			}
		})
	}
}

// Names stored once can be printed often: neither members nor tags may make
// the header out of proportion.
func TestHeaderOutOfProportion(t *testing.T) {
	long := strings.Repeat("n", 4000)
	for name, build := range map[string]func(b *btftest.Builder){
		"members": func(b *btftest.Builder) {
			def := b.Typedef(long, b.Int("char", 1, btftest.Char))
			members := make([]btftest.Member, 20000)
			for i := range members {
				members[i] = btftest.Field(fmt.Sprint("m", i), def, uint32(8*i))
			}
			b.Struct("wide", uint32(len(members)), members...)
		},
		"tags": func(b *btftest.Builder) {
			id := btftest.ID(b.FwdStruct("s"))
			for range 20000 {
				id = b.TypeTag(long, id)
			}
			b.Typedef("t", b.Ptr(id))
		},
		"typedefs": func(b *btftest.Builder) {
			def := b.Typedef(long, b.Int("char", 1, btftest.Char))
			for i := range 20000 {
				b.Typedef(fmt.Sprint("t", i), def)
			}
		},
	} {
		v := view(t, build)
		if text, err := makeHeader(v, nil, cgen.Options{}); err == nil || !strings.Contains(err.Error(), "far larger than the BTF") {
			t.Errorf("%s: %d bytes of BTF make a header of %d: %v", name, v.RawLen(), len(text), err)
		}
	}
}
