package btftest_test

import (
	"bytes"
	"fmt"

	btfspec "github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/goldens/btftest"
)

func Example() {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, btftest.Unsigned)
	node := b.Reserve()
	next := b.Ptr(node)
	b.At(node).Struct("node", 16, btftest.Field("next", next, 0), btftest.Field("value", u32, 64))

	spec, err := btfspec.LoadSpecFromReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		fmt.Println(err)
		return
	}
	var s *btfspec.Struct
	if err := spec.TypeByName("node", &s); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range s.Members {
		fmt.Printf("%s at byte %d: %T\n", m.Name, m.Offset.Bytes(), m.Type)
	}
	// Output:
	// next at byte 0: *btf.Pointer
	// value at byte 8: *btf.Int
}
