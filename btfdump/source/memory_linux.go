package source

import (
	"syscall"
	"unsafe"
)

// hugePage is the size in bytes of a huge page on amd64, and on arm64 with
// pages of 4 KiB. Elsewhere it is only an alignment.
const hugePage = 2 << 20

// freshMemory returns n bytes, all 0, that nothing has touched yet. Where they
// are many, the kernel is asked to give them in huge pages: with pages of 4 KiB,
// getting memory takes about as long as copying a file into it. Nothing depends
// on the kernel doing so.
func freshMemory(n int64) []byte {
	if n < hugePage {
		return make([]byte, n)
	}
	room := (n + hugePage - 1) / hugePage * hugePage
	block := make([]byte, room+hugePage)
	start := -uintptr(unsafe.Pointer(&block[0])) % hugePage
	pages := block[start:][:room]
	_ = syscall.Madvise(pages, syscall.MADV_HUGEPAGE) // advice: it may be refused
	return pages[:n:n]
}
