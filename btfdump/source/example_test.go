package source_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func Example() {
	// A kernel with one struct stands in for a file here. An empty input would be the running kernel.
	b := btftest.New()
	b.Struct("point", 8, btftest.Field("x", b.Int("int", 4, btftest.Signed), 0))

	kernel, err := source.Open("-", nil, source.Options{Stdin: bytes.NewReader(b.Bytes())})
	if err != nil {
		log.Fatal(err)
	}
	for t := range kernel.View.All() {
		fmt.Printf("%v %s, %d bytes\n", t.Kind(), t.Name(), t.Size())
	}
	// Output:
	// int int, 4 bytes
	// struct point, 8 bytes
}
