package gogen_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"go/format"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// sample has a bit of everything, some of it odd.
func sample(b *btftest.Builder) {
	u8, u32, u64 := b.Int("unsigned char", 1, 0), b.Int("unsigned int", 4, 0), b.Int("unsigned long", 8, 0)
	char, boolean := b.Int("char", 1, btftest.Signed), b.Int("_Bool", 1, btftest.Bool)
	i128, long := b.Int("__int128", 16, btftest.Signed), b.Float("long double", 16)
	state := b.SignedEnum("state", 4, btftest.Val("A", -1), btftest.Val("B", 1), btftest.Val("B_", 1))
	anonymous := b.Enum("", 1, btftest.Val("A", 300), btftest.Val("C", 7))
	node := b.Reserve()
	pointer := b.Ptr(b.Const(node))
	inner := b.Struct("", 8, btftest.Field("x", u32, 0), btftest.Bitfield("y", u32, 32, 5), btftest.Bitfield("z", state, 37, 20))
	union := b.Union("", 16, btftest.Field("n", u64, 0), btftest.Field("", inner, 0), btftest.Field("e", anonymous, 0), btftest.Field("l", long, 0))
	b.At(node).Struct("node", 96, btftest.Field("next", pointer, 0), btftest.Field("", union, 64), btftest.Field("named", inner, 192),
		btftest.Field("odd", u64, 264), btftest.Field("name", b.Array(char, u32, 5), 328), btftest.Field("ok", boolean, 368),
		btftest.Field("both", b.Array(inner, u32, 2), 384), btftest.Field("wide", i128, 512),
		btftest.Bitfield("huge", i128, 640, 72), btftest.Field("empty", b.Array(union, u32, 0), 736), btftest.Field("tail", b.Array(u8, u32, 0), 736))
	b.Typedef("kuid_t", b.Struct("", 4, btftest.Field("val", u32, 0)))
	b.Typedef("node", node)
	b.Typedef("fn", b.FuncProto(u32, btftest.Arg("a", pointer), btftest.Variadic()))
	b.Typedef("table", b.Array(inner, u32, 3))
	b.Union("nothing", 0)
	b.Enum("none", 4)
	b.Enum64("Node", 8, btftest.Val("Ptr", uint64(1)<<40), btftest.Val("node_", 3))
	b.Var("v", u32, btftest.Global)
	b.Var("config", b.Array(inner, u32, 3), btftest.Global)
	b.Var("mode", b.Volatile(anonymous), btftest.Static)
	b.Var("state", node, btftest.Global)
	counts := b.Var("counts", b.Struct("", 24, btftest.Field("type", pointer, 0), btftest.Field("key", b.Ptr(inner), 64),
		btftest.Field("value", b.Ptr(b.Array(union, u32, 2)), 128)), btftest.Global)
	b.Datasec(".maps", 24, btftest.SecVar{Type: counts, Size: 24})
	b.FwdStruct("unknown")
}

// sampleView returns the view of the sample.
func sampleView(t testing.TB, order binary.AppendByteOrder) *btfdump.View {
	t.Helper()
	b := btftest.New()
	b.Order = order
	sample(b)
	return view(t, b.Bytes())
}

// nest makes records that hold each other.
func nest(b *btftest.Builder, depth int) {
	id := b.Int("int", 4, 0)
	for i := range depth {
		id = b.Struct(fmt.Sprintf("s%d", i), 4, btftest.Field("a", id, 0))
	}
}

// hostile are blobs that New lets pass. Each gives Go code, or an error with
// the text given.
var hostile = map[string]struct {
	build func(b *btftest.Builder)
	err   string
}{
	"names that clash": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		for _, name := range []string{"foo_bar", "FooBar", "_foo_bar", "fooBar", "foo_bar_2", "ptr", "View", "bool", "true", "uint128", "order", "type", "func", "_", "__", "_1", "init", "main"} {
			b.Struct(name, 8, btftest.Field(name, u, 0), btftest.Field(name+"_", u, 32))
			b.Union(name, 4, btftest.Field("a", u, 0))
			b.Enum(name+"_e", 4, btftest.Val(name, 1), btftest.Val(strings.ToUpper(name), 2))
			b.Typedef(name, u)
		}
	}, ""},
	"members that are methods": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		var members []btftest.Member
		for _, name := range []string{"String", "string", "unmarshal_binary", "append_binary", "marshal_binary", "swapBytes", "read_byte", "set_a", "a", "a_string", "raw0", "bits0", "x", "lock", "unlock"} {
			members = append(members, btftest.Field(name, u, 0))
		}
		b.Union("u", 4, members...)
		b.Struct("s", 4, members[0], btftest.Bitfield("b", u, 0, 3))
	}, ""},
	"a type that is no identifier":   {func(b *btftest.Builder) { b.Struct("a;b", 0) }, "no C identifier"},
	"a member that is no identifier": {func(b *btftest.Builder) { b.Struct("s", 4, btftest.Field("a\nb", b.Int("int", 4, 0), 0)) }, "no C identifier"},
	"an enumerator that is no identifier": {func(b *btftest.Builder) {
		b.Enum("e", 4, btftest.Val("a b", 1))
	}, "no C identifier"},
	"a member of a type that is no identifier": {func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Field("a", b.Struct("x}y", 4, btftest.Field("i", b.Int("int", 4, 0), 0)), 0))
	}, "no C identifier"},
	"members of one name": {func(b *btftest.Builder) {
		u := b.Int("int", 4, 0)
		b.Struct("s", 8, btftest.Field("a", u, 0), btftest.Field("", b.Union("", 4, btftest.Field("a", u, 0)), 32))
	}, "another one has the same name"},
	"a comment that is none": {func(b *btftest.Builder) {
		b.Struct("s", 8, btftest.Field("a", b.Ptr(b.FwdStruct("x\n}*/")), 0))
	}, ""},
	"a comment that gofmt would change": {func(b *btftest.Builder) {
		var members []btftest.Member
		for i, name := range []string{"``ng", "g''", "```'''", "# head", "[a]: http://b", "- item", "   "} {
			members = append(members, btftest.Field(fmt.Sprint("m", i), b.Ptr(b.FwdStruct(name)), uint32(i)*64),
				btftest.Bitfield(fmt.Sprint("b", i), b.Int(name, 8, 0), uint32(i)*64, 7))
		}
		b.Union("u", 8*7, members...)
	}, ""},
	"members that overlap": {func(b *btftest.Builder) {
		u := b.Int("unsigned long", 8, 0)
		b.Struct("s", 16, btftest.Field("a", u, 0), btftest.Field("b", u, 32), btftest.Bitfield("c", u, 3, 60), btftest.Field("d", u, 64))
	}, ""},
	"typedefs, 10,000 deep": {func(b *btftest.Builder) {
		id := b.Int("int", 4, 0)
		for i := range 10000 {
			id = b.Typedef(fmt.Sprintf("t%d", i), id)
		}
		b.Struct("s", 4, btftest.Field("a", id, 0))
	}, ""},
	"records, 13 deep": {func(b *btftest.Builder) { nest(b, 13) }, ""}, // as in Linux
	"records, 18 deep": {func(b *btftest.Builder) { nest(b, 18) }, ""},
	"records, 19 deep": {func(b *btftest.Builder) { nest(b, 19) }, "nested more than 18 deep"},
	"records, 10,000 deep": {func(b *btftest.Builder) {
		nest(b, 10000)
	}, "nested more than"},
	"records without a name, 10,000 deep": {func(b *btftest.Builder) {
		id := b.Int("int", 4, 0)
		for range 10000 {
			id = b.Struct("", 4, btftest.Field("a", id, 0))
		}
		b.Struct("s", 4, btftest.Field("a", id, 0))
	}, "nested more than"},
	"records that double": {func(b *btftest.Builder) {
		id := b.Int("int", 4, 0)
		for range 17 {
			id = b.Union("", 4, btftest.Field("a", id, 0), btftest.Field("b", id, 0))
		}
		b.Struct("s", 4, btftest.Field("a", id, 0))
	}, "far larger than the BTF"},
	"unnamed members that double": {func(b *btftest.Builder) {
		id := b.Union("", 4, btftest.Field("x", b.Int("int", 4, 0), 0))
		for range 40 {
			id = b.Union("", 4, btftest.Field("", id, 0), btftest.Field("", id, 0))
		}
		b.Struct("s", 4, btftest.Field("a", id, 0))
	}, "far larger than the BTF"},
	"a record of 2 GiB": {func(b *btftest.Builder) { b.Struct("s", 1<<31) }, "limited"},
	"an array of 2^64 bytes": {func(b *btftest.Builder) {
		u := b.Int("unsigned long", 8, 0)
		b.Typedef("t", b.Array(b.Array(u, u, 1<<31), u, 1<<31))
	}, "limited"},
	"no elements of an array of 2^62 bytes": {func(b *btftest.Builder) {
		u := b.Int("unsigned long", 8, 0)
		b.Struct("s", 0, btftest.Field("a", b.Array(b.Array(u, u, 1<<31), u, 0), 0))
	}, "limited"},
	"enums that are declared only": {func(b *btftest.Builder) {
		forward := b.Enum("e", 0)
		b.Struct("s", 16, btftest.Field("a", b.Ptr(forward), 0), btftest.Field("b", b.Ptr(b.Typedef("t", forward)), 64))
		b.Var("v", forward, btftest.Global)
		b.Typedef("u", b.Enum("", 0))
		b.Enum("both", 0)
		b.Enum("both", 4, btftest.Val("BOTH", 1))
	}, ""},
	"everything has no size": {func(b *btftest.Builder) {
		e := b.Struct("e", 0)
		u := b.Union("u", 0, btftest.Field("e", e, 0))
		b.Struct("s", 0, btftest.Field("e", e, 0), btftest.Field("u", u, 0), btftest.Field("many", b.Array(u, b.Int("int", 4, 0), 5), 0))
	}, ""},
	"what rustc has and C has not": {func(b *btftest.Builder) {
		i := b.Int("i32", 4, btftest.Signed)
		unit := b.Int("()", 0, 0)
		proto := b.FuncProto(unit, btftest.Arg("", btftest.Void), btftest.Arg("", i))
		b.Int("long", 8, btftest.Signed)
		b.Struct("wrapper", 24, btftest.Field("a", i, 0), btftest.Field("unit", unit, 32), btftest.Field("c", btftest.Void, 0),
			btftest.Field("units", b.Array(unit, i, 5), 64), btftest.Field("chars", b.Array(btftest.Void, i, 3), 64), btftest.Field("f", b.Ptr(proto), 64), btftest.Field("end", btftest.Void, 192))
		b.Var("v", btftest.Void, btftest.Global)
	}, ""},
	"a pointer behind the end": {func(b *btftest.Builder) {
		b.Int("long", 8, btftest.Signed)
		b.Struct("s", 4, btftest.Field("p", b.Ptr(btftest.Void), 0))
	}, "ends at byte 8 of 4"},
	"long names": {func(b *btftest.Builder) {
		name := strings.Repeat("long_", 100)
		u := b.Int("unsigned int", 4, 0)
		b.Struct(name, 4, btftest.Bitfield(name, u, 3, 7))
		b.Struct(name+"2", 4, btftest.Field(name, b.Array(b.Int("char", 1, 0), u, 4), 0))
	}, ""},
}

func TestHostile(t *testing.T) {
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			b := btftest.New()
			c.build(b)
			v := view(t, b.Bytes())
			src, err := gogen.Generate(v, nil, gogen.Options{})
			if c.err != "" {
				var typeErr *gogen.TypeError
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got the error %v, want %q", err, c.err)
				}
				if !errors.As(err, &typeErr) {
					t.Errorf("the error %q names no type", err)
				}
				if len(err.Error()) > 300 {
					t.Errorf("the error has %d characters: %.300s...", len(err.Error()), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkCode(t, v, src)
		})
	}
}

func TestSample(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := btftest.New()
		b.Order = order
		sample(b)
		for _, prefix := range []string{"", "Bpf", "bpf"} {
			v := view(t, b.Bytes())
			src := generate(t, v, nil, gogen.Options{Prefix: prefix, Tags: "linux && (amd64||arm64)"})
			checkCode(t, v, src)
			shuffled := view(t, btftest.Shuffle(b.Bytes(), 7))
			if got := generate(t, shuffled, nil, gogen.Options{Prefix: prefix, Tags: "linux && (amd64||arm64)"}); !bytes.Equal(got, src) {
				t.Error("with shuffled type IDs: ", firstDifference(got, src))
			}
		}
	}
}

// checkCode checks what must hold of all generated code.
func checkCode(t testing.TB, v *btfdump.View, src []byte) {
	t.Helper()
	for i, c := range src {
		if (c < ' ' || c > '~') && c != '\t' && c != '\n' {
			t.Fatalf("the code has the byte %#x at %d", c, i)
		}
	}
	typeCheck(t, src, "amd64")
	report, err := gogen.Verify(src, v)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Mismatches) > 0 {
		t.Fatalf("%d mismatches: %v\n%s", len(report.Mismatches), report.Mismatches[0], src)
	}
	formatted, err := format.Source(src)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(formatted, src) {
		t.Fatal("gofmt would format the code otherwise: ", firstDifference(src, formatted))
	}
}

// FuzzGenerate makes Go code of blobs: there is an error, or code that
// type-checks, is true and does not depend on the number of goroutines.
func FuzzGenerate(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := btftest.New()
		b.Order = order
		sample(b)
		f.Add(b.Bytes(), "*")
		f.Add(b.Bytes(), "node")
	}
	for name, c := range hostile {
		if strings.Contains(name, "deep") || strings.Contains(name, "double") {
			continue // too long, or too slow, to be changed well
		}
		b := btftest.New()
		c.build(b)
		f.Add(b.Bytes(), "*")
	}
	f.Add(btftest.Corpus(f, "btf_testmod.distilled-base"), "task_*")
	// Reading the standard library takes seconds, on a busy machine more than the
	// ten after which an input counts as hung: so not on the time of the first.
	typeCheck(f, generate(f, sampleView(f, binary.LittleEndian), nil, gogen.Options{}), "amd64")
	f.Fuzz(func(t *testing.T, raw []byte, pattern string) {
		v, err := btfdump.New(raw)
		if err != nil {
			return
		}
		var set *btfdump.Set
		if ids, err := v.Match(pattern); err == nil && pattern != "*" {
			set = v.NewSet()
			for _, id := range ids {
				set.Add(id)
			}
		}
		one, err1 := gogen.Generate(v, set, gogen.Options{Workers: 1})
		two, err2 := gogen.Generate(v, set, gogen.Options{Workers: 2})
		if (err1 == nil) != (err2 == nil) || !bytes.Equal(one, two) {
			t.Fatalf("one goroutine makes %d bytes (%v), two %d (%v)", len(one), err1, len(two), err2)
		}
		if err1 == nil {
			checkCode(t, v, one)
		}
	})
}

// Verify must find what is wrong.
func TestVerifyFindsMistakes(t *testing.T) {
	b := btftest.New()
	sample(b)
	v := view(t, b.Bytes())
	src := string(generate(t, v, nil, gogen.Options{}))
	for _, c := range []struct{ old, new, want string }{
		{"Val uint32", "Val uint64", "bytes in Go"},
		{"// offset 0, next: ", "// offset 4, next: ", "the comment says offset 4"},
		{"// offset 0, next: ", "// offset 0, previous: ", "Node.previous: C has no such member"},
		{"at bit offset 640", "at bit offset 641", "72 bits at bit 641"},
		{"= -1 // A", "= -2 // A", "the constant is -2 in Go, -1 in C"},
		{"is struct node,", "is struct gone,", "the BTF has no struct gone"},
	} {
		at := strings.Index(src, c.old)
		if at < 0 {
			t.Fatalf("the code has no %q:\n%s", c.old, src)
		}
		changed := strings.Replace(src, c.old, c.new, 1)
		if i := strings.Index(changed, "\n// The compiler refuses"); i >= 0 {
			changed = changed[:i+1] // without the guards, which would be first to complain
		}
		report, err := gogen.Verify([]byte(changed), v)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, m := range report.Mismatches {
			found = found || strings.Contains(m.String(), c.want)
		}
		if !found {
			t.Errorf("%q instead of %q: got %v, want %q", c.new, c.old, report.Mismatches, c.want)
		}
	}
	// With the guards, a wrong size is no valid Go.
	if _, err := gogen.Verify([]byte(strings.Replace(src, "Val uint32", "Val uint64", 1)), v); err == nil {
		t.Error("the guards let a wrong size pass")
	}
}

// Functions on one line become longer than gofmt lets them be, at every length of
// the name.
func TestLongNames(t *testing.T) {
	b := btftest.New()
	i, u8 := b.Int("int", 4, btftest.Signed), b.Int("unsigned char", 1, 0)
	flag, char := b.Int("_Bool", 1, btftest.Bool), b.Int("char", 1, btftest.Char)
	for n := range 120 {
		b.Struct("e"+strings.Repeat("x", n), 0)
		b.Struct("b"+strings.Repeat("x", n), 4, btftest.Field("x", u8, 0))
		b.Struct("s"+strings.Repeat("x", n), 8, btftest.Field("a", i, 0), btftest.Bitfield("b", i, 35, 7), btftest.Bitfield("c", i, 45, 7), btftest.Bitfield("d", flag, 55, 1))
		b.Union("u"+strings.Repeat("x", n), 4, btftest.Field("a", i, 0), btftest.Field("c", u8, 0))
		b.Enum("n"+strings.Repeat("x", n), 4, btftest.Val("V"+strings.Repeat("x", n), 1))
		b.Typedef("t"+strings.Repeat("x", n), b.Ptr(i))
		b.Struct("m", uint32(8+8*n), btftest.Field("m"+strings.Repeat("x", n), b.Array(char, i, 5), 0), btftest.Field("p"+strings.Repeat("x", n), i, 24),
			btftest.Bitfield("q"+strings.Repeat("x", n), i, 57, 5), btftest.Field("f"+strings.Repeat("x", n), b.Array(u8, i, 0), uint32(64+64*n)))
	}
	v := view(t, b.Bytes())
	checkCode(t, v, generate(t, v, nil, gogen.Options{}))
}
