package btfdump_test

import (
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestMemberSet(t *testing.T) {
	var all *btfdump.MemberSet
	if !all.Has(3, 200) {
		t.Error("a nil set lacks a member")
	}
	s := btfdump.NewMemberSet()
	if s.Has(3, 200) || !s.Add(3, 200) || s.Add(3, 200) || !s.Has(3, 200) || s.Has(3, 199) || s.Has(4, 200) {
		t.Error("a member was added to a set, and is not the only one there")
	}
	if !s.AddAll(4) || s.AddAll(4) || !s.Has(4, 0) || !s.Has(4, 5000) || s.Add(4, 7) {
		t.Error("all members of a record were added, and are not there")
	}
}

// What members that are not kept refer to is not needed.
func TestClosureOfMembers(t *testing.T) {
	b := btftest.New()
	i32 := b.Int("int", 4, 1)
	u64 := b.Int("long long unsigned int", 8, 0)
	word := b.Typedef("u64", u64)
	inner := b.Struct("inner", 12, btftest.Field("w", word, 0), btftest.Field("i", i32, 64))
	choice := b.Union("", 8, btftest.Field("w", word, 0), btftest.Field("i", i32, 0))
	outer := b.Struct("outer", 24, btftest.Field("in", inner, 0), btftest.Field("", choice, 96))
	v := mustNew(t, b.Bytes())
	for _, c := range []struct {
		what string
		keep map[btftest.ID][]int
		want []btftest.ID
	}{
		{"nothing", nil, []btftest.ID{outer}},
		{"a record without its members", map[btftest.ID][]int{outer: {0}}, []btftest.ID{inner, outer}},
		{"a member of it", map[btftest.ID][]int{outer: {0}, inner: {1}}, []btftest.ID{i32, inner, outer}},
		{"a member of a member without a name", map[btftest.ID][]int{outer: {1}, choice: {0}}, []btftest.ID{u64, word, choice, outer}},
	} {
		members := btfdump.NewMemberSet()
		for id, list := range c.keep {
			for _, i := range list {
				members.Add(btfdump.TypeID(id), i)
			}
		}
		var want []btfdump.TypeID
		for _, id := range c.want {
			want = append(want, btfdump.TypeID(id))
		}
		got := slices.Collect(v.ClosureOf([]btfdump.TypeID{btfdump.TypeID(outer)}, btfdump.PointersForward, members).All())
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", c.what, got, want)
		}
	}
}
