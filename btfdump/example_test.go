package btfdump_test

import (
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func Example() {
	b := btftest.New()
	i32 := b.Int("int", 4, btftest.Signed)
	b.Struct("point", 8, btftest.Field("x", i32, 0), btftest.Field("y", i32, 32))
	raw := b.Bytes() // in real life: /sys/kernel/btf/vmlinux

	v, err := btfdump.New(raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range v.Lookup("point", btfdump.KindStruct) {
		t := v.Type(id)
		fmt.Printf("%s %s: %d bytes\n", t.Kind(), t.Name(), t.Size())
		for _, m := range t.Members() {
			fmt.Printf("  %s %s at bit %d\n", v.Type(m.Type).Name(), m.Name, m.BitOffset)
		}
	}
	// Output:
	// struct point: 8 bytes
	//   int x at bit 0
	//   int y at bit 32
}
