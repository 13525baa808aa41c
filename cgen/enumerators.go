package cgen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// claimEnumerators finds the enumerators whose name something else has too:
// C keeps the values of all enums in one name space with typedefs and
// functions. Of equal anonymous enums only the first counts. It changes nothing
// in n, since it runs beside the naming of types.
func (n *naming) claimEnumerators(kfuncs []kfunc) *claims {
	count := 0
	for _, id := range n.all.enums {
		count += n.view.Type(id).NumEnumerators()
	}
	c := newClaims(n.view, count+len(n.all.typedefs)+len(kfuncs)+len(keywords)+len(keywordsC23)+len(standardTypes))
	for _, words := range [][]string{keywords, keywordsC23} {
		for _, word := range words {
			c.own(word)
		}
	}
	for name := range standardTypes { // whatever comes of the order
		c.own(name)
	}
	for _, id := range n.all.typedefs {
		c.own(n.view.Type(id).Name())
	}
	for _, k := range kfuncs {
		c.own(k.name)
		if isSuffixed(k.name) {
			c.suffixed[k.name] = true
		}
	}
	byContent := make(map[hash]btfdump.TypeID)
	room := maxNames(n.view)
	var buffer [nameRoom]byte
	for _, id := range n.all.enums {
		t := n.view.Type(id)
		if !t.HasName() {
			h := enumContent(t)
			if first, ok := byContent[h]; ok {
				c.same[id] = first
				continue
			}
			byContent[h] = id
			if isBoolEnum(t) {
				c.boolEnum = id
				continue
			}
		}
		for i := range t.NumEnumerators() {
			text := t.EnumeratorText(i)
			n, h, ok := scanName(buffer[:], text)
			name := text[:n]
			if !ok {
				name = nameIn(text) // no identifier, so that it is never printed
				h = hashOf(name)
			}
			if room -= len(name); room < 0 {
				c.err = typeError(t, errSharedNames)
				return c
			}
			if ok && isTakenInFile(name) {
				c.own(name)
			}
			c.claim(name, h, enumeratorID{id, int32(i)})
			if isSuffixed(name) {
				c.suffixed[name] = true
			}
		}
	}
	return c
}

// isBoolEnum recognises the kernel's enum { false = 0, true = 1 } of
// include/linux/stddef.h.
func isBoolEnum(t btfdump.Type) bool {
	return t.NumEnumerators() == 2 &&
		t.Enumerator(0) == btfdump.Enumerator{Name: "false", Value: 0} &&
		t.Enumerator(1) == btfdump.Enumerator{Name: "true", Value: 1}
}

// settle gives each name that several enumerators claim to one of them, unless
// a typedef, function or keyword owns it, and suffixes to the others. The
// base's come before a module's, those of named enums before anonymous ones;
// then the enum's name and contents decide.
func (n *naming) settle(c *claims) error {
	rank := n.rankEnums(c)
	type claimant struct {
		enumeratorID
		rank int
	}
	var list []claimant
	for _, name := range slices.Sorted(maps.Keys(c.conflicts)) {
		list = list[:0]
		for _, e := range c.conflicts[name] {
			if n.canon[e.enum] == e.enum {
				list = append(list, claimant{e, rank[e.enum]})
			}
		}
		slices.SortFunc(list, func(a, b claimant) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.index, b.index))
		})
		if len(list) > maxSameName {
			return typeError(n.view.Type(list[0].enum), fmt.Errorf("enumerator %.80q: %w", name, errSameEnumerator))
		}
		first := 0
		if !c.owned[name] {
			first = 1
		}
		for _, e := range list[min(first, len(list)):] {
			n.enumerators[e.enumeratorID] = n.free(ordinarySpace, name)
			n.renamedEnum[e.enum] = true
			if n.room < 0 {
				return typeError(n.view.Type(e.enum), errNames)
			}
		}
	}
	return nil
}

var errSameEnumerator = fmt.Errorf("more than %d that are not in equal enums have its name: no kernel has so many, so the BTF is not one of a kernel, or damaged", maxSameName)

// rankEnums orders the enums that share a name with others, each once, however
// many names it shares.
func (n *naming) rankEnums(c *claims) map[btfdump.TypeID]int {
	type enum struct {
		id        btfdump.TypeID
		level     int
		anonymous bool
		name      string
		content   hash
	}
	rank := make(map[btfdump.TypeID]int)
	var enums []enum
	for _, list := range c.conflicts {
		for _, e := range list {
			if _, ok := rank[e.enum]; ok || n.canon[e.enum] != e.enum {
				continue
			}
			rank[e.enum] = 0
			t := n.view.Type(e.enum)
			enums = append(enums, enum{e.enum, n.view.LevelOf(e.enum), !t.HasName(), n.name(e.enum), enumContent(t)})
		}
	}
	slices.SortFunc(enums, func(a, b enum) int {
		return cmp.Or(cmp.Compare(a.level, b.level), compareBool(a.anonymous, b.anonymous),
			cmp.Compare(a.name, b.name), cmp.Compare(a.content, b.content))
	})
	for i, e := range enums {
		rank[e.id] = i
	}
	return rank
}

// claims is a hash table of the names in C's ordinary name space.
type claims struct {
	view      *btfdump.View
	slots     []claim
	names     []string
	conflicts map[string][]enumeratorID
	owned     map[string]bool // names in conflicts that no enumerator may have

	same     map[btfdump.TypeID]btfdump.TypeID // anonymous enums that equal another
	boolEnum btfdump.TypeID                    // see naming
	suffixed map[string]bool                   // names that end in ___N
	err      error
}

// claim is a slot of the table: free if name is 0.
type claim struct {
	hash uint32
	name uint32 // index in names, plus 1, for owners
	by   enumeratorID
}

func newClaims(v *btfdump.View, n int) *claims {
	size := 64
	for size < n+n/3 {
		size *= 2
	}
	return &claims{
		view: v, slots: fresh[claim](size),
		conflicts: make(map[string][]enumeratorID), owned: make(map[string]bool),
		same: make(map[btfdump.TypeID]btfdump.TypeID), suffixed: make(map[string]bool),
	}
}

// find returns the slot of a name with the given hash, free or taken.
func (c *claims) find(name string, full hash) *claim {
	h := uint32(full) | 1 // 0 marks a free slot
	for i := int(h>>1) & (len(c.slots) - 1); ; i = (i + 1) & (len(c.slots) - 1) {
		s := &c.slots[i]
		if s.hash == 0 {
			s.hash = h
			return s
		}
		if s.hash == h && c.nameOf(s) == name {
			return s
		}
	}
}

func (c *claims) nameOf(s *claim) string {
	if s.name != 0 {
		return c.names[s.name-1]
	}
	return c.view.Type(s.by.enum).Enumerator(int(s.by.index)).Name
}

// own reserves a name.
func (c *claims) own(name string) {
	if s := c.find(name, hashOf(name)); s.name == 0 {
		c.names = append(c.names, name)
		s.name = uint32(len(c.names))
	}
}

// claim takes a name for an enumerator, or notes the conflict.
func (c *claims) claim(name string, h hash, by enumeratorID) {
	s := c.find(name, h)
	switch {
	case s.name != 0:
		c.owned[name] = true
	case s.by.enum == 0:
		s.by = by
		return
	case len(c.conflicts[name]) == 0:
		c.conflicts[name] = append(c.conflicts[name], s.by)
	}
	c.conflicts[name] = append(c.conflicts[name], by)
}
