package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// maxPeak is what docs/limits.md promises: the most memory that hostile input can
// make any command use, in bytes.
const maxPeak = 1_500_000_000

// mainWithPeak is main, and tells how much memory that took.
func mainWithPeak() {
	tune()
	code := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	status, _ := os.ReadFile("/proc/self/status")
	peak := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if peak != nil {
		fmt.Fprintf(os.Stderr, "peak %s exit %d\n", peak[1], code)
	}
}

// peakOf runs btfgen, and returns its exit code, what it said, and the most memory
// that it had, in bytes.
func peakOf(t *testing.T, dir string, args ...string) (code int, said string, peak int64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // or a named pipe is waited for
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "btfgen-peak"
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%.2000s", args, err, &stderr)
	}
	m := regexp.MustCompile(`(?s)^(.*)peak (\d+) exit (\d+)\n$`).FindStringSubmatch(stderr.String())
	if m == nil {
		t.Fatalf("%q says nothing of its peak: %.2000s", args, &stderr)
	}
	code, _ = strconv.Atoi(m[3])
	peak, _ = strconv.ParseInt(m[2], 10, 64)
	return code, m[1], peak << 10
}

// gzipped writes a file of what write makes, padded with what is no gzip so that it
// may unpack to as much.
func gzipped(t *testing.T, name string, unpacked int64, write func(io.Writer)) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(file, gzip.BestSpeed)
	write(z)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err == nil && info.Size() < unpacked/200 {
		err = file.Truncate(unpacked / 200)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func zeros(w io.Writer, n int64) {
	block := make([]byte, 1<<20)
	for ; n > 0; n -= int64(len(block)) {
		w.Write(block[:min(n, int64(len(block)))])
	}
}

// elfHeader is that of an ELF file with sections behind it, of which debug/elf
// reads the number from the first.
func elfHeader(sections uint64) []byte {
	var b bytes.Buffer
	header := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Shoff: 64, Ehsize: 64, Shentsize: 64, Shstrndx: 1}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	binary.Write(&b, binary.LittleEndian, header)
	binary.Write(&b, binary.LittleEndian, elf.Section64{Size: sections})
	binary.Write(&b, binary.LittleEndian, elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: 64, Size: 16})
	return b.Bytes()
}

// manyInts is raw BTF of n ints without names.
func manyInts(n uint32) []byte {
	b := make([]byte, 0, 24+16*n+1)
	for _, word := range []uint32{0x0001eb9f, 24, 0, 16 * n, 16 * n, 1} {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	for range n {
		for _, word := range []uint32{0, 1 << 24, 4, 32} {
			b = binary.LittleEndian.AppendUint32(b, word)
		}
	}
	return append(b, 0)
}

// fakeWindows begins no known format, and has many frames of zstd that ask for
// 128 MiB and hold a byte.
func fakeWindows() []byte {
	b := bytes.Repeat([]byte("junk"), 100)
	for range 64 {
		b = append(b, "\x28\xb5\x2f\xfd\x00\x88\x09\x00\x00x"...)
		b = append(b, make([]byte, 4000)...)
	}
	return b
}

// What is small on disk takes no more memory than is promised, and is refused with
// one line.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it unpacks gigabytes")
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process's peak in /proc")
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const giga = 1 << 30
	for name, bits := range map[string]int{"sections22.gz": 22, "sections24.gz": 24} {
		gzipped(t, filepath.Join(dir, name), 64<<bits, func(w io.Writer) {
			w.Write(elfHeader(1 << bits))
			zeros(w, 64<<bits)
		})
	}
	gzipped(t, filepath.Join(dir, "raw.gz"), giga, func(w io.Writer) {
		w.Write(manyInts(1)[:24])
		zeros(w, giga-100)
	})
	gzipped(t, filepath.Join(dir, "image.gz"), giga, func(w io.Writer) { zeros(w, giga-100) })
	gzipped(t, filepath.Join(dir, "small.gz"), 128<<20, func(w io.Writer) { zeros(w, 128<<20) })
	write("sections.o", append(elfHeader(1<<21), make([]byte, 64<<21)...))
	write("windows.bin", fakeWindows())
	write("ints.btf", manyInts(6<<20)) // 100 MB
	write("one.btf", manyInts(1))
	// 2.1 million names, 1.1 million macros, and constants in Go.
	write("names.h", append([]byte("enum {"), bytes.Repeat([]byte("a,"), 2200<<10)...))
	var macros, constants bytes.Buffer
	constants.WriteString("package p\nconst (\n")
	for i := range 1100 << 10 {
		fmt.Fprintf(&macros, "#define M%x\n", i)
		fmt.Fprintf(&constants, "C%x = 1\n", i)
	}
	constants.WriteString(")\n")
	write("macros.h", macros.Bytes())
	write("constants.go", constants.Bytes())
	write("words.go", append([]byte("package p\n"), bytes.Repeat([]byte("{}"), 7<<20)...))
	write("long.h", make([]byte, 65<<20))
	encoder, _ := zstd.NewWriter(nil, zstd.WithWindowSize(64<<20))
	nested := bytes.Repeat([]byte("x"), 1<<20)
	for range 8 {
		nested = encoder.EncodeAll(nested, nil)
	}
	write("nested.zst", nested)
	write("sparse.o", nil)
	if err := os.Truncate(filepath.Join(dir, "sparse.o"), 100*giga); err != nil {
		t.Fatal(err)
	}

	if out, err := exec.Command("mkfifo", filepath.Join(dir, "pipe")).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	// An x86 object, of which check says what it is.
	other := elfHeader(1 << 21)
	other[18] = byte(elf.EM_X86_64)
	write("x86.o", append(other, make([]byte, 64<<21)...))

	for _, test := range []struct {
		args string
		most int64 // bytes
		says string
	}{
		{"info sections22.gz", 400e6, "4194304 sections"},
		{"info sections24.gz", maxPeak, "unpacks to too much|sections"},
		{"-i raw.gz o.h", 700e6, "which no BTF has"},
		{"-i image.gz o.h", maxPeak, "no BTF|too much"},
		{"-i small.gz --max-size 100M o.h", 126e6, "more than the limit of 104857600 bytes"},
		{"info windows.bin", 600e6, "no BTF|too much"},
		{"info nested.zst", 400e6, "no BTF|too much"},
		{"info sections.o", 100e6, "2097152 sections"},
		{"check sections.o", 200e6, "2097152 sections"},
		{"--for sections.o o.btf", 200e6, "2097152 sections"},
		{"--for sections.o o.h", 250e6, "2097152 sections"},
		{"check sparse.o", 50e6, "more than 268,435,456 bytes"},
		{"check x86.o", 200e6, "2097152 sections"},
		{"check pipe", 50e6, "no regular file"},
		{"check sparse.o -k pipe", 50e6, "named pipe|more than 268,435,456 bytes"},
		{"check --kconfig pipe p.o", 50e6, "no regular file"},
		{"--for pipe o.btf", 50e6, "no regular file"},
		{"info pipe", 50e6, "named pipe"},
		{"verify pipe", 50e6, "no regular file"},
		{"check /dev/zero", 50e6, "no regular file"},
		{"check --kconfig /dev/zero p.o", 50e6, "no regular file"},
		{"check --kconfig sparse.o p.o", 50e6, "more than 16,777,216 bytes"},
		{"--for /dev/zero o.btf", 50e6, "no regular file"},
		{"--for sparse.o o.btf", 50e6, "more than 268,435,456 bytes"},
		{"verify /dev/zero", 50e6, "no regular file"},
		{"verify sparse.o", 50e6, "more than 67,108,864 bytes"},
		{"verify long.h", 50e6, "more than 67,108,864 bytes"},
		{"verify -i one.btf names.h", 300e6, "more than 2097152 names"},
		{"verify -i one.btf macros.h", 200e6, "more than the 1048576 that"},
		{"verify -i one.btf constants.go", 500e6, "too large a Go file"},
		{"verify -i one.btf words.go", 100e6, "too large a Go file"},
		{"info ints.btf", 400e6, ""},
		{"-i ints.btf o.h", 500e6, "no types that a header would declare"},
	} {
		code, said, peak := peakOf(t, dir, strings.Fields(test.args)...)
		t.Logf("%s: %d MB", test.args, peak/1e6)
		if peak > test.most || test.most > maxPeak {
			t.Errorf("%s takes %d bytes, more than %d", test.args, peak, test.most)
		}
		if want := min(len(test.says), 1) * 2; code != want || test.says != "" && strings.Count(said, "\n") != 1 || !regexp.MustCompile(test.says).MatchString(said) {
			t.Errorf("%s: exit %d, %.1000q", test.args, code, said)
		}
	}
}
