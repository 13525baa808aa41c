package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

// placeProgram includes the header as INCLUDE says, and uses what only the
// object's user can see to be right: an offset, a size and a typedef.
const placeProgram = `INCLUDE
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
__attribute__((section("tc"), used)) int f(struct big *p) { return p->next->x + sizeof(struct sized) + (u64)p; }
`

func including(lines ...string) string {
	return strings.Replace(placeProgram, "INCLUDE", strings.Join(lines, "\n"), 1)
}

// wrapper is a project's own header around the generated one.
const wrapper = `#ifndef OWN_VMLINUX_H
#define OWN_VMLINUX_H
#include "vmlinux_generated.h"
struct own { struct inner i; u32 n; };
#endif
`

// useOwn has a program take a type of the wrapper's.
const useOwn = `
struct own kept;
`

// placeCases are projects, and where their header is to be written.
var placeCases = []struct {
	name     string
	files    map[string]string
	links    map[string]string // symbolic links, made after the files
	dirs     []string          // that are empty
	in       string            // the directory to run btfgen and clang in, "." if empty
	programs []string          // "prog.bpf.c" if empty
	output   string
	flags    []string

	note  string            // pattern of what is said of another place, "" for nothing
	build map[string]string // what the project does then: links to the output from where it is said to belong
	more  []string          // flags that the project compiles with, beside flags
	error string            // pattern of the error, for what can't be done
}{
	{name: "beside the program", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`)}, output: "vmlinux.h"},
	{name: "another one there", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "vmlinux.h": "#error old\n"}, output: "vmlinux.h"},
	{name: "directory that is empty", files: map[string]string{"prog.bpf.c": including(`#include "gen/vmlinux.h"`)}, dirs: []string{"gen"}, output: "gen/vmlinux.h"},
	{name: "path under -I", files: map[string]string{"src/prog.bpf.c": including(`#include "arch/x86/vmlinux.h"`)}, dirs: []string{"include/arch/x86"}, programs: []string{"src/prog.bpf.c"}, output: "include/arch/x86/vmlinux.h", flags: []string{"-I", "include"}},
	{name: "angle brackets", files: map[string]string{"prog.bpf.c": including(`#include <x86/kernel.h>`)}, dirs: []string{"include/x86"}, output: "include/x86/kernel.h", flags: []string{"-Iinclude"}},
	{name: "-isystem", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`)}, dirs: []string{"sys"}, output: "sys/vmlinux.h", flags: []string{"-isystem", "sys"}},
	{name: "-iquote", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`)}, dirs: []string{"quoted"}, output: "quoted/vmlinux.h", flags: []string{"-iquote", "quoted"}},
	{name: "-idirafter", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`)}, dirs: []string{"last"}, output: "last/vmlinux.h", flags: []string{"-idirafter", "last"}},
	{name: "order of -I", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`), "b/vmlinux.h": "#error the other\n"}, dirs: []string{"a"}, output: "a/vmlinux.h", flags: []string{"-Ia", "-Ib"}},
	{name: "directory above", files: map[string]string{"src/prog.bpf.c": including(`#include "../vmlinux.h"`)}, programs: []string{"src/prog.bpf.c"}, output: "vmlinux.h"},
	{name: "another working directory", files: map[string]string{"src/prog.bpf.c": including(`#include "gen/vmlinux.h"`)}, dirs: []string{"build", "src/gen"}, in: "build", programs: []string{"../src/prog.bpf.c"}, output: "../src/gen/vmlinux.h"},
	{name: "-include", files: map[string]string{"prog.bpf.c": including()}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"-include", "gen/vmlinux.h"}},
	{name: "-include under -I", files: map[string]string{"prog.bpf.c": including()}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"-Igen", "-include", "vmlinux.h"}},
	{name: "macro", files: map[string]string{"prog.bpf.c": including("#include HEADER")}, output: "vmlinux.h", flags: []string{`-DHEADER="vmlinux.h"`}},
	{name: "__has_include", files: map[string]string{"prog.bpf.c": including(`#if __has_include("slim.h")`, `#include "slim.h"`, "#else", "#error none", "#endif")}, output: "slim.h"},
	{name: "name with blanks", files: map[string]string{"my prog.bpf.c": including(`#include "a b/vm linux.h"`)}, dirs: []string{"a b"}, programs: []string{"my prog.bpf.c"}, output: "a b/vm linux.h"},
	{name: "name like a flag", files: map[string]string{"-prog.bpf.c": including(`#include "vmlinux.h"`)}, programs: []string{"./-prog.bpf.c"}, output: "vmlinux.h"},
	{name: "no suffix", files: map[string]string{"prog": including(`#include "vmlinux.h"`)}, programs: []string{"prog"}, output: "vmlinux.h", more: []string{"-x", "c"}},

	{name: "wrapper", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper}, dirs: []string{"slim"}, output: "slim/vmlinux_generated.h", flags: []string{"-Iinclude", "-Islim"}},
	{name: "wrapper, old header", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper, "include/vmlinux_generated.h": "#define __VMLINUX_H__\n#error old\n"}, output: "include/vmlinux_generated.h", flags: []string{"-Iinclude"}},
	{name: "wrapper, not found yet", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper}, dirs: []string{"slim"}, output: "slim/vmlinux_generated.h", flags: []string{"-Iinclude"}, note: `as vmlinux_generated.h, which prog.bpf.c includes and clang does not find yet`, more: []string{"-Islim"}},
	{name: "wrapper that does not use its own", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "include/vmlinux.h": wrapper}, dirs: []string{"slim"}, output: "slim/vmlinux_generated.h", flags: []string{"-Iinclude"}, note: `vmlinux_generated.h`, more: []string{"-Islim"}},
	{name: "wrapper, header in another place", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper, "include/vmlinux_generated.h": "#define __VMLINUX_H__\n"}, dirs: []string{"slim"}, output: "slim/vmlinux_generated.h", flags: []string{"-Iinclude"}, note: `in the place of include/vmlinux_generated.h, which prog.bpf.c includes`, build: map[string]string{"include/vmlinux_generated.h": "../slim/vmlinux_generated.h"}},
	{name: "wrapper by include_next", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`) + useOwn, "include/vmlinux.h": strings.Replace(wrapper, `include "vmlinux_generated.h"`, "include_next <vmlinux.h>", 1)}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"-Iinclude", "-Igen"}},
	{name: "wrapper for two architectures", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "include/vmlinux.h": "#ifdef ARM\n#include \"arm/vmlinux.h\"\n#else\n#include \"x86/vmlinux.h\"\n#endif\n"}, dirs: []string{"include/x86", "include/arm"}, output: "include/x86/vmlinux.h", flags: []string{"-Iinclude"}},
	{name: "wrapper as the output", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "include/vmlinux.h": wrapper}, output: "include/vmlinux.h", flags: []string{"-Iinclude"}},

	{name: "link to the output", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "gen/vmlinux.h": "#error old\n"}, links: map[string]string{"vmlinux.h": "gen/vmlinux.h"}, output: "gen/vmlinux.h"},
	{name: "link to what is not there", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`)}, dirs: []string{"gen"}, links: map[string]string{"vmlinux.h": "gen/slim.h"}, output: "gen/slim.h"},
	{name: "output is a link", files: map[string]string{"prog.bpf.c": including(`#include "gen/real.h"`)}, dirs: []string{"gen"}, links: map[string]string{"vmlinux.h": "gen/real.h"}, output: "vmlinux.h"},
	{name: "linked directory of -I", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`), "other/vmlinux.h": "#error the other\n"}, dirs: []string{"gen"}, links: map[string]string{"include": "gen"}, output: "gen/vmlinux.h", flags: []string{"-Iinclude", "-Iother"}},
	{name: "output through a linked directory", files: map[string]string{"prog.bpf.c": including(`#include "gen/vmlinux.h"`)}, dirs: []string{"gen"}, links: map[string]string{"out": "gen"}, output: "out/vmlinux.h"},
	{name: "program in a linked directory", files: map[string]string{"real/prog.bpf.c": including(`#include "vmlinux.h"`)}, links: map[string]string{"src": "real"}, programs: []string{"src/prog.bpf.c"}, output: "real/vmlinux.h"},

	{name: "link in a directory below", files: map[string]string{"prog.bpf.c": including(`#include "sub/kernel.h"`), "gen/vmlinux.h": "#define __VMLINUX_H__\n"}, dirs: []string{"sub"}, links: map[string]string{"sub/kernel.h": "../gen/vmlinux.h"}, output: "gen/vmlinux.h"},
	{name: "link in a directory below to what is not there", files: map[string]string{"prog.bpf.c": including(`#include "sub/kernel.h"`)}, dirs: []string{"sub", "gen"}, links: map[string]string{"sub/kernel.h": "../gen/vmlinux.h"}, output: "gen/vmlinux.h"},
	{name: "absolute", files: map[string]string{"prog.bpf.c": including(`#include HEADER`)}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{`-DHEADER="@/gen/vmlinux.h"`}},
	{name: "flags of a prelude", files: map[string]string{"prog.bpf.c": including(), "pre.h": "#include \"gen/vmlinux.h\"\n"}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"-include", "pre.h"}},
	{name: "flags in a file", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`), "flags": "-Igen\n"}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"@flags"}},

	{name: "another name", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "vmlinux.h": "#define __VMLINUX_H__\n"}, output: "slim.h", note: `in the place of vmlinux.h, which prog.bpf.c includes`, build: map[string]string{"vmlinux.h": "slim.h"}},
	{name: "another name and a wrapper by include_next", files: map[string]string{"prog.bpf.c": including(`#include <vmlinux.h>`) + useOwn, "include/vmlinux.h": strings.Replace(wrapper, `include "vmlinux_generated.h"`, "include_next <vmlinux.h>", 1), "gen/vmlinux.h": "#define __VMLINUX_H__\n"}, output: "slim.h", flags: []string{"-Iinclude", "-Igen"}, note: `in the place of gen/vmlinux.h`, build: map[string]string{"gen/vmlinux.h": "../slim.h"}},
	{name: "same tail elsewhere", files: map[string]string{"prog.bpf.c": including(`#include "a/types.h"`, `#include "b/types.h"`), "a/types.h": "#define __VMLINUX_H__\n", "b/types.h": "#define B 1\n"}, dirs: []string{"slim/a"}, output: "slim/a/types.h", note: `in the place of a/types.h`, build: map[string]string{"a/types.h": "../slim/a/types.h"}},
	{name: "same tail of two", files: map[string]string{"prog.bpf.c": including(`#include "a/vmlinux.h"`, `#include "b/vmlinux.h"`), "a/vmlinux.h": "#define __VMLINUX_H__\n", "b/vmlinux.h": "#ifndef __VMLINUX_H__\n#endif\n"}, dirs: []string{"slim/a"}, output: "slim/a/vmlinux.h", note: `in the place of a/vmlinux.h`, build: map[string]string{"a/vmlinux.h": "../slim/a/vmlinux.h"}},
	{name: "nowhere yet", files: map[string]string{"src/prog.bpf.c": including(`#include "x86/vmlinux.h"`)}, programs: []string{"src/prog.bpf.c"}, dirs: []string{"src/x86"}, output: "slim.h", note: `as x86/vmlinux.h, which src/prog.bpf.c includes and clang does not find yet`, build: map[string]string{"src/x86/vmlinux.h": "../../slim.h"}},
	{name: "nowhere yet, above", files: map[string]string{"src/prog.bpf.c": including(`#include "../gen/vmlinux.h"`)}, programs: []string{"src/prog.bpf.c"}, dirs: []string{"gen"}, output: "slim.h", note: `as ../gen/vmlinux.h`, build: map[string]string{"gen/vmlinux.h": "../slim.h"}},

	{name: "two programs", files: map[string]string{"a/prog.bpf.c": including(`#include "../gen/vmlinux.h"`), "b.bpf.c": including("#include <vmlinux.h>") + "union own { struct inner i; } kept;\n"}, programs: []string{"a/prog.bpf.c", "b.bpf.c"}, dirs: []string{"gen"}, output: "gen/vmlinux.h", flags: []string{"-Igen"}},
	{name: "two programs, one with a wrapper", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper, "b.bpf.c": including(`#include "vmlinux_generated.h"`)}, programs: []string{"prog.bpf.c", "b.bpf.c"}, output: "include/vmlinux_generated.h", flags: []string{"-Iinclude"}},

	{name: "header of the program's own", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`, `#include "event.h"`), "event.h": "struct event { int pid; };\n"}, output: "event.h", error: `'vmlinux.h' file not found\nthe header will be event.h, and vmlinux.h is another file`},
	{name: "included only under a condition", files: map[string]string{"prog.bpf.c": "#ifdef KERNEL\n#include \"vmlinux.h\"\n#endif\nint f(void) { return 1; }\n"}, output: "vmlinux.h", error: `prog.bpf.c includes no vmlinux.h: it must include the header`},
	{name: "included nowhere", files: map[string]string{"prog.bpf.c": "#include <stddef.h>\nint f(void) { return 1; }\n"}, output: "stddef.h", error: `prog.bpf.c includes no vmlinux.h and no stddef.h`},
	{name: "either of two", files: map[string]string{"prog.bpf.c": including(`#include "a/vmlinux.h"`, `#include "b/vmlinux.h"`), "a/vmlinux.h": "#define __VMLINUX_H__\n", "b/vmlinux.h": "#define __VMLINUX_H__\n"}, output: "slim.h", error: `prog.bpf.c includes a/vmlinux.h and b/vmlinux.h, and the header could be for either`},
	{name: "wrapper replaced", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`) + useOwn, "include/vmlinux.h": wrapper, "include/vmlinux_generated.h": "struct task_struct;\n"}, output: "slim.h", flags: []string{"-Iinclude"}, error: `the header took the place of include/vmlinux.h, which includes vmlinux_generated.h: if that is the one to be made, name the output so`},
	{name: "wrapper without what it includes", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`), "include/vmlinux.h": wrapper}, output: "slim.h", flags: []string{"-Iinclude"}, error: `if vmlinux_generated.h is the header to be made, name the output so: btfgen --for prog.bpf.c vmlinux_generated.h`},
	{name: "another header is missing", files: map[string]string{"prog.bpf.c": including(`#include "vmlinux.h"`, `#include "other.h"`)}, output: "vmlinux.h", error: `'other.h' file not found\nflags for clang go behind "--"`},
}

// Wherever a program finds its header, what is written there must make the same
// object that the header of all types makes: clang, run as the project runs it,
// is the judge. The cases take turns with the compilers.
func TestSlimPlaces(t *testing.T) {
	kernel := filepath.Join(t.TempDir(), "kernel.btf")
	full := filepath.Join(t.TempDir(), "full.h")
	if err := os.WriteFile(kernel, slimKernel(), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run([]string{"-q", "-i", kernel, full}, nil, &stderr, &stderr); code != 0 {
		t.Fatal(&stderr)
	}
	whole, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	compilers := clangtest.Compilers(t)
	for i, test := range placeCases {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for path, text := range test.files {
				writeIn(t, path, text)
			}
			for _, dir := range test.dirs {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for name, target := range test.links {
				if err := os.Symlink(target, name); err != nil {
					t.Fatal(err)
				}
			}
			before := listing(t)
			if test.in != "" {
				t.Chdir(test.in)
			}
			here, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			flags := slices.Clone(test.flags)
			for i := range flags {
				flags[i] = strings.Replace(flags[i], `"@/`, `"`+here+"/", 1)
			}
			programs := test.programs
			if len(programs) == 0 {
				programs = []string{"prog.bpf.c"}
			}
			compiler := compilers[i%len(compilers)]
			args := []string{"-i", kernel, "--clang", compiler.Name}
			if i/len(compilers)%2 == 1 {
				args = append(args, "--fields")
			}
			for _, program := range programs {
				args = append(args, "--for", program)
			}
			args = append(append(args, test.output, "--"), flags...)
			var stderr bytes.Buffer
			code := run(args, nil, &stderr, &stderr)
			if test.error != "" {
				if code != 2 || !regexp.MustCompile(test.error).MatchString(stderr.String()) {
					t.Errorf("exit code %d: %s\nwant %s", code, &stderr, test.error)
				}
				if after := listing(t); after != before {
					t.Errorf("files were %s, and are %s", before, after)
				}
				return
			}
			if code != 0 {
				t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
			}
			said := ""
			if i := strings.Index(stderr.String(), "that is with this header "); i >= 0 {
				said = stderr.String()[i:]
			}
			if (test.note == "") != (said == "") || !regexp.MustCompile(test.note).MatchString(said) {
				t.Errorf("%q: %s\nwant of the place %q", args, &stderr, test.note)
			}
			slim, err := os.ReadFile(test.output)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(slim, []byte("struct unused")) || !bytes.Contains(slim, []byte("struct big {")) {
				t.Errorf("no slim header:\n%s", slim)
			}
			for name, target := range test.build {
				os.Remove(name)
				if err := os.Symlink(target, name); err != nil {
					t.Fatal(err)
				}
			}
			for _, program := range programs {
				all := slices.Concat([]string{"-g", "-O2", "-target", "bpfel"}, flags, test.more)
				with := compiledAs(t, compiler, program, all)
				if err := os.WriteFile(test.output, whole, 0o600); err != nil {
					t.Fatal(err)
				}
				withAll := compiledAs(t, compiler, program, all)
				if with != withAll {
					t.Errorf("%s: with the slim header %s\nwith all types %s", program, with, withAll)
				}
				if err := os.WriteFile(test.output, slim, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func writeIn(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listing names all files below the working directory, with their contents.
func listing(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.WriteString(path + ": " + string(text) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// compiledAs compiles a program as its project does, and writes out what is
// loaded of the object: sections, and their relocations.
func compiledAs(t *testing.T, compiler clangtest.Clang, program string, flags []string) string {
	t.Helper()
	object := filepath.Join(t.TempDir(), "prog.o")
	cmd := exec.Command(compiler.Name, append(flags, "-c", "-o", object, program)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, output)
	}
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 && !strings.HasPrefix(s.Name, ".reltc") || s.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: % x\n", s.Name, data)
	}
	return b.String()
}
