package core_test

import (
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// In a test, it is
//
//	if v := core.Check(objects, kernels...); !v.OK() {
//		t.Fatal(v)
//	}
//
// with objects from ReadObject, and kernels from source.Open and NewKernel.
func ExampleCheck() {
	// A program reads task_struct's member state.
	b := btftest.New()
	long := b.Int("long int", 8, btftest.Signed)
	task := b.Struct("task_struct", 8, btftest.Field("state", long, 0))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	object := &core.Object{
		Name: "prog.bpf.o", View: view, ByteOrder: view.ByteOrder(),
		Functions: []core.Function{{Name: "on_exit", Section: "raw_tp", Program: true, Code: []core.Instruction{
			{Opcode: 0x79, Dst: 0, Src: 1}, // r0 = *(u64 *)(r1 + 0)
			{Opcode: 0x95},                 // exit
		}}},
		Relocations: []core.Relocation{{Function: 0, Instruction: 0, Kind: core.FieldByteOffset, Type: btfdump.TypeID(task), Access: "0:0"}},
	}

	// A kernel has another one.
	b = btftest.New()
	b.Struct("task_struct", 4, btftest.Field("__state", b.Int("unsigned int", 4, btftest.Unsigned), 0))
	if view, err = btfdump.New(b.Bytes()); err != nil {
		fmt.Println(err)
		return
	}
	kernel := &core.Kernel{Name: "6.12", Target: core.NewTarget(view)}

	if v := core.Check([]*core.Object{object}, kernel); !v.OK() {
		fmt.Println(v)
		fmt.Println(v.Kernels[0].Programs[0].Findings[0].Instead)
	}
	// Output:
	// on_exit on 6.12: fails
	//     task_struct->state: struct task_struct has no member state in this kernel
	// [__state (unsigned int): its name is the same but for underscores]
}
