package source

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"

	"github.com/anchore/go-lzo"
)

// A lzopReader reads what lzop writes: a header, and blocks of LZO1X, each with
// its sizes and checksums (the header of lzop's conf.h, as the kernel reads it in
// lib/decompress_unlzo.c); and that again, for several in a row are one file. All
// numbers are in big endian.
type lzopReader struct {
	r         *bufio.Reader
	budget    *budget
	flags     uint32
	block     []byte // unpacked and not given out yet
	packed    []byte
	unpackedB []byte
}

// The header's flags that say which checksums a block has.
const (
	lzopAdler32Unpacked = 1 << 0
	lzopAdler32Packed   = 1 << 1
	lzopExtraField      = 1 << 6
	lzopCRC32Unpacked   = 1 << 8
	lzopCRC32Packed     = 1 << 9
	lzopFilter          = 1 << 11
)

// maxLzopBlock is the most that lzop puts into a block, in bytes. The kernel's
// blocks have 256 KiB.
const maxLzopBlock = 64 << 20

func newLzop(r io.Reader, b *budget) (io.Reader, error) {
	z := &lzopReader{budget: b, r: bufio.NewReaderSize(r, 64<<10)}
	return z, z.header()
}

// header reads what stands before the blocks: magic, version, library's version,
// version needed, method, level, flags, filter if there is one, mode, time (two
// words), name's length, name, checksum.
func (z *lzopReader) header() error {
	var fixed [9 + 2 + 2 + 2 + 1 + 1 + 4]byte
	if _, err := io.ReadFull(z.r, fixed[:]); err != nil {
		return endInside(err)
	}
	if version := binary.BigEndian.Uint16(fixed[9:]); version < 0x0940 {
		return fmt.Errorf("version %#x of lzop's format is too old: unpack it with lzop -d", version)
	}
	z.flags = binary.BigEndian.Uint32(fixed[17:])
	rest := 12
	if z.flags&lzopFilter != 0 {
		rest += 4
	}
	if z.flags&lzopExtraField != 0 {
		return errors.New("it has an extra field: unpack it with lzop -d")
	}
	tail := make([]byte, rest+1)
	if _, err := io.ReadFull(z.r, tail); err != nil {
		return endInside(err)
	}
	_, err := io.CopyN(io.Discard, z.r, int64(tail[rest])+4)
	return endInside(err)
}

func (z *lzopReader) Read(p []byte) (int, error) {
	for len(z.block) == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.block)
	z.block = z.block[n:]
	return n, nil
}

func (z *lzopReader) word() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(z.r, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}

// next unpacks the next block. The end is a block of size 0; then another file may
// begin.
func (z *lzopReader) next() error {
	size, err := z.word()
	if err != nil {
		return endInside(err)
	}
	if size == 0 {
		if another(z.r, prefix(lzopMagic)) {
			return z.header()
		}
		return io.EOF
	}
	packed, err := z.word()
	if err != nil {
		return endInside(err)
	}
	if size > maxLzopBlock || packed > size || packed == 0 {
		return fmt.Errorf("a block of %d bytes, %d when packed", size, packed)
	}
	var adler, crc uint32
	for _, sum := range []struct {
		flag uint32
		to   *uint32
		of   bool // it is there
	}{
		{lzopAdler32Unpacked, &adler, true}, {lzopCRC32Unpacked, &crc, true},
		{lzopAdler32Packed, new(uint32), packed < size}, {lzopCRC32Packed, new(uint32), packed < size},
	} {
		if z.flags&sum.flag != 0 && sum.of {
			if *sum.to, err = z.word(); err != nil {
				return endInside(err)
			}
		}
	}
	// Memory is asked for as far as there is data, whatever the sizes say.
	var buffer bytes.Buffer
	if _, err := io.CopyN(&buffer, z.r, int64(packed)); err != nil {
		return endInside(err)
	}
	z.packed = buffer.Bytes()
	block := z.packed
	if packed < size {
		if uint64(size) > 256*uint64(packed)+64 { // LZO1X packs at most 255 to 1
			return fmt.Errorf("a block of %d bytes, %d when packed", size, packed)
		}
		if cap(z.unpackedB) < int(size) {
			if err := z.budget.window(int64(size) - int64(cap(z.unpackedB))); err != nil {
				return err
			}
			z.unpackedB = make([]byte, size)
		}
		block = z.unpackedB[:size]
		n, err := lzo.Decompress(z.packed, block)
		if err != nil {
			return err
		}
		if n != int(size) {
			return fmt.Errorf("a block has %d bytes where its header says %d", n, size)
		}
	}
	if z.flags&lzopAdler32Unpacked != 0 && adler32.Checksum(block) != adler ||
		z.flags&lzopCRC32Unpacked != 0 && crc32.ChecksumIEEE(block) != crc {
		return errors.New("a block's checksum is wrong")
	}
	z.block = block
	return nil
}

func endInside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
