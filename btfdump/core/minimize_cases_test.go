package core_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// shape lists the types of a view by name, with their members: "name:size{x@0
// y@32}", sorted as they are there.
func shape(view *btfdump.View) string {
	var b strings.Builder
	for t := range view.All() {
		if t.Name() == "" && !t.Kind().IsRecord() {
			continue
		}
		b.WriteString(t.Kind().String() + " " + t.Name())
		for _, m := range t.Members() {
			b.WriteString(" ." + m.Name)
		}
		for _, e := range t.Enumerators() {
			b.WriteString(" " + e.Name)
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

const (
	readsX  = macros + `struct s { int x; } CORE; SEC("kprobe/a") int f(struct s *s) { return s->x; }`
	readsXY = macros + `struct s { int x, y; } CORE; SEC("kprobe/a") int f(struct s *s) { return s->x + s->y; }`
)

// TestMinimizeCases has kernels in which not much is as usual.
func TestMinimizeCases(t *testing.T) {
	type builder = btftest.Builder
	field := btftest.Field
	integer := func(b *builder) btftest.ID { return b.Int("int", 4, btftest.Signed) }
	for _, c := range []struct {
		name, program string
		kernel        func(b *builder)
		want          string // the shape of the minimal BTF
		refused       bool   // libbpf would not load it
	}{
		{"nothing that is asked for", readsX, func(b *builder) { b.Struct("other", 4, field("x", integer(b), 0)) }, "", false},
		{"a struct without the member", readsX, func(b *builder) { b.Struct("s", 4, field("z", integer(b), 0)) }, "", false},
		{"members of no interest", readsX, func(b *builder) {
			i := integer(b)
			b.Struct("s", 12, field("a", i, 0), field("x", b.Typedef("int_t", b.Const(i)), 32), field("b", b.Ptr(i), 64))
		}, "int int; struct s .x", false},
		{"a member in a union without a name", readsX, func(b *builder) {
			i := integer(b)
			b.Struct("s", 8, field("", b.Union("", 4, field("a", i, 0), field("x", i, 0)), 32))
		}, "union  .x; int int; struct s .", false},
		{"two of the same name with the same answer", readsX, func(b *builder) {
			i := integer(b)
			b.Struct("s", 8, field("a", i, 0), field("x", i, 32))
			b.Struct("s", 16, field("x", i, 32), field("b", i, 64))
		}, "int int; struct s .x", false},
		{"two of the same name, of which one has all", readsXY, func(b *builder) {
			i := integer(b)
			b.Struct("s", 4, field("x", i, 0))
			b.Struct("s", 8, field("x", i, 0), field("y", i, 32))
		}, "int int; struct s .x .y", false},
		{"two of the same name with different answers", readsX, func(b *builder) {
			i := integer(b)
			b.Struct("s", 4, field("x", i, 0))
			b.Struct("s", 8, field("x", i, 32))
		}, "int int; struct s .x; struct s .x", true},
		{"a flavour of the kernel's", readsX, func(b *builder) { b.Struct("s___2", 4, field("x", integer(b), 0)) }, "int int; struct s___2 .x", false},
		{"an enum of another name is no member that fits", macros + `
			enum a { A }; enum b { B };
			struct s { enum a x; } CORE; struct s___other { enum b x; } CORE;
			SEC("kprobe/a") int f(struct s *s) { return exists(s->x) + 2 * exists(((struct s___other *)s)->x); }`,
			func(b *builder) { b.Struct("s", 4, field("x", b.Enum("a", 4, btftest.Val("A", 0)), 0)) }, "enum a; struct s .x", false},
		{"a pointer to void would match where one to a struct does not", macros + `
			struct s { struct t *x; } CORE; struct s___void { void *x; } CORE;
			SEC("kprobe/a") u64 f(struct s *s) { return (u64)s->x + __builtin_preserve_type_info(*(struct s___void *)0, 2); }`,
			func(b *builder) {
				b.Struct("s", 16, field("x", b.Ptr(b.FwdStruct("t")), 0), field("y", integer(b), 64))
			}, "int int; struct s .x .y; fwd t", false},
		{"an array of no elements that others follow is not flexible", macros + `
			struct s { int n; int x[]; } CORE;
			SEC("kprobe/a") int f(struct s *s) { return exists(s->x) + 2 * exists(s->x[1]); }`,
			func(b *builder) {
				i := integer(b)
				b.Struct("s", 8, field("x", b.Array(i, i, 0), 0), field("a", i, 0), field("b", i, 32))
			}, "int int; struct s .x .a .b", false},
		{"the index of an array that has no int", macros + `
			struct p { int a; }; struct s { struct p x[4]; } CORE;
			SEC("kprobe/a") int f(struct s *s) { return exists(s->x[1]); }`,
			func(b *builder) {
				b.Struct("s", 8, field("x", b.Array(b.Struct("p", 2), b.Int("__ARRAY_SIZE_TYPE__", 4, 0), 4), 0))
			}, "struct ; int __ARRAY_SIZE_TYPE__; struct s .x", false},
		{"pointers of 4 bytes", macros + `
			struct s { void *x; } CORE;
			SEC("kprobe/a") u64 f(struct s *s) { return (u64)s->x + __builtin_preserve_field_info(s->x, 1); }`,
			func(b *builder) {
				b.Int("long unsigned int", 4, 0)
				b.Int("long int", 4, btftest.Signed)
				b.Struct("s", 4, field("x", b.Ptr(integer(b)), 0))
			}, "int long int; struct s .x", false},
		{"a list that leads back to itself", macros + `
			typedef struct node *node_p; struct node { struct node *next; int v; } CORE;
			SEC("kprobe/a") int f(struct node *n) { return n->next->v + __builtin_preserve_type_info(*(node_p *)0, 0); }`,
			func(b *builder) {
				node := b.Reserve()
				b.At(node).Struct("node", 16, field("next", b.Ptr(node), 0), field("v", integer(b), 64))
				b.Typedef("node_p", b.Ptr(node))
			}, "int int; struct node .next .v; typedef node_p", false},
		{"a prototype", macros + `
			typedef int (*fn)(int, void *); typedef int (*fn___2)(int);
			SEC("kprobe/a") int f(void) { return __builtin_preserve_type_info(*(fn *)0, 0) + 2 * __builtin_preserve_type_info(*(fn___2 *)0, 0); }`,
			func(b *builder) {
				i := integer(b)
				b.Typedef("fn", b.Ptr(b.FuncProto(i, btftest.Arg("a", i), btftest.Arg("b", b.Ptr(btftest.Void)))))
			}, "typedef fn; int int", false},
	} {
		build := func() *btfdump.View {
			b := btftest.New()
			c.kernel(b)
			return newView(t, b.Bytes())
		}
		o := compile(t, clangtest.Newest(t), "bpfel", c.program)
		view := build()
		raw, results, err := core.NewTarget(view).Minimize([]*core.Object{o})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		minimal := newView(t, raw)
		sameResults(t, []*core.Object{o}, view, minimal)
		if got := shape(minimal); got != c.want {
			t.Errorf("%s: the minimal BTF has %q, want %q", c.name, got, c.want)
		}
		refused := false
		for _, r := range results[0] {
			refused = refused || r.Err != nil
		}
		if refused != c.refused {
			t.Errorf("%s: refused=%t", c.name, refused)
		}
		for seed := range uint64(3) {
			shuffled := newView(t, btftest.Shuffle(view.Raw(), seed))
			if !bytes.Equal(raw, minimize(t, shuffled, o)) {
				t.Errorf("%s: with other type IDs, the minimal BTF is another", c.name)
			}
		}
	}
}

// TestMinimizeModules has types of modules stand beside the kernel's.
func TestMinimizeModules(t *testing.T) {
	const program = macros + `
struct nf_conntrack_net { unsigned users4; } CORE;
struct nf_conn_help { struct nf_conntrack_helper *helper; } CORE;
struct nf_conntrack_helper { unsigned expect_class_max; } CORE;
struct task_struct { int pid; } CORE;
struct rcuwait { void *task; } CORE;
struct btrfs_root { void *fs_info; } CORE;
SEC("kprobe/a") u64 f(struct nf_conn_help *h, struct task_struct *t, struct btrfs_root *b, struct rcuwait *w) {
	return (u64)h->helper->expect_class_max + t->pid + (u64)b->fs_info + exists(((struct nf_conntrack_net *)h)->users4) + (u64)w->task
		+ __builtin_btf_type_id(*(struct nf_conn_help *)0, 1);
}
`
	o := compile(t, clangtest.Newest(t), "bpfel", program)
	base := btftest.Corpus(t, "amd64-7.2-cloud")
	join := func(base []byte, splits ...[]byte) *btfdump.View {
		b := newView(t, base)
		var views []*btfdump.View
		for _, raw := range splits {
			v, err := btfdump.NewSplit(raw, b)
			if err != nil {
				t.Fatal(err)
			}
			views = append(views, v)
		}
		all, err := btfdump.Join(b, views...)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	nf, btrfs := btftest.Corpus(t, "amd64-7.2-cloud.nf_conntrack"), btftest.Corpus(t, "amd64-7.2-cloud.btrfs")
	view := join(base, nf, btrfs)
	for i := range core.NewTarget(view).Relocate(o) {
		if r := core.NewTarget(view).Relocate(o)[i]; !r.Found() {
			t.Errorf("relocation %d, of %s, finds nothing", i, o.View.Type(o.Relocations[i].Type).Name())
		}
	}
	raw := minimize(t, view, o)
	minimal := newView(t, raw)
	sameResults(t, []*core.Object{o}, view, minimal)
	bpftoolReads(t, raw, minimal)
	for _, name := range []string{"task_struct", "nf_conn_help", "nf_conntrack_helper", "btrfs_root"} {
		if len(minimal.Lookup(name, btfdump.KindStruct)) != 1 {
			t.Errorf("the minimal BTF does not have struct %s once: %s", name, shape(minimal))
		}
	}
	other := join(base, btftest.ShuffleSplit(btrfs, base, 3), btftest.ShuffleSplit(nf, base, 4))
	if !bytes.Equal(raw, minimize(t, other, o)) {
		t.Error("with other type IDs, and in another order, the minimal BTF is another")
	}
}

// TestMinimizeShadowedModule has a type of a module that libbpf does not look at,
// since the kernel itself has one of that name; it must not be found in the
// minimal BTF either, though the module's other type holds it.
func TestMinimizeShadowedModule(t *testing.T) {
	o := compile(t, clangtest.Newest(t), "bpfel", macros+`
struct s { int a; int x; } CORE; struct m { struct s s; } CORE;
SEC("kprobe/a") int f(struct s *s, struct m *m) { return s->a + exists(s->x) + m->s.x; }`)
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Struct("s", 4, btftest.Field("a", integer, 0))
	module := b.Split()
	module.Struct("m", 8, btftest.Field("s", module.Struct("s", 8, btftest.Field("x", integer, 0), btftest.Field("a", integer, 32)), 0))
	view, err := btfdump.NewSplit(module.Bytes(), newView(t, b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	minimal := newView(t, minimize(t, view, o))
	sameResults(t, []*core.Object{o}, view, minimal)
	if got := shape(minimal); got != "struct  .x; int int; struct m .s; struct s .a" {
		t.Errorf("the minimal BTF has %q", got)
	}
}

// TestTargetForKnowsWhatIsAskedFor compares with a target that knows all types.
func TestTargetForKnowsWhatIsAskedFor(t *testing.T) {
	view := newView(t, btftest.Corpus(t, "amd64-7.2-cloud"))
	for _, program := range []string{kernelProgram, comparingProgram, macros + `struct s { int a; }; struct s___2 { int x; } CORE; SEC("a/b") int f(struct s___2 *s) { return s->x; }`} {
		o := compile(t, clangtest.Newest(t), "bpfel", program)
		full, some := core.NewTarget(view).Relocate(o), core.NewTargetFor(view, []*core.Object{o}).Relocate(o)
		for i := range full {
			if full[i].Found() != some[i].Found() || full[i].Value != some[i].Value || len(full[i].Matches) != len(some[i].Matches) {
				t.Errorf("relocation %d differs", i)
			}
		}
	}
}

func TestMinimizeOtherByteOrder(t *testing.T) {
	o := compile(t, clangtest.Newest(t), "bpfeb", readsX)
	b := btftest.New()
	b.Struct("s", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
	_, _, err := core.NewTarget(newView(t, b.Bytes())).Minimize([]*core.Object{o})
	if err == nil || !strings.Contains(err.Error(), "main.o: the object has another byte order") {
		t.Errorf("the error is %v", err)
	}
}

// FuzzMinimize makes minimal BTF of damaged kernels.
func FuzzMinimize(f *testing.F) {
	c := clangtest.Newest(f)
	var objects []*core.Object
	for _, program := range []string{kernelProgram, comparingProgram, matchingProgram} {
		objects = append(objects, compile(f, c, "bpfel", program))
	}
	// Small kernels, in which a change has an effect.
	for _, name := range []string{"amd64-7.2-cloud", "armhf-6.1"} {
		f.Add(minimize(f, newView(f, btftest.Corpus(f, name)), objects...))
	}
	for _, o := range objects {
		f.Add(o.View.Raw())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		view, err := btfdump.New(raw)
		if err != nil || view.ByteOrder() != objects[0].ByteOrder {
			return
		}
		small, _, err := core.NewTargetFor(view, objects).Minimize(objects)
		var format *btfdump.FormatError
		if errors.As(err, &format) && format.Kind > btfdump.KindEnum64 {
			return // can't be renumbered
		}
		if err != nil {
			t.Fatal(err)
		}
		minimal := newView(t, small)
		sameResults(t, objects, view, minimal)
		if again := minimize(t, minimal, objects...); !bytes.Equal(small, again) {
			t.Errorf("%d bytes become %d when they are minimised again", len(small), len(again))
		}
	})
}
