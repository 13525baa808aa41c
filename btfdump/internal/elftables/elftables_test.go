package elftables

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// symbolFile is an object with so many symbols, which all have one name.
func symbolFile(count, nameSize int, flags elf.SectionFlag) []byte {
	names := append([]byte(strings.Repeat("n", nameSize)), 0)
	var b bytes.Buffer
	header := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	at, size := uint64(64+3*64), uint64(24*count)
	for _, part := range []any{
		header, elf.Section64{},
		elf.Section64{Name: uint32(nameSize), Type: uint32(elf.SHT_SYMTAB), Flags: uint64(flags), Link: 2, Off: at, Size: size, Entsize: 24},
		elf.Section64{Name: uint32(nameSize), Type: uint32(elf.SHT_STRTAB), Off: at + size, Size: uint64(len(names))},
	} {
		binary.Write(&b, binary.LittleEndian, part)
	}
	return append(append(b.Bytes(), make([]byte, size)...), names...)
}

func TestCheckSymbols(t *testing.T) {
	for _, test := range []struct {
		name            string
		count, nameSize int
		flags           elf.SectionFlag
		want            string // in the error; "": none
	}{
		{"few", 10, 10, 0, ""},
		{"as many as there may be", MaxSymbols, 10, 0, ""},
		{"one more", MaxSymbols + 1, 10, 0, "1048577 symbols, more than 1048576"},
		{"names as long as they may be", 1024, MaxNames / 1024, 0, ""},
		{"longer names", 1025, MaxNames / 1024, 0, "the names of its symbols have more than 67108864 bytes"},
		{"compressed", 10, 10, elf.SHF_COMPRESSED, "is compressed, which no loader reads"},
	} {
		file := symbolFile(test.count, test.nameSize, test.flags)
		if err := Check(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		f, err := elf.NewFile(bytes.NewReader(file))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		err = CheckSymbols(f, int64(len(file)))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
