package goldens_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

const standardHeaders = "#include <stddef.h>\n#include <stdbool.h>\n#include <stdint.h>\n"

const usesStandardHeaders = `
size_t a; ptrdiff_t b; wchar_t c; bool d = true; uint8_t e; int64_t f; uintptr_t g; uint_least16_t h; intmax_t i;
_Static_assert(sizeof(size_t) == sizeof(void *), "size_t");
_Static_assert(sizeof(uint16_t) == 2, "uint16_t");
_Static_assert(sizeof(int64_t) == 8, "int64_t");
`

func TestStandardHeadersBeforeAndAfter(t *testing.T) {
	for _, k := range btftest.Kernels {
		if k.Base != "" || k.Name == "btf_testmod.distilled-base" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			for _, c := range clangtest.Compilers(t) {
				stds := c.Standards()
				for _, std := range []string{stds[0], stds[len(stds)-1]} {
					args := []string{"-target", target(v), "-std=" + std, "-ffreestanding"}
					mustCompile(t, c, text, standardHeaders+"#include \"vmlinux.h\"\n"+usesStandardHeaders, args...)
					mustCompile(t, c, text, "#include \"vmlinux.h\"\n"+standardHeaders+usesStandardHeaders, args...)
				}
			}
		})
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

func TestGCCKeepsCoRE(t *testing.T) {
	if _, err := exec.LookPath("bpf-gcc"); err != nil {
		t.Skip("bpf-gcc is not installed (Debian: apt install gcc-bpf)")
	}
	v := corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"})
	_, text := header(t, v, cgen.Options{Kfuncs: true})
	dir := t.TempDir()
	for name, content := range map[string]string{"vmlinux.h": text, "main.c": plainProgram} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Without -Wall: its -Wpacked-not-aligned is about records that the kernel
	// packs around others.
	cmd := exec.Command("bpf-gcc", "-O2", "-gbtf", "-mco-re", "-Werror", "-c", "main.c", "-o", "main.o")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%.3000s", err, out)
	}
	if n := coreRelocations(t, filepath.Join(dir, "main.o")); n < 32 {
		t.Errorf("%d bytes of CO-RE relocations", n)
	}
}
