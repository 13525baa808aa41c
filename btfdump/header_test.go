package btfdump_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestHeaderLengths(t *testing.T) {
	for _, length := range []uint32{24, 28, 32, 36, 40, 256} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			bothOrders(t, func(t *testing.T, b *btftest.Builder) {
				b.HeaderLen = length
				want := sample(b)
				v := mustNew(t, b.Bytes())
				compare(t, v, 1, want)
				if got := v.Header().Length; got != length {
					t.Errorf("header length reads %d", got)
				}
			})
		})
	}
}

// The layout section may stand between types and strings, so that the strings
// don't start where the types end.
func TestLayoutSectionPlaces(t *testing.T) {
	for _, last := range []bool{false, true} {
		t.Run(fmt.Sprintf("last=%t", last), func(t *testing.T) {
			bothOrders(t, func(t *testing.T, b *btftest.Builder) {
				b.HeaderLen, b.Layout, b.LayoutLast = 32, btftest.StandardLayout(), last
				want := sample(b)
				v := mustNew(t, b.Bytes())
				compare(t, v, 1, want)
				h := v.Header()
				if h.LayoutLen != 80 || (h.StringsOffset == h.TypesLen) != last {
					t.Errorf("header reads %+v", h)
				}
			})
		})
	}
}

func TestSectionsInAnotherOrder(t *testing.T) {
	b := btftest.New()
	b.Int("int", 4, 1)
	raw := b.Bytes()
	// types (16 bytes), strings (5) become strings, 3 bytes of nothing, types
	types, strs := raw[24:40], raw[40:45]
	b.EditHeader(func(h *btftest.Header) { h.TypeOff, h.StringOff = 8, 0 })
	moved := append(append(append(b.Bytes()[:24:24], strs...), 0xff, 0xff, 0xff), types...)
	compare(t, mustNew(t, moved), 1, []string{`int "int" size 4 encoding 1 bits 32 signed`})
}

// A module without types of its own has a header and nothing else.
func TestEmpty(t *testing.T) {
	for name, strip := range map[string]bool{"no strings": true, "the empty string": false} {
		t.Run(name, func(t *testing.T) {
			b := btftest.New()
			if strip {
				b.ClearStrings()
			}
			v := mustNew(t, b.Bytes())
			compare(t, v, 1, nil)
			if v.NumTypes() != 1 || v.FirstID() != 1 || v.Base() != nil || v.Lookup("int") != nil {
				t.Errorf("%d types, first ID %d", v.NumTypes(), v.FirstID())
			}
		})
	}
}

// Since 2026 vlen has 24 bits: more than 65,535 members.
func TestLongVlen(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		const n = 1<<16 + 3
		values := make([]btftest.Enumerator, n)
		members := make([]btftest.Member, n)
		u8 := b.Int("unsigned char", 1, 0)
		for i := range n {
			values[i] = btftest.Val(fmt.Sprintf("E%d", i), i)
			members[i] = btftest.Field(fmt.Sprintf("m%d", i), u8, uint32(8*i))
		}
		e := b.Enum("large", 4, values...)
		s := b.Struct("large", n, members...)
		v := mustNew(t, b.Bytes())
		if err := walk(v); err != nil {
			t.Fatal(err)
		}
		if got := v.Type(btfdump.TypeID(e)); got.NumEnumerators() != n || got.Enumerator(n-1).Name != "E65538" || got.Enumerator(n-1).Value != n-1 {
			t.Errorf("enum has %d values, the last is %+v", got.NumEnumerators(), got.Enumerator(n-1))
		}
		if got := v.Type(btfdump.TypeID(s)); got.NumMembers() != n || got.Member(n-1) != (btfdump.Member{Name: "m65538", Type: btfdump.TypeID(u8), BitOffset: 8 * (n - 1)}) {
			t.Errorf("struct has %d members, the last is %+v", got.NumMembers(), got.Member(n-1))
		}
	})
}

// Kinds that are not known can be stepped over where the layout section has
// their lengths. Other types may refer to them.
func TestUnknownKinds(t *testing.T) {
	for _, kind := range []int{20, 31, 32, 63, 127} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			bothOrders(t, func(t *testing.T, b *btftest.Builder) {
				b.HeaderLen = 32
				b.Layout = btftest.StandardLayout()
				for len(b.Layout) < kind {
					b.Layout = append(b.Layout, btftest.LayoutEntry{})
				}
				b.Layout = append(b.Layout, btftest.LayoutEntry{InfoSize: 8, ElemSize: 4, Flags: 1})
				want := sample(b)
				plain := b.Raw(kind, "", 0, false, 0xffffffff, 1, 2)
				elems := b.Raw(kind, "named", 3, true, 7, 1, 2, 0xffffffff, 0xffffffff, 0xffffffff)
				ptr := b.Ptr(elems)
				i := b.Int("last", 4, 0)
				want = append(want,
					fmt.Sprintf(`kind %d ""`, kind),
					fmt.Sprintf(`kind %d "named" kflag vlen 3`, kind),
					fmt.Sprintf(`ptr "" ref %d`, elems),
					`int "last" size 4 bits 32`)
				v := mustNew(t, b.Bytes())
				compare(t, v, 1, want)
				if plain != elems-1 || ptr != elems+1 || i != ptr+1 || v.NumTypes() != int(i)+1 {
					t.Errorf("%d types, want %d", v.NumTypes(), i+1)
				}
			})
		})
	}
}

func TestUnknownKindNeedsALayout(t *testing.T) {
	entry := func(e btftest.LayoutEntry) []btftest.LayoutEntry {
		return append(btftest.StandardLayout(), e)
	}
	for _, c := range []struct {
		name   string
		kind   int
		layout []btftest.LayoutEntry
		want   string
	}{
		{"no layout section", 20, nil, "no layout section says how long it is"},
		{"layout too short", 21, entry(btftest.LayoutEntry{}), "no layout section says how long it is"},
		{"info size odd", 20, entry(btftest.LayoutEntry{InfoSize: 3}), "not multiples of 4"},
		{"element size odd", 20, entry(btftest.LayoutEntry{ElemSize: 6}), "not multiples of 4"},
		{"longer than the section", 20, entry(btftest.LayoutEntry{InfoSize: 252}), "ends inside the type"},
		{"kind 0", 0, entry(btftest.LayoutEntry{}), "type 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := btftest.New()
			b.HeaderLen, b.Layout = 32, c.layout
			b.Raw(c.kind, "", 0, false, 0)
			wantFormatError(t, b.Bytes(), 1, c.want)
		})
	}
}

// wantFormatError checks that raw is refused with an error about type id that
// contains text.
func wantFormatError(t *testing.T, raw []byte, id btftest.ID, text string) {
	t.Helper()
	_, err := btfdump.New(raw)
	var f *btfdump.FormatError
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a FormatError", err)
	}
	if f.ID != btfdump.TypeID(id) || !strings.Contains(err.Error(), text) {
		t.Errorf("error about type %d: %v\nwant one about type %d: %s", f.ID, err, id, text)
	}
	if id != 0 && !strings.Contains(err.Error(), fmt.Sprintf("type %d", id)) {
		t.Errorf("the message has no type ID: %v", err)
	}
	if f.Name != "" && !strings.Contains(err.Error(), fmt.Sprintf("%q", f.Name)) {
		t.Errorf("the message has not the type's name: %v", err)
	}
}

func TestBadHeaders(t *testing.T) {
	small := func(edit func(h *btftest.Header)) []byte {
		b := btftest.New()
		b.HeaderLen = 32
		b.Layout = btftest.StandardLayout()
		b.Int("int", 4, 1)
		b.EditHeader(edit)
		return b.Bytes()
	}
	const big = 1<<32 - 4
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"nothing", nil, "too few"},
		{"text", []byte("hello, world, this is no BTF"), "no BTF magic"},
		{"ELF", []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\xf7\x00\x01\x00\x00\x00"), "no BTF magic"},
		{"version", small(func(h *btftest.Header) { h.Version = 2 }), "version 2"},
		{"header too short", small(func(h *btftest.Header) { h.HeaderLen = 20 }), "header length 20"},
		{"header of no length", small(func(h *btftest.Header) { h.HeaderLen = 0 }), "header length 0"},
		{"header too long", small(func(h *btftest.Header) { h.HeaderLen = big }), "longer than the data"},
		{"types too long", small(func(h *btftest.Header) { h.TypeLen = big }), "type section ends at byte"},
		{"types too far", small(func(h *btftest.Header) { h.TypeOff = big }), "type section ends at byte"},
		{"types off and long", small(func(h *btftest.Header) { h.TypeOff, h.TypeLen = big, 36 }), "type section ends at byte"},
		{"types not aligned", small(func(h *btftest.Header) { h.TypeOff, h.TypeLen = 1, 16 }), "not a multiple of 4"},
		{"strings too long", small(func(h *btftest.Header) { h.StringLen = big }), "string section ends at byte"},
		{"strings too far", small(func(h *btftest.Header) { h.StringOff = big }), "string section ends at byte"},
		{"strings not ended", small(func(h *btftest.Header) { h.StringLen-- }), "NUL"},
		{"strings not started", small(func(h *btftest.Header) { h.StringOff, h.StringLen = h.StringOff+1, h.StringLen-1 }), "empty string"},
		{"layout too long", small(func(h *btftest.Header) { h.LayoutLen = big }), "layout section ends at byte"},
		{"layout too far", small(func(h *btftest.Header) { h.LayoutOff = big }), "layout section ends at byte"},
		{"layout odd", small(func(h *btftest.Header) { h.LayoutLen = 78 }), "not a multiple of 4"},
	} {
		t.Run(c.name, func(t *testing.T) { wantFormatError(t, c.raw, 0, c.want) })
	}
}
