package core

import "github.com/btfgen/btfgen/btfdump"

// keeper selects what a relocation has looked at in a kernel's types. It goes
// the ways of comparer.
type keeper struct {
	*btfdump.Pruning
	local, target *btfdump.View
	seen          map[comparison]bool
}

// A comparison is a pair of types that are compared.
type comparison struct {
	local, target btfdump.TypeID
	behindPointer bool
}

// path selects the members on the way to a field.
func (k *keeper) path(path []Step) {
	for step, isMember := range stepsOf(k.target, path) {
		if isMember {
			k.Element(step.Type, int(step.Index))
		}
	}
}

// types selects what comparer.types looks at.
func (k *keeper) types(c comparison) {
	for !k.seen[c] {
		k.seen[c] = true
		l, t := k.local.Type(k.local.Resolve(c.local)), k.target.Type(k.target.Resolve(c.target))
		switch {
		case l.Kind() != t.Kind():
			return
		case t.Kind() == btfdump.KindFuncProto:
			k.Targets(t.ID())
			for i := range min(l.NumParams(), t.NumParams()) {
				k.types(comparison{l.Param(i).Type, t.Param(i).Type, false})
			}
		case t.Kind() == btfdump.KindPtr:
			k.Targets(t.ID())
		case t.Kind() != btfdump.KindArray:
			return
		}
		c.local, c.target = l.Ref(), t.Ref()
	}
}

// matches selects what comparer.matches looks at.
func (k *keeper) matches(c comparison) {
	for !k.seen[c] {
		k.seen[c] = true
		l, t := k.local.Type(k.local.Resolve(c.local)), k.target.Type(k.target.Resolve(c.target))
		k.Name(t.ID())
		switch {
		case l.Kind().IsEnum() && t.Kind().IsEnum():
			k.enumerators(l, t)
			return
		case l.Kind() != t.Kind():
			return
		case t.Kind().IsRecord():
			if !c.behindPointer {
				k.members(l, t)
			}
			return
		case t.Kind() == btfdump.KindFuncProto:
			k.Targets(t.ID())
			for i := range min(l.NumParams(), t.NumParams()) {
				k.matches(comparison{l.Param(i).Type, t.Param(i).Type, c.behindPointer})
			}
		case t.Kind() == btfdump.KindPtr:
			k.Targets(t.ID())
			c.behindPointer = true
		case t.Kind() != btfdump.KindArray:
			return
		}
		c.local, c.target = l.Ref(), t.Ref()
	}
}

func (k *keeper) enumerators(l, t btfdump.Type) {
	for _, want := range l.Enumerators() {
		for i, e := range t.Enumerators() {
			if sameName(want.Name, e.Name) {
				k.Element(t.ID(), i)
				break
			}
		}
	}
}

func (k *keeper) members(l, t btfdump.Type) {
	for _, want := range l.Members() {
		for i, m := range t.Members() {
			if sameName(want.Name, m.Name) {
				k.Element(t.ID(), i)
				k.matches(comparison{want.Type, m.Type, false})
			}
		}
	}
}

// keepWhole selects all that a relocation which starts at a type can look at:
// what a value of the type consists of, and names behind pointers.
func keepWhole(p *btfdump.Pruning, view *btfdump.View, root btfdump.TypeID) {
	type visit struct {
		id            btfdump.TypeID
		behindPointer bool
	}
	seen := make(map[visit]bool)
	todo := []visit{{root, false}}
	add := func(id btfdump.TypeID, behindPointer bool) {
		if v := (visit{view.Resolve(id), behindPointer}); !seen[v] {
			seen[v] = true
			todo = append(todo, v)
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		t := view.Type(view.Resolve(v.id))
		if t.ID() == 0 {
			continue
		}
		p.Name(t.ID())
		switch k := t.Kind(); {
		case k.IsEnum():
			for i := range t.NumEnumerators() {
				p.Element(t.ID(), i)
			}
		case k.IsRecord():
			for i := range t.NumMembers() {
				if !v.behindPointer {
					p.Element(t.ID(), i)
					add(t.Member(i).Type, false)
				}
			}
		case k == btfdump.KindFuncProto:
			p.Targets(t.ID())
			for _, param := range t.Params() {
				add(param.Type, v.behindPointer)
			}
			add(t.Ref(), v.behindPointer)
		case k == btfdump.KindPtr:
			p.Targets(t.ID())
			add(t.Ref(), true)
		case k == btfdump.KindArray:
			add(t.Ref(), v.behindPointer)
		}
	}
}
