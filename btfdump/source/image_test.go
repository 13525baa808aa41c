package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// peFile makes an EFI program of sections, in their order, as ukify does.
func peFile(sections ...file) []byte {
	le := binary.LittleEndian
	const align = 512
	out := make([]byte, 2048+40*len(sections))
	copy(out, "MZ")
	le.PutUint32(out[0x3c:], 128)
	copy(out[128:], "PE\x00\x00")
	le.PutUint16(out[132:], 0x8664)
	le.PutUint16(out[134:], uint16(len(sections)))
	const optional = 240
	le.PutUint16(out[148:], optional)
	for i, s := range sections {
		entry := out[128+24+optional+i*40:]
		copy(entry[:8], s.name)
		size := (len(s.data) + align - 1) / align * align
		le.PutUint32(entry[8:], uint32(len(s.data)))
		le.PutUint32(entry[16:], uint32(size))
		le.PutUint32(entry[20:], uint32(len(out)))
		out = append(out, s.data...)
		out = append(out, make([]byte, size-len(s.data))...)
	}
	return out
}

// kernelBTF is BTF of a few types that is like a kernel's.
func kernelBTF(name string) []byte {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Struct("task_struct", 8, btftest.Field("pid", integer, 0), btftest.Field(name, integer, 32))
	return b.Bytes()
}

// objectBTF is BTF like that of a BPF object, larger than kernelBTF, with a
// type of the kernel's in it.
func objectBTF() []byte {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	task := b.Struct("task_struct", 8, btftest.Field("pid", integer, 0))
	for i := range 20 {
		b.Struct(fmt.Sprint("in_prog", i), 4, btftest.Field("a", integer, 0))
	}
	b.Datasec("license", 4, btftest.SecVar{Type: b.Var("LICENSE", task, 1), Size: 4})
	return b.Bytes()
}

func objectELF() []byte {
	return elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, objectBTF()}, elfSection{".BTF.ext", elf.SHT_PROGBITS, 0, make([]byte, 32)})
}

// In an image, modules and BPF objects of an initrd that stands before the kernel
// never pass for it, and never bring the running kernel in.
func TestInitrdBeforeKernel(t *testing.T) {
	running := newTestKernel(t)
	xz, zst, gz := []string{"xz", "-c", "-0", "--check=crc32"}, []string{"zstd", "-c", "-q"}, []string{"gzip", "-c", "-n"}
	base := btftest.New() // the running kernel's, as newTestKernel has it
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("base_struct", 4, btftest.Field("a", integer, 0))
	split := base.Split()
	split.Struct("only_in_module", 4, btftest.Field("a", integer, 0))
	module := moduleELF("mod", "6.12.9-test", split.Bytes())
	distilled := moduleELF("own_base", "6.12.9-test", split.Bytes(), elfSection{".BTF.base", elf.SHT_PROGBITS, 0, base.Bytes()})
	packed := pack(t, module, xz...)
	var many []file
	for i := range 3 * maxAttempts {
		many = append(many, file{fmt.Sprintf("lib/modules/x/m%d.ko.xz", i), packed})
	}
	initrds := map[string][]byte{
		"module":          cpioArchive(file{"lib/modules/x/mod.ko.xz", packed}),
		"plain module":    cpioArchive(file{"lib/modules/x/mod.ko", module}),
		"own base":        cpioArchive(file{"lib/modules/x/own_base.ko.xz", pack(t, distilled, xz...)}),
		"many modules":    cpioArchive(many...),
		"program":         cpioArchive(file{"prog.bpf.o.xz", pack(t, objectELF(), xz...)}),
		"plain program":   cpioArchive(file{"prog.bpf.o", objectELF()}),
		"program's BTF":   cpioArchive(file{"prog.bin", objectBTF()}),
		"microcode":       append(cpioArchive(file{"kernel/x86/microcode/GenuineIntel.bin", make([]byte, 3000)}), pack(t, cpioArchive(file{"lib/modules/x/mod.ko.xz", packed}), zst...)...),
		"packed modules":  pack(t, cpioArchive(many...), gz...),
		"another kernel":  pack(t, cpioArchive(file{"boot/vmlinuz-6.1.0-other", bzImage(pack(t, kernelELF(kernelBTF("other")), gz...))}), gz...),
		"another's BTF":   cpioArchive(file{"usr/share/x.btf", append(kernelBTF("other"), make([]byte, 64)...)}),
		"another vmlinux": cpioArchive(file{"usr/lib/debug/vmlinux", kernelELF(kernelBTF("other"))}),
		"no archive":      append(bytes.Clone(packed), pack(t, objectELF(), xz...)...),
		"zeros and a gap": append(append(make([]byte, 4096), cpioArchive(file{"a.ko", module})...), make([]byte, 4096)...),
	}
	want := kernelBTF("image")
	vmlinux := kernelELF(want)
	kernels := map[string][]byte{
		"bzImage": bzImage(kernelPayload(t, vmlinux, "zstd", zst)),
		"zstd":    append(make([]byte, 512), pack(t, vmlinux, zst...)...),
		"image":   rawImage(nil, want),
		"zboot":   zboot(pack(t, rawImage(nil, want), gz...), "gzip"),
	}
	images := map[string]func(initrd, kernel []byte) []byte{
		"UKI": func(initrd, kernel []byte) []byte {
			return peFile(file{".osrel", []byte("ID=debian\n")}, file{".uname", []byte("6.12.9-test")}, file{".ucode", cpioArchive(file{"kernel/x86/microcode/x.bin", []byte("x")})}, file{".initrd", initrd}, file{".linux", kernel})
		},
		"FIT": func(initrd, kernel []byte) []byte {
			return slices.Concat([]byte("\xd0\x0d\xfe\xed device tree "), initrd, []byte("and"), kernel, []byte("the end"))
		},
		"unknown image": func(initrd, kernel []byte) []byte {
			return slices.Concat(make([]byte, 70000), initrd, make([]byte, 1000), kernel, make([]byte, 1000))
		},
		"uImage of several": func(initrd, kernel []byte) []byte {
			image := uImage(slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(initrd))), binary.BigEndian.AppendUint32(nil, uint32(len(kernel))), make([]byte, 4), initrd, kernel))
			image[30] = 4
			return image
		},
		"EFI program": func(initrd, kernel []byte) []byte { return peFile(file{".data", initrd}, file{".text", kernel}) },
		"Android":     func(initrd, kernel []byte) []byte { return append(androidImage(kernel), initrd...) },
	}
	for imageName, image := range images {
		for kernelName, kernel := range kernels {
			for initrdName, initrd := range initrds {
				t.Run(imageName+" "+kernelName+" "+initrdName, func(t *testing.T) {
					path := write(t, t.TempDir(), "image", image(initrd, kernel))
					got, err := open(path, nil, Options{}, running.live)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got.View.Raw(), want) || len(got.Modules) > 0 {
						t.Errorf("got the structs %q, modules %q", structs(got.View), got.Modules)
					}
					err = Each(path, nil, Options{}, func(k *Kernel) error {
						if !bytes.Equal(k.View.Raw(), want) {
							t.Errorf("Each: got the structs %q", structs(k.View))
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// Where there is no kernel with BTF, nothing else takes its place.
func TestNoKernelInImage(t *testing.T) {
	running := newTestKernel(t)
	base := btftest.New() // the running kernel's, as newTestKernel has it
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("base_struct", 4, btftest.Field("a", integer, 0))
	split := base.Split()
	split.Struct("only_in_module", 4, btftest.Field("a", integer, 0))
	xz, zst := []string{"xz", "-c", "-0", "--check=crc32"}, []string{"zstd", "-c", "-q"}
	module := pack(t, moduleELF("mod", "6.12.9-test", split.Bytes()), xz...)
	program := pack(t, objectELF(), xz...)
	bare := executable(binary.LittleEndian, elfFile(binary.LittleEndian, elfSection{".rodata", elf.SHT_PROGBITS, 0, []byte("Linux version 6.12.9-test (builder@host)")}))
	image := func(more []byte) []byte {
		return slices.Concat(make([]byte, 600), []byte("Linux version 6.12.9-test (builder@host)\x00"), make([]byte, 600), more)
	}
	arm64 := make([]byte, 200000)
	copy(arm64[56:], "ARM\x64")
	zImage := make([]byte, 3000)
	copy(zImage[0x24:], "\x18\x28\x6f\x01")
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"module", slices.Concat(make([]byte, 600), module), "modules (mod among them) and no kernel"},
		{"module's BTF, packed", slices.Concat(make([]byte, 600), pack(t, split.Bytes(), xz...)), "modules"},
		{"module in an archive", slices.Concat(make([]byte, 600), cpioArchive(file{"a.btf", split.Bytes()})), "modules"},
		{"module's BTF in a tar", tarball(file{"mod.btf", split.Bytes()}), "and no kernel"},
		{"module's BTF in a cpio", cpioArchive(file{"mod.btf", split.Bytes()}), "and no kernel"},
		{"module's BTF in a package", debPackage("data.tar", tarball(file{"./mod.btf", split.Bytes()})), "and no kernel"},
		{"initrd", cpioArchive(file{"lib/modules/x/mod.ko.xz", module}, file{"prog.bpf.o.xz", program}), "no kernel image"},
		{"UKI, kernel without BTF", peFile(file{".initrd", cpioArchive(file{"mod.ko.xz", module}, file{"p.o.xz", program})}, file{".linux", bzImage(kernelPayload(t, bare, "zstd", zst))}), "Linux 6.12.9-test, was built without CONFIG_DEBUG_INFO_BTF"},
		{"UKI, module in front", peFile(file{".initrd", module}, file{".linux", append(make([]byte, 512), pack(t, bare, zst...)...)}), "built without CONFIG_DEBUG_INFO_BTF"},
		{"image, program in it", image(objectBTF()), "Linux 6.12.9-test, was built without CONFIG_DEBUG_INFO_BTF"},
		{"image, program behind", image(program), "built without CONFIG_DEBUG_INFO_BTF"},
		{"image, module behind", image(module), "built without CONFIG_DEBUG_INFO_BTF"},
		{"FIT", slices.Concat([]byte("\xd0\x0d\xfe\xed"), program, pack(t, image(nil), xz...)), "built without CONFIG_DEBUG_INFO_BTF"},
		{"FIT without a kernel", []byte("\xd0\x0d\xfe\xed and so on"), "device tree (FIT): no BTF: nothing in it looks like"},
		{"ELF", bare, "no section .BTF; this kernel, Linux 6.12.9-test, was built without CONFIG_DEBUG_INFO_BTF"},
		{"bzImage", bzImage(kernelPayload(t, bare, "zstd", zst)), "bzImage: zstd: ELF: no BTF: it has no section .BTF; this kernel, Linux 6.12.9-test, was built without"},
		{"zboot", zboot(pack(t, arm64, zst...), "zstd22"), "EFI zboot image: zstd: arm64 Image: no BTF: this kernel was built without"},
		{"arm64", arm64, "arm64 Image: no BTF: this kernel was built without CONFIG_DEBUG_INFO_BTF=y"},
		{"arm64 with a banner", append(bytes.Clone(arm64), image(nil)...), "Linux 6.12.9-test, was built without"},
		{"ARM zImage", append(bytes.Clone(zImage), pack(t, image(nil), xz...)...), "Linux 6.12.9-test, was built without"},
		{"s390x", append(make([]byte, 70000), pack(t, image(nil), zst...)...), "Linux 6.12.9-test, was built without"},
		{"mips", executable(binary.BigEndian, elfFile(binary.BigEndian, elfSection{".text", elf.SHT_PROGBITS, 0, append([]byte("unpacks itself"), pack(t, bare, xz...)...)})), "Linux 6.12.9-test, was built without"},
		{"Android", androidImage(pack(t, arm64, "lz4", "-c", "-q", "-l")), "this kernel was built without"},
		{"uImage", uImage(pack(t, image(nil), "gzip", "-c")), "Linux 6.12.9-test, was built without"},
		{"EFI program", peFile(file{".text", []byte("a boot loader")}), "EFI program: no BTF: nothing in it looks like"},
		{"program in an initrd", peFile(file{".initrd", pack(t, cpioArchive(file{"a.btf", objectBTF()}), zst...)}), "it holds a BPF object's"},
		{"program in an image", append(make([]byte, 70000), pack(t, objectELF(), zst...)...), "it holds a BPF object's"},
		{"program in an initramfs", pack(t, cpioArchive(file{"usr/share/a.btf", objectBTF()}), zst...), "it holds that of a BPF object (usr/share/a.btf) and no kernel's"},
		{"program in a tar", tarball(file{"a.btf", objectBTF()}), "it holds that of a BPF object (a.btf) and no kernel's"},
		{"text", []byte("neither this nor that"), "no BTF: it is text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "image", test.data)
			got, err := open(path, nil, Options{}, running.live)
			if err == nil {
				t.Fatalf("got the structs %q", structs(got.View))
			}
			if !errors.Is(err, ErrNoBTF) && !errors.Is(err, errNoBase) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got the error %q, want %q in it", err, test.want)
			}
			err = Each(path, nil, Options{}, func(k *Kernel) error {
				return fmt.Errorf("Each: got the structs %q", structs(k.View))
			})
			if err == nil || strings.Contains(err.Error(), "Each: ") {
				t.Errorf("got the error %v", err)
			}
		})
	}
}

// Alone, a module still finds the running kernel, packed or not.
func TestModuleByItself(t *testing.T) {
	running := newTestKernel(t)
	module := slices.Clone(readFile(t, running.dir+"/alpha.ko"))
	for name, data := range map[string][]byte{"plain": module, "xz": pack(t, module, "xz", "-c"), "raw": readFile(t, running.dir+"/btf/alpha")} {
		got, err := open(write(t, t.TempDir(), "alpha.ko", data), nil, Options{}, running.live)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"base_struct", "alpha_struct"}; !slices.Equal(structs(got.View), want) {
			t.Errorf("%s: got the structs %q, want %q", name, structs(got.View), want)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Of several kernels in an archive, those that stand by themselves are meant.
func TestModulesAndProgramsBesideKernel(t *testing.T) {
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	split := base.Split()
	split.Struct("mine", 4, btftest.Field("a", integer, 0))
	for _, pack := range []func(...file) []byte{tarball, cpioArchive} {
		data := pack(file{"nf_conntrack.btf", split.Bytes()}, file{"prog.btf", objectBTF()}, file{"vmlinux.btf", smallBTF()}, file{"z.btf", split.Bytes()})
		s := &search{wants: wants{kernel: true}}
		if err := s.run(fileInput(memory(data), int64(len(data))), 0); err != nil {
			t.Fatal(err)
		}
		if f, err := s.pickKernel(""); err != nil || !bytes.Equal(f.Raw, smallBTF()) {
			t.Errorf("got other BTF than the kernel's, or the error %v", err)
		}
	}
}

// A unified kernel image: its sections, profiles, and those that make no sense.
func TestUnifiedKernelImage(t *testing.T) {
	one, two := kernelBTF("one"), kernelBTF("two")
	gz := []string{"gzip", "-c", "-n"}
	plain := func(btf []byte) []byte { return append(make([]byte, 600), pack(t, btf, gz...)...) }
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("task_struct", 8, btftest.Field("pid", integer, 0), btftest.Field("one", integer, 32))
	split := base.Split()
	split.Struct("in_module", 4, btftest.Field("a", integer, 0))
	module := file{"usr/lib/modules/1.0-one/mod.ko", moduleELF("mod", "1.0-one", split.Bytes())}
	initrd := pack(t, cpioArchive(module), "zstd", "-c", "-q")
	// With another kernel in its initrd.
	kexec := peFile(file{".initrd", pack(t, cpioArchive(module, file{"boot/vmlinuz-2.0-two", plain(two)}), "zstd", "-c", "-q")}, file{".uname", []byte("1.0-one")}, file{".linux", plain(one)})
	profiles := peFile(file{".uname", []byte("1.0-one\n")}, file{".linux", plain(one)}, file{".profile", []byte("ID=main\n")}, file{".cmdline", []byte("quiet")},
		file{".profile", []byte("ID=other\n")}, file{".uname", []byte("2.0-two")}, file{".linux", plain(two)}, file{".profile", []byte("ID=third\n")})
	for _, test := range []struct {
		name    string
		data    []byte
		modules []string
		release string
		want    []byte // the kernel's
		is      string // its release
		fails   string
	}{
		{"release from .uname", peFile(file{".uname", []byte("1.0-one\n")}, file{".linux", plain(one)}), nil, "", one, "1.0-one", ""},
		{"release that is none", peFile(file{".uname", []byte("1.0 */ x")}, file{".linux", plain(one)}), nil, "", one, "1.0", ""},
		{"the kernel's own release", peFile(file{".uname", []byte("9.9")}, file{".linux", bzImage(pack(t, kernelELF(one), gz...))}), nil, "", one, "6.12.9-test", ""},
		{"several", profiles, nil, "", nil, "", "choose one with --release: 1.0-one, 2.0-two"},
		{"the first of several", profiles, nil, "1.0-one", one, "1.0-one", ""},
		{"the second of several", profiles, nil, "2.0-two", two, "2.0-two", ""},
		{"none of several", profiles, nil, "3.0", nil, "", "of the release 3.0: what is there is 1.0-one, 2.0-two"},
		{"a module of its initrd", peFile(file{".initrd", initrd}, file{".uname", []byte("1.0-one")}, file{".linux", plain(one)}), []string{"mod"}, "", one, "1.0-one", ""},
		{"a module that its initrd lacks", peFile(file{".initrd", initrd}, file{".uname", []byte("1.0-one")}, file{".linux", plain(one)}), []string{"nope"}, "", nil, "", `no module "nope"`},
		{"a module of an initrd with a kernel", kexec, []string{"mod"}, "", one, "1.0-one", ""},
		{"the same in a tar", tarball(file{"boot/EFI/Linux/x.efi", kexec}), []string{"mod"}, "", one, "1.0-one", ""},
		{"the same in a deb", debPackage("data.tar", tarball(file{"boot/EFI/Linux/x.efi", kexec})), []string{"mod"}, "", one, "1.0-one", ""},
		{"packed", pack(t, peFile(file{".initrd", initrd}, file{".linux", plain(one)}), gz...), nil, "", one, "", ""},
		{"in a tar", tarball(file{"boot/vmlinuz-1.0-one", peFile(file{".initrd", initrd}, file{".linux", plain(one)})}), nil, "", one, "1.0-one", ""},
		{"cut short in .linux", peFile(file{".initrd", initrd}, file{".linux", plain(one)})[:1<<11+80+512+650], nil, "", nil, "", "cut short: its section .linux ends at byte"},
		{"cut short in the table", peFile(file{".linux", plain(one)})[:400], nil, "", nil, "", "cut short: its section table ends at byte 432 of 400"},
		{"cut short in the header", peFile(file{".linux", plain(one)})[:140], nil, "", nil, "", "cut short: its PE header ends at byte 152 of 140"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := open(write(t, t.TempDir(), "x.efi", test.data), test.modules, Options{Release: test.release}, noKernel(t))
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got the error %v, want %q in it", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			view := got.View
			if len(test.modules) > 0 {
				view = view.Base()
			}
			if !bytes.Equal(view.Raw(), test.want) || got.Release != test.is || !slices.Equal(got.Modules, test.modules) {
				t.Errorf("got %q of the release %q with the modules %q", structs(got.View), got.Release, got.Modules)
			}
		})
	}
}

// Section tables that claim too much cost nothing.
func TestHostilePE(t *testing.T) {
	le := binary.LittleEndian
	good := peFile(file{".linux", append(make([]byte, 600), pack(t, kernelBTF("a"), "gzip", "-c")...)})
	change := func(at int, value uint32) []byte {
		bad := bytes.Clone(good)
		le.PutUint32(bad[at:], value)
		return bad
	}
	var many []file
	for range maxPESections {
		many = append(many, file{".linux", nil})
	}
	linux := many[:200]
	same := peFile(linux...)
	for i := range linux { // nearly all at one place
		le.PutUint32(same[128+24+240+i*40+8:], 0)
		le.PutUint32(same[128+24+240+i*40+16:], 1000)
		le.PutUint32(same[128+24+240+i*40+20:], uint32(500+i))
	}
	for name, data := range map[string][]byte{
		"65,535 sections":     change(134, 0xffff),
		"a header far behind": change(0x3c, 0xfffffff0),
		"a section far away":  change(128+24+240+20, 0xfffffff0),
		"a size":              change(128+24+240+8, 0xfffffff0)[:1<<11],
		"200 kernels":         same,
		"empty kernels":       peFile(many[:50]...),
	} {
		s := &search{wants: wants{kernel: true}}
		err := s.run(fileInput(memory(data), int64(len(data))), 0)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if s.budget.attempts > maxAttempts+1 {
			t.Errorf("%s: %d attempts", name, s.budget.attempts)
		}
	}
}

// FuzzPE reads section tables.
func FuzzPE(f *testing.F) {
	kernel := append(make([]byte, 100), pack(f, kernelBTF("a"), "gzip", "-c", "-n")...)
	f.Add(peFile(file{".initrd", []byte("x")}, file{".uname", []byte("1.0")}, file{".linux", kernel}))
	f.Add(peFile(file{".linux", kernel}, file{".profile", nil}, file{".linux", kernel}))
	f.Add(peFile(file{".text", kernel}))
	f.Add(peFile())
	f.Fuzz(func(t *testing.T, data []byte) {
		in := fileInput(memory(data), int64(len(data)))
		sections, _, err := peSections(in)
		if err == nil && len(sections) > maxPESections {
			t.Errorf("%d sections", len(sections))
		}
		for _, s := range sections {
			if s.offset < 0 || s.size < 0 {
				t.Errorf("a section at %d, of %d bytes", s.offset, s.size)
			}
			if release := s.release(in); release != releaseOf(release) {
				t.Errorf("got the release %q", release)
			}
		}
		s := &search{wants: wants{kernel: true}}
		if s.run(in, 4<<20); s.budget.attempts > 2*maxAttempts {
			t.Errorf("%d attempts", s.budget.attempts)
		}
	})
}
