package llvmir

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// program has what C can say of types, as far as BTF has a word for it.
const program = `
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
typedef unsigned int u32;
typedef unsigned __int128 u128;
enum least { LEAST = -2147483648LL, MOST = 2147483647 };
enum wide { WIDE = 0x123456789abcull };
enum low { LOW = -0x123456789abcll };
enum only_declared;
enum byte { BYTE = 255 } __attribute__((packed));
struct forward;
union forward_union;
struct bits {
	u32 a:3, b:5; int : 0; _Bool c:1; enum byte d:8;
	struct { int x; union { long y; char z[3][4]; }; };
	struct forward *f; union forward_union **g;
	int (*fn)(const struct bits *, ...);
	const char *restrict n; volatile int v; int __attribute__((btf_type_tag("rcu"))) *tag;
	long long ll; unsigned char uc; signed char sc; short s;
	struct bits *self[2]; int flexible[];
} __attribute__((packed, aligned(2)));
typedef struct { int q; } unnamed;
typedef void (*callback)(enum least, struct bits *);
typedef int array[5];
union both { int i; double d; long double ld; float f; int none[0]; };
extern int declared(struct bits *a, u128 b);
extern int renamed(void) __asm__("another name");
extern void no_prototype();
int defined(void) { return 1; }
const volatile struct bits *p0; enum least *p1; enum wide *p2; enum low *p3; enum byte *p4; unnamed *p5; callback *p6; array *p7;
typeof(declared) *p8 = declared; typeof(renamed) *p9 = renamed; typeof(no_prototype) *p10 = no_prototype;
const volatile union both *p11; struct forward *p12; u128 *p13; enum only_declared *p14; void *p15;
typeof(defined) *p16 = defined;
struct plain { int x; } *p18;
volatile unsigned long long sink;
void access(void) {
	*(volatile char *)&((struct bits *)p0)->v;
	*(volatile char *)&((unnamed *)p5)->q;
}
#pragma clang attribute pop
struct unmarked { int x; } *p19;
void access_plain(void) { *(volatile char *)&p19->x; }
`

// compiled returns what clang makes of a program: the module, and its own BTF, with the
// names of the records that its .BTF.ext has relocations of.
func compiled(t *testing.T, c clangtest.Clang, program, target, prefix string) (m *Module, back *btfdump.View, relocated map[string]bool) {
	t.Helper()
	dir := t.TempDir()
	source, ir := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.ll")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(c.Name, "-target", target, "-std=gnu11", "-w", "-g", "-O2", "-S", "-emit-llvm", "-fno-crash-diagnostics", "-o", ir, source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(ir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Read(text, prefix); err != nil {
		t.Fatal(err)
	}
	object, said, err := c.Compile(t, map[string]string{"main.c": program}, "-target", target, "-g", "-std=gnu11", "-w", "-O2")
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if back, err = btfdump.New(section(t, object, ".BTF")); err != nil {
		t.Fatal(err)
	}
	relocated = make(map[string]bool)
	if raw := section(t, object, ".BTF.ext"); raw != nil {
		ext, err := btfdump.ReadExt(raw, back)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range ext.Relocations {
			relocated[recordName(back, back.Resolve(r.Type))] = true
		}
	}
	return m, back, relocated
}

func section(t *testing.T, object, name string) []byte {
	t.Helper()
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := f.Section(name)
	if s == nil {
		return nil
	}
	data, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recordName is what a record can be known by on both sides.
func recordName(v *btfdump.View, id btfdump.TypeID) string {
	t := v.Type(id)
	name := t.Kind().String() + " " + t.Name()
	for _, m := range t.Members() {
		name += " " + m.Name
	}
	return name
}

// What is read is what clang writes as BTF, but that BTF has records which only
// pointers lead to as declarations.
func TestTypesAreThoseOfTheBackend(t *testing.T) {
	for _, c := range clangtest.Compilers(t) {
		for _, target := range []string{"bpfel", "bpfeb"} {
			t.Run(c.Name+" "+target, func(t *testing.T) {
				t.Parallel()
				m, back, want := compiled(t, c, program, target, "p")
				got := map[string]bool{}
				for id := range m.Relocated {
					got[recordName(m.Types, id)] = true
				}
				if !maps.Equal(got, want) || len(want) != 2 {
					t.Errorf("accesses to %v are relocated, of which the object has %v", got, want)
				}
				compareAll(t, m, back, c.Major, "p", 19)
				for name, want := range map[string]Variable{
					"p8": {Symbol: "declared"}, "p9": {Symbol: "another name"}, "p10": {Symbol: "no_prototype"},
					"p16": {Symbol: "defined", Defined: true}, "p18": {},
				} {
					if got := m.Variables[name]; got.Symbol != want.Symbol || got.Defined != want.Defined {
						t.Errorf("%s points to %+v, want %+v", name, got, want)
					}
				}
				for name, want := range map[string]bool{"p0": true, "p5": true, "p18": false, "p19": false} {
					pointee := m.Types.Type(m.Variables[name].Type).Ref()
					if got := m.Relocated[m.Types.Resolve(pointee)]; got != want {
						t.Errorf("the access by %s is relocated: %v", name, got)
					}
				}
			})
		}
	}
}

func TestRandomTypesAreThoseOfTheBackend(t *testing.T) {
	for seed := range uint64(6) {
		for _, c := range clangtest.Compilers(t) {
			t.Run(fmt.Sprintf("%s %d", c.Name, seed), func(t *testing.T) {
				t.Parallel()
				m, back, _ := compiled(t, c, clangtest.RandomTypes(rand.New(rand.NewPCG(seed, 1))), "bpfel", "use")
				compareAll(t, m, back, c.Major, "use", 10)
			})
		}
	}
}

// compareAll compares the types of all variables, of which there are at least so many.
func compareAll(t *testing.T, m *Module, back *btfdump.View, major int, prefix string, least int) {
	t.Helper()
	seen := map[[2]btfdump.TypeID]bool{}
	compared := 0
	for v := range back.All() {
		if v.Kind() != btfdump.KindVar || !strings.HasPrefix(v.Name(), prefix) {
			continue
		}
		own, ok := m.Variables[v.Name()]
		if !ok {
			t.Errorf("no variable %s", v.Name())
			continue
		}
		if difference := differ(m.Types, back, own.Type, v.Ref(), major, seen); difference != "" {
			t.Errorf("%s: %s", v.Name(), difference)
		}
		compared++
	}
	if compared < least {
		t.Errorf("%d variables were compared", compared)
	}
}

func differ(a, b *btfdump.View, x, y btfdump.TypeID, major int, seen map[[2]btfdump.TypeID]bool) string {
	if seen[[2]btfdump.TypeID{x, y}] {
		return ""
	}
	seen[[2]btfdump.TypeID{x, y}] = true
	p, q := a.Type(x), b.Type(y)
	for q.Kind() == btfdump.KindTypeTag {
		q = b.Type(q.Ref())
	}
	if p.Name() != q.Name() {
		return fmt.Sprintf("%q is %q", p.Name(), q.Name())
	}
	if q.Kind() == btfdump.KindFwd && p.Kind().IsRecord() {
		return ""
	}
	in := func(what string, x, y btfdump.TypeID) string {
		if d := differ(a, b, x, y, major, seen); d != "" {
			return fmt.Sprintf("%s %s %s: %s", p.Kind(), p.Name(), what, d)
		}
		return ""
	}
	short := major < 15 && p.Kind().IsEnum()
	if p.Kind() != q.Kind() && !(short && q.Kind().IsEnum()) || p.Size() != q.Size() || p.KindFlag() != q.KindFlag() && !short {
		return fmt.Sprintf("%s %s of %d bytes, flag %v, is %s of %d bytes, flag %v", p.Kind(), p.Name(), p.Size(), p.KindFlag(), q.Kind(), q.Size(), q.KindFlag())
	}
	switch k := p.Kind(); {
	case k == btfdump.KindInt:
		if p.IntEncoding() != q.IntEncoding() || p.IntBits() != q.IntBits() {
			return fmt.Sprintf("%s has another encoding", p.Name())
		}
	case k == btfdump.KindArray:
		if p.ArrayLen() != q.ArrayLen() {
			return fmt.Sprintf("%d elements are %d", p.ArrayLen(), q.ArrayLen())
		}
		return in("element", p.Ref(), q.Ref())
	case k.IsRecord():
		if p.NumMembers() != q.NumMembers() {
			return fmt.Sprintf("%s has %d members, and %d", p.Name(), p.NumMembers(), q.NumMembers())
		}
		for i, m := range p.Members() {
			n := q.Member(i)
			if m.Name != n.Name || m.BitOffset != n.BitOffset || m.BitSize != n.BitSize {
				return fmt.Sprintf("%s has %+v, and %+v", p.Name(), m, n)
			}
			if d := in(m.Name, m.Type, n.Type); d != "" {
				return d
			}
		}
	case k.IsEnum():
		if p.NumEnumerators() != q.NumEnumerators() {
			return fmt.Sprintf("%s has %d values, and %d", p.Name(), p.NumEnumerators(), q.NumEnumerators())
		}
		for i, e := range p.Enumerators() {
			f := q.Enumerator(i)
			if e.Name != f.Name || e.Value != f.Value && !(short && uint32(e.Value) == uint32(f.Value)) {
				return fmt.Sprintf("%s has %+v, and %+v", p.Name(), e, f)
			}
		}
	case k == btfdump.KindFuncProto:
		if p.NumParams() != q.NumParams() {
			return fmt.Sprintf("%d parameters are %d", p.NumParams(), q.NumParams())
		}
		for i, m := range p.Params() {
			if d := in(fmt.Sprint("parameter ", i), m.Type, q.Param(i).Type); d != "" {
				return d
			}
		}
		return in("result", p.Ref(), q.Ref())
	case k.IsModifier() || k == btfdump.KindPtr:
		return in("of", p.Ref(), q.Ref())
	}
	return ""
}

// What BTF has no word for is nothing that a kernel's type can be.
func TestWhatBTFHasNoWordFor(t *testing.T) {
	const program = `
int __attribute__((vector_size(16))) *p0; _Complex float *p1; _Atomic int *p2; _Complex double *p3;
`
	for _, c := range clangtest.Compilers(t) {
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			source, ir := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.ll")
			if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(c.Name, "-target", "bpfel", "-w", "-g", "-O2", "-S", "-emit-llvm", "-fno-crash-diagnostics", "-o", ir, source).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			module, err := os.ReadFile(ir)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Read(module, "p")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				pointee := m.Types.Type(m.Types.Type(m.Variables[fmt.Sprint("p", i)].Type).Ref())
				if pointee.Kind() != btfdump.KindStruct || !strings.HasPrefix(pointee.Name(), "<") {
					t.Errorf("p%d points to %s %q", i, pointee.Kind(), pointee.Name())
				}
			}
		})
	}
}

// A text in another form is refused, and never read by half.
func TestFormsThatAreNotKnown(t *testing.T) {
	const pointer = "!1 = distinct !DIGlobalVariable(name: \"p\", type: !2)\n!2 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !3, size: 64)\n"
	for text, reason := range map[string]string{
		pointer + "!3 = !DIStringType(name: \"s\")\n":                                                                                                    "no type that is known",
		pointer + "!3 = !DIDerivedType(tag: DW_TAG_ptr_to_member_type, baseType: !3)\n":                                                                  "no tag that is known",
		pointer + "!3 = !DIBasicType(name: \"int\", size: !4)\n":                                                                                         "no number",
		pointer + "!3 = !DIBasicType(name: \"int\", size: 32\n":                                                                                          "a node without an end",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_structure_type, name: \"s\", elements: !9)\n":                                                       "no such node",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_structure_type, name: \"s\", elements: !2)\n":                                                       "no tuple",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_structure_type, elements: !4)\n!4 = !{!5}\n!5 = !DISubprogram(name: \"f\")\n":                       "no member",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_array_type, baseType: null, elements: !4)\n!4 = !{!5}\n!5 = !DISubrange(count: !6)\n":               "no number",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_array_type, baseType: null, elements: !4)\n!4 = !{!5}\n!5 = !DIGenericSubrange()\n":                 "no number of elements",
		pointer + "!3 = !DICompositeType(tag: DW_TAG_enumeration_type, size: 32, elements: !4)\n!4 = !{!5}\n!5 = !DIEnumerator(name: \"A\", value: x)\n": "no integer",
		"!99999999 = !{}\n":  "too many nodes",
		"@ = global i32 0\n": "a variable without a name",
		"@\"llvm.s:0:0$0:0\" = external global i64, !llvm.preserve.access.index !{}\n": "no reference",
	} {
		m, err := Read([]byte(text), "p")
		if e := (*FormatError)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, reason) {
			t.Errorf("%s: %v, %v; want %q", text, m, err, reason)
		}
	}
}

// Names can have anything in them; LLVM escapes what would end them.
func TestNamesThatLookLikeMore(t *testing.T) {
	const text = `@p = global ptr @"\01evil\22, !llvm.preserve.access.index !3", align 8
@"llvm.s:0:0$0:0, !llvm.preserve.access.index !3" = global i64 0
@"evil, !llvm.preserve.access.index !3" = external global i64
!1 = distinct !DIGlobalVariable(name: "p", type: !2)
!2 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !3, size: 64)
!3 = !DICompositeType(tag: DW_TAG_structure_type, name: "a\22, size: 8, x: \22\5C\0Ab", size: 32, elements: !{})
`
	m, err := Read([]byte(strings.ReplaceAll(text, "elements: !{}", "elements: null")), "p")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Variables["p"].Symbol, `evil", !llvm.preserve.access.index !3`; got != want {
		t.Errorf("symbol %q, want %q", got, want)
	}
	s := m.Types.Type(m.Types.Type(m.Variables["p"].Type).Ref())
	if want := "a\", size: 8, x: \"\\\nb"; s.Name() != want || s.Size() != 4 {
		t.Errorf("%q of %d bytes, want %q of 4", s.Name(), s.Size(), want)
	}
	if len(m.Relocated) > 0 {
		t.Errorf("relocated: %v", m.Relocated)
	}
}

// No text makes it panic, or take more memory than it has bytes, times a few.
func FuzzRead(f *testing.F) {
	for _, c := range clangtest.Find() {
		dir := f.TempDir()
		source, ir := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.ll")
		if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
			f.Fatal(err)
		}
		if out, err := exec.Command(c.Name, "-target", "bpfel", "-std=gnu11", "-w", "-g", "-O2", "-S", "-emit-llvm", "-fno-crash-diagnostics", "-o", ir, source).CombinedOutput(); err != nil {
			f.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(ir)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Read(text, "p")
		if err != nil {
			return
		}
		for name, v := range m.Variables {
			if !strings.HasPrefix(name, "p") || int(v.Type) >= m.Types.NumTypes()+1 {
				t.Errorf("%s: %+v of %d types", name, v, m.Types.NumTypes())
			}
		}
	})
}
