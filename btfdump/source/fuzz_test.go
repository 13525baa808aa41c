package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// fuzzSeeds adds every container, made around a small BTF.
func fuzzSeeds(f *testing.F) {
	f.Add([]byte{})
	for _, c := range containerCases(f, smallBTF()) {
		f.Add(c.data)
	}
	module := moduleELF("a", "6.12.9-test", smallBTF(), elfSection{".BTF.base", elf.SHT_PROGBITS, 0, smallBTF()})
	f.Add(module)
	f.Add(elfFile(binary.BigEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()}))
	f.Add(elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_NOBITS, 0, smallBTF()}))
	f.Add(elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, smallBTF()}))
	f.Add(tarball(file{"lib/modules/6.12.9-test/a.ko", module}, file{"vmlinux.btf", smallBTF()}))
	f.Add(cpioArchive(file{"lib/modules/6.12.9-test/a.ko", module}, file{"vmlinuz", bzImage(smallBTF())}))
}

// FuzzSearch looks for inputs that make a container panic, hang, or find other
// BTF in a stream than in a file; and for what is found and is no BTF.
func FuzzSearch(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxSize = 4 << 20
		run := func(in *input) ([]Found, error) {
			s := &search{wants: wants{kernel: true, all: true}}
			err := s.run(in, maxSize)
			if s.budget.spent > freeSize+MaxRatio*int64(len(data))+1<<20 {
				t.Errorf("%d bytes unpacked to %d", len(data), s.budget.spent)
			}
			return s.found, err
		}
		found, err := run(fileInput(readerAt{bytes.NewReader(data)}, int64(len(data))))
		if err == nil && len(found) == 0 {
			t.Error("there was nothing to find, and no error")
		}
		for _, hit := range found {
			if !isRaw(hit.Raw) && len(hit.Raw) > 0 {
				t.Errorf("got % x..., which is no BTF", hit.Raw[:min(len(hit.Raw), 4)])
			}
			if hit.Release != "" && releaseOf(hit.Release) != hit.Release {
				t.Errorf("got the release %q", hit.Release)
			}
		}
		inMemory, errInMemory := run(fileInput(memory(data), int64(len(data))))
		if (err == nil) != (errInMemory == nil) || len(found) != len(inMemory) {
			t.Errorf("a file and memory differ: %v and %v", err, errInMemory)
		}
		for i := range min(len(found), len(inMemory)) {
			if !bytes.Equal(found[i].Raw, inMemory[i].Raw) {
				t.Error("a file and memory differ in what is found")
			}
		}
		run(streamInput(bytes.NewReader(data), -1))
	})
}

// readerAt hides all other methods of a reader.
type readerAt struct{ io.ReaderAt }

// FuzzLzop reads what is no lzop file, but begins as one.
func FuzzLzop(f *testing.F) {
	for _, command := range [][]string{{"lzop", "-c"}, {"lzop", "-c", "-9", "--crc32"}, {"lzop", "-c", "--no-checksum"}} {
		f.Add(pack(f, smallBTF(), command...))
		f.Add(pack(f, bytes.Repeat(smallBTF(), 100), command...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newLzop(bytes.NewReader(data))
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, io.LimitReader(r, 64<<20))
		if n > 300*int64(len(data)) {
			t.Errorf("%d bytes unpacked to %d", len(data), n)
		}
	})
}

// FuzzRelocate moves a module's BTF from a base of its own to a kernel's.
func FuzzRelocate(f *testing.F) {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Raw(btftest.KindStruct, "small", 0, false, 4)
	s := b.Split()
	s.Struct("mine", 8, btftest.Field("a", integer, 0), btftest.Field("s", 2, 32))
	f.Add(s.Bytes(), b.Bytes(), smallBTF())
	f.Fuzz(func(t *testing.T, split, base, kernel []byte) {
		view, err := btfdump.New(kernel)
		if err != nil {
			return
		}
		raw, err := relocate(split, base, view)
		if err != nil {
			return
		}
		moved, err := btfdump.NewSplit(raw, view)
		if err != nil {
			t.Fatalf("what was moved can't be read: %v", err)
		}
		if err := moved.FitsBase(); err != nil {
			t.Errorf("what was moved does not fit: %v", err)
		}
	})
}
