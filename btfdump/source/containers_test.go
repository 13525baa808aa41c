package source

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/cavaliergopher/cpio"
)

// pack runs a compressor of the system, so that what is read here is not what
// the same library wrote.
func pack(t testing.TB, data []byte, command ...string) []byte {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(data)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v %s (make tools installs what is missing)", strings.Join(command, " "), err, &stderr)
	}
	return out
}

// compressors are the commands that make the compressed formats.
var compressors = []struct {
	format  string
	command []string
}{
	{"gzip", []string{"gzip", "-c", "-n"}},
	{"xz", []string{"xz", "-c", "-0"}},
	{"xz", []string{"xz", "-c", "--check=sha256", "--x86", "--lzma2=preset=0"}},
	{"xz", []string{"xz", "-c", "-0", "-T2", "--block-size=300KiB"}},
	{"lzma", []string{"xz", "-c", "-0", "--format=lzma"}},
	{"zstd", []string{"zstd", "-c", "-q"}},
	{"zstd", []string{"zstd", "-c", "-q", "-1", "--long=27", "--no-check"}},
	{"lz4", []string{"lz4", "-c", "-q"}},
	{"lz4", []string{"lz4", "-c", "-q", "-l"}},
	{"bzip2", []string{"bzip2", "-c"}},
	{"lzop", []string{"lzop", "-c"}},
	{"lzop", []string{"lzop", "-c", "-1", "--crc32"}},
}

// compressed returns data packed as the kernel's build does it, with the unpacked
// size behind it in 32 bits (little endian) where the format doesn't tell it.
func kernelPayload(t testing.TB, data []byte, format string, command []string) []byte {
	packed := pack(t, data, command...)
	if format == "gzip" {
		return packed // it has the size there
	}
	return binary.LittleEndian.AppendUint32(packed, uint32(len(data)))
}

// bzImage wraps a payload in x86's boot image.
func bzImage(payload []byte) []byte {
	const setups = 3
	image := make([]byte, (setups+1)*512)
	copy(image[0x1fe:], "\x55\xaaxxHdrS")
	image[0x1f1] = setups
	binary.LittleEndian.PutUint16(image[0x206:], 0x20f)
	binary.LittleEndian.PutUint16(image[0x236:], 1)
	binary.LittleEndian.PutUint16(image[0x20e:], 0x300-0x200)
	copy(image[0x300:], "6.12.9-test (builder@host) #1 SMP\x00")
	const startup = 700 // the code that unpacks the kernel
	binary.LittleEndian.PutUint32(image[0x248:], startup)
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(payload)))
	image = append(image, bytes.Repeat([]byte{0x90}, startup)...)
	image = append(image, payload...)
	return append(image, make([]byte, 600)...)
}

// zboot wraps a payload in an EFI image that unpacks itself.
func zboot(payload []byte, format string) []byte {
	image := make([]byte, 4096)
	copy(image, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(image[8:], 4096)
	binary.LittleEndian.PutUint32(image[12:], uint32(len(payload)))
	copy(image[24:], format)
	return append(append(image, payload...), make([]byte, 512)...)
}

// rawImage is a kernel as it lies in memory: with a banner, and the BTF
// somewhere. What only looks like BTF stands before it.
func rawImage(header, btf []byte) []byte {
	image := append(header, make([]byte, 5000)...)
	image = append(image, "\x9f\xeb\x01\x00\x18\x00\x00\x00not BTF at all, whatever the magic\x00"...)
	image = append(image, "Linux version 6.12.9-test (builder@host) #1 SMP\x00"...)
	image = append(image, 0x9f, 0xeb)
	image = append(image, smallBTF()...) // of a BPF program in the kernel
	image = append(image, make([]byte, 333)...)
	image = append(image, btf...)
	return append(image, make([]byte, 4000)...)
}

func kernelELF(btf []byte) []byte {
	return executable(binary.LittleEndian, elfFile(binary.LittleEndian,
		elfSection{".rodata", elf.SHT_PROGBITS, 0, []byte("..Linux version 6.12.9-test (builder@host)")},
		elfSection{".notes", elf.SHT_NOTE, 0, []byte("\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00\xde\xad\xbe\xef")},
		elfSection{".BTF", elf.SHT_PROGBITS, 0, btf}))
}

// executable makes an ELF file one that can be run, as a kernel is.
func executable(order binary.ByteOrder, file []byte) []byte {
	order.PutUint16(file[16:], uint16(elf.ET_EXEC))
	order.PutUint16(file[18:], uint16(elf.EM_X86_64))
	return file
}

// A file is a member of an archive.
type file struct {
	name string
	data []byte
}

func tarball(files ...file) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	w.WriteHeader(&tar.Header{Name: "./boot/", Typeflag: tar.TypeDir, Mode: 0o755})
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			panic(err)
		}
		w.Write(f.data)
	}
	w.Close()
	return out.Bytes()
}

func cpioArchive(files ...file) []byte {
	var out bytes.Buffer
	w := cpio.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&cpio.Header{Name: f.name, Size: int64(len(f.data)), Mode: cpio.TypeReg | 0o644}); err != nil {
			panic(err)
		}
		w.Write(f.data)
	}
	w.Close()
	return out.Bytes()
}

func arArchive(files ...file) []byte {
	out := []byte("!<arch>\n")
	for _, f := range files {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", f.name, 0, 0, 0, "100644", len(f.data))
		out = append(out, f.data...)
		if len(f.data)%2 != 0 {
			out = append(out, '\n')
		}
	}
	return out
}

func debPackage(dataName string, data []byte) []byte {
	return arArchive(file{"debian-binary", []byte("2.0\n")}, file{"control.tar.xz", []byte("odd")}, file{dataName, data})
}

func rpmPackage(payload []byte) []byte {
	out := make([]byte, 96)
	copy(out, "\xed\xab\xee\xdb\x03")
	header := func(entries int, data string) {
		out = append(out, 0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0)
		out = binary.BigEndian.AppendUint32(out, uint32(entries))
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		out = append(append(out, make([]byte, 16*entries)...), data...)
	}
	header(2, "signature")
	out = append(out, make([]byte, 7)...) // to a multiple of 8
	header(3, "name, version, release")
	return append(out, payload...)
}

func androidImage(kernel []byte) []byte {
	image := make([]byte, 2048)
	copy(image, "ANDROID!")
	binary.LittleEndian.PutUint32(image[8:], uint32(len(kernel)))
	binary.LittleEndian.PutUint32(image[36:], 2048)
	return append(append(image, kernel...), "a ramdisk"...)
}

func uImage(kernel []byte) []byte {
	image := make([]byte, 64)
	copy(image, "\x27\x05\x19\x56")
	binary.BigEndian.PutUint32(image[12:], uint32(len(kernel)))
	image[29], image[30] = 22, 2
	return append(image, kernel...)
}

// moduleELF is a .ko file.
func moduleELF(name, release string, btf []byte, more ...elfSection) []byte {
	return elfFile(binary.LittleEndian, append([]elfSection{
		{".modinfo", elf.SHT_PROGBITS, 0, []byte("license=GPL\x00name=" + name + "\x00vermagic=" + release + " SMP preempt mod_unload\x00")},
		{".gnu.linkonce.this_module", elf.SHT_PROGBITS, 0, make([]byte, 64)},
		{".BTF", elf.SHT_PROGBITS, 0, btf}}, more...)...)
}

// A containerCase is an input, and the way that leads to the BTF in it.
type containerCase struct {
	name    string
	data    []byte
	layers  []string
	release string
	arch    string
}

// containerCases makes each container around the same BTF.
func containerCases(t testing.TB, btf []byte) []containerCase {
	vmlinux := kernelELF(btf)
	zst := []string{"zstd", "-c", "-q"}
	xz := []string{"xz", "-c", "-0"}
	gz := []string{"gzip", "-c", "-n", "-1"}
	bz := bzImage(kernelPayload(t, vmlinux, "zstd", zst))
	arm64 := make([]byte, 64)
	copy(arm64, "MZ")
	copy(arm64[56:], "ARM\x64")
	riscv := make([]byte, 64)
	copy(riscv[48:], "RISCV\x00\x00\x00RSC\x05")
	zImage := make([]byte, 64)
	copy(zImage[0x24:], "\x18\x28\x6f\x01")
	other := file{"./boot/config-6.12.9-test", []byte("CONFIG_DEBUG_INFO_BTF=y\n")}
	files := []file{other, {"./boot/vmlinuz-6.12.9-test", bz}, {"./lib/modules/6.12.9-test/modules.order", nil}}
	const release = "6.12.9-test"
	cases := []containerCase{
		{"raw", btf, []string{"raw BTF"}, "", ""},
		{"ELF", vmlinux, []string{"ELF", "BTF"}, release, "x86_64"},
		{"zboot gzip", zboot(pack(t, rawImage(slices.Clone(arm64), btf), gz...), "gzip"), []string{"EFI zboot image", "gzip", "arm64 Image", "BTF"}, release, "arm64"},
		{"zboot zstd", zboot(kernelPayload(t, rawImage(slices.Clone(arm64), btf), "zstd", zst), "zstd"), []string{"EFI zboot image", "zstd", "arm64 Image", "BTF"}, release, "arm64"},
		{"arm64", rawImage(slices.Clone(arm64), btf), []string{"arm64 Image", "BTF"}, release, "arm64"},
		{"arm64 gzip", pack(t, rawImage(slices.Clone(arm64), btf), gz...), []string{"gzip", "arm64 Image", "BTF"}, release, "arm64"},
		{"riscv64", rawImage(riscv, btf), []string{"riscv64 Image", "BTF"}, release, "riscv64"},
		{"ARM zImage", append(append(append(zImage, make([]byte, 777)...), kernelPayload(t, rawImage(nil, btf), "xz", xz)...), make([]byte, 99)...), []string{"ARM zImage", "xz", "image", "BTF"}, release, "arm"},
		{"s390x", append(append([]byte("\x00\x08\x00\x00\x80\x01\x00\x00 boot code"), make([]byte, 70000)...), append(pack(t, rawImage(nil, btf), zst...), "more"...)...), []string{"image", "zstd", "image", "BTF"}, release, ""},
		{"mips", executable(binary.BigEndian, elfFile(binary.BigEndian, elfSection{".text", elf.SHT_PROGBITS, 0, append([]byte("unpacks itself"), pack(t, vmlinux, xz...)...)})), []string{"ELF", "xz", "ELF", "BTF"}, release, "x86_64"},
		{"uImage", uImage(pack(t, rawImage(nil, btf), gz...)), []string{"uImage", "gzip", "image", "BTF"}, release, "aarch64"},
		{"FIT", append(append([]byte("\xd0\x0d\xfe\xed device tree "), pack(t, rawImage(nil, btf), "lz4", "-c", "-q", "-1")...), "the end"...), []string{"device tree (FIT)", "lz4", "image", "BTF"}, release, ""},
		{"Android", androidImage(pack(t, rawImage(slices.Clone(arm64), btf), "lz4", "-c", "-q", "-l")), []string{"Android boot image", "lz4", "arm64 Image", "BTF"}, release, "arm64"},
		{"tar", tarball(files...), []string{"tar", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"BTFHub", pack(t, tarball(file{"6.12.9-test.btf", btf}), xz...), []string{"xz", "tar", "raw BTF"}, release, ""},
		{"deb", debPackage("data.tar", tarball(files...)), []string{"deb", "tar", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"deb xz", debPackage("data.tar.xz", pack(t, tarball(files...), xz...)), []string{"deb", "xz", "tar", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"deb zst", debPackage("data.tar.zst", pack(t, tarball(files...), zst...)), []string{"deb", "zstd", "tar", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"cpio", cpioArchive(files...), []string{"cpio", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"rpm zst", rpmPackage(pack(t, cpioArchive(other, file{"./lib/modules/6.12.9-test/vmlinuz", bz}), zst...)), []string{"rpm", "zstd", "cpio", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
		{"rpm gz", rpmPackage(pack(t, cpioArchive(other, file{"./lib/modules/6.12.9-test/vmlinuz", bz}), gz...)), []string{"rpm", "gzip", "cpio", "bzImage", "zstd", "ELF", "BTF"}, release, "x86_64"},
	}
	for _, c := range compressors {
		name := strings.Join(c.command, " ")
		cases = append(cases,
			containerCase{name, pack(t, btf, c.command...), []string{c.format, "raw BTF"}, "", ""},
			containerCase{"bzImage " + name, bzImage(kernelPayload(t, vmlinux, c.format, c.command)), []string{"bzImage", c.format, "ELF", "BTF"}, release, "x86_64"})
	}
	return cases
}

func (c containerCase) check(t *testing.T, in *input, want []byte) {
	t.Helper()
	s := &search{wants: wants{kernel: true}}
	if err := s.run(in, 0); err != nil {
		t.Fatal(err)
	}
	found, err := s.pickKernel("")
	if err != nil {
		t.Fatal(err)
	}
	if found == nil || !bytes.Equal(found.Raw, want) {
		t.Fatal("got other BTF than was put in")
	}
	var formats []string
	for _, l := range found.Layers {
		formats = append(formats, l.Format)
	}
	if !slices.Equal(formats, c.layers) {
		t.Errorf("got it by way of %q, want %q", formats, c.layers)
	}
	if found.Release != c.release || found.Arch != c.arch {
		t.Errorf("got the release %q and architecture %q, want %q and %q", found.Release, found.Arch, c.release, c.arch)
	}
}

// partOfKernel returns the BTF of what some types of a kernel need. It is large
// enough for several blocks of the formats that have some, and to be unpacked in
// one piece; a whole kernel's would take five times as long to pack and unpack,
// and tell no more.
func partOfKernel(t *testing.T) []byte {
	t.Helper()
	view, err := btfdump.New(btftest.Corpus(t, "x86_64-layout-section"))
	if err != nil {
		t.Fatal(err)
	}
	var roots []btfdump.TypeID
	for id := btfdump.TypeID(1); int(id) < view.NumTypes()/4; id++ {
		roots = append(roots, id)
	}
	btf, err := view.Subset(view.Closure(roots, btfdump.PointersForward))
	if err != nil {
		t.Fatal(err)
	}
	if len(btf) < 5<<18 || len(btf) > 2<<20 {
		t.Fatalf("the part has %d bytes", len(btf))
	}
	return btf
}

// Each container gives back the BTF that was put into it, byte for byte, as a
// file and as a stream, and tells the way.
func TestContainers(t *testing.T) {
	btf := partOfKernel(t)
	for _, c := range containerCases(t, btf) {
		t.Run(c.name, func(t *testing.T) {
			c.check(t, fileInput(bytes.NewReader(c.data), int64(len(c.data))), btf)
			c.check(t, streamInput(io.MultiReader(bytes.NewReader(c.data)), -1), btf)
		})
	}
}

// An input that is cut short is an error or has all of the BTF, for it may have
// been cut behind that.
func TestTruncated(t *testing.T) {
	btf := btftest.Corpus(t, "btf_testmod.distilled-base")
	for _, c := range containerCases(t, btf) {
		t.Run(c.name, func(t *testing.T) {
			failed := 0
			for i := range 40 {
				size := len(c.data) * i / 40
				s := &search{wants: wants{kernel: true}}
				err := s.run(fileInput(bytes.NewReader(c.data[:size]), int64(size)), 0)
				if err != nil {
					failed++
				}
				for _, f := range s.found {
					if !bytes.Equal(f.Raw, btf) && !bytes.Equal(f.Raw, btf[:min(len(btf), size)]) && !bytes.Equal(f.Raw, smallBTF()) {
						t.Errorf("%d of %d bytes: got BTF of %d bytes that was never put in", size, len(c.data), len(f.Raw))
					}
				}
			}
			if failed == 0 && c.name != "raw" {
				t.Error("nothing failed")
			}
		})
	}
}

// The offsets that are told must be those where things are.
func TestLayersTellOffsets(t *testing.T) {
	btf := smallBTF()
	vmlinux := kernelELF(btf)
	payload := kernelPayload(t, vmlinux, "zstd", []string{"zstd", "-c", "-q"})
	image := bzImage(payload)
	s := &search{wants: wants{kernel: true}}
	if err := s.run(fileInput(bytes.NewReader(image), int64(len(image))), 0); err != nil {
		t.Fatal(err)
	}
	layers := s.found[0].Layers
	if at := layers[1].Offset; !bytes.HasPrefix(image[at:], []byte(zstdMagic)) || layers[1].Size != int64(len(payload)) {
		t.Errorf("the payload is told to be at %d, %d bytes", at, layers[1].Size)
	}
	if last := layers[3]; !bytes.Equal(vmlinux[last.Offset:][:last.Size], btf) || last.Path != ".BTF" {
		t.Errorf("the BTF is told to be %d bytes at %d of section %q", last.Size, last.Offset, last.Path)
	}
	if id := s.found[0].BuildID; id != "deadbeef" {
		t.Errorf("got the build ID %q", id)
	}
}

// zeros is an endless stream that packs well.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What unpacks to too much is refused, in whatever it is packed and however deep.
func TestBombs(t *testing.T) {
	data, err := io.ReadAll(io.LimitReader(zeros{}, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range compressors {
		if c.format == "lzop" || c.format == "lz4" || c.format == "bzip2" && testing.Short() {
			continue // they pack 255 to 1 at most, or take their time
		}
		bomb := pack(t, data, c.command...)
		t.Run(strings.Join(c.command, " "), func(t *testing.T) {
			_, err := unpack(bytes.NewReader(bomb), int64(len(bomb)))
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes that unpack to 64 MiB: got the error %v, want ErrTooLarge", len(bomb), err)
			}
		})
	}
	// The limit in bytes, which can be raised.
	packed := pack(t, append(smallBTF(), make([]byte, 2<<20)...), "gzip", "-c")
	for _, maxSize := range []int64{1 << 20, 4 << 20} {
		s := &search{wants: wants{kernel: true}}
		err := s.run(fileInput(bytes.NewReader(packed), int64(len(packed))), maxSize)
		if (err == nil) != (maxSize == 4<<20) || err != nil && (!errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "--max-size")) {
			t.Errorf("limit of %d bytes: got the error %v", maxSize, err)
		}
	}
}

// Containers in each other have an end.
func TestDepth(t *testing.T) {
	data := smallBTF()
	for range maxDepth + 1 {
		data = pack(t, data, "gzip", "-c")
	}
	_, err := unpack(bytes.NewReader(data), int64(len(data)))
	if err == nil || !strings.Contains(err.Error(), "stand in each other") {
		t.Errorf("got the error %v", err)
	}
}

// Packages that Debian's and Fedora's own tools made.
func TestPackagesOfOthers(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	btf := btftest.Corpus(t, "btf_testmod.distilled-base")
	must(os.MkdirAll(dir+"/tree/DEBIAN", 0o755))
	must(os.MkdirAll(dir+"/tree/boot", 0o755))
	must(os.WriteFile(dir+"/tree/DEBIAN/control", []byte("Package: linux-image\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a kernel\n"), 0o644))
	must(os.WriteFile(dir+"/tree/boot/vmlinuz-6.12.9-test", bzImage(kernelPayload(t, kernelELF(btf), "xz", []string{"xz", "-c"})), 0o644))
	for _, compression := range []string{"gzip", "xz", "zstd", "none"} {
		out := dir + "/" + compression + ".deb"
		pack(t, nil, "dpkg-deb", "--build", "--root-owner-group", "-Z"+compression, dir+"/tree", out)
		kernel, err := Open(out, nil, Options{})
		must(err)
		if !bytes.Equal(kernel.View.Raw(), btf) || kernel.Release != "6.12.9-test" {
			t.Errorf("%s: got other BTF, or the release %q", compression, kernel.Release)
		}
	}
	archive := dir + "/archive.cpio"
	must(os.WriteFile(archive, pack(t, nil, "sh", "-c", "cd "+dir+"/tree && find . | cpio -o -H newc 2>/dev/null"), 0o644))
	kernel, err := Open(archive, nil, Options{})
	must(err)
	if !bytes.Equal(kernel.View.Raw(), btf) {
		t.Error("cpio: got other BTF")
	}
}
