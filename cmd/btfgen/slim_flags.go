package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What --for is given: programs, and flags for clang

// otherOutput are flags that have clang make something else than an object, or
// more than that.
var otherOutput = []string{
	"-E", "-S", "-M", "-MM", "-MD", "-MMD", "-fsyntax-only", "-emit-llvm", "-emit-ast", "-emit-pch", "--analyze", "-###", "--version", "--help",
	"--preprocess", "--assemble", "--precompile", "-rewrite-objc",
}

// withValue are flags whose value is the next argument.
var withValue = []string{
	"-I", "-D", "-U", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-isysroot", "--sysroot", "-target", "-Xclang", "-mllvm", "-x", "-o",
	"-MF", "-MT", "-MQ", "-MJ", "-resource-dir", "-ivfsoverlay", "-iprefix", "-iwithprefix", "-iwithprefixbefore", "-include-pch", "-Xpreprocessor", "-working-directory", "-arch",
}

// checkClangFlags refuses flags with which clang would not make the one object
// that is compared.
func checkClangFlags(flags []string) error {
	for i := 0; i < len(flags); i++ {
		flag := flags[i]
		switch {
		case slices.Contains(otherOutput, flag), strings.HasPrefix(flag, "-save-temps"), strings.HasPrefix(flag, "--save-temps"), strings.HasPrefix(flag, "-flto"), strings.HasPrefix(flag, "-MJ"), strings.HasPrefix(flag, "-Wp,-M"):
			return fmt.Errorf("clang's flag %s asks for something else than an object, and it is objects that are compared: leave it out", flag)
		case strings.HasPrefix(flag, "-o"):
			return fmt.Errorf("clang's flag -o would name an object, and --for keeps none: leave it out")
		case flag == "-Xclang" && i+1 < len(flags) && strings.HasPrefix(flags[i+1], "-emit-") && flags[i+1] != "-emit-obj":
			return fmt.Errorf("clang's flag %s asks for something else than an object, and it is objects that are compared: leave it out", flags[i+1])
		case slices.Contains(withValue, flag):
			i++
		case flag == "-" || !strings.HasPrefix(flag, "-") && !strings.HasPrefix(flag, "@"):
			return fmt.Errorf("%q stands among clang's flags and is none: programs are named with --for, and the output goes in front of \"--\"", flag)
		}
	}
	return nil
}

// targetArch is what tells libbpf's headers whose registers a program reads.
const targetArch = "-D__TARGET_ARCH_"

// targetArchs returns the architectures that flags name so.
func targetArchs(flags []string) []string {
	var archs []string
	for i, flag := range flags {
		if i > 0 && flags[i-1] == "-D" {
			flag = "-D" + flag
		}
		if arch, ok := strings.CutPrefix(flag, targetArch); ok {
			arch, _, _ = strings.Cut(arch, "=")
			archs = append(archs, arch)
		}
	}
	return archs
}

// withArch returns the flags with another architecture.
func withArch(flags []string, arch string) []string {
	flags = slices.Clone(flags)
	for i, flag := range flags {
		switch {
		case strings.HasPrefix(flag, targetArch):
			flags[i] = targetArch + arch
		case i > 0 && flags[i-1] == "-D" && strings.HasPrefix("-D"+flag, targetArch):
			flags[i] = strings.TrimPrefix(targetArch+arch, "-D")
		}
	}
	return flags
}

// A programFile is what --for names, by its content.
type programFile uint8

const (
	sourceFile programFile = iota
	objectFile
)

// identifyProgram tells objects from source files, by content, and refuses what
// is neither.
func identifyProgram(path string) (programFile, error) {
	if path == "-" {
		return 0, errors.New("--for -: programs are not read from standard input: name a file")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, fmt.Errorf("--for: %w", err)
	case info.IsDir():
		return 0, fmt.Errorf("--for %s: it is a directory: name the programs in it, each with --for", path)
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("--for %s: it is no regular file, and it has to be read more than once: name a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("--for: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, fmt.Errorf("--for: %w", err)
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte("\x7fELF")) {
		return objectFile, nil
	}
	if what := notAProgram(head, filepath.Ext(path)); what != "" {
		return 0, fmt.Errorf("--for %s: %s", path, what)
	}
	return sourceFile, nil
}

// notAProgram says what a file is that is no ELF file, by its first bytes and the
// end of its name, and what to do; "" if it may be C.
func notAProgram(head []byte, ext string) string {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case len(head) == 0:
		return "it is empty"
	case has("!<arch>\n"), has("!<thin>\n"):
		return "it is an archive of objects: name the objects, each with --for"
	case has("BC\xc0\xde"):
		return "it is LLVM bitcode: compile it without -emit-llvm and -flto"
	case has("\x9f\xeb"), has("\xeb\x9f"):
		return "it is BTF, and no program: a kernel's goes with -i"
	case ext == ".o":
		return "it is no ELF file, and so no BPF object"
	case ext == ".h":
		return "it is a header: name the programs that include it"
	case ext == ".ll", ext == ".s", ext == ".S", ext == ".i":
		return "it is what a compiler made of a program: name its C source, or an object"
	case ext == ".rs", ext == ".go", ext == ".py", ext == ".bt", ext == ".cc", ext == ".cpp", ext == ".cxx":
		return "it is no C: name a C source, or a BPF object"
	case bytes.IndexByte(head, 0) >= 0:
		return "it is neither a BPF object nor C source"
	}
	return ""
}

// noObject says of a file that has to be an object that it is none, "" if it may
// be one.
func noObject(path string, head []byte) string {
	if bytes.HasPrefix(head, []byte("\x7fELF")) {
		return ""
	}
	if what := notAProgram(head[:min(len(head), 4096)], filepath.Ext(path)); what != "" {
		return what
	}
	return fmt.Sprintf("it is source, and BTF is made for objects: compile it first, as in: clang -g -O2 -target bpf -c %s", path)
}
