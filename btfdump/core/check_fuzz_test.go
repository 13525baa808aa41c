package core_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// FuzzCheck checks damaged objects: none may panic or take long, and what is
// said of them has no text of theirs that could do harm.
func FuzzCheck(f *testing.F) {
	c := clangtest.Newest(f)
	externs := programPrelude + programTypes + `
extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym __weak;
extern const int runqueues __ksym __weak;
extern int CONFIG_X __kconfig __weak;
const volatile int has_state = 1;
struct sched_ops { int (*init)(void); int flags; char name[8]; };
SEC(".struct_ops.link") struct sched_ops ops = { .flags = 3, .name = "ops" };
static noinline int get(struct task_struct *t) { return BPF_CORE_READ(t, state); }
SEC("fentry/do_thing") int entry(u64 *ctx) { return ctx[3]; }
SEC("tp_btf/block_rq_issue") int issue(u64 *ctx) { struct request_queue *q = (void *)ctx[0]; return q->id + has_state * get(task()); }
SEC("?lsm/file_open") int open(u64 *ctx) { if (&bpf_task_acquire && CONFIG_X) bpf_task_acquire(0); return runqueues; }
`
	for _, program := range []string{kernelProgram, variedProgram, externs} {
		path := compileFile(f, c, "bpfel", "#define __TARGET_ARCH_x86\n"+program)
		f.Add(withoutDWARF(path))
	}
	kernels := []*core.Kernel{kernelOf(f, "5.4.1", oldKernel), kernelOf(f, "6.8.1", newKernel)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := core.ReadObject("x.o", raw)
		if err != nil {
			return
		}
		report := core.Check([]*core.Object{o}, kernels...)
		_ = report.String()
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &core.Report{}); err != nil {
			t.Error(err)
		}
		o.Needs(func(core.TypeName) bool { return true }, true)
		if different, err := core.Differences(raw, raw); err == nil && len(different) > 0 {
			t.Errorf("the object differs from itself: %q", different)
		}
		for _, k := range report.Kernels {
			for _, p := range k.Programs {
				for _, finding := range p.Findings {
					for _, s := range append(finding.Instead, finding.Name, finding.Reason, finding.Fix, p.Program, p.Section) {
						if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f }) {
							t.Errorf("%q has characters that are not plain", s)
						}
					}
				}
			}
		}
	})
}
