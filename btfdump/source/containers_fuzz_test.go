package source

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// Each container has a target of its own, so that what is tried stays one of its
// kind: from the input to BTF or an error, with all that lies in it.

func FuzzRawBTF(f *testing.F)   { fuzzContainer(f, "raw BTF") }
func FuzzELF(f *testing.F)      { fuzzContainer(f, "ELF") }
func FuzzGzip(f *testing.F)     { fuzzContainer(f, "gzip") }
func FuzzXZ(f *testing.F)       { fuzzContainer(f, "xz") }
func FuzzZstd(f *testing.F)     { fuzzContainer(f, "zstd") }
func FuzzLZ4(f *testing.F)      { fuzzContainer(f, "lz4") }
func FuzzBzip2(f *testing.F)    { fuzzContainer(f, "bzip2") }
func FuzzLzopFile(f *testing.F) { fuzzContainer(f, "lzop") }
func FuzzLZMA(f *testing.F)     { fuzzContainer(f, "lzma") }
func FuzzDeb(f *testing.F)      { fuzzContainer(f, "deb") }
func FuzzRPM(f *testing.F)      { fuzzContainer(f, "rpm") }
func FuzzCpio(f *testing.F)     { fuzzContainer(f, "cpio") }
func FuzzTar(f *testing.F)      { fuzzContainer(f, "tar") }
func FuzzZip(f *testing.F)      { fuzzContainer(f, "zip") }
func FuzzBzImage(f *testing.F)  { fuzzContainer(f, "bzImage") }
func FuzzZboot(f *testing.F)    { fuzzContainer(f, "EFI zboot image") }
func FuzzArm64(f *testing.F)    { fuzzContainer(f, "arm64 Image") }
func FuzzRiscv64(f *testing.F)  { fuzzContainer(f, "riscv64 Image") }
func FuzzZImage(f *testing.F)   { fuzzContainer(f, "ARM zImage") }
func FuzzUKI(f *testing.F)      { fuzzContainer(f, "EFI program") }
func FuzzUImage(f *testing.F)   { fuzzContainer(f, "uImage") }
func FuzzFIT(f *testing.F)      { fuzzContainer(f, "device tree (FIT)") }
func FuzzAndroid(f *testing.F)  { fuzzContainer(f, "Android boot image") }

// fuzzContainer looks into inputs that are one container.
func fuzzContainer(f *testing.F, name string) {
	is := func(data []byte) bool {
		c := identify(data[:min(len(data), headSize)])
		return c != nil && c.name == name
	}
	found := false
	for _, data := range seeds(f) {
		if is(data) {
			f.Add(data)
			found = true
		}
	}
	if !found {
		f.Fatalf("no seed is %s", name)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if is(data) {
			searchAll(t, data)
		}
	})
}

// A container that comes has to come with its target.
func TestEveryContainerIsFuzzed(t *testing.T) {
	text, err := os.ReadFile("containers_fuzz_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var fuzzed []string
	for _, m := range regexp.MustCompile(`(?m)^func Fuzz\w+\(f \*testing\.F\) +\{ fuzzContainer\(f, "(.*)"\) \}$`).FindAllStringSubmatch(string(text), -1) {
		fuzzed = append(fuzzed, m[1])
	}
	for _, c := range containers {
		if !slices.Contains(fuzzed, c.name) {
			t.Errorf("no target fuzzes %s", c.name)
		}
	}
	if len(fuzzed) != len(containers) {
		t.Errorf("there are %d targets and %d containers", len(fuzzed), len(containers))
	}
}
