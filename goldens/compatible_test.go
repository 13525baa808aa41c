package goldens_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// To C, "long" and "long long" are two types, however long they are: a program may
// not use one in the other's place. These tests ask the compiler whether the types
// in a header are compatible with those that the BTF says. Nothing of what wrote
// the header is asked: another reader reads the BTF, and types are spelled anew.

// bpfNumbers are C's numbers by the words that DWARF's producers call them,
// in the order of the alphabet, with their sizes on BPF.
var bpfNumbers = map[string]struct {
	c    string
	size uint32
}{
	"_Bool": {"_Bool", 1}, "char": {"char", 1}, "char signed": {"signed char", 1}, "char unsigned": {"unsigned char", 1},
	"int short": {"short", 2}, "short": {"short", 2}, "int short unsigned": {"unsigned short", 2}, "short unsigned": {"unsigned short", 2},
	"int": {"int", 4}, "int unsigned": {"unsigned int", 4}, "unsigned": {"unsigned int", 4},
	"int long": {"long", 8}, "long": {"long", 8}, "int long unsigned": {"unsigned long", 8}, "long unsigned": {"unsigned long", 8},
	"int long long": {"long long", 8}, "long long": {"long long", 8}, "int long long unsigned": {"unsigned long long", 8}, "long long unsigned": {"unsigned long long", 8},
	"__int128": {"__int128", 16}, "__int128 unsigned": {"unsigned __int128", 16},
	"float": {"float", 4}, "double": {"double", 8},
}

// number returns how C spells a number, "" where BPF has none of that name and
// size: long, in a 32-bit kernel.
func number(name string, size uint32) string {
	words := strings.Fields(name)
	slices.Sort(words)
	if n := bpfNumbers[strings.Join(words, " ")]; n.size == size {
		return n.c
	}
	return ""
}

// spell returns a type as C, "" if something other than numbers is in it, or
// what type tags mark, which may put it elsewhere than other pointers go.
func spell(typ btf.Type) string {
	inside := func(t btf.Type, format string, args ...any) string {
		if s := spell(t); s != "" {
			return fmt.Sprintf(format, append([]any{s}, args...)...)
		}
		return ""
	}
	switch t := typ.(type) {
	case *btf.Int:
		return number(t.Name, t.Size)
	case *btf.Float:
		return number(t.Name, t.Size)
	case *btf.Typedef:
		return spell(t.Type)
	case *btf.Const:
		return inside(t.Type, "__typeof__(%s const)")
	case *btf.Volatile:
		return inside(t.Type, "__typeof__(%s volatile)")
	case *btf.Pointer:
		if _, ok := t.Target.(*btf.Void); ok {
			return "void *"
		}
		return inside(t.Target, "__typeof__(%s *)")
	case *btf.Array:
		if t.Nelems == 0 { // which is compatible with any other
			return ""
		}
		return inside(t.Type, "__typeof__(%s[%d])", t.Nelems)
	}
	return ""
}

// claims writes a C unit that compiles if the header's types are those that the
// BTF says, one assertion a line, and counts them.
type claims struct {
	text              bytes.Buffer
	members, typedefs int
	skipped           int // members that are not made of numbers, bitfields, and types of one name
}

func (c *claims) claim(what, expression, typ string) {
	fmt.Fprintf(&c.text, "_Static_assert(__builtin_types_compatible_p(__typeof__(%s), %s), \"%s\");\n", expression, typ, what)
}

// record claims what the members of a record are, and those of records without a
// name in it.
func (c *claims) record(what, expression string, members []btf.Member) {
	for _, m := range members {
		inner := members[:0:0]
		typ := m.Type
		switch t := typ.(type) {
		case *btf.Struct:
			if t.Name == "" {
				inner = t.Members
			}
		case *btf.Union:
			if t.Name == "" {
				inner = t.Members
			}
		}
		named := m.Name != ""
		switch {
		case len(inner) > 0 && named:
			c.record(what+"."+m.Name, expression+"."+m.Name, inner)
			continue
		case len(inner) > 0:
			c.record(what, expression, inner)
			continue
		}
		if s := spell(typ); named && s != "" && m.BitfieldSize == 0 {
			c.claim(what+"."+m.Name, expression+"."+m.Name, s)
			c.members++
		} else {
			c.skipped++
		}
	}
}

// claimsOf reads BTF with cilium/ebpf.
func claimsOf(t *testing.T, raw []byte) *claims {
	t.Helper()
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("cilium/ebpf: %v", err)
	}
	// Two types of one name have other names in a header, or one.
	tags, names := map[string][]btf.Type{}, map[string][]*btf.Typedef{}
	for typ, err := range spec.All() {
		if err != nil {
			t.Fatalf("cilium/ebpf: %v", err)
		}
		switch typ := typ.(type) {
		case *btf.Struct, *btf.Union, *btf.Enum:
			if typ.TypeName() != "" {
				tags[typ.TypeName()] = append(tags[typ.TypeName()], typ)
			}
		case *btf.Typedef:
			names[typ.Name] = append(names[typ.Name], typ)
		}
	}
	c := &claims{}
	c.text.WriteString("#include \"vmlinux.h\"\n")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if s := spell(names[name][0]); s != "" && len(names[name]) == 1 {
			c.claim("typedef "+name, name, s)
			c.typedefs++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if len(tags[name]) > 1 {
			continue
		}
		switch typ := tags[name][0].(type) {
		case *btf.Struct:
			c.record("struct "+name, "(*(struct "+name+" *)0)", typ.Members)
		case *btf.Union:
			c.record("union "+name, "(*(union "+name+" *)0)", typ.Members)
		}
	}
	return c
}

// refused compiles the claims, and returns those that do not hold, and what else
// the compiler says.
func (c *claims) refused(t *testing.T, clang clangtest.Clang, header, target string) (wrong []string, others string) {
	t.Helper()
	_, output, err := clang.Compile(t, map[string]string{"vmlinux.h": header, "main.c": c.text.String()},
		"-target", target, "-std=gnu11", "-fsyntax-only", "-ferror-limit=0", "-fno-caret-diagnostics", "-DBPF_NO_PRESERVE_ACCESS_INDEX")
	failed := regexp.MustCompile(`static.assert\w* failed[^"\n]*"([^"]*)"|static assertion failed[^:\n]*: ([^"\n]*)`)
	for _, line := range strings.Split(output, "\n") {
		if m := failed.FindStringSubmatch(line); m != nil {
			wrong = append(wrong, m[1]+m[2])
		} else if strings.Contains(line, "error:") {
			others += line + "\n"
		}
	}
	if err != nil && len(wrong) == 0 && others == "" {
		others = output + err.Error()
	}
	return wrong, others
}

// Names of C's own headers for which the kernel has other types: those get names
// of their own, and the headers theirs (see cgen/standard.go).
var standardInC = map[string][]string{
	"":          {"typedef wchar_t"},
	"armhf-6.1": {"typedef ptrdiff_t", "typedef size_t", "typedef wchar_t"},
}

func TestNumbersAreTheKernelsTypes(t *testing.T) {
	all := clangtest.Compilers(t)
	for _, k := range btftest.Kernels {
		if k.Base != "" || k.Name == "btf_testmod.distilled-base" { // whose records have no members
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			_, text := header(t, v, cgen.Options{})
			c := claimsOf(t, btftest.Corpus(t, k.Name))
			if c.members < 20000 || c.members < c.skipped || c.typedefs < 200 {
				t.Errorf("%d members and %d typedefs are judged, %d members are not", c.members, c.typedefs, c.skipped)
			}
			want, ok := standardInC[k.Name]
			if !ok {
				want = standardInC[""]
			}
			for _, clang := range slices.Compact([]clangtest.Clang{all[0], all[len(all)-1]}) {
				if wrong, others := c.refused(t, clang, text, target(v)); !slices.Equal(wrong, want) || others != "" {
					t.Errorf("%s: of another type than the BTF says are %d, want %q: %q\n%.2000s", clang.Name, len(wrong), want, wrong[:min(len(wrong), 20)], others)
				}
			}
		})
	}
}

// A type of the same size and sign, but of another rank, is found in a typedef, in
// all that is of it, and in a member.
func TestNumbersOfAnotherRankAreFound(t *testing.T) {
	k := btftest.Kernel{Name: "amd64-7.2-cloud"}
	v := corpusView(t, k)
	_, text := header(t, v, cgen.Options{})
	for _, m := range []mutation{
		{what: "typedef", in: "typedef long long int __kernel_loff_t;", old: "long long int", new: "long int"},
		{what: "standard type", in: "typedef u64 uint64_t;", old: "u64", new: "unsigned long"},
		{what: "array", in: "struct cpumask {", old: "long unsigned int", new: "long long unsigned int"},
		{what: "pointee", in: "struct qstr {", old: "const unsigned char", new: "const char"},
	} {
		text = m.apply(t, text)
	}
	wrong, others := claimsOf(t, btftest.Corpus(t, k.Name)).refused(t, clangtest.Newest(t), text, target(v))
	if others != "" {
		t.Errorf("the compiler has other complaints:\n%.2000s", others)
	}
	for _, want := range []string{
		"typedef __kernel_loff_t", "typedef loff_t", "struct kiocb.ki_pos", "typedef uint64_t", "struct cpumask.bits", "struct qstr.name",
	} {
		if !slices.Contains(wrong, want) {
			t.Errorf("%s is not found, but %d: %q", want, len(wrong), wrong[:min(len(wrong), 20)])
		}
	}
	// What is of none of those types is not found.
	for _, sound := range []string{"typedef u64", "typedef s64", "typedef size_t", "struct task_struct.pid", "struct iphdr.saddr"} {
		if slices.Contains(wrong, sound) {
			t.Errorf("%s is found", sound)
		}
	}
}
