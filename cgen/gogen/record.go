package gogen

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// methodNames are the methods that every record has.
var methodNames = []string{"UnmarshalBinary", "AppendBinary", "MarshalBinary"}

// vettedNames are names of methods that Go programs expect to have a certain
// signature: no accessor gets one.
var vettedNames = wordSet(
	"String", "Error", "GoString", "Format", "GobDecode", "GobEncode", "MarshalJSON", "MarshalText", "MarshalXML", "ReadByte",
	"ReadFrom", "ReadRune", "Scan", "Seek", "UnmarshalJSON", "UnmarshalText", "UnmarshalXML", "UnreadByte", "UnreadRune",
	"WriteByte", "WriteTo", "Is", "As", "Unwrap", "Lock", "Unlock",
)

// smallRecord is the size in bytes up to which getters take a record by value,
// so that they can be called on what another getter returns.
const smallRecord = 32

// unique returns the name, or with a suffix that makes it the only one in the
// current record.
func (p *printer) unique(name string) string {
	free := name
	for i := max(p.used[name], 2); p.used[free] > 0; i++ {
		free = name + "_" + strconv.Itoa(i)
		p.used[name] = i + 1
	}
	p.used[free] = 2
	return free
}

// record prints the Go type of a record with its methods.
func (p *printer) record(name string, id btfdump.TypeID, what string, depth int) {
	l, err := p.layoutOf(id)
	if err != nil {
		p.err = err
		return
	}
	clear(p.used)
	for _, m := range methodNames {
		p.used[m] = 2
	}
	p.leaves = p.leaves[:0]
	clash := false
	for i := range l.leaves {
		f := &l.leaves[i]
		name := camel(f.name)
		if isField := f.slot >= 0 && l.slots[f.slot].leaf >= 0; !isField && vettedNames[name] {
			p.used[name] = max(p.used[name], 2) // so that unique finds another
		}
		free := p.unique(name)
		clash = clash || free != name
		p.leaves = append(p.leaves, free)
	}
	if clash {
		seen := make(map[string]bool, len(l.leaves))
		for i := range l.leaves {
			f := &l.leaves[i]
			if seen[f.name] {
				p.fail(id, fmt.Errorf("member %q: another one has the same name", f.name))
				return
			}
			seen[f.name] = true
		}
	}
	r := &recordPrinter{printer: p, layout: l, name: name, id: id}
	r.declare(what)
	for i := range l.leaves {
		if p.tooMuch(id, 0) {
			return
		}
		f := &l.leaves[i]
		if f.value.namer == 0 {
			p.site(&f.value, name+"_"+p.leaves[i], "the type of "+f.name+" in "+name, depth+1)
		}
		r.accessors(i)
	}
	r.codec()
}

// layoutOf returns a layout from any goroutine: those of all records that are
// printed have been made before.
func (p *printer) layoutOf(id btfdump.TypeID) (*layout, error) {
	if l := p.known[id]; l != nil {
		return l, nil
	}
	return nil, typeError(p.view.Type(id), errNoLayout)
}

// recordPrinter prints one record.
type recordPrinter struct {
	*printer
	layout *layout
	name   string // of the Go type
	id     btfdump.TypeID
}

func plural(n uint64) string {
	if n == 1 {
		return " byte"
	}
	return " bytes"
}

// declare prints the type.
func (p *recordPrinter) declare(what string) {
	l := p.layout
	p.helpers.add(helperHostLayout)
	p.helpers.add(helperUnsafe)
	p.add("\n// ", p.name, " is ", what, ", ")
	p.num(uint64(l.size))
	p.add(plural(uint64(l.size)), ".\ntype ", p.name, " struct {\n")
	p.head()
	p.guards = append(append(append(p.guards, "\t_ = -(unsafe.Sizeof("...), p.name...), "{}) - "...)
	p.guards = append(strconv.AppendUint(p.guards, uint64(l.size), 10), ")\n"...)
	p.findContents()
	end := uint32(0)
	for i := range l.slots {
		if p.tooMuch(p.id, 0) {
			break
		}
		s := &l.slots[i]
		p.padding(end, s.off)
		end = s.end
		start := len(p.out)
		field := p.field(i)
		p.add(field)
		p.cell(start)
		if s.leaf < 0 {
			p.add("[")
			p.num(uint64(s.end - s.off))
			p.add("]byte")
		} else {
			p.goType(&l.leaves[s.leaf].value, p.name+"_"+field)
		}
		p.cell(start)
		p.add("// offset ")
		p.num(uint64(s.off))
		if s.leaf < 0 {
			p.contents(i)
		} else {
			f := &l.leaves[s.leaf]
			p.add(", ", f.name, ": ")
			p.out = appendCType(p.out, p.view, f.typ)
		}
		p.cell(start)
		p.guards = append(append(append(append(append(p.guards, "\t_ = -(unsafe.Offsetof("...), p.name...), "{}."...), field...), ") - "...)
		p.guards = append(strconv.AppendUint(p.guards, uint64(s.off), 10), ")\n"...)
	}
	p.padding(end, l.size)
	p.flush(p.id, 3)
	p.add("}\n")
}

// head prints the fields without bytes that stand first. Their names are
// aligned with those of the fields that follow.
func (p *recordPrinter) head() {
	width := 1
	for i := range p.layout.slots {
		width = max(width, len(p.field(i)))
	}
	line := func(typ string) {
		p.add("\t_")
		for range width {
			p.add(" ")
		}
		p.add(typ, "\n")
	}
	line("structs.HostLayout")
	if m := p.layout.marker; m != 0 {
		line("[0]" + uintNames[m])
	}
}

// field returns the name of a slot's field.
func (p *recordPrinter) field(i int) string {
	s := &p.layout.slots[i]
	switch {
	case s.leaf >= 0:
		return p.leaves[s.leaf]
	case s.bitfields:
		return "bits" + strconv.FormatUint(uint64(s.off), 10)
	}
	return "raw" + strconv.FormatUint(uint64(s.off), 10)
}

func (p *recordPrinter) padding(from, to uint32) {
	if from >= to {
		return
	}
	start := len(p.out)
	p.add("_")
	p.cell(start)
	p.add("[")
	p.num(uint64(to - from))
	p.add("]byte")
	p.cell(start)
	p.add("// padding")
	p.cell(start)
}

// maxListed is how many members the comment of a field of bytes names.
const maxListed = 6

// slotContents is which members lie in a field of bytes.
type slotContents struct {
	count int32
	first [maxListed]int32
}

// findContents finds out what the fields of bytes hold, in one pass over the
// members: a record can have as many of the ones as of the others.
func (p *recordPrinter) findContents() {
	if !slices.ContainsFunc(p.layout.slots, func(s slot) bool { return s.leaf < 0 }) {
		return
	}
	p.held = append(p.held[:0], make([]slotContents, len(p.layout.slots))...)
	for i := range p.layout.leaves {
		if slot := p.layout.leaves[i].slot; slot >= 0 {
			c := &p.held[slot]
			if c.count < maxListed {
				c.first[c.count] = int32(i)
			}
			c.count++
		}
	}
}

// contents lists the members that lie in a field of bytes.
func (p *recordPrinter) contents(slot int) {
	c := &p.held[slot]
	for i, leaf := range c.first[:min(c.count, maxListed)] {
		if i == 0 {
			p.add(", through methods: ")
		} else {
			p.add(", ")
		}
		p.add(p.layout.leaves[leaf].name)
	}
	if c.count > maxListed {
		p.add(" and ")
		p.num(uint64(c.count - maxListed))
		p.add(" more")
	}
}

// codec prints the methods that turn a record into bytes and back.
func (p *recordPrinter) codec() {
	size := strconv.FormatUint(uint64(p.layout.size), 10)
	foreign := p.helper("foreign")
	swap := ""
	if p.layout.swaps {
		p.helpers.add(helperForeign)
		swap = "\tif " + foreign + " {\n\t\tx.swapBytes()\n\t}\n"
	}
	if p.layout.size == 0 {
		p.addFunc("\n// UnmarshalBinary does nothing: the record has no bytes.\nfunc (*", p.name, ") UnmarshalBinary([]byte) error { return nil }\n")
		p.addFunc("\n// AppendBinary returns b: the record has no bytes.\nfunc (", p.name, ") AppendBinary(b []byte) ([]byte, error) { return b, nil }\n")
	} else {
		p.helpers.add(helperShort)
		p.add("\n// UnmarshalBinary reads the record from the start of b, in the kernel's byte order.\nfunc (x *", p.name, ") UnmarshalBinary(b []byte) error {\n",
			"\tif len(b) < ", size, " {\n\t\treturn ", p.helper("shortError"), "(\"", p.name, "\", ", size, ", len(b))\n\t}\n",
			"\tcopy(unsafe.Slice((*byte)(unsafe.Pointer(x)), ", size, "), b)\n", swap, "\treturn nil\n}\n")
		p.add("\n// AppendBinary appends the record's ", size, plural(uint64(p.layout.size)), " to b, in the kernel's byte order.\nfunc (x ", p.name, ") AppendBinary(b []byte) ([]byte, error) {\n", swap,
			"\treturn append(b, unsafe.Slice((*byte)(unsafe.Pointer(&x)), ", size, ")...), nil\n}\n")
	}
	p.addFunc("\n// MarshalBinary returns what AppendBinary appends.\nfunc (x ", p.name, ") MarshalBinary() ([]byte, error) { return x.AppendBinary(nil) }\n")
	p.helpers.add(helperView)
	if !p.layout.swaps {
		p.addFunc("\nfunc (*", p.name, ") swapBytes() {}\n")
		return
	}
	p.add("\n// swapBytes turns the byte order of all fields that are no bytes.\nfunc (x *", p.name, ") swapBytes() {\n")
	for i := range p.layout.slots {
		if p.tooMuch(p.id, 0) {
			return
		}
		if s := &p.layout.slots[i]; s.leaf >= 0 {
			p.swap("x."+p.leaves[s.leaf], &p.layout.leaves[s.leaf].value, 1)
		}
	}
	p.add("}\n")
}

// loopVariables are enough for all the dimensions that an array can have in
// practice; deeper ones get a number.
const loopVariables = "ijklmn"

func loopVariable(depth int) string {
	if depth < len(loopVariables) {
		return loopVariables[depth : depth+1]
	}
	return "i" + strconv.Itoa(depth)
}

// swap prints statements that turn the byte order of a variable.
func (p *printer) swap(variable string, v *value, indent int) {
	if !v.swaps() || v.bytes() == 0 {
		return
	}
	for d := range v.dims {
		p.indent(indent + d)
		i := loopVariable(d)
		p.add("for ", i, " := range ", variable, " {\n")
		variable += "[" + i + "]"
	}
	inner := indent + len(v.dims)
	line := func(parts ...string) {
		p.indent(inner)
		p.add(parts...)
		p.add("\n")
	}
	switch v.class {
	case classRecord:
		line(variable, ".swapBytes()")
	case classInt128:
		p.helpers.add(helperSwap8)
		line(p.helper("swap8"), "(&", variable, "[0])")
		line(p.helper("swap8"), "(&", variable, "[1])")
	default:
		h := map[uint32]helper{2: helperSwap2, 4: helperSwap4, 8: helperSwap8}[v.size]
		p.helpers.add(h)
		line(p.helper("swap"+strconv.Itoa(int(v.size))), "(&", variable, ")")
	}
	for d := len(v.dims) - 1; d >= 0; d-- {
		p.indent(indent + d)
		p.add("}\n")
	}
}

func (p *printer) indent(n int) {
	for range n {
		p.out = append(p.out, '\t')
	}
}
