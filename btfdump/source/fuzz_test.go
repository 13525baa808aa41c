package source

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// fuzzSeeds adds every container, made around a small BTF.
func fuzzSeeds(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
}

var madeSeeds [][]byte

// seeds are inputs of all kinds, which are made once.
func seeds(f *testing.F) (all [][]byte) {
	if madeSeeds != nil {
		return madeSeeds
	}
	defer func() { madeSeeds = all }()
	add := func(data []byte) { all = append(all, data) }
	add(nil)
	for _, c := range containerCases(f, smallBTF()) {
		add(c.data)
	}
	module := moduleELF("a", "6.12.9-test", smallBTF(), elfSection{".BTF.base", elf.SHT_PROGBITS, 0, smallBTF()})
	add(module)
	add(elfFile(binary.BigEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, smallBTF()}))
	add(elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_NOBITS, 0, smallBTF()}))
	add(elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, elf.SHF_COMPRESSED, smallBTF()}))
	add(tarball(file{"lib/modules/6.12.9-test/a.ko", module}, file{"vmlinux.btf", smallBTF()}))
	add(cpioArchive(file{"lib/modules/6.12.9-test/a.ko", module}, file{"vmlinuz", bzImage(smallBTF())}))

	kernel := file{"boot/vmlinuz-6.12.9-test", bzImage(smallBTF())}
	add(v7(kernel, file{"boot/x.tar", tarball(kernel)}))
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, member := range []file{kernel, {"a.deb", debPackage("data.tar", tarball(kernel))}, {"lib/modules/6.12.9-test/a.ko", module}} {
			part, err := w.CreateHeader(&zip.FileHeader{Name: member.name, Method: method})
			if err != nil {
				f.Fatal(err)
			}
			part.Write(member.data)
		}
		w.Close()
		add(out.Bytes())
	}
	layers := [][]byte{tarball(kernel), tarball(file{"boot/.wh.vmlinuz-6.12.9-test", nil}, file{"vmlinux.btf", smallBTF()})}
	add(tarball(ociFiles(f, layers...)...))
	add(tarball(dockerFiles25(f, layers...)...))
	add(layerOf(f, file{"vmlinuz -> a/b", nil}, file{"a/b", smallBTF()}, file{"Image => c", nil}, file{"c/../d", smallBTF()}))
	compressed := append(make([]byte, 100), pack(f, kernelBTF("a"), "gzip", "-c", "-n")...)
	add(peFile(file{".initrd", cpioArchive(kernel)}, file{".uname", []byte("1.0")}, file{".linux", compressed}))
	add(peFile(file{".linux", bzImage(smallBTF())}, file{".profile", nil}, file{".linux", kernelELF(smallBTF())}))
	add(imageWith(2048, map[int]string{1024: "\xe2\xe1\xf5\xe0"}))
	return all
}

// FuzzLinks looks for links that lead out of the tree, or nowhere for ever.
func FuzzLinks(f *testing.F) {
	f.Add("boot/vmlinuz", "vmlinuz-6.1", "a/b", "../../../../etc", "lib")
	f.Add("a", "b", "b", "a", "a/x")
	f.Add("a", "a/a", "b", "/../../b/c/..", "b/../a")
	f.Fuzz(func(t *testing.T, from1, to1, from2, to2, name string) {
		var l links
		l.add(cleanPath(from1), member{link: to1})
		l.add(cleanPath(from2), member{link: to2})
		got, ok := l.resolve(name)
		if !ok && got != "" {
			t.Errorf("got %q of what leads nowhere", got)
		}
		if got != cleanPath(got) || strings.HasPrefix(got, "..") && (got == ".." || got[2] == '/') {
			t.Errorf("%q leads to %q", name, got)
		}
		placeOf(cleanPath(name))
		if release := releaseInPath(cleanPath(name)); release != "" && releaseOf(release) != release {
			t.Errorf("%q tells the release %q", name, release)
		}
	})
}

// FuzzSearch looks for inputs that make a container panic, hang, or find other
// BTF in a stream than in a file; and for what is found and is no BTF.
func FuzzSearch(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(searchAll)
}

// searchAll looks for BTF in data, as a file, in memory and as a stream, and checks
// what is found, that the three agree, and what it costs.
func searchAll(t *testing.T, data []byte) {
	const (
		maxSize = 4 << 20
		// What is held, the windows of decompressors, as much garbage, and what a
		// test has without that.
		maxHeap = 2*(maxSize+maxWindows) + 64<<20
	)
	before := heapTaken()
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
	if grown := heapTaken() - before; grown > maxHeap {
		t.Errorf("%d bytes took %d MiB of memory", len(data), grown>>20)
	}
}

// heapTaken is how much memory the system gave for the heap: it does not shrink, so
// that what it grows by tells the highest need.
func heapTaken() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapSys)
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
		r, err := newLzop(bytes.NewReader(data), newBudget(0, func() int64 { return int64(len(data)) }))
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
