package gogen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// many is how many types, members or enumerators the blobs below have: enough
// that a step for each pair of them would take minutes.
const many = 30000

// suffixes adds a string of underscores with an x behind it, and returns where
// its last n suffixes start: names that are stored once, and that ask for the
// same name in Go.
func suffixes(b *btftest.Builder, n int) uint32 {
	return b.RawString([]byte(strings.Repeat("_", n) + "x\x00"))
}

// outOfProportion are blobs that take work or give text out of proportion to
// their size unless that is seen to. Each gives Go code, or an error with the
// text given.
var outOfProportion = map[string]struct {
	build func(b *btftest.Builder)
	err   string
}{
	"typedefs of each other": {func(b *btftest.Builder) {
		id := b.Int("int", 4, btftest.Signed)
		for i := range many {
			id = b.Typedef(fmt.Sprint("t", i), id)
		}
	}, ""},
	"typedefs of each other, at last of a record without a name": {func(b *btftest.Builder) {
		id := b.Struct("", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
		for i := range many {
			id = b.Typedef(fmt.Sprint("t", i), id)
		}
	}, ""},
	"typedefs of each other, all of one name": {func(b *btftest.Builder) {
		id := b.Int("int", 4, btftest.Signed)
		for range many {
			id = b.Typedef("t", id)
		}
	}, ""},
	"typedefs of one name, each of another array": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		for i := range many {
			b.Typedef("t", b.Array(u, u, uint32(i)))
		}
	}, "more than 1024 different types"},
	"structs of one name": {func(b *btftest.Builder) {
		for i := range many {
			b.Struct("s", uint32(i))
		}
	}, "more than 1024 different types"},
	"as many structs of one name as there may be": {func(b *btftest.Builder) {
		for i := range 1024 {
			b.Struct("s", uint32(i))
		}
	}, ""},
	"enumerators of one name": {func(b *btftest.Builder) {
		for i := range many {
			b.Enum(fmt.Sprint("e", i), 4, btftest.Val("A", i))
		}
	}, "enumerator \"A\": more than 1024"},
	"enumerators of one name in one enum": {func(b *btftest.Builder) {
		values := make([]btftest.Enumerator, many)
		for i := range values {
			values[i] = btftest.Val("A", i)
		}
		b.Enum("e", 4, values...)
	}, "enumerator \"A\": more than 1024"},
	"qualifiers of each other, and members with them": {func(b *btftest.Builder) {
		id := b.Int("int", 4, btftest.Signed)
		for range many {
			id = b.Const(id)
		}
		members := make([]btftest.Member, many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), id, uint32(32*i))
		}
		b.Struct("s", 4*many, members...)
	}, ""},
	"members whose names are ends of each other": {func(b *btftest.Builder) {
		const n = 4000
		id, at := b.Int("char", 1, btftest.Signed), suffixes(b, n)
		var tail []uint32
		for i := range uint32(n) {
			tail = append(tail, at+i, uint32(id), 8*i)
		}
		b.Raw(btftest.KindStruct, "s", n, false, n, tail...)
	}, "far larger than the BTF"},
	"members of a union whose names are ends of each other": {func(b *btftest.Builder) {
		const n = 4000
		id, at := b.Int("char", 1, btftest.Signed), suffixes(b, n)
		var tail []uint32
		for i := range uint32(n) {
			tail = append(tail, at+i, uint32(id), 0)
		}
		b.Raw(btftest.KindUnion, "u", n, false, 1, tail...)
	}, "far larger than the BTF"},
	"long names of records in each other": {func(b *btftest.Builder) {
		name, u := strings.Repeat("n", 4000), b.Int("int", 4, btftest.Signed)
		members := make([]btftest.Member, 1000)
		for i := range members {
			members[i] = btftest.Bitfield(fmt.Sprint("m", i), u, uint32(i), 1)
		}
		id := b.Struct("", 128, members...)
		for range 16 {
			id = b.Struct("", 128, btftest.Field(name, id, 0))
		}
		b.Struct("s", 128, btftest.Field(name, id, 0))
	}, "far larger than the BTF"},
	"members that each need bytes of their own": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		members := make([]btftest.Member, 2*many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), u, uint32(8+40*i))
		}
		b.Struct("s", 10*many+1, members...)
	}, "far larger than the BTF"},
	"more members than a record may have": {func(b *btftest.Builder) {
		u := b.Int("char", 1, btftest.Signed)
		members := make([]btftest.Member, 1<<16)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), u, uint32(8*i))
		}
		b.Struct("s", 1<<16, members...)
	}, "more than 65535 members"},
	"a long name among short ones": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		members := make([]btftest.Member, many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), u, uint32(32*i))
		}
		members[0].Name = strings.Repeat("n", 4000)
		b.Struct("s", 4*many, members...)
	}, "far larger than the BTF"},
	"a long enumerator among short ones": {func(b *btftest.Builder) {
		values := make([]btftest.Enumerator, many)
		for i := range values {
			values[i] = btftest.Val(fmt.Sprint("A", i), i)
		}
		values[0].Name = strings.Repeat("n", 4000)
		b.Enum("e", 4, values...)
	}, "far larger than the BTF"},
	"arrays of arrays": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		id := u
		for range 60 {
			id = b.Array(id, u, 1)
		}
		members := make([]btftest.Member, many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), id, uint32(32*i))
		}
		b.Struct("s", 4*many, members...)
	}, "far larger than the BTF"},
	"maps of one type with many members": {func(b *btftest.Builder) {
		u := b.Int("int", 4, btftest.Signed)
		members := make([]btftest.Member, many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), u, uint32(32*i))
		}
		s := b.Struct("s", 4*many, members...)
		vars := make([]btftest.SecVar, many)
		for i := range vars {
			vars[i] = btftest.SecVar{Type: b.Var(fmt.Sprint("v", i), s, btftest.Global), Offset: uint32(i), Size: 1}
		}
		b.Datasec(".maps", many, vars...)
	}, ""},
	"members of one record in many others": {func(b *btftest.Builder) {
		u := b.Int("char", 1, btftest.Signed)
		members := make([]btftest.Member, many)
		for i := range members {
			members[i] = btftest.Field(fmt.Sprint("m", i), u, uint32(8*i))
		}
		s := b.Struct("", many, members...)
		for i := range many {
			b.Struct(fmt.Sprint("s", i), many, btftest.Field("", s, 0))
		}
	}, "far larger than the BTF"},
	"enumerators whose names are ends of each other": {func(b *btftest.Builder) {
		const n = 4000
		at := suffixes(b, n)
		var tail []uint32
		for i := range uint32(n) {
			tail = append(tail, at+i, i)
		}
		b.Raw(btftest.KindEnum, "e", n, false, 4, tail...)
	}, "share their bytes in the string section"},
}

func TestOutOfProportion(t *testing.T) {
	for name, c := range outOfProportion {
		t.Run(name, func(t *testing.T) {
			b := btftest.New()
			c.build(b)
			v := view(t, b.Bytes())
			src, err := gogen.Generate(v, nil, gogen.Options{})
			if c.err != "" {
				var typeErr *gogen.TypeError
				if err == nil || !strings.Contains(err.Error(), c.err) || !errors.As(err, &typeErr) {
					t.Fatalf("%d bytes of BTF give %d bytes of Go and the error %v, want %q about a type", v.RawLen(), len(src), err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Type-checking all that takes long, and the names are what matters.
			seen := make(map[string]bool)
			for _, name := range declared(src) {
				if seen[name] {
					t.Fatalf("%s is declared twice", name)
				}
				seen[name] = true
			}
			if len(seen) == 0 {
				t.Error("nothing is declared")
			}
		})
	}
}

// declared returns the types and constants that a file declares.
func declared(src []byte) []string {
	var names []string
	for line := range strings.Lines(string(src)) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "type "):
			names = append(names, words[1])
		case len(words) > 4 && (words[1] == "=" || words[2] == "=") && words[0] != "_": // with a comment
			names = append(names, words[0])
		}
	}
	return names
}
