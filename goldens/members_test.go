package goldens_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Records that keep members drawn by lot have their size, and those members
// their places: half of all records of a kernel, with a third of their members.
func TestPrunedRecordsHold(t *testing.T) {
	for _, name := range []string{"amd64-7.2-cloud", "armhf-6.1", "s390x-6.12"} {
		t.Run(name, func(t *testing.T) {
			v := readView(t, btftest.Corpus(t, name))
			whole, err := cgen.NewPlan(v, nil, cgen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			equal := make(map[btfdump.TypeID]bool)
			for _, ids := range whole.Index().Equal {
				for _, id := range ids {
					equal[id] = true
				}
			}
			lot := rand.New(rand.NewPCG(1, 2))
			members := btfdump.NewMemberSet()
			kept, dropped := 0, 0
			for typ := range v.All() {
				// Of records that are equal, all have to keep the same, so those
				// that have one are left whole.
				if !typ.Kind().IsRecord() || equal[typ.ID()] {
					members.AddAll(typ.ID())
					continue
				}
				for i := range typ.NumMembers() {
					if lot.IntN(3) == 0 {
						members.Add(typ.ID(), i)
						kept++
					} else {
						dropped++
					}
				}
			}
			if kept < 10000 || dropped < 20000 {
				t.Fatalf("%d members kept, %d dropped", kept, dropped)
			}
			var roots []btfdump.TypeID
			for typ := range v.All() {
				if typ.Kind().IsRecord() && typ.HasName() && lot.IntN(2) == 0 {
					roots = append(roots, typ.ID())
				}
			}
			set := v.ClosureOf(roots, btfdump.PointersForward, members)
			plan, err := cgen.NewPlan(v, set, cgen.Options{Members: members})
			if err != nil {
				t.Fatal(err)
			}
			text, err := plan.Print()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "vmlinux.h")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range []clangtest.Clang{clangtest.Compilers(t)[0], clangtest.Newest(t)} {
				r, err := verify.Header(context.Background(), path, v, set, verify.Options{Clang: c.Name, Members: members, Fast: true})
				if err != nil {
					t.Fatal(err)
				}
				if !r.Holds() || len(r.Absent) > 0 {
					t.Errorf("%s: %d errors, %d mismatches, %d absent", c.Name, len(r.Errors), len(r.Mismatches), len(r.Absent))
					for _, m := range r.Mismatches[:min(len(r.Mismatches), 10)] {
						t.Errorf("%+v", m)
					}
					for _, e := range r.Errors[:min(len(r.Errors), 10)] {
						t.Error(e)
					}
				}
				if r.Counts.Records < 2000 || r.Counts.Members < 3000 {
					t.Errorf("%s: compared %+v", c.Name, r.Counts)
				}
			}
		})
	}
}
