package gogen_test

import (
	"debug/elf"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Every bitfield of a kernel is where clang puts it: a record in which it has
// all bits set, and nothing else, has the same bytes in an object file.
func TestBitfieldsAreWhereClangPutsThem(t *testing.T) {
	for _, c := range []struct{ kernel, target string }{
		{"amd64-7.2-cloud", "x86_64-linux-gnu"},
		{"arm64-6.1-cloud", "aarch64-linux-gnu"},
		{"s390x-6.12", "s390x-linux-gnu"},
	} {
		t.Run(c.kernel, func(t *testing.T) {
			v := view(t, btftest.Corpus(t, c.kernel))
			places, err := gogen.BitfieldPlaces(v)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := cgen.NewPlan(v, nil, cgen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			header, err := plan.Print()
			if err != nil {
				t.Fatal(err)
			}
			var main strings.Builder
			main.WriteString("#include \"vmlinux.h\"\n")
			for i, p := range places {
				typ := v.Type(p.Record)
				name := plan.Name(p.Record)
				if k := typ.Kind(); k.IsRecord() {
					name = k.String() + " " + name
				}
				fmt.Fprintf(&main, "%s v%d = { %s = -1 };\n", name, i, p.Path)
			}
			object, output, err := clangtest.Newest(t).Compile(t, map[string]string{"vmlinux.h": string(header), "main.c": main.String()},
				"-target", c.target, "-ffreestanding", "-w", "-DBPF_NO_PRESERVE_ACCESS_INDEX")
			if err != nil {
				t.Fatalf("%v\n%.2000s", err, output)
			}
			wrong := 0
			data := variables(t, object)
			for i, p := range places {
				var got []int
				for at, b := range data[fmt.Sprintf("v%d", i)] {
					for ; b != 0; b &= b - 1 {
						got = append(got, 8*at+bits.TrailingZeros8(b))
					}
				}
				want := slices.Sorted(slices.Values(p.Bits))
				if !slices.Equal(got, want) {
					if wrong++; wrong <= 10 {
						t.Errorf("%s%s: the methods use bits %v, clang uses %v", v.Type(p.Record).Name(), p.Path, want, got)
					}
				}
			}
			t.Logf("%d bitfields, %d differ", len(places), wrong)
			if len(places) < 1000 {
				t.Errorf("only %d bitfields were found", len(places))
			}
		})
	}
}

// variables returns the bytes of an object's initialised variables.
func variables(t testing.TB, object string) map[string][]byte {
	t.Helper()
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[elf.SectionIndex][]byte)
	found := make(map[string][]byte)
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_OBJECT || int(s.Section) >= len(f.Sections) || f.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		data, ok := sections[s.Section]
		if !ok {
			if data, err = f.Sections[s.Section].Data(); err != nil {
				t.Fatal(err)
			}
			sections[s.Section] = data
		}
		found[s.Name] = data[s.Value:][:s.Size]
	}
	return found
}
