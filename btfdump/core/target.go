package core

import (
	"hash/maphash"
	"slices"

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
	t := newTarget(view, view.NumTypes())
	for id := view.NumTypes() - 1; id > 0; id-- { // backwards: chains are then in order of IDs
		typ := view.Type(btfdump.TypeID(id))
		if !slices.Contains(candidateKinds, typ.Kind()) {
			continue
		}
		if name := typ.Name(); name != "" {
			t.add(EssentialName(name), btfdump.TypeID(id))
		}
	}
	return t
}

// NewTargetFor is NewTarget for some objects: the target knows the types only
// that relocations of theirs ask for. That takes a fraction of the time.
func NewTargetFor(view *btfdump.View, objects []*Object) *Target {
	names := make(map[string]bool)
	for _, o := range objects {
		for i := range o.Relocations {
			if name := EssentialName(o.View.Type(o.Relocations[i].Type).Name()); name != "" {
				names[name] = true
			}
		}
	}
	t := newTarget(view, len(names))
	for _, id := range slices.Backward(view.StartingWith(names, candidateKinds...)) {
		if name := EssentialName(view.Type(id).Name()); names[name] {
			t.add(name, id)
		}
	}
	return t
}

// newTarget returns a target that knows no types yet, with room for a number of
// names.
func newTarget(view *btfdump.View, names int) *Target {
	n := 1
	for n < names {
		n *= 2
	}
	return &Target{View: view, seed: maphash.MakeSeed(), heads: make([]btfdump.TypeID, n), next: make([]btfdump.TypeID, view.NumTypes())}
}

// add puts a type in front of those with the same slot.
func (t *Target) add(name string, id btfdump.TypeID) {
	slot := t.slot(name)
	t.next[id] = t.heads[slot]
	t.heads[slot] = id
}

func (t *Target) slot(name string) int {
	return int(maphash.String(t.seed, name) & uint64(len(t.heads)-1))
}

// candidateKinds are those of types that have a name by which a loader looks for
// them. Functions have one too and are a third of a kernel's types, but no
// compiler lets an access start at one.
var candidateKinds = []btfdump.Kind{
	btfdump.KindInt, btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64,
	btfdump.KindFwd, btfdump.KindTypedef, btfdump.KindFloat,
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
