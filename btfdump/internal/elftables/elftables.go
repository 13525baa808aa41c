// Package elftables checks the tables of an ELF file before package debug/elf
// reads them: that reads each as a whole, whatever its size, and says of a file
// that is cut short no more than "EOF".
package elftables

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of the tables that package debug/elf reads as a whole. What is linked
// has some hundred sections, whatever its size.
const (
	MaxSections = 1 << 18
	MaxSymbols  = 1 << 20
	MaxNames    = 64 << 20 // bytes, each name counted where it is used
)

// A file is an ELF file of size bytes.
type file struct {
	at   io.ReaderAt
	size int64
}

// Check checks an ELF file of size bytes: that its headers lie inside it, and that
// there are not too many. What else is wrong, debug/elf says.
func Check(at io.ReaderAt, size int64) error { return check(file{at, size}) }

func check(in file) error {
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
	if shnum > MaxSections {
		return fmt.Errorf("its header tells of %d sections, more than %d", shnum, MaxSections)
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
	if flags := word(section, 8, 8); elf.SectionFlag(flags)&elf.SHF_COMPRESSED != 0 {
		return errors.New("its section names are compressed, which nobody does")
	}
	if err := elfTable("section names", namesAt, namesSize, 1, in); err != nil {
		return err
	}
	if namesSize <= MaxNames/shnum {
		return nil
	}
	return checkNames(in, order, int64(shoff), int64(shnum), int64(headerSize), int64(namesAt), int64(namesSize))
}

// elfTable checks that one of an ELF file's tables lies inside it.
func elfTable(what string, at, count, size uint64, in file) error {
	// Offsets have up to 64 bits; counts and sizes don't.
	if at > uint64(in.size) || count*size > uint64(in.size)-at {
		return fmt.Errorf("cut short: its %s (%d bytes) are at byte %d, and the file has %d", what, count*size, at, in.size)
	}
	return nil
}

// checkNames checks that the names of all sections together are not too long:
// many can have one long name.
func checkNames(in file, order binary.ByteOrder, shoff, shnum, headerSize, namesAt, namesSize int64) error {
	tooLong := fmt.Errorf("the names of its %d sections have more than %d bytes", shnum, MaxNames)
	if namesSize > MaxNames {
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
		if total += length; total > MaxNames {
			return tooLong
		}
	}
	return nil
}

// cut is the error of a file that has fewer bytes than it should.
func cut(n, size int64, err error) error {
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("cut short: %d of %d bytes are there: %w", n, size, err)
}

// CheckSymbols checks the symbol table of a 64-bit file that has passed [Check],
// before [elf.File.Symbols] reads it: that copies each symbol's name.
func CheckSymbols(f *elf.File, size int64) error {
	const symbolSize = 24
	symtab := f.SectionByType(elf.SHT_SYMTAB)
	if symtab == nil || int64(symtab.Link) >= int64(len(f.Sections)) {
		return nil
	}
	strings := f.Sections[symtab.Link]
	for _, s := range []*elf.Section{symtab, strings} {
		if s.Flags&elf.SHF_COMPRESSED != 0 {
			return fmt.Errorf("section %+.80q is compressed, which no loader reads", s.Name)
		}
		if s.Type != elf.SHT_NOBITS && (s.Offset > uint64(size) || s.FileSize > uint64(size)-s.Offset) {
			return fmt.Errorf("cut short: its section %+.80q of %d bytes is at byte %d, and the file has %d", s.Name, s.FileSize, s.Offset, size)
		}
	}
	if symtab.Size/symbolSize > MaxSymbols {
		return fmt.Errorf("it has %d symbols, more than %d", symtab.Size/symbolSize, MaxSymbols)
	}
	if symtab.Size/symbolSize*strings.Size <= MaxNames || strings.Type == elf.SHT_NOBITS {
		return nil
	}
	table, err := symtab.Data()
	if err != nil {
		return fmt.Errorf("symbols: %w", err)
	}
	names, err := strings.Data()
	if err != nil {
		return fmt.Errorf("symbols' names: %w", err)
	}
	total := uint64(0)
	lengths := make(map[uint32]uint64)
	for ; len(table) >= symbolSize; table = table[symbolSize:] {
		at := f.ByteOrder.Uint32(table)
		length, ok := lengths[at]
		if !ok && uint64(at) < uint64(len(names)) {
			end := bytes.IndexByte(names[at:], 0)
			if end < 0 {
				end = len(names) - int(at)
			}
			length = uint64(end)
			lengths[at] = length
		}
		if total += length; total > MaxNames {
			return fmt.Errorf("the names of its symbols have more than %d bytes", MaxNames)
		}
	}
	return nil
}
