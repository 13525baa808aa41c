package core

import "github.com/btfgen/btfgen/btfdump"

// Result is what a relocation comes to on a kernel.
type Result struct {
	// Err says why libbpf would refuse to load the object, nil if it would not.
	Err error
	// Poison is true if the kernel lacks what the instruction needs: a loader
	// puts a call of a helper that does not exist in its place, so that the
	// verifier accepts the program only if the instruction is never reached.
	Poison bool
	// Value is the number that the instruction needs: an offset or size in
	// bytes, a number of bits, a type ID, an enumerator's value, 0 or 1.
	Value uint64
	// Matches are the places in the kernel's types that fit, all of them with
	// the same Value. There are none if nothing fits.
	Matches []Match

	original  uint64 // what Value is for the object's own types
	validate  bool   // whether the instruction must have that
	sizes     [2]uint64
	sizeWrong bool // a load or store can't be made to move sizes[1] in place of sizes[0] bytes
}

// Found reports whether the kernel has what the relocation is about.
func (r *Result) Found() bool { return len(r.Matches) > 0 }

// Match is a place in a kernel's types.
type Match struct {
	// Root is the type at which the access starts.
	Root btfdump.TypeID
	// Path leads from there to the place, one step a member, element or
	// enumerator, members without a name included. It is empty for relocations
	// that are about a type as a whole.
	Path []Step
	// BitOffset is the place's distance from the start of Root in bits.
	BitOffset uint64
}

// Step is a part of a path. The first one of a path to a member has the index
// of an array of Root's, and the type is what remains of Root when typedefs and
// qualifiers are skipped.
type Step struct {
	Type  btfdump.TypeID // a record, the element of an array, or an enum
	Index uint32         // of the member, element or enumerator
}
