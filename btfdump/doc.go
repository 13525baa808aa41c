// Package btfdump reads BTF, the type information that a Linux kernel and BPF
// objects carry about themselves.
//
// [New] takes the bytes of a BTF blob, in either byte order, checks them once
// and returns a [View]: an immutable window on those bytes. [NewSplit] does
// the same for split BTF (a kernel module's), which continues the type IDs
// and strings of a base view; [Join] makes one view of several modules.
// [View.Subset] writes types of a view as BTF of its own, and [Rebase] moves
// split BTF to another base.
//
// # The bytes are the model
//
// A View keeps the blob, the offset of each type in it, and for each type the
// ID that remains when typedefs and qualifiers are skipped. Nothing else is
// copied: a [Type] is a small value that decodes what it is asked for. Facts
// about types that a caller wants to keep belong into a slice or a [Set]
// indexed by type ID. A View is therefore cheap, and safe to share between
// goroutines; the blob must not be changed while it is in use.
//
// # Validate once
//
// After New, no accessor can fail: section bounds, type IDs, the kinds that
// references may lead to, string offsets, member positions, cycles of
// references and records that contain themselves have all been checked, in
// time linear in the size of the blob and without recursion. What is not
// checked is whether names are C identifiers: that is up to those who print
// them.
//
// # Source of format facts
//
// The format is defined by the kernel's include/uapi/linux/btf.h and
// Documentation/bpf/btf.rst. Since Linux 7.1 the header may have a layout
// section, which tells the length of kinds a reader does not know, and the
// info word holds 24 bits of vlen and 7 bits of kind.
package btfdump
