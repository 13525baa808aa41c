package core_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// comparingProgram asks for what takes the most of a kernel's types: comparisons
// of prototypes, of records as a whole, of arrays of records, and answers that
// are no.
const comparingProgram = macros + `
typedef struct { int counter; } CORE atomic_t;
typedef unsigned short umode_t;
typedef _Bool bool;
struct list_head { struct list_head *next, *prev; } CORE;
struct list_head___more { struct list_head *next, *prev; int more; } CORE;
struct list_head___void { void *next; } CORE;
struct list_head___less { struct list_head *prev; } CORE;
struct bpf_insn; struct file; struct kset; struct dir_context;
typedef void (*task_work_func_t)(void *);
typedef int (*filldir_t)(struct dir_context *, const char *, int, long long, u64, unsigned);
typedef bool (*filldir_t___bool)(struct dir_context *, const char *, int, long long, u64, unsigned);
struct kobject { const char *name; struct list_head entry; struct kobject *parent; struct kset *kset; } CORE;
struct kobject___other { int name; struct file *parent; } CORE;
struct bio_vec { void *bv_page; unsigned bv_len; } CORE;
struct bio { atomic_t __bi_remaining; unsigned short bi_vcnt; struct bio_vec bi_inline_vecs[]; } CORE;
struct zone { long lowmem_reserve[4]; const char *name; } CORE;
struct pglist_data { struct zone node_zones[2]; int nr_zones; } CORE;
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_NONE };
enum pid_type___less { PIDTYPE_PID___x };
struct pid { unsigned level; struct { void *ns; } numbers[]; } CORE;
struct inode { umode_t i_mode; union { unsigned i_nlink; }; struct { long tv_sec; } i_ctime; struct list_head i_lru; } CORE;
struct inode___new { long i_ctime_sec; } CORE;
union bpf_attr { struct { unsigned map_type, key_size; }; struct { u64 insns; } ; } CORE;
struct no_such_struct { int a; } CORE;
#define info(field, kind) __builtin_preserve_field_info(field, kind)
#define type_info(type, kind) __builtin_preserve_type_info(*(type *)0, kind)
#define enum_value(type, value, kind) __builtin_preserve_enum_value(*(typeof(type) *)value, kind)
SEC("kprobe/a") u64 fields(struct inode *i, struct pglist_data *p, struct bio *b, union bpf_attr *a, struct pid *n) {
	u64 sum = i->i_mode + i->i_nlink + i->i_ctime.tv_sec + (u64)i->i_lru.next + info(p->node_zones[1].lowmem_reserve[2], 0) + info(p->nr_zones, 0);
	if (info(((struct inode___new *)i)->i_ctime_sec, 2)) sum += ((struct inode___new *)i)->i_ctime_sec;
	return sum + info(p->node_zones[0].name, 0) + b->__bi_remaining.counter + b->bi_inline_vecs[3].bv_len + info(b->bi_inline_vecs, 2) + a->key_size + a->insns + info(n->numbers, 2) + (u64)n->numbers[1].ns;
}
SEC("kprobe/a") u64 others(struct kobject *k) {
	struct kobject___other *o = (void *)k;
	return info(o->name, 2) + info(o->parent, 2) + (u64)k->kset + info(k->entry, 1) + info(k->name, 1);
}
SEC("kprobe/a") u64 types(void) {
	return type_info(atomic_t, 1) + type_info(umode_t, 0) + type_info(bool, 1) + type_info(task_work_func_t, 0) + type_info(filldir_t, 0)
		+ type_info(filldir_t___bool, 0) + type_info(struct list_head___more, 0) + type_info(struct no_such_struct, 1) + type_info(struct bpf_insn, 0);
}
SEC("kprobe/a") u64 values(void) {
	return enum_value(enum pid_type, PIDTYPE_TGID, 1) + enum_value(enum pid_type, PIDTYPE_NONE, 0) + enum_value(enum pid_type___less, PIDTYPE_PID___x, 0);
}
`

// matchingProgram needs a clang that knows __builtin_preserve_type_info's kind 2,
// as the other programs do not.
const matchingProgram = comparingProgram + `
SEC("kprobe/a") u64 matching(struct list_head *l) {
	return type_info(struct list_head, 2) + type_info(struct list_head___more, 2) + type_info(struct list_head___void, 2) + type_info(struct list_head___less, 2)
		+ type_info(struct kobject, 2) + type_info(struct kobject___other, 2) + type_info(enum pid_type, 2) + type_info(enum pid_type___less, 2)
		+ type_info(filldir_t, 2) + type_info(filldir_t___bool, 2) + type_info(union bpf_attr, 2) + (u64)l->next;
}
`

// minimalKernels are those of the corpus that objects run on.
var minimalKernels = []struct{ name, target string }{
	{"amd64-7.2-cloud", "bpfel"}, {"arm64-6.1-cloud", "bpfel"}, {"armhf-6.1", "bpfel"}, {"s390x-6.12", "bpfeb"}, {"x86_64-layout-section", "bpfel"},
}

func newView(t testing.TB, raw []byte) *btfdump.View {
	t.Helper()
	view, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// sameResults compares what objects come to on two kernels.
func sameResults(t testing.TB, objects []*core.Object, full, minimal *btfdump.View) {
	t.Helper()
	for _, o := range objects {
		want, got := core.NewTarget(full).Relocate(o), core.NewTarget(minimal).Relocate(o)
		for i, r := range o.Relocations {
			if r.Kind == core.TypeIDTarget && want[i].Found() {
				if !got[i].Found() || got[i].Value == 0 {
					t.Errorf("%s: relocation %d finds no type", o.Name, i)
				}
				got[i].Value = want[i].Value
			}
			if want[i].Value != got[i].Value || want[i].Poison != got[i].Poison || want[i].Found() != got[i].Found() || (want[i].Err == nil) != (got[i].Err == nil) {
				t.Errorf("%s: relocation %d, %s of %s at %s, is %d, poison=%t, %v, and with the minimal BTF %d, poison=%t, %v", o.Name, i,
					r.Kind, o.View.Type(r.Type).Name(), r.Access, want[i].Value, want[i].Poison, want[i].Err, got[i].Value, got[i].Poison, got[i].Err)
			}
		}
		for i := range o.Functions {
			a, aErr := o.Patch(i, want)
			b, bErr := o.Patch(i, got)
			if !slices.Equal(a, b) || (aErr == nil) != (bErr == nil) {
				t.Errorf("%s: function %s differs: %v, %v", o.Name, o.Functions[i].Name, aErr, bErr)
			}
		}
	}
}

func minimize(t testing.TB, view *btfdump.View, objects ...*core.Object) []byte {
	t.Helper()
	raw, _, err := core.NewTarget(view).Minimize(objects)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestMinimize(t *testing.T) {
	programs := make(map[string][][]byte)
	for _, target := range []string{"bpfel", "bpfeb"} {
		for _, program := range []string{kernelProgram, comparingProgram, matchingProgram} {
			programs[target] = append(programs[target], compileFile(t, clangtest.Newest(t), target, program))
		}
	}
	for _, kernel := range minimalKernels {
		full := btftest.Corpus(t, kernel.name)
		view := newView(t, full)
		var objects []*core.Object
		files := programs[kernel.target]
		for i := range files {
			o, err := core.ReadObject(fmt.Sprintf("%d.o", i), files[i])
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, o)
		}
		shuffled := newView(t, btftest.Shuffle(full, 7))
		var sum int
		for i := range objects {
			raw := minimize(t, view, objects[i])
			sum += len(raw)
			minimal := newView(t, raw)
			sameResults(t, objects[i:i+1], view, minimal)
			if !bytes.Equal(raw, minimize(t, shuffled, objects[i])) {
				t.Errorf("%s, program %d: with other type IDs, the minimal BTF is another", kernel.name, i)
			}
			if !bytes.Equal(raw, minimize(t, minimal, objects[i])) {
				t.Errorf("%s, program %d: the minimal BTF can be made smaller", kernel.name, i)
			}
			theirs := bpftoolMinimal(t, full, files[i])
			t.Logf("%s, program %d: %d bytes, bpftool's %d", kernel.name, i, len(raw), len(theirs))
			if theirs != nil && len(raw) > len(theirs) {
				t.Errorf("%s, program %d: %d bytes, and bpftool's have %d", kernel.name, i, len(raw), len(theirs))
			}
			bpftoolReads(t, raw, minimal)
			sameForCilium(t, objects[i], files[i], full, raw)
		}
		all := minimize(t, view, objects...)
		sameResults(t, objects, view, newView(t, all))
		if len(all) >= sum {
			t.Errorf("%s: %d bytes for all objects, and %d for each by itself", kernel.name, len(all), sum)
		}
	}
}

// bpftoolMinimal returns the BTF that bpftool gen min_core_btf makes, nil where
// it can't.
func bpftoolMinimal(t *testing.T, kernel, object []byte) []byte {
	t.Helper()
	if object[5] != 1 {
		return nil // it does not read objects of the other byte order
	}
	dir := t.TempDir()
	in, out, o := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "x.o")
	for name, data := range map[string][]byte{in: kernel, o: object} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if output, err := exec.Command("bpftool", "gen", "min_core_btf", in, out, o).CombinedOutput(); err != nil {
		t.Logf("bpftool: %v: %s", err, output)
		return nil
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// bpftoolReads has bpftool print all types, as they are and as C.
func bpftoolReads(t *testing.T, raw []byte, view *btfdump.View) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "min.btf")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("bpftool", "btf", "dump", "file", file).CombinedOutput()
	if lines := strings.Count("\n"+string(out), "\n["); err != nil || lines != view.NumTypes()-1 {
		t.Errorf("bpftool reads %d of %d types: %v: %.300s", lines, view.NumTypes()-1, err, out)
	}
	if out, err := exec.Command("bpftool", "btf", "dump", "file", file, "format", "c").CombinedOutput(); err != nil {
		t.Errorf("bpftool prints no C: %v: %.300s", err, out)
	}
}

// sameForCilium compares what cilium/ebpf makes of an object on two kernels.
func sameForCilium(t *testing.T, o *core.Object, file, full, minimal []byte) {
	t.Helper()
	ids := make(map[string]bool)
	for _, r := range o.Relocations {
		if r.Kind == core.TypeIDTarget {
			ids[fmt.Sprintf("%s+%d", o.Functions[r.Function].Name, r.Instruction)] = true
		}
	}
	want, got := cilium(t, file, full), cilium(t, file, minimal)
	if len(want) == 0 || len(want) != len(got) {
		t.Errorf("%s: cilium relocates %d and %d instructions", o.Name, len(want), len(got))
	}
	for at := range want {
		if !ids[at] && !bytes.Equal(want[at], got[at]) {
			t.Errorf("%s: %s is % x for cilium, and % x with the minimal BTF", o.Name, at, want[at], got[at])
		}
	}
}
