package goldens_test

import (
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

var update = flag.Bool("update", false, "rewrite the headers in testdata")

// goldenCase is a small BTF and what its header has to say. The header itself
// is in testdata/NAME.h.
type goldenCase struct {
	name   string
	build  func(b *btftest.Builder)
	module func(b *btftest.Builder) // adds a module's split BTF, if any
	// main is C that the header has to make possible, beside the facts that
	// are asserted of every case.
	main  string
	order binary.AppendByteOrder // little endian if nil
	host  []string               // flags for GNU C of a gcc for the machine itself
}

func TestGoldenCases(t *testing.T) {
	expected := map[string]bool{}
	for _, c := range goldenCases {
		file := filepath.Join("testdata", c.name+".h")
		if expected[file] {
			t.Fatalf("two cases are called %s", c.name)
		}
		expected[file] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := c.view(t, 0)
			_, text := header(t, v, cgen.Options{Kfuncs: true, NoProvenance: true})
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: make goldens writes it", err)
			}
			if text != string(want) {
				t.Errorf("%s: %s\nmake goldens rewrites it", file, firstDifference(text, string(want)))
			}
			for seed := uint64(1); seed <= 5; seed++ {
				if _, got := header(t, c.view(t, seed), cgen.Options{Kfuncs: true, NoProvenance: true}); got != text {
					t.Errorf("shuffled with seed %d: %s", seed, firstDifference(got, text))
				}
			}
			compileEverywhere(t, v, text, c.main)
			mustHold(t, v, text)
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.h"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !expected[file] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

// view reads the case's BTF, with its own IDs for seed 0, else shuffled.
func (c goldenCase) view(t *testing.T, seed uint64) *btfdump.View {
	t.Helper()
	b := btftest.New()
	if c.order != nil {
		b.Order = c.order
	}
	c.build(b)
	base := b.Bytes()
	if c.module == nil {
		if seed != 0 {
			base = btftest.Shuffle(base, seed)
		}
		return readView(t, base)
	}
	m := b.Split()
	c.module(m)
	split := m.Bytes()
	if seed != 0 {
		split = btftest.ShuffleSplit(split, base, seed)
	}
	return readView(t, base, split)
}

// at is a member at an offset in bytes.
func at(name string, typ btftest.ID, byteOffset uint32) btftest.Member {
	return btftest.Field(name, typ, 8*byteOffset)
}

// ints are the integers that most cases use.
type ints struct{ char, u8, u16, i32, u32, u64, long btftest.ID }

func addInts(b *btftest.Builder) ints {
	return ints{
		char: b.Int("char", 1, btftest.Signed), u8: b.Int("unsigned char", 1, 0), u16: b.Int("short unsigned int", 2, 0),
		i32: b.Int("int", 4, btftest.Signed), u32: b.Int("unsigned int", 4, 0), u64: b.Int("long long unsigned int", 8, 0),
		long: b.Int("long int", 8, btftest.Signed),
	}
}

var goldenCases = []goldenCase{
	{name: "01_unnamed_member_of_named_record", build: func(b *btftest.Builder) {
		i := addInts(b)
		inner := b.Struct("ns_common", 16, at("inum", i.u32, 0), at("ops", b.Ptr(btftest.Void), 8))
		u := b.Union("choice", 8, at("a", i.u64, 0), at("b", i.u32, 0))
		b.Struct("ipc_namespace", 32, at("", inner, 0), at("", u, 16), at("tail", i.i32, 24))
		b.Struct("user", 16, at("ns", inner, 0))
	}, main: "int f(struct ipc_namespace *n) { return (int)n->inum + (int)n->a; }\n"},
	{name: "02_anonymous_enum_first", build: func(b *btftest.Builder) {
		b.Enum("", 4, btftest.Val("FIRST", 1), btftest.Val("SECOND", 2))
		b.Enum("zzz", 4, btftest.Val("THIRD", 3))
		b.Struct("aaa", 4, at("i", b.Int("int", 4, btftest.Signed), 0))
	}},
	{name: "03_packed_union", order: binary.BigEndian, build: func(b *btftest.Builder) {
		i := addInts(b)
		u := b.Union("packed_union", 5, at("word", i.u32, 0), at("bytes", b.Array(i.u8, i.u32, 5), 0))
		b.Struct("holder", 12, at("c", i.u8, 0), at("u", u, 1), at("last", i.u32, 8))
		b.Struct("anonymous_holder", 6, at("c", i.u8, 0), at("", b.Union("", 5, at("w", i.u32, 0), at("b", b.Array(i.u8, i.u32, 5), 0)), 1))
	}},
	{name: "04_other_alignment", order: binary.BigEndian, build: func(b *btftest.Builder) {
		i := addInts(b)
		i128 := b.Int("__int128 unsigned", 16, 0)
		b.Struct("s390_int128", 24, at("a", i.u64, 0), at("v", i128, 8))
		b.Struct("i386_u64", 12, at("a", i.u32, 0), at("v", i.u64, 4))
		b.Struct("m68k_int", 6, at("a", i.u16, 0), at("v", i.u32, 2))
		b.Struct("aligned_16", 32, at("a", i.u32, 0), at("b", i.u32, 16))
	}},
	{name: "05_va_list", build: func(b *btftest.Builder) {
		i := addInts(b)
		p := b.Ptr(btftest.Void)
		tag := b.Struct("__va_list_tag", 24, at("gp_offset", i.u32, 0), at("fp_offset", i.u32, 4),
			at("overflow_arg_area", p, 8), at("reg_save_area", p, 16))
		builtin := b.Typedef("__builtin_va_list", b.Array(tag, i.long, 1))
		list := b.Typedef("va_list", b.Typedef("__gnuc_va_list", builtin))
		b.Struct("warn_args", 32, at("fmt", b.Ptr(b.Const(i.char)), 0), at("args", list, 8))
	}, module: func(b *btftest.Builder) {
		char, long := btftest.ID(1), btftest.ID(7)
		u32, p := btftest.ID(5), btftest.ID(8)
		tag := b.Struct("__va_list_tag", 24, at("gp_offset", u32, 0), at("fp_offset", u32, 4),
			at("overflow_arg_area", p, 8), at("reg_save_area", p, 16))
		list := b.Typedef("__builtin_va_list", b.Array(tag, long, 1))
		b.Struct("va_format", 16, at("fmt", b.Ptr(b.Const(char)), 0), at("va", b.Ptr(list), 8))
	}},
	{name: "06_record_without_members", build: func(b *btftest.Builder) {
		i := addInts(b)
		arg := b.Struct("release_pages_arg", 8)
		b.Union("empty_union", 4)
		b.Struct("empty", 0)
		b.Struct("holder", 16, at("arg", arg, 0), at("i", i.i32, 8))
	}},
	{name: "07_enum_without_enumerators", build: func(b *btftest.Builder) {
		e := b.Enum("opaque", 4)
		b.Struct("holder", 8, at("e", e, 0), at("i", b.Int("int", 4, btftest.Signed), 4))
	}},
	{name: "08_duplicate_names", build: func(b *btftest.Builder) {
		i := addInts(b)
		one := b.Struct("state", 4, at("a", i.i32, 0))
		two := b.Struct("state", 8, at("a", i.i32, 0), at("b", i.i32, 4))
		equal := b.Struct("state", 4, at("a", i.i32, 0))
		b.Struct("state___2", 2, at("taken", i.u16, 0))
		b.Enum("color", 4, btftest.Val("RED", 0), btftest.Val("GREEN", 1))
		b.Enum("light", 4, btftest.Val("RED", 1), btftest.Val("GREEN", 2), btftest.Val("RED___2", 3))
		shared := b.Enum("", 4, btftest.Val("SHARED", 7))
		b.Struct("x", 16, at("e", shared, 0), at("s", one, 4), at("t", two, 8))
		b.Struct("y", 8, at("e", shared, 0), at("s", equal, 4))
		b.Typedef("GREEN", i.i32)
	}},
	// clang writes this of "enum opaque;", which is no C but taken by compilers.
	{name: "08_enum_declared_only", build: func(b *btftest.Builder) {
		i := addInts(b)
		opaque := b.Enum("opaque", 0)
		b.Struct("holder", 16, at("pointer", b.Ptr(opaque), 0), at("number", i.i32, 8))
		b.Struct("by_typedef", 8, at("pointer", b.Ptr(b.Typedef("opaque_t", opaque)), 0))
		// Of two objects linked into one, one may have the definition.
		declared, defined := b.Enum("mode", 0), b.Enum("mode", 4, btftest.Val("MODE", 1))
		b.Struct("both", 16, at("declared", b.Ptr(declared), 0), at("defined", b.Ptr(defined), 8))
		b.Struct("mode_typedef", 8, at("pointer", b.Ptr(b.Typedef("mode_t", declared)), 0))
	}},
	{name: "09_enum_sizes", build: func(b *btftest.Builder) {
		e1 := b.Enum("one", 1, btftest.Val("ONE", 255))
		e2 := b.SignedEnum("two", 2, btftest.Val("TWO", -1))
		e8 := b.Enum("eight", 8, btftest.Val("EIGHT", 1))
		e64 := b.Enum64("wide", 8, btftest.Val("WIDE", uint64(1<<63)))
		s64 := b.SignedEnum64("low", 8, btftest.Val("LOW", int64(-1<<63)), btftest.Val("HIGH", int64(1<<62)))
		b.Struct("holder", 32, at("a", e1, 0), at("b", e2, 2), at("c", e8, 8), at("d", e64, 16), at("e", s64, 24))
	}},
	{name: "10_32_bit_kernel", build: func(b *btftest.Builder) {
		long := b.Int("long int", 4, btftest.Signed)
		ulong := b.Int("long unsigned int", 4, 0)
		u64 := b.Int("long long unsigned int", 8, 0)
		size := b.Typedef("size_t", b.Typedef("__kernel_size_t", b.Int("unsigned int", 4, 0)))
		b.Struct("no_pointers", 24, at("a", long, 0), at("b", ulong, 4), at("c", u64, 8), at("d", size, 16))
		node := b.Reserve()
		next := b.Ptr(node)
		b.At(node).Struct("list_head", 8, at("next", next, 0), at("prev", next, 4))
		b.Struct("task", 16, at("l", long, 0), at("tasks", node, 4), at("tail", ulong, 12))
		// Padding must not align what it fills, on ARM too.
		b.Union("padded_union", 12, at("next", next, 0), at("l", long, 0))
		b.Union("empty_union", 4)
		b.Struct("packed_holder", 13, at("next", next, 0), at("u", b.Union("packed_union", 5, at("next", next, 0), at("l", long, 0)), 4), at("tail", long, 9))
		b.Union("three_bytes", 3)
		gap := b.Struct("gap", 20, at("before", long, 0), at("after", next, 16))
		b.Struct("gaps", 28, at("next", next, 0), at("gap", gap, 4), at("tail", long, 24))
		b.Struct("short_gap", 24, at("c", b.Int("char", 1, 0), 0), at("d", b.Int("unsigned char", 1, 0), 23))
	}},
	{name: "11_keywords", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Typedef("bool", b.Int("_Bool", 1, btftest.Bool))
		b.Enum("", 4, btftest.Val("false", 0), btftest.Val("true", 1))
		b.Struct("class", 16, at("new", i.i32, 0), at("private", i.i32, 4), at("this", i.i32, 8), at("namespace", i.i32, 12))
	}},
	{name: "13_no_records", build: func(b *btftest.Builder) {
		b.Typedef("u32", b.Int("unsigned int", 4, 0))
	}, main: "u32 x;\n"},
	{name: "15_odd_integers", build: func(b *btftest.Builder) {
		s := b.Int("ssizetype", 8, btftest.Signed)
		u := b.Int("sizetype", 8, 0)
		i128, u128 := b.Int("__int128", 16, btftest.Signed), b.Int("__int128 unsigned", 16, 0)
		b.Struct("odd", 64, at("a", i128, 0), at("b", u128, 16), at("s", s, 32), at("u", u, 40))
		b.Typedef("__Poly8_t", b.Int("unsigned char", 1, 0))
		b.Typedef("__Poly128_t", u128)
		b.Float("long double", 16)
	}},
	{name: "16_noreturn_function_pointer", build: func(b *btftest.Builder) {
		i := addInts(b)
		noreturn := b.Ptr(b.Volatile(b.FuncProto(btftest.Void, btftest.Arg("code", i.long))))
		b.Struct("ops", 8, at("exit", noreturn, 0))
		b.Typedef("exit_fn", b.Const(b.FuncProto(i.i32)))
	}},
	{name: "17_qualified_anonymous_record", build: func(b *btftest.Builder) {
		i := addInts(b)
		anon := b.Struct("", 8, at("vma", i.u32, 0), at("gfp", i.u32, 4))
		b.Struct("vm_fault", 16, at("", b.Const(anon), 0), at("flags", b.Volatile(b.Struct("", 4, at("x", i.u32, 0))), 8))
	}, main: "int f(struct vm_fault *f) { return (int)f->vma; }\n"},
	{name: "18_type_tags", build: func(b *btftest.Builder) {
		i := addInts(b)
		s := b.Struct("tagged", 4, at("i", i.i32, 0))
		rcu := b.Ptr(b.TypeTag("rcu", s))
		user := b.Ptr(b.TypeTag("user", b.Const(i.char)))
		space := b.Ptr(b.TypeAttr("address_space(1)", i.i32))
		b.Struct("holder", 24, at("r", rcu, 0), at("u", user, 8), at("s", space, 16))
	}},
	{name: "19_kfuncs", build: func(b *btftest.Builder) {
		i := addInts(b)
		task := b.Ptr(b.Struct("task_struct", 4, at("pid", i.i32, 0)))
		only := b.Ptr(b.FwdStruct("declared"))
		acquire := b.Func("bpf_task_acquire", b.FuncProto(task, btftest.Arg("p", task)), btftest.Static)
		cast := b.Func("bpf_cast", b.FuncProto(btftest.Void, btftest.Arg("", only), btftest.Variadic()), btftest.Static)
		b.Func("no_kfunc", b.FuncProto(btftest.Void), btftest.Static)
		b.DeclTag("bpf_kfunc", acquire, -1)
		b.DeclTag("bpf_kfunc", cast, -1)
		b.DeclTag("bpf_fastcall", cast, -1)
	}, main: "struct task_struct *f(struct task_struct *p) { return bpf_task_acquire(p); }\n"},
	{name: "20_standard_types", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Typedef("wchar_t", i.u16)
		b.Typedef("uint8_t", i.u8)
		b.Typedef("int64_t", b.Int("long long int", 8, btftest.Signed))
		b.Typedef("uint64_t", i.u64)
		b.Typedef("size_t", b.Int("long unsigned int", 8, 0))
		b.Typedef("uintptr_t", b.Typedef("ulong", b.Int("long unsigned int", 8, 0)))
	}, main: standardHeaders + usesStandardHeaders},
	{name: "21_bitfields", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Struct("flags", 8, btftest.Bitfield("a", i.u32, 0, 3), btftest.Bitfield("b", i.u32, 5, 27), btftest.Bitfield("c", i.u8, 40, 2),
			btftest.Bitfield("d", i.u16, 48, 9))
		b.Struct("across", 4, btftest.Bitfield("a", i.u16, 0, 10), btftest.Bitfield("b", i.u16, 10, 10))
		legacy := b.IntBits("unsigned int", 4, 0, 4, 12)
		b.Struct("legacy", 4, btftest.Field("x", legacy, 0))
	}},
	// A member without a name that is no record is padding: what is not written
	// does not align.
	{name: "22_padding_members", build: func(b *btftest.Builder) {
		i := addInts(b)
		p := b.Ptr(btftest.Void)
		b.Union("choice", 8, at("a", i.i32, 0), at("", p, 0))
		b.Struct("first", 16, at("", p, 0), at("a", i.i32, 8))
		b.Struct("last", 16, at("a", i.i32, 0), at("", p, 8))
		b.Struct("bits", 8, btftest.Bitfield("a", i.u32, 0, 3), btftest.Bitfield("", i.u32, 3, 20), btftest.Bitfield("b", i.u32, 23, 4), at("", i.u16, 6))
		b.Union("three_bytes", 3)
		inner := b.Union("", 8, at("x", i.i32, 0), at("", p, 0))
		b.Struct("holder", 12, at("c", i.i32, 0), at("inner", inner, 4))
	}},
	// gcc warns of bitfields that can't hold their enum's values.
	{name: "23_narrow_enum_bitfields", build: func(b *btftest.Builder) {
		named := b.Enum("three_bits", 4, btftest.Val("SEVEN", 7))
		signed := b.SignedEnum("signed_bits", 4, btftest.Val("LEAST", 0xfffffff8), btftest.Val("MOST", 7))
		byted := b.Enum("byte", 1, btftest.Val("BYTE", 200))
		wide := b.Enum64("wide", 8, btftest.Val("WIDE", 1<<40))
		anonymous := b.Enum("", 4, btftest.Val("EIGHT", 8), btftest.Val("NINE", 9))
		b.Struct("narrow", 16, btftest.Bitfield("a", named, 0, 2), btftest.Bitfield("a3", named, 2, 3), btftest.Bitfield("b", b.Const(b.Typedef("named_t", b.Volatile(named))), 5, 1),
			btftest.Bitfield("c", signed, 6, 3), btftest.Bitfield("c4", signed, 9, 4), btftest.Bitfield("d", byted, 16, 7), btftest.Bitfield("e", anonymous, 24, 3), btftest.Bitfield("w", wide, 64, 40))
	}, main: "_Static_assert(sizeof(struct narrow) == 16, \"narrow\");\n" +
		"int f(struct narrow *n) { n->a = n->a3; return n->b + (n->e == NINE) + n->c; }\n"},
	// So it does of a member that is aligned to more than the packed record around it.
	{name: "24_aligned_in_packed", build: func(b *btftest.Builder) {
		i := addInts(b)
		inner := b.Union("inner", 8, at("a", i.i32, 0))
		b.Struct("around", 9, at("c", i.char, 0), at("inner", inner, 1))
	}},
	// What compilers, standard headers, kfuncs or this header have taken. linux is a
	// macro of gcc's where GNU C is compiled for Linux, and a name like others for BPF.
	{name: "25_taken_names", build: func(b *btftest.Builder) {
		i := addInts(b)
		b.Enum("__LINE__", 4, btftest.Val("__FILE__", 1), btftest.Val("memcpy", 2), btftest.Val("uint8_t", 3), btftest.Val("linux", 4), btftest.Val("NULL", 5))
		record := b.Struct("__BPF__", 8, at("linux", i.i32, 0), at("memcpy", i.i32, 4))
		b.Struct("typeof", 8, at("p", b.Ptr(record), 0))
		callback := b.Typedef("callback", i.u64)
		b.Struct("user", 32, at("c", callback, 0), at("i", b.Typedef("__int128_t", i.u32), 8), at("u", b.Typedef("__uint128_t", b.Int("unsigned __int128", 16, 0)), 16))
		b.Typedef("memset", i.i32)
		b.Enum("empty", 4)
		b.Enum("full", 4, btftest.Val("empty___none", 1), btftest.Val("__btfgen_pad_64", 2), btftest.Val("__bool_true_false_are_defined", 3))
		kfunc(b, "callback", b.FuncProto(btftest.Void, btftest.Arg("callback___2", callback), btftest.Arg("__LINE__", callback), btftest.Arg("memcpy", i.i32)))
	}, main: "void f(void);\nvoid f(void) { callback(1, 2, 3); }\n", host: []string{"-Ulinux"}},
}
