package goldens_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

var warnings = []string{"-Wall", "-Wextra", "-Werror"}

// readView reads BTF and its splits as one view.
func readView(t testing.TB, base []byte, splits ...[]byte) *btfdump.View {
	t.Helper()
	v, err := btfdump.New(base)
	if err != nil {
		t.Fatal(err)
	}
	var views []*btfdump.View
	for _, raw := range splits {
		s, err := btfdump.NewSplit(raw, v)
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, s)
	}
	if len(views) == 0 {
		return v
	}
	joined, err := btfdump.Join(v, views...)
	if err != nil {
		t.Fatal(err)
	}
	return joined
}

// corpusView reads a corpus file, joined to its base if it has one.
func corpusView(t testing.TB, k btftest.Kernel) *btfdump.View {
	t.Helper()
	if k.Base == "" {
		return readView(t, btftest.Corpus(t, k.Name))
	}
	return readView(t, btftest.Corpus(t, k.Base), btftest.Corpus(t, k.Name))
}

// header makes the header of all types of a view.
func header(t testing.TB, v *btfdump.View, opts cgen.Options) (*cgen.Plan, string) {
	t.Helper()
	p, err := cgen.NewPlan(v, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.Print()
	if err != nil {
		t.Fatal(err)
	}
	return p, string(text)
}

// target is the compiler target of a view's byte order.
func target(v *btfdump.View) string {
	if v.ByteOrder().String() == "BigEndian" {
		return "bpfeb"
	}
	return "bpf"
}

// mustCompile compiles main.c beside vmlinux.h without a single diagnostic.
func mustCompile(t *testing.T, c clangtest.Clang, vmlinux, main string, args ...string) (object string) {
	t.Helper()
	object, output, err := c.Compile(t, map[string]string{"vmlinux.h": vmlinux, "main.c": main}, slices.Concat(warnings, args)...)
	if err != nil || output != "" {
		t.Errorf("%s %s: %v\n%.4000s", c.Name, strings.Join(args, " "), err, output)
	}
	return object
}

// compileEverywhere compiles the header of a view, and a program, under each
// standard with each clang.
func compileEverywhere(t *testing.T, v *btfdump.View, text, program string) {
	t.Helper()
	all := clangtest.Compilers(t)
	for i, c := range all {
		stds := c.Standards()
		if i < len(all)-1 {
			// C17 is C11 with its mistakes mended: the newest compiler does for it.
			stds = []string{stds[0], stds[len(stds)-1]}
		}
		for _, std := range stds {
			mustCompile(t, c, text, "#include \"vmlinux.h\"\n"+program, "-target", target(v), "-std="+std, "-ffreestanding")
		}
	}
}
