package verify

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// class is what C makes of a named type.
type class uint8

const (
	classStruct class = iota // the first three are indexes into declarations.defined
	classUnion
	classEnum
	classTypedef
	classFunction
)

func (c class) String() string {
	return [...]string{"struct", "union", "enum", "typedef", "function"}[c]
}

// entry is a name of the BTF, the types that have it, and the names that the
// header may have given them: of two types of one name, all but one must have
// a suffix in C.
type entry struct {
	class class
	name  string
	ids   []btfdump.TypeID // definitions, or forward declarations if there are no others
	// forward says that the BTF only declares the name.
	forward bool
	heads   []string // in the header; none: it is absent
}

// title is how reports call the entry's type.
func (e *entry) title() string { return e.class.String() + " " + quoted(e.name) }

// cType is how C names the entry's type under one of its heads.
func (e *entry) cType(head string) string {
	switch e.class {
	case classTypedef:
		return head
	case classFunction:
		return "__typeof__(" + head + ")"
	}
	return e.class.String() + " " + head
}

type entryKey struct {
	class class
	name  string
}

// names are the names of a view, and what a header calls them.
type names struct {
	view    *btfdump.View
	entries []*entry // sorted by class and name
	byKey   map[entryKey]*entry
	// partners are the header's names that stand for a type, for those types
	// whose entries have several. They are found out by reading back.
	partners map[btfdump.TypeID][]string
}

// findNames lists the named types of a view, or those of them that are in set.
func findNames(v *btfdump.View, set *btfdump.Set, d *declarations) *names {
	n := &names{view: v, byKey: make(map[entryKey]*entry), partners: make(map[btfdump.TypeID][]string)}
	for t := range v.All() {
		c, ok := classOf(t)
		if !ok || !t.HasName() || set != nil && !set.Has(t.ID()) {
			continue
		}
		n.add(c, t.Name(), t.ID(), t.IsForward())
	}
	n.addFunctions(set, d)
	heads := newHeads(d)
	for _, e := range n.entries {
		e.heads = heads.of(e)
	}
	slices.SortFunc(n.entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.class, b.class), strings.Compare(a.name, b.name))
	})
	return n
}

func (n *names) add(c class, name string, id btfdump.TypeID, forward bool) {
	key := entryKey{c, name}
	e := n.byKey[key]
	switch {
	case e == nil:
		e = &entry{class: c, name: name, forward: forward}
		n.byKey[key] = e
		n.entries = append(n.entries, e)
	case forward && !e.forward:
		return
	case !forward && e.forward:
		e.forward, e.ids = false, nil
	}
	e.ids = append(e.ids, id)
}

// addFunctions adds the kfuncs. Where the BTF does not mark them (before pahole
// 1.26), the functions that the header declares are the ones to look at.
func (n *names) addFunctions(set *btfdump.Set, d *declarations) {
	kfuncs := n.view.Kfuncs()
	for _, k := range kfuncs {
		if set == nil || set.Has(k.Func) {
			n.add(classFunction, n.view.Type(k.Func).Name(), k.Func, false)
		}
	}
	if len(kfuncs) > 0 {
		return
	}
	for t := range n.view.All() {
		if t.Kind() == btfdump.KindFunc && d.functions[t.Name()] && (set == nil || set.Has(t.ID())) {
			n.add(classFunction, t.Name(), t.ID(), false)
		}
	}
}

func classOf(t btfdump.Type) (class, bool) {
	switch t.Kind() {
	case btfdump.KindStruct:
		return classStruct, true
	case btfdump.KindUnion:
		return classUnion, true
	case btfdump.KindEnum, btfdump.KindEnum64:
		return classEnum, true
	case btfdump.KindTypedef:
		return classTypedef, true
	case btfdump.KindFwd:
		if t.KindFlag() {
			return classUnion, true
		}
		return classStruct, true
	}
	return 0, false
}

// essential returns a name without the suffix that makes it differ from another
// one, and whether it has such a suffix. CO-RE ignores all that follows "___";
// tools that write headers append a number.
func essential(name string) (string, bool) {
	i := strings.LastIndex(name, "___")
	if i <= 0 {
		return name, false
	}
	if _, err := strconv.ParseUint(name[i+3:], 10, 32); err != nil {
		return name, false
	}
	return name[:i], true
}

// heads looks up the header's names by what they are without a suffix.
type heads struct {
	declared  *declarations
	suffixed  [classFunction + 1]map[string][]string // by class: from a name to those with suffixes, sorted
	mentioned [classEnum + 1]map[string][]string     // likewise of tags that need no body
}

func newHeads(d *declarations) *heads {
	h := &heads{declared: d}
	for c, set := range []map[string]bool{d.defined[tagStruct], d.defined[tagUnion], d.defined[tagEnum], d.typedefs} {
		h.suffixed[c] = bySuffix(set)
	}
	for c := range h.mentioned {
		h.mentioned[c] = bySuffix(d.mentioned[c])
	}
	return h
}

func bySuffix(set map[string]bool) map[string][]string {
	index := make(map[string][]string)
	for name := range set {
		if plain, ok := essential(name); ok {
			index[plain] = append(index[plain], name)
		}
	}
	for _, list := range index {
		slices.Sort(list)
	}
	return index
}

func (h *heads) of(e *entry) []string {
	var plain map[string]bool
	suffixed := h.suffixed[e.class]
	switch {
	case e.class == classFunction:
		plain = h.declared.functions
	case e.class == classTypedef:
		plain = h.declared.typedefs
	case e.forward:
		plain, suffixed = h.declared.mentioned[e.class], h.mentioned[e.class]
	default:
		plain = h.declared.defined[e.class]
	}
	var list []string
	if plain[e.name] {
		list = append(list, e.name)
	}
	return append(list, suffixed[e.name]...)
}

// refersTo reports whether the header's name may stand for a named type of the
// BTF.
func (n *names) refersTo(id btfdump.TypeID, c class, head string) bool {
	if list, ok := n.partners[id]; ok {
		return slices.Contains(list, head)
	}
	name := n.view.Type(id).Name()
	plain, _ := essential(head)
	return head == name || plain == name
}

// quoted returns a name from the BTF for a report: an identifier as it is, and
// anything else in quotes.
func quoted(name string) string {
	if btfdump.IsIdentifier(name) {
		return name
	}
	if len(name) > 80 {
		name = name[:80]
	}
	return strconv.Quote(name)
}
