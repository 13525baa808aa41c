package core

import (
	"hash/maphash"

	"github.com/btfgen/btfgen/btfdump"
)

// Target is a kernel to which objects are fitted. It is immutable and safe for
// concurrent use.
type Target struct {
	View *btfdump.View

	// A hash table of essential names: the first type of each, and for each type
	// the next one whose name has the same slot.
	seed  maphash.Seed
	heads []btfdump.TypeID
	next  []btfdump.TypeID
}

// NewTarget prepares a kernel's types, with those of its modules if the view
// has them, for relocations. It takes 8 to 12 bytes a type, and time linear in
// their number.
func NewTarget(view *btfdump.View) *Target {
	n := 1
	for n < view.NumTypes() {
		n *= 2
	}
	t := &Target{View: view, seed: maphash.MakeSeed(), heads: make([]btfdump.TypeID, n), next: make([]btfdump.TypeID, view.NumTypes())}
	for id := view.NumTypes() - 1; id > 0; id-- { // backwards: chains are then in order of IDs
		typ := view.Type(btfdump.TypeID(id))
		if !isCandidate(typ.Kind()) {
			continue
		}
		if name := typ.Name(); name != "" {
			slot := t.slot(EssentialName(name))
			t.next[id] = t.heads[slot]
			t.heads[slot] = btfdump.TypeID(id)
		}
	}
	return t
}

func (t *Target) slot(name string) int {
	return int(maphash.String(t.seed, name) & uint64(len(t.heads)-1))
}

// isCandidate tells the kinds at which an access may start from those at which
// no compiler lets one start. Functions are a third of a kernel's types.
func isCandidate(k btfdump.Kind) bool {
	switch k {
	case btfdump.KindFunc, btfdump.KindVar, btfdump.KindDatasec, btfdump.KindDeclTag, btfdump.KindTypeTag:
		return false
	}
	return true
}

// Candidates returns the types of the kernel that may be what a named type of an
// object is there: those of the same kind and essential name. Modules are looked
// at only if the kernel itself has none, as libbpf does it. Functions and
// variables are no candidates.
func (t *Target) Candidates(name string, kind btfdump.Kind) []btfdump.TypeID {
	name = EssentialName(name)
	if name == "" {
		return nil
	}
	var ids []btfdump.TypeID
	for id := t.heads[t.slot(name)]; id != 0; id = t.next[id] {
		typ := t.View.Type(id)
		if !sameKind(typ.Kind(), kind) || EssentialName(typ.Name()) != name {
			continue
		}
		if len(ids) > 0 && t.View.LevelOf(ids[0]) == 0 && t.View.LevelOf(id) > 0 {
			break
		}
		ids = append(ids, id)
	}
	return ids
}
