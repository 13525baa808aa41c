package core_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// prelude stands before the programs and kernels of these tests.
const prelude = `
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
typedef signed char __s8; typedef short __s16; typedef int __s32; typedef long long __s64;
typedef __u16 __be16; typedef __u32 __be32; typedef __u64 __be64; typedef __u32 __wsum; typedef __u16 __sum16;
typedef _Bool bool; typedef __u64 u64; typedef __u32 u32; typedef __u8 u8;
#define true 1
#define false 0
`

// programPrelude also has libbpf's macros.
const programPrelude = prelude + `
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2 };
struct pt_regs;
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
char LICENSE[] SEC("license") = "GPL";
#define CORE __attribute__((preserve_access_index))
#define noinline __attribute__((noinline))
`

// compileC compiles C for BPF and reads the object.
func compileC(t testing.TB, text string, flags ...string) *core.Object {
	t.Helper()
	o, _ := compileCRaw(t, text, flags...)
	return o
}

// compileCRaw also returns the object file.
func compileCRaw(t testing.TB, text string, flags ...string) (*core.Object, []byte) {
	t.Helper()
	return compileWith(t, clangtest.Newest(t), text, flags...)
}

// compileWith is compileCRaw with a certain clang.
func compileWith(t testing.TB, clang clangtest.Clang, text string, flags ...string) (*core.Object, []byte) {
	t.Helper()
	args := append([]string{"-g", "-O2", "-target", "bpf", "-D__TARGET_ARCH_x86", "-Wno-unknown-attributes"}, flags...)
	path, output, err := clang.Compile(t, map[string]string{"main.c": text}, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", clang.Name, err, output, text)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := core.ReadObject("main.o", raw)
	if err != nil {
		t.Fatal(err)
	}
	return o, raw
}

// kernelOf makes a kernel of C: clang puts types into the BTF that variables and
// functions use.
func kernelOf(t testing.TB, name, text string) *core.Kernel {
	t.Helper()
	return &core.Kernel{Name: name, Release: name, Target: core.NewTarget(compileC(t, prelude+text).View), Complete: true}
}

const oldKernel = `
struct file { int f_mode; };
struct mm_struct { struct file *exe_file; unsigned long total_vm; };
struct task_struct { int pid; int tgid; volatile long state; struct mm_struct *mm; char comm[16]; unsigned on_rq : 3; };
struct request_queue { int id; }; struct request { int tag; struct request_queue *q; };
enum bpf_func_id { BPF_FUNC_unspec, BPF_FUNC_map_lookup_elem, BPF_FUNC_get_current_task = 35, __BPF_FUNC_MAX_ID = 120 };
enum colour { RED, GREEN };
typedef void (*btf_trace_block_rq_issue)(void *, struct request_queue *, struct request *);
typedef void (*btf_trace_sched_switch)(void *, bool, struct task_struct *, struct task_struct *);
struct task_struct *t; struct request *r; struct request_queue *q; struct mm_struct *m; enum bpf_func_id f; btf_trace_block_rq_issue x; btf_trace_sched_switch y; enum colour c;
int do_thing(struct file *f, int mode) { return mode; }
int bpf_lsm_file_open(struct file *f) { return 0; }
void renamed_before(struct task_struct *t) { t->pid = 1; }
int bpf_iter_task(struct task_struct *meta, struct task_struct *task) { return 0; }
`

const newKernel = `
struct path { int depth; };
struct file { int f_mode; };
struct mm_struct { struct { struct file *exe_file; unsigned long total_vm; } inner; };
struct task_struct { int pid; int tgid; unsigned int __state; struct mm_struct *mm; char comm[8]; unsigned on_rq : 3; unsigned long added; };
struct request_queue { int id; }; struct request { int tag; struct request_queue *q; };
enum bpf_func_id { BPF_FUNC_unspec, BPF_FUNC_map_lookup_elem, BPF_FUNC_get_current_task = 35, BPF_FUNC_redirect_peer = 155, __BPF_FUNC_MAX_ID = 212 };
enum bpf_attach_type { BPF_CGROUP_INET_INGRESS, BPF_NETFILTER }; enum bpf_cmd { BPF_MAP_CREATE, BPF_TOKEN_CREATE };
enum colour { RED, BLUE };
typedef void (*btf_trace_block_rq_issue)(void *, struct request *);
typedef void (*btf_trace_sched_switch)(void *, bool, struct task_struct *, struct task_struct *, unsigned int);
struct task_struct *t; struct request *r; struct request_queue *q; struct mm_struct *m; enum bpf_func_id f; enum bpf_attach_type a; enum bpf_cmd d; btf_trace_block_rq_issue x; btf_trace_sched_switch y; enum colour c;
int do_thing(struct file *f) { return 0; }
int bpf_lsm_file_open(struct file *f) { return 0; }
int bpf_lsm_new_hook(struct file *f) { return 0; }
void __renamed_before(struct task_struct *t) { t->pid = 1; }
int bpf_iter_task(struct task_struct *meta, struct task_struct *task) { return 0; }
struct task_struct *bpf_task_acquire(struct task_struct *t) { return t; }
struct sched_ops { int (*init)(void); int flags; long wide; };
struct bpf_struct_ops_sched_ops { struct sched_ops data; } so;
`

// programTypes are what the programs of the tests believe of the kernel.
const programTypes = `
struct file { int f_mode; } CORE;
struct mm_struct { struct file *exe_file; unsigned long total_vm; } CORE;
struct task_struct { int pid; int tgid; volatile long state; struct mm_struct *mm; char comm[16]; unsigned on_rq : 3; unsigned long added; } CORE;
struct task_struct___new { unsigned int __state; } CORE;
struct request_queue { int id; } CORE; struct request { int tag; struct request_queue *q; } CORE;
enum colour { RED, GREEN, BLUE };
volatile int sink;
#define task() ((struct task_struct *)bpf_get_current_task())
`

// A checkCase is a program, and what is to be said of it on the old and the new
// kernel: a verdict, and what must stand in its findings ("verdict: text").
type checkCase struct {
	name, section, arguments, before, body string
	old, new                               string
}

func (c checkCase) source() string {
	arguments := c.arguments
	if arguments == "" {
		arguments = "void *ctx"
	}
	section := c.section
	if section == "" {
		section = "kprobe/do_thing"
	}
	return programPrelude + programTypes + c.before + "\nSEC(\"" + section + "\") int prog(" + arguments + ")\n{\n" + c.body + "\n\treturn 0;\n}\n"
}

var checkCases = []checkCase{
	{name: "present on both", body: `sink = BPF_CORE_READ(task(), pid);`, old: "runs", new: "runs"},
	{name: "unguarded", body: `sink = BPF_CORE_READ(task(), state);`, old: "runs",
		new: "fails: task_struct->state: struct task_struct has no member state in this kernel"},
	{name: "guarded", body: `if (bpf_core_field_exists(task()->state)) sink = BPF_CORE_READ(task(), state);`, old: "runs",
		new: "runs, degraded: task_struct->state: struct task_struct has no member state in this kernel; the program does not come here"},
	{name: "guarded the other way", body: `if (!bpf_core_field_exists(task()->state)) return 1; sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "runs, degraded"},
	{name: "two flavours", body: `struct task_struct___new *n = (void *)task();
		if (bpf_core_field_exists(n->__state)) sink = BPF_CORE_READ(n, __state); else sink = BPF_CORE_READ(task(), state);`,
		old: "runs, degraded: task_struct___new->__state", new: "runs, degraded: task_struct->state"},
	{name: "behind an unknown condition", body: `if (bpf_get_prandom_u32() > 5) sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "fails: task_struct->state"},
	{name: "guarded by rodata", before: `const volatile bool has_state = true;`, body: `if (has_state) sink = BPF_CORE_READ(task(), state);`, old: "runs",
		new: "may fail: task_struct->state: struct task_struct has no member state in this kernel; whether it is reached depends on has_state"},
	{name: "guarded by kconfig", before: `extern bool CONFIG_OLD __kconfig __weak;`, body: `if (CONFIG_OLD) sink = BPF_CORE_READ(task(), state);`, old: "runs",
		new: "may fail: depends on CONFIG_OLD"},
	{name: "guarded by version", before: `extern int LINUX_KERNEL_VERSION __kconfig;`, body: `if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 14, 0)) sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "runs, degraded"},
	{name: "strong kconfig", before: `extern int CONFIG_X __kconfig;`, body: `sink = CONFIG_X;`, old: "may fail: CONFIG_X: the kernel's configuration is not known", new: "may fail"},
	{name: "in a subprogram", before: `static noinline int get(struct task_struct *t) { return BPF_CORE_READ(t, state); }`, body: `sink = get(task());`, old: "runs", new: "fails: task_struct->state"},
	{name: "in a subprogram, guarded by its argument", before: `static noinline int get(struct task_struct *t, int old) { return old ? BPF_CORE_READ(t, state) : BPF_CORE_READ(t, pid); }`,
		body: `sink = get(task(), bpf_core_field_exists(task()->state));`, old: "runs", new: "runs, degraded"},
	{name: "guarded by a subprogram's result", before: `static noinline int has(void) { return bpf_core_field_exists(((struct task_struct *)0)->state); }`,
		body: `if (has()) sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "runs, degraded"},
	{name: "in a global function", before: `noinline int get(int old) { return old ? BPF_CORE_READ(task(), state) : 0; }`,
		body: `sink = get(bpf_core_field_exists(task()->state));`, old: "runs", new: "may fail"},
	{name: "after a loop", body: `for (int i = 0; i < 100; i++) { sink += i; } sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "fails: task_struct->state"},
	{name: "guarded, after a loop", body: `int has = bpf_core_field_exists(task()->state);
		for (int i = 0; i < 100; i++) { sink += i; bpf_get_prandom_u32(); } if (has) sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "runs, degraded"},
	{name: "spilled to the stack", body: `
		int has = bpf_core_field_exists(task()->state);
		int a = bpf_get_prandom_u32(), b = bpf_get_prandom_u32(), c = bpf_get_prandom_u32(), d = bpf_get_prandom_u32(), e = bpf_get_prandom_u32();
		asm volatile("" : "+r"(has));
		int f = bpf_get_prandom_u32();
		sink = a; sink = b; sink = c; sink = d; sink = e; sink = f;
		if (has) sink = BPF_CORE_READ(task(), state);`, old: "runs", new: "runs, degraded"},
	{name: "on every way", body: `if (bpf_get_prandom_u32() * 3 % 5) sink = BPF_CORE_READ(task(), state); else sink = BPF_CORE_READ(task(), state) + 1;`, old: "runs", new: "fails"},
	{name: "enumerator", body: `sink = bpf_core_enum_value(enum colour, GREEN);`, old: "runs", new: "fails: bpf_core_enum_value(enum colour, GREEN): enum colour has no GREEN in this kernel"},
	{name: "enumerator, guarded", body: `if (bpf_core_enum_value_exists(enum colour, BLUE)) sink = bpf_core_enum_value(enum colour, BLUE);`, old: "runs, degraded: bpf_core_enum_value_exists(enum colour, BLUE)", new: "runs"},
	{name: "size of a missing type", before: `struct gone { int x; } CORE;`, body: `sink = bpf_core_type_size(struct gone);`, old: "runs, degraded: bpf_core_type_size(struct gone): the kernel has no struct gone", new: "runs, degraded"},
	{name: "moved into a record", body: `sink = BPF_CORE_READ(task(), mm, total_vm);`, old: "runs",
		new: "fails: task_struct->mm->total_vm: struct mm_struct has no member total_vm in this kernel"},
	{name: "array cut short", body: `sink = BPF_CORE_READ(task(), comm[12]);`, old: "runs", new: "fails: task_struct->comm[12]: the array has 8 elements in this kernel"},
	{name: "bitfield", body: `sink = BPF_CORE_READ_BITFIELD_PROBED(task(), on_rq);`, old: "runs", new: "runs"},
	{name: "helper that is missing", body: `static long (*helper)(void) = (void *)150; sink = helper();`, old: "fails: helper 150: the kernel has no helper with the number 150: its last one is 119", new: "runs"},
	{name: "helper, guarded", before: `enum bpf_func_id___x { BPF_FUNC_redirect_peer___x = 155 };`,
		body: `static long (*helper)(void) = (void *)155; if (bpf_core_enum_value_exists(enum bpf_func_id___x, BPF_FUNC_redirect_peer___x)) sink = helper();`, old: "runs, degraded", new: "runs"},
	{name: "callback", before: `static int each(__u32 i, void *c) { sink = BPF_CORE_READ(task(), state); return 0; }
		static long (*loop)(__u32, void *, void *, __u64) = (void *)181;`,
		body: `loop(10, each, 0, 0);`, old: "fails: helper 181", new: "may fail: task_struct->state"},

	{name: "fentry", section: "fentry/do_thing", arguments: "__u64 *ctx", body: `sink = ctx[0];`, old: "runs", new: "runs"},
	{name: "fentry, argument that is gone", section: "fentry/do_thing", arguments: "__u64 *ctx", body: `sink = ctx[1];`, old: "runs",
		new: "fails: argument 2 of do_thing"},
	{name: "fexit, result", section: "fexit/do_thing", arguments: "__u64 *ctx", body: `sink = ctx[1];`, old: "runs", new: "runs"},
	{name: "fexit, void", section: "fexit/renamed_before", arguments: "__u64 *ctx", body: `sink = ctx[1];`, old: "fails: argument 2 of renamed_before", new: "fails: fentry"},
	{name: "fentry, function that is gone", section: "fentry/renamed_before", body: `sink = 1;`, old: "runs",
		new: "fails: fentry/renamed_before: the kernel's BTF has no function renamed_before (__renamed_before: its name is like it)"},
	{name: "tp_btf", section: "tp_btf/block_rq_issue", arguments: "__u64 *ctx", body: `struct request *r = (void *)ctx[1]; sink = r->tag;`, old: "runs", new: "fails: argument 2 of block_rq_issue"},
	{name: "tp_btf, argument of another type", section: "tp_btf/block_rq_issue", arguments: "__u64 *ctx", body: `struct request_queue *q = (void *)ctx[0]; sink = q->id;`, old: "runs",
		new: "may fail: argument 1 of block_rq_issue: it is struct request * there, and the program uses it as a pointer to struct request_queue"},
	{name: "tp_btf that is missing", section: "tp_btf/nothing", body: `sink = 1;`, old: "fails: tp_btf/nothing: the kernel's BTF has no typedef btf_trace_nothing", new: "fails"},
	{name: "lsm", section: "lsm/new_hook", body: `sink = 1;`, old: "fails: lsm/new_hook: the kernel's BTF has no function bpf_lsm_new_hook", new: "runs"},
	{name: "iter", section: "iter/task", body: `sink = 1;`, old: "runs", new: "runs"},
	{name: "iter that is missing", section: "iter.s/tcp", body: `sink = 1;`, old: "fails: iter/tcp", new: "fails"},
	{name: "kprobe that is missing", section: "kprobe/renamed_before+0x10", body: `sink = 1;`, old: "runs", new: "may fail: kprobe/renamed_before: the kernel's BTF has no function of this name"},
	{name: "kprobe.multi", section: "kprobe.multi/tcp_*", body: `sink = 1;`, old: "runs", new: "runs"},
	{name: "tracepoint", section: "tp/sched/sched_switch", body: `sink = 1;`, old: "runs", new: "runs"},
	{name: "tracepoint that is missing", section: "tracepoint/sched/sched_gone", body: `sink = 1;`, old: "may fail: tp/sched/sched_gone", new: "may fail"},
	{name: "uprobe", section: "uprobe//bin/true:main", body: `sink = 1;`, old: "runs", new: "runs"},
	{name: "not loaded by itself", section: "?fentry/renamed_before", body: `sink = 1;`, old: "runs", new: "fails"},

	{name: "kfunc", section: "tp_btf/sched_switch", before: `extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym;`, body: `sink = (long)bpf_task_acquire(0);`,
		old: "fails: bpf_task_acquire: the kernel's BTF has no function of this name; libbpf refuses the object", new: "runs"},
	{name: "weak kfunc, guarded", section: "tp_btf/sched_switch", before: `extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym __weak;`,
		body: `if (&bpf_task_acquire) sink = (long)bpf_task_acquire(0);`, old: "runs, degraded: bpf_task_acquire", new: "runs"},
	{name: "weak kfunc, or what was before", section: "tp_btf/sched_switch", before: `extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym __weak;`,
		body: `if (&bpf_task_acquire) sink = (long)bpf_task_acquire(0); else sink = BPF_CORE_READ(task(), state);`, old: "runs, degraded", new: "runs, degraded: task_struct->state"},
	{name: "weak kfunc, unguarded", section: "tp_btf/sched_switch", before: `extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym __weak;`,
		body: `sink = (long)bpf_task_acquire(0);`, old: "fails: bpf_task_acquire", new: "runs"},
	{name: "kfunc of another type", section: "tp_btf/sched_switch", before: `extern int bpf_task_acquire(int) __ksym;`, body: `sink = bpf_task_acquire(0);`,
		old: "fails", new: "fails: bpf_task_acquire: it is struct task_struct * (struct task_struct *) there, which is not compatible with the object's int (int)"},
	{name: "struct_ops", before: `struct sched_ops { int (*init)(void); int flags; }; SEC(".struct_ops.link") struct sched_ops ops = { .flags = 3 };`, body: `sink = 1;`,
		old: "fails: ops: programs can't implement struct sched_ops on this kernel", new: "runs"},
	{name: "struct_ops, member that is missing", before: `struct sched_ops___x { int flags; char name[8]; }; SEC(".struct_ops") struct sched_ops___x ops = { .name = "ops" };`, body: `sink = 1;`,
		old: "fails", new: "fails: ops: struct sched_ops has no member name there"},
	{name: "struct_ops, missing and not set", before: `struct sched_ops { int flags; char name[8]; }; SEC(".struct_ops") struct sched_ops ops = { .flags = 1 };`, body: `sink = 1;`, old: "fails", new: "runs"},
	{name: "struct_ops, missing and maybe set", before: `struct sched_ops { int (*more)(void); int flags; }; SEC(".struct_ops") struct sched_ops ops = { .flags = 1 };`, body: `sink = 1;`, old: "fails", new: "may fail: ops: struct sched_ops has no member more there, and the object may set it"},
	{name: "struct_ops, another type", before: `struct sched_ops { int wide; }; SEC(".struct_ops") struct sched_ops ops = { .wide = 1 };`, body: `sink = 1;`, old: "fails",
		new: "fails: ops: member wide of struct sched_ops is long there, and int in the object"},
	{name: "variable", before: `extern const int runqueues __ksym;`, body: `sink = runqueues;`, old: "fails: runqueues: the kernel's BTF has no variable of this name", new: "fails"},
	{name: "address from kallsyms", before: `extern const void secret __ksym;`, body: `sink = (long)&secret;`, old: "may fail: secret: it is looked up in /proc/kallsyms", new: "may fail"},
}

// TestCheck holds for the code of every compiler: what a program asks of a kernel
// does not depend on how its conditions are written down.
func TestCheck(t *testing.T) {
	kernels := []*core.Kernel{kernelOf(t, "5.4.1", oldKernel), kernelOf(t, "6.8.1", newKernel)}
	for _, v := range compilers(t) {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			for _, c := range checkCases {
				t.Run(c.name, func(t *testing.T) { c.check(t, v, kernels) })
			}
		})
	}
}

func (c checkCase) check(t *testing.T, v variant, kernels []*core.Kernel) {
	o, _ := compileWith(t, v.clang, c.source(), v.flags()...)
	report := core.Check([]*core.Object{o}, kernels...)
	for i, want := range []string{c.old, c.new} {
		k := report.Kernels[i]
		p := programNamed(t, k, "prog")
		verdict, texts, _ := strings.Cut(want, ": ")
		if p.Verdict.String() != verdict {
			t.Errorf("on %s: %s, want %s\n%s", k.Kernel, p.Verdict, verdict, describe(p))
		}
		if !strings.Contains(describe(p), strings.TrimSuffix(texts, "fentry")) {
			t.Errorf("on %s: want a finding with %q, got\n%s", k.Kernel, texts, describe(p))
		}
	}
}

func programNamed(t testing.TB, k core.KernelReport, name string) *core.ProgramReport {
	t.Helper()
	i := slices.IndexFunc(k.Programs, func(p core.ProgramReport) bool { return p.Program == name })
	if i < 0 {
		t.Fatalf("there is no program %s", name)
	}
	return &k.Programs[i]
}

func describe(p *core.ProgramReport) string {
	var b strings.Builder
	for _, f := range p.Findings {
		b.WriteString(f.Verdict.String() + ": " + f.Name + ": " + f.Reason)
		if len(f.Instead) > 0 {
			b.WriteString(" (" + strings.Join(f.Instead, "; ") + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}
