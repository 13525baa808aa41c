package hugepages

import (
	"syscall"
	"unsafe"
)

const (
	// block is what Go's heap grows by, in bytes, and what its blocks are aligned
	// to: pallocChunkBytes in the runtime's mpagealloc.go.
	block = 4 << 20
	// least is the size in bytes from which on a table is worth a system call.
	least = 64 << 10
)

// advise asks for huge pages for the blocks of the heap that a table is in. What
// is in use of them keeps its small pages.
func advise[T any](table []T) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(table)))
	size := uintptr(len(table)) * unsafe.Sizeof(*new(T))
	if size < least {
		return
	}
	from := start &^ (block - 1)
	to := (start + size + block - 1) &^ (block - 1)
	// An error says that the kernel has no huge pages, or that a runtime to come
	// does otherwise than said above: either way, nothing is lost.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_HUGEPAGE)
}
