package main

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// The header of a subset is the header that --type makes from the whole kernel:
// nothing that a header needs is lost on the way, and nothing else comes along
// but forward declarations. Those are types of the subset, and a header of all
// of its types has them even where no declaration needs one before it. And a
// name that another type of the kernel has too gets its ___2 only where that is
// there.
func TestHeaderOfSubset(t *testing.T) {
	for _, kernel := range btftest.Kernels {
		if kernel.Base != "" && kernel.Base != "amd64-7.2-cloud" && kernel.Base != "s390x-6.12" {
			continue // a distilled base has no types of interest
		}
		t.Run(kernel.Name, func(t *testing.T) {
			var view *btfdump.View
			var err error
			raw := btftest.Corpus(t, kernel.Name)
			if kernel.Base == "" {
				view, err = btfdump.New(raw)
			} else {
				var base *btfdump.View
				if base, err = btfdump.New(btftest.Corpus(t, kernel.Base)); err == nil {
					view, err = btfdump.NewSplit(raw, base)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			// Not all enums: for nf_nat_manip_type, which is in nf_conntrack with
			// and without enumerators, the subset decides on the plain name anew.
			for _, patterns := range [][]string{
				{"list_head"}, {"task_struct"}, {"sk_buff", "bpf_*"}, {"union *"}, {"enum [a-m]*"}, {"pid_t", "*_t"}, {"x*", "veth*"}, {"func *"},
			} {
				var roots []btfdump.TypeID
				for _, pattern := range patterns {
					ids, err := view.Match(pattern)
					if err != nil {
						t.Fatal(err)
					}
					roots = append(roots, ids...)
				}
				for _, policy := range []btfdump.Policy{btfdump.PointersForward, btfdump.PointersFollowed} {
					set := view.Closure(roots, policy)
					raw, err := view.Subset(set)
					if err != nil {
						t.Fatalf("%q: %v", patterns, err)
					}
					subset, err := btfdump.New(raw)
					if err != nil {
						t.Fatalf("%q: %v", patterns, err)
					}
					want, got := headerOf(t, view, set), headerOf(t, subset, nil)
					if !bytes.Equal(want, got) {
						a, b := firstDifference(want, got)
						t.Errorf("%q, %d: the headers differ:\nof the kernel: %s\nof the subset: %s", patterns, policy, a, b)
					}
				}
			}
		})
	}
}

func headerOf(t *testing.T, view *btfdump.View, set *btfdump.Set) []byte {
	t.Helper()
	plan, err := cgen.NewPlan(view, set, cgen.Options{Kfuncs: true, NoProvenance: true})
	if err != nil {
		t.Fatal(err)
	}
	text, err := plan.Print()
	if err != nil {
		t.Fatal(err)
	}
	return suffix.ReplaceAll(forwardDeclaration.ReplaceAll(text, nil), nil)
}

var (
	forwardDeclaration = regexp.MustCompile(`(?m)^(struct|union) \w+;\n`)
	suffix             = regexp.MustCompile(`___\d+\b`)
)

// firstDifference returns what two texts have from their first different line
// on.
func firstDifference(a, b []byte) (string, string) {
	x, y := bytes.SplitAfter(a, []byte("\n")), bytes.SplitAfter(b, []byte("\n"))
	i := 0
	for i < min(len(x), len(y)) && bytes.Equal(x[i], y[i]) {
		i++
	}
	some := func(lines [][]byte) string {
		return string(bytes.Join(lines[min(i, len(lines)):min(i+5, len(lines))], nil))
	}
	return some(x), some(y)
}
