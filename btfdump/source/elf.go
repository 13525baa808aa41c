package source

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
)

// isELF knows ELF by its magic bytes.
func isELF(head []byte) bool {
	return bytes.HasPrefix(head, []byte(elf.ELFMAG))
}

// openELF returns the section .BTF of an ELF file: of a vmlinux, a module or a BPF object.
func openELF(file io.ReaderAt, size int64) ([]byte, error) {
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	// A module built out of tree has split BTF on a base of its own, with no more of the kernel than it needs. It takes the kernel's
	// module loader to fit it to a kernel (kernel commit 595e5260383a); read as split BTF on a whole kernel it would be nonsense.
	if f.Section(".BTF.base") != nil {
		return nil, fmt.Errorf("its BTF stands on a base of its own (section .BTF.base), which only the kernel relocates: load the module and give its name instead of its file")
	}
	section := f.Section(".BTF")
	switch {
	case section == nil:
		return nil, fmt.Errorf("%w: it has no section .BTF; a kernel has one when built with CONFIG_DEBUG_INFO_BTF=y, a BPF object when built with clang -g", ErrNoBTF)
	case section.Type == elf.SHT_NOBITS:
		// What objcopy --only-keep-debug leaves of sections that stayed in the stripped file.
		return nil, fmt.Errorf("%w: its section .BTF was stripped of its content (NOBITS), as in files of detached debug information", ErrNoBTF)
	case section.Flags&elf.SHF_COMPRESSED != 0:
		return nil, fmt.Errorf("its section .BTF is compressed: undo it with objcopy --decompress-debug-sections")
	case section.FileSize > MaxSize:
		return nil, fmt.Errorf("its section .BTF has more than %d bytes, which no BTF has", MaxSize)
	case section.Offset > uint64(size) || section.FileSize > uint64(size)-section.Offset:
		return nil, fmt.Errorf("its section .BTF ends at byte %d of a file of %d", section.Offset+section.FileSize, size)
	}
	raw := make([]byte, section.FileSize)
	if n, err := file.ReadAt(raw, int64(section.Offset)); n < len(raw) {
		return nil, fmt.Errorf("section .BTF: read %d of %d bytes: %w", n, len(raw), err)
	}
	if !isRaw(raw) {
		return nil, fmt.Errorf("%w: its section .BTF does not start with BTF's magic number", ErrNoBTF)
	}
	return raw, nil
}
