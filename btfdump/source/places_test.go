package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/cavaliergopher/cpio"
)

// kernelOf is a vmlinux of a release, "" for one that does not tell it, with a
// struct of a name.
func kernelOf(release, name string) []byte {
	b := btftest.New()
	b.Struct(name, 4, btftest.Field("a", b.Int("int", 4, btftest.Signed), 0))
	banner := "no banner"
	if release != "" {
		banner = "Linux version " + release + " (builder@host)"
	}
	return executable(binary.LittleEndian, elfFile(binary.LittleEndian,
		elfSection{".rodata", elf.SHT_PROGBITS, 0, []byte(banner)},
		elfSection{".BTF", elf.SHT_PROGBITS, 0, b.Bytes()}))
}

// An entry is a file of a tree, or a symbolic link if it leads anywhere.
type entry struct {
	path string
	data []byte
	link string
}

// treeForms makes a tree in all forms in which one is read, below a directory,
// and returns their names.
func treeForms(t *testing.T, dir string, entries []entry) []string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var tarred, cpioed, zipped bytes.Buffer
	tw, cw, zw := tar.NewWriter(&tarred), cpio.NewWriter(&cpioed), zip.NewWriter(&zipped)
	for i, e := range entries {
		full := filepath.Join(dir, "tree", e.path)
		must(os.MkdirAll(filepath.Dir(full), 0o755))
		if e.link != "" {
			must(os.Symlink(e.link, full))
			must(tw.WriteHeader(&tar.Header{Name: "./" + e.path, Linkname: e.link, Typeflag: tar.TypeSymlink}))
			must(cw.WriteHeader(&cpio.Header{Name: e.path, Linkname: e.link, Size: int64(len(e.link)), Mode: cpio.TypeSymlink | 0o777}))
			_, err := cw.Write([]byte(e.link))
			must(err)
			h := &zip.FileHeader{Name: e.path}
			h.SetMode(fs.ModeSymlink | 0o777)
			w, err := zw.CreateHeader(h)
			must(err)
			_, err = w.Write([]byte(e.link))
			must(err)
			continue
		}
		must(os.WriteFile(full, e.data, 0o644))
		must(tw.WriteHeader(&tar.Header{Name: "./" + e.path, Size: int64(len(e.data)), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := tw.Write(e.data)
		must(err)
		must(cw.WriteHeader(&cpio.Header{Name: e.path, Size: int64(len(e.data)), Mode: cpio.TypeReg | 0o644}))
		_, err = cw.Write(e.data)
		must(err)
		h := &zip.FileHeader{Name: e.path, Method: []uint16{zip.Store, zip.Deflate}[i%2]}
		w, err := zw.CreateHeader(h)
		must(err)
		_, err = w.Write(e.data)
		must(err)
	}
	must(tw.Close())
	must(cw.Close())
	must(zw.Close())
	must(os.WriteFile(filepath.Join(dir, "tree.tar"), tarred.Bytes(), 0o644))
	must(os.WriteFile(filepath.Join(dir, "tree.cpio"), cpioed.Bytes(), 0o644))
	must(os.WriteFile(filepath.Join(dir, "tree.zip"), zipped.Bytes(), 0o644))
	must(os.WriteFile(filepath.Join(dir, "tree.tar.gz"), pack(t, tarred.Bytes(), "gzip", "-nc"), 0o644))
	return []string{"tree", "tree.tar", "tree.cpio", "tree.zip", "tree.tar.gz"}
}

// answer is what Open says of an input: the release and the first struct of the
// kernel and of what modules add, or the error without the input's name.
func answer(input, release string, modules ...string) string {
	kernel, err := Open(input, modules, Options{Release: release})
	if err != nil {
		return strings.TrimPrefix(err.Error(), input+": ")
	}
	text := kernel.Release + " " + strings.Join(structs(kernel.View), " ")
	if input != "" && len(modules) > 0 {
		text += " with " + strings.Join(kernel.Modules, " ")
	}
	return text
}

// The places and names under which systems keep kernels, with the release that
// the path tells ("" where only the kernel does).
func TestPlacesOfKernels(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	cases := []struct{ path, release string }{
		{"usr/lib/modules/V/vmlinuz", "V"},
		{"usr/lib/modules/V/vmlinuz-virt.efi", "V"},
		{"usr/lib/modules/V/V.efi", "V"},
		{"usr/lib/modules/V/vmlinux.xz", "V"},
		{"usr/lib/modules/V/vmlinux", "V"},
		{"usr/lib/modules/V/build/vmlinux", "V"},
		{"lib/modules/V/vmlinux", "V"},
		{"lib/modules/V/build/vmlinux", "V"},
		{"lib/modules/V/Image", "V"},
		{"boot/vmlinuz-V", "V"},
		{"boot/vmlinux-V", "V"},
		{"boot/vmlinux-V.xz", "V"},
		{"boot/vmlinuz-V.efi.signed", "V"},
		{"boot/vmlinuz", ""},
		{"boot/vmlinuz-lts", ""},
		{"boot/" + id + "/V/linux", "V"},
		{"efi/" + id + "/V/linux", "V"},
		{"boot/efi/EFI/Linux/" + id + "-V.efi", "V"},
		{"boot/EFI/Linux/linux-V.efi", ""},
		{"boot/EFI/Linux/arch-linux.efi", ""},
		{"EFI/Linux/" + id + "-V+3-0.efi", "V"},
		{"EFI/LINUX/BOOTED.EFI", "-"}, // called as a boot loader is
		{"EFI/LINUX/ARCH.EFI", ""},
		{"boot/ostree/fedora-coreos-" + id + "/vmlinuz-V", "V"},
		{"usr/lib/ostree-boot/vmlinuz-V", "V"},
		{"run/current-system/kernel", ""},
		{"nix/store/abcdef-linux-V/bzImage", "V"},
		{"boot/firmware/kernel8.img", ""},
		{"boot/firmware/kernel_2712.img", ""},
		{"boot/firmware/vmlinuz", ""},
		{"boot/kernel7l.img", ""},
		{"boot/bzImage-V", "V"},
		{"boot/Image-V", "V"},
		{"boot/kernel-V", "V"},
		{"boot/Image", ""},
		{"boot/Image.gz", ""},
		{"boot/uImage", ""},
		{"boot/zImage", ""},
		{"usr/lib/debug/boot/vmlinux-V", "V"},
		{"usr/lib/debug/lib/modules/V/vmlinux", "V"},
		{"usr/lib/debug/lib/modules/V/vmlinux.debug", "V"},
		{"usr/lib/debug/usr/lib/modules/V/vmlinux", "V"},
		{"arch/x86/boot/bzImage", ""},
		{"arch/arm64/boot/Image.gz", ""},
		{"vmlinux", ""},
		{"V.btf", "V"},
		{"ubuntu/20.04/x86_64/V.btf", "V"},
		{"boot.img", ""},
		{"boot.img.lz4", ""},
		{"image/boot-5.15.img", ""},
		{"openwrt/fit.itb", ""},
		{"usr/lib/kernel/org.clearlinux.native.6.12.9-1", ""},
		{"opt/kata/share/kata-containers/vmlinux-V", "V"},
		{"install.amd/linux", ""},
		{"kernel", ""},
		// What is no kernel by its name.
		{"boot/config-V", "-"},
		{"boot/System.map-V", "-"},
		{"boot/initrd.img-V", "-"},
		{"boot/EFI/BOOT/BOOTX64.EFI", "-"},
		{"boot/EFI/systemd/systemd-bootx64.efi", "-"},
		{"boot/EFI/debian/grubx64.efi", "-"},
		{"usr/src/linux-headers-V/vmlinux.h", "-"},
		{"usr/share/doc/kernel.txt", "-"},
	}
	const release = "6.12.9-test"
	var all []entry
	var releases []string
	for i, c := range cases {
		path := strings.ReplaceAll(c.path, "V", release)
		t.Run(c.path, func(t *testing.T) {
			data := kernelOf(release, "s")
			want := release + " s"
			if c.release == "-" {
				want = "no BTF: the X has no kernel image in it"
			} else if got := releaseInPath(path); got != strings.ReplaceAll(c.release, "V", release) {
				t.Errorf("the path tells the release %q, want %q", got, c.release)
			}
			dir := t.TempDir()
			for _, form := range treeForms(t, dir, []entry{{path: "README"}, {path: path, data: data}, {path: "usr/bin/vmtouch", data: []byte("tool")}}) {
				got := strings.NewReplacer("the directory", "the X", "the archive", "the X", "cpio: ", "", "zip: ", "", "tar: ", "", "gzip: ", "").Replace(answer(filepath.Join(dir, form), ""))
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s: got %q, want %q", form, got, want)
				}
			}
		})
		if c.release == "-" || strings.HasPrefix(c.path, "ubuntu") {
			continue
		}
		// Together, each has a release of its own.
		own := fmt.Sprintf("6.%d.0-test", i)
		path = strings.ReplaceAll(c.path, "V", own)
		if at, _ := placeOf(path); at.class == placed {
			releases = append(releases, own)
		}
		all = append(all, entry{path: path, data: kernelOf(own, fmt.Sprintf("s%d", i))})
	}
	if t.Failed() {
		return
	}
	dir := t.TempDir()
	forms := treeForms(t, dir, all)
	for i, c := range cases {
		own := fmt.Sprintf("6.%d.0-test", i)
		for _, form := range forms[:4] {
			got := answer(filepath.Join(dir, form), own)
			want := fmt.Sprintf("%s s%d", own, i)
			if c.release == "-" || strings.HasPrefix(c.path, "ubuntu") {
				want = "no BTF of the release " + own
				got = got[max(0, strings.Index(got, "no BTF")):]
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s with --release %s (%s): got %q", form, own, c.path, got)
			}
		}
	}
	slices.Sort(releases)
	for _, form := range forms {
		want := fmt.Sprintf("it holds %d kernels: choose one with --release: ", len(releases))
		if got := answer(filepath.Join(dir, form), ""); !strings.HasPrefix(got, "it holds ") {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
}

// What lies where kernels lie goes before what is only called so, and of one
// release the first place does, wherever in the archive it stands.
func TestWhichKernelOfATree(t *testing.T) {
	vmlinuz := func(release, name string) []byte {
		return bzImageOf(t, release, kernelOf(release, name))
	}
	noBTF := bzImageOf(t, "6.1.0", executable(binary.LittleEndian, elfFile(binary.LittleEndian, elfSection{".rodata", elf.SHT_PROGBITS, 0, []byte("Linux version 6.1.0 (x)")})))
	module := func(name, release string) []byte {
		base := btftest.New()
		integer := base.Int("int", 4, btftest.Signed)
		base.Struct("k", 4, btftest.Field("a", integer, 0))
		b := base.Split()
		b.Struct(name, 4, btftest.Field("a", integer, 0))
		return moduleELF(name, release, b.Bytes())
	}
	rawOf := func(elf []byte) []byte {
		kernel, err := Open(write(t, t.TempDir(), "vmlinux", elf), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return kernel.View.Raw()
	}
	split := func() []byte {
		base := btftest.New()
		integer := base.Int("int", 4, btftest.Signed)
		b := base.Split()
		b.Struct("m", 4, btftest.Field("a", integer, 0))
		return b.Bytes()
	}()
	for _, c := range []struct {
		name    string
		entries []entry
		release string
		modules []string
		want    string // beginning
	}{
		{"a kernel in a home directory", []entry{{path: "home/me/vmlinux-6.5.0", data: kernelOf("6.5.0", "b")}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"that is asked for", []entry{{path: "home/me/vmlinux-6.5.0", data: kernelOf("6.5.0", "b")}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "6.5.0", nil, "6.5.0 b"},
		{"only in home directories", []entry{{path: "home/me/vmlinux-6.5.0", data: kernelOf("6.5.0", "b")}, {path: "home/you/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "it holds 2 kernels: choose one with --release: 6.1.0, 6.5.0"},
		{"only in home directories, one asked for", []entry{{path: "home/me/vmlinux-6.5.0", data: kernelOf("6.5.0", "b")}, {path: "home/you/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "6.1.0", nil, "6.1.0 a"},
		{"by its first bytes", []entry{{path: "data/blob", data: vmlinuz("6.1.0", "a")}, {path: "data/other", data: make([]byte, 5000)}}, "", nil, "6.1.0 a"},
		{"a name before first bytes", []entry{{path: "data/blob", data: vmlinuz("6.1.0", "a")}, {path: "x/y/vmlinux", data: kernelOf("6.2.0", "b")}}, "", nil, "6.2.0 b"},
		{"one release twice", []entry{{path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}, {path: "usr/lib/debug/boot/vmlinux-6.1.0", data: kernelOf("6.1.0", "b")}}, "", nil, "6.1.0 b"},
		{"one release twice, the other way round", []entry{{path: "usr/lib/debug/boot/vmlinux-6.1.0", data: kernelOf("6.1.0", "b")}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 b"},
		{"one release, the first without BTF", []entry{{path: "boot/vmlinux-6.1.0", data: noBTF}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"one of two without BTF", []entry{{path: "boot/vmlinuz-6.1.0", data: noBTF}, {path: "boot/vmlinuz-6.2.0", data: vmlinuz("6.2.0", "a")}}, "", nil, "6.2.0 a"},
		{"one release, the first is corrupt", []entry{{path: "boot/vmlinux-6.1.0", data: kernelOf("6.1.0", "a")[:100]}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"a corrupt one that may be meant", []entry{{path: "boot/vmlinux-6.1.0", data: kernelOf("6.1.0", "a")[:100]}, {path: "boot/vmlinuz-6.2.0", data: vmlinuz("6.2.0", "a")}}, "", nil, "E boot/vmlinux-6.1.0: ELF: "},
		{"a corrupt one that is not", []entry{{path: "boot/vmlinux-6.1.0", data: kernelOf("6.1.0", "a")[:100]}, {path: "boot/vmlinuz-6.2.0", data: vmlinuz("6.2.0", "a")}}, "6.2.0", nil, "6.2.0 a"},
		{"a corrupt one elsewhere", []entry{{path: "root/x/vmlinux-6.1.0", data: kernelOf("6.1.0", "a")[:100]}, {path: "boot/vmlinuz-6.2.0", data: vmlinuz("6.2.0", "a")}}, "", nil, "6.2.0 a"},
		{"two without a release", []entry{{path: "boot/Image", data: kernelOf("", "a")}, {path: "boot/uImage", data: kernelOf("", "b")}}, "", nil, "it holds 2 kernels whose releases don't tell them apart"},
		{"the same without a release", []entry{{path: "boot/Image", data: kernelOf("", "a")}, {path: "boot/uImage", data: kernelOf("", "a")}}, "", nil, " a"},
		{"none that tells the release asked for", []entry{{path: "boot/Image", data: kernelOf("", "a")}}, "6.1.0", nil, "it does not tell its release"},
		{"one of another release by its banner", []entry{{path: "boot/Image", data: kernelOf("6.3.0", "a")}}, "6.1.0", nil, "no BTF of the release 6.1.0: what is there is 6.3.0"},
		{"two architectures", []entry{{path: "x86_64/6.1.0.btf", data: rawOf(kernelOf("6.1.0", "a"))}, {path: "arm64/6.1.0.btf", data: rawOf(kernelOf("6.1.0", "b"))}}, "", nil, "it holds 2 kernels whose releases don't tell them apart ("},
		{"BTF of modules beside it", []entry{{path: "btf/nf_conntrack.btf", data: split}, {path: "btf/vmlinux.btf", data: rawOf(kernelOf("6.1.0", "a"))}}, "", nil, " a"},
		{"sysfs's files", []entry{{path: "nf_conntrack", data: split}, {path: "vmlinux", data: rawOf(kernelOf("6.1.0", "a"))}}, "", nil, " a"},
		{"the kernel is a link", []entry{{path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}, {path: "boot/vmlinuz", link: "vmlinuz-6.1.0"}, {path: "vmlinuz", link: "boot/vmlinuz-6.1.0"}}, "", nil, "6.1.0 a"},
		{"a link to what is not called so", []entry{{path: "run/current-system/kernel", link: "/nix/store/abc/payload"}, {path: "nix/store/abc/payload", data: kernelOf("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"a directory is a link", []entry{{path: "usr/lib/modules/6.1.0/vmlinuz", data: vmlinuz("6.1.0", "k")}, {path: "usr/lib/modules/6.1.0/kernel/m.ko", data: module("m", "6.1.0")}, {path: "lib", link: "usr/lib"}}, "", []string{"m"}, "6.1.0 k m with m"},
		{"a link in a circle", []entry{{path: "boot/vmlinuz", link: "vmlinux"}, {path: "boot/vmlinux", link: "vmlinuz"}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"a link out of the tree", []entry{{path: "boot/vmlinux-6.2.0", link: "../../../../../../../../../../etc/passwd"}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"a link to nothing", []entry{{path: "boot/vmlinuz", link: "gone"}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"a module of a tree", []entry{{path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "k")}, {path: "lib/modules/6.1.0/kernel/m.ko.xz", data: pack(t, module("m", "6.1.0"), "xz", "-c")}, {path: "lib/modules/6.2.0/kernel/m.ko", data: module("other", "6.2.0")}}, "", []string{"m"}, "6.1.0 k m with m"},
		{"a package", []entry{{path: "linux-image.deb", data: debPackage("data.tar", tarball(file{"./boot/vmlinuz-6.1.0", vmlinuz("6.1.0", "k")}))}, {path: "notes.tar.gz", data: []byte("no archive")}}, "", nil, "6.1.0 k"},
		{"packages of kernel and modules", []entry{{path: "p/linux-image.deb", data: debPackage("data.tar", tarball(file{"./boot/vmlinuz-6.1.0", vmlinuz("6.1.0", "k")}))}, {path: "p/linux-modules.deb", data: debPackage("data.tar", tarball(file{"./lib/modules/6.1.0/m.ko", module("m", "6.1.0")}))}}, "", []string{"m"}, "6.1.0 k m with m"},
		{"a package in the cache of a system", []entry{{path: "var/cache/apt/archives/linux-image-6.5.deb", data: debPackage("data.tar", tarball(file{"./boot/vmlinuz-6.5.0", vmlinuz("6.5.0", "b")}))}, {path: "boot/vmlinuz-6.1.0", data: vmlinuz("6.1.0", "a")}}, "", nil, "6.1.0 a"},
		{"only modules", []entry{{path: "lib/modules/6.1.0/kernel/m.ko", data: module("m", "6.1.0")}}, "", nil, "E no kernel, only modules"},
		{"an archive in an archive", []entry{{path: "artifact/rootfs.tar.xz", data: pack(t, tarball(file{"boot/vmlinuz-6.1.0", vmlinuz("6.1.0", "a")}), "xz", "-c")}}, "", nil, "6.1.0 a"},
		{"Android's boot image in lz4", []entry{{path: "boot.img.lz4", data: pack(t, androidImage(pack(t, kernelOf("6.1.0", "a"), "gzip", "-c")), "lz4", "-c")}}, "", nil, "6.1.0 a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, form := range treeForms(t, dir, c.entries) {
				got := answer(filepath.Join(dir, form), c.release, c.modules...)
				want, isPart := strings.CutPrefix(c.want, "E ")
				if isPart && strings.Contains(got, want) || !isPart && (strings.HasPrefix(got, want) || strings.Contains(got, ": "+want)) {
					continue
				}
				if form == "tree" && isPart && strings.Contains(got, "no kernel image") {
					continue
				}
				t.Errorf("%s: got %q, want %q", form, got, c.want)
			}
		})
	}
}

// bzImageOf is a compressed kernel of a release.
func bzImageOf(t *testing.T, release string, vmlinux []byte) []byte {
	image := bzImage(kernelPayload(t, vmlinux, "gzip", []string{"gzip", "-nc"}))
	copy(image[0x300:], make([]byte, 64))
	copy(image[0x300:], release+" (builder@host) #1 SMP\x00")
	return image
}
