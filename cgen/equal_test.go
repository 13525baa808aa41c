package cgen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// groupsOf returns the ambiguous types of a view, as newNaming finds them.
func groupsOf(t *testing.T, v *btfdump.View) [][]named {
	t.Helper()
	all, err := collect(v)
	if err != nil {
		t.Fatal(err)
	}
	all.sort()
	var groups [][]named
	all.runs(func(_ string, run []named) {
		if len(run) > 1 {
			groups = append(groups, run)
		}
	})
	return groups
}

// plainLabels computes labels of all types in the way that defines them: without
// looking for copies first. As names have labels that stand for no others, each
// type is its own class.
func plainLabels(t *testing.T, v *btfdump.View, groups [][]named) map[btfdump.TypeID]hash {
	t.Helper()
	e := equality{view: v, budget: 1 << 30, index: make([]int32, v.NumTypes())}
	var ends []int
	var all []int32
	for _, g := range groups {
		for _, n := range g {
			all = append(all, int32(len(e.types)))
			e.class = append(e.class, int32(len(e.types)))
			e.types = append(e.types, n)
			e.index[n.id] = int32(len(e.types))
			e.label = append(e.label, e.nameLabel(n.id))
		}
		ends = append(ends, len(all))
	}
	for classes := 0; ; {
		next := make([]hash, len(all))
		distinct := make(map[hash]bool)
		for i, n := range e.types {
			next[i] = e.label[i]
			if !n.fwd {
				content, err := e.content(v.Type(n.id))
				if err != nil {
					t.Fatal(err)
				}
				next[i] = next[i].word(uint64(content))
			}
			distinct[next[i]] = true
		}
		if len(distinct) == classes {
			break
		}
		classes = len(distinct)
		e.label = next
		start := 0
		for _, end := range ends {
			e.shareForward(all[start:end])
			start = end
		}
	}
	labels := make(map[btfdump.TypeID]hash)
	for i, n := range e.types {
		labels[n.id] = e.label[i]
	}
	return labels
}

func sameLabels(t *testing.T, v *btfdump.View) {
	t.Helper()
	groups := groupsOf(t, v)
	e := equality{view: v, budget: 1 << 30}
	if err := e.refine(groups); err != nil {
		t.Fatal(err)
	}
	for id, want := range plainLabels(t, v, groups) {
		if got := e.labelOf(id); got != want {
			t.Fatalf("type %d (%q): label %x, want %x", id, v.Type(id).Name(), got, want)
		}
	}
}

// Looking for copies first must not change a label: labels decide which type
// keeps its name.
func TestLabels(t *testing.T) {
	base, err := btfdump.New(btftest.Corpus(t, "amd64-7.2-cloud"))
	if err != nil {
		t.Fatal(err)
	}
	var modules []*btfdump.View
	for _, name := range []string{"bridge", "btrfs", "nf_conntrack", "veth"} {
		m, err := btfdump.NewSplit(btftest.Corpus(t, "amd64-7.2-cloud."+name), base)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, m, m) // a module's copies of its own types too
	}
	joined, err := btfdump.Join(base, modules...)
	if err != nil {
		t.Fatal(err)
	}
	sameLabels(t, joined)
	for seed := range uint64(300) {
		sameLabels(t, randomTypes(t, seed))
	}
}

// randomTypes returns types of few names that refer to each other at random.
func randomTypes(t *testing.T, seed uint64) *btfdump.View {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	b := btftest.New()
	refs := []btftest.ID{b.Int("int", 4, btftest.Signed)}
	var records []btftest.ID
	for range 5 + r.IntN(40) {
		id := b.Reserve()
		records, refs = append(records, id), append(refs, b.Ptr(id))
	}
	name := func() string { return fmt.Sprint("s", r.IntN(3)) }
	for range r.IntN(10) {
		refs = append(refs, b.Ptr(b.FwdStruct(name())), b.Typedef("t", refs[r.IntN(len(refs))]))
	}
	for _, id := range records {
		members := make([]btftest.Member, r.IntN(3))
		for i := range members {
			members[i] = btftest.Field([]string{"a", "b"}[i], refs[r.IntN(len(refs))], uint32(64*i))
		}
		b.At(id).Struct(name(), 16, members...)
	}
	v, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Ten times as many copies of types take ten times the steps, whether they are
// told apart or not.
func TestStepsOfEquality(t *testing.T) {
	steps := func(copies int) int {
		b := btftest.New()
		for i := range copies {
			last := b.Struct("s0", 8, btftest.Field("x", b.Int("int", 4, btftest.Signed), uint32(32*(i%2))))
			for k := range 100 {
				last = b.Struct(fmt.Sprint("s", k+1), 8, btftest.Field("next", b.Ptr(last), 0))
			}
		}
		v, err := btfdump.New(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		const budget = 1 << 30
		e := equality{view: v, budget: budget}
		if err := e.refine(groupsOf(t, v)); err != nil {
			t.Fatal(err)
		}
		return budget - e.budget
	}
	few, many := steps(100), steps(1000)
	if many > 11*few {
		t.Errorf("%d copies take %d steps, %d take %d", 100, few, 1000, many)
	}
	if perType := many / (1000 * 101); perType > 8 {
		t.Errorf("%d steps a type", perType)
	}
}

// Types of which one holds the other count as one only where hashes collide. That is
// an error then, and no loop without an end.
func TestRecordThatCountsAsItsMember(t *testing.T) {
	b := btftest.New()
	inner := b.Struct("inner", 4, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))
	outer := b.Struct("outer", 8, btftest.Field("x", inner, 0))
	last := b.Struct("last", 8, btftest.Field("x", inner, 0))
	v, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(v, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.naming.canon[inner] = btfdump.TypeID(outer)
	p.decideStyles()
	if _, err := p.style(btfdump.TypeID(last)); !errors.Is(err, errNeedsItself) {
		t.Errorf("error %v, want that of a record that needs itself", err)
	}
}
