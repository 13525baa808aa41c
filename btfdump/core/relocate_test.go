package core_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

const kernelProgram = macros + `
typedef int pid_t;
struct qstr { unsigned int len; const unsigned char *name; } CORE;
struct dentry { struct qstr d_name; struct dentry *d_parent; } CORE;
struct path { struct dentry *dentry; } CORE;
struct file { struct path f_path; } CORE;
struct mm_struct { struct file *exe_file; unsigned long start_code; } CORE;
struct task_struct { pid_t pid; struct mm_struct *mm; char comm[16]; struct task_struct *real_parent; unsigned in_execve : 1; unsigned no_such_bit : 3; int gone; } CORE;
struct task_struct___old { long state; } CORE;
struct no_such_struct { int a; } CORE;
enum zone_type { ZONE_NORMAL, ZONE_GONE, __MAX_NR_ZONES };
#define info(field, kind) __builtin_preserve_field_info(field, kind)
#define type_info(type, kind) __builtin_preserve_type_info(*(type *)0, kind)
#define enum_value(type, value, kind) __builtin_preserve_enum_value(*(typeof(type) *)value, kind)
SEC("kprobe/a") u64 direct(struct task_struct *t) { return t->pid + (u64)t->mm->exe_file->f_path.dentry->d_name.len; }
SEC("kprobe/a") u64 element(struct task_struct *t) { return t->real_parent->comm[3] + (u64)&t->comm[0]; }
SEC("kprobe/a") u64 facts(struct task_struct *t) {
	return info(t->comm, 1) + info(t->pid, 2) + info(t->gone, 2) + info(t->pid, 3) + info(t->in_execve, 0) + info(t->in_execve, 1)
		+ info(t->in_execve, 4) + info(t->in_execve, 5) + info(t->no_such_bit, 2) + info(((struct task_struct___old *)t)->state, 2);
}
SEC("kprobe/a") u64 missing(struct task_struct *t) { return t->gone + info(t->gone, 1) + t->no_such_bit; }
SEC("kprobe/a") u64 types(void) {
	return type_info(struct task_struct, 0) + type_info(struct no_such_struct, 0) + type_info(struct path, 1) + type_info(struct no_such_struct, 1)
		+ type_info(struct qstr, 2) + type_info(pid_t, 2) + __builtin_btf_type_id(*(struct task_struct *)0, 0) + __builtin_btf_type_id(*(struct task_struct *)0, 1);
}
SEC("kprobe/a") u64 values(void) {
	return enum_value(enum zone_type, ZONE_NORMAL, 0) + enum_value(enum zone_type, ZONE_GONE, 0) + enum_value(enum zone_type, ZONE_NORMAL, 1) + enum_value(enum zone_type, ZONE_GONE, 1);
}
`

// cilium has cilium/ebpf relocate a file, and returns the instructions with
// relocations, by program and index.
func cilium(t *testing.T, file, kernel []byte) map[string][]byte {
	t.Helper()
	collection, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(kernel))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for name, program := range collection.Programs {
		iter := program.Instructions.Iterate()
		for iter.Next() {
			r := btf.CORERelocationMetadata(iter.Ins)
			if r == nil {
				continue
			}
			at := fmt.Sprintf("%s+%d", name, iter.Offset)
			fixups, err := btf.CORERelocate([]*btf.CORERelocation{r}, []*btf.Spec{spec}, program.ByteOrder, func(btf.Type) (btf.TypeID, error) { return 0, nil })
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			ins := *iter.Ins
			if err := fixups[0].Apply(&ins); err != nil {
				t.Fatal(err)
			}
			var raw bytes.Buffer
			if _, err := ins.Marshal(&raw, program.ByteOrder); err != nil {
				t.Fatal(err)
			}
			all[at] = raw.Bytes()
		}
	}
	return all
}

// TestRelocateLikeCilium compares with cilium/ebpf on the kernels of the corpus.
func TestRelocateLikeCilium(t *testing.T) {
	for _, kernel := range []struct {
		name, target string
		different    int
	}{
		{"amd64-7.2-cloud", "bpfel", 2}, {"arm64-6.1-cloud", "bpfel", 2}, {"s390x-6.12", "bpfeb", 2}, {"armhf-6.1", "bpfel", 6},
	} {
		raw := btftest.Corpus(t, kernel.name)
		view, err := btfdump.New(raw)
		if err != nil {
			t.Fatal(err)
		}
		file := compileFile(t, clangtest.Newest(t), kernel.target, kernelProgram)
		o, err := core.ReadObject("main.o", file)
		if err != nil {
			t.Fatal(err)
		}
		theirs := cilium(t, file, raw)
		results := core.NewTarget(view).Relocate(o)
		compared, different := 0, 0
		for i, r := range o.Relocations {
			if r.Kind == core.TypeIDLocal {
				continue // cilium is told them
			}
			at := fmt.Sprintf("%s+%d", o.Functions[r.Function].Name, r.Instruction)
			ours := patched(t, o, results, i)
			compared++
			if bytes.Equal(ours, theirs[at]) {
				continue
			}
			different++
			if !explained(o, &r, &results[i], view, ours, theirs[at]) {
				t.Errorf("%s: %s: %s of %s at %s: % x, cilium says % x", kernel.name, at, r.Kind, o.View.Type(r.Type).Name(), r.Access, ours, theirs[at])
			}
		}
		if compared != 32 || different != kernel.different {
			t.Errorf("%s: compared %d relocations, of which %d differ, want %d", kernel.name, compared, different, kernel.different)
		}
	}
}

// patched returns the one or two instruction slots of a relocation.
func patched(t *testing.T, o *core.Object, results []core.Result, i int) []byte {
	t.Helper()
	one := *o
	one.Relocations = o.Relocations[i : i+1]
	r := &o.Relocations[i]
	code, err := one.Patch(r.Function, results[i:i+1])
	if err != nil {
		t.Fatal(err)
	}
	n := 1
	if o.Functions[r.Function].Code[r.Instruction].IsLoad64() {
		n = 2
	}
	return core.Encode(code[r.Instruction:][:n], o.ByteOrder)
}

// explained tells where cilium/ebpf 0.22 is known not to do as libbpf does.
func explained(o *core.Object, r *core.Relocation, result *core.Result, kernel *btfdump.View, ours, theirs []byte) bool {
	in := o.Functions[r.Function].Code[r.Instruction]
	const call = 0x85
	switch {
	case r.Kind == core.TypeSize && !result.Found():
		// The size of a type that is not there is 0; cilium poisons.
		return result.Value == 0 && !result.Poison && theirs[0] == call
	case result.Poison && in.IsLoad64():
		// Both slots become calls; cilium leaves a load of the number.
		return ours[0] == call && ours[8] == call && theirs[0] == in.Opcode && bytes.Equal(ours[4:8], theirs[4:8])
	case kernel.PointerSize() == 4 && in.Class() == 1:
		// A load of a pointer becomes one of 4 bytes; cilium leaves it at 8.
		return ours[0] == 0x61 && theirs[0] == 0x79 && bytes.Equal(ours[1:], theirs[1:])
	}
	return false
}

func FuzzRelocate(f *testing.F) {
	c := clangtest.Newest(f)
	for _, program := range []string{kernelProgram, variedProgram} {
		f.Add(withoutDWARF(compileFile(f, c, "bpfel", program)))
	}
	// Another object's types are the kernel: workers of the fuzzer would take
	// long to unpack a real one.
	kernel := core.NewTarget(compile(f, c, "bpfel", kernelProgram).View)
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := core.ReadObject("x.o", raw)
		if err != nil {
			return
		}
		// On itself everything is found, but for types without a name.
		for _, target := range []*core.Target{kernel, core.NewTarget(o.View)} {
			results := target.Relocate(o)
			for i := range o.Relocations {
				if r := &results[i]; r.Err == nil && r.Poison && r.Found() {
					t.Errorf("relocation %d: poisoned and found", i)
				}
			}
			for i := range o.Functions {
				if code, err := o.Patch(i, results); err == nil && len(code) != len(o.Functions[i].Code) {
					t.Errorf("function %d has %d instructions, and %d when patched", i, len(o.Functions[i].Code), len(code))
				}
			}
		}
	})
}

// withoutDWARF returns the object without what nobody reads here, and what would
// keep a fuzzer from the rest. Section numbers stay.
func withoutDWARF(object []byte) []byte {
	order := binary.LittleEndian
	const headerSize = 64
	sections := object[order.Uint64(object[40:]):]
	count := int(order.Uint16(object[60:]))
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		panic(err)
	}
	out := slices.Clone(object[:headerSize])
	headers := slices.Clone(sections[:count*headerSize])
	for i, s := range f.Sections {
		header := headers[i*headerSize:][:headerSize]
		if strings.HasPrefix(s.Name, ".debug") || strings.HasPrefix(s.Name, ".rel.debug") {
			clear(header[4:]) // SHT_NULL
			continue
		}
		if s.Type != elf.SHT_NOBITS {
			order.PutUint64(header[24:], uint64(len(out)))
			out = append(out, object[s.Offset:][:s.FileSize]...)
		}
	}
	order.PutUint64(out[40:], uint64(len(out)))
	return append(out, headers...)
}
