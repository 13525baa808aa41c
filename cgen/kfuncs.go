package cgen

import (
	"cmp"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// kfunc is a kernel function that BPF programs may call.
type kfunc struct {
	name     string
	id       btfdump.TypeID // the FUNC
	fastcall bool
}

//go:generate go run ../scripts/kfuncs -o kfunc_names.go ../goldens/corpus

// findKfuncs returns the kfuncs of a view, sorted by name, each name once.
// Kernels built with a pahole before 1.26 (Debian 6.1 and 6.12) do not mark
// them: there, functions with names that later kernels mark are taken.
func findKfuncs(v *btfdump.View) []kfunc {
	var list []kfunc
	for _, k := range v.Kfuncs() {
		list = append(list, kfunc{v.Type(k.Func).Name(), k.Func, k.Fastcall})
	}
	if list == nil {
		for t := range v.AllOf(btfdump.KindFunc) {
			name := t.Name()
			if fastcall, ok := knownKfunc(name); ok {
				list = append(list, kfunc{name, t.ID(), fastcall})
			}
		}
	}
	// Static functions can share a name, and only one prototype can be printed:
	// the base's before a module's, and else what they are decides.
	eq := equality{view: v, budget: budget(v)}
	slices.SortFunc(list, func(a, b kfunc) int {
		if c := cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(v.LevelOf(a.id), v.LevelOf(b.id))); c != 0 {
			return c
		}
		x, _ := eq.reference(v.Type(a.id).Ref(), 0) // too nested to be printed, if it fails
		y, _ := eq.reference(v.Type(b.id).Ref(), 0)
		return cmp.Compare(x, y)
	})
	return slices.CompactFunc(list, func(a, b kfunc) bool { return a.name == b.name })
}

// isFastcall reports whether a kfunc keeps all registers but R0.
func (n *naming) isFastcall(id btfdump.TypeID) bool {
	i, ok := slices.BinarySearchFunc(n.kfuncs, n.view.Type(id).Name(), func(k kfunc, name string) int {
		return cmp.Compare(k.name, name)
	})
	return ok && n.kfuncs[i].fastcall
}
