package cgen

import (
	"cmp"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
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
}

func collect(v *btfdump.View) *collection {
	c := &collection{named: make([]named, 0, v.NumTypes()/6), suffixed: [2]map[string]bool{{}, {}}}
	for t := range v.All() {
		switch t.Kind() {
		case btfdump.KindEnum, btfdump.KindEnum64:
			c.enums = append(c.enums, t.ID())
		case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindTypedef, btfdump.KindFwd:
		default:
			continue
		}
		if name := t.Name(); name != "" {
			e := named{name: name, id: t.ID(), class: classOf(t), fwd: t.Kind() == btfdump.KindFwd}
			c.named = append(c.named, e)
			if !isIdentifier(name) {
				if c.badNames == nil {
					c.badNames = v.NewSet()
				}
				c.badNames.Add(e.id)
			}
			if isSuffixed(name) {
				c.suffixed[e.class.space()][name] = true
			}
			if e.class == classTypedef {
				c.typedefs = append(c.typedefs, e.id)
			}
		}
	}
	return c
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

// sort sorts named by name, and by class where names are equal.
func (c *collection) sort() {
	keys := make([]sortKey, len(c.named))
	for i, e := range c.named {
		keys[i] = sortKey{prefix: prefix(e.name), at: uint32(i), class: e.class}
		if len(e.name) > 8 {
			keys[i].next = prefix(e.name[8:])
		}
	}
	compare := func(a, b sortKey) int {
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
	// Two halves beside each other, and merged into the result.
	half := len(keys) / 2
	sortedHalf := make(chan struct{})
	go func() {
		defer close(sortedHalf)
		slices.SortFunc(keys[:half], compare)
	}()
	slices.SortFunc(keys[half:], compare)
	<-sortedHalf
	sorted := make([]named, 0, len(keys))
	a, b := keys[:half], keys[half:]
	for len(a) > 0 || len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && compare(b[0], a[0]) < 0 {
			from = &b
		}
		sorted = append(sorted, c.named[(*from)[0].at])
		*from = (*from)[1:]
	}
	c.named = sorted
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
