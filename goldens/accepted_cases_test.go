package goldens_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// acceptedCases are what random types have found, each as small as it can be.
var acceptedCases = []struct {
	name    string
	build   func(b *btftest.Builder)
	refused string // a part of the error; "" if there is none
	typ     string // that it is about
}{
	{name: "enums without a name in prototypes", build: func(b *btftest.Builder) {
		e := b.Enum("", 4, btftest.Val("E1", 1))
		b.Typedef("direct", b.Ptr(b.FuncProto(e, btftest.Arg("", b.Enum("", 4, btftest.Val("E2", 1))))))
		b.Typedef("inside", b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", b.Ptr(b.Struct("", 4, at("e", b.Enum("", 4, btftest.Val("E3", 1)), 0)))))))
	}},
	{name: "records without a name in prototypes", build: func(b *btftest.Builder) {
		i := addInts(b)
		s := b.Struct("", 16, at("a", i.i32, 0), at("p", b.Ptr(b.FwdStruct("far")), 8))
		proto := b.FuncProto(s, btftest.Arg("value", s), btftest.Arg("pointer", b.Ptr(b.Const(s))))
		b.Struct("holds", 8, at("f", b.Ptr(proto), 0))
		b.DeclTag("bpf_kfunc", b.Func("bpf_takes", proto, btftest.Static), -1)
	}},
	{name: "kfuncs of types that are only declared", build: func(b *btftest.Builder) {
		i, far, either := addInts(b), b.FwdStruct("far"), b.FwdUnion("either")
		for name, proto := range map[string]btftest.ID{
			"takes": b.FuncProto(btftest.Void, btftest.Arg("x", b.Volatile(far)), btftest.Arg("p", b.Ptr(far))), "last": b.FuncProto(i.i32, btftest.Arg("a", i.i32), btftest.Arg("x", either)),
			"named": b.FuncProto(btftest.Void, btftest.Arg("x", b.Const(b.Typedef("far_t", far)))), "gives": b.FuncProto(b.Typedef("either_t", either)),
			"more": b.FuncProto(btftest.Void, btftest.Arg("x", far), btftest.Variadic()), "empty": b.FuncProto(b.Enum("empty", 4), btftest.Arg("x", b.Enum("big", 8))),
			"points": b.FuncProto(b.Ptr(far), btftest.Arg("x", b.Ptr(b.FuncProto(far, btftest.Arg("", either))))), "harmless": b.FuncProto(i.i32, btftest.Arg("x", i.i32)),
		} {
			b.DeclTag("bpf_kfunc", b.Func("bpf_"+name, proto, btftest.Static), -1)
		}
	}},
	{name: "functions that return typedefs with qualifiers", build: func(b *btftest.Builder) {
		i, far := addInts(b), b.Struct("far", 4)
		for name, typ := range map[string]btftest.ID{
			"const": b.Const(i.i32), "volatile": b.Typedef("volatile_t", b.Volatile(i.u8)), "restrict": b.Restrict(b.Ptr(i.i32)), "void": b.Const(btftest.Void),
			"record": b.Const(far), "unnamed": b.Const(b.Struct("", 4, at("a", i.i32, 0))), "pointer": b.Const(b.Ptr(far)), "harmless": b.Ptr(b.Const(far)),
		} {
			proto := b.FuncProto(b.Typedef("gives_"+name, typ), btftest.Arg("x", i.i32))
			b.Struct("s_"+name, 8, at("f", b.Ptr(proto), 0))
			b.DeclTag("bpf_kfunc", b.Func("bpf_"+name, proto, btftest.Static), -1)
		}
	}},
	{name: "qualifiers of functions behind typedefs", build: func(b *btftest.Builder) {
		i := addInts(b)
		f := b.Typedef("function_t", b.FuncProto(i.i32, btftest.Arg("", i.u8)))
		far := b.Typedef("far_t", b.Const(f))
		b.Struct("s", 32, at("a", b.Ptr(b.Const(f)), 0), at("b", b.Ptr(b.Restrict(b.Volatile(far))), 8), at("c", b.Const(b.Ptr(b.TypeTag("rcu", b.Const(f)))), 16),
			at("d", b.Ptr(b.Typedef("again_t", b.Volatile(b.FuncProto(i.i32)))), 24))
		b.DeclTag("bpf_kfunc", b.Func("bpf_takes", b.FuncProto(b.Ptr(b.Const(f)), btftest.Arg("p", b.Ptr(b.Volatile(f))), btftest.Arg("f", b.Const(far))), btftest.Static), -1)
	}},
	{name: "qualifiers twice", build: func(b *btftest.Builder) {
		i := addInts(b)
		twice := func(id btftest.ID) btftest.ID { return b.Volatile(b.Const(b.Volatile(b.Const(b.Volatile(id))))) }
		b.Struct("s", 8, at("", twice(b.Struct("", 4, at("a", i.i32, 0))), 0), btftest.Bitfield("e", twice(b.Enum("e", 4, btftest.Val("A", 9))), 32, 3),
			btftest.Bitfield("n", twice(i.i32), 40, 3))
		b.Struct("p", 24, at("p", twice(b.Ptr(twice(i.i32))), 0), at("", twice(b.Union("", 8, at("q", b.Ptr(twice(b.Struct("", 4, at("a", i.i32, 0)))), 0))), 8),
			at("n", twice(b.Typedef("number_t", twice(i.u64))), 16))
	}},
	{name: "bitfields of enums with more values", build: func(b *btftest.Builder) {
		e := b.Enum("e", 4, btftest.Val("A", 0), btftest.Val("B", 9))
		s := b.SignedEnum("s", 1, btftest.Val("C", -1), btftest.Val("D", 3))
		b.Struct("narrow", 4, btftest.Bitfield("e", e, 0, 3), btftest.Bitfield("s", s, 8, 2))
	}},
	{name: "packed bitfields of bytes", build: func(b *btftest.Builder) {
		c := b.Int("unsigned char", 1, 0)
		b.Struct("crossing", 3, btftest.Bitfield("a", c, 0, 5), btftest.Bitfield("b", c, 5, 7), btftest.Bitfield("c", c, 12, 8))
	}},
	{name: "gaps of 2^28 bytes", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("gap", 1<<28+8, at("a", i.u8, 0), at("b", i.i32, 1<<28))
		b.Struct("tail", 1<<29-3, at("a", i.u8, 0))
		b.Struct("none", 1<<29-1)
		b.Union("either", 1<<29-4, at("a", i.u8, 0))
		b.Struct("inside", 1<<24, at("", b.Struct("", 1<<24, at("a", i.u8, 0), at("b", i.u8, 1<<22)), 0))
	}},
	{name: "gaps on 32 bits", build: func(b *btftest.Builder) {
		b.Int("long unsigned int", 4, 0)
		c := b.Int("char", 1, btftest.Char)
		for i, size := range []uint32{4096, 4097, 4098, 1 << 20, 1<<20 + 1} {
			b.Struct(fmt.Sprint("tail", i), size, at("a", c, 0))
			b.Struct(fmt.Sprint("gap", i), size+1, at("a", c, 0), at("b", c, size))
			b.Union(fmt.Sprint("either", i), size, at("a", c, 0))
			b.Struct(fmt.Sprint("holds", i), size+8, at("a", c, 0), at("b", b.Ptr(c), size&^3+4))
		}
	}},
	{name: "a member called as padding is", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 1<<24, at("__padding_1", i.u8, 0), at("b", i.u8, 1<<22))
	}, refused: "another one has the same name", typ: "s"},
	{name: "a record of 2^29 bytes", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("gap", 1<<29, at("a", i.u8, 0), at("b", i.i32, 1<<28))
	}, refused: "512 MiB", typ: "gap"},
	{name: "a record of such a record", build: func(b *btftest.Builder) {
		b.Struct("outer", 1<<29, at("m", b.Struct("", 1<<29), 0))
	}, refused: "512 MiB", typ: "outer"},
	{name: "a bitfield of two bits of _Bool", build: func(b *btftest.Builder) {
		b.Struct("s", 4, btftest.Bitfield("b", b.Int("_Bool", 1, btftest.Bool), 0, 2))
	}, refused: "bits than C's _Bool has", typ: "s"},
	{name: "such a one behind a typedef, as an int", build: func(b *btftest.Builder) {
		b.Struct("s", 4, at("b", b.Typedef("flag_t", b.Const(b.IntBits("flag", 1, btftest.Bool, 3, 4))), 0))
	}, refused: "bits than C's _Bool has", typ: "s"},
	{name: "ints of odd encodings", build: func(b *btftest.Builder) {
		b.Struct("s", 48, at("long_bool", b.Int("_Bool", 8, btftest.Bool), 0), at("int_bool", b.Int("int", 4, btftest.Bool), 8),
			at("signed_bool", b.Int("flag", 1, btftest.Bool|btftest.Signed), 12), at("all", b.Int("char", 1, 7), 13), at("wide", b.Int("int", 16, 0), 16),
			at("big_char", b.Int("char", 4, btftest.Char), 32), at("short_long", b.Int("long int", 2, 0), 36))
	}},
	{name: "arrays and functions as parameters", build: func(b *btftest.Builder) {
		i := addInts(b)
		s := b.Struct("s", 4, at("a", i.i32, 0))
		f := b.FuncProto(i.i32, btftest.Arg("x", i.u8))
		for name, param := range map[string]btftest.ID{
			"array": b.Array(i.i32, i.i32, 2), "none": b.Array(i.i32, i.i32, 0), "two": b.Array(b.Array(s, i.i32, 2), i.i32, 3),
			"of_const": b.Array(b.Const(i.i32), i.i32, 2), "const": b.Const(b.Array(i.i32, i.i32, 2)), "named": b.Typedef("array_t", b.Array(i.u64, i.i32, 4)),
			"const_named": b.Const(b.Typedef("array2_t", b.Array(i.u64, i.i32, 4))), "function": f, "named_function": b.Typedef("function_t", f),
			"of_pointers": b.Array(b.Ptr(f), i.i32, 2), "behind": b.Ptr(b.Array(i.i32, i.i32, 2)), "of_enum": b.Array(b.Enum("", 4, btftest.Val("E1", 1)), i.i32, 2),
			"volatile_two": b.Volatile(b.Array(b.Array(i.u8, i.i32, 2), i.i32, 3)), "const_function": b.Const(f),
		} {
			b.Struct("takes_"+name, 8, at("f", b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", param), btftest.Arg("", i.i32))), 0))
			b.DeclTag("bpf_kfunc", b.Func("bpf_"+name, b.FuncProto(btftest.Void, btftest.Arg("p", param), btftest.Variadic()), btftest.Static), -1)
		}
	}},
	{name: "an enumerator twice", build: func(b *btftest.Builder) {
		b.Enum("named", 4, btftest.Val("A", 1), btftest.Val("A", 2), btftest.Val("A", 2), btftest.Val("B", 3))
		b.Enum("again", 4, btftest.Val("A", 5), btftest.Val("A___2", 6), btftest.Val("A", 7))
		e := b.Enum("", 4, btftest.Val("B", 1), btftest.Val("B", 2))
		b.Struct("s", 8, at("e", e, 0), at("f", b.Enum("", 4, btftest.Val("B", 1), btftest.Val("B", 1)), 4))
		b.Typedef("B___2", e)
	}},
	{name: "enums without values or a name", build: func(b *btftest.Builder) {
		i := addInts(b)
		e, signed := b.Enum("", 1), b.SignedEnum("", 8)
		b.Struct("s", 24, at("a", e, 0), at("b", b.Array(e, i.i32, 3), 1), at("c", signed, 8), at("p", b.Ptr(b.Const(b.Enum("", 2))), 16))
		b.Typedef("empty_t", e)
		b.Typedef("call", b.Ptr(b.FuncProto(e, btftest.Arg("", signed))))
		b.Enum("", 4) // nothing uses it
		b.Struct("bits", 1, btftest.Bitfield("x", e, 0, 3))
	}},
	{name: "enumerators called as that of an enum without any", build: func(b *btftest.Builder) {
		b.Enum("e", 1)
		b.Enum("_e", 1)
		b.Enum("other", 4, btftest.Val("e___none", 1), btftest.Val("_e___none", 2))
	}},
	{name: "an enum that is only declared, without a name", build: func(b *btftest.Builder) {
		b.Typedef("p", b.Ptr(b.Enum("", 0)))
	}, refused: "without a name", typ: "p"},
	{name: "a member called bool", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 4, at("bool", i.u32, 0))
	}},
	{name: "small enums of either sign", build: func(b *btftest.Builder) {
		b.SignedEnum("says", 4, btftest.Val("A", -1))
		b.Enum("is", 2, btftest.Val("B", -1), btftest.Val("C", 5))
		b.Enum("is_not", 2, btftest.Val("D", 65535))
	}},
	{name: "a struct and a typedef of a struct, both of one name", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("b", 4, at("a", i.i32, 0))
		b.Typedef("b", b.Struct("", 8, at("a", i.i32, 0), at("c", i.i32, 4)))
	}},
	{name: "a typedef behind a member of its name", build: func(b *btftest.Builder) {
		i := addInts(b)
		def := b.Typedef("t", i.i32)
		b.Struct("s", 8, at("", b.Struct("", 4, at("t", i.i32, 0)), 0), at("x", def, 4))
	}, refused: "clang before version 22", typ: "s"},
	{name: "a typedef deep behind a member of its name", build: func(b *btftest.Builder) {
		i := addInts(b)
		def := b.Typedef("t", i.i32)
		deep := b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", b.Ptr(def))))
		inner := b.Union("", 4, at("", b.Struct("", 4, at("t", i.i32, 0)), 0))
		b.Struct("s", 16, at("", inner, 0), at("x", b.Struct("", 8, at("call", deep, 0)), 8))
	}, refused: "clang before version 22", typ: "s"},
	{name: "typedefs beside members of their names", build: func(b *btftest.Builder) {
		i := addInts(b)
		def := b.Typedef("t", i.i32)
		b.Struct("plain", 8, at("t", i.i32, 0), at("x", def, 4))
		b.Struct("before", 8, at("x", def, 0), at("", b.Struct("", 4, at("t", i.i32, 0)), 4))
		b.Struct("inside", 8, at("", b.Struct("", 8, at("t", i.i32, 0), at("y", def, 4)), 0))
	}},
	{name: "__int128 on 32 bits", build: func(b *btftest.Builder) {
		b.Int("long unsigned int", 4, 0)
		b.Struct("s", 16, at("a", b.Int("__int128", 16, btftest.Signed), 0))
	}, refused: "32-bit kernels", typ: "s"},
	{name: "an array of 2^32 bytes on 32 bits", build: func(b *btftest.Builder) {
		i := b.Int("long unsigned int", 4, 0)
		b.Struct("s", 4, at("a", b.Ptr(b.Array(i, i, 1<<30)), 0))
	}, refused: "2^32 in a 32-bit kernel", typ: "s"},
	{name: "an array of nearly that", build: func(b *btftest.Builder) {
		i := b.Int("long unsigned int", 4, 0)
		b.Struct("s", 4, at("a", b.Ptr(b.Array(i, i, 1<<30-1)), 0))
	}},
	{name: "prototypes 300 deep", build: func(b *btftest.Builder) {
		p := b.Ptr(btftest.Void)
		for range 300 {
			p = b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", p)))
		}
		b.Typedef("deep", p)
	}, refused: "more than 120 deep", typ: "deep"},
	{name: "pointers to arrays 300 deep", build: func(b *btftest.Builder) {
		i := addInts(b)
		p := i.i32
		for range 300 {
			p = b.Ptr(b.Array(p, i.i32, 2))
		}
		b.Struct("s", 8, at("p", p, 0))
	}, refused: "more than 120 deep", typ: "s"},
	{name: "pointers to arrays and functions, 118 in each other", build: func(b *btftest.Builder) {
		i := addInts(b)
		p := i.i32
		for range 59 {
			p = b.Ptr(b.Array(b.Const(b.Ptr(b.FuncProto(p))), i.i32, 2))
		}
		b.Struct("s", 8, at("p", p, 0))
	}},
	{name: "parameters of functions in 100 parentheses", build: func(b *btftest.Builder) {
		i := addInts(b)
		p, inner := b.Ptr(btftest.Void), b.Ptr(btftest.Void)
		for range 100 {
			inner = b.Ptr(b.FuncProto(inner))
			p = b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", p)))
		}
		b.Struct("one", 8, at("p", inner, 0))
		b.Struct("other", 8, at("p", p, 0))
		outside := p
		for range 100 {
			outside = b.Ptr(b.FuncProto(outside, btftest.Arg("", i.i32)))
		}
		b.Typedef("outside", outside)
		b.Typedef("both", b.Ptr(b.FuncProto(inner, btftest.Arg("", p))))
	}, refused: "more than 120 deep", typ: "both"},
	{name: "a member called bool, and one as that is called in C23", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 8, at("bool", i.u32, 0), at("bool_", i.u32, 4))
	}, refused: "another one has the same name", typ: "s"},
	{name: "a bitfield and a member behind 2 MiB", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 4<<20, at("a", b.IntBits("int", 4, btftest.Signed, 0, 5), 0), at("b", i.u32, 3<<20))
	}, refused: "2 MiB", typ: "s"},
	{name: "a bitfield and padding behind 2 MiB", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 4<<20, at("a", b.IntBits("int", 4, btftest.Signed, 0, 5), 0), at("b", i.u32, 2<<20-4))
	}, refused: "2 MiB", typ: "s"},
	{name: "bitfields within 2 MiB", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("s", 4<<20, at("a", b.IntBits("int", 4, btftest.Signed, 0, 5), 0), at("b", i.u32, 2<<20-8))
		b.Union("u", 4<<20, at("a", b.IntBits("int", 4, btftest.Signed, 0, 5), 0))
	}},
	{name: "qualifiers of arrays", build: func(b *btftest.Builder) {
		i := addInts(b)
		pointers, numbers := b.Array(b.Ptr(i.i32), i.i32, 2), b.Array(i.u64, i.i32, 2)
		b.Struct("s", 48, at("a", b.Restrict(pointers), 0), at("b", b.Restrict(numbers), 16), at("c", b.Restrict(b.Const(b.Array(pointers, i.i32, 1))), 32))
	}},
	{name: "pointers and qualifiers 300 deep", build: func(b *btftest.Builder) {
		p := b.Restrict(b.Int("int", 4, btftest.Signed))
		for range 300 {
			p = b.Restrict(b.Ptr(b.Volatile(b.Const(b.Volatile(p)))))
		}
		b.Typedef("deep", p)
		b.Struct("s", 8, at("p", p, 0))
	}},
}

func TestAcceptedCases(t *testing.T) {
	all := settings(t)
	names := map[string]bool{}
	for i, c := range acceptedCases {
		if names[c.name] {
			t.Errorf("two cases are called %s", c.name)
		}
		names[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := btftest.New()
			c.build(b)
			v := readView(t, b.Bytes())
			_, text, err := tryHeader(v)
			var at *cgen.TypeError
			switch {
			case c.refused == "" && err != nil:
				t.Fatalf("it is refused: %v", err)
			case c.refused == "":
			case !errors.As(err, &at) || text != nil:
				t.Fatalf("it is not refused: %v\n%s", err, body(text))
			case at.Name != c.typ || !strings.Contains(err.Error(), c.refused):
				t.Errorf("want %q about %q, have %v", c.refused, c.typ, err)
			}
			var some []setting // each compiler, with one of its standards
			for j := range all {
				list := all[(i+j)%len(all)]
				some = append(some, list[(i/len(all))%len(list)])
			}
			if *everywhere {
				some = slices.Concat(all...)
			}
			tally := &tally{settled: map[string]int{}}
			acceptedHolds(t, v, nil, some, tally)
			if n := tally.settled; c.refused == "" && (n["accepted"] == 0 || n["verified"] == 0) {
				t.Errorf("%v", n)
			}
		})
	}
}
