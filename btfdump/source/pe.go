package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// isPE knows EFI programs, which are PE files: a DOS header, in which a word
// leads to the other. Kernels with an EFI stub are PE files too, and are asked
// for first: they have headers of their own.
func isPE(head []byte) bool {
	if len(head) < 64 || !prefix("MZ")(head) {
		return false
	}
	header := le32(head, 0x3c)
	return header > int64(len(head)-4) || at(int(header), "PE\x00\x00")(head)
}

// maxPESections is how many sections of a PE file are read. Windows takes 96; a
// unified kernel image has some ten for each of its profiles.
const maxPESections = 2048

// peArchs are the machines of PE files, as uname -m prints them.
var peArchs = map[uint16]string{0x14c: "i386", 0x8664: "x86_64", 0x1c2: "arm", 0x1c4: "arm", 0xaa64: "arm64", 0x5032: "riscv32", 0x5064: "riscv64", 0x6232: "loongarch32", 0x6264: "loongarch64"}

// A peSection is where the content of a section is, in bytes.
type peSection struct {
	name         string
	offset, size int64
}

// openPE opens a unified kernel image, an EFI program with a kernel in its
// section .linux, which may stand behind an initrd (The UAPI Group's
// specification "Unified Kernel Image"). Other programs are searched.
func openPE(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	sections, arch, err := peSections(in)
	if err != nil {
		return err
	}
	// A section .profile begins one more way to boot. It has its own kernel and
	// release, or those in front of the first.
	var linux []peSection
	var initrds []peSection
	profile := 0
	of := map[int64]int{} // profiles, by the offset of their kernel
	releases := map[int]string{}
	for _, section := range sections {
		switch section.name {
		case ".profile":
			profile++
		case ".uname":
			releases[profile] = section.release(in)
		case ".initrd":
			initrds = append(initrds, section)
		case ".linux":
			if _, ok := of[section.offset]; !ok {
				of[section.offset] = profile
				linux = append(linux, section)
			}
		}
	}
	if len(linux) == 0 {
		return scan(s, in, scanBTF|scanPacked)
	}
	s.known.arch = arch
	var failed error
	found := len(s.found)
	if s.wants.kernel {
		for _, section := range linux {
			if err := s.budget.attempt(); err != nil {
				return err
			}
			release := releases[of[section.offset]]
			if release == "" {
				release = releases[0]
			}
			if err := s.peSection(section, release, in); failed == nil {
				failed = err
			}
		}
		if failed != nil && (len(s.found) == found || !errors.Is(failed, ErrNoBTF)) {
			return failed
		}
	}
	if !s.wants.all && len(s.wants.modules) == 0 {
		return nil
	}
	s.known.searched = true
	// A kernel in an initrd, as for kexec, is another one.
	kernel := s.wants.kernel
	s.wants.kernel = false
	defer func() { s.wants.kernel = kernel }()
	for _, section := range initrds {
		if err := s.budget.attempt(); err != nil {
			return err
		}
		if err := s.peSection(section, "", in); err != nil && !errors.Is(err, ErrNoBTF) {
			return err
		}
	}
	if len(s.found) == found {
		return fmt.Errorf("%w: its initrd has none of the modules", ErrNoBTF)
	}
	return nil
}

// peSection opens what a section of a unified kernel image holds.
func (s *search) peSection(section peSection, release string, in *input) error {
	if err := within("section "+section.name, section.offset, section.size, in); err != nil {
		return err
	}
	known := s.known
	if release != "" {
		s.known.release = release
	}
	err := s.descend(section.name, section.offset, in.section(section.offset, section.size))
	s.known = known
	return err
}

// release returns the release that a section .uname holds, "" if it does not
// look like one.
func (p peSection) release(in *input) string {
	if within("section", p.offset, p.size, in) != nil {
		return ""
	}
	text := make([]byte, min(p.size, 200))
	n, _ := in.at.ReadAt(text, p.offset)
	return releaseOf(string(text[:n]))
}

// peSections reads a PE file's section table, and what machine the file is for.
// What has no PE header has none.
func peSections(in *input) (sections []peSection, arch string, err error) {
	var dos [64]byte
	if _, err := in.at.ReadAt(dos[:], 0); err != nil {
		return nil, "", cut(0, 64, err)
	}
	const headerSize, entrySize = 24, 40 // "PE\0\0" and the COFF header; a section's entry
	at := le32(dos[:], 0x3c)
	if err := within("PE header", at, headerSize, in); err != nil {
		return nil, "", err
	}
	var header [headerSize]byte
	if _, err := in.at.ReadAt(header[:], at); err != nil {
		return nil, "", cut(at, at+headerSize, err)
	}
	if !bytes.HasPrefix(header[:], []byte("PE\x00\x00")) {
		return nil, "", nil
	}
	count := int64(binary.LittleEndian.Uint16(header[6:]))
	if count > maxPESections {
		return nil, "", fmt.Errorf("its header tells of %d sections, more than %d", count, maxPESections)
	}
	at += headerSize + int64(binary.LittleEndian.Uint16(header[20:])) // behind the optional header
	if err := within("section table", at, count*entrySize, in); err != nil {
		return nil, "", err
	}
	table := make([]byte, count*entrySize)
	if n, err := in.at.ReadAt(table, at); n < len(table) {
		return nil, "", cut(at+int64(n), at+int64(len(table)), err)
	}
	for ; len(table) > 0; table = table[entrySize:] {
		name, _, _ := bytes.Cut(table[:8], []byte{0})
		// In the file, a section is filled up; its size in memory is the exact one.
		size := le32(table, 16)
		if exact := le32(table, 8); exact > 0 {
			size = min(size, exact)
		}
		sections = append(sections, peSection{string(name), le32(table, 20), size})
	}
	return sections, peArchs[binary.LittleEndian.Uint16(header[4:])], nil
}
