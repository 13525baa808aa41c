package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
)

// What the check command is given: objects, and values of their constants.

// readCheckedObjects reads BPF objects, and says of other files what they are.
func readCheckedObjects(names []string, console *console) ([]*core.Object, error) {
	for _, name := range names {
		if err := mistaken(name); err != nil {
			return nil, err
		}
	}
	objects, err := readObjects(names)
	if err != nil {
		return nil, err
	}
	var empty []string
	for _, o := range objects {
		if !slices.ContainsFunc(o.Functions, func(f core.Function) bool { return f.Program }) {
			empty = append(empty, o.Name)
		}
	}
	switch {
	case len(empty) == len(objects):
		return nil, fmt.Errorf("there is no program in %s: nothing to be checked. A program is a function that is not static, with a section of its own, as in SEC(\"xdp\")", strings.Join(empty, ", "))
	case len(empty) > 0:
		console.say("%s: there is no program in it, so that nothing was checked", strings.Join(empty, ", "))
	}
	return objects, nil
}

// mistaken returns an error for what is no BPF object, if it can be told what it
// is instead.
func mistaken(name string) error {
	if name == "-" {
		return errors.New("objects are read from files, not from standard input: only a kernel can be \"-\", as in: btfgen check prog.bpf.o -k -")
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory: name the objects in it, as in: btfgen check %s; kernels go by -k", name, filepath.Join(name, "*.o"))
	}
	file := openRegular(name)
	if file == nil {
		return nil // reading it tells
	}
	defer file.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	what := describeContent(name, head[:n], file)
	if what == "" {
		return nil
	}
	return fmt.Errorf("%s is %s", name, what)
}

// kernelsGoBy is the advice for what looks like a kernel.
func kernelsGoBy(name string) string {
	return ": kernels go by -k, as in: btfgen check prog.bpf.o -k " + name
}

// magics are what files start with that are given in place of an object.
var magics = []struct{ magic, what string }{
	{"\x9f\xeb\x01", "the BTF of a kernel or module and no BPF object"},
	{"\xeb\x9f\x01", "the BTF of a kernel or module and no BPF object"},
	{"!<arch>\ndebian-binary", "a Debian package and no BPF object"},
	{"\xed\xab\xee\xdb", "an RPM package and no BPF object"},
	{"MZ", "an EFI image and no BPF object"},
	{"PK\x03\x04", "a zip archive and no BPF object"},
	{"\x1f\x8b", "compressed (gzip) and no BPF object"},
	{"\xfd7zXZ\x00", "compressed (xz) and no BPF object"},
	{"\x28\xb5\x2f\xfd", "compressed (zstd) and no BPF object"},
	{"BZh", "compressed (bzip2) and no BPF object"},
	{"\x02\x21\x4c\x18", "compressed (lz4) and no BPF object"},
	{"\x04\x22\x4d\x18", "compressed (lz4) and no BPF object"},
}

// describeContent says what a file is that starts with head, and what to do; ""
// for a BPF object and what can't be told.
func describeContent(name string, head []byte, file *os.File) string {
	switch {
	case len(head) == 0:
		return "empty: a compiler that fails may leave such a file"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return describeELF(name, file)
	case bytes.HasPrefix(head, []byte("BC\xc0\xde")), bytes.HasPrefix(head, []byte("\xde\xc0\x17\x0b")):
		return "LLVM bitcode: compile without -emit-llvm and -flto, or run llc -march=bpf -filetype=obj on it"
	case len(head) > 0x206 && string(head[0x202:0x206]) == "HdrS":
		return "a kernel and no BPF object" + kernelsGoBy(name)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "a tar archive and no BPF object: unpack it if it has objects" + strings.Replace(kernelsGoBy(name), ":", ";", 1)
	}
	for _, m := range magics {
		if strings.HasPrefix(string(head), m.magic) {
			if strings.HasPrefix(m.what, "compressed") {
				return m.what + ": unpack it if it is one" + strings.Replace(kernelsGoBy(name), ":", ";", 1)
			}
			return m.what + kernelsGoBy(name)
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("!<arch>\n")):
		return "an archive of objects: unpack it (ar x), and name the objects"
	case !source.IsText(head):
		return ""
	}
	switch filepath.Ext(name) {
	case ".h", ".hpp":
		return "a C header: what includes it is compiled, and the object checked"
	case ".c", ".cc", ".cpp":
		object := strings.TrimSuffix(name, filepath.Ext(name)) + ".o"
		return fmt.Sprintf("C source: compile it first, as in: clang -g -O2 -target bpf -c %s -o %s", name, object)
	case ".ll", ".s", ".S":
		return "assembly: compile it to an object first"
	}
	return "text and no BPF object: compile a program first, as in: clang -g -O2 -target bpf -c prog.bpf.c -o prog.bpf.o"
}

// describeELF says what an ELF file is, "" if it is for BPF or can't be read.
func describeELF(name string, file *os.File) string {
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	f, err := core.OpenELF(file, info.Size())
	if err != nil || f.Machine == elf.EM_BPF || f.Machine == elf.EM_NONE {
		return ""
	}
	machine := strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_"))
	switch {
	case f.Section(".gnu.linkonce.this_module") != nil:
		return "a kernel's module and no BPF object: modules go by -m, beside their kernel"
	case f.Section(".BTF") != nil && f.Type != elf.ET_REL, f.Section("__ksymtab") != nil:
		return "a kernel and no BPF object" + kernelsGoBy(name)
	case f.Type == elf.ET_REL:
		return fmt.Sprintf("an object for %s and not for BPF: compile it with clang -g -O2 -target bpf", machine)
	}
	return fmt.Sprintf("a program or library for %s and no BPF object: give the object that it loads", machine)
}

// notKernel returns an error for a file that was given as a kernel, and is what is
// checked or what that is made from.
func notKernel(name string) error {
	file := openRegular(name)
	if file == nil {
		return nil // reading it tells
	}
	defer file.Close()
	head := make([]byte, 20)
	n, _ := io.ReadFull(file, head)
	machine := elf.EM_NONE
	if n == len(head) && bytes.HasPrefix(head, []byte("\x7fELF")) {
		machine = elf.Machine(uint16(head[18]) | uint16(head[19])<<8)
		if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
			machine = elf.Machine(uint16(head[19]) | uint16(head[18])<<8)
		}
	}
	switch ext := filepath.Ext(name); {
	case machine == elf.EM_BPF:
		return fmt.Errorf("%s is a BPF object and no kernel: objects are given without -k, as in: btfgen check %s -k KERNEL", name, name)
	case source.IsText(head[:n]) && slices.Contains([]string{".c", ".h"}, ext):
		return fmt.Errorf("%s is C source and no kernel", name)
	}
	return nil
}

// checkConstants returns an error for a value that was set and is of no effect.
func checkConstants(objects []*core.Object, set map[string]int64) error {
	all := make(map[string][]core.Constant)
	for _, o := range objects {
		for _, c := range o.Constants() {
			all[c.Name] = append(all[c.Name], c)
		}
	}
	var known []string
	for name := range all {
		known = append(known, name)
	}
	slices.Sort(known)
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		constants := all[name]
		if len(constants) == 0 {
			return noSuchConstant(name, known)
		}
		for _, c := range constants {
			switch {
			case c.Bits == 0:
				return fmt.Errorf("--set %s: it is no number, and only those can be set", name)
			case !c.Holds(set[name]):
				return fmt.Errorf("--set %s=%d: it has %s, too few for this", name, set[name], count(int(c.Bits), "bit"))
			}
		}
	}
	return nil
}

// noSuchConstant is the error for the name of a constant that no object has.
func noSuchConstant(name string, known []string) error {
	no := fmt.Sprintf("--set %q: no object has such a constant (const volatile, or a kconfig option)", name)
	switch like := alike(name, slices.Values(known)); {
	case len(known) == 0:
		return errors.New(no + ", nor any other that could be set")
	case len(like) > 0:
		return fmt.Errorf("%s; close to it: %s", no, strings.Join(like, ", "))
	case len(known) <= maxSuggestions:
		return fmt.Errorf("%s; there is: %s", no, strings.Join(known, ", "))
	}
	return fmt.Errorf("%s; there are %s, %s and others", no, strings.Join(known[:maxSuggestions-1], ", "), known[maxSuggestions-1])
}

// readsOptions reports whether an object reads an option of the kernel's
// configuration.
func readsOptions(objects []*core.Object) bool {
	return slices.ContainsFunc(objects, func(o *core.Object) bool {
		return slices.ContainsFunc(o.Externs, func(e core.Extern) bool { return e.Kind == core.ExternKconfig && strings.HasPrefix(e.Name, "CONFIG_") })
	})
}
