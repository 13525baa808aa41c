package cgen

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
)

// TestScanName compares with what a loop over the bytes finds: for each byte at
// each place of names of all lengths around those of words, at the end of the
// string section and inside it.
func TestScanName(t *testing.T) {
	check := func(name string) {
		for _, behind := range []string{"", "\x00", "\x00next_name", "\x00\xff\xff\xff\xff\xff\xff\xff\xff"} {
			dst := make([]byte, nameRoom)
			n, h, ok := scanName(dst, name+behind)
			if ok != btfdump.IsIdentifier(name) {
				t.Fatalf("%q before %q: identifier: %v", name, behind, ok)
			}
			if ok && (n != len(name) || string(dst[:n]) != name || h != hashOf(name)) {
				t.Fatalf("%q before %q: length %d, copied %q, hash %x instead of %x", name, behind, n, dst[:n], h, hashOf(name))
			}
		}
	}
	check("")
	for length := 1; length <= 18; length++ {
		for at := range length {
			for c := 1; c < 256; c++ { // a NUL byte would end the name
				name := []byte(strings.Repeat("a", length))
				name[at] = byte(c)
				check(string(name))
			}
		}
	}
	check(strings.Repeat("x", nameRoom-8))
}

// TestBuckets holds what sorting relies on: a name that is no less has no smaller
// a bucket, whatever bytes it is made of.
func TestBuckets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var names []string
	for range 20_000 {
		name := make([]byte, 1+random.IntN(4))
		for i := range name {
			name[i] = byte(1 + random.IntN(255))
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	for i, name := range names[1:] {
		if bucketOf(names[i]) > bucketOf(name) {
			t.Fatalf("%q comes before %q, but its bucket %d after %d", names[i], name, bucketOf(names[i]), bucketOf(name))
		}
		if b := bucketOf(name); b < 0 || b >= buckets {
			t.Fatalf("%q: there is no bucket %d", name, b)
		}
	}
	c := collection{}
	for _, i := range random.Perm(len(names)) {
		c.named = append(c.named, named{name: names[i]})
	}
	c.sort()
	if !slices.IsSortedFunc(c.named, func(a, b named) int { return cmp.Compare(a.name, b.name) }) {
		t.Error("the names are not sorted")
	}
}
