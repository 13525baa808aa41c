package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Limits of the tables that package debug/elf reads as a whole. What is linked
// has some hundred sections, whatever its size.
const (
	maxSections     = 1 << 18
	maxSectionNames = 64 << 20 // bytes, each name counted where it is used
)

// checkELF checks an ELF file's tables before package debug/elf reads them. Of a
// file that is cut short, that says no more than "EOF"; and it has no limits.
func checkELF(in *input) error {
	head := make([]byte, min(64, in.size))
	if n, err := in.at.ReadAt(head, 0); n < len(head) {
		return cut(int64(n), in.size, err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if len(head) > elf.EI_DATA && elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := len(head) > elf.EI_CLASS && elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	size := 52
	if wide {
		size = 64
	}
	if len(head) < size {
		return fmt.Errorf("cut short: its header has %d bytes, and the file %d", size, in.size)
	}
	half := func(at32, at64 int) uint64 {
		if wide {
			at32 = at64
		}
		return uint64(order.Uint16(head[at32:]))
	}
	// A word of 32 or 64 bits.
	word := func(b []byte, at32, at64 int) uint64 {
		if wide {
			return order.Uint64(b[at64:])
		}
		return uint64(order.Uint32(b[at32:]))
	}
	phoff, phnum := word(head, 28, 32), half(44, 56)
	if err := elfTable("program headers", phoff, phnum, half(42, 54), in); phnum > 0 && err != nil {
		return err
	}
	shoff, shnum, entry, strings := word(head, 32, 40), half(48, 60), half(46, 58), half(50, 62)
	headerSize := uint64(40)
	if wide {
		headerSize = 64
	}
	if shoff == 0 || entry != headerSize {
		return nil // there are none, or package debug/elf refuses them
	}
	section := make([]byte, headerSize)
	read := func(i uint64) error {
		if err := elfTable("section headers", shoff, i+1, headerSize, in); err != nil {
			return err
		}
		n, err := in.at.ReadAt(section, int64(shoff+i*headerSize))
		if n < len(section) {
			return cut(int64(shoff+i*headerSize)+int64(n), in.size, err)
		}
		return nil
	}
	if shnum == 0 || strings == uint64(elf.SHN_XINDEX) { // section 0 has what did not fit
		if err := read(0); err != nil {
			return err
		}
		if shnum == 0 {
			shnum = word(section, 20, 32)
		}
		if strings == uint64(elf.SHN_XINDEX) {
			link := 24
			if wide {
				link = 40
			}
			strings = uint64(order.Uint32(section[link:]))
		}
	}
	if shnum > maxSections {
		return fmt.Errorf("its header tells of %d sections, more than %d", shnum, maxSections)
	}
	if err := elfTable("section headers", shoff, shnum, headerSize, in); err != nil {
		return err
	}
	if strings == 0 || strings >= shnum {
		return nil
	}
	if err := read(strings); err != nil {
		return err
	}
	namesAt, namesSize := word(section, 16, 24), word(section, 20, 32)
	if elf.SectionType(order.Uint32(section[4:])) != elf.SHT_STRTAB {
		return nil
	}
	if err := elfTable("section names", namesAt, namesSize, 1, in); err != nil {
		return err
	}
	if namesSize <= maxSectionNames/shnum {
		return nil
	}
	return checkNames(in, order, int64(shoff), int64(shnum), int64(headerSize), int64(namesAt), int64(namesSize))
}

// elfTable checks that one of an ELF file's tables lies inside it.
func elfTable(what string, at, count, size uint64, in *input) error {
	// Offsets have up to 64 bits; counts and sizes don't.
	if at > uint64(in.size) || count*size > uint64(in.size)-at {
		return fmt.Errorf("cut short: its %s (%d bytes) are at byte %d, and the file has %d", what, count*size, at, in.size)
	}
	return nil
}

// checkNames checks that the names of all sections together are not too long:
// many can have one long name.
func checkNames(in *input, order binary.ByteOrder, shoff, shnum, headerSize, namesAt, namesSize int64) error {
	tooLong := fmt.Errorf("the names of its %d sections have more than %d bytes", shnum, maxSectionNames)
	if namesSize > maxSectionNames {
		return tooLong
	}
	names, headers := make([]byte, namesSize), make([]byte, shnum*headerSize)
	if n, err := in.at.ReadAt(names, namesAt); n < len(names) {
		return cut(namesAt+int64(n), in.size, err)
	}
	if n, err := in.at.ReadAt(headers, shoff); n < len(headers) {
		return cut(shoff+int64(n), in.size, err)
	}
	total := int64(0)
	lengths := make(map[uint32]int64) // of names that were measured
	for ; len(headers) > 0; headers = headers[headerSize:] {
		at := order.Uint32(headers)
		length, ok := lengths[at]
		if !ok && int64(at) < namesSize {
			if length = int64(bytes.IndexByte(names[at:], 0)); length < 0 {
				length = namesSize - int64(at)
			}
			lengths[at] = length
		}
		if total += length; total > maxSectionNames {
			return tooLong
		}
	}
	return nil
}
