package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// A tree is what a package holds: contents by path.
type tree map[string][]byte

// tool runs a command that the test needs, with input, and returns its output.
func tool(t *testing.T, input []byte, name string, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, &stderr)
	}
	return stdout.Bytes()
}

// compressors are the commands for what kernels and modules are packed with.
// lz4 -l writes the old format that the kernel reads.
var compressors = map[string][]string{
	"gzip":  {"gzip", "-9c"},
	"xz":    {"xz", "--check=crc32", "-c"},
	"lzma":  {"xz", "--format=lzma", "-c"},
	"bzip2": {"bzip2", "-c"},
	"lz4":   {"lz4", "-lcq"},
	"zstd":  {"zstd", "-cq"},
}

func compress(t *testing.T, how string, data []byte) []byte {
	t.Helper()
	command := compressors[how]
	return tool(t, data, command[0], command[1:]...)
}

// elfWith has objcopy make an ELF file with one section.
func elfWith(t *testing.T, target, section string, data []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, nil, "objcopy", "-I", "binary", "-O", target, "--rename-section", ".data="+section+",contents,readonly,data", in, out)
	elf, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return elf
}

// noise looks like code, and has magic numbers in it that nothing follows:
// those of BTF, alone and with the beginning of a header, and that of zstd.
func noise() []byte {
	b := bytes.Repeat([]byte("some code and data\x00\xff\n"), 300)
	copy(b[100:], "\x9f\xeb\x01\x00")
	copy(b[1000:], "\x9f\xeb\x01\x00\x18\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\x00")
	copy(b[2000:], "\xeb\x9f\x01\x00\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x0c\x7f\x00\x00\x00")
	copy(b[3000:], "\x28\xb5\x2f\xfd\xff\xff\xff\xff")
	return b
}

// around puts data into the middle of noise, at no round offset.
func around(data []byte) []byte { return slices.Concat(noise(), []byte("odd"), data, noise()) }

// bzImage is an x86 kernel with that payload.
func bzImage(how string, payload []byte, unpacked int) []byte {
	const setupSectors, offset = 3, 0x140
	b := make([]byte, (setupSectors+1)*512+offset)
	copy(b, "MZ")
	b[0x1f1] = setupSectors
	copy(b[0x202:], "HdrS")
	length := len(payload)
	if how != "gzip" {
		payload = binary.LittleEndian.AppendUint32(slices.Clone(payload), uint32(unpacked))
		length += 4
	}
	binary.LittleEndian.PutUint32(b[0x248:], offset)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(length))
	return slices.Concat(b, payload, noise())
}

// zboot is an EFI application with that payload.
func zboot(how string, payload []byte) []byte {
	b := make([]byte, 0x200)
	copy(b, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(payload)))
	copy(b[24:], how)
	return slices.Concat(b, payload, noise())
}

// pack has dpkg-deb make a package.
func pack(t *testing.T, files tree) string {
	t.Helper()
	root := t.TempDir()
	files = mergeTrees(tree{"DEBIAN/control": []byte("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: x\n")}, files)
	for name, data := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(t.TempDir(), "x.deb")
	tool(t, nil, "dpkg-deb", "--build", "--root-owner-group", "-Znone", root, deb)
	return deb
}

func mergeTrees(trees ...tree) tree {
	all := tree{}
	for _, t := range trees {
		for name, data := range t {
			all[name] = data
		}
	}
	return all
}

// extract runs extract.sh on the packages. It returns the files that were
// written, the exit code and what was said.
func extract(t *testing.T, packages ...tree) (tree, int, string) {
	t.Helper()
	out := t.TempDir()
	args := []string{out}
	for _, files := range packages {
		args = append(args, pack(t, files))
	}
	var stderr bytes.Buffer
	cmd := exec.Command("./extract.sh", args...)
	cmd.Stderr = &stderr
	code := 0
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	written := tree{}
	if err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		written[name], err = os.ReadFile(path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return written, code, stderr.String()
}

func wantTree(t *testing.T, got, want tree) {
	t.Helper()
	for name, data := range want {
		if !bytes.Equal(got[name], data) {
			t.Errorf("%s: got %d bytes (%.40q), want %d (%.40q)", name, len(got[name]), got[name], len(data), data)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s was written", name)
		}
	}
}

func small(edit func(*btftest.Builder)) []byte {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, 0)
	b.Struct("point", 8, btftest.Field("x", u32, 0), btftest.Field("y", u32, 32))
	if edit != nil {
		edit(b)
	}
	return b.Bytes()
}

// Each container holds the same BTF and gives it back to the byte.
func TestKernelContainers(t *testing.T) {
	little := small(nil)
	big := small(func(b *btftest.Builder) { b.Order = binary.BigEndian })
	layout := small(func(b *btftest.Builder) { b.HeaderLen, b.Layout = 32, btftest.StandardLayout() })
	layoutLast := small(func(b *btftest.Builder) {
		b.HeaderLen, b.Layout, b.LayoutLast = 32, btftest.StandardLayout(), true
	})
	elf := elfWith(t, "elf64-little", ".BTF", little)
	s390x := btftest.Corpus(t, "s390x-6.12")

	type image struct {
		name  string
		image []byte
		btf   []byte
	}
	images := []image{
		{"ELF", elf, little},
		{"big-endian ELF", elfWith(t, "elf64-big", ".BTF", big), big},
		{"32-bit ELF", elfWith(t, "elf32-little", ".BTF", little), little},
		{"raw", around(little), little},
		{"raw, big endian", around(big), big},
		{"raw, with a layout section", around(layout), layout},
		{"raw, with a layout section behind the strings", around(layoutLast), layoutLast},
		{"raw, at the very end", slices.Concat(noise(), little), little},
		{"s390x", around(compress(t, "zstd", around(s390x))), s390x},
		{"zboot with zstd", zboot("zstd", compress(t, "zstd", around(little))), little},
		{"zboot with gzip", zboot("gzip", compress(t, "gzip", around(little))), little},
	}
	for how := range compressors {
		images = append(images, image{"bzImage with " + how, bzImage(how, compress(t, how, elf), len(elf)), little})
		if how != "lzma" { // its magic is too weak to look for it in a file
			images = append(images, image{"in the middle of a file, with " + how, around(compress(t, how, around(little))), little})
		}
	}
	for _, test := range images {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, code, said := extract(t, tree{"boot/vmlinuz-1-x": test.image})
			if code != 0 || said != "" {
				t.Fatalf("exit code %d: %s", code, said)
			}
			wantTree(t, got, tree{"vmlinux.btf": test.btf})
		})
	}
}

func TestModules(t *testing.T) {
	kernel := small(nil)
	module := btftest.Corpus(t, "amd64-7.2-cloud.veth")
	elf := elfWith(t, "elf64-little", ".BTF", module)
	const dir = "usr/lib/modules/7.2/kernel/net/"
	got, code, said := extract(t,
		tree{"usr/lib/modules/7.2/vmlinuz": elfWith(t, "elf64-little", ".BTF", kernel)},
		tree{"usr/share/doc/x": []byte("text")},
		tree{
			dir + "plain.ko":         elf,
			dir + "with-dash.ko.xz":  compress(t, "xz", elf),
			dir + "deep/zs.ko.zst":   compress(t, "zstd", elf),
			dir + "gz.ko.gz":         compress(t, "gzip", elf),
			dir + "signed.ko":        slices.Concat(elf, []byte("signature~Module signature appended~\n")),
			dir + "none.ko":          elfWith(t, "elf64-little", ".text", []byte("code")),
			dir + "big.ko":           elfWith(t, "elf64-big", ".BTF", module),
			dir + "modules.ko-x.txt": []byte("no module"),
		})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if want := "extract.sh: 1 modules have no BTF\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	want := tree{"vmlinux.btf": kernel}
	for _, name := range []string{"plain", "with_dash", "zs", "gz", "signed", "big"} {
		want["modules/"+name+".btf"] = module
	}
	wantTree(t, got, want)
}

func TestExtractRefuses(t *testing.T) {
	btf := small(nil)
	elf := elfWith(t, "elf64-little", ".BTF", btf)
	none := elfWith(t, "elf64-little", ".text", []byte("code"))
	broken := bzImage("zstd", compress(t, "zstd", elf), len(elf))
	for i := range 20 {
		broken[4*512+0x140+30+i] ^= 0xff
	}
	odd := small(nil)
	odd[len(odd)-1] = 'x' // the strings don't end
	kernel := tree{"boot/vmlinux-1": elf}
	modules := func(files tree) tree {
		all := tree{}
		for name, data := range files {
			all["lib/modules/1/"+name] = data
		}
		return mergeTrees(kernel, all)
	}
	for _, test := range []struct {
		name  string
		files tree
		code  int
		says  string
	}{
		{"no image", tree{"boot/System.map-1": nil}, 1, "hold 0 kernel images"},
		{"two images", tree{"boot/vmlinuz-1": elf, "lib/modules/1/vmlinuz": elf}, 1, "hold 2 kernel images"},
		{"no BTF", tree{"boot/vmlinux-1": none}, 1, "vmlinux-1: no BTF was found"},
		{"no BTF in a raw image", tree{"boot/vmlinux-1": noise()}, 1, "vmlinux-1: no BTF was found"},
		{"no BTF, and none wanted", tree{"boot/vmlinux-1": none, "boot/config-1": []byte("CONFIG_X=y\n# CONFIG_DEBUG_INFO_BTF is not set\n")}, 3, "built without BTF"},
		{"no BTF, but wanted", tree{"boot/vmlinux-1": none, "usr/lib/modules/1/config": []byte("CONFIG_DEBUG_INFO_BTF=y\n")}, 1, "no BTF was found"},
		{"unknown compression", tree{"boot/vmlinuz-1": bzImage("?", []byte("who knows what this is"), 9)}, 1, "no known compression at byte 2368"},
		{"broken payload", tree{"boot/vmlinuz-1": broken}, 1, "payload at byte 2368 is broken"},
		{"image that ends early", tree{"boot/vmlinuz-1": broken[:2400]}, 1, "ends before byte"},
		{"BTF twice", tree{"boot/vmlinuz-1": slices.Concat(around(btf), around(btf))}, 1, "more than one place"},
		{"strings without end", tree{"boot/vmlinuz-1": around(odd)}, 1, "no BTF was found"},
		{"BTF that ends early", tree{"boot/vmlinuz-1": slices.Concat(noise(), btf[:len(btf)-2])}, 1, "no BTF was found"},
		{"modules of one name", modules(tree{"a-b.ko": elf, "c/a_b.ko": elf}), 1, "another module called a_b"},
		{"module that is no ELF", modules(tree{"a.ko": []byte("#!/bin/sh")}), 1, "a.ko: readelf can't read it"},
		{"module that is cut", modules(tree{"a.ko": elf[:40]}), 1, "a.ko: readelf can't read it"},
		{"module whose xz is cut", modules(tree{"a.ko.xz": compress(t, "xz", elf)[:100]}), 1, "a.ko.xz: the xz file is broken"},
		{"module with a base", modules(tree{"a.ko": elfWith(t, "elf64-little", ".BTF.base", btf)}), 1, "a.ko: has a section .BTF.base"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, code, said := extract(t, test.files)
			if code != test.code || !strings.Contains(said, test.says) {
				t.Errorf("exit code %d, want %d; said %q, want %q", code, test.code, said, test.says)
			}
			for name := range got {
				if strings.HasPrefix(name, "unpacked") {
					t.Errorf("%s was left behind", name)
				}
			}
		})
	}
}
