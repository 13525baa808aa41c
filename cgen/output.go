package cgen

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// headroom is what output leaves free for the top of the header, which is only
// known when the rest has been printed.
const headroom = 8 << 10

// output puts chunks that goroutines print in any order into one text in the
// order of their numbers. Chunks are printed into a few buffers that are used
// again and again: they stay in the processor's cache, and the text is the only
// large allocation.
type output struct {
	mu      sync.Mutex
	text    []byte
	digests []byte // of the chunks, one after the other
	used    used

	first   int      // index in digests of the current chunks' first
	next    int      // the chunk that text waits for
	waiting [][]byte // chunks that came before their turn
	buffers [][]byte // free ones
}

// begin expects count chunks, numbered from 0.
func (o *output) begin(count int) {
	o.first, o.next = len(o.digests), 0
	o.digests = append(o.digests, make([]byte, count*sha256.Size)...)
	o.waiting = make([][]byte, count)
}

// buffer returns an empty buffer to print a chunk into.
func (o *output) buffer() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.buffers); n > 0 {
		b := o.buffers[n-1]
		o.buffers = o.buffers[:n-1]
		return b
	}
	return make([]byte, 0, 64<<10)
}

// put takes a chunk, in a buffer from o.buffer.
func (o *output) put(i int, chunk []byte, withDigest bool) {
	var digest [sha256.Size]byte
	if withDigest {
		digest = sha256.Sum256(chunk)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	copy(o.digests[o.first+i*sha256.Size:], digest[:])
	o.waiting[i] = chunk
	for o.next < len(o.waiting) && o.waiting[o.next] != nil {
		if chunk := o.waiting[o.next]; cap(o.text)-len(o.text) < len(chunk) { // no kernel's: see Plan.sizeHint
			o.text = slices.Grow(o.text, max(len(o.text), len(chunk))) // append would copy more often
		}
		o.text = append(o.text, o.waiting[o.next]...)
		o.buffers = append(o.buffers, o.waiting[o.next][:0])
		o.waiting[o.next] = nil
		o.next++
	}
}

// note adds what a goroutine's text uses.
func (o *output) note(u *used) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, word := range u.words {
		o.used.words[i] = o.used.words[i] || word
	}
	o.used.addressSpaces = o.used.addressSpaces || u.addressSpaces
	o.used.enumTypes = o.used.enumTypes || u.enumTypes
	o.used.narrowEnums = o.used.narrowEnums || u.narrowEnums
	o.used.padding = o.used.padding || u.padding
	o.used.packed = o.used.packed || u.packed
	o.used.aligned = o.used.aligned || u.aligned
	o.used.qualifiedResults = o.used.qualifiedResults || u.qualifiedResults
	o.used.gccWarns = o.used.gccWarns || u.gccWarns
	o.used.pointerInts = o.used.pointerInts || u.pointerInts
	o.used.int64 = o.used.int64 || u.int64
	o.used.uint64 = o.used.uint64 || u.uint64
}

// used is what the text of declarations needs of the preamble.
type used struct {
	words            wordsCXX
	addressSpaces    bool
	enumTypes        bool
	narrowEnums      bool
	padding          bool
	packed           bool // there are records that are
	aligned          bool
	qualifiedResults bool // of functions, by a typedef
	gccWarns         bool // of what is as it has to be, and by no option
	pointerInts      bool
	int64, uint64    bool // the kernel's, which are long long
}
