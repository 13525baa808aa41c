package gogen

import (
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// enum prints the Go type of an enum, its constants and its String method.
func (p *printer) enum(name string, id btfdump.TypeID, what string) {
	t := p.view.Type(id)
	typ := uintNames[t.Size()]
	if t.Signed() {
		typ = intNames[t.Size()]
	}
	p.add("\n// ", name, " is ", what, ", ")
	p.num(uint64(t.Size()))
	p.add(plural(uint64(t.Size())), ".\ntype ", name, " ", typ, "\n")
	id = p.canonical(id)
	typed := p.enumType(id) == name
	if typed {
		p.constants(id, name)
	}

	p.helpers.add(helperStrconv)
	p.add("\n// String returns the value's name in C, or the number if it has none.\nfunc (e ", name, ") String() string {\n")
	seen := make(map[uint64]bool, t.NumEnumerators())
	for i := range t.NumEnumerators() {
		if p.tooMuch(id, 0) {
			return
		}
		e := t.Enumerator(i)
		value := enumValue(t, e.Value)
		if seen[value] {
			continue
		}
		if len(seen) == 0 {
			p.add("\tswitch e {\n")
		}
		seen[value] = true
		p.add("\tcase ")
		if typed {
			p.add(p.enumerator(id, i, e.Name))
		} else {
			p.enumNumber(t, value)
		}
		p.add(":\n\t\treturn \"", e.Name, "\"\n")
		if !btfdump.IsIdentifier(e.Name) {
			p.fail(t.ID(), errBadEnumerator)
		}
	}
	if len(seen) > 0 {
		p.add("\t}\n")
	}
	if t.Signed() {
		p.add("\treturn strconv.FormatInt(int64(e), 10)\n}\n")
	} else {
		p.add("\treturn strconv.FormatUint(uint64(e), 10)\n}\n")
	}
}

// constants prints the values of an enum; typ is their type, "" for none.
func (p *printer) constants(id btfdump.TypeID, typ string) {
	t := p.view.Type(id)
	if t.NumEnumerators() == 0 {
		return
	}
	if typ != "" {
		p.add("\n// The values of ", typ, ".\n")
	} else {
		p.add("\n// The values of an enum without a name.\n")
	}
	single := t.NumEnumerators() == 1
	if single {
		p.add("const ")
	} else {
		p.add("const (\n")
	}
	columns := 3
	if typ != "" {
		columns = 4
	}
	for i := range t.NumEnumerators() {
		e := t.Enumerator(i)
		if !btfdump.IsIdentifier(e.Name) {
			p.fail(id, errBadEnumerator)
			return
		}
		if p.tooMuch(id, 0) {
			return
		}
		start := len(p.out)
		p.add(p.enumerator(id, i, e.Name))
		p.cell(start)
		if typ != "" {
			p.add(typ)
			p.cell(start)
		}
		p.add("= ")
		p.enumNumber(t, enumValue(t, e.Value))
		p.cell(start)
		p.add("// ", e.Name)
		p.cell(start)
	}
	if single {
		start := len(p.out)
		if p.flush(id, columns); p.err == nil {
			p.out = append(p.out[:start], p.out[start+1:]...) // without the tab
		}
		return
	}
	p.flush(id, columns)
	p.add(")\n")
}

// enumValue returns an enumerator's value cut to the enum's size, as C stores
// it.
func enumValue(t btfdump.Type, value uint64) uint64 {
	unused := 64 - 8*t.Size()
	if t.Signed() {
		return uint64(int64(value<<unused) >> unused)
	}
	return value << unused >> unused
}

func (p *printer) enumNumber(t btfdump.Type, value uint64) {
	if t.Signed() {
		p.out = strconv.AppendInt(p.out, int64(value), 10)
	} else {
		p.num(value)
	}
}
