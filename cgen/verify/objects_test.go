package verify

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// The way by objects, which no compiler here needs, finds what the other does.
func TestTypesFromObjects(t *testing.T) {
	defer func(was form) { first = was }(first)
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	point := b.Struct("point", 8, btftest.Member{Name: "x", Type: i}, btftest.Member{Name: "y", Type: i, Offset: 32})
	b.Typedef("point_t", b.Ptr(point))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	const head = "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n"
	for _, c := range []struct {
		text  string
		wrong Mismatch
	}{
		{head + "struct point { int x, y; };\ntypedef struct point *point_t;\n#pragma clang attribute pop\n", Mismatch{}},
		{head + "struct point { int x; unsigned int y; };\ntypedef struct point *point_t;\n#pragma clang attribute pop\n", Mismatch{Type: "struct point", Member: "y", Aspect: AspectType}},
		{head + "struct point { int x, y; };\ntypedef const struct point *point_t;\n#pragma clang attribute pop\n", Mismatch{Type: "typedef point_t", Aspect: AspectType}},
		{"struct point { int x, y; };\ntypedef struct point *point_t;\n", Mismatch{Type: "struct point", Member: "x", Aspect: AspectRelocation}},
	} {
		path := filepath.Join(t.TempDir(), "a.h")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, clang := range clangtest.Compilers(t) {
			for _, first = range []form{fromIR, fromObject} {
				r, err := Header(context.Background(), path, view, nil, Options{Clang: clang.Name})
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case c.wrong == Mismatch{}:
					if !r.Holds() || r.Counts.Relocations != 1 {
						t.Errorf("%s, objects %v: %+v", clang.Name, first, r)
					}
				case len(r.Mismatches) != 1 || r.Mismatches[0].Type != c.wrong.Type || r.Mismatches[0].Member != c.wrong.Member || r.Mismatches[0].Aspect != c.wrong.Aspect:
					t.Errorf("%s, objects %v: %+v, want %+v", clang.Name, first, r.Mismatches, c.wrong)
				}
			}
		}
	}
}

// What holds pointers of 4 bytes is looked at for another machine, too, for which
// GNU C has more macros.
func TestMembersOf32BitKernels(t *testing.T) {
	b := btftest.New()
	long := b.Int("long unsigned int", 4, 0)
	p := b.Ptr(btftest.Void)
	b.Struct("holds", 16, btftest.Member{Name: "unix", Type: p}, btftest.Member{Name: "linux", Type: long, Offset: 32}, btftest.Member{Name: "_ILP32", Type: p, Offset: 64}, btftest.Member{Name: "x", Type: long, Offset: 96})
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte("struct holds { void *unix; unsigned int linux; void *_ILP32; unsigned int x; } __attribute__((preserve_access_index));\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, clang := range clangtest.Compilers(t) {
		for _, std := range []string{"gnu11", "c11"} {
			r, err := Header(context.Background(), path, view, nil, Options{Clang: clang.Name, Std: std})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Holds() || r.PointerClass != 1 {
				t.Errorf("%s, %s: %+v", clang.Name, std, r)
			}
		}
	}
}
