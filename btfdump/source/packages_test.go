package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// moduleOn is a module named m of a release, on the types of kernelOf.
func moduleOn(release string) []byte {
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("k", 4, btftest.Field("a", integer, 0))
	b := base.Split()
	b.Struct("in_m", 4, btftest.Field("a", integer, 0))
	return moduleELF("m", release, b.Bytes())
}

// The packages of distributions have a kernel and its modules.
func TestPackagesOfDistributions(t *testing.T) {
	const release = "6.6.30"
	boot := file{"./boot/vmlinuz-" + release, bzImageOf(t, release, kernelOf(release, "k"))}
	ko := file{"./lib/modules/" + release + "/m.ko", moduleOn(release)}
	data := tarball(boot, ko)
	gz := func(data []byte) []byte { return pack(t, data, "gzip", "-nc") }
	members := []file{{"./debian-binary", []byte("2.0\n")}, {"./control.tar.gz", gz(tarball(file{"./control", []byte("Package: kernel")}))}, {"./data.tar.gz", gz(data)}}
	// The parts of Alpine's packages are tar archives without an end, but the last.
	part := func(files ...file) []byte { return bytes.TrimRight(tarball(files...), "\x00") }
	padded := func(data []byte) []byte { return append(data, make([]byte, -len(data)&511)...) }
	apk := append(append(gz(padded(part(file{".SIGN.RSA.x", []byte("sig")}))), gz(padded(part(file{".PKGINFO", []byte("pkgname = linux-lts")})))...), gz(data)...)
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	for _, f := range []file{{"debs/linux-image.deb", debPackage("data.tar", tarball(boot))}, {"debs/linux-modules.deb", debPackage("data.tar.gz", gz(tarball(ko)))}, {"log.txt", []byte("built")}} {
		part, err := w.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(f.data)
	}
	w.Close()
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"kernel.ipk", gz(tarball(members...))},
		{"kernel-reordered.ipk", gz(tarball(members[0], members[2], members[1]))},
		{"kernel-old.ipk", arArchive(file{"debian-binary", []byte("2.0\n")}, file{"data.tar.gz", gz(data)}, file{"control.tar.gz", gz(nil)})},
		{"linux-lts.apk", apk},
		{"linux.pkg.tar.zst", pack(t, tarball(file{".PKGINFO", []byte("x")}, file{"usr/lib/modules/" + release + "/vmlinuz", boot.data}, file{"usr/lib/modules/" + release + "/kernel/m.ko.zst", pack(t, ko.data, "zstd", "-cq")}), "zstd", "-cq")},
		{"linux.xbps", pack(t, tarball(file{"./props.plist", nil}, boot, ko), "zstd", "-cq")},
		{"artifact.zip", jar.Bytes()},
		{"v7.tar", v7(boot, ko)},
		{"gnu.tar.xz", pack(t, gnuTar(t, boot, ko), "xz", "-c")},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := write(t, t.TempDir(), c.name, c.data)
			if got, want := answer(input, ""), release+" k"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			for _, m := range []string{"m", "all"} {
				if got, want := answer(input, release, m), release+" k in_m with m"; got != want {
					t.Errorf("-m %s: got %q, want %q", m, got, want)
				}
			}
		})
	}
}

// v7 is a tar archive as Unix version 7 wrote it.
func v7(files ...file) []byte {
	data := tarball(files...)
	for at := 0; at+512 <= len(data) && data[at] != 0; {
		header := data[at : at+512]
		var size int
		fmt.Sscanf(string(header[124:136]), "%o", &size)
		clear(header[257:])
		copy(header[148:], "        ")
		sum := 0
		for _, b := range header {
			sum += int(b)
		}
		copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
		at += 512 + (size+511)/512*512
	}
	return data
}

// gnuTar has names that are too long for a header.
func gnuTar(t *testing.T, files ...file) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range append([]file{{strings.Repeat("long/", 60) + "name", nil}}, files...) {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Typeflag: tar.TypeReg, Format: tar.FormatGNU}); err != nil {
			t.Fatal(err)
		}
		w.Write(f.data)
	}
	w.Close()
	return out.Bytes()
}

// What a small archive can make of itself is bounded.
func TestArchiveBombs(t *testing.T) {
	// A sparse file of 800 MB in 2 KB.
	sparse := func() []byte {
		record := func(key, value string) string {
			for n := len(key) + len(value) + 3; ; n++ {
				if text := fmt.Sprintf("%d %s=%s\n", n, key, value); len(text) == n {
					return text
				}
			}
		}
		records := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "vmlinux") + record("GNU.sparse.realsize", "800000000")
		content := "1\n0\n1\n"
		content += strings.Repeat("\x00", 512-len(content)) + "\x00"
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		w.WriteHeader(&tar.Header{Name: "x", Size: int64(len(records)), Typeflag: tar.TypeReg})
		io.WriteString(w, records)
		w.WriteHeader(&tar.Header{Name: "y", Size: int64(len(content)), Typeflag: tar.TypeReg})
		io.WriteString(w, content)
		w.Close()
		data := out.Bytes()
		data[156] = tar.TypeXHeader // package tar writes no sparse files
		copy(data[148:], "        ")
		sum := 0
		for _, b := range data[:512] {
			sum += int(b)
		}
		copy(data[148:], fmt.Sprintf("%06o\x00 ", sum))
		return data
	}()
	zipped := func(names int, data []byte) []byte {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for i := range names {
			part, err := w.Create(fmt.Sprintf("%d/vmlinux", i))
			if err != nil {
				t.Fatal(err)
			}
			part.Write(data)
		}
		w.Close()
		return out.Bytes()
	}
	// A zip archive whose files are the same bytes.
	overlapping := func() []byte {
		one := tarball(file{"x", make([]byte, 1<<20)}, file{"y", make([]byte, 100)})
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		part, err := w.CreateHeader(&zip.FileHeader{Name: "0000.tar", Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		part.Write(one)
		w.Close()
		data := out.Bytes()
		at := bytes.Index(data, []byte("PK\x01\x02"))
		end := bytes.Index(data, []byte("PK\x05\x06"))
		entry, tail := data[at:end], bytes.Clone(data[end:])
		archive := bytes.Clone(data[:at])
		const n = 2000
		for i := range n {
			e := bytes.Clone(entry)
			copy(e[46:], fmt.Sprintf("%04d", i))
			archive = append(archive, e...)
		}
		for i, v := range []uint32{n | n<<16, uint32(n * len(entry))} {
			for b := range 4 {
				tail[8+4*i+b] = byte(v >> (8 * b))
			}
		}
		return append(archive, tail...)
	}()
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"sparse.tar", sparse},
		{"bomb.zip", zipped(2, make([]byte, 20<<20))},
		{"many.zip", zipped(60, make([]byte, 1<<20))},
		{"overlapping.zip", overlapping},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := write(t, t.TempDir(), c.name, c.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(input, nil, Options{})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes: got the error %v, want ErrTooLarge", len(c.data), err)
			}
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(400<<20+2*MaxRatio*len(c.data)); got > limit {
				t.Errorf("%d bytes of memory for an input of %d", got, len(c.data))
			}
		})
	}
}

// A zip archive's list of files may be of any size, and what is encrypted or
// compressed otherwise is named.
func TestZips(t *testing.T) {
	boot := file{"boot/vmlinuz-6.1.0", bzImageOf(t, "6.1.0", kernelOf("6.1.0", "a"))}
	dir := t.TempDir()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	part, err := w.Create(boot.name)
	if err != nil {
		t.Fatal(err)
	}
	part.Write(boot.data)
	w.Close()
	encrypted, method := bytes.Clone(out.Bytes()), bytes.Clone(out.Bytes())
	list := bytes.Index(encrypted, []byte("PK\x01\x02"))
	encrypted[6] |= 1
	encrypted[list+8] |= 1
	method[8], method[list+10] = 98, 98
	var large bytes.Buffer
	w = zip.NewWriter(&large)
	for i := range 600 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%d%s", i, strings.Repeat("x", 60_000)), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"a", out.Bytes(), "6.1.0 a"},
		{"encrypted", encrypted, "zip: boot/vmlinuz-6.1.0: it is encrypted"},
		{"method", method, "zip: boot/vmlinuz-6.1.0: compressed by method 98: "},
		{"cut", out.Bytes()[:out.Len()-30], "zip: cut short or corrupt: "},
		{"list", large.Bytes(), "its list of files has more than 33554432 bytes"},
		{"empty", []byte("PK\x05\x06" + strings.Repeat("\x00", 18)), "no BTF: the archive has no kernel image in it"},
	} {
		if got := answer(write(t, dir, c.name+".zip", c.data), ""); !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A tree may be as wide and deep as any.
func TestWideAndDeepTrees(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, strings.Repeat("d/", 200))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		write(t, dir, fmt.Sprintf("boot/x/file%d", i), []byte("x"))
	}
	if got := answer(dir, ""); !strings.HasPrefix(got, "no BTF: the directory has no kernel image") {
		t.Errorf("got %q", got)
	}
	write(t, deep, "vmlinuz-6.1.0", bzImageOf(t, "6.1.0", kernelOf("6.1.0", "a")))
	if got := answer(dir, ""); got != "6.1.0 a" {
		t.Errorf("got %q", got)
	}
}
