package verify

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // sorted, by kind; all words of a typedef count as its names
	}{
		{"struct a { int x; struct b *p; union { int y; } u; };", "struct a, mentions b"},
		{"struct a; union u; enum e;", "mentions a e u"},
		{"typedef struct { int n; } t, *tp;", "typedef t tp"},
		{"typedef struct s { int n; } t;", "struct s, typedef t"},
		{"struct __attribute__((packed)) a { int x; };", "struct a"},
		{"struct a { enum { IN = 1 } x; } __attribute__((aligned(8)));", "struct a, values IN"},
		{"enum e { A, B = (1, 2), C = sizeof(struct inside { int z; }), D };", "enum e, values A B C D"},
		{"enum e : unsigned char { A = 'x', B = '}' };", "enum e, values A B"},
		{"enum e : unsigned int;", "enum e"},
		{"typedef int (*fn)(int (*)(void), struct far *);", "mentions far, typedef fn int void"},
		{"typedef int array[4][sizeof(long)];", "typedef array int long sizeof"},
		{"extern int f(int a, struct s *p) __attribute__((section(\".ksyms\")));", "mentions s, function f"},
		{"static inline int g(int a) { struct local { int n; } l; return h(a); } int after(void);", "struct local, function after g"},
		{"int variable = 4; extern struct s *q;", "mentions s"},
		{"# 1 \"struct no { };\"\n_Static_assert(sizeof(int) == 4, \"struct no {\"); struct yes { int n; };", "struct yes"},
		{"char *s = \"\\\"}{\"; struct yes { int n; };", "struct yes"},
		{"}; } struct a { int n; };", "struct a"},
		{"struct a { int n;", "struct a"},
		{"enum { A", "values A"},
		{"", ""},
	} {
		if got := summary(scan(c.text)); got != c.want {
			t.Errorf("%s\n\tgives %q\n\twant  %q", c.text, got, c.want)
		}
	}
}

func summary(d *declarations) string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+strings.Join(names, " "))
		}
	}
	defined := map[string]bool{}
	for i, what := range []string{"struct", "union", "enum"} {
		add(what, slices.Sorted(maps.Keys(d.defined[i])))
		maps.Copy(defined, d.defined[i])
	}
	var mentioned []string
	for i := range d.mentioned {
		for name := range d.mentioned[i] {
			if !defined[name] {
				mentioned = append(mentioned, name)
			}
		}
	}
	slices.Sort(mentioned)
	add("mentions", mentioned)
	add("typedef", slices.Sorted(maps.Keys(d.typedefs)))
	add("function", slices.Sorted(maps.Keys(d.functions)))
	var values []string
	for _, e := range d.enums {
		values = append(values, e.names...)
	}
	add("values", values)
	return strings.Join(parts, ", ")
}

func FuzzScan(f *testing.F) {
	for _, text := range []string{
		"struct a { int x; } __attribute__((packed));\nenum e { A = 1, B };\ntypedef int (*f)(int);",
		"extern int f(int a) __attribute__((weak)); # 1 \"x\"\n", "enum e : int { A = ((", "typedef struct {", "\"\\", "}}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := scan(text)
		for _, set := range append(d.defined[:], d.typedefs, d.functions) {
			for name := range set {
				if !btfdump.IsIdentifier(name) || !strings.Contains(text, name) {
					t.Errorf("%q is declared in %q", name, text)
				}
			}
		}
	})
}

func TestEssential(t *testing.T) {
	for name, want := range map[string]string{
		"a___2": "a", "a___10": "a", "a": "a", "a___b": "a___b", "___2": "___2", "a___2___3": "a___2", "a___": "a___", "a___-2": "a___-2",
	} {
		if got, _ := essential(name); got != want {
			t.Errorf("%s is essentially %s, want %s", name, got, want)
		}
	}
}

func TestCanonicalInt(t *testing.T) {
	for name, want := range map[string]string{
		"long unsigned int": "unsigned long", "unsigned long": "unsigned long", "long long int": "long long",
		"short int": "short", "signed char": "signed char", "char": "char", "unsigned char": "unsigned char",
		"__int128 unsigned": "unsigned __int128", "int": "int", "unsigned int": "unsigned", "bool": "_Bool", "signed int": "int",
	} {
		if got, ok := canonicalInt(name); got != want || !ok {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, ok := canonicalInt("ssizetype"); ok {
		t.Error("ssizetype is no C")
	}
}
