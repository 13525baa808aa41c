package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// What to look for in an image whose header does not tell where things are.
const (
	scanBTF    = 1 << iota // BTF as it is
	scanPacked             // compressed data that holds a kernel
)

// scan looks for BTF anywhere in an input, or for compressed data with BTF in
// it.
func scan(s *search, in *input, what int) error {
	data, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	if err := s.budget.spend(int64(len(data))); err != nil {
		return err
	}
	if s.known.release == "" {
		s.known.release = bannerIn(data)
	}
	if what&scanBTF != 0 {
		if offset, raw := largestBTF(data); raw != nil {
			// A copy, so that the rest of the image can be forgotten.
			s.add(Found{Raw: bytes.Clone(raw), Layers: []Layer{{Format: "BTF", Offset: offset, Size: int64(len(raw))}}})
			return nil
		}
	}
	if what&scanPacked != 0 {
		return scanPayloads(s, in, data)
	}
	return notFoundIn(data)
}

// notFoundIn is the error of a scan that found nothing.
func notFoundIn(data []byte) error {
	return fmt.Errorf("%w: the input starts with % x, which no format that btfgen knows does, and nothing in it looks like BTF or a compressed kernel", ErrNoBTF, data[:min(len(data), 4)])
}

// bannerIn returns the release from the text that /proc/version shows, which
// stands in the kernel's read-only data: "Linux version 6.12.9-amd64 (...".
func bannerIn(data []byte) string {
	banner := []byte("Linux version ")
	for range maxAttempts {
		i := bytes.Index(data, banner)
		if i < 0 {
			break
		}
		data = data[i+len(banner):]
		if release := releaseOf(string(data[:min(len(data), 200)])); release != "" {
			return release
		}
	}
	return ""
}

// largestBTF returns that BTF in an image which has the most bytes, and where it
// is. A kernel has one; those of the BPF programs that it comes with are small.
// What only looks like BTF fails the checks, first of the header and then of
// all types.
func largestBTF(data []byte) (offset int64, raw []byte) {
	checks := 0
	for i := 0; i+24 <= len(data) && checks < maxAttempts; {
		next := nextBTF(data[i:])
		if next < 0 {
			break
		}
		i += next
		if size := claimedSize(data[i:]); size > len(raw) {
			checks++
			if _, err := btfdump.New(data[i : i+size]); err == nil {
				offset, raw = int64(i), data[i:i+size]
				i += size
				continue
			}
		}
		i += 2
	}
	return offset, raw
}

// nextBTF returns the offset of the next magic number and version of BTF, or -1.
func nextBTF(data []byte) int {
	little := bytes.Index(data, []byte{0x9f, 0xeb, 1})
	if little >= 0 {
		data = data[:little]
	}
	if big := bytes.Index(data, []byte{0xeb, 0x9f, 1}); big >= 0 {
		return big
	}
	return little
}

// claimedSize returns how long the BTF at the start of data is by its header, 0
// if that is no credible header, or data has less.
func claimedSize(data []byte) int {
	if len(data) < 24 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 0xeb {
		order = binary.BigEndian
	}
	word := func(i int) uint64 { return uint64(order.Uint32(data[i:])) }
	length := word(4)
	end := max(word(8)+word(12), word(16)+word(20))
	if length >= 32 && len(data) >= 32 {
		end = max(end, word(24)+word(28))
	}
	if length < 24 || length > 256 || word(12) == 0 || word(20) == 0 || length+end > uint64(len(data)) {
		return 0
	}
	return int(length + end)
}

// A payloadMagic is how compressed data may start.
type payloadMagic struct {
	magic string
	match func(head []byte) bool
}

var payloadMagics = []payloadMagic{
	{gzipMagic, isGzip},
	{xzMagic, prefix(xzMagic)},
	{zstdMagic, isZstd},
	{lz4LegacyMagic, isLZ4},
	{lz4Magic, isLZ4},
	{bzip2Magic, isBzip2},
	{lzopMagic, prefix(lzopMagic)},
	{lzmaMagic, isLZMA},
}

// scanPayloads opens what looks like compressed data, in the order in which it
// stands, until there is BTF in one.
func scanPayloads(s *search, in *input, data []byte) error {
	var offsets []int
	for _, m := range payloadMagics {
		hits := 0
		for i := 0; hits < maxAttempts; {
			next := bytes.Index(data[i:], []byte(m.magic))
			if next < 0 {
				break
			}
			if i += next; m.match(data[i:min(len(data), i+headSize)]) {
				offsets = append(offsets, i)
				hits++
			}
			i++
		}
	}
	slices.Sort(offsets)
	result := notFoundIn(data)
	for _, offset := range offsets {
		if offset == 0 && len(s.layers) > 1 {
			// What has the whole input has been tried.
			continue
		}
		if err := s.budget.attempt(); err != nil {
			return err
		}
		before := len(s.found)
		payload := in.section(int64(offset), int64(len(data)-offset))
		payload.size = int64(len(data) - offset)
		err := s.descend("", int64(offset), payload)
		if len(s.found) > before {
			return nil
		}
		if errors.Is(err, ErrTooLarge) {
			return err
		}
	}
	return result
}
