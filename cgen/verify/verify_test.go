package verify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

const mark = " __attribute__((preserve_access_index));\n"

// inside is mark in the middle of a declaration.
var inside = strings.TrimSuffix(mark, ";\n")

// run verifies a header against BTF with every clang, and returns what they
// agree on, which must be all.
func run(t *testing.T, b *btftest.Builder, text string, opts verify.Options) *verify.Report {
	t.Helper()
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a header.h")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var first *verify.Report
	for _, c := range clangtest.Compilers(t) {
		opts.Clang = c.Name
		r, err := verify.Header(context.Background(), path, view, nil, opts)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if first == nil {
			first = r
		}
		if got, want := outline(r), outline(first); got != want {
			t.Errorf("%s reports\n%s\nbut %s\n%s", c.Name, got, first.Compiler, want)
		}
	}
	return first
}

// outline is a report in short.
func outline(r *verify.Report) string {
	var lines []string
	for _, m := range r.Mismatches {
		line := strings.TrimSpace(fmt.Sprintf("%s %s", m.Type, m.Member)) + ": " + string(m.Aspect)
		if m.Cause != "" {
			line += " because of " + m.Cause
		}
		lines = append(lines, line)
	}
	for _, a := range r.Absent {
		lines = append(lines, "absent: "+a)
	}
	if len(r.Errors) > 0 {
		lines = append(lines, "does not compile")
	}
	return strings.Join(lines, "\n")
}

func field(name string, typ btftest.ID, byteOffset uint32) btftest.Member {
	return btftest.Field(name, typ, 8*byteOffset)
}

// Two structs of one name that differ, and what refers to them.
func twins() *btftest.Builder {
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	l := b.Int("long int", 8, btftest.Signed)
	one := b.Struct("twin", 4, field("small", i, 0))
	two := b.Struct("twin", 8, field("large", l, 0))
	b.Struct("to_small", 8, field("p", b.Ptr(one), 0))
	b.Struct("to_large", 8, field("p", b.Ptr(two), 0))
	return b
}

func TestHeader(t *testing.T) {
	small, large := "struct twin { int small; }"+mark, "struct twin___2 { long large; }"+mark
	references := "struct to_small { struct twin *p; }" + mark + "struct to_large { struct twin___2 *p; }" + mark
	for _, c := range []struct {
		name  string
		build func(b *btftest.Builder)
		on    *btftest.Builder
		text  string
		want  string
		opts  verify.Options
	}{
		{name: "types of one name", on: twins(), text: small + large + references},
		{name: "types of one name, the other way round", on: twins(),
			text: "struct twin { long large; }" + mark + "struct twin___7 { int small; }" + mark +
				"struct to_small { struct twin___7 *p; }" + mark + "struct to_large { struct twin *p; }" + mark},
		{name: "types of one name, references exchanged", on: twins(),
			text: small + large + "struct to_large { struct twin *p; }" + mark + "struct to_small { struct twin___2 *p; }" + mark,
			want: "struct to_large p: type\nstruct to_small p: type"},
		{name: "one of two types of one name", on: twins(), text: small + "struct to_small { struct twin *p; }" + mark,
			want: "absent: struct to_large\nabsent: struct twin (another of this name is there)"},
		{name: "one of two types of one name, wrong", on: twins(),
			text: "struct twin { int small; int more; }" + mark + "struct to_small { struct twin *p; }" + mark,
			want: "struct twin: size\nstruct twin more: presence\nabsent: struct to_large\nabsent: struct twin (another of this name is there)"},
		{name: "empty header", on: twins(), text: "",
			want: "absent: struct to_large\nabsent: struct to_small\nabsent: struct twin"},
		{name: "header that does not compile", on: twins(), text: "struct twin { nonsense small; };\n", want: "does not compile"},
		{name: "unfinished header", on: twins(), text: "struct twin { int small;", want: "does not compile"},
		{name: "accesses are not relocated", on: twins(), text: "struct twin { int small; };\nstruct to_small { struct twin *p; }" + mark,
			want: "struct twin small: relocation\nabsent: struct to_large\nabsent: struct twin (another of this name is there)"},
		{name: "a flag that the header needs", on: twins(), opts: verify.Options{Flags: []string{"-DNUMBER=int"}},
			text: "struct twin { NUMBER small; }" + mark + large + references},
		{name: "names in other places", on: twins(),
			// twin is a variable, a member and a parameter here, and no type.
			text: "typedef struct { int twin; } other; int f(int twin, int to_small); static inline int to_large(int twin) { return twin; }\n",
			want: "absent: struct to_large\nabsent: struct to_small\nabsent: struct twin"},
		{name: "typedef in the scope of a function", build: func(b *btftest.Builder) { b.Typedef("number", b.Int("int", 4, btftest.Signed)) },
			text: "typedef int (*taker)(int number);\n", want: "absent: typedef number"},
		{name: "a cause and what follows", build: func(b *btftest.Builder) {
			inner := b.Struct("inner", 4, field("a", b.Int("int", 4, btftest.Signed), 0))
			b.Struct("outer", 8, field("first", inner, 0), field("second", inner, 4))
		}, text: "struct inner { int a; int b; }" + mark + "struct outer { struct inner first; struct inner second; }" + mark,
			want: "struct inner: size\nstruct inner b: presence\nstruct outer: size because of struct inner\nstruct outer second: offset because of struct inner"},
		{name: "unnamed member of a named record", build: func(b *btftest.Builder) {
			i := b.Int("int", 4, btftest.Signed)
			inner := b.Struct("inner", 8, field("a", i, 0), field("b", i, 4))
			b.Struct("outer", 12, field("", inner, 0), field("c", i, 8))
		}, text: "struct inner { int a; int b; }" + mark + "struct outer { struct { int a; int b; }; int c; }" + mark},
		{name: "name that is no identifier", build: func(b *btftest.Builder) {
			b.Struct("s", 4, field("x; } evil", b.Int("int", 4, btftest.Signed), 0))
			b.Struct("t\"\n", 4)
		}, text: "struct s { int x; }" + mark,
			want: "struct s \"x; } evil\": presence\nstruct s x: presence\nabsent: struct \"t\\\"\\n\""},
		{name: "anonymous enums", build: func(b *btftest.Builder) {
			b.Enum("", 4, btftest.Val("ONE", 1), btftest.Val("TWO", 2))
			b.Enum("", 4, btftest.Val("THREE", 3))
			b.Enum("", 4, btftest.Val("FOUR", 4))
		}, text: "enum { ONE = 1, TWO = 22 };\nenum anon { FOUR = 4 };\n",
			want: "enum {ONE, …} TWO: value\nabsent: enum {THREE, …}"},
		{name: "bool as a keyword", build: func(b *btftest.Builder) {
			flag := b.Typedef("bool", b.Int("_Bool", 1, btftest.Bool))
			b.Struct("s", 1, field("on", flag, 0))
		}, text: "#include <stdbool.h>\nstruct s { bool on; }" + mark, want: "absent: typedef bool"},
		{name: "records without names", build: func(b *btftest.Builder) {
			i := b.Int("unsigned int", 4, btftest.Unsigned)
			bits := func(n uint32) btftest.ID {
				return b.Struct("", 4, btftest.Bitfield("a", i, 0, n), btftest.Bitfield("b", i, n, 32-n))
			}
			b.Typedef("one", bits(5))
			b.Typedef("two", bits(7))
			b.Typedef("three", bits(5))
		}, text: "typedef struct { unsigned a: 5, b: 27; }" + strings.Replace(mark, ";", " one;", 1) +
			"typedef struct { unsigned a: 7, b: 25; }" + strings.Replace(mark, ";", " two;", 1) +
			"typedef struct { unsigned a: 5, b: 27; } three;\n",
			want: "typedef three a: relocation"},
		{name: "causes that go in a circle", build: func(b *btftest.Builder) {
			i := b.Int("int", 4, btftest.Signed)
			one := b.Struct("one", 8, field("t", i+4, 0), field("i", i, 4))
			b.Struct("two", 8, field("o", i+3, 0), field("i", i, 4))
			b.Struct("one", 4, field("i", i, 0))
			b.Struct("two", 4, field("i", i, 0))
			b.Struct("outer", 12, field("o", one, 0), field("i", i, 8))
		}, text: "struct one { char i; }" + mark + "struct two { char i; }" + mark + "struct outer { struct one o; int i; }" + mark,
			want: "struct one: size\nstruct one i: type\nstruct outer: size because of struct two\nstruct outer i: offset because of struct two\n" +
				"struct two: size\nstruct two i: type\nabsent: struct one (another of this name is there)\nabsent: struct two (another of this name is there)"},
		{name: "function pointers", build: func(b *btftest.Builder) {
			i := b.Int("int", 4, btftest.Signed)
			b.Typedef("one", b.Ptr(b.FuncProto(i, btftest.Arg("", i), btftest.Arg("", b.Ptr(btftest.Void)))))
			b.Typedef("two", b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", b.Const(i)))))
		}, text: "typedef int (*one)(int, void **);\ntypedef void (*two)(int);\n", want: "typedef one: type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.on
			if b == nil {
				b = btftest.New()
				c.build(b)
			}
			if got := outline(run(t, b, c.text, c.opts)); got != c.want {
				t.Errorf("reports\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// kernel32 is a 32-bit kernel whose records hold pointers: in a record without a
// name, also as the element of an array that has none, in what a typedef stands
// for, and in two records of one name.
func kernel32() *btftest.Builder {
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	b.Int("long int", 4, btftest.Signed)
	p := b.Ptr(i)
	inner := b.Struct("", 12, field("p", p, 0), btftest.Bitfield("bits", i, 32, 3), field("a", i, 8))
	b.Struct("outer", 28, field("p", p, 0), field("list", b.Array(inner, i, 2), 4))
	b.Struct("empty", 4, field("p", p, 0), field("none", b.Array(inner, i, 0), 4))
	b.Typedef("unnamed", b.Struct("", 12, field("p", p, 0), field("a", i, 4), btftest.Bitfield("bits", i, 64, 3)))
	one := b.Struct("twin", 8, field("p", p, 0), field("i", i, 4))
	two := b.Struct("twin", 12, field("i", i, 0), field("p", p, 4), field("l", i, 8))
	b.Struct("twins", 20, field("one", one, 0), field("two", two, 8))
	return b
}

// Sizes and offsets that pointers make others for BPF are compared all the same,
// whether or not types are read back.
func TestMistakesIn32BitKernels(t *testing.T) {
	text := "struct outer { int *p; struct { int *p; int bits: 3; int a; }" + inside + " list[2]; }" + mark +
		"struct empty { int *p; struct { int *p; int bits: 3; int a; }" + inside + " none[0]; }" + mark +
		"typedef struct { int *p; int a; int bits: 3; }" + inside + " unnamed;\n" +
		"struct twin { int *p; int i; }" + mark + "struct twin___2 { int i; int *p; int l; }" + mark +
		"struct twins { struct twin one; struct twin___2 two; }" + mark
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{"int bits: 3; int a; }", "int bits: 3; int: 32; int a; }", "struct outer: size\nstruct outer list: size\nstruct outer list.a: offset"},
		{"int *p; int bits: 3; int a; }", "int *p; int: 1; int bits: 3; int a; }", "struct outer list.bits: bitfield"},
		{"int bits: 3; int a; }" + inside + " none", "int: 1; int bits: 3; int a; }" + inside + " none", "struct empty none.bits: bitfield"},
		{"int a; int bits: 3;", "int bits: 3; int a;", "typedef unnamed a: offset\ntypedef unnamed bits: bitfield"},
		{"int bits: 3; }" + inside + " unnamed", "int bits: 3; int: 32; int: 32; }" + inside + " unnamed", "typedef unnamed: size"},
		{"int *p; int l; }", "int: 32; int *p; int l; }", "struct twin: size\nstruct twins: size because of struct twin"},
	} {
		header := strings.Replace(text, c.old, c.new, 1)
		for _, fast := range []bool{false, true} {
			if got := outline(run(t, kernel32(), header, verify.Options{Fast: fast})); got != c.want {
				t.Errorf("%q instead of %q, fast=%v: reports\n%s\nwant\n%s", c.new, c.old, fast, got, c.want)
			}
		}
	}
}

// In C23 bool is a keyword, and so no typedef of the header's; not to clang 14,
// which knows the standard's draft.
func TestC23(t *testing.T) {
	b := btftest.New()
	flag := b.Typedef("bool", b.Int("_Bool", 1, btftest.Bool))
	b.Struct("s", 2, field("on", flag, 0), field("true", flag, 1))
	text := "#if __clang_major__ < 15\ntypedef _Bool bool;\n#define true_ true\n#else\n#define bool _Bool\n#endif\nstruct s { bool on; _Bool true_; }" + mark +
		"#undef bool\n"
	if got := outline(run(t, b, text, verify.Options{Std: "gnu2x"})); got != "" {
		t.Errorf("reports\n%s", got)
	}
}

func TestNoCompiler(t *testing.T) {
	view, err := btfdump.New(twins().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, name := range []string{"no-such-clang", "/bin/true"} {
		_, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: name})
		if !errors.Is(err, verify.ErrNoClang) || !strings.Contains(err.Error(), name) {
			t.Errorf("with %s the error is %v", name, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := verify.Header(context.Background(), path, view, nil, verify.Options{}); !errors.Is(err, verify.ErrNoClang) {
		t.Errorf("without any compiler the error is %v", err)
	}
	if _, err := verify.Header(context.Background(), path+"no", view, nil, verify.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a header the error is %v", err)
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A run that is stopped ends its compilers and removes its files.
func TestStopped(t *testing.T) {
	view, err := btfdump.New(twins().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte("struct list_head { struct list_head *next, *prev; }"+mark), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	// A compiler that never ends.
	stuck := filepath.Join(t.TempDir(), "clang")
	script := "#!/bin/sh\ncase \"$*\" in *--version*|*--print-targets*) exec " + clangtest.Newest(t).Name + " \"$@\";; esac\nexec sleep 1000\n"
	if err := os.WriteFile(stuck, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := verify.Header(ctx, path, view, nil, verify.Options{Clang: stuck})
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it went on for a minute")
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSetLimitsWhatIsCompared(t *testing.T) {
	b := twins()
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte("struct to_small { struct twin *p; }"+mark), 0o600); err != nil {
		t.Fatal(err)
	}
	set := view.Closure(view.Lookup("to_small"), btfdump.PointersForward)
	r, err := verify.Header(context.Background(), path, view, set, verify.Options{Clang: clangtest.Newest(t).Name})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds() || slices.Contains(r.Absent, "struct to_large") || r.Counts.Records != 1 {
		t.Errorf("%+v", r)
	}
}

// TestPointersToRecords has many records to which pointers are members of those
// before them. If no access needs them, clang 14 brings those back as mere
// declarations, unless the pointer by which they are asked for is another.
func TestPointersToRecords(t *testing.T) {
	b := btftest.New()
	number, long := b.Int("int", 4, btftest.Signed), b.Int("long int", 8, btftest.Signed)
	var text strings.Builder
	for i := range 75 { // two of each name, or else nothing is read back
		one := b.Struct(fmt.Sprintf("b%d", i), 4, field("small", number, 0))
		two := b.Struct(fmt.Sprintf("b%d", i), 8, field("large", long, 0))
		b.Struct(fmt.Sprintf("a%d", i), 8, field("p", b.Ptr(one), 0))
		b.Struct(fmt.Sprintf("a%d", i), 8, field("q", b.Ptr(two), 0))
		fmt.Fprintf(&text, "struct b%d { int small; }%sstruct b%d___2 { long large; }%s", i, mark, i, mark)
		fmt.Fprintf(&text, "struct a%d { struct b%d *p; }%sstruct a%d___2 { struct b%d___2 *q; }%s", i, i, mark, i, i, mark)
	}
	if r := run(t, b, text.String(), verify.Options{Fast: true}); outline(r) != "" || r.Counts.ReadBack != 300 {
		t.Errorf("%+v\n%s", r.Counts, outline(r))
	}
}
