package gogen

import "strconv"

// accessors prints the methods by which a member is read and set that is no
// field, and those that help with one which is.
func (p *recordPrinter) accessors(i int) {
	f := &p.layout.leaves[i]
	v := &f.value
	name := p.leaves[i]
	switch {
	case f.bits != 0:
		p.bitfield(f, name)
		return
	case v.isFlexible():
		p.flexible(f, name)
		return
	case f.slot < 0:
		p.add("\n// ", name, " returns ", f.name, ", which has no bytes, at ")
		p.place(f)
		p.add("\nfunc (*", p.name, ") ", name, "() (v ")
		p.goType(v, p.name+"_"+name)
		p.addFunc(") { return v }\n")
		return
	case p.layout.slots[f.slot].leaf < 0:
		p.getter(f, name)
		p.setter(f, name)
	}
	if v.char && len(v.dims) > 0 {
		p.stringer(f, name, p.layout.slots[f.slot].leaf >= 0)
	}
}

// place ends a comment with where a member is and its type in C.
func (p *recordPrinter) place(f *leaf) {
	p.add("offset ")
	p.num(uint64(f.off))
	p.add(": ")
	p.out = appendCType(p.out, p.view, f.typ)
	p.add(".")
}

// receiver returns what a getter is a method of.
func (p *recordPrinter) receiver() string {
	if p.layout.size <= smallRecord {
		return "x " + p.name
	}
	return "x *" + p.name
}

// bytes returns the expression for the bytes of a member.
func (p *recordPrinter) bytes(f *leaf) string {
	s := &p.layout.slots[f.slot]
	from, to := f.off-s.off, uint32(f.end())-s.off
	e := "x." + p.field(int(f.slot)) + "["
	if from > 0 {
		e += strconv.Itoa(int(from))
	}
	e += ":"
	if to < s.end-s.off {
		e += strconv.Itoa(int(to))
	}
	return e + "]"
}

// firstByte returns the expression for a member's first byte.
func (p *recordPrinter) firstByte(f *leaf) string {
	s := &p.layout.slots[f.slot]
	return "x." + p.field(int(f.slot)) + "[" + strconv.Itoa(int(f.off-s.off)) + "]"
}

// load returns an expression that reads a number of size bytes as a uint.
func (p *recordPrinter) load(f *leaf, size uint32) string {
	if size == 1 {
		return p.firstByte(f)
	}
	p.helpers.add(helperOrder)
	return p.helper("order") + ".Uint" + strconv.Itoa(int(size*8)) + "(" + p.bytes(f) + ")"
}

func (p *recordPrinter) getter(f *leaf, name string) {
	v := &f.value
	typ := p.element(v, p.name+"_"+name)
	p.add("\n// ", name, " returns ", f.name, ", at ")
	p.place(f)
	p.add("\nfunc (", p.receiver(), ") ", name, "() ")
	if len(v.dims) == 0 {
		expr := ""
		switch v.class {
		case classUint:
			expr = p.load(f, v.size)
		case classInt, classEnum, classPtr:
			expr = typ + "(" + p.load(f, v.size) + ")"
		case classBool:
			typ, expr = "bool", p.firstByte(f)+" != 0"
		case classFloat:
			p.helpers.add(helperMath)
			expr = "math.Float" + strconv.Itoa(int(v.size*8)) + "frombits(" + p.load(f, v.size) + ")"
		case classBytes:
			expr = typ + "(" + p.bytes(f) + ")"
		}
		if expr != "" {
			p.addFunc(typ, " { return ", expr, " }\n")
			return
		}
	} else if len(v.dims) == 1 && v.size == 1 && (v.class == classUint || v.char) {
		p.goType(v, "")
		p.add(" { return ")
		p.goType(v, "")
		p.addFunc("(", p.bytes(f), ") }\n")
		return
	}
	p.add("(v ")
	p.goType(v, p.name+"_"+name)
	p.add(") {\n\tcopy(", p.memory(v), ", ", p.bytes(f), ")\n")
	p.swapForeign(v)
	p.add("\treturn v\n}\n")
}

// memory returns the expression for the bytes of the variable v.
func (p *recordPrinter) memory(v *value) string {
	return "unsafe.Slice((*byte)(unsafe.Pointer(&v)), " + strconv.FormatUint(v.bytes(), 10) + ")"
}

// swapForeign turns the byte order of v where it is not the machine's.
func (p *recordPrinter) swapForeign(v *value) {
	if !v.swaps() || v.bytes() == 0 {
		return
	}
	p.helpers.add(helperForeign)
	p.add("\tif ", p.helper("foreign"), " {\n")
	p.swap("v", v, 2)
	p.add("\t}\n")
}

func (p *recordPrinter) setter(f *leaf, name string) {
	v := &f.value
	setter := p.unique("Set" + name)
	p.add("\n// ", setter, " sets ", f.name, ".\nfunc (x *", p.name, ") ", setter, "(v ")
	if len(v.dims) == 0 && v.class == classBool {
		p.add("bool")
	} else {
		p.goType(v, p.name+"_"+name)
	}
	p.add(") {")
	if len(v.dims) == 0 {
		number := "v"
		switch v.class {
		case classInt, classEnum, classPtr:
			number = uintNames[v.size] + "(v)"
		case classFloat:
			p.helpers.add(helperMath)
			number = "math.Float" + strconv.Itoa(int(v.size*8)) + "bits(v)"
		case classBool:
			first := p.firstByte(f)
			p.add("\n\t", first, " = 0\n\tif v {\n\t\t", first, " = 1\n\t}\n}\n")
			return
		}
		switch {
		case v.class == classInt128 || v.class == classRecord:
		case v.class == classBytes:
			p.addFunc(" copy(", p.bytes(f), ", v[:]) }\n")
			return
		case v.size == 1:
			p.addFunc(" ", p.firstByte(f), " = ", number, " }\n")
			return
		default:
			p.helpers.add(helperOrder)
			p.addFunc(" ", p.helper("order"), ".PutUint", strconv.Itoa(int(v.size*8)), "(", p.bytes(f), ", ", number, ") }\n")
			return
		}
	}
	p.add("\n")
	p.swapForeign(v)
	p.add("\tcopy(", p.bytes(f), ", ", p.memory(v), ")\n}\n")
}

// stringer prints the method that returns a char array as a string.
func (p *recordPrinter) stringer(f *leaf, name string, isField bool) {
	p.helpers.add(helperCString)
	method := p.unique(name + "String")
	receiver := p.receiver()
	dims := f.value.dims
	p.add("\n// ", method, " returns ", f.name)
	index, params := "", ""
	for d := range len(dims) - 1 {
		i := loopVariable(d)
		index += "[" + i + "]"
		if d > 0 {
			params += ", "
		}
		params += i
	}
	if params != "" {
		params += " int"
		p.add(index)
	}
	p.add(" up to the first NUL.\nfunc (", receiver, ") ", method, "(", params, ") string {")
	switch {
	case isField:
		p.addFunc(" return ", p.helper("cString"), "(x.", name, index, "[:]) }\n")
	case params == "":
		p.addFunc(" return ", p.helper("cString"), "(", p.bytes(f), ") }\n")
	default:
		p.add("\n\tv := x.", name, "()\n\treturn ", p.helper("cString"), "(v", index, "[:])\n}\n")
	}
}

// flexible prints the accessor of an array without a length. Its elements lie
// behind the record, where only who has the bytes can read them.
func (p *recordPrinter) flexible(f *leaf, name string) {
	elem := f.value
	elem.dims = elem.dims[1:]
	p.add("\n// ", name, " returns the first n elements of ", f.name, ". b holds the record and\n// what follows it. The array is at ")
	p.place(f)
	p.add("\nfunc (*", p.name, ") ", name, "(b []byte, n int) ([]")
	label := strconv.Quote(p.name + "." + name)
	offset := strconv.Itoa(int(f.off))
	if len(elem.dims) == 0 && elem.size == 1 && (elem.class == classUint || elem.char) {
		p.helpers.add(helperBytes)
		p.addFunc("byte, error) { return ", p.helper("tail"), "(", label, ", b, ", offset, ", n) }\n")
		return
	}
	p.helpers.add(helperElements)
	start := len(p.out)
	if elem.char && len(elem.dims) == 0 {
		p.add("byte")
	} else {
		p.goType(&elem, p.name+"_"+name)
	}
	typ := string(p.out[start:])
	p.add(", error) {")
	call := p.helper("elements") + "[" + typ + "](" + label + ", b, " + offset + ", n)"
	if !elem.swaps() || elem.bytes() == 0 {
		p.addFunc(" return ", call, " }\n")
		return
	}
	p.helpers.add(helperForeign)
	p.add("\n\tv, err := ", call, "\n\tif ", p.helper("foreign"), " {\n")
	slice := elem
	slice.dims = append([]uint32{1}, elem.dims...)
	p.swap("v", &slice, 2)
	p.add("\t}\n\treturn v, err\n}\n")
}

// bitfield prints getter and setter of a bitfield.
//
// BTF counts its first bit from the start of the record. On little-endian
// machines that is the least significant bit of a byte, and the bitfield grows
// towards more significant ones; on big-endian machines the other way around.
func (p *recordPrinter) bitfield(f *leaf, name string) {
	v := &f.value
	first, n := f.bit%8, uint32(f.end())-f.off // bit in the first byte, number of bytes
	low := first
	if p.big {
		low = 8*n - first - f.bits
	}
	typ := p.element(v, p.name+"_"+name)
	switch v.class {
	case classInt128:
		typ = "uint64"
		if v.signed {
			typ = "int64"
		}
	case classBool:
		typ = "bool"
	}
	setter := p.unique("Set" + name)
	width := strconv.Itoa(int(f.bits))
	p.add("\n// ", name, " returns the bitfield ", f.name, ", ", width, " bit")
	if f.bits > 1 {
		p.add("s")
	}
	p.add(" at bit offset ")
	p.num(uint64(f.bit))
	p.add(": ")
	p.out = appendCType(p.out, p.view, f.typ)
	p.add(".\nfunc (", p.receiver(), ") ", name, "() ", typ, " { return ")
	lowText := strconv.Itoa(int(low))
	if n == 1 {
		p.bitsOfByte(p.firstByte(f), typ, v, f.bits, low)
	} else {
		p.helpers.add(helperBits)
		get := p.helper("getBits") + "(" + p.bytes(f) + ", " + lowText + ", " + width + ")"
		unused := strconv.Itoa(int(64 - f.bits))
		switch {
		case v.class == classBool:
			p.add(get, " != 0")
		case v.signed && f.bits < 64:
			p.add(typ, "(int64(", get, "<<", unused, ") >> ", unused, ")")
		case typ == "uint64":
			p.add(get)
		default:
			p.add(typ, "(", get, ")")
		}
	}
	p.addFunc(" }\n")
	p.add("\n// ", setter, " sets the bitfield ", f.name)
	if v.class != classBool && (f.bits < 8*v.size) {
		p.add(" to the low ", width, " bits of v")
		if f.bits == 1 {
			p.out = append(p.out[:len(p.out)-len("1 bits of v")], "bit of v"...)
		}
	}
	p.add(".\nfunc (x *", p.name, ") ", setter, "(v ", typ, ") {")
	number := "uint64(v)"
	if typ == "uint64" {
		number = "v"
	}
	mask := "0x" + strconv.FormatUint((1<<f.bits-1)<<low&0xff, 16)
	switch {
	case v.class == classBool && n == 1:
		one := "0x" + strconv.FormatUint(1<<low, 16)
		p.add("\n\t", p.firstByte(f), " &^= ", mask, "\n\tif v {\n\t\t", p.firstByte(f), " |= ", one, "\n\t}\n}\n")
	case v.class == classBool:
		p.helpers.add(helperBits)
		p.add("\n\tvar u uint64\n\tif v {\n\t\tu = 1\n\t}\n\t", p.helper("putBits"), "(", p.bytes(f), ", ", lowText, ", ", width, ", u)\n}\n")
	case n == 1:
		number = "byte(v)"
		if typ == "uint8" {
			number = "v"
		}
		switch {
		case f.bits == 8:
			p.addFunc(" ", p.firstByte(f), " = ", number, " }\n")
		case low == 0:
			p.addFunc(" ", p.firstByte(f), " = ", p.firstByte(f), "&^", mask, " | ", number, "&", mask, " }\n")
		default:
			p.addFunc(" ", p.firstByte(f), " = ", p.firstByte(f), "&^", mask, " | ", number, "<<", lowText, "&", mask, " }\n")
		}
	default:
		p.addFunc(" ", p.helper("putBits"), "(", p.bytes(f), ", ", lowText, ", ", width, ", ", number, ") }\n")
	}
}

// bitsOfByte prints the expression for a bitfield in one byte.
func (p *recordPrinter) bitsOfByte(b, typ string, v *value, bits, low uint32) {
	mask := "0x" + strconv.FormatUint(1<<bits-1, 16)
	placed := "0x" + strconv.FormatUint((1<<bits-1)<<low, 16)
	var e string
	switch {
	case v.class == classBool:
		p.add(b, "&", placed, " != 0")
		return
	case bits == 8:
		e = b
		if v.signed {
			e = "int8(" + e + ")"
		}
	case v.signed:
		up, down := strconv.Itoa(int(8-bits-low)), strconv.Itoa(int(8-bits))
		if up == "0" {
			e = "int8(" + b + ") >> " + down
		} else {
			e = "int8(" + b + "<<" + up + ") >> " + down
		}
	case low == 0:
		e = b + " & " + mask
	case low+bits == 8:
		e = b + " >> " + strconv.Itoa(int(low))
	default:
		e = b + " >> " + strconv.Itoa(int(low)) + " & " + mask
	}
	same := typ == "uint8" && !v.signed || typ == "int8" && v.signed
	if same {
		p.add(e)
		return
	}
	p.add(typ, "(", e, ")")
}
