package cgen

import (
	"unsafe"

	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// fresh returns n zero values, all in memory of their own. Linux gives memory
// that is read before it is written a page of zeros that all share; to take that
// away again at the first write, it interrupts the other cores, which costs ten
// times what giving a page does. That is how tables that are looked up before
// they are filled would come by their pages.
func fresh[T any](n int) []T {
	const page = 4096 // or more, which makes this write more often than it must
	s := hugepages.Make[T](n)
	var zero T
	for i := 0; i < n; i += max(1, page/int(unsafe.Sizeof(zero))) {
		s[i] = zero
	}
	return s
}
