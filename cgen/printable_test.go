package cgen_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// leftOut returns what Printable leaves out, and the header of the rest.
func leftOut(t *testing.T, v *btfdump.View) (errs []string, header string) {
	t.Helper()
	view, left, err := cgen.Printable(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) == 0 && view != v {
		t.Error("nothing is left out, but the view is another one")
	}
	for _, e := range left {
		errs = append(errs, e.Error())
	}
	text, err := makeHeader(view, nil, cgen.Options{Kfuncs: true, NoProvenance: true})
	if err != nil {
		t.Fatal(err)
	}
	return errs, string(text)
}

func TestPrintable(t *testing.T) {
	tests := []struct {
		name  string
		build func(b *btftest.Builder)
		left  []string // parts of the errors
		want  []string // in the header
		not   []string
	}{
		{"nothing", sample, nil, []string{"struct outer {"}, nil},
		{"a record's name", func(b *btftest.Builder) {
			u64 := b.Int("u64", 8, 0)
			opt := b.Reserve()
			b.At(opt).Struct("Opt<u64>", 16, btftest.Field("a", u64, 0), btftest.Field("next", b.Ptr(opt), 64))
			b.Struct("holds", 40, btftest.Field("value", opt, 0), btftest.Field("two", b.Ptr(b.Array(opt, u64, 2)), 128), btftest.Field("p", b.Ptr(b.Const(opt)), 192),
				btftest.Field("call", b.Ptr(b.FuncProto(opt)), 256))
			b.Typedef("opt_t", opt)
		}, []string{`(struct "Opt<u64>"): its name is no C identifier`}, []string{
			"struct holds {\n\tstruct {\n\t\tlong long unsigned int a;\n\t\tvoid *next;\n\t} value;\n\tvoid *two;\n\tvoid *p;\n\tvoid *call;\n}",
			"typedef struct {\n\tlong long unsigned int a;\n\tvoid *next;\n} __co_re opt_t;",
		}, []string{"Opt"}},
		{"names of other kinds", func(b *btftest.Builder) {
			i := b.Int("int", 4, btftest.Signed)
			def := b.Typedef("u<8>", i)
			b.Struct("s", 24, btftest.Field("d", def, 0), btftest.Field("e", b.Enum("E::F", 4, btftest.Val("A", 1), btftest.Val("{B}", 2)), 32),
				btftest.Field("f", b.Ptr(b.FwdStruct("f g")), 64), btftest.Field("p", b.Ptr(b.Const(def)), 128))
			b.DeclTag("a", def, -1)
		}, []string{`(enum "E::F"): enumerator "{B}"`, `(enum "E::F"): its name`, `(fwd "f g")`, `(typedef "u<8>")`},
			[]string{"\tint d;\n\tenum {\n\t\tA = 1,\n\t} e;\n\tvoid *f;\n\tconst int *p;\n"}, []string{"u<8>", "E::F", "f g", "{B}"}},
		{"members", func(b *btftest.Builder) {
			c := b.Int("char", 1, btftest.Char)
			i := b.Int("int", 4, btftest.Signed)
			b.Struct("s", 16, btftest.Field("a<b>", c, 0), btftest.Field("goto", c, 8), btftest.Field("x", c, 16), btftest.Field("x", c, 24),
				btftest.Field("i", i, 32), btftest.Field("over", i, 48), btftest.Field("", b.Struct("", 8, btftest.Field("i", i, 0), btftest.Field("y", i, 32)), 64))
			b.Union("u", 8, btftest.Field("at", i, 32), btftest.Field("b", i, 0))
		}, []string{`member "": its member "i": another one has`, `member "a<b>": its name is no`, `member "goto": its name is a keyword`,
			`member "over": it starts before`, `member "x": another one has`, `member "at": it is in a union but not at its start`},
			[]string{"struct s {\n\tshort: 16;\n\tchar x;\n\tint i;\n\tlong long: 64;\n}", "union u {\n\tint b;\n} __attribute__((aligned(8)))"}, []string{"goto", "over", "at;"}},
		{"types without a form", func(b *btftest.Builder) {
			odd := b.Int("odd", 3, 0)
			x87 := b.Float("long double", 12)
			b.Typedef("odd_t", odd)
			b.Struct("s", 32, btftest.Field("a", b.Array(odd, odd, 2), 0), btftest.Field("f", x87, 64), btftest.Field("p", b.Ptr(b.Typedef("x87_t", x87)), 192))
			f := b.Func("takes", b.FuncProto(btftest.Void, btftest.Arg("x", odd)), btftest.Static)
			b.DeclTag("bpf_kfunc", f, -1)
		}, []string{`(float "long double"): it uses`, `(typedef "odd_t"): it uses`, `(struct "s"): member "a": it uses a number`, `(struct "s"): member "f": it uses`, `(func "takes"): it uses`, `(typedef "x87_t"): it uses`},
			[]string{"struct s {\n\tlong long: 64;\n\tlong long: 64;\n\tlong long: 64;\n\tvoid *p;\n}"}, []string{"takes", "odd", "x87"}},
		{"enumerators", func(b *btftest.Builder) {
			b.Enum("e", 1, btftest.Val("A", 1), btftest.Val("B", 256), btftest.Val("C", 128), btftest.Val("D", -1))
			b.Enum("all", 1, btftest.Val("E", 256))
		}, []string{`enumerator "E": its value`, `enumerator "B": its value does not fit`, `enumerator "C": its value`},
			[]string{"A = 1,\n\tD = -1,\n}", "enum all : unsigned char;"}, nil},
		{"members in another order", func(b *btftest.Builder) {
			c := b.Int("char", 1, btftest.Char)
			u64 := b.Int("u64", 8, 0)
			b.Struct("rust", 16, btftest.Field("tag", c, 80), btftest.Field("none", b.Struct("", 0), 64), btftest.Field("big", u64, 0), btftest.Field("flag", c, 64))
		}, nil, []string{"struct rust {\n\tlong long unsigned int big;\n\tstruct {\n\t} none;\n\tchar flag;\n\tchar: 8;\n\tchar tag;\n"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			left, header := leftOut(t, view(t, test.build))
			if len(left) != len(test.left) {
				t.Errorf("left out: %q", left)
			}
			for i := range min(len(left), len(test.left)) {
				if !strings.Contains(left[i], test.left[i]) {
					t.Errorf("want %q, have %q", test.left[i], left[i])
				}
			}
			for _, want := range test.want {
				if !strings.Contains(header, want) {
					t.Errorf("no %q in:\n%s", want, header)
				}
			}
			for _, not := range test.not {
				if strings.Contains(header, not) {
					t.Errorf("%q in:\n%s", not, header)
				}
			}
		})
	}
}

// Whatever a type is that C can't express, the others have their header.
func TestPrintableBesideHostile(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			left, header := leftOut(t, view(t, func(b *btftest.Builder) {
				c.build(b)
				b.Struct("beside", 8, btftest.Field("member", b.Int("u64", 8, 0), 0))
			}))
			if !slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("want %q, have %q", c.want, left)
			}
			if !strings.Contains(header, "struct beside {\n\tlong long unsigned int member;\n}") {
				t.Error("the record beside it is not there")
			}
		})
	}
}
