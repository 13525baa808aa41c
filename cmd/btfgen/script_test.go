package main

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"btfgen": main, "btfgen-peak": mainWithPeak})
}

// TestScripts runs the command as a user does. The scripts find these files:
//
//	kernel.btf     ints, struct point, struct task_struct and what it needs
//	module.btf     split BTF on it, with struct module_state
//	other.btf      split BTF on it, with struct other_state
//	broken.btf     the first half of kernel.btf
//	hostile.btf    a struct whose name is no identifier
//	other-kernel.btf   a kernel of which the modules are none
//	module.ko, other.ko    the modules as ELF files, for the release 6.12.9-test
//	cut-enum.btf   a kernel with an enum of 8 bytes, and a type twice
//	program.btf    a BPF program's: variables total and config, and the map counts
//	unknown.btf    an int, and a type of the unknown kind 20
//	empty.btf      a header
//	no-btf.elf     an ELF file without BTF
//	object.o       a BPF object that uses task_struct.pid and bpf_test_kfunc
//
// and have these commands beside testscript's own:
//
//	clang                    the newest clang of the machine, whatever its name is there
//	exits CODE CMD ARGS...   runs CMD and compares its exit code
//	old FILE...              sets the time of modification to an hour ago
//	touched FILE...          fails if the files have that time still; negated, if they have another
//	mode FILE OCTAL          compares the permissions
//	files DIR NAME...        compares the names of all files in a directory
func TestScripts(t *testing.T) {
	kernel, modules := testKernel()
	hostile := btftest.New()
	hostile.Struct("x; } evil", 4, btftest.Field("a", hostile.Int("int", 4, btftest.Signed), 0))
	object := testObject(t, kernel)
	compilers := t.TempDir()
	clang, err := exec.LookPath(clangtest.Newest(t).Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(clang, filepath.Join(compilers, "clang")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", compilers+string(filepath.ListSeparator)+env.Getenv("PATH"))
			for name, data := range map[string][]byte{
				"kernel.btf":  kernel,
				"module.btf":  modules[0],
				"other.btf":   modules[1],
				"broken.btf":  kernel[:len(kernel)/2],
				"hostile.btf": hostile.Bytes(),

				"other-kernel.btf": otherKernel(),
				"module.ko":        moduleFile("module", modules[0]),
				"other.ko":         moduleFile("other_two", modules[1]),
				"cut-enum.btf":     cutEnum(),
				"program.btf":      program(),
				"rust.btf":         rustTypes(),
				"unknown.btf":      unknownKind(),
				"empty.btf":        btftest.New().Bytes(),
				"no-btf.elf":       moduleFile("bare", nil),
				"object.o":         object,
			} {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"old":     makeOld,
			"touched": touched,
			"mode":    mode,
			"files":   files,
		},
		// [running-btf]: the running kernel shows its BTF.
		Condition: func(name string) (bool, error) {
			if name != "running-btf" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return runningBTF() == nil, nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func runningBTF() error {
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	return err
}

// Where there is no running kernel with BTF, scripts leave out what is about it.
// That is told as of a test that is skipped.
func TestRunningKernelIsInScripts(t *testing.T) {
	if err := runningBTF(); err != nil {
		t.Skipf("the running kernel shows no BTF: %v", err)
	}
}

// testKernel returns a kernel's BTF and that of two modules.
func testKernel() (kernel []byte, modules [][]byte) {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	long := b.Int("long unsigned int", 8, 0)
	point := b.Struct("point", 8, btftest.Field("x", integer, 0), btftest.Field("y", integer, 32))
	state := b.Enum("task_state", 4, btftest.Val("TASK_RUNNING", 0), btftest.Val("TASK_DEAD", 1))
	pid := b.Typedef("pid_t", integer)
	b.Struct("task_struct", 24, btftest.Field("where", point, 0), btftest.Field("state", state, 64), btftest.Field("pid", pid, 96), btftest.Field("flags", long, 128))
	b.Union("sk_key", 8, btftest.Field("id", long, 0))
	b.Struct("sk_buff", 8, btftest.Field("len", long, 0))
	kfunc := b.Func("bpf_test_kfunc", b.FuncProto(integer, btftest.Arg("a", integer)), btftest.Static)
	b.DeclTag("bpf_kfunc", kfunc, -1)
	for _, name := range []string{"module_state", "other_state"} {
		m := b.Split()
		m.Struct(name, 8, btftest.Field("where", point, 0))
		modules = append(modules, m.Bytes())
	}
	return b.Bytes(), modules
}

// testObject compiles a program for testKernel.
func testObject(t *testing.T, kernel []byte) []byte {
	view, err := btfdump.New(kernel)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := cgen.NewPlan(view, nil, cgen.Options{Kfuncs: true})
	if err != nil {
		t.Fatal(err)
	}
	header, err := plan.Print()
	if err != nil {
		t.Fatal(err)
	}
	const program = `#include "vmlinux.h"
__attribute__((section("kprobe/x"))) int f(struct task_struct *t) { return t->pid + bpf_test_kfunc(1); }
`
	path, output, err := clangtest.Newest(t).Compile(t, map[string]string{"vmlinux.h": string(header), "main.c": program}, "-g", "-O2", "-target", "bpfel")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// program returns the BTF of a BPF program, whose variable config and map counts
// are of types without a name.
func program() []byte {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, 0)
	b.Var("total", u32, btftest.Global)
	b.Var("config", b.Struct("", 4, btftest.Field("level", u32, 0)), btftest.Global)
	key := b.Struct("", 8, btftest.Field("ip", u32, 0), btftest.Field("port", u32, 32))
	counts := b.Var("counts", b.Struct("", 16, btftest.Field("key", b.Ptr(key), 0), btftest.Field("value", b.Ptr(u32), 64)), btftest.Global)
	b.Datasec(".maps", 16, btftest.SecVar{Type: counts, Size: 16})
	return b.Bytes()
}

// otherKernel returns the BTF of another kernel than testKernel's, with fewer
// types and other strings.
func otherKernel() []byte {
	b := btftest.New()
	b.Struct("elsewhere", 4, btftest.Field("only_here", b.Int("int", 4, btftest.Signed), 0))
	for i := range 40 {
		b.Typedef(fmt.Sprintf("other_type_%d_t", i), 1)
	}
	return b.Bytes()
}

func cutEnum() []byte {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Enum("wide", 8, btftest.Val("WIDE", 1))
	b.Struct("task_struct", 4, btftest.Field("pid", integer, 0))
	b.Struct("task_struct", 4, btftest.Field("tid", integer, 0))
	return b.Bytes()
}

func unknownKind() []byte {
	b := btftest.New()
	b.HeaderLen = 32
	b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4})
	b.Int("int", 4, btftest.Signed)
	b.Raw(20, "", 0, false, 0, 1)
	return b.Bytes()
}

// rustTypes returns BTF with types that C can't express, as rustc makes them.
func rustTypes() []byte {
	b := btftest.New()
	integer, u64, u8 := b.Int("int", 4, btftest.Signed), b.Int("u64", 8, 0), b.Int("u8", 1, 0)
	b.Struct("good", 4, btftest.Field("a", integer, 0))
	opt := b.NextID() + 1
	b.Struct("holds", 16, btftest.Field("opt", opt+1, 0), btftest.Field("a b", u64, 64))
	b.Struct("Opt<u64>", 8, btftest.Field("a", u64, 0))
	b.Ptr(opt)
	b.Typedef("x87", b.NextID()+1)
	b.Float("long double", 12)
	b.Struct("bad", 16, btftest.Field("s", u8, 80), btftest.Field("b", u64, 0))
	return b.Bytes()
}

// moduleFile returns a module as a 64-bit ELF file, made by the assembler's
// rules: section headers, and their names, at the end. Without BTF there is no
// section .BTF.
func moduleFile(name string, btf []byte) []byte {
	type section struct {
		name string
		kind uint32
		data []byte
	}
	const progbits, strtab = 1, 3
	sections := []section{
		{},
		{".modinfo", progbits, []byte("name=" + name + "\x00vermagic=6.12.9-test SMP mod_unload\x00")},
		{".gnu.linkonce.this_module", progbits, make([]byte, 8)},
	}
	if btf != nil {
		sections = append(sections, section{".BTF", progbits, btf})
	}
	sections = append(sections, section{name: ".shstrtab", kind: strtab})
	var names []byte
	var nameAt []uint32
	for _, s := range sections {
		nameAt = append(nameAt, uint32(len(names)))
		names = append(append(names, s.name...), 0)
	}
	sections[len(sections)-1].data = names

	le := binary.LittleEndian
	var body, headers []byte
	for i, s := range sections {
		headers = le.AppendUint32(headers, nameAt[i])
		headers = le.AppendUint32(headers, s.kind)
		for _, word := range []uint64{0, 0, uint64(64 + len(body)), uint64(len(s.data)), 0, 1, 0} {
			headers = le.AppendUint64(headers, word)
		}
		body = append(body, s.data...)
	}
	const relocatable, x86 = 1, 62
	file := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	file = le.AppendUint16(file, relocatable)
	file = le.AppendUint16(file, x86)
	file = le.AppendUint32(file, 1)
	file = append(file, make([]byte, 16)...)
	file = le.AppendUint64(file, uint64(64+len(body)))
	file = append(file, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0)
	file = le.AppendUint16(file, uint16(len(sections)))
	file = le.AppendUint16(file, uint16(len(sections)-1))
	return append(append(file, body...), headers...)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD ARGS...")
	}
	// A process can't be asked for its code through ts.Exec, but its error says it.
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: got exit code %s, want %s", args[1], got, args[0])
	}
}

var longAgo = time.Now().Add(-time.Hour).Truncate(time.Second)

func makeOld(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ts.Check(os.Chtimes(ts.MkAbs(name), longAgo, longAgo))
	}
}

func touched(ts *testscript.TestScript, neg bool, names []string) {
	for _, name := range names {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if same := info.ModTime().Equal(longAgo); same != neg {
			ts.Fatalf("%s has the time %v", name, info.ModTime())
		}
	}
}

func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

func files(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := fs.ReadDir(os.DirFS(ts.MkAbs(args[0])), ".")
	ts.Check(err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got, want := strings.Join(names, " "), strings.Join(args[1:], " "); got != want {
		ts.Fatalf("%s has the files %q, want %q", args[0], got, want)
	}
}
