package goldens_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

const standardHeaders = "#include <stddef.h>\n#include <stdbool.h>\n#include <stdint.h>\n"

const usesStandardHeaders = `
size_t a; ptrdiff_t b; wchar_t c; bool d = true; uintptr_t g; uint_least16_t h; uint_least64_t j; int_fast64_t k; intmax_t i;
uint8_t e1; uint16_t e2; uint32_t e4; uint64_t e8 = UINT64_MAX; int8_t f1; int16_t f2; int32_t f4; int64_t f8 = INT64_MIN;
_Static_assert(sizeof(size_t) == sizeof(void *), "size_t");
_Static_assert(sizeof(uint8_t[8]) == 8, "uint8_t"); _Static_assert(sizeof(uint16_t) == 2, "uint16_t");
_Static_assert(sizeof(uint32_t) == 4, "uint32_t"); _Static_assert(sizeof(uint64_t) == 8, "uint64_t");
_Static_assert(sizeof(int8_t[8]) == 8, "int8_t"); _Static_assert(sizeof(int16_t) == 2, "int16_t");
_Static_assert(sizeof(int32_t) == 4, "int32_t"); _Static_assert(sizeof(int64_t) == 8, "int64_t");
`

// Behind the header, stdint.h finds the kernel's types.
const kernelsInts = `
_Static_assert(__builtin_types_compatible_p(uint64_t, u64), "uint64_t"); _Static_assert(__builtin_types_compatible_p(u64, unsigned long long), "u64");
_Static_assert(__builtin_types_compatible_p(int64_t, s64), "int64_t"); _Static_assert(__builtin_types_compatible_p(s64, long long), "s64");
`

// The standard headers of compilers and C libraries may come before a kernel's
// header and behind it.
func TestStandardHeadersBeforeAndAfter(t *testing.T) {
	muslHeaders := func() string {
		// Debian's place, Fedora's, Arch's.
		for _, pattern := range []string{"/usr/include/*-linux-musl", "/usr/*-linux-musl/include", "/usr/lib/musl/include"} {
			if dirs, err := filepath.Glob(pattern); err == nil && len(dirs) > 0 {
				return dirs[0]
			}
		}
		t.Fatal("musl's headers are missing: install them (Debian: apt install musl-dev)")
		return ""
	}()
	// glibc's headers are for the machine that they are on, and ask which it is.
	glibc := map[string][]string{
		"amd64": {"-isystem", "/usr/include/x86_64-linux-gnu", "-D__x86_64__"},
		"arm64": {"-isystem", "/usr/include/aarch64-linux-gnu", "-D__aarch64__"},
	}[runtime.GOARCH]
	if glibc == nil {
		t.Fatalf("where glibc keeps its headers on %s is not known to this test", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(glibc[1], "bits/wordsize.h")); err != nil {
		t.Fatalf("glibc's headers are missing: install them (Debian: apt install libc6-dev): %v", err)
	}
	for _, k := range btftest.Kernels {
		if k.Base != "" || k.Name == "btf_testmod.distilled-base" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			libraries := [][]string{{"-ffreestanding"}}
			if k.Name == "amd64-7.2-cloud" { // one kernel's names do for what libraries call things
				libraries = append(libraries, glibc, []string{"-nostdlibinc", "-isystem", muslHeaders})
			}
			for _, c := range clangtest.Compilers(t) {
				stds := c.Standards()
				for _, std := range []string{stds[0], stds[len(stds)-1]} {
					for _, library := range libraries {
						args := append([]string{"-target", target(v), "-std=" + std}, library...)
						mustCompile(t, c, text, standardHeaders+"#include \"vmlinux.h\"\n"+usesStandardHeaders, args...)
						mustCompile(t, c, text, "#include \"vmlinux.h\"\n"+standardHeaders+usesStandardHeaders+kernelsInts, args...)
					}
				}
			}
		})
	}
}

// Where the stdint.h before the header has pointers of 4 bytes, one error says so.
func TestStdintOfAnotherMachine(t *testing.T) {
	v := corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"})
	_, text := header(t, v, cgen.Options{})
	const stdint = "#ifndef _STDINT_H\n#define _STDINT_H 1\ntypedef unsigned int uintptr_t;\n#define UINTPTR_MAX 4294967295U\n" +
		"typedef unsigned long long uint64_t;\ntypedef long long int64_t;\n#endif\n"
	for _, c := range clangtest.Compilers(t) {
		_, output, err := c.Compile(t, map[string]string{"vmlinux.h": text, "main.c": stdint + "#include \"vmlinux.h\"\n"}, "-target", "bpf")
		if err == nil || !strings.Contains(output, "is that of a 32-bit machine: add -D__x86_64__") {
			t.Errorf("%s: %v\n%.400s", c.Name, err, output)
		}
	}
}

// What a program writes through uint64_t it reads through u64: in the kernel they
// are one type, and a compiler that takes them for two may return 1 here.
func TestUint64IsU64(t *testing.T) {
	const program = `#include "vmlinux.h"
u64 both(u64 *a, uint64_t *b)
{
	*a = 1;
	*b = 2;
	return *a;
}
s64 *signed64(int64_t *p) { return p; }
`
	v := corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"})
	_, text := header(t, v, cgen.Options{})
	for _, c := range clangtest.Compilers(t) {
		object := mustCompile(t, c, text, program, "-target", "bpf", "-O2")
		f, err := elf.Open(object)
		if err != nil {
			t.Fatal(err)
		}
		code, err := f.Section(".text").Data()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		const load = 0x79 // BPF_LDX | BPF_MEM | BPF_DW
		loads := 0
		for ; len(code) >= 8 && code[0] != 0x95; code = code[8:] { // up to the exit of both
			if code[0] == load {
				loads++
			}
		}
		if loads != 1 {
			t.Errorf("%s: %d loads of *a after *b was written, want 1", c.Name, loads)
		}
	}
}

// libbpfProgram uses each of libbpf's headers, and the kernel's types.
const libbpfProgram = `#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include <bpf/usdt.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} counts SEC(".maps");

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(unlink, int dfd, struct filename *name)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 key = bpf_htonl(BPF_CORE_READ(task, tgid));
	u64 parent = BPF_CORE_READ(task, real_parent, tgid);
	bpf_map_update_elem(&counts, &key, &parent, BPF_ANY);
	return bpf_core_field_exists(task->comm) + (dfd && name && ctx);
}

SEC("usdt")
int BPF_USDT(probe, void *x)
{
	return x != 0 && ctx;
}

char LICENSE[] SEC("license") = "GPL";
`

func TestLibbpfHeaders(t *testing.T) {
	if _, err := os.Stat("/usr/include/bpf/usdt.bpf.h"); err != nil {
		t.Fatalf("libbpf's headers are missing: install them (Debian: apt install libbpf-dev): %v", err)
	}
	// libbpf's usdt.bpf.h includes linux/errno.h, whose asm/errno.h Debian keeps
	// in the folder of the machine's architecture.
	asm, err := filepath.Glob("/usr/include/*-linux-gnu*")
	if err != nil || len(asm) == 0 {
		t.Fatalf("no folder with asm/errno.h: install it (Debian: apt install linux-libc-dev): %v", err)
	}
	for name, arch := range map[string]string{
		"amd64-7.2-cloud": "x86", "x86_64-layout-section": "x86", "arm64-6.1-cloud": "arm64", "s390x-6.12": "s390", "armhf-6.1": "arm",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, btftest.Kernel{Name: name})
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			for _, c := range clangtest.Compilers(t) {
				stds := c.Standards()
				for _, std := range []string{stds[0], stds[len(stds)-1]} {
					args := []string{"-target", target(v), "-std=" + std, "-D__TARGET_ARCH_" + arch, "-O2", "-g", "-idirafter", asm[0]}
					if v.PointerSize() == 4 {
						// libbpf's macros cast registers, which have 32 bits here, to pointers.
						args = append(args, "-Wno-int-to-void-pointer-cast", "-Wno-int-to-pointer-cast")
					}
					object := mustCompile(t, c, text, libbpfProgram, args...)
					if n := coreRelocations(t, object); n < 4 {
						t.Errorf("%s -std=%s: %d bytes of CO-RE relocations", c.Name, std, n)
					}
				}
			}
		})
	}
}

// coreRelocations returns the length of an object's CO-RE relocations in
// bytes: core_relo_len of .BTF.ext.
func coreRelocations(t *testing.T, object string) int {
	t.Helper()
	f, err := elf.Open(object)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer f.Close()
	s := f.Section(".BTF.ext")
	if s == nil {
		return 0
	}
	data, err := s.Data()
	if err != nil || len(data) < 32 || f.ByteOrder.Uint32(data[4:]) < 32 {
		return 0
	}
	return int(f.ByteOrder.Uint32(data[28:]))
}

const plainProgram = `#include "vmlinux.h"
__attribute__((section("tp"), used)) int prog(struct task_struct *task)
{
	return task->tgid + (task->real_parent != 0);
}
`

// CO-RE comes from the header, by an attribute that both compilers take, and
// goes where the program says so.
func TestHeaderBringsCoRE(t *testing.T) {
	v := corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"})
	_, text := header(t, v, cgen.Options{})
	c := clangtest.Newest(t)
	if n := coreRelocations(t, mustCompile(t, c, text, plainProgram, "-target", "bpf", "-O2", "-g")); n < 32 {
		t.Errorf("%d bytes of CO-RE relocations", n)
	}
	without := mustCompile(t, c, text, plainProgram, "-target", "bpf", "-O2", "-g", "-DBPF_NO_PRESERVE_ACCESS_INDEX")
	if n := coreRelocations(t, without); n != 0 {
		t.Errorf("with BPF_NO_PRESERVE_ACCESS_INDEX there are %d bytes of CO-RE relocations", n)
	}
}
