package gogen_test

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func ExampleGenerate() {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, btftest.Unsigned)
	char := b.Int("char", 1, btftest.Signed)
	b.Struct("event", 24, btftest.Field("pid", u32, 0), btftest.Field("comm", b.Array(char, u32, 16), 32),
		btftest.Bitfield("retries", u32, 160, 3))

	view, err := btfdump.New(b.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	set := view.NewSet()
	for _, id := range view.Lookup("event", btfdump.KindStruct) {
		set.Add(id)
	}
	src, err := gogen.Generate(view, set, gogen.Options{Package: "events"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, types, _ := strings.Cut(string(src), "// Event is")
	declaration, _, _ := strings.Cut(types, "// UnmarshalBinary")
	fmt.Print("// Event is", declaration)

	report, err := gogen.Verify(src, view)
	fmt.Println(len(report.Mismatches), "mismatches,", err)
	// Output:
	// // Event is struct event, 24 bytes.
	// type Event struct {
	// 	_      structs.HostLayout
	// 	PID    uint32   // offset 0, pid: unsigned int
	// 	Comm   [16]byte // offset 4, comm: char[16]
	// 	bits20 [1]byte  // offset 20, through methods: retries
	// 	_      [3]byte  // padding
	// }
	//
	// // CommString returns comm up to the first NUL.
	// func (x Event) CommString() string { return cString(x.Comm[:]) }
	//
	// // Retries returns the bitfield retries, 3 bits at bit offset 160: unsigned int.
	// func (x Event) Retries() uint32 { return uint32(x.bits20[0] & 0x7) }
	//
	// // SetRetries sets the bitfield retries to the low 3 bits of v.
	// func (x *Event) SetRetries(v uint32) { x.bits20[0] = x.bits20[0]&^0x7 | byte(v)&0x7 }
	//
	// 0 mismatches, <nil>
}
