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
func (p *recordPrinter) bitfield(f *leaf, name string) {
	v := &f.value
	typ := p.element(v, p.name+"_"+name)
	switch {
	case v.class == classBool:
		typ = "bool"
	case v.class == classInt128 && f.bits <= 64 && v.signed:
		typ = "int64"
	case v.class == classInt128 && f.bits <= 64:
		typ = "uint64"
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
	p.add(".\nfunc (", p.receiver(), ") ", name, "() ", typ, " {")
	whole := p.bits(f, f.bit, f.bits)
	switch {
	case f.bits > 64:
		high, low := p.halves(f)
		first, second := low.get(false), high.get(v.signed)
		if v.signed {
			second = "uint64(" + second + ")"
		}
		if p.big {
			first, second = second, first
		}
		p.addFunc(" return ", typ, "{", first, ", ", second, "} }\n")
	case whole.oneByte():
		p.addFunc(" return ", whole.getByte(typ, v), " }\n")
	case v.class == classBool:
		p.addFunc(" return ", whole.get(false), " != 0 }\n")
	default:
		expr := whole.get(v.signed)
		if typ != "uint64" && !(typ == "int64" && v.signed && f.bits < 64) {
			expr = typ + "(" + expr + ")"
		}
		p.addFunc(" return ", expr, " }\n")
	}

	p.add("\n// ", setter, " sets the bitfield ", f.name)
	if v.class != classBool && f.bits < 8*v.size {
		p.add(" to the low bit")
		if f.bits > 1 {
			p.out = append(p.out[:len(p.out)-len("bit")], width+" bits"...)
		}
		p.add(" of v")
	}
	p.add(".\nfunc (x *", p.name, ") ", setter, "(v ", typ, ") {")
	switch {
	case f.bits > 64:
		high, low := p.halves(f)
		first, second := "v[1]", "v[0]"
		if p.big {
			first, second = second, first
		}
		p.add("\n\t", high.put(first), "\n\t", low.put(second), "\n}\n")
	case v.class == classBool && whole.oneByte():
		p.add("\n\t", whole.first, " &^= ", whole.mask(), "\n\tif v {\n\t\t", whole.first, " |= 0x", strconv.FormatUint(1<<whole.low, 16), "\n\t}\n}\n")
	case v.class == classBool:
		p.add("\n\tvar u uint64\n\tif v {\n\t\tu = 1\n\t}\n\t", whole.put("u"), "\n}\n")
	case whole.oneByte():
		number := "byte(v)"
		if typ == "uint8" {
			number = "v"
		}
		b, mask := whole.first, whole.mask()
		switch {
		case f.bits == 8:
			p.addFunc(" ", b, " = ", number, " }\n")
		case whole.low == 0:
			p.addFunc(" ", b, " = ", b, "&^", mask, " | ", number, "&", mask, " }\n")
		default:
			p.addFunc(" ", b, " = ", b, "&^", mask, " | ", number, "<<", strconv.Itoa(int(whole.low)), "&", mask, " }\n")
		}
	case typ == "uint64":
		p.addFunc(" ", whole.put("v"), " }\n")
	default:
		p.addFunc(" ", whole.put("uint64(v)"), " }\n")
	}
}

// bitRange is where up to 64 bits of a record are.
type bitRange struct {
	printer *printer
	bytes   string // expression for the bytes that hold them
	first   string // expression for the first of these
	count   uint32 // of these
	low     uint32 // the number of the least significant bit in its byte
	width   uint32 // bits
}

// bits returns the place of width bits of a bitfield at a bit offset.
//
// BTF counts bits from the start of the record. On little-endian machines the
// first is the least significant one of a byte, and a bitfield grows towards
// more significant ones; on big-endian machines it is the other way around.
func (p *recordPrinter) bits(f *leaf, bit, width uint32) bitRange {
	part := leaf{off: bit / 8, bit: bit, bits: width, slot: f.slot}
	r := bitRange{printer: p.printer, bytes: p.bytes(&part), first: p.firstByte(&part), count: uint32(part.end()) - part.off, low: bit % 8, width: width}
	if p.big {
		r.low = 8*r.count - bit%8 - width
	}
	return r
}

// halves returns the parts of a bitfield of more than 64 bits.
func (p *recordPrinter) halves(f *leaf) (high, low bitRange) {
	if p.big {
		return p.bits(f, f.bit, f.bits-64), p.bits(f, f.bit+f.bits-64, 64)
	}
	return p.bits(f, f.bit+64, f.bits-64), p.bits(f, f.bit, 64)
}

func (r *bitRange) oneByte() bool { return r.count == 1 }

// mask returns the bits' mask in their only byte.
func (r *bitRange) mask() string {
	return "0x" + strconv.FormatUint((1<<r.width-1)<<r.low, 16)
}

// get returns an expression for the bits, of type uint64, or int64 if they are
// signed and fewer than 64.
func (r *bitRange) get(signed bool) string {
	r.printer.helpers.add(helperBits)
	get := r.printer.helper("getBits") + "(" + r.bytes + ", " + strconv.Itoa(int(r.low)) + ", " + strconv.Itoa(int(r.width)) + ")"
	if !signed || r.width == 64 {
		return get
	}
	unused := strconv.Itoa(int(64 - r.width))
	return "int64(" + get + "<<" + unused + ") >> " + unused
}

// put returns a statement that sets the bits.
func (r *bitRange) put(number string) string {
	r.printer.helpers.add(helperBits)
	return r.printer.helper("putBits") + "(" + r.bytes + ", " + strconv.Itoa(int(r.low)) + ", " + strconv.Itoa(int(r.width)) + ", " + number + ")"
}

// getByte returns an expression of type typ for bits that lie in one byte.
func (r *bitRange) getByte(typ string, v *value) string {
	low := strconv.Itoa(int(r.low))
	var e string
	switch {
	case v.class == classBool:
		return r.first + "&" + r.mask() + " != 0"
	case r.width == 8 && v.signed:
		e = "int8(" + r.first + ")"
	case r.width == 8:
		e = r.first
	case v.signed:
		down := strconv.Itoa(int(8 - r.width))
		if up := 8 - r.width - r.low; up == 0 {
			e = "int8(" + r.first + ") >> " + down
		} else {
			e = "int8(" + r.first + "<<" + strconv.Itoa(int(up)) + ") >> " + down
		}
	case r.low == 0:
		e = r.first + " & " + r.mask()
	case r.low+r.width == 8:
		e = r.first + " >> " + low
	default:
		e = r.first + " >> " + low + " & 0x" + strconv.FormatUint(1<<r.width-1, 16)
	}
	if typ == "uint8" || typ == "int8" && v.signed {
		return e
	}
	return typ + "(" + e + ")"
}
