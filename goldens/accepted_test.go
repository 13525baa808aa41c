package goldens_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

var (
	randomSeed  = flag.Uint64("types.seed", 0, "the first seed of random types")
	randomCount = flag.Uint64("types.count", 40, "how many seeds of random types to try")
	everywhere  = flag.Bool("types.everywhere", false, "compile the headers of random types with all compilers, not with some in turn")
)

// setting is a compiler and a standard that headers are promised to compile with.
type setting struct {
	compiler, std string
	clang         clangtest.Clang // or
	gcc           gcc
}

func (s setting) String() string { return s.compiler + " -std=" + s.std }

// settings returns all of them that this machine has, by compiler.
func settings(t testing.TB) (byCompiler [][]setting) {
	for _, c := range clangtest.Compilers(t) {
		var list []setting
		for _, std := range c.Standards() {
			list = append(list, setting{compiler: c.Name, std: std, clang: c})
		}
		// Without GNU's extensions, asm and typeof are names, and ??/ is a backslash.
		list = append(list, setting{compiler: c.Name, std: "c11", clang: c})
		byCompiler = append(byCompiler, list)
	}
	for _, c := range findGCC() {
		var list []setting
		gnu, strict := c.standards()
		for _, std := range append(gnu, strict[0]) {
			list = append(list, setting{compiler: c.name, std: std, gcc: c})
		}
		byCompiler = append(byCompiler, list)
	}
	return byCompiler
}

// complaints returns what a compiler says of a header with all warnings on.
func (s setting) complaints(t testing.TB, header string, v *btfdump.View) string {
	args := slices.Concat(warnings, []string{"-std=" + s.std, "-fsyntax-only", "-x", "c"})
	if s.clang.Name != "" {
		args = append(args, "-target", target(v))
	} else {
		args = append(args, "-Wno-packed-bitfield-compat") // it tells that they were laid out otherwise before version 4.4
	}
	if s.gcc.bpf {
		args = append(args, map[bool]string{false: "-mlittle-endian", true: "-mbig-endian"}[target(v) == "bpfeb"])
	}
	cmd := exec.Command(s.compiler, append(args, "main.c")...)
	cmd.Dir = filepath.Dir(header)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		return fmt.Sprintf("%s: %v\n%.1500s", s, err, out)
	}
	return ""
}

// tally counts what came of random types.
type tally struct {
	mu      sync.Mutex
	settled map[string]int
}

func (c *tally) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled[what]++
}

// What is accepted is right, and what is not names a type: the header of any BTF
// compiles without a warning with every compiler and standard, and holds, or else
// there is none. Every third is a kernel with a module. make fuzz-long tries thousands:
//
//	go test ./goldens -run 'TestAccepted$' -types.seed 1000 -types.count 5000
func TestAccepted(t *testing.T) {
	all := settings(t)
	tally := &tally{settled: map[string]int{}}
	t.Run("random", func(t *testing.T) {
		for seed := *randomSeed; seed < *randomSeed+*randomCount; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				v, err := randomView(rand.New(rand.NewPCG(seed, 13)), seed%3 == 2)
				some := slices.Concat(all...)
				if !*everywhere {
					r := rand.New(rand.NewPCG(seed, 0))
					r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
					some = some[:2]
				}
				acceptedHolds(t, v, err, some, tally)
				if t.Failed() {
					t.Logf("again: go test ./goldens -run 'TestAccepted$' -types.count 1 -types.everywhere -types.seed %d", seed)
				}
			})
		}
	})
	t.Logf("%v", tally.settled)
	n := *randomCount
	if accepted := uint64(tally.settled["accepted"]); n >= 40 && (accepted < n/4 || uint64(tally.settled["refused"]) < n/20) {
		t.Errorf("of %d, only %v", n, tally.settled)
	}
}

// randomView reads random BTF, and a module's that stands on it, if split is true.
func randomView(r *rand.Rand, split bool) (*btfdump.View, error) {
	if !split {
		return btfdump.New(btftest.Random(r, nil))
	}
	base, module := btftest.RandomSplit(r, nil)
	v, err := btfdump.New(base)
	if err != nil {
		return nil, err
	}
	return btfdump.NewSplit(module, v)
}

// acceptedHolds checks that a BTF, which has been read to a view or an error, is
// refused with a type's name, or right, and that what can be printed of one that is
// refused is right.
func acceptedHolds(t *testing.T, v *btfdump.View, err error, settings []setting, c *tally) {
	if err != nil {
		var format *btfdump.FormatError
		if !errors.As(err, &format) {
			t.Errorf("the error names no type: %v", err)
		}
		c.count("unreadable")
		return
	}
	p, text, err := tryHeader(v)
	if err == nil {
		c.count("accepted")
		headerHolds(t, p, v, text, settings, c)
		return
	}
	c.count("refused")
	var at *cgen.TypeError
	if !errors.As(err, &at) || text != nil {
		t.Errorf("the error names no type: %v, %d bytes", err, len(text))
	}
	view, left, err := cgen.Printable(v)
	if err != nil {
		if !errors.As(err, &at) {
			t.Errorf("the rest: the error names no type: %v", err)
		}
		c.count("refused for good")
		return
	}
	if len(left) == 0 {
		t.Error("nothing is left out, but the header is refused")
	}
	if p, text, err = tryHeader(view); err != nil {
		t.Fatalf("the rest can not be printed: %v", err)
	}
	headerHolds(t, p, view, text, settings, c)
}

func tryHeader(v *btfdump.View) (*cgen.Plan, []byte, error) {
	p, err := cgen.NewPlan(v, nil, cgen.Options{Kfuncs: true, NoProvenance: true})
	if err != nil {
		return nil, nil, err
	}
	text, err := p.Print()
	return p, text, err
}

// headerHolds compiles a header with the settings given, and verifies it with two
// of the clangs among them.
func headerHolds(t *testing.T, p *cgen.Plan, v *btfdump.View, text []byte, settings []setting, c *tally) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vmlinux.h")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.c"), []byte("#include \"vmlinux.h\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fail := func(format string, args ...any) {
		if !t.Failed() {
			t.Logf("the header:\n%.6000s", bytes.TrimSpace(body(text)))
		}
		t.Errorf(format, args...)
	}
	verified := map[string]bool{}
	for _, s := range settings {
		c.count("compiled by " + s.compiler)
		if said := s.complaints(t, path, v); said != "" {
			fail("%s", said)
			continue
		}
		if s.clang.Name == "" || verified[s.compiler] || len(p.Decls()) == 0 || len(verified) == 2 && !*everywhere {
			continue
		}
		verified[s.compiler] = true
		c.count("verified")
		c.count("verified by " + s.compiler)
		r, err := verify.Header(context.Background(), path, v, nil, verify.Options{Clang: s.compiler, Std: s.std, Workers: 1})
		if err != nil {
			fail("%s: verify: %v", s, err)
			continue
		}
		for _, e := range r.Errors[:min(len(r.Errors), 5)] {
			fail("%s: verify: does not compile: %s", s, e)
		}
		for _, m := range r.Mismatches[:min(len(r.Mismatches), 5)] {
			fail("%s: verify: %+v", s, m)
		}
		if len(r.Absent) > 0 {
			fail("%s: verify: absent: %q", s, r.Absent)
		}
	}
}

// body is a header without what is the same in all.
func body(text []byte) []byte {
	const top = "#define __bpf_fastcall\n#endif\n#endif\n"
	if i := strings.Index(string(text), top); i >= 0 {
		return text[i+len(top):]
	}
	return text
}
