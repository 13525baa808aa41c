package source

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump/internal/elftables"
)

// ELFInfo is what is known of an ELF file.
type ELFInfo struct {
	Class    int    // 32 or 64
	Order    string // "little endian" or "big endian"
	Type     string // such as "ET_REL"
	Sections []ELFSection
}

// ELFSection is a section that has to do with BTF.
type ELFSection struct {
	Name         string
	Offset, Size int64 // bytes
}

// openELF opens an ELF file: a vmlinux, a module, a BPF object, or what wraps a
// compressed kernel (mips, powerpc).
func openELF(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	if err := elftables.Check(in.at, in.size); err != nil {
		return err
	}
	f, err := elf.NewFile(in.at)
	if err != nil {
		return err
	}
	found := Found{Arch: machine(f), DWARF: hasDWARF(f), ELF: describeELF(f)}
	found.BuildID = buildID(f, in)
	if f.Section(".gnu.linkonce.this_module") != nil {
		found.Module, found.Release = moduleInfo(f, in)
		if found.Module == "" {
			found.Module = nameOfFile(s.path())
		}
	} else if s.known.release == "" {
		found.Release = kernelBanner(f, in)
	}

	raw, err := s.btfSection(f, in, ".BTF")
	if err != nil {
		s.add(found)
		if f.Section(".BTF") != nil {
			return err
		}
		if s.mayWrap(f, in) {
			inner := scan(s, in, scanPacked)
			var without *withoutBTFError // of what is wrapped; of this file, more is known here
			if _, own := inner.(*withoutBTFError); !own && (!errors.Is(inner, ErrNoBTF) || errors.As(inner, &without)) {
				return inner
			}
		}
		if s.isKernel(f, found.Release) {
			return &withoutBTFError{cmp.Or(found.Release, s.known.release), "it has no section .BTF; ", instead(f)}
		}
		return err
	}
	found.Raw = raw
	if f.Section(".BTF.base") != nil {
		if found.Base, err = s.btfSection(f, in, ".BTF.base"); err != nil {
			return err
		}
	}
	section := f.Section(".BTF")
	found.Layers = []Layer{{Format: "BTF", Path: ".BTF", Offset: int64(section.Offset), Size: int64(len(raw))}}
	s.add(found)
	return nil
}

// isKernel says whether an ELF file is a kernel: it tells a kernel's release or
// comes out of an image that does, or has the section of what runs at the start.
func (s *search) isKernel(f *elf.File, release string) bool {
	return (f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN) && f.Machine != elf.EM_BPF && (release != "" || s.known.release != "" || f.Section(".init.text") != nil)
}

// mayWrap says whether an ELF file without BTF may hold a compressed kernel,
// and is small enough for one.
func (s *search) mayWrap(f *elf.File, in *input) bool {
	const largest = 256 << 20
	return s.wants.kernel && (f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN) && f.Machine != elf.EM_BPF && !hasDWARF(f) && in.size <= largest
}

// btfSection returns the content of a section with BTF. Its memory is not the
// input's, so that the rest of that can be forgotten.
func (s *search) btfSection(f *elf.File, in *input, name string) ([]byte, error) {
	section := f.Section(name)
	switch {
	case section == nil:
		return nil, fmt.Errorf("%w: it has no section %s; a kernel has one when built with CONFIG_DEBUG_INFO_BTF=y, a BPF object when built with clang -g%s", ErrNoBTF, name, instead(f))
	case section.Type == elf.SHT_NOBITS:
		// What objcopy --only-keep-debug leaves of sections that stayed in the
		// stripped file.
		return nil, fmt.Errorf("%w: its section %s was stripped of its content (NOBITS), as in files of detached debug information%s", ErrNoBTF, name, instead(f))
	case section.Flags&elf.SHF_COMPRESSED != 0:
		return nil, fmt.Errorf("its section %s is compressed: undo it with objcopy --decompress-debug-sections", name)
	case section.FileSize > MaxBTF:
		return nil, tooMuchBTF("its section " + name)
	case section.Offset > uint64(in.size) || section.FileSize > uint64(in.size)-section.Offset:
		return nil, fmt.Errorf("cut short: its section %s of %d bytes is at byte %d, and the file has %d", name, section.FileSize, section.Offset, in.size)
	}
	if s.budget.held+int64(section.FileSize) > s.budget.maxSize { // it is held when it is found
		return nil, s.budget.tooLarge()
	}
	raw := make([]byte, section.FileSize)
	if n, err := in.at.ReadAt(raw, int64(section.Offset)); n < len(raw) {
		return nil, fmt.Errorf("section %s: read %d of %d bytes: %w", name, n, len(raw), err)
	}
	if !isRaw(raw) {
		return nil, fmt.Errorf("%w: its section %s does not start with BTF's magic number", ErrNoBTF, name)
	}
	return raw, nil
}

// instead says what else the file has that BTF can be made from.
func instead(f *elf.File) string {
	if hasDWARF(f) {
		return " (it has DWARF, from which pahole -J makes BTF)"
	}
	return ""
}

func tooMuchBTF(what string) error {
	return fmt.Errorf("%s has more than %d bytes, which no BTF has", what, MaxBTF)
}

func hasDWARF(f *elf.File) bool {
	for _, s := range f.Sections {
		if (s.Name == ".debug_info" || s.Name == ".zdebug_info") && s.Type != elf.SHT_NOBITS && s.Size > 0 {
			return true
		}
	}
	return false
}

// machine is a kernel's architecture as uname -m prints it, or ELF's name.
func machine(f *elf.File) string {
	switch name := strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_")); {
	case f.Machine == elf.EM_386:
		return "i386"
	case f.Machine == elf.EM_S390 && f.Class == elf.ELFCLASS64:
		return "s390x"
	case f.Machine == elf.EM_PPC64 && f.ByteOrder == binary.LittleEndian:
		return "ppc64le"
	case f.Machine == elf.EM_RISCV && f.Class == elf.ELFCLASS64:
		return "riscv64"
	case f.Machine == elf.EM_MIPS && f.Class == elf.ELFCLASS64:
		return "mips64"
	default:
		return name
	}
}

func describeELF(f *elf.File) *ELFInfo {
	info := &ELFInfo{Class: 64, Order: "little endian", Type: f.Type.String()}
	if f.Class == elf.ELFCLASS32 {
		info.Class = 32
	}
	if f.ByteOrder == binary.BigEndian {
		info.Order = "big endian"
	}
	for _, name := range []string{".BTF", ".BTF.ext", ".BTF.base", ".BTF_ids"} {
		if section := f.Section(name); section != nil && section.Type != elf.SHT_NOBITS {
			info.Sections = append(info.Sections, ELFSection{name, int64(section.Offset), int64(section.Size)})
		}
	}
	return info
}

// smallSection returns the content of a section that has at most limit bytes,
// else nil.
func smallSection(f *elf.File, in *input, name string, limit uint64) []byte {
	section := f.Section(name)
	if section == nil || section.Type == elf.SHT_NOBITS || section.Size > limit || section.Offset > uint64(in.size) || section.FileSize > uint64(in.size)-section.Offset {
		return nil
	}
	data := make([]byte, section.FileSize)
	if n, _ := in.at.ReadAt(data, int64(section.Offset)); n < len(data) {
		return nil
	}
	return data
}

// moduleInfo returns a module's name and the release of the kernel that it is
// for, from the strings "name=..." and "vermagic=..." in its .modinfo.
func moduleInfo(f *elf.File, in *input) (name, release string) {
	for field := range bytes.SplitSeq(smallSection(f, in, ".modinfo", 1<<20), []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		switch key {
		case "name":
			if value != "" && strings.Trim(value, plain) == "" && len(value) < 64 {
				name = canonical(value)
			}
		case "vermagic":
			release = releaseOf(value)
		}
	}
	return name, release
}

// kernelBanner returns the release of a vmlinux. The text stands near the start
// of the read-only data.
func kernelBanner(f *elf.File, in *input) string {
	section := f.Section(".rodata")
	if f.Type == elf.ET_REL || section == nil || section.Type == elf.SHT_NOBITS || section.Offset > uint64(in.size) {
		return ""
	}
	const window, overlap, most = 1 << 20, 256, 64 << 20
	size := min(section.FileSize, uint64(in.size)-section.Offset, most)
	buffer := make([]byte, min(size, window))
	for at := uint64(0); at < size; at += window - overlap {
		n, _ := in.at.ReadAt(buffer[:min(window, size-at)], int64(section.Offset+at))
		if release := bannerIn(buffer[:n]); release != "" {
			return release
		}
	}
	return ""
}

// buildID returns the build ID from the ELF notes, in hexadecimal. The kernel
// has it in .notes, modules and programs in a section of its own.
func buildID(f *elf.File, in *input) string {
	for _, name := range []string{".notes", ".note.gnu.build-id"} {
		notes := smallSection(f, in, name, 1<<20)
		for len(notes) >= 12 {
			nameSize, descSize, kind := f.ByteOrder.Uint32(notes), f.ByteOrder.Uint32(notes[4:]), f.ByteOrder.Uint32(notes[8:])
			nameEnd := 12 + align4(uint64(nameSize))
			end := nameEnd + align4(uint64(descSize))
			if end > uint64(len(notes)) {
				break
			}
			const ntGNUBuildID = 3
			if kind == ntGNUBuildID && nameSize == 4 && string(notes[12:16]) == "GNU\x00" && descSize <= 64 {
				return hex.EncodeToString(notes[nameEnd : nameEnd+uint64(descSize)])
			}
			notes = notes[end:]
		}
	}
	return ""
}

func align4(n uint64) uint64 { return (n + 3) &^ 3 }
