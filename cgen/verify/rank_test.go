package verify_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Types of one size and sign are different types to C, and a compiler assumes
// that pointers to them point to different things.
func TestRank(t *testing.T) {
	type number struct {
		name     string // in the BTF
		size     uint32
		encoding uint32
		c        string
		others   []string // in C, of the same size
	}
	for _, n := range []number{
		{"long unsigned int", 8, btftest.Unsigned, "unsigned long", []string{"unsigned long long", "long", "__UINTMAX_TYPE__ *"}},
		{"long long unsigned int", 8, btftest.Unsigned, "unsigned long long", []string{"unsigned long", "__UINT64_TYPE__", "long long"}},
		{"long int", 8, btftest.Signed, "long", []string{"long long", "unsigned long"}},
		{"long long int", 8, btftest.Signed, "long long", []string{"long", "__INT64_TYPE__"}},
		{"char", 1, btftest.Signed, "char", []string{"signed char", "unsigned char", "_Bool"}},
		{"char", 1, btftest.Unsigned, "char", []string{"signed char", "unsigned char"}}, // a kernel with -funsigned-char
		{"signed char", 1, btftest.Signed, "signed char", []string{"char"}},
		{"unsigned char", 1, btftest.Unsigned, "unsigned char", []string{"char", "_Bool"}},
		{"_Bool", 1, btftest.Bool, "_Bool", []string{"unsigned char", "char"}},
		{"unsigned int", 4, btftest.Unsigned, "unsigned", []string{"int", "enum e", "float"}},
		{"int", 4, btftest.Signed, "int", []string{"unsigned", "enum e", "float"}},
		{"short int", 2, btftest.Signed, "short", []string{"unsigned short"}},
		{"__int128 unsigned", 16, btftest.Unsigned, "unsigned __int128", []string{"__int128"}},
	} {
		build := func() *btftest.Builder {
			b := btftest.New()
			i := b.Int(n.name, n.size, n.encoding)
			plain := i
			if n.name != "int" {
				plain = b.Int("int", 4, btftest.Signed)
			}
			b.Enum("e", 4, btftest.Val("E", 0))
			b.Typedef("direct", i)
			first := b.Typedef("first", i)
			b.Typedef("uint64_t", first) // by another way in the header
			b.Struct("s", n.size, field("m", i, 0))
			b.Struct("a", 2*n.size, field("m", b.Array(i, plain, 2), 0))
			b.Struct("p", 8, field("m", b.Ptr(b.Const(i)), 0))
			b.Typedef("takes", b.Ptr(b.FuncProto(plain, btftest.Arg("", i))))
			b.Typedef("gives", b.Ptr(b.FuncProto(b.Ptr(i), btftest.Arg("", plain))))
			return b
		}
		header := func(c map[string]string) string {
			text := "enum e { E };\n"
			for _, d := range []struct{ name, format string }{
				{"direct", "typedef %s direct;\n"}, {"first", "typedef %s first;\n"}, {"uint64_t", "typedef %s uint64_t;\n"}, {"s", "struct s { %s m; }" + mark}, {"a", "struct a { %s m[2]; }" + mark},
				{"p", "struct p { const %s *m; }" + mark}, {"takes", "typedef int (*takes)(%s);\n"}, {"gives", "typedef %s *(*gives)(int);\n"},
			} {
				other, ok := c[d.name]
				if !ok {
					other = n.c
				}
				text += fmt.Sprintf(d.format, other)
			}
			return text
		}
		for _, fast := range []bool{false, true} {
			if got := outline(runNewest(t, build(), header(nil), verify.Options{Fast: fast})); got != "" {
				t.Errorf("%s, fast=%v: reports\n%s", n.c, fast, got)
			}
		}
		for _, other := range n.others {
			wrong := map[string]string{}
			for _, name := range []string{"direct", "first", "uint64_t", "s", "a", "p", "takes", "gives"} {
				wrong[name] = other
			}
			got := outline(runNewest(t, build(), header(wrong), verify.Options{}))
			for _, want := range []string{"typedef direct: type", "typedef first: type", "typedef uint64_t: type", "struct s m: type", "struct a m: type", "struct p m: type", "typedef takes: type", "typedef gives: type"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s for %s: no %q in\n%s", other, n.c, want, got)
				}
			}
		}
	}
}

// What follows from one typedef is put down to it.
func TestRankOfTypedefs(t *testing.T) {
	b := btftest.New()
	u64 := b.Typedef("u64", b.Int("long long unsigned int", 8, btftest.Unsigned))
	b.Typedef("sector_t", b.Typedef("uint64_t", u64))
	b.Struct("s", 8, field("m", u64, 0))
	text := "typedef unsigned long long u64;\ntypedef unsigned long uint64_t;\ntypedef uint64_t sector_t;\nstruct s { u64 m; }" + mark
	for _, fast := range []bool{false, true} {
		want := "typedef sector_t: type because of typedef uint64_t\ntypedef uint64_t: type"
		if got := outline(runNewest(t, b, text, verify.Options{Fast: fast})); got != want {
			t.Errorf("fast=%v: reports\n%s\nwant\n%s", fast, got, want)
		}
	}
}

// A 32-bit kernel's long has 4 bytes, for which BPF has no long.
func TestRankIn32BitKernels(t *testing.T) {
	b := btftest.New()
	long := b.Int("long unsigned int", 4, btftest.Unsigned)
	b.Typedef("ulong", long)
	b.Typedef("u64", b.Int("long long unsigned int", 8, btftest.Unsigned))
	b.Struct("s", 4, field("m", long, 0))
	for text, want := range map[string]string{
		"typedef unsigned ulong;\ntypedef unsigned long long u64;\nstruct s { unsigned m; }" + mark:      "",
		"typedef unsigned ulong;\ntypedef unsigned long u64;\nstruct s { unsigned m; }" + mark:           "typedef u64: type",
		"typedef int ulong;\ntypedef unsigned long long u64;\nstruct s { int m; }" + mark:                "struct s m: type\ntypedef ulong: type",
		"typedef unsigned long ulong;\ntypedef unsigned long long u64;\nstruct s { unsigned m; }" + mark: "typedef ulong: size\ntypedef ulong: type",
	} {
		if got := outline(runNewest(t, b, text, verify.Options{})); got != want {
			t.Errorf("%s reports\n%s\nwant\n%s", text, got, want)
		}
	}
}

// runNewest is run with the newest clang alone.
func runNewest(t *testing.T, b *btftest.Builder, text string, opts verify.Options) *verify.Report {
	t.Helper()
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Clang = clangtest.Newest(t).Name
	r, err := verify.Header(context.Background(), path, view, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Errors) > 0 {
		t.Errorf("does not compile: %q", r.Errors)
	}
	return r
}
