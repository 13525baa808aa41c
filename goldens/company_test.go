package goldens_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	libraries := [][]string{{"-ffreestanding"}}
	for _, library := range [][]string{glibc(t), musl(t)} {
		if library != nil {
			libraries = append(libraries, library)
		}
	}
	// Each distribution has one of the two, or both.
	if len(libraries) == 1 {
		t.Fatal("the headers of a C library are missing: install them (Debian: apt install libc6-dev musl-dev)")
	}
	for _, k := range btftest.Kernels {
		if k.Base != "" || k.Name == "btf_testmod.distilled-base" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			libraries := libraries
			compilers := clangtest.Compilers(t)
			if k.Name != "amd64-7.2-cloud" { // one kernel's names do for what libraries and compilers call things
				libraries = libraries[:1]
				compilers = []clangtest.Clang{compilers[0], compilers[len(compilers)-1]}
			}
			for _, c := range compilers {
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

// Not every distribution has both C libraries.
func TestStandardHeadersOfBothLibraries(t *testing.T) {
	if glibc(t) == nil {
		t.Skip("there is no glibc, whose stdint.h may come before a header and behind it")
	}
	if musl(t) == nil {
		t.Skip("there is no musl, whose stdint.h may come before a header and behind it (Debian: apt install musl-dev)")
	}
}

// searched returns the directories in which this machine's compiler looks for
// headers. Distributions keep those of the C library and the kernel in one, or,
// as Debian, those for an architecture in a directory of their own.
func searched(t *testing.T) []string {
	t.Helper()
	compiler := hostGCCs(t)[0].name
	cmd := exec.Command(compiler, "-E", "-v", "-x", "c", os.DevNull)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, said)
	}
	_, list, _ := strings.Cut(string(said), "#include <...> search starts here:\n")
	list, _, ok := strings.Cut(list, "End of search list.")
	if !ok {
		t.Fatalf("%s names no directories:\n%s", cmd, said)
	}
	var dirs []string
	for _, line := range strings.Split(list, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			dirs = append(dirs, line)
		}
	}
	return dirs
}

// holder returns the first of directories that has a file, "" if none has.
func holder(dirs []string, file string) string {
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return dir
		}
	}
	return ""
}

// machineMacros are what glibc's headers ask which machine they are for, and what
// compilers for BPF do not say.
var machineMacros = regexp.MustCompile(`(?m)^#define (__x86_64__|__aarch64__|__s390x__|__powerpc64__|__riscv|__riscv_xlen|__loongarch__|__loongarch_grlen) (\w+)$`)

// glibc returns flags with which clang finds the machine's glibc, nil if it has none.
func glibc(t *testing.T) []string {
	t.Helper()
	dir := holder(searched(t), "bits/wordsize.h") // which other libraries don't have
	if dir == "" {
		return nil
	}
	flags := []string{"-idirafter", dir}
	out, err := exec.Command(hostGCCs(t)[0].name, "-dM", "-E", "-x", "c", os.DevNull).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machineMacros.FindAllStringSubmatch(string(out), -1) {
		flags = append(flags, "-D"+m[1]+"="+m[2])
	}
	return flags
}

// musl returns flags with which clang finds musl, nil if it is not there: the
// machine's C library, or one beside it, in the places of Debian, Fedora and Arch.
func musl(t *testing.T) []string {
	t.Helper()
	dirs := searched(t)
	for _, pattern := range []string{"/usr/include/*-linux-musl", "/usr/*-linux-musl/include", "/usr/lib/musl/include"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, more...)
	}
	dir := holder(dirs, "bits/alltypes.h") // which other libraries don't have
	if dir == "" {
		return nil
	}
	return []string{"-nostdlibinc", "-isystem", dir}
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
	asm := holder(searched(t), "asm/errno.h")
	if asm == "" {
		t.Fatal("there is no asm/errno.h: install it (Debian: apt install linux-libc-dev)")
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
				if name != "amd64-7.2-cloud" { // one kernel's header does for the older standards
					stds = stds[len(stds)-1:]
				}
				for _, std := range slices.Compact([]string{stds[0], stds[len(stds)-1]}) {
					args := []string{"-target", target(v), "-std=" + std, "-D__TARGET_ARCH_" + arch, "-O2", "-g", "-idirafter", asm}
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
