// Package source finds a kernel's BTF, whatever it is kept in, and opens it as
// a [btfdump.View].
//
// What comes in is the name of an input (a file, a directory, standard input, a
// loaded BPF object, or nothing for the running kernel) and of modules whose
// types belong to the same kernel. What goes out is one view that holds them
// all, with what is known about where it came from.
//
// Formats are recognised by content, never by name, and stand in one table,
// containers in containers.go. They may stand in each other to any depth that
// makes sense: a Debian package has a compressed tar archive, that a bzImage,
// that compressed data, that an ELF file, and that a section .BTF. Understood
// are
//
//   - raw BTF, and ELF files of any class and byte order with a section .BTF;
//   - kernel images: x86's bzImage, EFI's zboot, arm64's and riscv64's Image,
//     ARM's zImage, what wraps a kernel in ELF (mips, powerpc), U-Boot's uImage
//     and FIT, Android's boot.img, unified kernel images. Images of other kinds,
//     s390x's among them, are searched for BTF and for compressed data;
//   - gzip, xz, lzma, zstd, lz4 (frames and legacy), bzip2 and lzop, several
//     streams in a row and anything behind them;
//   - .deb, .rpm, tar, zip and cpio (the "new" format, newc) archives, and the
//     packages of OpenWrt, Alpine and Arch, which are such;
//   - container images, those of OCI, docker save, skopeo and crane, layer by layer;
//   - directories: all that an archive of them is;
//   - programs, maps and BTF that are loaded into the running kernel.
//
// # Which file of an archive
//
// Of the many files in a package or tree, kernels are chosen by place and name
// (boot/vmlinuz-*, usr/lib/modules/*/vmlinux, *.btf ..., in places.go), or by
// first bytes that are a kernel's for sure, modules by the names that the caller
// asks for. Directories and archives are read by the same rule. A Debian or RPM
// package has one kernel, so it is read no further than needed; where archives
// and trees have several, [Options.Release] chooses. Symbolic links lead to what
// is in the tree or archive, never out of it.
//
// Formats that hold files and are not read, such as those of file systems, are
// a [NotReadError].
//
// # What a search takes for a kernel's
//
// Where nothing tells the place, BTF with struct task_struct is a kernel's, unless
// it is a BPF object's. Next comes what stands by itself, then a BPF object's,
// unless a kernel without BTF was seen. A module's is never a kernel's, and what
// was found inside of an input never stands on the running kernel.
//
// # Split BTF
//
// A module's types stand on a kernel's, the base, which BTF does not name. A
// base that cannot be the right one is an error: the releases differ, a type or
// name lies out of range, or names start amid others. A module that was built
// outside of the kernel's tree brings what it needs of a base with it (section
// .BTF.base); its types are moved to the kernel's, type by type.
//
// # Invariants
//
//   - Nothing is unpacked to disk. Streams stay streams where they can: of a
//     package, only the kernel image is in memory.
//   - No input makes this package hold more than [Options.MaxSize] bytes of one
//     layer, nor unpack more than [MaxRatio] times its size.
//   - What sysfs lets be mapped is not read at all.
//   - Modules are joined in the order of their names, so the order in which a
//     caller gave them leaves no trace.
//   - Errors name the file, the way into it, and say what to do. Text from an
//     input stands in them only if it is plain, else quoted.
package source
