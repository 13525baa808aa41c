package cgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// layer is one part of a declarator: what stands between a declaration's name
// and its base type. In "int *(*f[4])(void)" they are, from the name outwards:
// array of 4, pointer, function, pointer.
type layer struct {
	kind   btfdump.Kind // ptr, array or func_proto
	id     btfdump.TypeID
	quals  qualifiers       // of a pointer
	tags   []btfdump.TypeID // of a pointer: type tags
	length uint32           // of an array
}

type qualifiers uint8

const (
	qualConst qualifiers = 1 << iota
	qualVolatile
	qualRestrict
)

// base is the type at the far end of a declarator's layers.
type base struct {
	id    btfdump.TypeID
	quals qualifiers
	tags  []btfdump.TypeID
}

// declare prints "type name", wherever in the type the name belongs. An empty
// name prints the type alone. C's declarators are read from the name outwards
// but written from the base type inwards, so the layers are collected first:
// deep chains need no recursion.
func (p *printer) declare(id btfdump.TypeID, name string) {
	if ref := p.reference(id); ref != nil && ref.isFor(name) {
		p.out = ref.append(p.out, name)
		return
	}
	start, bodies := len(p.out), p.bodies
	nameAt := p.declareAnew(id, name)
	if name != "" && p.bodies == bodies && p.err == nil {
		p.refs.note(id, p.out[start:], nameAt-start, len(name))
	}
}

// declareAnew is declare for types of which it is not known how they are
// written. It returns where in p.out the name is.
func (p *printer) declareAnew(id btfdump.TypeID, name string) (nameAt int) {
	first := len(p.layers)
	b := p.collect(id)
	layers := p.layers[first:]

	p.base(b)
	if len(layers) > 0 && (layers[len(layers)-1].kind != btfdump.KindArray || len(layers) > 1) || name != "" {
		p.out = append(p.out, ' ')
	}
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		if l.kind == btfdump.KindPtr {
			p.pointer(l, i > 0 || name != "")
		} else if i > 0 && layers[i-1].kind == btfdump.KindPtr {
			p.out = append(p.out, '(')
		}
	}
	nameAt = len(p.out)
	p.out = append(p.out, name...)
	for i, l := range layers {
		switch l.kind {
		case btfdump.KindPtr:
			if i+1 < len(layers) && layers[i+1].kind != btfdump.KindPtr {
				p.out = append(p.out, ')')
			}
		case btfdump.KindArray:
			p.out = append(p.out, '[')
			p.out = strconv.AppendUint(p.out, uint64(l.length), 10)
			p.out = append(p.out, ']')
		case btfdump.KindFuncProto:
			p.params(p.view.Type(l.id))
			layers = p.layers[first:] // params may have moved it
		}
	}
	p.layers = p.layers[:first]
	return nameAt
}

// collect appends the layers of a type to p.layers and returns their base.
//
// Qualifiers are put where C has them: those of an array count for its
// elements; those of a function (gcc encodes a noreturn function as volatile)
// and of what it returns count for nothing and make compilers warn.
func (p *printer) collect(id btfdump.TypeID) base {
	var quals qualifiers
	var tags []btfdump.TypeID
	first := len(p.layers)
	returned := false // directly inside a function: qualifiers are dropped
	for {
		id = p.naming.canon[id]
		t := p.view.Type(id)
		switch k := t.Kind(); k {
		case btfdump.KindConst:
			quals |= qualConst
		case btfdump.KindVolatile:
			quals |= qualVolatile
		case btfdump.KindRestrict:
			quals |= qualRestrict
		case btfdump.KindTypeTag:
			if len(p.layers) > first && p.layers[len(p.layers)-1].kind == btfdump.KindPtr {
				tags = append(tags, id)
			}
		case btfdump.KindPtr:
			if returned {
				quals = 0
			}
			if quals&qualRestrict != 0 && !p.isObject(t.Ref()) {
				quals &^= qualRestrict
			}
			p.layers = append(p.layers, layer{kind: k, quals: quals, tags: tags})
			quals, tags, returned = 0, nil, false
		case btfdump.KindArray:
			p.layers = append(p.layers, layer{kind: k, length: t.ArrayLen()})
			tags = nil
		case btfdump.KindFuncProto:
			p.layers = append(p.layers, layer{kind: k, id: id})
			quals, tags, returned = 0, nil, true
		default:
			if returned {
				quals = 0
				p.used.qualifiedResults = p.used.qualifiedResults || k == btfdump.KindTypedef && p.isQualified(t)
			}
			if quals != 0 && k == btfdump.KindTypedef && !p.isObject(id) {
				quals = 0
			}
			return base{id, quals &^ qualRestrict, tags}
		}
		id = t.Ref()
	}
}

// isQualified reports whether a typedef stands for a type with qualifiers.
func (p *printer) isQualified(t btfdump.Type) bool {
	for t.Kind() == btfdump.KindTypedef || t.Kind() == btfdump.KindTypeTag {
		t = p.view.Type(t.Ref())
	}
	return t.Kind() == btfdump.KindConst || t.Kind() == btfdump.KindVolatile || t.Kind() == btfdump.KindRestrict
}

// isObject reports whether a type is no function's: whether a pointer to it may be
// restrict, and it may be const itself.
func (p *printer) isObject(id btfdump.TypeID) bool {
	return p.view.Type(p.view.Resolve(id)).Kind() != btfdump.KindFuncProto
}

func (p *printer) pointer(l layer, more bool) {
	p.out = append(p.out, '*')
	if l.quals == 0 && l.tags == nil {
		return
	}
	p.qualified(l.quals)
	if l.quals&qualRestrict != 0 {
		p.text("__restrict ")
	}
	p.typeTags(l.tags)
	if last := len(p.out) - 1; !more && p.out[last] == ' ' { // a tag may not have been printed
		p.out = p.out[:last]
	}
}

// qualifiers prints those of a record or a number, also of typedefs of it, each once.
func (p *printer) qualifiers(id btfdump.TypeID) {
	var quals qualifiers
	for t := p.view.Type(id); t.Kind().IsModifier(); t = p.view.Type(t.Ref()) {
		switch t.Kind() {
		case btfdump.KindConst:
			quals |= qualConst
		case btfdump.KindVolatile:
			quals |= qualVolatile
		}
	}
	p.qualified(quals)
}

func (p *printer) qualified(quals qualifiers) {
	if quals&qualConst != 0 {
		p.text("const ")
	}
	if quals&qualVolatile != 0 {
		p.text("volatile ")
	}
}

// base prints the type specifier.
func (p *printer) base(b base) {
	p.qualified(b.quals)
	t := p.view.Type(b.id)
	switch k := t.Kind(); k {
	case btfdump.KindVoid:
		p.text("void")
	case btfdump.KindInt:
		if t.Size() == 16 && p.target.PointerSize == 4 {
			p.fail(errInt128)
		}
		p.scalar(intSpelling(t))
	case btfdump.KindFloat:
		p.scalar(floatSpelling(t))
	case btfdump.KindTypedef:
		name := p.name(b.id)
		if p.shadows.has(name) {
			p.fail(fmt.Errorf("typedef %.80q: %w", name, errShadowed))
		}
		p.text(name)
	case btfdump.KindStruct, btfdump.KindUnion:
		if !t.HasName() {
			p.body(t)
			return // a tag would be an attribute of the record's
		}
		p.text(tagKeyword(t), " ", p.name(b.id))
	case btfdump.KindFwd:
		p.text(tagKeyword(t), " ", p.name(b.id))
	case btfdump.KindEnum, btfdump.KindEnum64:
		if p.anonymousEnum(t) {
			return
		}
	default:
		p.fail(errUnknownKind)
	}
	if len(b.tags) > 0 {
		p.out = append(p.out, ' ')
		p.typeTags(b.tags)
		p.out = p.out[:len(p.out)-1]
	}
}

var (
	errNoScalar = errors.New("it uses a number of a size that C has no type for")
	errInt128   = errors.New("it uses a number of 16 bytes, which 32-bit kernels can't have: their compilers have none")
)

func (p *printer) scalar(spelling string) {
	if spelling == "" {
		p.fail(errNoScalar)
	}
	p.text(spelling)
}

var errTag = errors.New("a type tag has other characters than letters, digits, spaces and _ - . : , = ( )")

// typeTags prints the tags of a type that a pointer points to, each with a space
// behind it. A type can be in one address space: the outermost tag says in which.
func (p *printer) typeTags(tags []btfdump.TypeID) {
	inSpace := false
	for _, id := range tags {
		t := p.view.Type(id)
		if t.KindFlag() && isAddressSpace(t.Name()) {
			if inSpace {
				continue
			}
			inSpace = true
		}
		p.typeTag(t)
	}
}

// typeTag prints a type tag and a space. Tags with kind_flag are attributes as
// they are; the only one that kernels use is printed, address_space(1), since
// others could be unknown to the compiler, or anything at all. It is printed as
// a macro, because gcc knows no address spaces.
func (p *printer) typeTag(t btfdump.Type) {
	if p.err != nil {
		return
	}
	text := t.Name()
	if t.KindFlag() {
		if isAddressSpace(text) {
			p.used.addressSpaces = true
			p.text(macroAddressSpace, text[len("address_space"):], " ")
		}
		return
	}
	if !isPrintableTag(t) {
		p.fail(errTag)
		return
	}
	p.text("__attribute__((btf_type_tag(\"", text, "\"))) ")
	p.checkSize()
}

// isPrintableTag reports whether a type tag consists of characters that mean
// themselves in a C string, whatever the standard, and next to each other: two
// question marks would start a trigraph in C11. Kernels need letters and underscores.
func isPrintableTag(t btfdump.Type) bool {
	if t.KindFlag() {
		return true // see typeTag
	}
	text := t.Name()
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', isDigit(c), c == '_':
		case strings.IndexByte(" -.:,=()", c) < 0:
			return false
		}
	}
	return true
}

// isAddressSpace recognises address_space(N), with a decimal number of C's.
func isAddressSpace(s string) bool {
	const head, tail = "address_space(", ")"
	if len(s) <= len(head)+len(tail) || len(s) > len(head)+len(tail)+4 || s[:len(head)] != head || s[len(s)-1:] != tail {
		return false
	}
	number := s[len(head) : len(s)-1]
	for i := range len(number) {
		if !isDigit(number[i]) {
			return false
		}
	}
	return number[0] != '0' || len(number) == 1 // others are octal
}

// params prints the parameters of a function. Names are kept where they can't
// break anything: those of function pointers are always empty in BTF.
func (p *printer) params(t btfdump.Type) {
	p.prototypes++
	defer func() { p.prototypes-- }()
	p.out = append(p.out, '(')
	n := t.NumParams()
	if n == 0 {
		p.text("void")
	}
	for i := range n {
		param := t.Param(i)
		if i > 0 {
			p.text(", ")
		}
		if param.Type == 0 { // the last one, order has checked
			if n > 1 { // C before C23 has no "(...)"; "()" says as much
				p.text("...")
			}
			break
		}
		name := param.Name
		if !p.isParamName(t, i) {
			name = ""
		}
		p.declare(param.Type, name)
		if p.checkSize(); p.err != nil {
			return
		}
	}
	p.out = append(p.out, ')')
}

// maxNamedParams bounds the search for parameters of the same name; the BPF
// calling convention has 5.
const maxNamedParams = 16

// isParamName reports whether a parameter's name can be printed: an
// identifier that is no keyword and that no compiler has taken, no typedef (which
// the next parameter may need, under its own name or with a suffix), and not the
// name of one before.
func (p *printer) isParamName(t btfdump.Type, i int) bool {
	name := t.Param(i).Name
	if i >= maxNamedParams || !btfdump.IsIdentifier(name) || isKeyword(name) || isKeywordC23(name) || keywordCXX(name) >= 0 ||
		isTakenInFile(name) || isSuffixed(name) {
		return false
	}
	for j := range i {
		if t.Param(j).Name == name {
			return false
		}
	}
	return !p.naming.isTypedef(name)
}
