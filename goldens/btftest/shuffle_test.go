package btftest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	btfspec "github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// Shuffled BTF reads as the same types to cilium/ebpf, in another order.
func TestShuffleKeepsTypes(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := btftest.New()
		b.Order = order
		b.HeaderLen, b.Layout = 32, btftest.StandardLayout()
		n := len(everyKind(b))
		raw := b.Bytes()
		shuffled := btftest.Shuffle(raw, 1)
		if len(shuffled) != len(raw) {
			t.Fatalf("%d bytes became %d", len(raw), len(shuffled))
		}
		if !bytes.Equal(shuffled, btftest.Shuffle(raw, 1)) {
			t.Error("the same seed gave two orders")
		}
		if bytes.Equal(shuffled, raw) || bytes.Equal(shuffled, btftest.Shuffle(raw, 2)) {
			t.Error("the seed changes nothing")
		}
		got, want := unfold(t, shuffled, n), unfold(t, raw, n)
		if slices.Equal(got, want) {
			t.Error("the order is the same")
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("shuffled:\n%q\noriginal:\n%q", got, want)
		}
	}
}

// unfold describes the first n types of raw with descriptions in place of IDs,
// to a depth that tells these few types apart.
func unfold(t *testing.T, raw []byte, n int) []string {
	spec := parse(t, raw, nil)
	var to func(depth int) func(btfspec.Type) string
	to = func(depth int) func(btfspec.Type) string {
		return func(typ btfspec.Type) string {
			if depth == 0 {
				return "..."
			}
			return "{" + describeType(typ, to(depth-1)) + "}"
		}
	}
	var lines []string
	for id := 1; id <= n; id++ {
		lines = append(lines, describeType(typeByID(t, spec, btftest.ID(id)), to(5)))
	}
	return lines
}

func TestShuffleSplitLeavesTheBaseAlone(t *testing.T) {
	base := btftest.New()
	u32 := base.Int("unsigned int", 4, 0)
	split := base.Split()
	for i := range 20 {
		p := split.Ptr(u32)
		split.Struct(fmt.Sprintf("s%d", i), 16, btftest.Field("u", u32, 0), btftest.Field("p", p, 64))
	}
	shuffled := btftest.ShuffleSplit(split.Bytes(), base.Bytes(), 3)
	spec := parse(t, shuffled, parse(t, base.Bytes(), nil))
	for i := range 20 {
		var s *btfspec.Struct
		if err := spec.TypeByName(fmt.Sprintf("s%d", i), &s); err != nil {
			t.Fatal(err)
		}
		u, ok := s.Members[0].Type.(*btfspec.Int)
		if !ok || u.Name != "unsigned int" {
			t.Errorf("s%d.u became %v", i, s.Members[0].Type)
		}
		if p, ok := s.Members[1].Type.(*btfspec.Pointer); !ok || p.Target != btfspec.Type(u) {
			t.Errorf("s%d.p became %v", i, s.Members[1].Type)
		}
	}
}

func TestShuffleWholeKernel(t *testing.T) {
	for _, name := range []string{"s390x-6.12", "x86_64-layout-section"} {
		raw := btftest.Corpus(t, name)
		shuffled := btftest.Shuffle(raw, 7)
		if btftest.CountTypes(shuffled) != btftest.CountTypes(raw) {
			t.Fatalf("%s: %d types became %d", name, btftest.CountTypes(raw), btftest.CountTypes(shuffled))
		}
		var before, after *btfspec.Struct
		if err := parse(t, raw, nil).TypeByName("task_struct", &before); err != nil {
			t.Fatal(err)
		}
		if err := parse(t, shuffled, nil).TypeByName("task_struct", &after); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%3v", after), fmt.Sprintf("%3v", before); got != want {
			t.Errorf("%s: task_struct became\n%s\nfrom\n%s", name, got, want)
		}
	}
}
