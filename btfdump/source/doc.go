// Package source finds a kernel's BTF, whatever it is kept in, and opens it as a [btfdump.View].
//
// What comes in is the name of an input (a file, standard input, or nothing for the running kernel) and of modules whose types
// belong to the same kernel. What goes out is one view that holds them all, with the little that is known about where it came from.
//
// Understood are raw BTF in either byte order, ELF files with a section named .BTF (vmlinux, modules, BPF objects), and what a
// running Linux kernel shows under /sys/kernel/btf. The containers stand in one table, [containers] in containers.go: each says
// by a file's first bytes whether it can read the file, and gives back the raw BTF in it.
//
// # Invariants
//
//   - A file is read into memory once, and of an ELF file only the section is.
//   - No input makes this package hold more than [MaxSize] bytes of it.
//   - Modules are joined in the order of their names, so the order in which a caller gave them leaves no trace.
//   - Errors name the file and say what to do. [ErrNoBTF] and [ErrNotLoaded] tell the two cases apart in which a caller may
//     want to try something else.
package source
