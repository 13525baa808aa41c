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
	prefix uint64 // of the name: most comparisons need no more
	id     btfdump.TypeID
	class  class
	fwd    bool
}

// collection is what one pass over all types of a view finds.
type collection struct {
	named []named // sorted by name
	enums []btfdump.TypeID
	ints  []btfdump.TypeID // ints and floats
}

func collect(v *btfdump.View) *collection {
	c := &collection{named: make([]named, 0, v.NumTypes()/6)}
	for t := range v.All() {
		switch t.Kind() {
		case btfdump.KindInt, btfdump.KindFloat:
			c.ints = append(c.ints, t.ID())
			continue
		case btfdump.KindEnum, btfdump.KindEnum64:
			c.enums = append(c.enums, t.ID())
		case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindTypedef, btfdump.KindFwd:
		default:
			continue
		}
		if name := t.Name(); name != "" {
			c.named = append(c.named, named{prefix(name), t.ID(), classOf(t), t.Kind() == btfdump.KindFwd})
		}
	}
	slices.SortFunc(c.named, func(a, b named) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if c := strings.Compare(v.Type(a.id).Name(), v.Type(b.id).Name()); c != 0 {
			return c
		}
		return cmp.Compare(a.class, b.class)
	})
	return c
}

// runs calls f for each run of entries with the same name and name space.
func (c *collection) runs(v *btfdump.View, f func(name string, run []named)) {
	for i := 0; i < len(c.named); {
		j := i + 1
		for j < len(c.named) && c.named[j].prefix == c.named[i].prefix &&
			c.named[j].class.space() == c.named[i].class.space() &&
			v.Type(c.named[j].id).Name() == v.Type(c.named[i].id).Name() {
			j++
		}
		f(v.Type(c.named[i].id).Name(), c.named[i:j])
		i = j
	}
}
