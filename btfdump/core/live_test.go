package core_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
)

// liveTypes has members that no kernel has ever had, beside those that all have.
const liveTypes = `
struct file { unsigned f_mode; } CORE;
struct mm_struct { struct file *exe_file; } CORE;
struct task_struct { int pid; int tgid; struct mm_struct *mm; char comm[16]; int never_was; } CORE;
struct task_struct___gone { int never_was_either; } CORE;
struct sock { int x; } CORE;
enum bpf_func_id___x { BPF_FUNC_never___x = 1, BPF_FUNC_map_lookup_elem___x = 1 };
volatile int sink;
#define task() ((struct task_struct *)bpf_get_current_task())
#define missing(t) BPF_CORE_READ(t, never_was)
#define there(t) bpf_core_field_exists((t)->never_was)
`

// liveCase is a program that is loaded into the running kernel. want is what is to
// be said of it; "" leaves that open, since compilers differ.
type liveCase struct {
	name, section, before, body string
	want                        string
}

var liveCases = []liveCase{
	{name: "all there", body: `sink = BPF_CORE_READ(task(), mm, exe_file, f_mode);`, want: "runs"},
	{name: "unguarded", body: `sink = missing(task());`, want: "fails"},
	{name: "guarded", body: `if (there(task())) sink = missing(task());`, want: "runs, degraded"},
	{name: "guarded the wrong way", body: `if (!there(task())) sink = missing(task());`, want: "fails"},
	{name: "guarded by another", body: `if (bpf_core_type_exists(struct task_struct___gone)) sink = missing(task());`, want: "fails"},
	{name: "unknown condition", body: `if (bpf_get_prandom_u32() > 5) sink = missing(task());`, want: "fails"},
	{name: "unknown condition of a map", before: `struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, u64); } map SEC(".maps");`,
		body: `int k = 1; u64 *v = bpf_map_lookup_elem(&map, &k); if (!v) return 0; if (*v == 7) sink = missing(task());`, want: "fails"},
	{name: "null check", before: `struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, u64); } map SEC(".maps");`,
		body: `int k = 1; u64 *v = bpf_map_lookup_elem(&map, &k); if (!v) sink = missing(task());`, want: "fails"},
	{name: "null check of an array's element", before: `struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, u64); } map SEC(".maps");`,
		body: `int k = 1; u64 *v = bpf_map_lookup_elem(&map, &k); if (!v) sink = missing(task());`}, // the verifier knows better since Linux 6.14
	{name: "array's element", before: `struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, u64); } map SEC(".maps");`,
		body: `int k = 1; u64 *v = bpf_map_lookup_elem(&map, &k); if (v && *v == 7) sink = missing(task());`, want: "fails"},
	{name: "null check twice", before: `struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, u64); } map SEC(".maps");`,
		body: `int k = 1; u64 *v = bpf_map_lookup_elem(&map, &k); if (!v) return 0; asm volatile("" : "+r"(v)); if (!v) sink = missing(task());`},
	{name: "socket that is never null", section: "cgroup/getsockopt", body: `struct bpf_sockopt { void *sk; } *c = ctx; void *sk = c->sk; asm volatile("" : "+r"(sk)); if (!sk) sink = 1 + (int)bpf_core_field_size(((struct task_struct *)0)->never_was); return 1;`},
	{name: "socket that is never null, missing helper", section: "cgroup/getsockopt", body: `static long (*helper)(void) = (void *)9999; void *sk = *(void **)ctx; if (!sk) sink = helper(); return 1;`},
	{name: "packet's end", section: "xdp", body: `unsigned *c = ctx; char *data = (void *)(long)c[0], *end = (void *)(long)c[1]; static long (*helper)(void) = (void *)9999; if (data + 14 > end) return 2; sink = helper();`, want: "fails"},
	{name: "field of a packet", section: "tc", body: `unsigned *c = ctx; static long (*helper)(void) = (void *)9999; if (c[0] > 100) sink = helper();`, want: "fails"},
	{name: "constant on the left", body: `u64 n = bpf_ktime_get_ns(), five = 5; asm volatile("" : "+r"(five)); if (five < n) sink = missing(task());`, want: "fails"},
	{name: "constant on the left, equal", body: `u64 n = bpf_ktime_get_ns(), five = 5; asm volatile("" : "+r"(five)); if (five == n) { if (n != 5) sink = missing(task()); }`},
	{name: "upper half", body: `if (bpf_get_current_pid_tgid() >> 32 == 4711) sink = missing(task());`, want: "fails"},
	{name: "lower half", body: `if ((u32)bpf_get_current_pid_tgid() == 4711) sink = missing(task());`, want: "fails"},
	{name: "a field that is read", body: `if (BPF_CORE_READ(task(), pid) == 4711) sink = missing(task());`, want: "fails"},
	{name: "two fields that are read", body: `if (BPF_CORE_READ(task(), pid) == BPF_CORE_READ(task(), tgid)) sink = missing(task());`, want: "fails"},
	{name: "register of the traced function", body: `if (((u64 *)ctx)[14] == 4711) sink = missing(task());`, want: "fails"},
	{name: "byte order of a number", body: `u32 n = bpf_get_prandom_u32(); asm volatile("%0 = be16 %0" : "+r"(n)); if (n == 0x800) sink = missing(task());`, want: "fails"},
	{name: "remainder", body: `if (bpf_get_prandom_u32() % 10 == 3) sink = missing(task());`, want: "fails"},
	{name: "several bits", body: `if ((bpf_get_prandom_u32() & 0xf0) == 0x30) sink = missing(task());`, want: "fails"},
	{name: "range that holds", body: `u64 n = bpf_ktime_get_ns(); if (n > 100) return 0; asm volatile("" : "+r"(n)); if (n > 20) sink = missing(task());`, want: "fails"},
	{name: "error of a read", body: `char name[8]; long n = bpf_probe_read_kernel_str(name, 8, task()); if (n < 0) return 0; sink = missing(task());`, want: "fails"},
	{name: "more than is read", body: `char name[8]; long n = bpf_probe_read_kernel_str(name, 8, task()); if (n > 9) sink = missing(task());`},
	{name: "subprogram, by an unknown argument", before: `static noinline int get(u64 n) { if (n == 4711) return missing(task()); return 1; }`, body: `sink = get(bpf_ktime_get_ns());`, want: "fails"},
	{name: "subprogram, by one argument twice", before: `static noinline int get(u64 a, u64 b) { if (a > 5) return 1; asm volatile("" : "+r"(b)); if (b > 7) return missing(task()); return 2; }`,
		body: `u64 n = bpf_ktime_get_ns(); sink = get(n, n);`},
	{name: "subprogram, what it compared", before: `static noinline int get(u64 a) { if (a > 5) return 1; return 0; }`,
		body: `u64 n = bpf_ktime_get_ns(); if (get(n)) return 0; asm volatile("" : "+r"(n)); if (n > 7) sink = missing(task());`},
	{name: "masked", body: `if (bpf_get_prandom_u32() & 4) sink = missing(task());`, want: "fails"},
	{name: "signed result", body: `if ((int)bpf_probe_read_kernel(&(int){0}, 4, task()) < 0) sink = missing(task());`, want: "fails"},
	{name: "variable of the program", before: `int want;`, body: `if (want) sink = missing(task());`, want: "fails"},
	{name: "rodata", before: `const volatile int want = 0;`, body: `if (want) sink = missing(task());`, want: "may fail"},
	{name: "kconfig that is set", before: `extern bool CONFIG_BPF_SYSCALL __kconfig;`, body: `if (CONFIG_BPF_SYSCALL) sink = missing(task());`, want: "fails"},
	{name: "kconfig, the other way", before: `extern bool CONFIG_BPF_SYSCALL __kconfig;`, body: `if (!CONFIG_BPF_SYSCALL) sink = missing(task());`, want: "runs, degraded"},
	{name: "kconfig that is absent", before: `extern bool CONFIG_NEVER_WAS __kconfig __weak;`, body: `if (CONFIG_NEVER_WAS) sink = missing(task());`, want: "runs, degraded"},
	{name: "version", before: `extern int LINUX_KERNEL_VERSION __kconfig;`, body: `if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 0, 0)) sink = missing(task());`, want: "runs, degraded"},
	{name: "version, the other way", before: `extern int LINUX_KERNEL_VERSION __kconfig;`, body: `if (LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 0, 0)) sink = missing(task());`, want: "fails"},
	{name: "subprogram", before: `static noinline int get(struct task_struct *t) { return missing(t); }`, body: `sink = get(task());`, want: "fails"},
	{name: "subprogram, guarded", before: `static noinline int get(struct task_struct *t) { return missing(t); }`, body: `if (there(task())) sink = get(task());`, want: "runs, degraded"},
	{name: "subprogram, by its argument", before: `static noinline int get(struct task_struct *t, int old) { if (old) return missing(t); return BPF_CORE_READ(t, pid); }`, body: `sink = get(task(), there(task()));`},
	{name: "subprogram, by two arguments", before: `static noinline int get(struct task_struct *t, int old) { if (old > 3) return missing(t); return BPF_CORE_READ(t, pid); }`,
		body: `sink = get(task(), there(task())); sink = get(task(), bpf_core_type_size(struct task_struct___gone));`},
	{name: "subprogram's result", before: `static noinline int has(void) { return there((struct task_struct *)0); }`, body: `if (has()) sink = missing(task());`, want: "runs, degraded"},
	{name: "global function, called where it is not reached", before: `noinline int get(int x) { return missing(task()); }`, body: `if (there(task())) sink = get(1);`},
	{name: "global function, by its argument", before: `noinline int get(int old) { return old ? missing(task()) : 0; }`, body: `sink = get(there(task()));`, want: "may fail"},
	{name: "loop", body: `for (int i = 0; i < 50; i++) { sink += i; } sink = missing(task());`, want: "fails"},
	{name: "guard before a loop", body: `int has = there(task()); for (int i = 0; i < 50; i++) { sink += i; bpf_get_prandom_u32(); } if (has) sink = missing(task());`, want: "runs, degraded"},
	{name: "guard in a loop", body: `for (int i = 0; i < 50; i++) { sink += i; bpf_get_prandom_u32(); if (there(task())) sink = missing(task()); }`},
	{name: "loop of unknown length", body: `int n = bpf_get_prandom_u32() & 15; for (int i = 0; i < n; i++) { sink += i; bpf_get_prandom_u32(); if (i == 9) sink = missing(task()); }`},
	{name: "counted guard", body: `int n = 0; for (int i = 0; i < 5; i++) { n += there(task()); bpf_get_prandom_u32(); } if (n) sink = missing(task());`},
	{name: "spilled", body: `u64 has = there(task()); u64 slots[1]; *(volatile u64 *)slots = has; bpf_get_prandom_u32(); if (*(volatile u64 *)slots) sink = missing(task());`, want: "runs, degraded"},
	{name: "spilled, the other way", body: `u64 has = there(task()); u64 slots[1]; *(volatile u64 *)slots = has; bpf_get_prandom_u32(); if (!*(volatile u64 *)slots) sink = missing(task());`, want: "fails"},
	{name: "spilled and overwritten", body: `u64 has = there(task()); u64 slots[1]; *(volatile u64 *)slots = has; bpf_get_current_comm(slots, 8); if (*(volatile u64 *)slots) sink = missing(task());`, want: "fails"},
	{name: "spilled beside what a helper writes", body: `u64 has = there(task()); u64 slots[3]; *(volatile u64 *)slots = has; bpf_get_current_comm(slots + 1, 16); if (*(volatile u64 *)slots) sink = missing(task()); sink = slots[1];`, want: "runs, degraded"},
	{name: "overwritten by a subprogram", before: `static noinline int fill(u64 *p) { *p = bpf_get_prandom_u32(); return 1; }`,
		body: `u64 slots[1]; *(volatile u64 *)slots = there(task()); sink = fill(slots); if (*(volatile u64 *)slots == 77) sink = missing(task());`},
	{name: "xor", body: `int has = !there(task()); asm volatile("%0 ^= 1" : "+r"(has)); if (has) sink = missing(task());`},
	{name: "arithmetic", body: `u64 n = bpf_core_type_size(struct task_struct___gone); asm volatile("" : "+r"(n)); n = (n + 40) * 3 - 100; n <<= 2; n |= 1; n &= 0xff; if (n != 81) sink = missing(task());`, want: "runs, degraded"},
	{name: "arithmetic of 32 bits", body: `u32 n = bpf_core_type_size(struct task_struct___gone); n -= 1; n >>= 4; if (n != 0xfffffff) sink = missing(task());`},
	{name: "division", body: `u32 n = bpf_core_type_size(struct task_struct___gone) + 100; asm volatile("" : "+r"(n)); n /= 7; if (n != 14) sink = missing(task());`},
	{name: "negation", body: `long n = bpf_core_type_size(struct task_struct___gone) + 5; asm volatile("%0 = -%0" : "+r"(n)); if (n != -5) sink = missing(task());`},
	{name: "byte order", body: `u64 n = bpf_core_type_size(struct task_struct___gone) + 1; n = __builtin_bswap64(n); if (n != 1ULL << 56) sink = missing(task());`},
	{name: "range", body: `u32 n = bpf_get_prandom_u32(); if (n > 10) return 0; asm volatile("" : "+r"(n)); if (n > 20) sink = missing(task());`},
	{name: "range of a byte", body: `u64 n = *(volatile unsigned char *)&sink; asm volatile("" : "+r"(n)); if (n > 300) sink = missing(task());`},
	{name: "two numbers", body: `u64 a = bpf_ktime_get_ns(), b = bpf_get_prandom_u32(); if (a > b) sink = missing(task());`},
	{name: "same number twice", body: `u64 a = bpf_ktime_get_ns(), b = a; asm volatile("" : "+r"(a)); asm volatile("" : "+r"(b)); if (a != b) sink = missing(task());`},
	{name: "enumerator", body: `if (bpf_core_enum_value_exists(enum bpf_func_id___x, BPF_FUNC_never___x)) sink = missing(task());`, want: "runs, degraded"},
	{name: "enumerator that is there", body: `if (bpf_core_enum_value_exists(enum bpf_func_id___x, BPF_FUNC_map_lookup_elem___x)) sink = missing(task());`, want: "fails"},
	{name: "missing helper", body: `static long (*helper)(void) = (void *)9999; sink = helper();`, want: "fails"},
	{name: "missing helper, guarded", body: `static long (*helper)(void) = (void *)9999; if (there(task())) sink = helper();`, want: "runs, degraded"},
	{name: "callback", before: `static int each(u32 i, void *c) { sink = missing(task()); return 0; }`, body: `bpf_loop(10, each, 0, 0);`, want: "may fail"},
	{name: "callback, guarded", before: `static int each(u32 i, void *c) { if (there(task())) sink = missing(task()); return 0; }`, body: `bpf_loop(10, each, 0, 0);`, want: "runs, degraded"},
	{name: "callback that changes the stack", before: `static int each(u32 i, void *c) { *(u64 *)c = bpf_get_prandom_u32(); return 0; }`,
		body: `u64 slots[1]; *(volatile u64 *)slots = there(task()); bpf_loop(10, each, slots, 0); if (*(volatile u64 *)slots == 77) sink = missing(task());`},
	{name: "switch", body: `switch (bpf_get_prandom_u32()) { case 1: sink = 3; break; case 2: sink = missing(task()); break; case 9: sink = 8; break; case 1000: sink = 2; }`},
	{name: "fentry", section: "fentry/do_unlinkat", body: `sink = ((u64 *)ctx)[1];`, want: "runs"},
	{name: "fentry, too many arguments", section: "fentry/do_unlinkat", body: `sink = ((u64 *)ctx)[5];`, want: "fails"},
	{name: "fentry, too many arguments, guarded", section: "fentry/do_unlinkat", body: `if (there(task())) sink = ((u64 *)ctx)[5];`, want: "runs, degraded"},
	{name: "fentry, the result", section: "fentry/do_unlinkat", body: `sink = ((u64 *)ctx)[2];`, want: "fails"},
	{name: "fexit, the result", section: "fexit/do_unlinkat", body: `sink = ((u64 *)ctx)[2];`, want: "runs"},
	{name: "fexit, too many", section: "fexit/do_unlinkat", body: `sink = ((u64 *)ctx)[3];`, want: "fails"},
	{name: "fexit of void", section: "fexit/wake_up_new_task", body: `sink = ((u64 *)ctx)[1];`, want: "fails"},
	{name: "fentry, no such function", section: "fentry/never_was", body: `sink = 1;`, want: "fails"},
	{name: "tp_btf", section: "tp_btf/sched_process_exit", body: `struct task_struct *t = (void *)((u64 *)ctx)[0]; sink = t->pid;`, want: "runs"},
	{name: "tp_btf, too many arguments", section: "tp_btf/sched_process_exit", body: `sink = ((u64 *)ctx)[5];`, want: "fails"},
	{name: "tp_btf, too many arguments, guarded", section: "tp_btf/sched_process_exit", body: `if (there(task())) sink = ((u64 *)ctx)[5];`, want: "runs, degraded"},
	{name: "tp_btf, no such", section: "tp_btf/never_was", body: `sink = 1;`, want: "fails"},
	{name: "tp_btf, argument never null", section: "tp_btf/sched_process_exit", body: `struct task_struct *t = (void *)((u64 *)ctx)[0]; if (!t) sink = missing(task());`},
	{name: "tp_btf, member", section: "tp_btf/sched_process_exit", body: `struct task_struct *t = (void *)((u64 *)ctx)[0]; if (t->pid == 3) sink = missing(task());`, want: "fails"},
	{name: "iter", section: "iter/task", body: `sink = 1;`, want: "runs"},
	{name: "iter, no such", section: "iter/never_was", body: `sink = 1;`, want: "fails"},
	{name: "kfunc", section: "tp_btf/sched_process_exit", before: `extern void bpf_rcu_read_lock(void) __ksym; extern void bpf_rcu_read_unlock(void) __ksym;`, body: `bpf_rcu_read_lock(); bpf_rcu_read_unlock();`, want: "runs"},
	{name: "kfunc, no such", section: "tp_btf/sched_process_exit", before: `extern void bpf_never_was(void) __ksym;`, body: `bpf_never_was();`, want: "fails"},
	{name: "weak kfunc, no such", section: "tp_btf/sched_process_exit", before: `extern void bpf_never_was(void) __ksym __weak;`, body: `if (&bpf_never_was) bpf_never_was();`, want: "runs, degraded"},
	{name: "weak kfunc, unguarded", section: "tp_btf/sched_process_exit", before: `extern void bpf_never_was(void) __ksym __weak;`, body: `bpf_never_was();`, want: "fails"},
	{name: "weak kfunc that is there", section: "tp_btf/sched_process_exit", before: `extern void bpf_rcu_read_lock(void) __ksym __weak; extern void bpf_rcu_read_unlock(void) __ksym __weak;`,
		body: `if (&bpf_rcu_read_lock) { bpf_rcu_read_lock(); bpf_rcu_read_unlock(); } else sink = missing(task());`},
}

// TestLiveKernel loads programs into the running kernel. What is said to run
// must load there, and what is said to fail must not.
func TestLiveKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the running kernel lets this user load no BPF programs: that takes root")
	}
	k, err := source.Open("", nil, source.Options{})
	if err != nil {
		t.Skipf("the running kernel shows no BTF: %v", err)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("the running kernel lets this user load no BPF programs: %v", err)
	}
	if trial, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}}); err != nil {
		t.Skipf("the running kernel lets this user load no BPF programs: %v", err)
	} else {
		trial.Close()
	}
	kernel := core.NewKernel("running", k, true)
	kernel.Config = runningConfig(t)
	_, trial := compileCRaw(t, programPrelude+"SEC(\"fentry/do_unlinkat\") int prog(void *ctx) { return 0; }")
	trampolines := loadIntoKernel(trial)
	for i, v := range compilers(t) {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			counts := make(map[core.Verdict]int)
			// Other programs for each.
			for _, c := range slices.Concat(liveCases, randomLiveCases(i*randomPrograms(t), randomPrograms(t))) {
				t.Run(c.name, func(t *testing.T) { counts[c.load(t, v, kernel, trampolines)]++ })
			}
			t.Logf("verdicts: %v", counts)
		})
	}
}

// load asks the running kernel whether it takes a program, and returns what was
// said of it. trampolines is why it takes no program at all that traces functions.
func (c liveCase) load(t *testing.T, v variant, kernel *core.Kernel, trampolines error) core.Verdict {
	if kernel.Config == nil && bytes.Contains([]byte(c.name), []byte("kconfig")) {
		t.Skip("the running kernel shows no configuration")
	}
	section := c.section
	if section == "" {
		section = "kprobe/do_unlinkat"
	}
	typed := strings.HasPrefix(section, "fentry/") || strings.HasPrefix(section, "fexit/")
	text := programPrelude + liveTypes + c.before + "\nSEC(\"" + section + "\") int prog(void *ctx)\n{\n" + c.body + "\n\treturn 0;\n}\n"
	o, raw := compileWith(t, v.clang, text, v.flags()...)
	p := programNamed(t, core.Check([]*core.Object{o}, kernel).Kernels[0], "prog")
	if c.want != "" && p.Verdict.String() != c.want {
		t.Errorf("%s, want %s\n%s", p.Verdict, c.want, describe(p))
	}
	err := loadIntoKernel(raw)
	switch {
	case err != nil && strings.Contains(err.Error(), "unsupported binding: STB_WEAK"):
		// What loads it here does not know weak kconfig options, which says nothing
		// of the kernel: the right verdict is known beforehand.
		if c.want == "" {
			t.Errorf("nothing says what is right: %v", err)
		}
	case typed && trampolines != nil:
		t.Skipf("the running kernel does not take fentry programs at all: %v", trampolines)
	case errors.Is(err, os.ErrPermission):
		t.Errorf("the kernel refuses it for another reason: %v", err)
	case p.Verdict <= core.Degraded && err != nil:
		t.Errorf("%s, but the kernel says: %+v\n%s\n%s", p.Verdict, err, describe(p), text)
	case p.Verdict == core.Fails && err == nil:
		t.Errorf("%s, but it loads\n%s\n%s", p.Verdict, describe(p), text)
	}
	t.Logf("%s; loads: %v", p.Verdict, err == nil)
	return p.Verdict
}

func loadIntoKernel(raw []byte) error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) && len(verifier.Log) > 0 {
			return errors.New(verifier.Error())
		}
		return err
	}
	collection.Close()
	return nil
}

func runningConfig(t *testing.T) map[string]string {
	file, err := os.Open("/proc/config.gz")
	if err != nil {
		return nil
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := core.ParseConfig(r)
	if err != nil {
		t.Fatal(err)
	}
	return config
}
