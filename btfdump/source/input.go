package source

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// An input is the content of a file or of a container: bytes that can be read
// anywhere, or a stream that can be read once.
type input struct {
	at     io.ReaderAt // nil for a stream
	size   int64       // bytes; -1 if a stream's is not known
	stream *bufio.Reader

	hint int64 // how many bytes it unpacks to, if a header says so; 0: not known
}

// headSize is how many bytes of an input the matchers get to see: those up to
// the last field that one of them looks at, in a bzImage's header.
const headSize = 0x250

// fileInput is an input of which every byte can be reached.
func fileInput(at io.ReaderAt, size int64) *input { return &input{at: at, size: size} }

// streamInput is an input that is read once; size is -1 if it is not known.
func streamInput(r io.Reader, size int64) *input {
	buffered, ok := r.(*bufio.Reader)
	if !ok {
		buffered = bufio.NewReaderSize(r, 68<<10) // for start's signatures
	}
	return &input{stream: buffered, size: size}
}

// head returns the first bytes of the input, at most headSize of them. It can be
// called until the input is read.
func (in *input) head() ([]byte, error) {
	if in.at == nil {
		head, err := in.stream.Peek(headSize)
		if err != nil && err != io.EOF {
			return nil, err
		}
		return head, nil
	}
	head := make([]byte, min(in.size, headSize))
	if n, err := in.at.ReadAt(head, 0); n < len(head) {
		return nil, cut(int64(n), in.size, err)
	}
	return head, nil
}

// start returns the first bytes of the input, at most n and no more than a
// stream's buffer has. It can be called until the input is read.
func (in *input) start(n int) []byte {
	if in.at == nil {
		start, _ := in.stream.Peek(min(n, in.stream.Size()))
		return start
	}
	start := make([]byte, min(in.size, int64(n)))
	read, _ := in.at.ReadAt(start, 0)
	return start[:max(read, 0)]
}

// reader reads the input from its start.
func (in *input) reader() io.Reader {
	if in.at == nil {
		return in.stream
	}
	return io.NewSectionReader(in.at, 0, in.size)
}

// section is a part of an input of which every byte can be reached.
func (in *input) section(offset, size int64) *input {
	if m, ok := in.at.(memory); ok {
		return fileInput(m[offset:offset+size], size)
	}
	return fileInput(io.NewSectionReader(in.at, offset, size), size)
}

// reachable reads what is left of a stream into memory, so that every byte of
// the input can be reached from then on.
func (in *input) reachable(b *budget) error {
	if in.at != nil {
		return nil
	}
	content, err := readChunks(in.stream, max(in.hint, in.size), b)
	if err != nil {
		return err
	}
	if in.size >= 0 && content.size < in.size {
		return cut(content.size, in.size, io.ErrUnexpectedEOF)
	}
	in.at, in.size, in.stream = content, content.size, nil
	if len(content.chunks) == 1 {
		in.at = memory(content.chunks[0])
	}
	return nil
}

// bytes returns all of the input in one piece.
func (in *input) bytes(b *budget) ([]byte, error) {
	if err := in.reachable(b); err != nil {
		return nil, err
	}
	if m, ok := in.at.(memory); ok {
		return m, nil
	}
	if in.size > b.maxSize || in.size > math.MaxInt {
		return nil, fmt.Errorf("%w: %d bytes would have to be in memory, more than the limit of %d; --max-size raises it", ErrTooLarge, in.size, b.maxSize)
	}
	if c, ok := in.at.(*chunks); ok {
		in.at = memory(c.join())
		return in.bytes(b)
	}
	if err := b.hold(in.size); err != nil {
		return nil, err
	}
	data := hugepages.Make[byte](int(in.size))
	if n, err := readParts(in.at, data); n < len(data) {
		return nil, cut(int64(n), in.size, err)
	}
	in.at = memory(data)
	return data, nil
}

// readParts fills data, on two cores: most of the time goes into touching fresh
// memory, which those do in half of it. It returns how many bytes were read from
// the start on.
func readParts(from io.ReaderAt, data []byte) (int, error) {
	const size = 256 << 10
	count := (len(data) + size - 1) / size
	read, errs := make([]int, count), make([]error, count)
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
			read[i], errs[i] = from.ReadAt(data[i*size:min((i+1)*size, len(data))], int64(i*size))
		}
	}
	var other sync.WaitGroup
	other.Go(work)
	work()
	other.Wait()
	total := 0
	for i, n := range read {
		if total += n; n < min(size, len(data)-i*size) {
			return total, errs[i]
		}
	}
	return total, nil
}

// cut is the error of an input that has fewer bytes than it should.
func cut(n, size int64, err error) error {
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("cut short: %d of %d bytes are there: %w", n, size, err)
}

// memory is an input that is in memory as a whole.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}

// chunks is what was read from a stream. A stream's size is often not known, and
// one buffer that grows would need several times the memory on the way.
type chunks struct {
	chunks [][]byte // all but the last are full
	starts []int64
	size   int64
}

// chunkSize is the size of the first chunk, and maxChunkSize that of later ones,
// in bytes.
const (
	chunkSize    = 256 << 10
	maxChunkSize = 8 << 20
)

// readChunks reads a stream, as far as the budget has memory for it. hint is how
// many bytes it may have, or 0; it is not relied upon.
func readChunks(r io.Reader, hint int64, b *budget) (*chunks, error) {
	c := &chunks{}
	// A header may claim any size: what is not there yet is asked for in chunks.
	next := int64(chunkSize)
	for {
		size := next
		if rest := hint - c.size; rest > 0 && rest < maxChunkSize {
			size = rest + 1 // one more, to see the end
		}
		chunk := hugepages.Make[byte](int(size))
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			c.chunks = append(c.chunks, chunk[:n])
			c.starts = append(c.starts, c.size)
			c.size += int64(n)
			if err := b.hold(int64(n)); err != nil {
				return nil, err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return c, nil
		default:
			return nil, err
		}
		next = min(next*2, maxChunkSize)
	}
}

// join returns all bytes in one piece, and empties c. Where they are many, memory
// is given back on the way, or there would be twice as many for a while.
func (c *chunks) join() []byte {
	const many = 32 << 20
	data := hugepages.Make[byte](int(c.size))
	freed := 0
	for i, chunk := range c.chunks {
		copy(data[c.starts[i]:], chunk)
		c.chunks[i] = nil
		if freed += len(chunk); freed >= many {
			debug.FreeOSMemory()
			freed = 0
		}
	}
	return data
}

func (c *chunks) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("negative offset %d", off)
	}
	n := 0
	for i := c.find(off); i < len(c.chunks) && n < len(p); i++ {
		n += copy(p[n:], c.chunks[i][off+int64(n)-c.starts[i]:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// find returns the index of the chunk with the byte at off, or the number of
// chunks if there is none.
func (c *chunks) find(off int64) int {
	if off >= c.size {
		return len(c.chunks)
	}
	low, high := 0, len(c.chunks)
	for high-low > 1 {
		if mid := (low + high) / 2; c.starts[mid] <= off {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
