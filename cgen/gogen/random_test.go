package gogen_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Go must lay types out as clang has them.
func TestRandomTypes(t *testing.T) {
	for seed := range uint64(20) {
		target := []string{"bpfel", "bpfeb"}[seed%2]
		t.Run(fmt.Sprint(target, seed), func(t *testing.T) {
			t.Parallel()
			source := clangtest.RandomTypes(rand.New(rand.NewPCG(seed, 1)))
			v := view(t, clangtest.Newest(t).BTF(t, source, target, "-w"))
			checkCode(t, v, generate(t, v, nil, gogen.Options{}))
			if t.Failed() {
				t.Log(source)
			}
		})
	}
}
