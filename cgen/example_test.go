package cgen_test

import (
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func Example() {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, btftest.Unsigned)
	pid := b.Typedef("pid_t", b.Int("int", 4, btftest.Signed))
	task := b.Reserve()
	parent := b.Ptr(task)
	b.At(task).Struct("task", 16,
		btftest.Field("parent", parent, 0), btftest.Field("pid", pid, 64), btftest.Bitfield("exiting", u32, 96, 1))

	view, err := btfdump.New(b.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := cgen.NewPlan(view, nil, cgen.Options{NoProvenance: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	header, err := plan.Print()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(header))
	// Output:
	// #ifndef __VMLINUX_H__
	// #define __VMLINUX_H__
	//
	// #if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
	// #define __co_re __attribute__((preserve_access_index))
	// #else
	// #define __co_re
	// #endif
	// #if !__has_attribute(btf_type_tag)
	// #define btf_type_tag(x)
	// #endif
	//
	// #ifndef __ksym
	// #define __ksym __attribute__((section(".ksyms")))
	// #endif
	// #ifndef __weak
	// #define __weak __attribute__((weak))
	// #endif
	// #ifndef __bpf_fastcall
	// #if __has_attribute(bpf_fastcall)
	// #define __bpf_fastcall __attribute__((bpf_fastcall))
	// #else
	// #define __bpf_fastcall
	// #endif
	// #endif
	//
	// typedef int pid_t;
	// struct task {
	// 	struct task *parent;
	// 	pid_t pid;
	// 	unsigned int exiting: 1;
	// } __co_re;
	//
	// #undef __co_re
	//
	// #endif /* __VMLINUX_H__ */
}
