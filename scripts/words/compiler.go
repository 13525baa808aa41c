package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

// compiler is one that headers are promised to compile with.
type compiler struct {
	name      string
	isGCC     bool
	target    []string
	standards []string
	// variants are flags that change which macros there are.
	variants [][]string
}

// gnuStandards are those that have all words of the others.
var gnuStandards = []string{"gnu11", "gnu2x"}

// findCompilers returns the compilers of this machine.
func findCompilers() []compiler {
	var list []compiler
	for _, c := range clangtest.Find() {
		cc := compiler{name: c.Name, target: []string{"-target", "bpf"}}
		cc.standards = gnuStandards
		for _, endian := range []string{"bpfel", "bpfeb"} {
			for _, cpu := range []string{"v1", "v2", "v3", "v4", "generic", "probe"} {
				cc.variants = append(cc.variants, []string{"-target", endian, "-mcpu=" + cpu})
			}
		}
		cc.variants = append(cc.variants, []string{"-g"}, []string{"-O2"}, []string{"-Os"}, []string{"-O3", "-ffast-math"}, []string{"-ffreestanding"},
			[]string{"-std=gnu2x", "-ffreestanding", "-include", "stddef.h", "-include", "stdint.h"}, []string{"-fno-builtin"}, []string{"-fpic"}, []string{"-fpie"}, []string{"-fshort-enums"}, []string{"-funsigned-char"}, []string{"-fms-extensions"},
			[]string{"-fblocks"}, []string{"-fexceptions"}, []string{"-fstack-protector"}, []string{"-fgnu89-inline"}, []string{"-fopenmp"}, []string{"-pthread"})
		list = append(list, cc)
	}
	for _, name := range []string{"bpf-gcc", "bpf-unknown-none-gcc"} { // Debian's name, Fedora's
		if _, err := exec.LookPath(name); err == nil {
			list = append(list, compiler{
				name: name, isGCC: true,
				standards: gnuStandards,
				variants: [][]string{{"-mbig-endian"}, {"-mlittle-endian"}, {"-g"}, {"-O2"}, {"-Os"}, {"-ffast-math"}, {"-ffreestanding"}, {"-std=gnu2x", "-ffreestanding", "-include", "stddef.h", "-include", "stdint.h"}, {"-fno-builtin"},
					{"-fshort-enums"}, {"-funsigned-char"}, {"-mxbpf"}, {"-gbtf", "-mco-re"}, {"-fms-extensions"}, {"-mcpu=v1"}, {"-mcpu=v2"}, {"-mcpu=v3"}},
			})
			break
		}
	}
	return list
}

// chunkSize is how many names are tried at once: the more there are, the longer gcc
// looks for one that was meant in place of another.
const chunkSize = 1 << 13

// macrosOfAll returns the macros that a compiler defines, whatever its flags.
func (c compiler) macrosOfAll() (words, error) {
	w := newWords()
	variants := c.variants
	for _, std := range []string{"c11", "gnu11", "c2x", "gnu2x"} {
		variants = append(variants, []string{"-std=" + std})
	}
	for _, flags := range variants {
		macros, err := c.macros(flags)
		if err != nil {
			continue // a version that does not know one of the flags
		}
		for _, name := range macros {
			w.taken[name] = true
		}
	}
	if len(w.taken) == 0 {
		return w, fmt.Errorf("it lists no macros")
	}
	return w, nil
}

// words asks the compiler what it has taken.
func (c compiler) words() (words, error) {
	w, err := c.macrosOfAll()
	if err != nil {
		return w, err
	}
	names, err := c.candidates()
	if err != nil {
		return w, err
	}
	names = slices.AppendSeq(names, maps.Keys(w.taken))
	slices.Sort(names)
	names = slices.Compact(names)
	for i, p := range places {
		set := p.class(w)
		if i > 0 { // what can't stand in the first place would make compilers complain of others
			names = slices.DeleteFunc(names, func(name string) bool { return w.taken[name] })
		}
		for _, std := range c.standards {
			for chunk := range slices.Chunk(names, chunkSize) {
				failed, err := c.failing(std, p.line, chunk)
				if err != nil {
					return w, err
				}
				for _, name := range failed {
					set[name] = true
				}
			}
		}
	}
	w.add(words{})
	return w, nil
}

// macros lists the macros that are defined before a program starts.
func (c compiler) macros(flags []string) ([]string, error) {
	cmd := exec.Command(c.name, slices.Concat(c.target, flags, []string{"-dM", "-E", "-x", "c", os.DevNull})...)
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		rest, ok := strings.CutPrefix(line, "#define ")
		if !ok {
			return nil, fmt.Errorf("unexpected line %q", line)
		}
		names = append(names, rest[:strings.IndexAny(rest, " (\n")])
	}
	return names, nil
}

// place is where a name stands in a line of C; %[1]s is the name, and %[2]d the
// line's number.
type place struct {
	line  string
	class func(w words) map[string]bool // what can't stand here belongs to
}

// No compiler has a function of the type that the names of functions get here.
var places = []place{
	{"struct s%[2]d_ { int %[1]s; }; struct %[1]s; void f%[2]d_(int %[1]s); struct t%[2]d_ { struct { unsigned a: 1, %[1]s: 1; }; int *(*b)(int); };", words.anywhere},
	{"extern struct _odd *%[1]s(struct _odd **, int (*)(struct _odd *)) __attribute__((weak, section(\".ksyms\")));", words.asFunction},
	{"enum e%[2]d_ { %[1]s = -1, e%[2]d__ };", words.inFile},
	{"typedef struct _odd *%[1]s; struct s%[2]d_ { %[1]s a; };", words.inFile},
}

// filler is the line between others: compilers can take what they expect behind
// a word for something on the next line.
const filler = "struct _odd; struct _odd;\n"

// failing returns the names that can't stand in a place. Those that make the
// compiler fail can hide others that follow: it is asked again without them,
// until there are none.
func (c compiler) failing(std, line string, names []string) ([]string, error) {
	dir, err := os.MkdirTemp("", "btfgen-words-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var failed []string
	for len(names) > 0 {
		var b bytes.Buffer
		b.WriteString(filler)
		for i, name := range names {
			fmt.Fprintf(&b, line+"\n"+filler, name, i)
		}
		if err := os.WriteFile(filepath.Join(dir, "main.c"), b.Bytes(), 0o600); err != nil {
			return nil, err
		}
		flags := []string{"-std=" + std, "-Wall", "-Wextra", "-fsyntax-only", "main.c"}
		if !c.isGCC {
			flags = append(flags, "-ferror-limit=0", "-fno-caret-diagnostics", "-fno-color-diagnostics", "-fno-spell-checking")
		} else {
			flags = append(flags, "-fno-diagnostics-show-caret")
		}
		cmd := exec.Command(c.name, append(slices.Clone(c.target), flags...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, runErr := cmd.CombinedOutput()
		bad := make(map[int]bool)
		for _, m := range diagnostic.FindAllSubmatch(out, -1) {
			if n, _ := strconv.Atoi(string(m[1])); n%2 == 0 {
				bad[n/2-1] = true
			}
		}
		if len(bad) == 0 {
			if runErr != nil {
				return nil, fmt.Errorf("%s: %w: %.300s", cmd, runErr, out)
			}
			return failed, nil
		}
		var rest []string
		for i, name := range names {
			if bad[i] {
				failed = append(failed, name)
			} else {
				rest = append(rest, name)
			}
		}
		if len(rest) == len(names) {
			return nil, fmt.Errorf("%s: it complains of no line with a name: %.300s", cmd, out)
		}
		names = rest
	}
	return failed, nil
}

var diagnostic = regexp.MustCompile(`(?m)^main\.c:(\d+):(?:\d+:)? (?:warning|error|fatal error):`)

// candidates returns every text of the compiler's binaries that is an identifier,
// and, of gcc, the ends of such texts, as a linker lets strings share theirs.
func (c compiler) candidates() ([]string, error) {
	files, err := c.binaries()
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		texts(data, func(text string) {
			seen[text] = true
			for i := 1; c.isGCC && i < len(text); i++ {
				if end := text[i:]; end[0] > '9' && len(end) <= 24 {
					seen[end] = true
				}
			}
		})
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// maxWord is the length up to which a text may be a word.
const maxWord = 64

// texts calls f for each text between other characters that is an identifier, but
// for mangled names.
func texts(data []byte, f func(text string)) {
	for len(data) > 0 {
		n := 0
		for n < len(data) && isLetter(data[n]) {
			n++
		}
		if n > 1 && n <= maxWord && data[0] > '9' && !bytes.HasPrefix(data, []byte("_Z")) {
			f(string(data[:n]))
		}
		data = data[min(n+1, len(data)):]
	}
}

func isLetter(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// binaries returns the files that hold the compiler for C.
func (c compiler) binaries() ([]string, error) {
	if c.isGCC {
		out, err := exec.Command(c.name, "-print-prog-name=cc1").Output()
		return []string{strings.TrimSpace(string(out))}, err
	}
	path, err := exec.LookPath(c.name)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	files := []string{path}
	// Distributions have the compiler in a library beside the command.
	for _, pattern := range []string{"../lib/libclang-cpp.so*", "../lib64/libclang-cpp.so*"} {
		libraries, err := filepath.Glob(filepath.Join(filepath.Dir(path), pattern))
		if err != nil {
			return nil, err
		}
		for _, library := range libraries {
			if library, err = filepath.EvalSymlinks(library); err == nil && !slices.Contains(files, library) {
				files = append(files, library)
			}
		}
	}
	return files, nil
}
