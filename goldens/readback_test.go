package goldens_test

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// compareReadBack compiles a pointer to every named record of the header and
// compares the BTF that the compiler writes with the one that the header comes
// from: that sees bitfields, which assertions can't.
func compareReadBack(t *testing.T, v *btfdump.View, p *cgen.Plan, text string) {
	t.Helper()
	narrow := narrowPointers(v)
	main := "#include \"vmlinux.h\"\n"
	want := make(map[string]string)
	for _, d := range p.Decls() {
		if typ := v.Type(d.ID); d.Kind == cgen.DeclRecord && typ.HasName() && !narrow[d.ID] {
			main += fmt.Sprintf("%s %s *pointer%d;\n", typ.Kind(), p.Name(d.ID), d.ID)
			want[fmt.Sprintf("%s %s", typ.Kind(), p.Name(d.ID))] = flat(v, typ)
		}
	}
	if len(want) == 0 {
		return
	}
	object := mustCompile(t, clangtest.Newest(t), text, main, "-target", target(v), "-g", "-O1", "-ffreestanding")
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.Section(".BTF").Data()
	if err != nil {
		t.Fatal(err)
	}
	back := readView(t, raw)
	differ := 0
	for typ := range back.All() {
		name := fmt.Sprintf("%s %s", typ.Kind(), typ.Name())
		line, ok := want[name]
		if !ok || !typ.Kind().IsRecord() {
			continue
		}
		delete(want, name)
		if got := flat(back, typ); got != line {
			if differ++; differ <= 5 {
				t.Errorf("%s reads back as\n\t%s\nwant\n\t%s", name, got, line)
			}
		}
	}
	if differ > 5 {
		t.Errorf("%d records read back differently", differ)
	}
	for name := range want {
		t.Errorf("%s did not come back", name)
	}
}

// flat lists the named members of a record with their places in bits, those of
// unnamed members in their stead: a header may write these in place.
func flat(v *btfdump.View, t btfdump.Type) string {
	var members []string
	var add func(t btfdump.Type, base uint32, depth int)
	add = func(t btfdump.Type, base uint32, depth int) {
		for _, m := range t.Members() {
			inner := v.Type(v.Resolve(m.Type))
			switch {
			case m.Name != "":
				width := fmt.Sprint("size ", v.SizeOf(m.Type))
				if m.BitSize != 0 {
					width = fmt.Sprint("bits ", m.BitSize)
				}
				members = append(members, fmt.Sprintf("%s at %d %s", m.Name, base+m.BitOffset, width))
			case inner.Kind().IsRecord() && depth < 64:
				add(inner, base+m.BitOffset, depth+1)
			}
		}
	}
	add(t, 0, 0)
	slices.Sort(members)
	return fmt.Sprintf("%d bytes: %s", t.Size(), strings.Join(members, ", "))
}

// One kernel of each byte order, with its modules.
func TestKernelsReadBack(t *testing.T) {
	for _, name := range []string{"amd64-7.2-cloud.btrfs", "s390x-6.12.xfs"} {
		i := slices.IndexFunc(btftest.Kernels, func(k btftest.Kernel) bool { return k.Name == name })
		t.Run(name, func(t *testing.T) {
			v := corpusView(t, btftest.Kernels[i])
			p, text := header(t, v, cgen.Options{})
			compareReadBack(t, v, p, text)
		})
	}
}

// Text from the BTF must not get into the header.
func TestHostileNamesAreRefused(t *testing.T) {
	for name, build := range map[string]func(b *btftest.Builder, s string){
		"struct": func(b *btftest.Builder, s string) { b.Struct(s, 0) },
		"member": func(b *btftest.Builder, s string) {
			b.Struct("holder", 4, at(s, b.Int("int", 4, btftest.Signed), 0))
		},
		"typedef":    func(b *btftest.Builder, s string) { b.Typedef(s, b.Int("int", 4, btftest.Signed)) },
		"enum":       func(b *btftest.Builder, s string) { b.Enum(s, 4, btftest.Val("A", 1)) },
		"enumerator": func(b *btftest.Builder, s string) { b.Enum("holder", 4, btftest.Val(s, 1)) },
		"kfunc": func(b *btftest.Builder, s string) {
			b.DeclTag("bpf_kfunc", b.Func(s, b.FuncProto(btftest.Void), 0), -1)
		},
		"forward declaration": func(b *btftest.Builder, s string) { b.FwdStruct(s) },
	} {
		for _, s := range []string{"x; } evil", "a\nb", "1digit", "quo\"te", "x-y", "ü", "#define"} {
			b := btftest.New()
			build(b, s)
			v := readView(t, b.Bytes())
			p, err := cgen.NewPlan(v, nil, cgen.Options{Kfuncs: true})
			var text []byte
			if err == nil {
				text, err = p.Print()
			}
			if err == nil && strings.Contains(string(text), s) {
				t.Errorf("%s called %q: it is in the header", name, s)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "type ")) {
				t.Errorf("%s called %q: the error is %q", name, s, err)
			}
		}
	}
}
