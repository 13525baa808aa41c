package goldens_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// every has gcc compile each module's header by itself, too, under each standard.
// It takes minutes: make gcc-wall.
var every = flag.Bool("every-gcc", false, "compile every header of the corpus with every gcc under every standard")

// gcc is a GNU C compiler of this machine. What is promised of one for the
// machine itself is that it compiles the header without a word: sizes and offsets
// are those of BPF's rules, and no other target's.
type gcc struct {
	name  string // of the command
	major int    // of its version
	bpf   bool   // its target is BPF
}

func (c gcc) String() string { return fmt.Sprintf("%s (%d)", c.name, c.major) }

// standards returns the names of the C standards that a header has to compile
// under, as this gcc spells them, those of GNU C first.
func (c gcc) standards() (gnu, strict []string) {
	newest := "23"
	if c.major < 14 { // gnu23 is known from gcc 14 on
		newest = "2x"
	}
	return []string{"gnu11", "gnu17", "gnu" + newest}, []string{"c11", "c17", "c" + newest}
}

// findGCC looks for the compilers by name: gcc, gcc-11 to gcc-99, and those for BPF.
var findGCC = sync.OnceValue(func() []gcc {
	names := []string{"bpf-gcc", "bpf-unknown-none-gcc", "gcc"} // Debian's name for BPF, Fedora's
	for major := 11; major < 100; major++ {
		names = append(names, fmt.Sprintf("gcc-%d", major))
	}
	var found []gcc
	predefined := regexp.MustCompile(`(?m)^#define (__clang__|__bpf__|__BPF__|__GNUC__) (\d+)$`)
	for _, name := range names {
		out, err := exec.Command(name, "-dM", "-E", "-x", "c", os.DevNull).Output()
		if err != nil {
			continue
		}
		macros := map[string]string{}
		for _, m := range predefined.FindAllStringSubmatch(string(out), -1) {
			macros[m[1]] = m[2]
		}
		c := gcc{name: name, bpf: macros["__bpf__"] != "" || macros["__BPF__"] != ""}
		c.major, _ = strconv.Atoi(macros["__GNUC__"])
		same := func(d gcc) bool { return d.bpf == c.bpf && d.major == c.major }
		if macros["__clang__"] == "" && c.major > 0 && !slices.ContainsFunc(found, same) {
			found = append(found, c)
		}
	}
	return found
})

// hostGCCs returns the machine's own gcc, in each version that it has. It fails
// the test if there is none.
func hostGCCs(t *testing.T) (found []gcc) {
	t.Helper()
	for _, c := range findGCC() {
		if !c.bpf {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		t.Fatal("there is no gcc: install it (Debian: apt install gcc)")
	}
	return found
}

// bpfGCC returns the gcc for BPF. It skips the test if there is none, since not
// every distribution has one: make test says so at its end, which fails in CI.
func bpfGCC(t *testing.T) gcc {
	t.Helper()
	for _, c := range findGCC() {
		if c.bpf {
			return c
		}
	}
	t.Skip("there is no gcc for BPF (Debian: apt install gcc-bpf)")
	panic("unreachable")
}

// compile compiles main.c beside vmlinux.h, and returns the object's path and what
// the compiler said. It says something if and only if there is an error.
func (c gcc) compile(t *testing.T, vmlinux, main string, args ...string) (object, output string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"vmlinux.h": vmlinux, "main.c": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(c.name, slices.Concat(args, []string{"-O2", "-c", "main.c", "-o", "main.o"})...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		out = []byte(err.Error())
	}
	return filepath.Join(dir, "main.o"), string(out)
}

// mustBeSilent compiles a header with all warnings on.
func (c gcc) mustBeSilent(t *testing.T, vmlinux, main string, args ...string) {
	t.Helper()
	if _, output := c.compile(t, vmlinux, main, slices.Concat(warnings, args)...); output != "" {
		t.Errorf("%s %s:\n%.4000s", c, strings.Join(args, " "), output)
	}
}

// flags are those for the byte order of a view, as far as this gcc has any.
func (c gcc) flags(target string) []string {
	if c.bpf && target == "bpfeb" {
		return []string{"-mbig-endian"}
	}
	return nil
}

// everyGCC returns all of them: the machine's own, and that for BPF if there is one.
// That there is none TestGCCKeepsCoRE says.
func everyGCC(t *testing.T) []gcc {
	t.Helper()
	hostGCCs(t)
	t.Logf("with: %v", findGCC())
	return findGCC()
}

// gcc has not a word to say about the header of any kernel: with all modules at
// once, under the oldest standard and the newest.
func TestGCCWarnsOfNothing(t *testing.T) {
	compilers := everyGCC(t)
	for _, k := range btftest.Kernels {
		if k.Base != "" && !*every {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			views := []*btfdump.View{withModules(t, k)}
			if *every {
				views = append(views, corpusView(t, k))
			}
			for _, v := range views {
				_, text := header(t, v, cgen.Options{Kfuncs: true})
				for _, c := range compilers {
					gnu, strict := c.standards()
					stds := []string{gnu[0], gnu[len(gnu)-1]}
					if *every {
						stds = slices.Concat(gnu, strict)
					}
					for _, std := range stds {
						c.mustBeSilent(t, text, "#include \"vmlinux.h\"\n", append(c.flags(target(v)), "-std="+std)...)
					}
				}
			}
		})
	}
}

// withModules reads a corpus file, joined to its base if it has one, and to all
// that are split from it.
func withModules(t *testing.T, k btftest.Kernel) *btfdump.View {
	t.Helper()
	if k.Base != "" {
		return corpusView(t, k)
	}
	var modules [][]byte
	for _, m := range btftest.Kernels {
		if m.Base == k.Name {
			modules = append(modules, btftest.Corpus(t, m.Name))
		}
	}
	return readView(t, btftest.Corpus(t, k.Name), modules...)
}

// Nor about what kernels have not: the golden cases, and types made up.
//
// What gcc notes, with no warning, of bitfields that gcc 4.3 had elsewhere nothing
// but an option turns off.
func TestGCCWarnsOfNothingOdd(t *testing.T) {
	const noNotes = "-Wno-packed-bitfield-compat"
	compilers := everyGCC(t)
	check := func(t *testing.T, v *btfdump.View, program string, host ...string) {
		_, text := header(t, v, cgen.Options{Kfuncs: true})
		for _, c := range compilers {
			gnu, strict := c.standards()
			for _, std := range []string{strict[0], gnu[0], gnu[len(gnu)-1]} {
				args := append(c.flags(target(v)), "-std="+std, noNotes)
				if !c.bpf && slices.Contains(gnu, std) {
					args = append(args, host...)
				}
				c.mustBeSilent(t, text, "#include \"vmlinux.h\"\n"+program, args...)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	}
	for _, c := range goldenCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, c.view(t, 0), c.main, c.host...)
		})
	}
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) {
			t.Parallel()
			source := clangtest.RandomTypes(rand.New(rand.NewPCG(seed, 1)))
			check(t, readView(t, clangtest.Newest(t).BTF(t, source, []string{"bpfel", "bpfeb"}[seed%2], "-w")), "")
		})
	}
}

// The silence is the header's doing: without its pragma gcc does warn of kernels'
// records. And it ends with the header: of a program's own gcc warns as ever.
func TestGCCStillWarnsOfPrograms(t *testing.T) {
	_, text := header(t, corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"}), cgen.Options{})
	const ignored = "#pragma GCC diagnostic ignored \"-Wpacked-not-aligned\"\n"
	if strings.Count(text, ignored) != 1 {
		t.Fatalf("the header has %d times %q", strings.Count(text, ignored), ignored)
	}
	const program = "#include \"vmlinux.h\"\nstruct own { long long a; } __attribute__((aligned(8)));\n" +
		"struct around { char c; struct own own; } __attribute__((packed));\n"
	for _, c := range everyGCC(t) {
		if _, output := c.compile(t, strings.Replace(text, ignored, "", 1), "#include \"vmlinux.h\"\n", warnings...); !strings.Contains(output, "vmlinux.h") || !strings.Contains(output, "packed-not-aligned") {
			t.Errorf("%s, without the pragma:\n%.1000s", c, output)
		}
		_, output := c.compile(t, text, program, warnings...)
		if !strings.Contains(output, "main.c:3") || !strings.Contains(output, "packed-not-aligned") || strings.Contains(output, "vmlinux.h:") {
			t.Errorf("%s, of a program's record:\n%.1000s", c, output)
		}
	}
}

// gcc's own stdint.h and the C library's may come before the header and behind it.
func TestGCCAndStandardHeaders(t *testing.T) {
	_, text := header(t, corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"}), cgen.Options{Kfuncs: true})
	const include = "#include \"vmlinux.h\"\n"
	for _, c := range everyGCC(t) {
		libraries := [][]string{{"-ffreestanding"}}
		if !c.bpf { // which has no C library
			libraries = append(libraries, nil)
		}
		for _, library := range libraries {
			c.mustBeSilent(t, text, standardHeaders+include+usesStandardHeaders, library...)
			c.mustBeSilent(t, text, include+standardHeaders+usesStandardHeaders+kernelsInts, library...)
		}
	}
}

// gcc marks no records for CO-RE, but by the header's attribute.
func TestGCCKeepsCoRE(t *testing.T) {
	c := bpfGCC(t)
	_, text := header(t, corpusView(t, btftest.Kernel{Name: "amd64-7.2-cloud"}), cgen.Options{Kfuncs: true})
	object, output := c.compile(t, text, plainProgram, slices.Concat(warnings, []string{"-gbtf", "-mco-re"})...)
	if output != "" {
		t.Fatalf("%s:\n%.3000s", c, output)
	}
	if n := coreRelocations(t, object); n < 32 {
		t.Errorf("%d bytes of CO-RE relocations", n)
	}
}
