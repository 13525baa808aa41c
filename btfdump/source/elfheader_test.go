package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/internal/elftables"
)

// An ELF file that is cut short says what is missing, and where.
func TestELFCutShort(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		wide := elfFile(order, elfSection{".text", elf.SHT_PROGBITS, 0, make([]byte, 300)}, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
		narrow := elf32File(t, order.(binary.ByteOrder), elfSection{".text", elf.SHT_PROGBITS, 0, make([]byte, 300)}, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
		for _, c := range []struct {
			bits                 int
			file                 []byte
			header, section, off int // sizes of the headers, and where a section's offset stands
		}{{64, wide, 64, 64, 24}, {32, narrow, 52, 40, 16}} {
			headers := len(c.file) - 4*c.section
			// As objcopy does not, but others may: the section headers first.
			moved := append(bytes.Clone(c.file[:c.header]), c.file[headers:]...)
			moved = append(moved, c.file[c.header:headers]...)
			put := func(b []byte, v int) {
				if c.bits == 64 {
					order.(binary.ByteOrder).PutUint64(b, uint64(v))
				} else {
					order.(binary.ByteOrder).PutUint32(b, uint32(v))
				}
			}
			get := func(b []byte) int {
				if c.bits == 64 {
					return int(order.(binary.ByteOrder).Uint64(b))
				}
				return int(order.(binary.ByteOrder).Uint32(b))
			}
			put(moved[map[int]int{64: 40, 32: 32}[c.bits]:], c.header)
			for i := 1; i < 4; i++ {
				at := moved[c.header+i*c.section+c.off:]
				put(at, get(at)+4*c.section)
			}
			names := get(moved[c.header+3*c.section+c.off:])
			btf := get(moved[c.header+2*c.section+c.off:])
			lastNames := moved[:names+3]
			// Its names first of all, so that the section with BTF is last.
			swapped := append(bytes.Clone(moved), moved[names:]...)
			put(swapped[c.header+3*c.section+c.off:], c.header+4*c.section) // over .text, which nobody reads
			copy(swapped[c.header+4*c.section:], moved[names:])
			for _, test := range []struct {
				name string
				file []byte
				want string
			}{
				{"headers", c.file[:len(c.file)-100], fmt.Sprintf("cut short: its section headers (%d bytes) are at byte %d, and the file has %d", 4*c.section, headers, len(c.file)-100)},
				{"last byte", c.file[:len(c.file)-1], fmt.Sprintf("cut short: its section headers (%d bytes) are at byte %d, and the file has %d", 4*c.section, headers, len(c.file)-1)},
				{"before headers", c.file[:headers-20], "cut short: its section headers"},
				{"header", c.file[:40], fmt.Sprintf("cut short: its header has %d bytes, and the file 40", c.header)},
				{"names", lastNames, fmt.Sprintf("are at byte %d, and the file has %d", names, names+3)},
				{"BTF", swapped[:btf+10], fmt.Sprintf("cut short: its section .BTF of %d bytes is at byte %d, and the file has %d", len(smallBTF()), btf, btf+10)},
			} {
				raw, err := unpack(bytes.NewReader(test.file), int64(len(test.file)))
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "EOF") {
					t.Errorf("%d bits, %v, %s: got %d bytes and the error %v, want %q in it", c.bits, order, test.name, len(raw), err, test.want)
				}
			}
			for _, whole := range [][]byte{moved, swapped} {
				if raw, err := unpack(bytes.NewReader(whole), int64(len(whole))); err != nil || !bytes.Equal(raw, smallBTF()) {
					t.Errorf("%d bits: headers in front: %v", c.bits, err)
				}
			}
		}
	}
}

// Tables that claim to be large are refused before they are read.
func TestELFTables(t *testing.T) {
	le := binary.LittleEndian
	base := elfFile(le, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
	shoff := le.Uint64(base[40:])
	// manySections adds sections of type null to the table, all of one name.
	manySections := func(n int, name uint32, names []byte) []byte {
		file := bytes.Clone(base)
		le.PutUint16(file[60:], 0)
		le.PutUint64(file[shoff+32:], uint64(3+n)) // section 0 has the number
		strings := file[shoff+2*64:]
		le.PutUint64(strings[24:], uint64(len(file)+n*64))
		le.PutUint64(strings[32:], uint64(len(names)))
		for range n {
			file = append(le.AppendUint32(file, name), make([]byte, 60)...)
		}
		return append(file, names...)
	}
	long := append([]byte("\x00.BTF\x00.shstrtab\x00"), bytes.Repeat([]byte("n"), 1<<20)...)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"sections", manySections(elftables.MaxSections, 0, long[:32]), fmt.Sprintf("its header tells of %d sections, more than %d", elftables.MaxSections+3, elftables.MaxSections)},
		{"names", manySections(5000, 16, long), "the names of its 5003 sections have more than"},
		{"more than there are", func() []byte {
			file := bytes.Clone(base)
			le.PutUint16(file[60:], 0)
			le.PutUint64(file[shoff+32:], 1<<60)
			return file
		}(), "sections, more than"},
		{"program headers", func() []byte {
			file := bytes.Clone(base)
			le.PutUint64(file[32:], 1<<63)
			le.PutUint16(file[54:], 56)
			le.PutUint16(file[56:], 0xffff)
			return file
		}(), "cut short: its program headers"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := unpack(bytes.NewReader(test.file), int64(len(test.file)))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got the error %v, want %q in it", test.name, err, test.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: took %d bytes of memory", test.name, got)
		}
	}
	honest := manySections(65300, 0, []byte("\x00.BTF\x00.shstrtab\x00"))
	le.PutUint32(honest[shoff+64:], 1)
	le.PutUint32(honest[shoff+2*64:], 6)
	if raw, err := unpack(bytes.NewReader(honest), int64(len(honest))); err != nil || !bytes.Equal(raw, smallBTF()) {
		t.Errorf("a file of 65,303 sections: %v", err)
	}
}
