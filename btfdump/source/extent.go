package source

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// An extent is what the compressed streams at the start of an input take up:
// one, or several in a row, which are one file to the programs that make them.
// What stands behind them is none of the decompressor's business: a kernel's
// build appends the unpacked size, boot images append device trees, and flash
// and disks have padding. Most decompressors would call it corrupt, in the same
// words as data that is.
//
// The formats tell how long their blocks are, so that the end is found without
// unpacking anything.
type extent struct {
	in *bufio.Reader
	// next returns how many bytes the next piece of the format has, io.EOF
	// behind the last one. It may look ahead, and must not read.
	next func(*bufio.Reader) (int64, error)
	left int64 // of the piece that is being read, in bytes
}

func newExtent(r io.Reader, next func(*bufio.Reader) (int64, error)) *extent {
	return &extent{in: bufio.NewReaderSize(r, 64<<10), next: next}
}

func (e *extent) Read(p []byte) (int, error) {
	for e.left == 0 {
		n, err := e.next(e.in)
		if err != nil {
			return 0, err
		}
		e.left = n
	}
	n, err := e.in.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	return n, endInside(err)
}

// ahead returns the next n bytes without reading them. Fewer are an error.
func ahead(in *bufio.Reader, n int) ([]byte, error) {
	b, err := in.Peek(n)
	return b, endInside(err)
}

// another says whether a stream follows in a row.
func another(in *bufio.Reader, begins func(head []byte) bool) bool {
	head, _ := in.Peek(headSize)
	return begins(head)
}

// isSkippable knows the frames that decoders of zstd and lz4 skip, by their 16
// magic numbers.
func isSkippable(head []byte) bool {
	return len(head) >= 8 && le32(head, 0)&0xfffffff0 == 0x184d2a50
}

// isZstd knows zstd's frames. pzstd puts a short one to be skipped in front of
// each.
func isZstd(head []byte) bool {
	if isSkippable(head) && le32(head, 4) <= int64(len(head)-8) {
		head = head[8+le32(head, 4):]
	}
	return prefix(zstdMagic)(head)
}

// zstdPieces knows the pieces of zstd's frames: a header, blocks, a checksum
// (RFC 8878, section 3.1).
//
// Each frame's window is counted before the decoder sees its header.
func zstdPieces(b *budget) func(*bufio.Reader) (int64, error) {
	const (
		atFrame = iota
		atBlock
		atChecksum
	)
	state, checksum, first := atFrame, false, true
	room := int64(0) // of the decoder's window
	return func(in *bufio.Reader) (int64, error) {
		switch state {
		case atFrame:
			if !first && !another(in, isZstd) {
				return 0, io.EOF
			}
			first = false
			head, err := ahead(in, 8) // the smallest frame has 9 bytes
			if err != nil {
				return 0, err
			}
			if isSkippable(head) {
				return 8 + le32(head, 4), nil
			}
			descriptor := head[4]
			single := descriptor >> 5 & 1
			contentSize := [4]int64{int64(single), 2, 4, 8}[descriptor>>6]
			dictionary := [4]int64{0, 1, 2, 4}[descriptor&3]
			checksum = descriptor&4 != 0
			state = atBlock
			if full, _ := in.Peek(zstd.HeaderMaxSize); len(full) >= 8 {
				var header zstd.Header
				// A window that is too large is refused by the decoder.
				if header.Decode(full) == nil && header.WindowSize <= maxDictionary && int64(header.WindowSize) > room {
					if err := b.window(int64(header.WindowSize) - room); err != nil {
						return 0, err
					}
					room = int64(header.WindowSize)
				}
			}
			return 5 + int64(1-single) + dictionary + contentSize, nil
		case atBlock:
			head, err := ahead(in, 3)
			if err != nil {
				return 0, err
			}
			word := int64(head[0]) | int64(head[1])<<8 | int64(head[2])<<16
			if word&1 != 0 { // the last block
				state = atFrame
				if checksum {
					state = atChecksum
				}
			}
			size := word >> 3
			if word>>1&3 == 1 { // one byte, repeated
				size = 1
			}
			return 3 + size, nil
		}
		state = atFrame
		return 4, nil
	}
}

// lz4Pieces knows the pieces of lz4's frames: a header, blocks, and an end with
// a checksum (doc/lz4_Frame_format.md of lz4).
func lz4Pieces() func(*bufio.Reader) (int64, error) {
	inFrame, first := false, true
	var blockChecksum, contentChecksum int64
	return func(in *bufio.Reader) (int64, error) {
		if !inFrame {
			if !first && !another(in, prefix(lz4Magic)) {
				return 0, io.EOF
			}
			first = false
			head, err := ahead(in, 7)
			if err != nil {
				return 0, err
			}
			flags := int64(head[4])
			blockChecksum, contentChecksum = flags>>4&1*4, flags>>2&1*4
			inFrame = true
			return 7 + flags>>3&1*8 + flags&1*4, nil
		}
		head, err := ahead(in, 4)
		if err != nil {
			return 0, err
		}
		size := le32(head, 0) &^ (1 << 31) // the upper bit: it is not packed
		if size == 0 {
			inFrame = false
			return 4 + contentChecksum, nil
		}
		return 4 + size + blockChecksum, nil
	}
}

// xzPieces knows the pieces of xz's streams: a header, blocks of LZMA2 chunks, an
// index, a footer (doc/xz-file-format.txt of XZ Utils).
//
// Each block's dictionary is counted before the decoder sees its header.
func xzPieces(b *budget) func(*bufio.Reader) (int64, error) {
	const (
		atStream = iota
		atBlock
		atChunk
		atIndexCount
		atIndexRecords
		atFooter
	)
	state, first := atStream, true
	var check, inBlock, inIndex int64
	var numbers uint64 // left in the index
	room := int64(0)   // of the decoder's dictionary
	return func(in *bufio.Reader) (int64, error) {
		for {
			switch state {
			case atStream:
				padding := int64(0)
				if !first {
					if padding = xzPadding(in); padding < 0 {
						return 0, io.EOF
					}
				}
				first = false
				head, err := ahead(in, int(padding)+12)
				if err != nil {
					return 0, err
				}
				check = [6]int64{0, 4, 8, 16, 32, 64}[(head[padding+7]&15+2)/3]
				state = atBlock
				return padding + 12, nil
			case atBlock:
				head, err := ahead(in, 1)
				if err != nil {
					return 0, err
				}
				if head[0] == 0 {
					state, inIndex = atIndexCount, 1
					return 1, nil
				}
				state, inBlock = atChunk, 0
				size := (int(head[0]) + 1) * 4
				if head, err = ahead(in, size); err != nil {
					return 0, err
				}
				if n := xzDictionary(head); n <= maxDictionary && n > room { // larger ones are refused
					if err := b.window(n - room); err != nil {
						return 0, err
					}
					room = n
				}
				return int64(size), nil
			case atChunk:
				head, err := ahead(in, 5) // an index and a footer follow, if nothing else
				if err != nil {
					return 0, err
				}
				size := int64(1)
				switch control := head[0]; {
				case control == 0:
					state = atBlock
					size += -(inBlock+1)&3 + check
				case control >= 0x80:
					size = 6 + int64(binary.BigEndian.Uint16(head[3:]))
					if control >= 0xc0 {
						size++
					}
				case control <= 2:
					size = 4 + int64(binary.BigEndian.Uint16(head[1:]))
				}
				inBlock += size
				return size, nil
			case atIndexCount, atIndexRecords:
				if state == atIndexRecords && numbers == 0 {
					state = atFooter
					continue
				}
				head, err := ahead(in, 9)
				if err != nil {
					return 0, err
				}
				value, size := binary.Uvarint(head)
				if size <= 0 {
					size = 9 // none: the decompressor says so
				}
				if state == atIndexCount {
					// Each record has two; no input has as many bytes as more.
					state, numbers = atIndexRecords, 2*min(value, 1<<62)
				} else {
					numbers--
				}
				inIndex += int64(size)
				return int64(size), nil
			default:
				state = atStream
				return -inIndex&3 + 4 + 12, nil
			}
		}
	}
}

// xzDictionary returns the size of the dictionary that a block's header tells, in
// bytes; 0 if it tells none. LZMA2 is the last of up to four filters, and its
// only property is that size (sections 3.1 and 5.3.1).
func xzDictionary(header []byte) int64 {
	if len(header) < 2 {
		return 0
	}
	flags, rest := header[1], header[2:]
	number := func() uint64 {
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			rest = nil
			return 0
		}
		rest = rest[n:]
		return value
	}
	for _, sizes := range []byte{0x40, 0x80} {
		if flags&sizes != 0 {
			number()
		}
	}
	for range flags&3 + 1 {
		id, size := number(), number()
		if size > uint64(len(rest)) {
			return 0
		}
		if id == 0x21 && size == 1 {
			bits := rest[0] & 0x3f
			return int64(2|bits&1) << (bits/2 + 11)
		}
		rest = rest[size:]
	}
	return 0
}

// xzPadding returns how many zeros stand in front of another stream, which are a
// multiple of four, and -1 if none follows.
func xzPadding(in *bufio.Reader) int64 {
	for n := 0; ; n += 4 {
		head, _ := in.Peek(n + 12)
		switch {
		case len(head) < n+12:
			return -1 // further away than one looks, or the end
		case prefix(xzMagic)(head[n:]):
			return int64(n)
		case le32(head, n) != 0:
			return -1
		}
	}
}

// A bzip2Extent is what bzip2's streams take up. They are made of bits, and
// nothing tells a block's length; but the end has a number of its own.
type bzip2Extent struct {
	in     *bufio.Reader
	window uint64 // the last eight bytes
	left   int    // bytes to the stream's end; -1: not known yet
	ended  bool
}

func newBzip2Extent(r io.Reader) *bzip2Extent {
	return &bzip2Extent{in: bufio.NewReaderSize(r, 64<<10), left: -1}
}

// The number at the end of a bzip2 stream, before its checksum of 32 bits: the
// square root of pi.
const bzip2End = 0x177245385090

func (e *bzip2Extent) Read(p []byte) (int, error) {
	if e.ended {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if _, err := ahead(e.in, 1); err != nil {
		return 0, err
	}
	there, _ := e.in.Peek(min(e.in.Buffered(), len(p)))
	n := 0
	for _, b := range there {
		p[n] = b
		n++
		if e.left < 0 {
			e.window = e.window<<8 | uint64(b)
			for shift := range 8 {
				if e.window>>shift&(1<<48-1) == bzip2End {
					e.left = 4 // the checksum is there but for shift bits, and it is filled up to a byte
				}
			}
			continue
		}
		if e.left--; e.left == 0 {
			break
		}
	}
	_, err := e.in.Discard(n)
	if e.left == 0 {
		e.left, e.window = -1, 0
		e.ended = !another(e.in, isBzip2)
	}
	return n, err
}
