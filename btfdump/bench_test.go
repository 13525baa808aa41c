package btfdump_test

import (
	"fmt"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

var sink uint64

// readEverything is what a printer does with a view, without printing.
func readEverything(v *btfdump.View) (n uint64) {
	for t := range v.All() {
		n += uint64(t.Kind()) + uint64(len(t.Name())) + uint64(t.Size()) + uint64(t.Ref()) + v.SizeOf(t.ID())
		for _, m := range t.Members() {
			n += uint64(len(m.Name)) + uint64(m.Type) + uint64(m.BitOffset) + uint64(m.BitSize)
		}
		for _, p := range t.Params() {
			n += uint64(len(p.Name)) + uint64(p.Type)
		}
		for _, e := range t.Enumerators() {
			n += uint64(len(e.Name)) + e.Value
		}
		for i := range t.NumSectionVars() {
			n += uint64(t.SectionVar(i).Type)
		}
	}
	return n
}

func TestReadingAllocatesNothing(t *testing.T) {
	for _, k := range btftest.Kernels {
		if k.Name != "amd64-7.2-cloud.btrfs" && k.Name != "s390x-6.12" && k.Name != "armhf-6.1" {
			continue
		}
		v := corpusView(t, k)
		if n := testing.AllocsPerRun(1, func() { sink += readEverything(v) }); n != 0 {
			t.Errorf("%s: reading every type allocates %v times", k.Name, n)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	raw := btftest.Corpus(b, "amd64-7.2-cloud")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := btfdump.New(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadEverything(b *testing.B) {
	v := mustNew(b, btftest.Corpus(b, "amd64-7.2-cloud"))
	b.ReportAllocs()
	for b.Loop() {
		sink += readEverything(v)
	}
}

// BenchmarkNewGrowth reads synthetic BTF that grows tenfold: ns/type stays.
func BenchmarkNewGrowth(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			build := btftest.New()
			inner := build.Int("int", 4, 1)
			for build.NextID() < btftest.ID(n) {
				inner = build.Struct("s", 8, btftest.Field("inner", inner, 0), btftest.Field("next", build.Ptr(inner), 0))
			}
			raw := build.Bytes()
			for b.Loop() {
				if _, err := btfdump.New(raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/type")
		})
	}
}
