package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// slimKernel is a kernel with one of everything that a program can lack.
func slimKernel() []byte {
	b := btftest.New()
	i32 := b.Int("int", 4, btftest.Signed)
	unsigned := b.Int("unsigned int", 4, 0)
	b.Int("long unsigned int", 8, 0)
	u64 := b.Typedef("u64", b.Int("long long unsigned int", 8, 0))
	u32 := b.Typedef("u32", unsigned)
	b.Typedef("size_word", u64)
	state := b.Enum("state", 4, btftest.Val("STATE_A", 0), btftest.Val("STATE_B", 1))
	b.Enum("", 4, btftest.Val("FLAG_ONE", 1), btftest.Val("FLAG_TWO", 2))
	counter := b.Typedef("atomic_t", b.Struct("", 4, btftest.Field("counter", i32, 0)))
	inner := b.Struct("inner", 8, btftest.Field("a", i32, 0), btftest.Field("b", i32, 32))
	b.Struct("sized", 40, btftest.Field("bytes", b.Array(unsigned, i32, 10), 0))
	opaque := b.Struct("opaque", 8, btftest.Field("secret", u64, 0))
	b.Struct("unused", 8, btftest.Field("nothing", u64, 0))
	big := b.Reserve()
	words := b.Struct("", 8, btftest.Field("lo", u32, 0), btftest.Field("hi", u32, 32))
	choice := b.Union("", 8, btftest.Field("v4", u32, 0), btftest.Field("", words, 0))
	named := b.Struct("", 8, btftest.Field("deep", i32, 0), btftest.Field("other", i32, 32))
	b.At(big).StructFlagged("big", 64,
		btftest.Field("x", i32, 0), btftest.Field("in", inner, 32), btftest.Field("refs", counter, 96), btftest.Field("", choice, 128),
		btftest.Bitfield("p", unsigned, 192, 3), btftest.Bitfield("q", unsigned, 195, 5), btftest.Bitfield("r", unsigned, 203, 9),
		btftest.Field("named", named, 224), btftest.Field("st", state, 288), btftest.Field("next", b.Ptr(big), 320),
		btftest.Field("opaque", b.Ptr(opaque), 384), btftest.Field("last", u64, 448))
	kfunc := b.Func("bpf_test_kfunc", b.FuncProto(i32, btftest.Arg("p", b.Ptr(big)), btftest.Arg("flags", u64)), btftest.Static)
	b.DeclTag("bpf_kfunc", kfunc, -1)
	return b.Bytes()
}

// slimTop is what libbpf's headers would define.
const slimTop = `#include "vmlinux.h"
#define SEC(name) __attribute__((section(name), used))
#define noinline __attribute__((noinline))
char LICENSE[] SEC("license") = "GPL";
`

// slimCases are programs, each with something that an object does not show.
var slimCases = []struct {
	name, program string
	want, not     []string // patterns of lines in the header
	fields        []string // in that with --fields
	notFields     []string
}{
	{name: "unknown type name", program: `u32 counted; SEC("tc") int f(void *c) { return ++counted; }`, want: []string{`^typedef unsigned int u32;`}, not: []string{"u64", "struct "}},
	{name: "cast", program: `SEC("tc") int f(void *c) { return ((u64)c) >> 3; }`, want: []string{`^typedef .* u64;`}, not: []string{"u32", "enum "}},
	{name: "size of a typedef", program: `SEC("tc") int f(void *c) { return sizeof(size_word); }`, want: []string{`^typedef u64 size_word;`, `u64;`}},
	{name: "enumerator", program: `SEC("tc") int f(void *c) { return STATE_B; }`, want: []string{`^enum state \{`}, not: []string{"FLAG"}},
	{name: "enumerator of an unnamed enum", program: `SEC("tc") int f(void *c) { return FLAG_TWO; }`, want: []string{`FLAG_TWO = 2,`}, not: []string{"STATE"}},
	{name: "variable of an enum", program: `enum state now; SEC("tc") int f(void *c) { return now; }`, want: []string{`^enum state \{`}},
	{name: "variable", program: `SEC("tc") int f(void *c) { struct sized s; asm volatile("" : : "r"(&s) : "memory"); return 0; }`, want: []string{`^struct sized \{`}, not: []string{"struct big"}, notFields: []string{"bytes"}},
	{name: "tentative definition", program: `struct inner kept; SEC("tc") int f(void *c) { return 0; }`, want: []string{`^struct inner \{`}},
	{name: "member of an own record", program: `struct own { char c; struct inner i; }; SEC("tc") int f(void *c) { return sizeof(struct own); }`, want: []string{`^struct inner \{`}},
	{name: "size of a record", program: `SEC("tc") int f(void *c) { return sizeof(struct sized); }`, want: []string{`^struct sized \{`}},
	{name: "array", program: `static struct inner table[4]; SEC("tc") int f(void *c) { return ((char *)&table[2])[0] + sizeof(table); }`, want: []string{`^struct inner \{`}},
	{name: "offset", program: `SEC("tc") int f(void *c) { return __builtin_offsetof(struct big, in.b); }`, want: []string{`^struct big \{`, `^struct inner \{`}, fields: []string{"struct inner in;", "int b;"}, notFields: []string{"int a;", "struct big \\*next", "opaque"}},
	{name: "access", program: `SEC("tc") int f(struct big *p) { return p->next->x; }`, want: []string{`^struct big \{`}, fields: []string{"struct big \\*next;", "int x;"}, notFields: []string{"struct inner", "u64", "lo;"}},
	{name: "pointer arithmetic", program: `SEC("tc") long f(struct sized *p) { return (long)(p + 1); }`, want: []string{`^struct sized \{`}},
	{name: "kfunc", program: `SEC("tc") int f(struct big *p) { return bpf_test_kfunc(p, 3); }`, want: []string{`extern int bpf_test_kfunc\(struct big \*p, u64 flags\) __weak __ksym;`}},
	{name: "prototype", program: `static noinline int g(struct opaque *p) { asm volatile("" : : "r"(p)); return 1; } SEC("tc") int f(void *c) { return g(c); }`, want: []string{`^struct opaque \{`}, not: []string{"struct big"}},
	{name: "argument of a global function", program: `noinline int g(struct opaque *p) { return p != 0; } SEC("tc") int f(void *c) { return g(c); }`, want: []string{`^struct opaque \{`}},
	{name: "value of a map", program: `struct { int (*type)[1]; struct inner *key; struct sized *value; } map SEC(".maps"); SEC("tc") int f(void *c) { return 0; }`, want: []string{`^struct sized \{`, `^struct inner \{`}},
	{name: "bitfield", program: `SEC("tc") int f(struct big *p) { return __builtin_preserve_field_info(p->q, 0) + __builtin_preserve_field_info(p->q, 4); }`, fields: []string{"unsigned int q: 5;"}, notFields: []string{"int p: 3", "int r: 9"}},
	{name: "unnamed members", program: `SEC("tc") int f(struct big *p) { return p->hi; }`, fields: []string{"u32 hi;", "union \\{"}, notFields: []string{"lo;", "v4;"}},
	{name: "typedef of an unnamed record", program: `SEC("tc") int f(struct big *p) { return p->refs.counter; }`, fields: []string{"atomic_t refs;", "int counter;"}},
	{name: "type of a nested member", program: `SEC("tc") int f(void *c) { return sizeof(__typeof__(((struct big *)0)->named.deep)); }`, fields: []string{"int deep;", "\\} named;"}, notFields: []string{"int other;"}},
	{name: "values without names", program: `SEC("tc") int f(void *c) { volatile struct inner i = { 3, 4 }; return i.b; }`, fields: []string{"int a;", "int b;"}},
	{name: "designator", program: `SEC("tc") int f(void *c) { volatile struct inner i = { .b = 4 }; return i.b; }`, fields: []string{"int b;"}, notFields: []string{"int a;"}},
	{name: "copy", program: `struct big kept; SEC("tc") int f(struct big *p) { kept = *p; return 0; }`, want: []string{`^struct big \{`}, notFields: []string{"struct inner"}},
	{name: "dead code", program: `SEC("tc") int f(void *c) { if (0) return __builtin_preserve_type_info(*(__typeof__(struct sized) *)0, 0); return 1; }`, not: []string{"struct big"}},
	{name: "dead enum value", program: `SEC("tc") int f(void *c) { if (0) return __builtin_preserve_enum_value(*(__typeof__(enum state) *)STATE_B, 0); return 1; }`, want: []string{`^enum state \{`}},
	{name: "own flavour", program: `struct big___old { int gone; struct inner *i; } __attribute__((preserve_access_index)); SEC("tc") int f(struct big___old *p) { return p->gone; }`, not: []string{"big", "inner"}},
	{name: "variable called like an enumerator", program: `SEC("tc") int f(void *c) { u64 STATE_A = (long)c; return STATE_A * 3; }`, want: []string{"u64;"}, not: []string{"STATE"}},
	{name: "type ID", program: `SEC("tc") int f(void *c) { return __builtin_btf_type_id(*(struct sized *)0, 1); }`, want: []string{`^struct sized \{`}},
	{name: "match of a type", program: `SEC("tc") int f(void *c) { return __builtin_preserve_type_info(*(__typeof__(struct inner) *)0, 0); }`, want: []string{`^struct inner \{`}},
}

// Every way in which clang says that something is missing is understood, with
// every clang, and what is added is what is needed.
func TestSlimCases(t *testing.T) {
	kernel := filepath.Join(t.TempDir(), "kernel.btf")
	if err := os.WriteFile(kernel, slimKernel(), 0o600); err != nil {
		t.Fatal(err)
	}
	compilers := clangtest.Compilers(t)
	for i, c := range compilers {
		for _, test := range slimCases {
			for _, fields := range []bool{false, true} {
				if !fields && i > 0 && i < len(compilers)-1 {
					continue // what is missing without --fields is missing with it too
				}
				name := c.Name + "/" + test.name
				args := []string{}
				if fields {
					name += "/fields"
					args = append(args, "--fields")
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					source := filepath.Join(dir, "prog.bpf.c")
					if err := os.WriteFile(source, []byte(slimTop+test.program), 0o600); err != nil {
						t.Fatal(err)
					}
					out := filepath.Join(dir, "slim.h")
					var stderr bytes.Buffer
					args := append(args, "-q", "--no-provenance", "--clang", c.Name, "-i", kernel, "--for", source, out)
					if code := run(args, nil, &stderr, &stderr); code != 0 {
						t.Fatalf("exit code %d: %s", code, &stderr)
					}
					text, err := os.ReadFile(out)
					if err != nil {
						t.Fatal(err)
					}
					_, text, _ = bytes.Cut(text, []byte("#if !__has_attribute(btf_type_tag)"))
					want, not := test.want, append([]string{"unused"}, test.not...)
					if fields {
						want, not = append(want, test.fields...), append(not, test.notFields...)
					}
					for _, pattern := range want {
						if !regexp.MustCompile(`(?m)` + pattern).Match(text) {
							t.Errorf("the header lacks %q:\n%s", pattern, text)
						}
					}
					for _, pattern := range not {
						if regexp.MustCompile(`(?m)` + pattern).Match(text) {
							t.Errorf("the header has %q:\n%s", pattern, text)
						}
					}
				})
			}
		}
	}
}

// slimLibbpf uses libbpf's headers with a kernel's types.
const slimLibbpf = `#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

struct event {
	u32 pid;
	u64 ts;
	char comm[16];
	enum hrtimer_mode mode;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, pid_t);
	__type(value, struct event);
} start SEC(".maps");

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(unlink, int dfd, struct filename *name)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct event e = {};

	e.pid = BPF_CORE_READ(t, real_parent, tgid) + dfd;
	e.ts = BPF_CORE_READ(t, mm, exe_file, f_inode, i_ino) + sizeof(struct iphdr);
	e.mode = bpf_core_enum_value_exists(enum hrtimer_mode, HRTIMER_MODE_ABS);
	bpf_core_read_str(e.comm, sizeof(e.comm), &t->comm);
	bpf_map_update_elem(&start, &e.pid, &e, BPF_ANY);
	return bpf_core_field_exists(t->exit_state) + BPF_CORE_READ_BITFIELD_PROBED(t, in_execve);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return preempt && prev->pid == next->pid;
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(read_done, ssize_t n)
{
	return n > 0 && bpf_htons(PT_REGS_IP(ctx)) != 3;
}

SEC("tc")
int count(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data;

	return data + sizeof(*ip) <= end && ip->ihl == 5 && ip->protocol == IPPROTO_TCP;
}

char LICENSE[] SEC("license") = "GPL";
`

// Kernels of 64 and of 32 bits, of both byte orders, with libbpf's headers.
func TestSlimKernels(t *testing.T) {
	if _, err := os.Stat("/usr/include/bpf/bpf_helpers.h"); err != nil {
		t.Fatal("libbpf's headers are missing (Debian: apt install libbpf-dev)")
	}
	for name, most := range map[string]int{"amd64-7.2-cloud": 12000, "s390x-6.12": 12000, "arm64-6.1-cloud": 12000, "armhf-6.1": 60000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, data := range map[string][]byte{"kernel.btf": btftest.Corpus(t, name), "prog.bpf.c": []byte(slimLibbpf)} {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			in := func(name string) string { return filepath.Join(dir, name) }
			var sizes []int
			for _, args := range [][]string{{in("slim.h")}, {in("fields.h"), "--fields", "--verify"}} {
				var stderr bytes.Buffer
				args = append(args, "-i", in("kernel.btf"), "--clang", clangtest.Newest(t).Name, "--for", in("prog.bpf.c"))
				if code := run(args, nil, &stderr, &stderr); code != 0 {
					t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
				}
				if !strings.Contains(stderr.String(), "has the same instructions and relocations") {
					t.Errorf("%q: %s", args, &stderr)
				}
				text, err := os.ReadFile(args[0])
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(text))
			}
			if sizes[1] > most || sizes[1] > sizes[0] {
				t.Errorf("%d bytes, and %d with --fields, want at most %d", sizes[0], sizes[1], most)
			}
		})
	}
}

// The architecture that a program is compiled for, where it is not the kernel's:
// one sentence if that alone is wrong, and a warning if the program compiles.
func TestSlimArchitectures(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const registers = `#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
SEC("kprobe/x") int f(struct pt_regs *ctx) { return PT_REGS_PARM1(ctx); }
`
	for name, text := range map[string][]byte{
		"x86.btf":       btftest.Corpus(t, "amd64-7.2-cloud"),
		"arm64.btf":     btftest.Corpus(t, "arm64-6.1-cloud"),
		"s390.btf":      btftest.Corpus(t, "s390x-6.12"),
		"regs.bpf.c":    []byte(registers),
		"wrong.bpf.c":   []byte(registers + "int g(void *c) { return wrong; }\n"),
		"none.bpf.c":    []byte("#include \"vmlinux.h\"\nint f(struct task_struct *t) { return t->pid; }\n"),
		"defines.bpf.c": []byte("#define __TARGET_ARCH_arm64\n" + registers),
	} {
		if err := os.WriteFile(in(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		kernel, program string
		flags           []string
		code            int
		want, not       string // patterns
	}{
		{"x86", "regs", nil, 0, `has the same instructions`, `warning`},
		{"x86", "regs", []string{"-D__TARGET_ARCH_x86"}, 0, `has the same instructions`, `warning`},
		{"x86", "regs", []string{"-D__TARGET_ARCH_arm64"}, 2, `^btfgen: \S+regs.bpf.c does not compile with all types of the kernel, since the flags say -D__TARGET_ARCH_arm64, and the kernel is one for x86: say -D__TARGET_ARCH_x86, or name a kernel for arm64 with -i\n$`, ""},
		{"x86", "regs", []string{"-D", "__TARGET_ARCH_arm64=1"}, 2, `since the flags say -D__TARGET_ARCH_arm64, and the kernel is one for x86`, "error:"},
		{"arm64", "regs", []string{"-D__TARGET_ARCH_x86"}, 2, `since the flags say -D__TARGET_ARCH_x86, and the kernel is one for arm64`, "error:"},
		{"s390", "regs", []string{"-D__TARGET_ARCH_riscv"}, 2, `since the flags say -D__TARGET_ARCH_riscv, and the kernel is one for s390`, "error:"},
		{"x86", "wrong", []string{"-D__TARGET_ARCH_arm64"}, 2, `undeclared identifier 'wrong'\n(?:.*\n)*the flags say -D__TARGET_ARCH_arm64, and the kernel is one for x86\n$`, "user_pt_regs"},
		{"x86", "none", []string{"-D__TARGET_ARCH_arm64"}, 0, `warning: \S+none.bpf.c: the flags say -D__TARGET_ARCH_arm64, and the kernel is one for x86\n`, ""},
		{"x86", "defines", nil, 2, `error: (?:.*\n)*the program defines __TARGET_ARCH_arm64, and the kernel is one for x86\n$`, ""},
		{"arm64", "defines", nil, 0, `has the same instructions`, `warning`},
	} {
		t.Run(strings.Join(append(test.flags, test.kernel, test.program), " "), func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			args := append([]string{"-i", in(test.kernel + ".btf"), "--clang", clangtest.Newest(t).Name, "--for", in(test.program + ".bpf.c"), filepath.Join(t.TempDir(), "vmlinux.h"), "--"}, test.flags...)
			if code := run(args, nil, &stderr, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !regexp.MustCompile(test.want).MatchString(stderr.String()) || test.not != "" && regexp.MustCompile(test.not).MatchString(stderr.String()) {
				t.Errorf("%s\nwant %q, and not %q", &stderr, test.want, test.not)
			}
		})
	}
}
