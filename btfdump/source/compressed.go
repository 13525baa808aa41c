package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// The magic bytes of compressed data.
const (
	gzipMagic      = "\x1f\x8b\x08"
	xzMagic        = "\xfd7zXZ\x00"
	zstdMagic      = "\x28\xb5\x2f\xfd"
	lz4Magic       = "\x04\x22\x4d\x18"
	lz4LegacyMagic = "\x02\x21\x4c\x18"
	bzip2Magic     = "BZh"
	bzip2Block     = "1AY&SY" // at byte 4
	lzopMagic      = "\x89LZO\x00\r\n\x1a\n"
	lzmaMagic      = "\x5d\x00\x00" // lc=3 lp=0 pb=2, and a dictionary of at least 64 KiB
)

// decompress makes a container's open out of what makes a decompressor. One that
// can be closed is.
func decompress(newReader func(io.Reader) (io.Reader, error)) func(*search, *input) error {
	return func(s *search, in *input) error {
		r, err := newReader(in.reader())
		if err != nil {
			return fmt.Errorf("its header is cut short or corrupt: %w", err)
		}
		if closer, ok := r.(interface{ Close() }); ok {
			defer closer.Close()
		}
		out := streamInput(&unpacked{r: r, budget: s.budget, loose: in.loose}, -1)
		out.hint = in.hint
		return s.descend("", -1, out)
	}
}

func isGzip(head []byte) bool {
	// The upper bits of the flags are reserved (RFC 1952).
	return len(head) > 3 && bytes.HasPrefix(head, []byte(gzipMagic)) && head[3]&0xe0 == 0
}

// gzipReader reads one gzip member after another. What follows the last one is
// left alone, as gzip itself does: package gzip would call it an error.
type gzipReader struct {
	in   *bufio.Reader
	gzip *gzip.Reader
}

func newGzip(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipReader{in, z}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.gzip.Read(p)
	if err != io.EOF {
		return n, err
	}
	if head, _ := g.in.Peek(4); !isGzip(head) {
		return n, io.EOF
	}
	if err := g.gzip.Reset(g.in); err != nil {
		return n, err
	}
	g.gzip.Multistream(false)
	return n, nil
}

func newXZ(r io.Reader) (io.Reader, error) { return xz.NewReader(r, maxDictionary) }

// newZstd decodes on the goroutine that reads, so that there is none to be ended
// where a search is over early.
func newZstd(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
}

// openZstd unpacks in one piece where a header tells the unpacked size: as a
// stream, a kernel would need another 128 MiB for its window.
func openZstd(s *search, in *input) error {
	hint := in.hint
	if hint == 0 {
		var header zstd.Header
		if head, err := in.head(); err == nil && header.Decode(head) == nil && header.HasFCS && header.FrameContentSize < 1<<40 {
			hint = int64(header.FrameContentSize)
		}
	}
	if hint < 1<<20 || hint > min(s.budget.maxSize, s.budget.allowed()-s.budget.spent) || in.at == nil || in.size < 0 {
		return decompress(newZstd)(s, in)
	}
	packed, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDictionary), zstd.WithDecoderMaxMemory(uint64(hint)))
	if err != nil {
		return err
	}
	defer decoder.Close()
	data, err := decoder.DecodeAll(packed, make([]byte, 0, hint))
	if errSpent := s.budget.spend(int64(len(data))); errSpent != nil {
		return errSpent
	}
	if err != nil {
		// More than one frame, or something behind it: as a stream that is
		// no matter.
		return decompress(newZstd)(s, in)
	}
	return s.descend("", -1, fileInput(memory(data), int64(len(data))))
}

func isLZ4(head []byte) bool {
	if bytes.HasPrefix(head, []byte(lz4Magic)) {
		return true
	}
	// A legacy frame is blocks of up to 8 MiB, each with its packed size before it.
	return bytes.HasPrefix(head, []byte(lz4LegacyMagic)) && len(head) >= 8 && le32(head, 4) > 0 && le32(head, 4) <= 9<<20
}

// legacyBlock is what all blocks of legacy lz4 but the last unpack to.
const legacyBlock = 8 << 20

// openLZ4 unpacks the blocks of a kernel's legacy lz4 in place, two at a time,
// where a header tells the unpacked size: they don't depend on each other, and
// touching fresh memory takes longer than unpacking into it.
func openLZ4(s *search, in *input) error {
	hint := in.hint
	if hint < 1<<20 || hint > min(s.budget.maxSize, s.budget.allowed()-s.budget.spent) || in.at == nil || in.size < 0 {
		return decompress(newLZ4)(s, in)
	}
	packed, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	data := make([]byte, hint)
	if !unpackLegacy(packed, data) {
		return decompress(newLZ4)(s, in) // it says what is wrong, or takes what is behind
	}
	if err := s.budget.spend(hint); err != nil {
		return err
	}
	return s.descend("", -1, fileInput(memory(data), hint))
}

// unpackLegacy fills data, and reports whether the blocks were whole and made
// just as much. It does not look behind the last block that it takes.
func unpackLegacy(packed, data []byte) bool {
	if !bytes.HasPrefix(packed, []byte(lz4LegacyMagic)) {
		return false
	}
	var blocks [][]byte
	for rest := packed[len(lz4LegacyMagic):]; len(rest) >= 4 && len(blocks)*legacyBlock < len(data); {
		n := uint64(le32(rest, 0))
		if n > uint64(len(rest)-4) {
			return false
		}
		blocks = append(blocks, rest[4:4+n])
		rest = rest[4+n:]
	}
	if len(blocks) != (len(data)+legacyBlock-1)/legacyBlock {
		return false
	}
	unpack := func(from int) bool {
		for i := from; i < len(blocks); i += 2 {
			room := data[i*legacyBlock : min((i+1)*legacyBlock, len(data))]
			if n, err := lz4.UncompressBlock(blocks[i], room); err != nil || n != len(room) {
				return false
			}
		}
		return true
	}
	odd := make(chan bool, 1)
	go func() { odd <- unpack(1) }()
	even := unpack(0)
	return <-odd && even
}

func newLZ4(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }

func isBzip2(head []byte) bool {
	return len(head) >= 10 && string(head[:3]) == bzip2Magic && head[3] >= '1' && head[3] <= '9' && string(head[4:10]) == bzip2Block
}

func newBzip2(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }

// isLZMA knows the header of an .lzma file, which has no magic number, by its
// usual properties: a dictionary of a size that encoders choose, and an unpacked
// size that is not known or credible.
func isLZMA(head []byte) bool {
	if len(head) < 14 || !bytes.HasPrefix(head, []byte(lzmaMagic)) {
		return false
	}
	dictionary := uint32(le32(head, 1))
	size := binary.LittleEndian.Uint64(head[5:])
	return bits.OnesCount32(dictionary) <= 2 && dictionary <= maxDictionary &&
		(size == 1<<64-1 || size < 1<<40) && head[13] == 0 // the first byte of the range coder
}

func newLZMA(r io.Reader) (io.Reader, error) { return lzma.NewReader(r) }
