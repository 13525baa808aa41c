package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
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
// can be closed is. It must read no further than to the end of what it unpacks
// where it is given a buffered reader.
func decompress(newReader func(io.Reader, *budget) (io.Reader, error)) func(*search, *input) error {
	return func(s *search, in *input) error {
		windows := s.budget.windows
		packed := bufio.NewReaderSize(in.reader(), 64<<10)
		r, err := newReader(packed, s.budget)
		if errors.Is(err, ErrTooLarge) {
			return err
		}
		if err != nil {
			return fmt.Errorf("its header is cut short or corrupt: %w", err)
		}
		if closer, ok := r.(interface{ Close() }); ok {
			defer closer.Close()
		}
		out := streamInput(&unpacked{r: r, budget: s.budget}, -1)
		out.hint = in.hint
		head, _ := out.head()
		segment, before := isCpio(head), len(s.found)
		err = s.descend("", -1, out)
		if !segment || s.done() || err != nil && !errors.Is(err, ErrNoBTF) {
			return err
		}
		// Other archives of an initramfs may be compressed in other ways.
		if _, cut := io.Copy(io.Discard, out.stream); cut != nil {
			return cut
		}
		s.budget.windows = windows
		return s.behindCpio(packed, before, err)
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

func newGzip(r io.Reader, _ *budget) (io.Reader, error) {
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

func newXZ(r io.Reader, b *budget) (io.Reader, error) {
	return xz.NewReader(newExtent(r, xzPieces(b)), maxDictionary)
}

// newZstd decodes on the goroutine that reads, so that there is none to be ended
// where a search is over early.
func newZstd(r io.Reader, b *budget) (io.Reader, error) {
	return zstd.NewReader(newExtent(r, zstdPieces(b)), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
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
	if err := s.budget.window(hint); err != nil {
		return err
	}
	s.budget.windows -= hint // it becomes the content
	packed, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	if in.hint > 0 {
		packed = packed[:len(packed)-4] // which told it
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

// isBzip2 knows a stream by its first block, or by its end if it is empty.
func isBzip2(head []byte) bool {
	return len(head) >= 10 && string(head[:3]) == bzip2Magic && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == bzip2Block || binary.BigEndian.Uint64(head[2:])&(1<<48-1) == bzip2End)
}

func newBzip2(r io.Reader, _ *budget) (io.Reader, error) {
	return bzip2.NewReader(newBzip2Extent(r)), nil
}

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

// newLZMA reads no further than to the stream's end, since it reads single bytes
// where it can.
func newLZMA(r io.Reader, b *budget) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if head, err := in.Peek(lzma.HeaderLen); err == nil {
		if err := b.window(int64(min(uint64(le32(head, 1)), binary.LittleEndian.Uint64(head[5:])))); err != nil {
			return nil, err
		}
	}
	return lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(in)
}
