package source

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// An initramfs is several archives in a row.
func TestInitramfs(t *testing.T) {
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	split := base.Split()
	split.Struct("in_module", 4, btftest.Field("a", integer, 0))
	zst, gz := []string{"zstd", "-c", "-q"}, []string{"gzip", "-c", "-n"}
	microcode := cpioArchive(file{"kernel/x86/microcode/GenuineIntel.bin", make([]byte, 3000)})
	modules := cpioArchive(file{"usr/lib/modules/6.12.9-test/mod.ko", moduleELF("mod", "6.12.9-test", split.Bytes())})
	kernel := cpioArchive(file{"boot/vmlinuz-6.12.9-test", bzImage(pack(t, kernelELF(base.Bytes()), gz...))})
	zeros := make([]byte, 5000)
	image := bzImage(pack(t, kernelELF(base.Bytes()), gz...))
	copy(image, "MZ") // as all have it since the EFI stub
	for _, test := range []struct {
		name    string
		parts   [][]byte
		modules bool // they are there
		kernel  bool
	}{
		{"microcode and modules", [][]byte{microcode, modules}, true, false},
		{"microcode and packed modules", [][]byte{microcode, pack(t, modules, zst...)}, true, false},
		{"zeros between", [][]byte{microcode, zeros, pack(t, modules, gz...), zeros}, true, false},
		{"twice microcode", [][]byte{microcode, microcode, zeros, modules}, true, false},
		{"with a kernel", [][]byte{microcode, pack(t, modules, zst...)}, true, false},
		{"kernel and modules", [][]byte{kernel, modules}, true, true},
		{"kernel and packed modules", [][]byte{kernel, zeros, pack(t, modules, zst...)}, true, true},
		{"modules and kernel", [][]byte{modules, pack(t, kernel, "xz", "-c", "-0")}, true, true},
		{"modules, and an image behind", [][]byte{modules, zeros, image}, true, true},
		{"modules packed in two ways", [][]byte{pack(t, microcode, gz...), zeros, pack(t, modules, "xz", "-c")}, true, false},
		{"kernel and junk", [][]byte{kernel, zeros, []byte("whatever this is")}, false, true},
		{"kernel and what is cut short", [][]byte{kernel, pack(t, modules, zst...)[:200]}, false, true},
		{"microcode alone", [][]byte{microcode, zeros}, false, false},
	} {
		data := slices.Concat(test.parts...)
		for _, in := range []*input{fileInput(readerAt{bytes.NewReader(data)}, int64(len(data))), fileInput(memory(data), int64(len(data))), streamInput(bytes.NewReader(data), -1)} {
			s := &search{wants: wants{kernel: true, modules: map[string]bool{"mod": true}}}
			err := s.run(in, 0)
			var got []string
			for _, f := range s.found {
				got = append(got, f.Module)
			}
			slices.Sort(got)
			var want []string
			if test.kernel {
				want = append(want, "")
			}
			if test.modules {
				want = append(want, "mod")
			}
			if !slices.Equal(got, want) || (err == nil) != (len(want) > 0) {
				t.Errorf("%s: got the modules %q and the error %v, want %q", test.name, got, err, want)
			}
		}
	}
	cutShort := append(bytes.Clone(microcode), pack(t, modules, zst...)[:200]...)
	s := &search{wants: wants{all: true}}
	if err := s.run(fileInput(memory(cutShort), int64(len(cutShort))), 0); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("got the error %v", err)
	}
	// More than anybody has end at the depth of containers.
	many := bytes.Repeat(microcode[:len(microcode):len(microcode)], 40)
	s = &search{wants: wants{kernel: true}}
	if err := s.run(fileInput(memory(many), int64(len(many))), 0); err == nil {
		t.Error("no error")
	}
}

// A kernel may stand behind an initramfs, which may be packed in any way, and the
// kernel too.
func TestKernelBehindInitramfs(t *testing.T) {
	want := kernelBTF("behind")
	elf := kernelELF(want)
	image := bzImage(pack(t, elf, "gzip", "-c", "-n"))
	old := bytes.Clone(image) // as it is without an EFI stub
	copy(old, "\xea\x05\x00\xc0\x07")
	stub := bytes.Clone(image)
	copy(stub, "MZ")
	arm64 := make([]byte, 4096)
	copy(arm64, "MZ\x00\x91")
	copy(arm64[56:], "ARM\x64")
	kernels := map[string][]byte{"ELF": elf, "BTF": want, "bzImage": old, "bzImage with EFI stub": stub, "bzImage that starts with zeros": image,
		"zstd": pack(t, elf, "zstd", "-c", "-q"), "EFI program": peFile(file{".linux", image}), "arm64 Image": append(arm64, want...),
		"no format": append([]byte("whatever this is"), pack(t, elf, "xz", "-c")...)}
	microcode := cpioArchive(file{"kernel/x86/microcode/GenuineIntel.bin", make([]byte, 3000)})
	files := cpioArchive(file{"usr/lib/modules/6.12.9-test/mod.ko", moduleELF("mod", "6.12.9-test", nil)}, file{"usr/lib/bpf/prog.bpf.o", objectBTF()})
	initrds := map[string][]byte{"plain": files}
	for _, command := range [][]string{{"gzip", "-c", "-n"}, {"xz", "-c"}, {"xz", "-c", "--format=lzma"}, {"zstd", "-c", "-q"}, {"lz4", "-c", "-q"}, {"lz4", "-c", "-q", "-l"}, {"bzip2", "-c"}, {"lzop", "-c"}} {
		initrds[strings.Join(command, " ")] = pack(t, files, command...)
	}
	for packed, initrd := range initrds {
		for format, kernel := range kernels {
			if packed != "xz -c" && format != "bzImage" && format != "no format" {
				continue // each with each would tell no more
			}
			for name, parts := range map[string][][]byte{
				"microcode, initrd and kernel":  {microcode, initrd, make([]byte, 512), kernel},
				"initrd and kernel":             {initrd, kernel},
				"microcode, initrd twice, both": {microcode, initrd, make([]byte, 4), initrd, make([]byte, 8), kernel},
			} {
				data := slices.Concat(parts...)
				for _, in := range []*input{fileInput(memory(data), int64(len(data))), streamInput(bytes.NewReader(data), -1)} {
					s := &search{wants: wants{kernel: true}}
					err := s.run(in, 0)
					if err == nil {
						var got *Found
						if got, err = s.pickKernel(""); err == nil && (got == nil || !bytes.Equal(got.Raw, want)) {
							err = errors.New("it is not the kernel that was found")
						}
					}
					if err != nil {
						t.Errorf("%s, packed with %s, kernel as %s: %v", name, packed, format, err)
					}
				}
			}
		}
	}
}
