package cgen

import "github.com/btfgen/btfgen/btfdump"

// Index says what the names in a header stand for. The types are those that the
// header declares, as [Plan.Canonical] returns them.
type Index struct {
	// Tags are structs, unions and enums, those that are only declared included.
	Tags map[string]btfdump.TypeID
	// Ordinary are the names without a keyword: typedefs, kfuncs, and
	// enumerators, which stand for their enum.
	Ordinary map[string]btfdump.TypeID
	// Equal are, for records of which the BTF has several equal ones, all of
	// them, by the one that is declared.
	Equal map[btfdump.TypeID][]btfdump.TypeID
}

// Index returns what the names in the header stand for, if it is a header of all
// types: a name is the same in a header of some.
func (p *Plan) Index() *Index {
	x := &Index{
		Tags:     make(map[string]btfdump.TypeID, len(p.naming.all.named)),
		Ordinary: make(map[string]btfdump.TypeID, 2*len(p.naming.all.named)),
		Equal:    make(map[btfdump.TypeID][]btfdump.TypeID),
	}
	for _, e := range p.naming.all.named {
		id := p.naming.canon[e.id]
		if e.class == classTypedef {
			x.Ordinary[p.naming.name(id)] = id
		} else {
			x.Tags[p.naming.name(id)] = id
		}
		if kind := p.view.Type(e.id).Kind(); e.id != id && kind.IsRecord() {
			if len(x.Equal[id]) == 0 {
				x.Equal[id] = append(x.Equal[id], id)
			}
			x.Equal[id] = append(x.Equal[id], e.id)
		}
	}
	for id, name := range p.hoisted {
		x.Tags[name] = id
	}
	for _, id := range p.naming.all.enums {
		if p.naming.canon[id] != id {
			continue
		}
		t := p.view.Type(id)
		for i := range t.NumEnumerators() {
			name := t.Enumerator(i).Name
			if other, ok := p.naming.enumerators[enumeratorID{id, int32(i)}]; ok {
				name = other
			}
			x.Ordinary[name] = id
		}
	}
	for _, k := range p.naming.kfuncs {
		x.Ordinary[k.name] = k.id
	}
	return x
}

// Arch returns the architecture of the kernel that the types describe, as the
// kernel's source calls it, such as "x86", "arm64" or "s390"; "" if nothing
// tells.
func (p *Plan) Arch() string { return p.archName() }
