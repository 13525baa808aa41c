package cgen_test

import (
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// BenchmarkHeader makes the header of a whole kernel: each step by itself, and
// all of them as the command does.
func BenchmarkHeader(b *testing.B) {
	raw := btftest.Corpus(b, "amd64-7.2-cloud")
	view := func() *btfdump.View {
		v, err := btfdump.New(raw)
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	plan := func(v *btfdump.View) *cgen.Plan {
		p, err := cgen.NewPlan(v, nil, cgen.Options{Kfuncs: true})
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	text := func(p *cgen.Plan) {
		if _, err := p.Print(); err != nil {
			b.Fatal(err)
		}
	}
	v := view()
	p := plan(v)
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			view()
		}
	})
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			plan(v)
		}
	})
	b.Run("print", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text(p)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text(plan(view()))
		}
	})
}
