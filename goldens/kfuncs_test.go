package goldens_test

import (
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

const iteratorProgram = `#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("raw_tp/sys_enter")
int sum(void *ctx)
{
	struct bpf_iter_num it;
	int *i, n = ctx != 0;

	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it)))
		n += *i;
	bpf_iter_num_destroy(&it);
	return n;
}

char LICENSE[] SEC("license") = "GPL";
`

// Programs call kfuncs without declaring them: also on Debian's 6.12, whose BTF
// does not mark kfuncs. (Kernels before 6.4 have no bpf_iter_num.)
func TestProgramsCallKfuncs(t *testing.T) {
	for _, name := range []string{"s390x-6.12", "amd64-7.2-cloud"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, btftest.Kernel{Name: name})
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			for _, c := range clangtest.Compilers(t) {
				mustCompile(t, c, text, iteratorProgram, "-target", target(v), "-O2", "-g")
			}
		})
	}
}

// The macros by which programs and builds steer bpftool's header steer this one.
func TestGuardMacros(t *testing.T) {
	v := corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"})
	_, text := header(t, v, cgen.Options{Kfuncs: true})
	// What some programs, and old libbpf headers, declare themselves.
	const own = "extern void *bpf_iter_num_next(struct bpf_iter_num *it, long more);\n"
	const twice = "#include \"vmlinux.h\"\n#include \"vmlinux.h\"\n"
	const used = "\n#ifndef __VMLINUX_H__\n#error\n#endif\n"
	for _, c := range clangtest.Compilers(t) {
		mustCompile(t, c, text, twice+used, "-target", "bpf")
		mustCompile(t, c, text, "#define BPF_NO_KFUNC_PROTOTYPES\n"+twice+own, "-target", "bpf")
		// Who says that the types are there already gets none.
		mustCompile(t, c, text, "#define __VMLINUX_H__\n"+twice+"struct task_struct { int mine; };\n", "-target", "bpf")
	}
	// Who declares kfuncs himself finds the words for it, with libbpf's headers,
	// before or behind, and without.
	const declares = "extern struct task_struct *bpf_task_from_pid(s32 pid) __weak __ksym; extern __bpf_fastcall void *bpf_rdonly_cast(const void *p, u32 id) __weak __ksym;\n" +
		"__attribute__((section(\"raw_tp/sys_enter\"), used)) int f(void *ctx) { return ctx && bpf_task_from_pid && bpf_rdonly_cast; }\n"
	const without, helpers = "#define BPF_NO_KFUNC_PROTOTYPES\n", "#include <bpf/bpf_helpers.h>\n"
	_, bare := header(t, v, cgen.Options{}) // no kfunc is declared in it
	for _, c := range clangtest.Compilers(t) {
		mustCompile(t, c, text, without+twice+declares, "-target", "bpf")
		mustCompile(t, c, bare, twice+declares, "-target", "bpf")
		mustCompile(t, c, text, without+twice+helpers+declares, "-target", "bpf")
	}
	_, output, err := clangtest.Newest(t).Compile(t, map[string]string{"vmlinux.h": text, "main.c": twice + own}, "-target", "bpf")
	if err == nil || !strings.Contains(output, "conflicting types for 'bpf_iter_num_next'") {
		t.Errorf("a kfunc can be declared otherwise: %v\n%.500s", err, output)
	}
}
