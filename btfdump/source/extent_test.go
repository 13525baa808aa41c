package source

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// behind are things that stand behind a compressed kernel.
func behind() map[string][]byte {
	random := make([]byte, 5000)
	rand.NewChaCha8([32]byte{1}).Read(random)
	random[0] |= 0x80 // no magic number, and no block's size
	random[3] |= 0x80
	return map[string][]byte{
		"a zero":            make([]byte, 1),
		"three zeros":       make([]byte, 3),
		"a page of zeros":   make([]byte, 4096),
		"a device tree":     append([]byte("\xd0\x0d\xfe\xed\x00\x00\x13\x88"), random...),
		"zeros and a tree":  append(make([]byte, 510), "\xd0\x0d\xfe\xed\x00\x00\x13\x88 device tree"...),
		"random bytes":      random,
		"one byte":          {0xff},
		"flash":             bytes.Repeat([]byte{0xff}, 70000),
		"its unpacked size": {0x78, 0x56, 0x34, 0x12},
		"text":              []byte("BZ, as bzip2's streams begin, but this is none"),
	}
}

// smallWindow is a compressor's command without the largest window, which takes
// 128 MiB each time that something is unpacked.
func smallWindow(command []string) []string {
	return slices.DeleteFunc(slices.Clone(command), func(arg string) bool { return arg == "--long=27" })
}

// What stands behind a compressed stream does not matter, in any format, and
// several streams in a row are one.
func TestBehindCompressedStreams(t *testing.T) {
	base := btftest.Corpus(t, "btf_testmod.distilled-base")
	contents := map[string][]byte{"raw": base, "ELF": kernelELF(base), "image": rawImage(nil, base)}
	half := func(data []byte, command []string) []byte {
		n := len(data) / 3
		return append(pack(t, data[:n], command...), pack(t, data[n:], command...)...)
	}
	for _, c := range compressors {
		command := smallWindow(c.command)
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			for content, data := range contents {
				streams := map[string][]byte{"one": pack(t, data, command...)}
				if c.format != "lzma" { // whose files can't be put in a row
					streams["two"] = half(data, command)
				}
				for count, packed := range streams {
					for what, more := range behind() {
						file := append(bytes.Clone(packed), more...)
						for where, input := range map[string][]byte{"file": file, "bzImage": bzImage(file), "uImage": uImage(file)} {
							raw, err := unpack(bytes.NewReader(input), int64(len(input)))
							if err != nil || !bytes.Equal(raw, base) {
								t.Errorf("%s, %s stream, in a %s with %s behind: got %d bytes, %v", content, count, where, what, len(raw), err)
							}
						}
					}
				}
			}
		})
	}
}

// A stream that is cut short, or has a wrong byte, is an error whatever stands
// behind it, or else gives all that was put in.
func TestBrokenCompressedStreams(t *testing.T) {
	btf := btftest.Corpus(t, "btf_testmod.distilled-base")
	// What is wanted comes first, so that half of the data would do.
	data := append(rawImage(nil, btf), btftest.Corpus(t, "btf_testmod")...)
	for _, c := range compressors {
		command := smallWindow(c.command)
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			packed := pack(t, data, command...)
			broken := func(what string, input []byte) {
				t.Helper()
				for where, input := range map[string][]byte{"file": input, "bzImage": bzImage(input), "kernel": androidImage(input)} {
					s := &search{wants: wants{kernel: true}}
					err := s.run(fileInput(memory(input), int64(len(input))), 0)
					if err == nil || len(s.found) > 0 {
						t.Errorf("%s: no error in a %s", what, where)
					}
				}
			}
			for i := 1; i < 25; i++ {
				size := len(packed) * i / 25
				broken("cut short", packed[:size:size])
				broken("cut short, with zeros behind", append(packed[:size:size], make([]byte, 5000)...))
			}
			checked := c.format != "lzma" && !slices.Contains(c.command, "--no-check") && !slices.Contains(c.command, "-l")
			for i := 2; i < 24 && checked; i++ {
				wrong := bytes.Clone(packed)
				wrong[len(wrong)*i/25] ^= 0x10
				broken("a byte is another", wrong)
			}
			if c.format == "lzma" {
				return
			}
			two := append(bytes.Clone(packed), packed[:len(packed)/2]...)
			broken("the second of two is cut short", two)
		})
	}
}

// Legacy lz4 has no end but that of the file. Where blocks are full, what follows
// tells.
func TestEndOfLegacyLZ4(t *testing.T) {
	data := bytes.Repeat([]byte("a kernel, or something much like it; "), 500_000)
	full := data[:legacyBlock]
	for _, test := range []struct {
		name  string
		file  []byte
		want  []byte
		fails bool
	}{
		{"full", legacyLZ4(t, full), full, false},
		{"full and its size", binary.LittleEndian.AppendUint32(legacyLZ4(t, full), legacyBlock), full, false},
		{"full and zeros", append(legacyLZ4(t, full), make([]byte, 100)...), full, false},
		{"full and a tree", append(legacyLZ4(t, full), "\xd0\x0d\xfe\xed and more"...), full, false},
		{"full and two bytes", append(legacyLZ4(t, full), 1, 2), full, false},
		{"two files", append(legacyLZ4(t, full), legacyLZ4(t, data[legacyBlock:])...), data, false},
		{"two files of which the first has a short block", append(legacyLZ4(t, data[:100]), legacyLZ4(t, data[100:])...), data, false},
		{"short and what may be a block", append(legacyLZ4(t, data[:1000]), 9, 0, 0, 0, 1, 2, 3), data[:1000], false},
		{"full and what is no block", append(legacyLZ4(t, full), 3, 0, 0, 0, 255, 255, 255), nil, true},
		{"no block", []byte(lz4LegacyMagic + "\xff\xff\xff\xff"), nil, true},
	} {
		r, err := newLZ4(bytes.NewReader(test.file), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if (err != nil) != test.fails || err == nil && !bytes.Equal(got, test.want) {
			t.Errorf("%s: got %d bytes and the error %v", test.name, len(got), err)
		}
	}
}

// FuzzExtents compares what the formats' blocks say of where a stream ends with
// what decompressors say: of a whole stream, nothing may be missing.
func FuzzExtents(f *testing.F) {
	for _, c := range compressors {
		packed := pack(f, bytes.Repeat(smallBTF(), 40), c.command...)
		f.Add(packed)
		f.Add(append(packed, packed...))
		f.Add(append(packed, make([]byte, 40)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBudget(0, func() int64 { return int64(len(data)) })
		for _, next := range []io.Reader{
			newExtent(bytes.NewReader(data), zstdPieces(b)), newExtent(bytes.NewReader(data), lz4Pieces()),
			newExtent(bytes.NewReader(data), xzPieces(b)), newBzip2Extent(bytes.NewReader(data)),
		} {
			got, _ := io.ReadAll(next)
			if !bytes.HasPrefix(data, got) {
				t.Errorf("an extent is not what the input starts with")
			}
		}
		for _, newReader := range []func(io.Reader, *budget) (io.Reader, error){newXZ, newZstd, newLZ4, newBzip2} {
			if r, err := newReader(bytes.NewReader(data), b); err == nil {
				io.Copy(io.Discard, io.LimitReader(r, 1<<22))
			}
		}
	})
}
