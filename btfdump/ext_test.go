package btfdump_test

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// sections compiles a program and returns its .BTF, as a view, and .BTF.ext.
func sections(t *testing.T, c clangtest.Clang, target, program string) (*btfdump.View, []byte) {
	t.Helper()
	object, output, err := c.Compile(t, map[string]string{"main.c": program}, "-target", target, "-g", "-O2")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.Section(".BTF").Data()
	if err != nil {
		t.Fatal(err)
	}
	ext, err := f.Section(".BTF.ext").Data()
	if err != nil {
		t.Fatal(err)
	}
	view, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return view, ext
}

const relocatedProgram = `
struct inner { int a, b[4]; } __attribute__((preserve_access_index));
struct outer { struct inner *p; struct inner in; } __attribute__((preserve_access_index));
__attribute__((section("one"))) int first(struct outer *o) { return o->in.b[2]; }
__attribute__((section("two"))) int second(struct outer *o) { return o->in.a; }
__attribute__((section("two"))) int exists(struct outer *o) { return __builtin_preserve_field_info(o->p, 2); }
`

func TestCoreRelocations(t *testing.T) {
	for _, c := range clangtest.Compilers(t) {
		for _, target := range []string{"bpfel", "bpfeb"} {
			view, ext := sections(t, c, target, relocatedProgram)
			relocations, err := btfdump.CoreRelocations(ext, view)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range relocations {
				if r.Offset%8 != 0 {
					t.Errorf("%s %s: an instruction at byte %d", c.Name, target, r.Offset)
				}
				got = append(got, fmt.Sprintf("%s: %s %s, kind %d", r.Section, view.Type(r.Type).Name(), r.Access, r.Kind))
			}
			want := []string{"one: outer 0:1:1:2, kind 0", "two: outer 0:1:0, kind 0", "two: outer 0:0, kind 2"}
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: %q, want %q", c.Name, target, got, want)
			}
		}
	}
}

func TestCoreRelocationsOfBadSections(t *testing.T) {
	view, good := sections(t, clangtest.Newest(t), "bpfel", relocatedProgram)
	change := func(at int, value uint32) []byte {
		raw := slices.Clone(good)
		binary.LittleEndian.PutUint32(raw[at:], value)
		return raw
	}
	header := int(binary.LittleEndian.Uint32(good[4:]))
	records := header + int(binary.LittleEndian.Uint32(good[24:]))
	for name, raw := range map[string][]byte{
		"empty":                       nil,
		"other byte order":            change(0, 0x00019feb),
		"version":                     change(0, 0x0002eb9f),
		"header longer than all":      change(4, uint32(len(good)+1)),
		"header too short":            change(4, 12),
		"relocations outside":         change(24, uint32(len(good))),
		"relocations too long":        change(28, uint32(len(good))),
		"relocations end in the size": change(28, 2),
		"record size":                 change(records, 12),
		"odd record size":             change(records, 17),
		"section name":                change(records+4, 1<<30),
		"count":                       change(records+8, 1<<31),
		"type":                        change(records+16, 1<<30),
		"access":                      change(records+20, 1<<30),
	} {
		_, err := btfdump.CoreRelocations(raw, view)
		var format *btfdump.FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	short := slices.Clone(good)
	binary.LittleEndian.PutUint32(short[4:], 24) // a header from before CO-RE
	if list, err := btfdump.CoreRelocations(short, view); err != nil || len(list) > 0 {
		t.Errorf("a header of 24 bytes gives %v, %v", list, err)
	}
}

func FuzzCoreRelocations(f *testing.F) {
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	b.Struct("s", 4, btftest.Field("0:1", i, 0))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		f.Fatal(err)
	}
	seed := binary.LittleEndian.AppendUint32(nil, 0x0001eb9f)
	for _, word := range []uint32{32, 0, 0, 0, 0, 0, 44, 16, 1, 2, 8, 1, 5, 0, 16, 2, 5, 1} {
		seed = binary.LittleEndian.AppendUint32(seed, word)
	}
	f.Add(seed)
	f.Add(seed[:24])
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := btfdump.CoreRelocations(raw, view)
		if err != nil {
			return
		}
		if len(list)*16 > len(raw) {
			t.Errorf("%d relocations in %d bytes", len(list), len(raw))
		}
		for _, r := range list {
			view.Type(r.Type)
		}
	})
}
