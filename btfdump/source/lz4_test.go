package source

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// legacyLZ4 packs data as lz4 -l does.
func legacyLZ4(t *testing.T, data []byte) []byte {
	t.Helper()
	packed := []byte(lz4LegacyMagic)
	block := make([]byte, lz4.CompressBlockBound(legacyBlock))
	for len(data) > 0 {
		n := min(len(data), legacyBlock)
		size, err := lz4.CompressBlock(data[:n], block, nil)
		if err != nil || size == 0 {
			t.Fatal(size, err)
		}
		packed = binary.LittleEndian.AppendUint32(packed, uint32(size))
		packed = append(packed, block[:size]...)
		data = data[n:]
	}
	return packed
}

func TestUnpackLegacyLZ4(t *testing.T) {
	data := bytes.Repeat([]byte("a kernel, or something much like it; "), 600_000) // three blocks
	for _, size := range []int{1 << 20, legacyBlock, legacyBlock + 1, 2 * legacyBlock, len(data)} {
		want := data[:size]
		packed := legacyLZ4(t, want)
		got := make([]byte, size)
		if !unpackLegacy(append(packed, "what is behind"...), got) || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: not unpacked, or to something else", size)
		}
		for name, bad := range map[string][]byte{
			"cut short":  packed[:len(packed)-1],
			"no magic":   packed[4:],
			"block size": append(binary.LittleEndian.AppendUint32([]byte(lz4LegacyMagic), 1<<31), packed[8:]...),
			"empty":      packed[:4],
		} {
			if unpackLegacy(bad, make([]byte, size)) {
				t.Errorf("%d bytes: %s: unpacked all the same", size, name)
			}
		}
		for _, wrong := range []int{size - 1, size + 1} {
			if wrong%legacyBlock == 0 {
				continue // whole blocks are enough for it
			}
			if unpackLegacy(packed, make([]byte, wrong)) {
				t.Errorf("%d bytes: unpacked to %d", size, wrong)
			}
		}
	}
}
