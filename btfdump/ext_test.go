package btfdump_test

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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

func TestReadExt(t *testing.T) {
	for _, c := range clangtest.Compilers(t) {
		for _, target := range []string{"bpfel", "bpfeb"} {
			view, ext := sections(t, c, target, relocatedProgram)
			read, err := btfdump.ReadExt(ext, view)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range read.Relocations {
				if r.Offset%8 != 0 {
					t.Errorf("%s %s: an instruction at byte %d", c.Name, target, r.Offset)
				}
				got = append(got, fmt.Sprintf("%s: %s %s, kind %d", r.Section, view.Type(r.Type).Name(), r.Access, r.Kind))
			}
			want := []string{"one: outer 0:1:1:2, kind 0", "two: outer 0:1:0, kind 0", "two: outer 0:0, kind 2"}
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: %q, want %q", c.Name, target, got, want)
			}
			got = nil
			for _, f := range read.Functions {
				got = append(got, fmt.Sprintf("%s+%d: %s", f.Section, f.Offset, view.Type(f.Type).Name()))
			}
			if len(got) != 3 || got[0] != "one+0: first" || got[1] != "two+0: second" || !strings.HasSuffix(got[2], ": exists") {
				t.Errorf("%s %s: functions are %q", c.Name, target, got)
			}
			lines := make(map[string]int)
			for _, l := range read.Lines {
				if l.Column == 0 || filepath.Base(l.File) != "main.c" {
					t.Errorf("%s %s: a line's place is %+v", c.Name, target, l)
				}
				lines[l.Text] = int(l.Line)
			}
			source := strings.Split(relocatedProgram, "\n")
			for _, want := range []int{4, 5, 6} {
				if lines[source[want-1]] != want {
					t.Errorf("%s %s: line %d is not among %v", c.Name, target, want, lines)
				}
			}
		}
	}
}

func TestReadExtOfBadSections(t *testing.T) {
	view, good := sections(t, clangtest.Newest(t), "bpfel", relocatedProgram)
	change := func(at int, value uint32) []byte {
		raw := slices.Clone(good)
		binary.LittleEndian.PutUint32(raw[at:], value)
		return raw
	}
	header := int(binary.LittleEndian.Uint32(good[4:]))
	records := header + int(binary.LittleEndian.Uint32(good[24:]))
	lines := header + int(binary.LittleEndian.Uint32(good[16:]))
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
		"functions outside":           change(8, uint32(len(good))),
		"function's type":             change(header+16, 1<<30),
		"type is no function":         change(header+16, 1),
		"lines outside":               change(20, uint32(len(good))),
		"line's file":                 change(lines+16, 1<<30),
		"line's text":                 change(lines+20, 1<<30),
	} {
		_, err := btfdump.ReadExt(raw, view)
		var format *btfdump.FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	short := slices.Clone(good)
	binary.LittleEndian.PutUint32(short[4:], 24) // a header from before CO-RE
	binary.LittleEndian.PutUint32(short[8:], binary.LittleEndian.Uint32(short[8:])+uint32(header)-24)
	binary.LittleEndian.PutUint32(short[16:], binary.LittleEndian.Uint32(short[16:])+uint32(header)-24)
	if ext, err := btfdump.ReadExt(short, view); err != nil || len(ext.Relocations) > 0 || len(ext.Functions) != 3 {
		t.Errorf("a header of 24 bytes gives %+v, %v", ext, err)
	}
}

func FuzzReadExt(f *testing.F) {
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
		ext, err := btfdump.ReadExt(raw, view)
		if err != nil {
			return
		}
		if n := len(ext.Relocations) + len(ext.Lines) + len(ext.Functions); n*8 > 3*len(raw) { // the three may overlap
			t.Errorf("%d records in %d bytes", n, len(raw))
		}
		for _, r := range ext.Relocations {
			view.Type(r.Type)
		}
		for _, f := range ext.Functions {
			if view.Type(f.Type).Kind() != btfdump.KindFunc {
				t.Errorf("function of type %d", f.Type)
			}
		}
	})
}
