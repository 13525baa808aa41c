package core

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// minLikeName is the likeness from which on a name of the kernel's is told to
// those who look for another.
const minLikeName = 0.9

// A likeName is a name that is like the one that was looked for.
type likeName struct {
	name     string
	likeness float64
}

// likeAmong looks for names like one in all of a kernel's types.
func likeAmong(name string, v *btfdump.View, wanted func(btfdump.Type) bool) (found []likeName) {
	core := strings.Trim(name, "_")
	for t := range v.All() {
		if !wanted(t) {
			continue
		}
		if n := t.Name(); btfdump.IsIdentifier(n) && len(n) <= maxName {
			// Comparing takes a microsecond, and a kernel has 50,000 functions.
			if contains := strings.Contains(n, core); contains || mayBeLike(name, n) {
				found = appendLike(found, name, n, core, contains)
			}
		}
	}
	return found
}

// mayBeLike says whether a name is to be compared with one that it does not
// contain.
func mayBeLike(name, n string) bool {
	return strings.HasPrefix(n, name[:3]) && len(n) <= len(name)+8 && len(name) <= len(n)+8
}

// appendLike appends a name if it is like enough.
func appendLike(found []likeName, name, n, core string, contains bool) []likeName {
	l := nameLikeness(name, n)
	if l < 1 && contains && len(n) <= len(core)+12 {
		l = max(l, 0.95)
	}
	if l >= minLikeName {
		found = append(found, likeName{n, l})
	}
	return found
}

// fewQuestions is how many names are looked for in a kernel before it pays to make
// an index: objects ask for one or two that it lacks, and hostile ones for
// thousands.
const fewQuestions = 8

const blockSize = 8

// A nameIndex answers as likeAmong does, in a hundredth of the time.
type nameIndex struct {
	names   []string          // sorted
	letters []letters         // of the names
	blocks  []letters         // of blockSize names each
	starts  map[string][2]int // by the first three bytes: which of the names
}

func newNameIndex(v *btfdump.View, wanted func(btfdump.Type) bool) *nameIndex {
	x := &nameIndex{starts: make(map[string][2]int)}
	for t := range v.All() {
		if wanted(t) {
			if n := t.Name(); btfdump.IsIdentifier(n) && len(n) <= maxName {
				x.names = append(x.names, n)
			}
		}
	}
	slices.Sort(x.names)
	x.names = slices.Compact(x.names)
	x.letters = make([]letters, len(x.names))
	x.blocks = make([]letters, (len(x.names)+blockSize-1)/blockSize)
	for i, n := range x.names {
		x.letters[i] = lettersOf(n)
		x.blocks[i/blockSize] |= x.letters[i]
		if len(n) >= 3 {
			at, ok := x.starts[n[:3]]
			if !ok {
				at[0] = i
			}
			at[1] = i + 1
			x.starts[n[:3]] = at
		}
	}
	return x
}

// like is likeAmong, without what is said twice, and without names that are less
// like it than maxSuggestions others.
func (x *nameIndex) like(name string) (found []likeName) {
	core := strings.Trim(name, "_")
	has := lettersOf(core)
	var top [maxSuggestions]float64 // the best so far, descending
	add := func(n string, contains bool) {
		before := len(found)
		if found = appendLike(found, name, n, core, contains); len(found) > before {
			l := found[before].likeness
			for i := range top {
				if l > top[i] {
					l, top[i] = top[i], l
				}
			}
		}
	}
	enough := func() float64 { return max(minLikeName, top[maxSuggestions-1]) }
	for block, all := range x.blocks {
		if has&^all != 0 {
			continue
		}
		for i := block * blockSize; i < min((block+1)*blockSize, len(x.names)); i++ {
			n, l := x.names[i], x.letters[i]
			if has&^l != 0 || !strings.Contains(n, core) {
				continue
			}
			if len(n) <= len(core)+12 || mostLikeness(core, n, has, l) >= enough() {
				add(n, true)
			}
		}
	}
	// From the place where it would stand outwards, for the best stand near it.
	at := x.starts[name[:3]]
	next, _ := slices.BinarySearch(x.names[at[0]:at[1]], name)
	next += at[0]
	for before := next - 1; before >= at[0] || next < at[1]; {
		for _, i := range [2]int{before, next} {
			if i < at[0] || i >= at[1] {
				continue
			}
			n := x.names[i]
			if mayBeLike(name, n) && mostLikeness(core, n, has, x.letters[i]) >= enough() && !strings.Contains(n, core) {
				add(n, false)
			}
		}
		before--
		next++
	}
	return found
}

// letters says which letters a name has, in its lower half, and which it has more
// than once, in the upper one. Underscores don't count, which are not compared at
// a name's ends, nor does case. Some letters share a bit with digits.
type letters uint64

func lettersOf(name string) (l letters) {
	for _, b := range []byte(strings.ToLower(name)) {
		if b == '_' {
			continue
		}
		bit := letters(1) << (b & 31)
		if l&bit != 0 {
			bit <<= 32
		}
		l |= bit
	}
	return l
}

// mostLikeness is a bound of what nameLikeness can be, by the letters that one of
// the names has and the other lacks.
func mostLikeness(a, b string, in, inB letters) float64 {
	la, lb := len(a), len(strings.Trim(b, "_"))
	if la == 0 || lb == 0 {
		return 0
	}
	same := min(la-bits.OnesCount64(uint64(in&^inB)), lb-bits.OnesCount64(uint64(inB&^in)))
	if same <= 0 {
		return 0
	}
	jaro := (float64(same)/float64(la) + float64(same)/float64(lb) + 1) / 3
	b = strings.TrimLeft(b, "_")
	first := 0 // letters at the start that are equal
	for first < min(4, la, len(b)) && a[first]|0x20 == b[first]|0x20 {
		first++
	}
	return jaro + float64(first)/10*(1-jaro) + 1e-9
}
