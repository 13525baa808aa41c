package btfdump

import (
	"iter"
	"math/bits"
)

// Set is a set of the types of one view.
type Set struct {
	words []uint64
}

// NewSet returns an empty set for the types of the view.
func (v *View) NewSet() *Set {
	return &Set{words: make([]uint64, (v.NumTypes()+63)/64)}
}

// Add puts a type into the set and reports whether it was new there.
func (s *Set) Add(id TypeID) bool {
	w, bit := &s.words[id/64], uint64(1)<<(id%64)
	isNew := *w&bit == 0
	*w |= bit
	return isNew
}

// Has reports whether the type is in the set.
func (s *Set) Has(id TypeID) bool { return s.words[id/64]>>(id%64)&1 != 0 }

// Len returns the number of types in the set.
func (s *Set) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// All iterates over the types of the set in ascending order of IDs.
func (s *Set) All() iter.Seq[TypeID] {
	return func(yield func(TypeID) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(TypeID(i*64 + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}
