package source

import (
	"errors"
	"fmt"
	"io"
)

// Limits against decompression bombs. A kernel's package unpacks, all layers of
// it together, to some ten times its size.
const (
	// MaxBTF is the most bytes of BTF that are read from one input: 256 MiB, some
	// fifty times a distribution kernel's.
	MaxBTF = 256 << 20

	// DefaultMaxSize is what one layer of an input may unpack to, in bytes,
	// unless [Options.MaxSize] says otherwise: 1 GiB.
	DefaultMaxSize = 1 << 30

	// MaxRatio is how many times the size of an input all of its layers
	// together may unpack to. The first 16 MiB are free.
	MaxRatio = 250

	freeSize = 16 << 20

	// maxDictionary is how far back, in bytes, compressed data may refer: what
	// zstd -22 --ultra needs, which compresses kernels (scripts/Makefile.lib).
	maxDictionary = 128 << 20

	// maxWindows is how many bytes the decompressors of layers in each other may
	// have for that together: a kernel's in a package's.
	maxWindows = 2 * maxDictionary

	// freeWindows and windowRatio bound what decompressors ask for over the whole
	// of an input, in bytes and as a multiple of what they unpacked. A header of
	// some bytes can ask for maxDictionary; a package's modules, of which the
	// smallest unpack to some 30 KB, ask for 1 or 2 MiB each.
	freeWindows = 1 << 30
	windowRatio = 64

	// maxDepth is how many containers may stand in each other. A gzipped kernel
	// image in a package has 8.
	maxDepth = 16

	// maxAttempts is how often something that looks like compressed data may
	// turn out to be none, or to have no BTF in it.
	maxAttempts = 64
)

// ErrTooLarge is wrapped by the errors of inputs that unpack to more than is
// allowed.
var ErrTooLarge = errors.New("unpacks to too much")

// A budget is what is left to be unpacked of one input. It is shared by all
// layers of the input.
type budget struct {
	maxSize  int64 // of one layer
	input    func() int64
	spent    int64
	attempts int

	held    int64 // bytes of layers, and of BTF that was found, in memory now
	windows int64 // bytes of decompressors' windows now
	asked   int64 // bytes of windows since the start
}

// newBudget returns the budget of an input. maxSize is [Options.MaxSize].
func newBudget(maxSize int64, input func() int64) *budget {
	if maxSize == 0 {
		maxSize = DefaultMaxSize
	}
	return &budget{maxSize: maxSize, input: input}
}

// allowed returns how many bytes all layers may unpack to by now: a stream's
// size is known only as far as it has been read.
func (b *budget) allowed() int64 { return freeSize + MaxRatio*b.input() }

// spend takes n bytes off the budget.
func (b *budget) spend(n int64) error {
	b.spent += n
	if b.spent > b.allowed() {
		return fmt.Errorf("%w: %d bytes so far, more than %d times the input's size", ErrTooLarge, b.spent, MaxRatio)
	}
	return nil
}

// hold counts n bytes that are kept in memory: those of all layers together are
// no more than one layer may have. What leaves a layer sets held back.
func (b *budget) hold(n int64) error {
	if b.held += n; b.held > b.maxSize {
		return b.tooLarge()
	}
	return nil
}

// tooLarge is the error of what is too much for memory.
func (b *budget) tooLarge() error {
	return fmt.Errorf("%w: more than the limit of %d bytes; if that is right, raise it with --max-size", ErrTooLarge, b.maxSize)
}

// window counts a decompressor's window of n bytes. Like held, windows is set
// back where a layer is left.
func (b *budget) window(n int64) error {
	b.windows += n
	b.asked += n
	if b.windows > maxWindows || b.asked-freeWindows > windowRatio*b.spent {
		return fmt.Errorf("%w: its compressed layers ask for %d bytes to unpack %d", ErrTooLarge, b.asked, b.spent)
	}
	return nil
}

// attempt counts a try that may fail.
func (b *budget) attempt() error {
	if b.attempts++; b.attempts > maxAttempts {
		return fmt.Errorf("%w: gave up after %d places that looked like compressed data", ErrNoBTF, maxAttempts)
	}
	return nil
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// unpacked is what a decompressor gives, with the limits in force.
type unpacked struct {
	r      io.Reader
	budget *budget
	n      int64
	err    error // sticky
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.r.Read(p)
	u.n += int64(n)
	switch {
	case u.n > u.budget.maxSize:
		u.err = u.budget.tooLarge()
	case u.budget.spend(int64(n)) != nil:
		u.err = u.budget.spend(0)
	case err == io.EOF:
		u.err = io.EOF
	case errors.Is(err, ErrTooLarge):
		u.err = err
	case err != nil:
		u.err = fmt.Errorf("cut short or corrupt after %d bytes were unpacked: %w", u.n, err)
	}
	if u.err != nil && u.err != io.EOF {
		n = 0
	}
	return n, u.err
}
