package gogen

import "github.com/btfgen/btfgen/btfdump"

// mapSection is where libbpf's convention puts definitions of maps: variables
// whose type is a record with pointers to a key and to a value.
const mapSection = ".maps"

// mapVariables returns the variables that define maps.
func mapVariables(v *btfdump.View) map[btfdump.TypeID]bool {
	maps := make(map[btfdump.TypeID]bool)
	for _, id := range v.Lookup(mapSection, btfdump.KindDatasec) {
		for i := range v.Type(id).NumSectionVars() {
			maps[v.Type(id).SectionVar(i).Type] = true
		}
	}
	return maps
}

// held is a record or enum that programs keep in a variable or a map.
type held struct {
	member string // "key" or "value" of a map, "" for a variable
	suffix string // of the Go name, if the type has none in C
	typ    btfdump.TypeID
}

// maxMapMembers bounds how many members the definition of a map has: libbpf knows
// some 15.
const maxMapMembers = 100

// holds returns what a variable holds: one type, or a map's key and value. Only
// records and enums count, and of an array its element.
func holds(v *btfdump.View, variable btfdump.Type, isMap bool) []held {
	if !isMap {
		return appendHeld(nil, v, held{typ: variable.Ref()})
	}
	var found []held
	definition := v.Type(v.Resolve(variable.Ref()))
	if definition.NumMembers() > maxMapMembers {
		return nil // many variables can have that type
	}
	for _, m := range definition.Members() {
		p := v.Type(v.Resolve(m.Type))
		switch {
		case p.Kind() != btfdump.KindPtr:
		case m.Name == "key":
			found = appendHeld(found, v, held{m.Name, "_Key", p.Ref()})
		case m.Name == "value":
			found = appendHeld(found, v, held{m.Name, "_Value", p.Ref()})
		}
	}
	return found
}

func appendHeld(list []held, v *btfdump.View, h held) []held {
	for {
		switch t := v.Type(v.Resolve(h.typ)); {
		case t.Kind() == btfdump.KindArray:
			h.typ = t.Ref()
		case t.Kind().IsRecord(), t.Kind().IsEnum() && !t.IsForward():
			return append(list, h)
		default:
			return list
		}
	}
}

// isNameless reports whether a type has no name in C, nor a typedef.
func isNameless(v *btfdump.View, id btfdump.TypeID) bool {
	t := skipQualifiers(v, id)
	return t.Kind() != btfdump.KindTypedef && !t.HasName()
}

// variable prints the types that a variable or map holds and that have no name
// in C.
func (p *printer) variable(name string, t btfdump.Type) {
	for _, h := range holds(p.view, t, p.maps[t.ID()]) {
		v, err := p.value(h.typ)
		if err != nil {
			p.fail(t.ID(), err)
			return
		}
		p.site(&v, name+h.suffix, heldDoc(h, t), 0)
	}
}

// heldDoc says in a comment, which Verify reads, what a type is for.
func heldDoc(h held, variable btfdump.Type) string {
	if h.member == "" {
		return "the type of the variable " + variable.Name()
	}
	return "the type of each " + h.member + " in the map " + variable.Name()
}
