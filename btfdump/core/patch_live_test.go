package core_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// liveProgram has programs that need no more of their context than its address,
// so that a socket filter may do it. Those whose name starts with "fails" reach
// an instruction that the running kernel makes poison.
const liveProgram = macros + `
char LICENSE[] SEC("license") = "GPL";
struct task_struct { int pid; int no_such_member; } CORE;
struct task_struct___other { struct { int x; } *pid; } CORE;
struct no_such_record { int x; } CORE;
enum bpf_map_type { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_NO_SUCH };
#define offset(field) __builtin_preserve_field_info(field, 0)
#define enum_value(type, value, kind) __builtin_preserve_enum_value(*(typeof(type) *)value, kind)
#define TASK(flavor) ((struct task_struct##flavor *)0)
SEC("socket") int runs(void *ctx) { return offset(TASK()->pid) & 1; }
SEC("socket") int runs_guarded(void *ctx) { if (exists(TASK()->no_such_member)) return offset(TASK()->no_such_member); return 0; }
SEC("socket") int runs_without_type(void *ctx) { return __builtin_preserve_type_info(*(struct no_such_record *)0, 1); }
SEC("socket") int runs_guarded_value(void *ctx) { if (enum_value(enum bpf_map_type, BPF_MAP_TYPE_NO_SUCH, 0)) return enum_value(enum bpf_map_type, BPF_MAP_TYPE_NO_SUCH, 1); return 0; }
SEC("socket") int fails(void *ctx) { return offset(TASK()->no_such_member); }
SEC("socket") int fails_type(void *ctx) { return offset(TASK(___other)->pid); }
SEC("socket") int fails_record(void *ctx) { return offset(((struct no_such_record *)0)->x); }
SEC("socket") int fails_value(void *ctx) { return enum_value(enum bpf_map_type, BPF_MAP_TYPE_NO_SUCH, 1); }
SEC("socket") int fails_wrong_guard(void *ctx) { if (exists(TASK()->pid)) return offset(TASK()->no_such_member); return 0; }
`

// TestPatchOnRunningKernel has the running kernel's verifier judge what Patch
// returns.
func TestPatchOnRunningKernel(t *testing.T) {
	raw, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Skipf("the running kernel shows no BTF: %v", err)
	}
	view, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	loads := func(code []core.Instruction, o *core.Object) error {
		var instructions asm.Instructions
		r := bytes.NewReader(core.Encode(code, o.ByteOrder))
		for r.Len() > 0 {
			var in asm.Instruction
			if err := in.Unmarshal(r, o.ByteOrder, "linux"); err != nil {
				t.Fatal(err)
			}
			instructions = append(instructions, in)
		}
		program, err := ebpf.NewProgramWithOptions(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: o.License, Instructions: instructions, ByteOrder: o.ByteOrder}, ebpf.ProgramOptions{LogDisabled: true})
		if err == nil {
			err = program.Close()
		}
		return err
	}
	o := compile(t, clangtest.Newest(t), "bpf", liveProgram)
	results := core.NewTarget(view).Relocate(o)
	if err := loads([]core.Instruction{{Opcode: 0xb7}, {Opcode: 0x95}}, o); err != nil { // r0 = 0; exit
		t.Skipf("the running kernel lets this user load no BPF programs: %v", err)
	}
	if len(o.Functions) != 9 {
		t.Fatalf("the object has %d programs, want 9", len(o.Functions))
	}
	for i := range o.Functions {
		name := o.Functions[i].Name
		code, err := o.Patch(i, results)
		if err != nil {
			t.Fatal(err)
		}
		err = loads(code, o)
		if want := strings.HasPrefix(name, "runs"); want != (err == nil) {
			t.Errorf("%s: the kernel says %v", name, err)
		}
	}
}
