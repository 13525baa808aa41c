package llvmir

import (
	"bytes"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unsafe"
)

// FormatError says that a module is not written in a way that this package knows.
type FormatError struct {
	Line   string // what is not known, or the start of it
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("LLVM's text: %s: %.80q", e.Reason, e.Line)
}

// class is what a node of metadata is.
type class uint8

const (
	classOther class = iota // of no concern
	classTuple
	classBasic
	classDerived
	classComposite
	classSubroutine
	classEnumerator
	classSubrange
	classVariable
)

var classes = map[string]class{
	"DIBasicType": classBasic, "DIDerivedType": classDerived, "DICompositeType": classComposite,
	"DISubroutineType": classSubroutine, "DIEnumerator": classEnumerator, "DISubrange": classSubrange,
	"DIGlobalVariable": classVariable,
}

// ref is the number of a node, null, or something else.
type ref int32

const (
	null  ref = -1
	other ref = -2
)

// node is one of metadata: a type, or a part of one.
type node struct {
	class    class
	bitfield bool
	forward  bool
	vector   bool
	tag      string // without DW_TAG_
	name     string // as it is written, see unquote; of a tuple, what is between its braces
	encoding string // without DW_ATE_; the value of an enumerator
	base     ref    // baseType, or type
	elements ref    // elements, or types
	size     uint64 // bits; the count of a subrange
	offset   uint64 // bits
}

// maxNodes bounds the nodes of a module. A kernel has 300,000.
const maxNodes = 1 << 23

// metadata are a module's nodes by number.
type metadata []node

// add reads a line that defines a node: what is behind the exclamation mark.
func (m *metadata) add(line []byte) error {
	number, rest, ok := bytes.Cut(line, []byte(" = "))
	n, err := strconv.ParseUint(text(number), 10, 32)
	if !ok || err != nil {
		return nil // a named list of nodes, such as !llvm.ident
	}
	if n >= maxNodes {
		return &FormatError{text(number), "too many nodes"}
	}
	for uint64(len(*m)) <= n {
		*m = append(*m, node{base: null, elements: null})
	}
	rest = bytes.TrimPrefix(rest, []byte("distinct "))
	to := &(*m)[n]
	if list, ok := bytes.CutPrefix(rest, []byte("!{")); ok {
		to.class = classTuple
		to.name = text(bytes.TrimSuffix(list, []byte("}")))
		return nil
	}
	name, fields, ok := bytes.Cut(bytes.TrimPrefix(rest, []byte("!")), []byte("("))
	if !ok {
		return nil
	}
	if to.class = classes[text(name)]; to.class == classOther {
		return nil
	}
	fields, ok = bytes.CutSuffix(fields, []byte(")"))
	if !ok {
		return &FormatError{text(line), "a node without an end"}
	}
	return to.read(text(fields))
}

// read reads a node's fields: "name: value, name: value".
func (n *node) read(fields string) error {
	for fields != "" {
		key, rest, ok := strings.Cut(fields, ": ")
		if !ok {
			return &FormatError{fields, "a field without a value"}
		}
		end := valueEnd(rest)
		if err := n.set(key, rest[:end]); err != nil {
			return err
		}
		fields = strings.TrimPrefix(rest[end:], ", ")
	}
	return nil
}

// valueEnd returns where a value ends: at a comma outside of quotation marks and
// parentheses. Within quotation marks, LLVM escapes these.
func valueEnd(s string) int {
	depth, quoted := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '{':
			depth++
		case c == ')' || c == '}':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(s)
}

func (n *node) set(key, value string) (err error) {
	switch key {
	case "tag":
		n.tag = strings.TrimPrefix(value, "DW_TAG_")
	case "name":
		n.name = value
	case "encoding":
		n.encoding = strings.TrimPrefix(value, "DW_ATE_")
	case "value":
		n.encoding = value
	case "baseType", "type":
		n.base, err = readRef(value)
	case "elements", "types":
		n.elements, err = readRef(value)
	case "size":
		n.size, err = readNumber(value)
	case "offset":
		n.offset, err = readNumber(value)
	case "count":
		if value != "-1" { // an array that is as long as it has to be
			n.size, err = readNumber(value)
		}
	case "flags":
		for flag := range strings.SplitSeq(value, " | ") {
			n.bitfield = n.bitfield || flag == "DIFlagBitField"
			n.forward = n.forward || flag == "DIFlagFwdDecl"
			n.vector = n.vector || flag == "DIFlagVector"
		}
	}
	return err
}

func readNumber(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, &FormatError{value, "no number"}
	}
	return n, nil
}

func readRef(value string) (ref, error) {
	if value == "null" {
		return null, nil
	}
	number, ok := strings.CutPrefix(value, "!")
	n, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || n >= maxNodes {
		return 0, &FormatError{value, "no reference to a node"}
	}
	return ref(n), nil
}

// node returns that of a reference.
func (m metadata) node(r ref) (*node, error) {
	if r < 0 || int(r) >= len(m) {
		return nil, &FormatError{fmt.Sprintf("!%d", r), "no such node"}
	}
	return &m[r], nil
}

// tuple lists what is in a tuple; nothing is in one that is null.
func (m metadata) tuple(r ref) ([]ref, error) {
	if r == null {
		return nil, nil
	}
	n, err := m.node(r)
	if err != nil {
		return nil, err
	}
	if n.class != classTuple {
		return nil, &FormatError{fmt.Sprintf("!%d", r), "no tuple"}
	}
	var list []ref
	for s := n.name; len(s) > 0; {
		end := valueEnd(s)
		r, err := readRef(s[:end])
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		s = strings.TrimPrefix(s[end:], ", ")
	}
	return list, nil
}

// integer reads an enumerator's value: of one that is longer, the lower 64 bits.
func (n *node) integer() (uint64, error) {
	if v, err := strconv.ParseInt(n.encoding, 10, 64); err == nil {
		return uint64(v), nil
	}
	if v, err := strconv.ParseUint(n.encoding, 10, 64); err == nil {
		return v, nil
	}
	v, ok := new(big.Int).SetString(n.encoding, 10)
	if !ok || len(n.encoding) > 64 {
		return 0, &FormatError{n.encoding, "no integer"}
	}
	return v.And(v, new(big.Int).SetUint64(1<<64-1)).Uint64(), nil
}

// unquote returns what LLVM has between quotation marks, where \ and two hexadecimal
// digits stand for a byte. What has none is as it is.
func unquote(s string) string {
	inner, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return s
	}
	inner = strings.TrimSuffix(inner, `"`)
	if !strings.Contains(inner, `\`) {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+2 < len(inner) {
			if c, err := strconv.ParseUint(inner[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}

// text is a string that shares a module's memory, which does not change.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
