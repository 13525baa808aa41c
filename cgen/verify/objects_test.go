package verify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// clang calls relocations after a record or typedef, and a place in it: of several called
// alike, it has one. Each is looked at.
func TestAccessesThatShareARelocation(t *testing.T) {
	defer func(was form) { first = was }(first)
	const pairs = 100
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	var marked, plain strings.Builder
	for n := range pairs {
		name := fmt.Sprintf("s%d", n)
		b.Struct(name, 4, btftest.Field("x", i, 0))
		b.Typedef(name, b.Struct("", 4, btftest.Field("x", i, 0)))
		const mark = " __attribute__((preserve_access_index))"
		fmt.Fprintf(&marked, "struct %[1]s { int x; }%[2]s;\ntypedef struct { int x; }%[2]s %[1]s;\n", name, mark)
		if n == pairs-1 {
			fmt.Fprintf(&plain, "struct %[1]s { int x; }%[2]s;\ntypedef struct { int x; } %[1]s;\n", name, mark)
		} else {
			plain.WriteString(marked.String()[plain.Len():])
		}
	}
	// A bitfield's is called after the record, which has no name.
	const same = 20
	for n := range same {
		name := fmt.Sprintf("b%d", n)
		b.Typedef(name, b.StructFlagged("", 4, btftest.Bitfield(name, i, 0, 3)))
		text := fmt.Sprintf("typedef struct { int %[1]s: 3; } __attribute__((preserve_access_index)) %[1]s;\n", name)
		marked.WriteString(text)
		plain.WriteString(text)
	}
	const tried = 2*pairs + same
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	for _, c := range []struct {
		text      string
		relocated int
	}{{marked.String(), tried}, {plain.String(), tried - 1}} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, clang := range clangtest.Compilers(t) {
			for _, first = range []form{fromIR, fromObject} {
				r, err := Header(context.Background(), path, view, nil, Options{Clang: clang.Name})
				if err != nil {
					t.Fatal(err)
				}
				if n := r.Counts.Relocations; n != tried || len(r.Mismatches) != n-c.relocated {
					t.Errorf("%s, objects %v: of %d accesses %d are relocated; %v", clang.Name, first, n, c.relocated, r.Mismatches)
				}
			}
		}
	}
}

// A compiler that writes what is not known is asked for objects.
func TestTextThatIsNotKnown(t *testing.T) {
	b := btftest.New()
	b.Struct("point", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.h")
	for _, c := range []struct {
		member string
		holds  bool
	}{{"int", true}, {"unsigned", false}} {
		if err := os.WriteFile(path, []byte("struct point { "+c.member+" x; } __attribute__((preserve_access_index));\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, clang := range clangtest.Compilers(t) {
			for change, objects := range map[string]bool{"s/x/x/": false, "s/DW_TAG_pointer_type/DW_TAG_new_pointer/": true, "/^!llvm.dbg/,$d": false} {
				script := "#!/bin/sh\n" + clang.Name + ` "$@" || exit $?; case "$*" in *-emit-llvm*) sed -i '` + change + `' *.ll;; esac` + "\n"
				wrapper := filepath.Join(dir, "wrapper")
				if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
				asked := false
				r, err := Header(context.Background(), path, view, nil, Options{Clang: wrapper, Progress: func(s string) { asked = asked || strings.HasSuffix(s, "objects") }})
				if strings.HasSuffix(change, "d") { // nothing is left of the types
					if err == nil {
						t.Errorf("%s: without types: %+v", clang.Name, r)
					}
					continue
				}
				if err != nil || r.Holds() != c.holds || asked != objects {
					t.Errorf("%s, %s, %s: %v, %+v, asked for objects: %v", clang.Name, c.member, change, err, r, asked)
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
