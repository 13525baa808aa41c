package llvmir

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/btfgen/btfgen/btfdump"
)

// encoder writes types as BTF (https://docs.kernel.org/bpf/btf.html). Types get
// their IDs in the order in which something refers to them, and are written in that
// order. Whatever the program's byte order is, that of the BTF is little endian: no value
// of several bytes is in both.
type encoder struct {
	nodes   metadata
	ids     []uint32 // of nodes; 0: none yet
	queue   []item   // by ID - 1
	types   []byte
	strings []byte
	offsets map[string]uint32 // of strings
	index   uint32            // ID of the type of arrays' indexes
}

// item is a type to be written: a node's, that of the elements of an array with
// several dimensions, or that of indexes.
type item struct {
	node      ref
	dimension int
}

const indexType ref = -3

func newEncoder(nodes metadata) *encoder {
	return &encoder{nodes: nodes, ids: make([]uint32, len(nodes)), strings: []byte{0}, offsets: map[string]uint32{"": 0}}
}

// id returns the ID of a node's type; 0, which is void, of null.
func (e *encoder) id(r ref) uint32 {
	if r < 0 || int(r) >= len(e.ids) {
		return 0
	}
	if e.ids[r] == 0 {
		e.ids[r] = e.push(item{node: r})
	}
	return e.ids[r]
}

func (e *encoder) push(i item) uint32 {
	e.queue = append(e.queue, i)
	return uint32(len(e.queue))
}

// encode writes all types that have an ID, and those that they lead to.
func (e *encoder) encode() (*btfdump.View, error) {
	for i := 0; i < len(e.queue); i++ { // grows
		if err := e.write(e.queue[i]); err != nil {
			return nil, err
		}
	}
	if len(e.types) > math.MaxInt32 || len(e.strings) > math.MaxInt32 {
		return nil, &FormatError{"", "more types than BTF can hold"}
	}
	const headerLen = 24
	var raw []byte
	raw = binary.LittleEndian.AppendUint16(raw, 0xeb9f)
	raw = append(raw, 1, 0) // version, flags
	for _, n := range []int{headerLen, 0, len(e.types), len(e.types), len(e.strings)} {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(n))
	}
	raw = append(append(raw, e.types...), e.strings...)
	return btfdump.New(raw)
}

func (e *encoder) word(w uint32) { e.types = binary.LittleEndian.AppendUint32(e.types, w) }

func (e *encoder) name(quoted string) uint32 {
	s := unquote(quoted)
	at, ok := e.offsets[s]
	if !ok {
		at = uint32(len(e.strings))
		e.strings = append(append(e.strings, s...), 0)
		e.offsets[s] = at
	}
	return at
}

// maxVlen is what every version of BTF can hold of members, values or parameters.
const maxVlen = 0xffff

// head writes what all types start with.
func (e *encoder) head(name string, kind btfdump.Kind, vlen int, flag bool, sizeOrType uint64) error {
	if vlen > maxVlen {
		return &FormatError{name, fmt.Sprintf("a type with %d members", vlen)}
	}
	if sizeOrType > math.MaxUint32 {
		return &FormatError{name, fmt.Sprintf("a type of %d bytes", sizeOrType)}
	}
	info := uint32(kind)<<24 | uint32(vlen)
	if flag {
		info |= 1 << 31
	}
	e.word(e.name(name))
	e.word(info)
	e.word(uint32(sizeOrType))
	return nil
}

func (e *encoder) write(i item) error {
	if i.node == indexType {
		if err := e.head("__ARRAY_SIZE_TYPE__", btfdump.KindInt, 0, false, 4); err != nil {
			return err
		}
		e.word(32)
		return nil
	}
	n := &e.nodes[i.node]
	switch n.class {
	case classBasic:
		return e.basic(n)
	case classSubroutine:
		return e.prototype(n)
	case classDerived:
		return e.derived(n)
	case classComposite:
		switch n.tag {
		case "structure_type", "union_type":
			return e.record(n)
		case "enumeration_type":
			return e.enum(n)
		case "array_type":
			return e.array(n, i)
		}
	}
	return &FormatError{fmt.Sprintf("!%d, tag %s", i.node, n.tag), "no type that is known"}
}

// opaque writes what BTF has no word for.
func (e *encoder) opaque(n *node) error {
	name := unquote(n.name)
	if name == "" {
		name = n.tag
	}
	return e.head("<"+name+">", btfdump.KindStruct, 0, false, n.size/8)
}

// Encodings of BTF's integers.
const (
	intSigned = 1 << 24
	intBool   = 4 << 24
)

func (e *encoder) basic(n *node) error {
	if n.tag != "" && n.tag != "base_type" || n.size == 0 || n.size > 128 || n.size%8 != 0 {
		return e.opaque(n)
	}
	var encoding uint32
	switch n.encoding {
	case "float":
		return e.head(n.name, btfdump.KindFloat, 0, false, n.size/8)
	case "boolean":
		encoding = intBool
	case "signed", "signed_char":
		encoding = intSigned
	case "unsigned", "unsigned_char":
	default:
		return e.opaque(n)
	}
	if err := e.head(n.name, btfdump.KindInt, 0, false, n.size/8); err != nil {
		return err
	}
	e.word(encoding | uint32(n.size))
	return nil
}

var derivedKinds = map[string]btfdump.Kind{
	"pointer_type": btfdump.KindPtr, "const_type": btfdump.KindConst, "volatile_type": btfdump.KindVolatile,
	"restrict_type": btfdump.KindRestrict, "typedef": btfdump.KindTypedef,
}

func (e *encoder) derived(n *node) error {
	kind, ok := derivedKinds[n.tag]
	switch {
	case n.tag == "atomic_type":
		return e.opaque(n)
	case !ok:
		return &FormatError{n.tag, "no tag that is known"}
	}
	name := ""
	if kind == btfdump.KindTypedef {
		name = n.name
	}
	return e.head(name, kind, 0, false, uint64(e.id(n.base)))
}

func (e *encoder) prototype(n *node) error {
	types, err := e.nodes.tuple(n.elements)
	if err != nil {
		return err
	}
	result := null
	if len(types) > 0 {
		result, types = types[0], types[1:]
	}
	if err := e.head("", btfdump.KindFuncProto, len(types), false, uint64(e.id(result))); err != nil {
		return err
	}
	for _, t := range types {
		e.word(0)
		e.word(e.id(t)) // void, the last, stands for "..." in both
	}
	return nil
}

func (e *encoder) record(n *node) error {
	kind := btfdump.KindStruct
	if n.tag == "union_type" {
		kind = btfdump.KindUnion
	}
	if n.forward {
		return e.head(n.name, btfdump.KindFwd, 0, kind == btfdump.KindUnion, 0)
	}
	elements, err := e.nodes.tuple(n.elements)
	if err != nil {
		return err
	}
	var members []*node
	bitfields := false
	for _, r := range elements {
		m, err := e.nodes.node(r)
		if err != nil {
			return err
		}
		if m.class != classDerived || m.tag != "member" {
			return &FormatError{m.tag, "no member of a record"}
		}
		members = append(members, m)
		bitfields = bitfields || m.bitfield
	}
	if err := e.head(n.name, kind, len(members), bitfields, n.size/8); err != nil {
		return err
	}
	for _, m := range members {
		e.word(e.name(m.name))
		e.word(e.id(m.base))
		place, limit := m.offset, uint64(math.MaxUint32)
		if bitfields {
			limit = 1<<24 - 1
		}
		if m.bitfield {
			place |= m.size << 24
		}
		if m.offset > limit || m.bitfield && m.size > 255 {
			return &FormatError{m.name, fmt.Sprintf("a member at bit %d with bitfields beside it", m.offset)}
		}
		e.word(uint32(place))
	}
	return nil
}

func (e *encoder) enum(n *node) error {
	elements, err := e.nodes.tuple(n.elements)
	if err != nil {
		return err
	}
	size := n.size / 8 // 0 of one that is only declared
	signed := false
	if base, err := e.nodes.node(n.base); err == nil {
		signed = base.encoding == "signed" || base.encoding == "signed_char"
	}
	kind := btfdump.KindEnum
	if size > 4 {
		kind = btfdump.KindEnum64
	}
	if err := e.head(n.name, kind, len(elements), signed, size); err != nil {
		return err
	}
	for _, r := range elements {
		m, err := e.nodes.node(r)
		if err != nil {
			return err
		}
		if m.class != classEnumerator {
			return &FormatError{m.name, "no enumerator"}
		}
		value, err := m.integer()
		if err != nil {
			return err
		}
		e.word(e.name(m.name))
		e.word(uint32(value))
		if kind == btfdump.KindEnum64 {
			e.word(uint32(value >> 32))
		}
	}
	return nil
}

// array writes one dimension of an array, whose elements are the next one.
func (e *encoder) array(n *node, i item) error {
	if n.vector {
		return e.opaque(n)
	}
	dimensions, err := e.nodes.tuple(n.elements)
	if err != nil {
		return err
	}
	if i.dimension >= len(dimensions) {
		return &FormatError{n.tag, "an array without dimensions"}
	}
	count, err := e.nodes.node(dimensions[i.dimension])
	if err != nil {
		return err
	}
	if count.class != classSubrange || count.size > math.MaxUint32 {
		return &FormatError{fmt.Sprintf("!%d", dimensions[i.dimension]), "no number of elements"}
	}
	element := uint32(0)
	if i.dimension+1 < len(dimensions) {
		element = e.push(item{i.node, i.dimension + 1})
	} else {
		element = e.id(n.base)
	}
	if e.index == 0 {
		e.index = e.push(item{node: indexType})
	}
	if err := e.head("", btfdump.KindArray, 0, false, 0); err != nil {
		return err
	}
	e.word(element)
	e.word(e.index)
	e.word(uint32(count.size))
	return nil
}
