package cgen_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// The README says how many types of one name there may be: that many are taken,
// also where they need more text than their BTF has bytes, and one more is not.
func TestTypesOfOneName(t *testing.T) {
	for name, add := range map[string]func(b *btftest.Builder, i int){
		"padded structs": func(b *btftest.Builder, i int) {
			b.Struct("s", uint32(4*(i+1)), btftest.Member{Name: "m", Type: 1})
		},
		"typedefs": func(b *btftest.Builder, i int) {
			b.Typedef("s", b.Array(1, 1, uint32(i+1)))
		},
		"enumerators": func(b *btftest.Builder, i int) {
			b.Enum("", 4, btftest.Val("s", i))
		},
	} {
		for _, n := range []int{1024, 1025} {
			b := btftest.New()
			b.Int("int", 4, btftest.Signed)
			for i := range n {
				add(b, i)
			}
			v, err := btfdump.New(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			var typeError *cgen.TypeError
			text, err := makeHeader(v, nil, cgen.Options{})
			switch {
			case n == 1024 && (err != nil || !strings.Contains(string(text), "s")):
				t.Errorf("%d %s: %v", n, name, err)
			case n > 1024 && (!errors.As(err, &typeError) || !strings.Contains(err.Error(), `"s"`) || !strings.Contains(err.Error(), "more than 1024")):
				t.Errorf("%d %s: want an error that names them, have %v", n, name, err)
			}
		}
	}
}
