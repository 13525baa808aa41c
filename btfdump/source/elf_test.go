package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// An elfSection is a section of a file that elfFile writes.
type elfSection struct {
	name  string
	kind  elf.SectionType
	flags elf.SectionFlag
	data  []byte
}

// elfFile returns a 64-bit ELF file with the given sections and one of section
// names.
func elfFile(order binary.AppendByteOrder, sections ...elfSection) []byte {
	sections = append([]elfSection{{}}, append(sections, elfSection{name: ".shstrtab", kind: elf.SHT_STRTAB})...)
	var names []byte
	nameAt := make([]uint32, len(sections))
	for i, s := range sections {
		nameAt[i] = uint32(len(names))
		names = append(append(names, s.name...), 0)
	}
	sections[len(sections)-1].data = names

	const headerSize, sectionHeaderSize = 64, 64
	var body, headers []byte
	for i, s := range sections {
		offset := headerSize + uint64(len(body))
		if s.kind != elf.SHT_NOBITS {
			body = append(body, s.data...)
		}
		headers = order.AppendUint32(headers, nameAt[i])
		headers = order.AppendUint32(headers, uint32(s.kind))
		headers = order.AppendUint64(headers, uint64(s.flags))
		headers = order.AppendUint64(headers, 0)
		headers = order.AppendUint64(headers, offset)
		headers = order.AppendUint64(headers, uint64(len(s.data)))
		headers = append(headers, make([]byte, 8)...)
		headers = order.AppendUint64(headers, 1)
		headers = order.AppendUint64(headers, 0)
	}

	data := elf.ELFDATA2LSB
	if order.String() == "BigEndian" {
		data = elf.ELFDATA2MSB
	}
	file := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(data), byte(elf.EV_CURRENT), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	file = order.AppendUint16(file, uint16(elf.ET_REL))
	file = order.AppendUint16(file, uint16(elf.EM_BPF))
	file = order.AppendUint32(file, uint32(elf.EV_CURRENT))
	file = order.AppendUint64(file, 0)
	file = order.AppendUint64(file, 0)
	file = order.AppendUint64(file, headerSize+uint64(len(body)))
	file = order.AppendUint32(file, 0)
	file = order.AppendUint16(file, headerSize)
	file = append(file, 0, 0, 0, 0)
	file = order.AppendUint16(file, sectionHeaderSize)
	file = order.AppendUint16(file, uint16(len(sections)))
	file = order.AppendUint16(file, uint16(len(sections)-1))
	return append(append(file, body...), headers...)
}

// smallBTF is a BTF with one named type.
func smallBTF() []byte {
	b := btftest.New()
	b.Struct("small", 4, btftest.Field("a", b.Int("int", 4, btftest.Signed), 0))
	return b.Bytes()
}

// unpack returns the BTF of the one place in an input that has any.
func unpack(in io.ReaderAt, size int64) ([]byte, error) {
	s := &search{wants: wants{kernel: true, all: true}}
	if err := s.run(fileInput(in, size), 0); err != nil {
		return nil, err
	}
	if len(s.found) != 1 {
		return nil, fmt.Errorf("found BTF in %d places", len(s.found))
	}
	return s.found[0].Raw, nil
}

func TestELFWithBTF(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		file := elfFile(order, elfSection{".text", elf.SHT_PROGBITS, 0, []byte("code")}, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
		raw, err := unpack(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatalf("%v: %v", order, err)
		}
		if !bytes.Equal(raw, smallBTF()) {
			t.Errorf("%v: got other bytes than were put into the section", order)
		}
	}
}

func TestELFWithoutUsableBTF(t *testing.T) {
	whole := elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
	for _, test := range []struct {
		name string
		file []byte
		noBT bool // the error is ErrNoBTF
		want string
	}{
		{"no section", elfFile(binary.LittleEndian, elfSection{".text", elf.SHT_PROGBITS, 0, []byte("code")}), true, "no section .BTF"},
		{"NOBITS", elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_NOBITS, 0, smallBTF()}), true, "NOBITS"},
		{"not BTF", elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, []byte("something else")}), true, "magic number"},
		{"empty", elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, nil}), true, "magic number"},
		{"compressed", elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 0, 0, 0, 0, 0}, smallBTF()...)}), false, "compressed"},
		{"distilled base that is none", elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()}, elfSection{".BTF.base", elf.SHT_PROGBITS, 0, []byte("something else")}), true, ".BTF.base does not start"},
		{"cut in the header", whole[:40], false, "ELF: "},
		{"cut in the section headers", whole[:len(whole)-10], false, "ELF: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := unpack(bytes.NewReader(test.file), int64(len(test.file)))
			if err == nil {
				t.Fatalf("got %d bytes and no error", len(raw))
			}
			if errors.Is(err, ErrNoBTF) != test.noBT || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got the error %q; want %q in it, ErrNoBTF: %t", err, test.want, test.noBT)
			}
		})
	}
}

// A section may claim to be larger than the file, which must not make us ask
// for that much memory.
func TestELFSectionPastTheEnd(t *testing.T) {
	file := elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()})
	headers := len(file) - 3*64
	for _, size := range []uint64{uint64(len(file)), MaxBTF, MaxBTF + 1, 1 << 62, 1<<64 - 1} {
		binary.LittleEndian.PutUint64(file[headers+64+32:], size)
		if raw, err := unpack(bytes.NewReader(file), int64(len(file))); err == nil {
			t.Errorf("size %d: got %d bytes and no error", size, len(raw))
		}
	}
}

// elf32File is elfFile for 32 bits.
func elf32File(t *testing.T, order binary.ByteOrder, sections ...elfSection) []byte {
	t.Helper()
	const headerSize, sectionHeaderSize = 52, 40
	names := "\x00"
	for _, s := range sections {
		names += s.name + "\x00"
	}
	sections = append(slices.Clone(sections), elfSection{".shstrtab", elf.SHT_STRTAB, 0, []byte(names + ".shstrtab\x00")})
	headers := []elf.Section32{{}}
	var body []byte
	name := uint32(1)
	for _, s := range sections {
		headers = append(headers, elf.Section32{Name: name, Type: uint32(s.kind), Flags: uint32(s.flags), Off: headerSize + uint32(len(body)), Size: uint32(len(s.data)), Addralign: 1})
		name += uint32(len(s.name)) + 1
		body = append(body, s.data...)
	}
	data := elf.ELFDATA2LSB
	if order == binary.BigEndian {
		data = elf.ELFDATA2MSB
	}
	var b bytes.Buffer
	for _, part := range []any{elf.Header32{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(data), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_ARM), Version: uint32(elf.EV_CURRENT),
		Shoff: uint32(headerSize + len(body)), Ehsize: headerSize, Shentsize: sectionHeaderSize, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1),
	}, body, headers} {
		if err := binary.Write(&b, order, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// The BTF of a 32-bit file tells the size of pointers by its type long; without
// one, the file does.
func TestPointersOfELF(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, c := range []struct {
			long uint32 // bytes; 0: there is none
			file func([]byte) []byte
			want int
		}{
			{0, func(raw []byte) []byte { return raw }, 8},
			{0, func(raw []byte) []byte {
				return elfFile(order.(binary.AppendByteOrder), elfSection{".BTF", elf.SHT_PROGBITS, 0, raw})
			}, 8},
			{0, func(raw []byte) []byte { return elf32File(t, order, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw}) }, 4},
			{4, func(raw []byte) []byte { return elf32File(t, order, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw}) }, 4},
			{8, func(raw []byte) []byte { return elf32File(t, order, elfSection{".BTF", elf.SHT_PROGBITS, 0, raw}) }, 8},
		} {
			b := btftest.New()
			b.Order = order.(binary.AppendByteOrder)
			if c.long != 0 {
				b.Int("long int", c.long, btftest.Signed)
			}
			b.Struct("s", 8, btftest.Field("p", b.Ptr(btftest.Void), 0), btftest.Field("c", b.Int("char", 1, 0), 32))
			kernel, err := Open(write(t, t.TempDir(), "vmlinux", c.file(b.Bytes())), nil, Options{})
			if err != nil {
				t.Fatal(err)
			}
			p := kernel.View.Type(kernel.View.Lookup("s")[0])
			if got, size := kernel.View.PointerSize(), kernel.View.SizeOf(p.Member(0).Type); got != c.want || size != uint64(c.want) {
				t.Errorf("%v, long of %d bytes: pointers have %d bytes, and one %d, want %d", order, c.long, got, size, c.want)
			}
		}
	}
}

// So it is with a module on the base that it was given when it was built.
func TestPointersOfModuleOnItsOwnBase(t *testing.T) {
	base := btftest.New()
	char := base.Int("char", 1, 0)
	split := base.Split()
	split.Struct("s", 8, btftest.Field("p", split.Ptr(char), 0), btftest.Field("c", char, 32))
	module := elf32File(t, binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, split.Bytes()}, elfSection{".BTF.base", elf.SHT_PROGBITS, 0, base.Bytes()})
	dir := t.TempDir() // without a running kernel
	kernel, err := open(write(t, dir, "m.ko", module), nil, Options{}, liveKernel{btf: dir + "/btf", osrelease: dir + "/none"})
	if err != nil {
		t.Fatal(err)
	}
	if got := kernel.View.PointerSize(); got != 4 {
		t.Errorf("pointers have %d bytes", got)
	}
}
