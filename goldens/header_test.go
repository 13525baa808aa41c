package goldens_test

import (
	"fmt"
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

// assertions states in C where the view's types have their members, how large
// they are and what their enumerators' values are, under the plan's names.
// What it can't see are bitfields, and enumerators that had to be renamed.
func assertions(v *btfdump.View, p *cgen.Plan) (text string, n int) {
	var b strings.Builder
	assert := func(format string, args ...any) {
		condition := fmt.Sprintf(format, args...)
		fmt.Fprintf(&b, "_Static_assert(%s, %q);\n", condition, condition)
		n++
	}
	uses := make(map[string]int) // of enumerator names, in all enums and as typedefs
	for t := range v.All() {
		if t.Kind() == btfdump.KindTypedef {
			uses[t.Name()] = 2
		}
		for _, e := range t.Enumerators() {
			uses[e.Name]++
		}
	}
	narrow := narrowPointers(v)
	for _, d := range p.Decls() {
		t := v.Type(d.ID)
		switch d.Kind {
		case cgen.DeclRecord:
			if !t.HasName() || narrow[d.ID] {
				continue
			}
			name := fmt.Sprintf("%s %s", t.Kind(), p.Name(d.ID))
			assert("sizeof(%s) == %d", name, t.Size())
			for _, m := range t.Members() {
				if m.Name != "" && m.BitSize == 0 {
					assert("__builtin_offsetof(%s, %s) == %d", name, m.Name, m.BitOffset/8)
				}
			}
		case cgen.DeclEnum:
			if t.HasName() {
				assert("sizeof(enum %s) == %d", p.Name(d.ID), t.Size())
			}
			for _, e := range t.Enumerators() {
				if uses[e.Name] != 1 {
					continue
				}
				if t.Signed() {
					assert("%s == %dll - 1", e.Name, int64(e.Value)+1)
				} else {
					assert("%s == %dull", e.Name, e.Value)
				}
			}
		}
	}
	return b.String(), n
}

// narrowPointers are the records of a 32-bit kernel that hold pointers by
// value: pointers stay pointers, which have 8 bytes for BPF and are relocated.
func narrowPointers(v *btfdump.View) map[btfdump.TypeID]bool {
	narrow := make(map[btfdump.TypeID]bool)
	if v.PointerSize() == 8 {
		return narrow
	}
	for changed := true; changed; {
		changed = false
		for t := range v.All() {
			for _, m := range t.Members() {
				inner := v.Type(v.Resolve(m.Type))
				for inner.Kind() == btfdump.KindArray {
					inner = v.Type(v.Resolve(inner.Ref()))
				}
				if (inner.Kind() == btfdump.KindPtr || narrow[inner.ID()]) && !narrow[t.ID()] {
					narrow[t.ID()] = true
					changed = true
				}
			}
		}
	}
	return narrow
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

// compileEverywhere compiles the header of a view, and a program, under each standard with
// each clang, and checks all of its layout.
// It returns how many facts that were.
func compileEverywhere(t *testing.T, v *btfdump.View, p *cgen.Plan, text, program string) int {
	t.Helper()
	asserts, n := assertions(v, p)
	for _, c := range clangtest.Compilers(t) {
		for i, std := range c.Standards() {
			main := "#include \"vmlinux.h\"\n"
			if i == 0 { // a layout does not depend on the standard
				main += asserts
			}
			main += program
			mustCompile(t, c, text, main, "-target", target(v), "-std="+std, "-ffreestanding")
		}
	}
	return n
}
