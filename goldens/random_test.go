package goldens_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Types of which clang made the BTF must come out as clang has them.
func TestRandomTypes(t *testing.T) {
	for seed := range uint64(10) {
		target := []string{"bpfel", "bpfeb"}[seed%2]
		t.Run(fmt.Sprint(target, seed), func(t *testing.T) {
			t.Parallel()
			source := clangtest.RandomTypes(rand.New(rand.NewPCG(seed, 0)))
			v := readView(t, clangtest.Newest(t).BTF(t, source, target, "-w"))
			_, text := header(t, v, cgen.Options{NoProvenance: true})
			compileEverywhere(t, v, text, "")
			if r := mustHold(t, v, text); r.Counts.Records == 0 {
				t.Error("no record was compared")
			}
			if t.Failed() {
				t.Log(source)
			}
		})
	}
}
