package btfdump_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

const (
	huge32 = 1<<32 - 1
	none   = btftest.Void
)

// Each case builds one thing that no BTF may have and returns the ID of the
// type that the error has to name.
func TestCorruptTypes(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b *btftest.Builder) btftest.ID
		want  string
	}{
		{"type name past the strings", func(b *btftest.Builder) btftest.ID {
			id := b.Int("int", 4, 1)
			b.Poke(id, 0, 5)
			return id
		}, "name is at offset 5 of 5"},
		{"type name far past the strings", func(b *btftest.Builder) btftest.ID {
			id := b.Int("int", 4, 1)
			b.Poke(id, 0, huge32)
			return id
		}, "name is at offset 4294967295"},
		{"member name past the strings", func(b *btftest.Builder) btftest.ID {
			i := b.Int("int", 4, 1)
			id := b.Struct("s", 4, btftest.Field("m", i, 0))
			b.Poke(id, 3, 99)
			return id
		}, `struct "s"): member name is at offset 99`},
		{"enumerator name past the strings", func(b *btftest.Builder) btftest.ID {
			id := b.Enum("e", 4, btftest.Val("A", 1))
			b.Poke(id, 3, 99)
			return id
		}, "enumerator name is at offset 99"},
		{"enum64 name past the strings", func(b *btftest.Builder) btftest.ID {
			id := b.Enum64("e", 8, btftest.Val("A", 1), btftest.Val("B", 1))
			b.Poke(id, 6, 99)
			return id
		}, "enumerator name is at offset 99"},
		{"parameter name past the strings", func(b *btftest.Builder) btftest.ID {
			id := b.FuncProto(none, btftest.Variadic())
			b.Poke(id, 3, 99)
			return id
		}, "parameter name is at offset 99"},
		{"record cut off by the end of the section", func(b *btftest.Builder) btftest.ID {
			return b.RawWords(0, 4<<24|2, 8, 0, 0, 0)
		}, "ends inside the type"},
		{"2^24 members that are not there", func(b *btftest.Builder) btftest.ID {
			return b.RawWords(0, 4<<24|(1<<24-1), 8, 0, 0, 0)
		}, "ends inside the type"},
		{"half a type", func(b *btftest.Builder) btftest.ID { return b.RawWords(0, 2<<24) }, "ends inside the type"},
		{"void as a type", func(b *btftest.Builder) btftest.ID { return b.Raw(0, "", 0, false, 0) }, "unknown kind"},

		{"pointer past the end", func(b *btftest.Builder) btftest.ID { return b.Ptr(2) }, "refers to type 2"},
		{"pointer far past the end", func(b *btftest.Builder) btftest.ID { return b.Ptr(huge32) }, "refers to type 4294967295"},
		{"array element past the end", func(b *btftest.Builder) btftest.ID { return b.Array(9, none, 1) }, "refers to type 9"},
		{"array index past the end", func(b *btftest.Builder) btftest.ID {
			i := b.Int("int", 4, 1)
			return b.Array(i, 9, 1)
		}, "refers to type 9"},
		{"member past the end", func(b *btftest.Builder) btftest.ID { return b.Struct("s", 4, btftest.Field("m", 9, 0)) }, "refers to type 9"},
		{"return type past the end", func(b *btftest.Builder) btftest.ID { return b.FuncProto(9) }, "refers to type 9"},
		{"parameter past the end", func(b *btftest.Builder) btftest.ID { return b.FuncProto(none, btftest.Arg("", 9)) }, "refers to type 9"},
		{"variable past the end", func(b *btftest.Builder) btftest.ID { return b.Var("v", 9, 0) }, "refers to type 9"},
		{"section entry past the end", func(b *btftest.Builder) btftest.ID { return b.Datasec(".x", 4, btftest.SecVar{Type: 9}) }, "refers to type 9"},
		{"tag past the end", func(b *btftest.Builder) btftest.ID { return b.DeclTag("x", 9, -1) }, "refers to type 9"},

		{"pointer to a function", func(b *btftest.Builder) btftest.ID {
			return b.Ptr(b.Func("f", b.FuncProto(none), 0))
		}, "of kind func"},
		{"typedef of a variable", func(b *btftest.Builder) btftest.ID {
			return b.Typedef("t", b.Var("v", none, 0))
		}, "of kind var"},
		{"function of no prototype", func(b *btftest.Builder) btftest.ID { return b.Func("f", b.Int("int", 4, 1), 0) }, "of kind int"},
		{"function of void", func(b *btftest.Builder) btftest.ID { return b.Func("f", none, 0) }, "void"},
		{"section of types", func(b *btftest.Builder) btftest.ID {
			return b.Datasec(".x", 4, btftest.SecVar{Type: b.Int("int", 4, 1)})
		}, "of kind int"},
		{"tag on a tag", func(b *btftest.Builder) btftest.ID {
			s := b.Struct("s", 0)
			return b.DeclTag("y", b.DeclTag("x", s, -1), -1)
		}, "of kind decl_tag"},
		{"tag on void", func(b *btftest.Builder) btftest.ID { return b.DeclTag("x", none, -1) }, "void"},
		{"tag on a pointer", func(b *btftest.Builder) btftest.ID { return b.DeclTag("x", b.Ptr(none), -1) }, "of kind ptr"},
		{"tag on a member that is not there", func(b *btftest.Builder) btftest.ID {
			i := b.Int("int", 4, 1)
			return b.DeclTag("x", b.Struct("s", 4, btftest.Field("m", i, 0)), 1)
		}, "component 1"},
		{"tag on a parameter that is not there", func(b *btftest.Builder) btftest.ID {
			return b.DeclTag("x", b.Func("f", b.FuncProto(none), 0), 0)
		}, "component 0"},
		{"tag on a typedef's member", func(b *btftest.Builder) btftest.ID { return b.DeclTag("x", b.Typedef("t", none), 0) }, "component 0"},
		{"tag on component -2", func(b *btftest.Builder) btftest.ID { return b.DeclTag("x", b.Struct("s", 0), -2) }, "component -2"},

		{"int of no size with a bit", func(b *btftest.Builder) btftest.ID { return b.IntBits("int", 0, 0, 0, 1) }, "1 bits at bit 0 do not fit its size of 0 bytes"},
		{"int of no size at a bit", func(b *btftest.Builder) btftest.ID { return b.IntBits("int", 0, 0, 1, 0) }, "0 bits at bit 1 do not fit its size of 0 bytes"},
		{"int of too many bytes", func(b *btftest.Builder) btftest.ID { return b.IntBits("int", 17, 0, 0, 128) }, "17 bytes"},
		{"int of too many bits", func(b *btftest.Builder) btftest.ID { return b.IntBits("int", 4, 0, 0, 33) }, "33 bits"},
		{"int with bits at its end", func(b *btftest.Builder) btftest.ID { return b.IntBits("int", 4, 0, 30, 3) }, "3 bits at bit 30"},
		{"enum of 3 bytes", func(b *btftest.Builder) btftest.ID { return b.Enum("e", 3) }, "3 bytes"},
		{"enum of no size", func(b *btftest.Builder) btftest.ID { return b.Enum64("e", 0, btftest.Val("A", 1)) }, "0 bytes"},
		{"member that is an enum of no size", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("e", b.Enum("e", 0), 0))
		}, "no size"},
		{"array of an enum of no size", func(b *btftest.Builder) btftest.ID {
			return b.Array(b.Enum("e", 0), b.Int("int", 4, 1), 1)
		}, "no size"},
		{"float of 3 bytes", func(b *btftest.Builder) btftest.ID { return b.Float("f", 3) }, "3 bytes"},

		{"array of functions", func(b *btftest.Builder) btftest.ID {
			return b.Array(b.FuncProto(none), b.Int("int", 4, 1), 1)
		}, "no size"},
		{"array of a declared record", func(b *btftest.Builder) btftest.ID {
			return b.Array(b.Typedef("t", b.FwdStruct("f")), b.Int("int", 4, 1), 1)
		}, "no size"},
		{"array of 65 dimensions", func(b *btftest.Builder) btftest.ID {
			i := b.Int("int", 4, 1)
			id := i
			for range 65 {
				id = b.Array(id, i, 1)
			}
			return id
		}, "dimensions"},

		{"void member outside", func(b *btftest.Builder) btftest.ID { return b.Struct("s", 4, btftest.Field("m", none, 40)) }, `member 0 ("m")`},
		{"void bitfield", func(b *btftest.Builder) btftest.ID { return b.StructFlagged("s", 4, btftest.Bitfield("m", none, 0, 3)) }, `member 0 ("m")`},
		{"declared member", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.FwdStruct("f"), 0))
		}, "kind fwd"},
		{"function member", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.Const(b.FuncProto(none)), 0))
		}, "kind func_proto"},
		{"member past the record", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.Int("int", 4, 1), 8))
		}, "outside of the 4 bytes"},
		{"member far past the record", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.Int("int", 4, 1), huge32-7))
		}, "outside of the 4 bytes"},
		{"array member that is too long", func(b *btftest.Builder) btftest.ID {
			i := b.Int("int", 4, 1)
			return b.Struct("s", 4, btftest.Field("m", b.Array(b.Array(i, i, huge32), i, huge32), 0))
		}, "outside of the 4 bytes"},
		{"bitfield past the record", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Bitfield("m", b.Int("int", 4, 1), 31, 2))
		}, "outside of the 4 bytes"},
		{"bitfield wider than its type", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 8, btftest.Bitfield("m", b.Int("int", 4, 1), 0, 33))
		}, "33 bits"},
		{"bitfield of a pointer", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 8, btftest.Bitfield("m", b.Ptr(none), 0, 3))
		}, "kind ptr"},
		{"legacy bitfield past the record", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.IntBits("int", 4, 0, 5, 3), 25))
		}, "outside of the 4 bytes"},
		{"legacy bitfield whose offset overflows", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 4, btftest.Field("m", b.IntBits("int", 4, 0, 5, 3), huge32))
		}, "outside of the 4 bytes"},
		{"member between bytes", func(b *btftest.Builder) btftest.ID {
			return b.Struct("s", 8, btftest.Field("m", b.Int("int", 4, 1), 3))
		}, "at bit offset 3"},

		{"typedef of itself", func(b *btftest.Builder) btftest.ID { return b.Typedef("t", 1) }, `typedef "t"): refers to itself`},
		{"pointer to itself", func(b *btftest.Builder) btftest.ID { return b.Ptr(1) }, "refers to itself"},
		{"array of itself", func(b *btftest.Builder) btftest.ID { return b.Array(1, none, 1) }, "refers to itself"},
		{"ring of qualifiers", func(b *btftest.Builder) btftest.ID {
			first := b.Reserve()
			last := b.Const(b.Volatile(b.TypeTag("x", b.Restrict(b.Ptr(first)))))
			return b.At(first).Typedef("t", last)
		}, "refers to itself"},
		{"struct in itself", func(b *btftest.Builder) btftest.ID { return b.Struct("s", 4, btftest.Field("m", 1, 0)) }, `struct "s"): contains itself`},
		{"empty struct in itself", func(b *btftest.Builder) btftest.ID { return b.Struct("s", 0, btftest.Field("m", 1, 0)) }, "contains itself"},
		{"union in itself, behind typedefs", func(b *btftest.Builder) btftest.ID {
			u := b.Reserve()
			return b.At(u).Union("u", 4, btftest.Field("m", b.Typedef("t", b.Const(u)), 0))
		}, "contains itself"},
		{"struct in an array of no elements in itself", func(b *btftest.Builder) btftest.ID {
			s := b.Reserve()
			return b.At(s).Struct("s", 4, btftest.Field("m", b.Array(s, none, 0), 32))
		}, "contains itself"},
		{"ring of smaller records, and an array of no elements", func(b *btftest.Builder) btftest.ID {
			least := b.Reserve()
			middle := b.Union("middle", 16, btftest.Field("a", b.Typedef("t", b.Array(least, none, 1)), 0), btftest.Field("b", b.Ptr(least), 0))
			most := b.Struct("most", 32, btftest.Field("p", b.Ptr(least), 0), btftest.Field("m", b.Const(middle), 64))
			return b.At(least).Struct("least", 8, btftest.Field("p", b.Ptr(least), 0), btftest.Field("m", b.Array(b.Array(most, none, 3), none, 0), 64))
		}, "contains itself"},
		{"ring of records", func(b *btftest.Builder) btftest.ID {
			first := b.Reserve()
			second := b.Union("two", 8, btftest.Field("m", first, 0))
			third := b.Struct("three", 8, btftest.Field("m", second, 0))
			return b.At(first).Struct("one", 8, btftest.Field("x", b.Ptr(first), 0), btftest.Field("m", third, 0))
		}, "contains itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothOrders(t, func(t *testing.T, b *btftest.Builder) {
				id := c.build(b)
				wantFormatError(t, b.Bytes(), id, c.want)
			})
		})
	}
}

// Names come from the input: an error quotes them, and not at any length.
func TestErrorsQuoteNames(t *testing.T) {
	for _, name := range []string{"x; } evil", "a\nb", "\x1b[31m", strings.Repeat("long", 1000)} {
		b := btftest.New()
		b.Typedef(name, 1)
		_, err := btfdump.New(b.Bytes())
		if err == nil {
			t.Fatalf("%.20q: no error", name)
		}
		if msg := err.Error(); strings.ContainsAny(msg, "\n\x1b") || len(msg) > 300 || !strings.Contains(msg, fmt.Sprintf("%.10q", name)[:5]) {
			t.Errorf("message of %d bytes: %q", len(msg), msg)
		}
	}
}

// Wherever a name of more than 4096 bytes lies, it is found, and no other is.
// Other strings may be as long as they like.
func TestLongStrings(t *testing.T) {
	for before := range 40 {
		for _, n := range []int{4095, 4096, 4097, 5000, 20000} {
			b := btftest.New()
			b.Str(strings.Repeat("b", 100*before))
			b.FwdStruct(strings.Repeat("n", n))
			b.Str(strings.Repeat("a", 3000))
			_, err := btfdump.New(b.Bytes())
			if want := fmt.Sprintf("has %d bytes, more than 4096", n); n > 4096 && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d bytes after %d: want an error with %q, have %v", n, 100*before, want, err)
			} else if n <= 4096 && err != nil {
				t.Errorf("%d bytes after %d: %v", n, 100*before, err)
			}
			b = btftest.New()
			b.Str(strings.Repeat("b", 100*before))
			b.Str(strings.Repeat("n", n))
			b.Int("int", 4, 0)
			end := b.Str(strings.Repeat("e", 5000)) + 1000
			b.FwdStruct("x")
			raw := b.Bytes()
			binary.LittleEndian.PutUint32(raw[24+16:], end) // the name behind the header and the int
			if v, err := btfdump.New(raw); err != nil {
				t.Errorf("%d bytes that are no name, after %d: %v", n, 100*before, err)
			} else if got := v.Type(2).Name(); got != strings.Repeat("e", 4000) {
				t.Errorf("the end of a long string is %.20q, with %d bytes", got, len(got))
			}
		}
	}
}

// What looks like those cases, but is legal.
func TestNotCorrupt(t *testing.T) {
	b := btftest.New()
	i32 := b.Int("int", 4, 1)
	s := b.Reserve()
	ptr := b.Ptr(b.Const(b.Typedef("s_t", s)))
	b.At(s).Struct("self", 8, btftest.Field("next", ptr, 0), btftest.Field("all", b.Array(ptr, i32, 0), 64))
	inner := b.Struct("inner", 8, btftest.Field("a", ptr, 0))
	b.Union("same size", 8, btftest.Field("", inner, 0), btftest.Field("x", inner, 0), btftest.Field("y", s, 0))
	b.Struct("flex", 4, btftest.Field("n", i32, 0), btftest.Field("tail", b.Array(inner, i32, 0), 32))
	id := i32
	for range 60 {
		id = b.Array(id, i32, 1)
	}
	b.Typedef("deep", id)
	b.Struct("empties", 0, btftest.Field("a", b.Struct("", 0), 0), btftest.Field("b", b.Union("", 0), 0))
	b.Var("percpu", b.Volatile(btftest.Void), 0)
	b.FuncProto(b.FwdStruct("by value"), btftest.Arg("f", b.FwdUnion("by value")))
	// The members of a record whose int alone is a bitfield.
	b.Struct("bits", 4, btftest.Bitfield("a", b.Typedef("u", b.Enum("e", 4)), 1, 31))
	v := mustNew(t, b.Bytes())
	if err := walk(v); err != nil {
		t.Error(err)
	}
}

// mutants are a few blobs with everything in them, as bytes.
func mutants(order binary.AppendByteOrder) (base, split []byte) {
	b := btftest.New()
	b.Order = order
	b.HeaderLen = 32
	b.Layout = append(btftest.StandardLayout(), btftest.LayoutEntry{InfoSize: 4, ElemSize: 8})
	sample(b)
	b.Raw(20, "", 1, false, 0, 1, 2, 3)
	s := b.Split()
	s.HeaderLen, s.Layout = 24, nil
	sample(s)
	return b.Bytes(), s.Bytes()
}

// try reads raw, which may be damaged, and checks the view if there is one.
func try(raw []byte, base *btfdump.View) (*btfdump.View, error) {
	v, err := btfdump.New(raw)
	if base != nil {
		v, err = btfdump.NewSplit(raw, base)
	}
	if err != nil {
		return nil, err
	}
	return v, walk(v)
}

func TestTruncatedAnywhere(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		raw, split := mutants(order)
		base := mustNew(t, raw)
		for n := range raw {
			if _, err := btfdump.New(raw[:n:n]); err == nil {
				t.Errorf("%v: %d of %d bytes are accepted", order, n, len(raw))
			}
		}
		for n := range split {
			if _, err := btfdump.NewSplit(split[:n:n], base); err == nil {
				t.Errorf("%v: %d of %d bytes of a split are accepted", order, n, len(split))
			}
		}
	}
}

// Every word of a small BTF is replaced by values at the edges of what it can
// mean. Some results are valid; those have to hang together.
func TestEveryWordMutated(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		raw, split := mutants(order.(binary.AppendByteOrder))
		base := mustNew(t, raw)
		for _, blob := range []struct {
			name string
			raw  []byte
			base *btfdump.View
		}{{"base", raw, nil}, {"split", split, base}} {
			accepted, refused := 0, 0
			for at := 0; at+4 <= len(blob.raw); at += 4 {
				was := order.Uint32(blob.raw[at:])
				values := []uint32{
					0, 1, 2, 3, 4, 7, 8, 12, 24, 127, 128, 255, 256, 65535, 65536, 1 << 24, 1<<24 - 1, 1<<31 - 1, 1 << 31,
					huge32, huge32 - 1, huge32 - 3, huge32 - 7, was + 1, was - 1, was + 4, was - 4, was * 2, ^was,
					uint32(len(blob.raw)), uint32(len(blob.raw)) - 32,
				}
				for bit := range 32 {
					values = append(values, was^1<<bit)
				}
				for _, value := range values {
					mutant := append([]byte{}, blob.raw...)
					order.PutUint32(mutant[at:], value)
					v, err := try(mutant, blob.base)
					if v == nil {
						refused++
					} else if accepted++; err != nil {
						t.Errorf("%v %s: word at %d: %#x became %#x: %v", order, blob.name, at, was, value, err)
					}
				}
			}
			if accepted == 0 || refused == 0 {
				t.Errorf("%v %s: %d accepted, %d refused: nothing was tried", order, blob.name, accepted, refused)
			}
		}
	}
}
