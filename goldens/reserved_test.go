package goldens_test

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

var wordsEverywhere = flag.Bool("words.everywhere", false, "try each name that is taken in every place")

// words are names that somebody has taken: the compilers here (their macros), the
// compilers that scripts/words has seen (their keywords and functions too), C and
// its standard headers (stdint.h, stddef.h), and btfgen's header.
func words(t *testing.T) []string {
	t.Helper()
	var list []string
	files, err := filepath.Glob("../cgen/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		switch filepath.Base(path) {
		case "compiler_words.go", "words.go", "standard.go", "preamble.go":
		default:
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, strings.FieldsFunc(text, func(r rune) bool {
					return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
				})...)
			}
			return true
		})
	}
	for _, c := range clangtest.Compilers(t) {
		newest := "-mcpu=v3"
		if c.Major >= 18 { // which v4 came with
			newest = "-mcpu=v4"
		}
		for _, std := range c.Standards() {
			for _, flags := range [][]string{{"-target", "bpf"}, {"-target", "bpfeb", "-O2", newest}} {
				list = append(list, macros(t, c.Name, append(flags, "-std="+std)...)...)
			}
		}
	}
	if gcc := gccForBPF(); gcc != "" {
		list = append(list, macros(t, gcc, "-O2")...)
	}
	list = slices.DeleteFunc(list, func(name string) bool { return name[0] <= '9' })
	slices.Sort(list)
	return slices.Compact(list)
}

func macros(t *testing.T, compiler string, flags ...string) (names []string) {
	t.Helper()
	out, err := exec.Command(compiler, append(flags, "-dM", "-E", "-x", "c", os.DevNull)...).Output()
	if err != nil {
		t.Fatalf("%s: %v", compiler, err)
	}
	for line := range strings.Lines(string(out)) {
		name := strings.TrimPrefix(line, "#define ")
		names = append(names, name[:strings.IndexAny(name, " (\n")])
	}
	return names
}

// gccForBPF returns the name of gcc for BPF, "" if there is none: make test says so
// at its end, which fails in CI.
func gccForBPF() string {
	for _, name := range []string{"bpf-gcc", "bpf-unknown-none-gcc"} { // Debian's name, Fedora's
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	return ""
}

// compileInAll compiles a header in all that README promises: each clang and gcc,
// in the oldest and the newest standard, with extensions and without (then there
// are trigraphs), and as they do without flags.
func compileInAll(t *testing.T, text, before, program string) {
	t.Helper()
	stds := []string{"c11", "gnu11", "c2x", "gnu2x"}
	main := before + "#include \"vmlinux.h\"\n" + program
	for _, c := range clangtest.Compilers(t) {
		for _, std := range stds {
			mustCompile(t, c, text, main, "-target", "bpf", "-std="+std, "-ffreestanding")
		}
		if before == "" && program == "" { // a C library's headers may be for other targets
			mustCompile(t, c, text, main, "-target", "bpf", "-O2", "-g", "-mcpu=v3")
		}
	}
	gcc := gccForBPF()
	if gcc == "" {
		return
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"vmlinux.h": text, "main.c": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, std := range append(stds, "gnu17") {
		cmd := exec.Command(gcc, slices.Concat(warnings, []string{"-std=" + std, "-ffreestanding", "-c", "main.c", "-o", "main.o"})...)
		if std == "gnu17" && before == "" && program == "" {
			cmd.Args = append(cmd.Args, "-fhosted", "-O2", "-gbtf", "-mco-re")
		}
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%.3000s", cmd, err, out)
		}
	}
}

// namePlace is where a name can stand.
type namePlace struct {
	name  string
	typ   string
	build func(b *btftest.Builder, i int, name string)
	// mayRefuse says that some words can't have this place.
	mayRefuse bool
}

// namePlaces are where a name can stand in BTF that a header is made of. A type that
// is refused is called as typ says, or like the name, if that is "".
var namePlaces = []namePlace{
	{"struct", "", func(b *btftest.Builder, i int, name string) {
		s := b.Struct(name, 4, at("x", u32Of(b), 0))
		b.Struct(fmt.Sprintf("z%d", i), 12, at("p", b.Ptr(s), 0), at("v", s, 8))
	}, false},
	{"union", "", func(b *btftest.Builder, i int, name string) { b.Union(name, 4, at("x", u32Of(b), 0)) }, false},
	{"forward declaration", "", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 8, at("p", b.Ptr(b.FwdStruct(name)), 0))
	}, false},
	{"enum", "", func(b *btftest.Builder, i int, name string) {
		e := b.Enum(name, 4, btftest.Val(fmt.Sprintf("Z%d", i), 1))
		b.Struct(fmt.Sprintf("z%d", i), 4, at("e", e, 0))
	}, false},
	{"empty enum", "", func(b *btftest.Builder, i int, name string) { b.Enum(name, 4) }, false},
	{"enumerator", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Enum(fmt.Sprintf("z%d", i), 4, btftest.Val(name, i))
	}, false},
	{"enumerator of an anonymous enum", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 4, at("e", b.Enum("", 4, btftest.Val(name, i), btftest.Val(fmt.Sprintf("Z%d", i), 1)), 0))
	}, false},
	{"typedef", "", func(b *btftest.Builder, i int, name string) {
		d := b.Typedef(name, u32Of(b))
		b.Struct(fmt.Sprintf("z%d", i), 16, at("v", d, 0), at("p", b.Ptr(b.Const(d)), 8))
	}, false},
	{"typedef of a record", "", func(b *btftest.Builder, i int, name string) {
		b.Typedef(name, b.Struct(fmt.Sprintf("z%d", i), 4, at("x", u32Of(b), 0)))
	}, false},
	{"typedef of an anonymous record", "", func(b *btftest.Builder, i int, name string) {
		b.Typedef(name, b.Struct("", 4, at(fmt.Sprintf("x%d", i), u32Of(b), 0)))
	}, false},
	{"member", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 4, at(name, u32Of(b), 0))
	}, true},
	{"member that is a function's pointer", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 8, at(name, b.Ptr(b.FuncProto(u32Of(b), btftest.Arg(name, u32Of(b)))), 0))
	}, true},
	{"member that is an array", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Union(fmt.Sprintf("z%d", i), 8, at(name, b.Array(u32Of(b), u32Of(b), 2), 0))
	}, true},
	{"bitfield", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 4, btftest.Bitfield(name, u32Of(b), 0, 3))
	}, true},
	{"member of an anonymous record", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 8, at("a", u32Of(b), 0), at("", b.Struct("", 4, at(name, u32Of(b), 0)), 4))
	}, true},
	{"member of a record within", "z%d", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 4, at("inner", b.Union("", 4, at(name, u32Of(b), 0)), 0))
	}, true},
	{"kfunc", "", func(b *btftest.Builder, i int, name string) {
		odd := b.Struct(fmt.Sprintf("z%d", i), 4, at("x", u32Of(b), 0))
		kfunc(b, name, b.FuncProto(b.Ptr(odd), btftest.Arg("one", b.Ptr(odd))))
	}, true},
	{"parameter", "", func(b *btftest.Builder, i int, name string) {
		p := b.Ptr(b.Typedef(fmt.Sprintf("z%d_t", i), u32Of(b)))
		kfunc(b, fmt.Sprintf("z%d", i), b.FuncProto(u32Of(b), btftest.Arg(name, p), btftest.Arg("second", p)))
	}, false},
	{"variable", "", func(b *btftest.Builder, i int, name string) { b.Var(name, u32Of(b), btftest.Global) }, false},
	{"number", "", func(b *btftest.Builder, i int, name string) {
		if name == "bool" || name == "_Bool" || name == "signed" {
			name += " of 4 bytes" // a number that is not what its name says is another matter
		}
		b.Struct(fmt.Sprintf("z%d", i), 4, at("x", b.Int(name, 4, 0), 0))
	}, false},
	{"floating-point number", "", func(b *btftest.Builder, i int, name string) {
		b.Struct(fmt.Sprintf("z%d", i), 8, at("x", b.Float(name, 8), 0))
	}, false},
}

// headerMacros are what the header leaves to programs: no typedef or enumerator can
// be called so.
var headerMacros = []string{"__VMLINUX_H__", "__ksym", "__weak", "__bpf_fastcall"}

// refuses reports whether a name, and no other but these, can't have a place.
func (p namePlace) refuses(name string) bool {
	return (strings.HasPrefix(p.name, "typedef") || strings.HasPrefix(p.name, "enumerator")) && slices.Contains(headerMacros, name)
}

func u32Of(b *btftest.Builder) btftest.ID { return b.Int("unsigned int", 4, 0) }

func kfunc(b *btftest.Builder, name string, proto btftest.ID) {
	b.DeclTag("bpf_kfunc", b.Func(name, proto, btftest.Static), -1)
}

// printed makes the header of what a builder has, or the error about it.
func printed(t *testing.T, b *btftest.Builder) (string, error) {
	t.Helper()
	p, err := cgen.NewPlan(readView(t, b.Bytes()), nil, cgen.Options{Kfuncs: true, NoProvenance: true})
	if err != nil {
		return "", err
	}
	text, err := p.Print()
	return string(text), err
}

// Whatever is called like a word that somebody has taken: the header compiles
// with all compilers and standards, and says what the BTF does, or the type is
// refused. Each header has each name once, in one place or another; with
// -words.everywhere, there is a header for each pair of them.
func TestTakenNames(t *testing.T) {
	names := words(t)
	if len(names) < 2000 {
		t.Fatalf("%d words", len(names))
	}
	headers := 5
	if *wordsEverywhere {
		headers = len(namePlaces)
	}
	for h := range headers {
		t.Run(fmt.Sprint(h), func(t *testing.T) {
			t.Parallel()
			all := btftest.New()
			refused := 0
			for i, name := range names {
				place := namePlaces[(i+h*len(namePlaces)/headers)%len(namePlaces)]
				one := btftest.New()
				place.build(one, i, name)
				if _, err := printed(t, one); err != nil {
					var inside *cgen.TypeError
					typ := name
					if place.typ != "" {
						typ = fmt.Sprintf(place.typ, i)
					}
					if !place.mayRefuse && !place.refuses(name) || !errors.As(err, &inside) || inside.Name != typ {
						t.Errorf("%s: %s: %v", place.name, name, err)
					}
					refused++
					continue
				}
				place.build(all, i, name)
			}
			t.Logf("%d names, %d refused", len(names), refused)
			// Most words are functions of compilers, which are refused as kfuncs alone.
			if refused == 0 || refused > len(names)/4 {
				t.Errorf("%d of %d names are refused", refused, len(names))
			}
			text, err := printed(t, all)
			if err != nil {
				t.Fatal(err)
			}
			compileInAll(t, text, "", "")
			mustHold(t, readView(t, all.Bytes()), text)
		})
	}
}

// Names in all places at once: types, enumerators, kfuncs and parameters share a
// name space, and none gets the name that another has.
func TestTakenNamesInAllPlaces(t *testing.T) {
	b := btftest.New()
	n := 0
	names := words(t)
	for i := 0; i < len(names); i += 16 {
		name := names[i]
		for _, place := range namePlaces {
			one := btftest.New()
			place.build(one, i, name)
			if _, err := printed(t, one); err == nil {
				place.build(b, 1_000_000+n, name)
				place.build(b, 2_000_000+n, name+"___2") // what others may get
				n++
			}
		}
	}
	text, err := printed(t, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d places", n)
	for _, before := range []string{"", "#include <stdint.h>\n#include <stddef.h>\n"} {
		compileInAll(t, text, before, "#include <stddef.h>\n#include <stdint.h>\n")
	}
	mustHold(t, readView(t, b.Bytes()), text)
}

// To clang before version 22, members of anonymous records hide typedefs.
func TestMembersThatHideTypedefs(t *testing.T) {
	tests := []struct {
		name    string
		build   func(b *btftest.Builder, u32 btftest.ID) btftest.ID
		refused bool
	}{
		{"used later", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 8, at("", b.Struct("", 4, at("u32", u32Of(b), 0)), 0), at("x", u32, 4))
		}, true},
		{"used later behind a pointer", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 16, at("", b.Struct("", 4, at("u32", u32Of(b), 0)), 0), at("x", b.Ptr(b.Const(u32)), 8))
		}, true},
		{"used later in a prototype", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 16, at("", b.Struct("", 4, at("u32", u32Of(b), 0)), 0), at("x", b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", u32))), 8))
		}, true},
		{"used later in a record within", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 8, at("", b.Struct("", 4, at("u32", u32Of(b), 0)), 0), at("x", b.Struct("", 4, at("y", u32, 0)), 4))
		}, true},
		{"used by the member and the next ones", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 12, at("x", u32, 0), at("", b.Struct("", 8, at("u32", u32, 0), at("y", u32, 4)), 4))
		}, false},
		{"hidden two levels deep", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			inner := b.Union("", 4, at("u32", u32Of(b), 0))
			return b.Struct("s", 8, at("", b.Struct("", 8, at("", inner, 0), at("y", u32, 4)), 0))
		}, true},
		{"a member of a record with a name", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 8, at("z", b.Struct("", 4, at("u32", u32Of(b), 0)), 0), at("x", u32, 4))
		}, false},
		{"a member of a named record without a name", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 8, at("", b.Struct("inner", 4, at("u32", u32Of(b), 0)), 0), at("x", u32, 4))
		}, true},
		{"a member of the record itself", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			return b.Struct("s", 8, at("u32", u32Of(b), 0), at("x", u32, 4))
		}, false},
		{"not used in this record", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			s := b.Struct("s", 4, at("", b.Struct("", 4, at("u32", u32Of(b), 0)), 0))
			b.Struct("t", 8, at("s", s, 0), at("x", u32, 4))
			return s
		}, false},
		{"the typedef has a suffix, and the member that name", func(b *btftest.Builder, u32 btftest.ID) btftest.ID {
			other := b.Typedef("u32", b.Int("unsigned char", 1, 0)) // u32___2, since it is smaller
			return b.Struct("s", 12, at("", b.Struct("", 4, at("u32___2", u32Of(b), 0)), 0), at("x", u32, 4), at("y", other, 8))
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := btftest.New()
			test.build(b, b.Typedef("u32", u32Of(b)))
			text, err := printed(t, b)
			var inside *cgen.TypeError
			switch {
			case !test.refused && err != nil:
				t.Fatal(err)
			case !test.refused:
				for _, c := range clangtest.Compilers(t) {
					mustCompile(t, c, text, "#include \"vmlinux.h\"\n", "-target", "bpf")
				}
			case !errors.As(err, &inside) || inside.Name != "s" || !strings.Contains(err.Error(), "anonymous record"):
				t.Errorf("want an error about s, have %v\n%s", err, text)
			}
		})
	}
}

// Tags of all characters that a tag may have, and attributes that compilers take
// amiss in other forms.
func TestTypeTagsCompile(t *testing.T) {
	b := btftest.New()
	var members []btftest.Member
	add := func(typ btftest.ID) {
		members = append(members, at(fmt.Sprintf("m%d", len(members)), b.Ptr(typ), uint32(8*len(members))))
	}
	add(b.TypeTag("user", u32Of(b)))
	add(b.TypeTag("abcxyzABCXYZ0189_ - . : , = ( )", b.Ptr(u32Of(b))))
	add(b.TypeTag("a", b.TypeTag("a", b.TypeTag("b", b.Const(u32Of(b))))))
	add(b.TypeTag("a", b.FuncProto(btftest.Void, btftest.Arg("", b.Ptr(b.TypeTag("a", b.Ptr(u32Of(b))))))))
	add(b.TypeTag("", u32Of(b)))
	add(b.TypeAttr("address_space(1)", b.TypeAttr("address_space(2)", u32Of(b))))
	add(b.TypeAttr("address_space(1)", b.TypeAttr("address_space(1)", b.TypeTag("user", b.Ptr(u32Of(b))))))
	for _, space := range []string{"0", "08", "0777", "9999", "1) aligned(1", "1))) evil((("} {
		add(b.TypeAttr("address_space("+space+")", u32Of(b)))
	}
	for _, attribute := range []string{"noreturn", "aligned(4096)", "??/", "\" evil", "packed"} {
		add(b.TypeAttr(attribute, u32Of(b)))
		// As a parameter there is nothing behind the pointer.
		add(b.FuncProto(btftest.Void, btftest.Arg("", b.Ptr(b.TypeAttr(attribute, b.Ptr(u32Of(b)))))))
	}
	b.Struct("s", uint32(8*len(members)), members...)
	text, err := printed(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "evil") || strings.Contains(text, "??") || strings.Contains(text, "4096") {
		t.Errorf("an unknown attribute is in\n%s", text)
	}
	if want := "(unsigned int **)"; strings.Count(text, want) != 5 {
		t.Errorf("not five times %q in\n%s", want, text)
	}
	compileInAll(t, text, "", "")
	mustHold(t, readView(t, b.Bytes()), text)
}

// What a kernel's file says of its release is text in a comment.
func TestCommentsCompile(t *testing.T) {
	b := btftest.New()
	b.Struct("s", 4, at("x", u32Of(b), 0))
	v := readView(t, b.Bytes())
	text := ""
	for _, release := range []string{
		"6.1 */ int evil; /*", "6.1 /* x", "6.1/*/", "6.1 *??/\n/ int evil;", "6.1??/", "6.1\\", "6.1 *\\", "6.1??????//", "\x01\x02/",
		"// \u2028 int evil;", "*", "/", "6.1 \\u002a/ int evil;", "%:define struct", "<: :>", "\xff\xff/", "*" + strings.Repeat("/*", 600),
	} {
		for _, opts := range []cgen.Options{{Release: release}, {Flags: []string{release, "/"}}, {SPDX: release}, {Version: release}} {
			_, one := header(t, v, opts)
			text += one // its comment stands before the include guard
		}
	}
	compileInAll(t, text, "", "struct s evil;\n")
}
