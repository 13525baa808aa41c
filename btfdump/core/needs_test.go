package core_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// needsProgram mentions types of a kernel in every way that an object shows.
const needsProgram = macros + `
typedef struct { int counter; } atomic_t;
enum { FLAG_A = 1, FLAG_B };
enum state { STATE_A };
struct qstr { int len; int hash; } CORE;
struct only_declared;
struct dentry { struct qstr d_name[2]; atomic_t refs; union { int one; struct { int two; }; }; struct only_declared *p; } CORE;
struct value { int v; };
struct key { int k; };
struct argument { int a; };
struct result { int r; };
struct hidden { int h; };
struct matched { int m; } CORE;
struct own { struct value *pointer; struct key inside; int plain; };
struct dentry___old { int gone; struct qstr *q; } CORE;
struct { struct own *value; enum state *key; } map SEC(".maps");
extern struct result *a_kfunc(struct argument *a) SEC(".ksyms");
static __attribute__((noinline)) int quiet(struct hidden *h) { asm volatile("" : : "r"(h)); return 0; }
SEC("tc") int f(struct dentry *d) {
	struct dentry___old *old = (void *)d;
	return d->d_name[1].len + d->refs.counter + d->two + (a_kfunc(0) != 0) + old->gone + quiet((void *)d)
		+ __builtin_preserve_enum_value(*(typeof(enum state) *)STATE_A, 1);
}
`

func TestNeeds(t *testing.T) {
	ours := map[string]bool{"struct own": true, "struct dentry___old": true}
	declared := func(n core.TypeName) bool { return !ours[n.String()] }
	for _, c := range clangtest.Compilers(t) {
		o, err := core.ReadObject("main.o", compileFile(t, c, "bpfel", needsProgram))
		if err != nil {
			t.Fatal(err)
		}
		for _, static := range []bool{false, true} {
			n := o.Needs(declared, static)
			want := "[struct argument struct dentry struct key struct qstr struct result enum state]"
			if static {
				want = strings.Replace(want, "key", "hidden struct key", 1)
			}
			if got := fmt.Sprint(n.Types); got != want {
				t.Errorf("%s: types %s, want %s", c.Name, got, want)
			}
			if got, want := fmt.Sprint(n.Variables), "[struct key enum state]"; got != want {
				t.Errorf("%s: types of variables %s, want %s", c.Name, got, want)
			}
			if got, want := fmt.Sprint(n.Names), "[a_kfunc]"; got != want {
				t.Errorf("%s: names %s, want %s", c.Name, got, want)
			}
			var paths []string
			for _, a := range n.Accesses {
				paths = append(paths, a.Root.String()+" "+strings.Join(a.Path, "."))
			}
			for _, want := range []string{"struct dentry d_name", "struct qstr len", "struct dentry refs", "struct dentry two"} {
				if !strings.Contains(strings.Join(paths, "\n")+"\n", want+"\n") {
					t.Errorf("%s: accesses %q, want %q", c.Name, paths, want)
				}
			}
			if len(paths) != 4 {
				t.Errorf("%s: accesses %q, want 4", c.Name, paths)
			}
		}
	}
}

// Each change of a program is told; a change that is none for a loader is not.
func TestDifferences(t *testing.T) {
	const program = macros + `
struct in { int i; };
struct arg { int a; };
struct other { char c[3]; };
struct rec { int unused; long used; struct in in; struct in list[1000]; } CORE;
struct flags { char x: 3; long y; } CORE;
struct { struct rec *value; } map SEC(".maps");
long counter = 1;
extern int kfunc(struct arg *a) SEC(".ksyms");
SEC("tc") long f(struct rec *r) { return r->used + r->list[999].i + counter + kfunc(0); }
SEC("tc") long h(struct flags *f) { return __builtin_preserve_field_info(f->x, 1); }
SEC("tc") long g(struct rec *r) { return __builtin_btf_type_id(*(struct rec *)0, 1) + (long)&map; }
`
	clang := clangtest.Newest(t)
	reference := compileFile(t, clang, "bpfel", program)
	for _, c := range []struct {
		old, new, want string // want "": the same program
	}{
		{"int unused;", "int: 32;", ""},
		{"int unused;", "char x; char y; short z;", ""},
		{"struct other { char c[3]; };", "", ""},
		{"x: 3; long y;", "x: 3; char y[15];", ""},
		{"struct in in;", "struct in in; long more;", "struct rec"},
		{"long used; struct in in;", "struct in in; int: 32; long used;", "section \"tc\""},
		{"r->used", "*(long *)&r->unused", "unused"},
		{"used", "renamed", "relocation only in the first: function \"f\", instruction 0: field byte offset of struct rec (4024 bytes).used"},
		{"list", "others", "field byte offset of struct rec (4024 bytes).list[999]"},
		{"counter = 1", "counter = 2", "section \".data\" differs at byte 0"},
		{"counter = 1", "counter = 0", "section \".bss\""},
		{"struct arg { int a; };", "struct arg;", "struct arg (only declared)"},
		{"kfunc(0)", "kfunc((void *)1)", "section \"tc\" differs"},
		{"kfunc", "kfuncs", "kfuncs"},
		{"struct rec *value", "struct in *value", "variable \"map\""},
		{"extern int kfunc", "extern __attribute__((weak)) int kfunc", "weak true"},
	} {
		changed := strings.ReplaceAll(program, c.old, c.new)
		if changed == program {
			t.Fatalf("%q is not in the program", c.old)
		}
		got, err := core.Differences(reference, compileFile(t, clang, "bpfel", changed))
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(got, "\n"); (len(got) == 0) != (c.want == "") || !strings.Contains(all, c.want) {
			t.Errorf("%q instead of %q: %q, want %q", c.new, c.old, all, c.want)
		}
	}
	same, err := core.Differences(reference, bytes.Clone(reference))
	if err != nil || len(same) != 0 {
		t.Errorf("a program differs from itself: %q, %v", same, err)
	}
	if _, err := core.Differences(reference, reference[:len(reference)/2]); err == nil {
		t.Error("half an object is no error")
	}
	// What a loader replaces in instructions is no difference; all else there is.
	o, err := core.ReadObject("main.o", reference)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(reference))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range o.Relocations {
		function := o.Functions[r.Function]
		changed := bytes.Clone(reference)
		changed[f.Section(function.Section).Offset+function.Offset+uint64(r.Instruction)*core.InstructionSize+4]++
		got, err := core.Differences(reference, changed)
		isReplaced := r.Kind == core.TypeIDTarget || r.Kind == core.FieldByteSize // of a bitfield
		if err != nil || isReplaced != (len(got) == 0) {
			t.Errorf("the constant of %s is another: %q, %v", r.Kind, got, err)
		}
	}
}
