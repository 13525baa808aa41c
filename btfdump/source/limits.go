package source

import (
	"errors"
	"fmt"
	"io"
)

// Limits against decompression bombs. A kernel's package unpacks, all layers of
// it together, to some ten times its size.
const (
	// MaxBTF is the most bytes of BTF that are read from one input: 1 GiB, some
	// two hundred times a distribution kernel's. It also keeps offsets within 32
	// bits, which is what BTF's header has for them.
	MaxBTF = 1 << 30

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
		u.err = fmt.Errorf("%w: more than the limit of %d bytes; if that is right, raise it with --max-size", ErrTooLarge, u.budget.maxSize)
	case u.budget.spend(int64(n)) != nil:
		u.err = u.budget.spend(0)
	case err == io.EOF:
		u.err = io.EOF
	case err != nil:
		u.err = fmt.Errorf("cut short or corrupt after %d bytes were unpacked: %w", u.n, err)
	}
	if u.err != nil && u.err != io.EOF {
		n = 0
	}
	return n, u.err
}
