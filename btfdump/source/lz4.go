package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

func isLZ4(head []byte) bool {
	if bytes.HasPrefix(head, []byte(lz4Magic)) {
		return true
	}
	// A legacy frame is blocks of up to 8 MiB, each with its packed size before it.
	return bytes.HasPrefix(head, []byte(lz4LegacyMagic)) && len(head) >= 8 && le32(head, 4) > 0 && le32(head, 4) <= maxLegacyBlock
}

const (
	// legacyBlock is what all blocks of legacy lz4 but the last unpack to.
	legacyBlock = 8 << 20
	// maxLegacyBlock is the most that such a block can be packed to
	// (LZ4_COMPRESSBOUND).
	maxLegacyBlock = legacyBlock + legacyBlock/255 + 16
)

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
	if err := s.budget.window(hint); err != nil {
		return err
	}
	s.budget.windows -= hint // it becomes the content
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

func newLZ4(r io.Reader, _ *budget) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if another(in, prefix(lz4LegacyMagic)) {
		_, err := in.Discard(len(lz4LegacyMagic))
		return &legacyLZ4Reader{in: in}, err
	}
	return lz4.NewReader(newExtent(in, lz4Pieces())), nil
}

// A legacyLZ4Reader reads legacy lz4, which is blocks and nothing behind them. So
// the end is where a block was not a full one, or where what follows can be no
// block's size (as in the kernel's lib/decompress_unlz4.c).
type legacyLZ4Reader struct {
	in     *bufio.Reader
	packed bytes.Buffer
	room   []byte
	block  []byte // unpacked and not given out yet
	total  int64  // unpacked so far, in bytes
	last   bool   // the block is the last one
}

func (z *legacyLZ4Reader) Read(p []byte) (int, error) {
	for len(z.block) == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.block)
	z.block = z.block[n:]
	return n, nil
}

func (z *legacyLZ4Reader) next() error {
	if another(z.in, prefix(lz4LegacyMagic)) { // another file's
		z.last = false
		_, err := z.in.Discard(len(lz4LegacyMagic))
		return err
	}
	if z.last {
		return io.EOF
	}
	head, err := z.in.Peek(4)
	switch {
	case len(head) == 0:
		return err
	case len(head) < 4:
		return z.endBehind(io.ErrUnexpectedEOF)
	}
	size := le32(head, 0)
	if size == 0 || size > maxLegacyBlock {
		return z.endBehind(fmt.Errorf("a block of %d bytes", size))
	}
	if more, _ := z.in.Peek(5); len(more) == 4 && size == z.total&0xffffffff {
		return io.EOF // the unpacked size, which a kernel's build appends
	}
	z.in.Discard(4)
	// Memory is asked for as far as there is data, whatever the size says.
	z.packed.Reset()
	if _, err := io.CopyN(&z.packed, z.in, size); err != nil {
		return endInside(err)
	}
	if z.room == nil {
		z.room = make([]byte, legacyBlock)
	}
	n, err := lz4.UncompressBlock(z.packed.Bytes(), z.room)
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("a block that has nothing in it")
	}
	z.block = z.room[:n]
	z.total += int64(n)
	z.last = n < legacyBlock
	return nil
}

// endBehind returns what it means that no block follows: behind others the end,
// else the error given.
func (z *legacyLZ4Reader) endBehind(err error) error {
	if z.total > 0 {
		return io.EOF
	}
	return err
}
