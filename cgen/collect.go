package cgen

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// space is one of C's two name spaces that matter in a header.
type space uint8

const (
	tagSpace      space = iota // struct, union and enum tags share one
	ordinarySpace              // typedefs, enumerators, functions
)

// class says what a named type declares. A forward declaration is of the class
// of what it declares; kind distinguishes it.
type class uint8

const (
	classStruct class = iota
	classUnion
	classEnum
	classTypedef
	classNone
)

func classOf(t btfdump.Type) class {
	switch t.Kind() {
	case btfdump.KindStruct:
		return classStruct
	case btfdump.KindUnion:
		return classUnion
	case btfdump.KindEnum, btfdump.KindEnum64:
		return classEnum
	case btfdump.KindTypedef:
		return classTypedef
	case btfdump.KindFwd:
		if t.KindFlag() {
			return classUnion
		}
		return classStruct
	}
	return classNone
}

func (c class) space() space {
	if c == classTypedef {
		return ordinarySpace
	}
	return tagSpace
}

// named is a type with a name that C declares. A slice of them is sorted by
// name, so that nothing depends on the order of type IDs.
type named struct {
	name  string
	id    btfdump.TypeID
	class class
	fwd   bool
}

// collection is what one pass over all types of a view finds.
type collection struct {
	named    []named // sorted by name
	enums    []btfdump.TypeID
	typedefs []btfdump.TypeID
	badNames *btfdump.Set       // types whose name is no identifier; nil if there are none
	suffixed [2]map[string]bool // names that end in ___N, by space
	// typedefHashes are bits that the hashes of typedefs' names choose.
	typedefHashes [1 << 10]uint64
}

func (c *collection) hashBit(h hash) (word *uint64, bit uint64) {
	return &c.typedefHashes[h>>6%hash(len(c.typedefHashes))], 1 << (h % 64)
}

// mayBeTypedef is false for most names, given by their hashes, that are none of a
// typedef.
func (c *collection) mayBeTypedef(h hash) bool {
	word, bit := c.hashBit(h)
	return *word&bit != 0
}

// maxNames bounds how long the names of types are together, and those of
// enumerators, in bytes. Strings may start inside others: a blob's names can be
// a thousand times longer than it is. Compilers write each string once.
func maxNames(v *btfdump.View) int { return 4*v.RawLen() + 1<<20 }

var errSharedNames = errors.New("its name and those before it share their bytes in the string section so often that they are far longer than the BTF: no compiler writes such BTF")

func collect(v *btfdump.View) (*collection, error) {
	room := maxNames(v)
	c := &collection{named: hugepages.Make[named](v.NumTypes() / 8)[:0], suffixed: [2]map[string]bool{{}, {}}}
	var buffer [nameRoom]byte
	for t := range v.AllOf(btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindTypedef, btfdump.KindFwd) {
		kind := classOf(t)
		if kind == classEnum {
			c.enums = append(c.enums, t.ID())
		}
		text := t.NameText()
		n, h, ok := scanName(buffer[:], text)
		if !ok {
			if text = nameIn(text); text == "" {
				continue
			}
			if c.badNames == nil {
				c.badNames = v.NewSet()
			}
			c.badNames.Add(t.ID())
			n = len(text)
		}
		name := text[:n]
		if room -= n; room < 0 {
			return nil, typeError(t, errSharedNames)
		}
		c.named = append(c.named, named{name: name, id: t.ID(), class: kind, fwd: t.IsForward()})
		if isSuffixed(name) {
			c.suffixed[kind.space()][name] = true
		}
		if kind == classTypedef {
			c.typedefs = append(c.typedefs, t.ID())
			word, bit := c.hashBit(h)
			*word |= bit
		}
	}
	return c, nil
}

// isSuffixed reports whether a name may end in ___N.
func isSuffixed(name string) bool {
	return name != "" && name[len(name)-1] <= '9' && strings.Contains(name, "___")
}

// sortKey is what most comparisons of names need: the first 16 bytes.
type sortKey struct {
	prefix, next uint64
	at           uint32 // index in named
	class        class
}

// sort sorts named by name, and by class where names are equal: first into
// buckets by the names' first two letters, then in each bucket.
func (c *collection) sort() {
	starts := make([]uint32, buckets+1)
	for _, e := range c.named {
		starts[bucketOf(e.name)+1]++
	}
	for i := range len(starts) - 1 {
		starts[i+1] += starts[i]
	}
	keys := hugepages.Make[sortKey](len(c.named))
	free := slices.Clone(starts) // in each bucket
	for i, e := range c.named {
		key := sortKey{prefix: prefix(e.name), at: uint32(i), class: e.class}
		if len(e.name) > 8 {
			key.next = prefix(e.name[8:])
		}
		bucket := bucketOf(e.name)
		keys[free[bucket]] = key
		free[bucket]++
	}
	for i := range len(starts) - 1 {
		if bucket := keys[starts[i]:starts[i+1]]; len(bucket) > 1 {
			slices.SortFunc(bucket, c.compare)
		}
	}
	sorted := hugepages.Make[named](len(keys))
	for i, key := range keys {
		sorted[i] = c.named[key.at]
	}
	c.named = sorted
}

func (c *collection) compare(a, b sortKey) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	case a.next < b.next:
		return -1
	case a.next > b.next:
		return 1
	}
	if byte(a.next) != 0 { // there may be more than 16 bytes
		if c := strings.Compare(c.named[a.at].name, c.named[b.at].name); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.class, b.class)
}

// buckets is the number of buckets: 256 for the first letter times 32 for the
// second, which tell lower case apart.
const buckets = 256 * 32

// bucketOf returns a number that is no less for a name that is no less.
func bucketOf(name string) int {
	second := 0
	if len(name) > 1 {
		second = min(max(int(name[1])-0x60, 0), 31)
	}
	return int(name[0])*32 + second
}

// find returns the types of a name.
func (c *collection) find(name string) []named {
	compare := func(e named, name string) int { return strings.Compare(e.name, name) }
	i, _ := slices.BinarySearchFunc(c.named, name, compare)
	j := i
	for j < len(c.named) && compare(c.named[j], name) == 0 {
		j++
	}
	return c.named[i:j]
}

// runs calls f for each run of entries with the same name and name space.
func (c *collection) runs(f func(name string, run []named)) {
	for i := 0; i < len(c.named); {
		j := i + 1
		for j < len(c.named) && c.named[j].name == c.named[i].name && c.named[j].class.space() == c.named[i].class.space() {
			j++
		}
		f(c.named[i].name, c.named[i:j])
		i = j
	}
}
