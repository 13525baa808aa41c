package btfdump

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A Pruning is a selection of a view's types, and of their parts: what
// relocations look at, which is little of a kernel. It may be used by one
// goroutine at a time.
//
// Of a type that is in it only because another refers to it, there is the kind,
// the size, and what else a value's layout depends on. Records are without
// members and name then, enums without enumerators, pointers and prototypes
// refer to void. Typedefs, qualifiers and type tags are skipped. Members that
// are kept stay at their offsets, and records have the size that they have in
// the view.
type Pruning struct {
	view  *View
	parts map[TypeID]*parts
}

// parts say what is kept of a type.
type parts struct {
	root     bool         // it is there by itself
	named    bool         // with its name
	distinct bool         // even if another type is the same
	targets  bool         // of a pointer or prototype: what it refers to
	elements map[int]bool // members, enumerators
}

// NewPruning returns an empty selection.
func NewPruning(view *View) *Pruning {
	return &Pruning{view: view, parts: make(map[TypeID]*parts)}
}

func (p *Pruning) of(id TypeID) *parts {
	at := p.parts[id]
	if at == nil {
		at = &parts{}
		p.parts[id] = at
	}
	return at
}

// Root keeps a type with its name. A typedef's target is kept without those
// that lie between.
func (p *Pruning) Root(id TypeID) { p.of(id).root, p.of(id).named = true, true }

// Name keeps a record's name, should the record be kept. Other kinds have
// their names anyway.
func (p *Pruning) Name(id TypeID) { p.of(id).named = true }

// Distinct keeps a root apart from others that look the same.
func (p *Pruning) Distinct(id TypeID) { p.of(id).distinct = true }

// Targets keeps what a pointer refers to, or a prototype's parameters and
// result, should the type be kept.
func (p *Pruning) Targets(id TypeID) { p.of(id).targets = true }

// Element keeps the member or enumerator with index i of a type, should the
// type be kept.
func (p *Pruning) Element(id TypeID, i int) {
	at := p.of(id)
	if at.elements == nil {
		at.elements = make(map[int]bool)
	}
	at.elements[i] = true
}

// Bytes returns the selection as BTF that stands on no base, in the view's byte
// order. Types that don't differ are there once, and so are strings. The order
// is by name, types without one first, and the bytes depend on what is selected
// but not on its IDs in the view.
//
// The error is that of a view with kinds that this package does not know, or of
// types that nest deeper than those of any kernel.
func (p *Pruning) Bytes() ([]byte, error) {
	g := pruned{Pruning: p, index: make(map[TypeID]int)}
	for _, id := range slices.Sorted(maps.Keys(p.parts)) {
		if p.parts[id].root {
			g.node(id)
		}
	}
	for i := 0; i < len(g.nodes); i++ { // the list grows
		if err := g.expand(i); err != nil {
			return nil, err
		}
	}
	if err := g.complete(); err != nil {
		return nil, err
	}
	if err := g.label(); err != nil {
		return nil, err
	}
	return g.bytes()
}

// pruned is a selection as a graph.
type pruned struct {
	*Pruning
	nodes []prunedType
	index map[TypeID]int // of each type's node
}

// A prunedType is a type as it will be written.
type prunedType struct {
	Type
	name     string
	distinct bool
	label    uint64 // a hash of all that can be reached from it
	words    []prunedWord
}

// A prunedWord is one word of a type, after the first, which is the name.
type prunedWord struct {
	kind  wordKind
	value uint32 // a plain word, or the index of a node
	text  string
}

type wordKind uint8

const (
	plainWord wordKind = iota
	textWord
	refWord
	voidWord
	indexWord // of an array: any int will do
)

// node returns the index of the node of a type, which it adds if it is new.
func (g *pruned) node(id TypeID) int {
	i, ok := g.index[id]
	if !ok {
		i = len(g.nodes)
		g.index[id] = i
		g.nodes = append(g.nodes, prunedType{Type: g.view.Type(id)})
	}
	return i
}

// ref is a word with the ID of a type's node.
func (g *pruned) ref(id TypeID) prunedWord {
	if id = g.view.Resolve(id); id == 0 {
		return prunedWord{kind: voidWord}
	}
	return prunedWord{kind: refWord, value: uint32(g.node(id))}
}

func plain(word uint32) prunedWord { return prunedWord{value: word} }

// intBits are the bits of an int's last word that mean something. Ints that
// differ in others are the same.
const intBits = 0x0fff00ff

// expand decides on a node's words.
func (g *pruned) expand(i int) error {
	t := g.nodes[i].Type
	keep := g.parts[t.id]
	if keep == nil {
		keep = &parts{}
	}
	k := t.Kind()
	if k >= numKinds {
		return &FormatError{ID: t.id, Kind: k, Msg: "types of this kind can't be renumbered, since nothing tells where they refer to others"}
	}
	name, info, flag := t.Name(), uint32(k)<<24, t.info&(1<<31)
	var words []prunedWord
	switch {
	case k.IsRecord():
		if !keep.named {
			name = ""
		}
		members := slices.Sorted(maps.Keys(keep.elements))
		if len(members) > 0 {
			info |= flag
		}
		info |= uint32(len(members))
		words = append(words, plain(info), plain(t.Size()))
		for _, m := range members {
			at := 12 + 12*uint32(m)
			words = append(words, prunedWord{kind: textWord, text: t.level.name(t.u32(at))}, g.ref(t.level.global(TypeID(t.u32(at+4)))), plain(t.u32(at+8)))
		}
	case k.IsEnum():
		enumerators := slices.Sorted(maps.Keys(keep.elements))
		words = append(words, plain(info|flag|uint32(len(enumerators))), plain(t.Size()))
		elem := uint32(wireSizes[k].elem)
		for _, e := range enumerators {
			at := 12 + elem*uint32(e)
			words = append(words, prunedWord{kind: textWord, text: t.level.name(t.u32(at))})
			for rest := uint32(4); rest < elem; rest += 4 {
				words = append(words, plain(t.u32(at+rest)))
			}
		}
	case k == KindArray:
		words = append(words, plain(info), plain(0), g.ref(t.Ref()), prunedWord{kind: indexWord}, plain(t.ArrayLen()))
	case k == KindPtr && !keep.targets:
		words = append(words, plain(info), prunedWord{kind: voidWord})
	case k == KindFuncProto && !keep.targets:
		words = append(words, plain(info), prunedWord{kind: voidWord})
	case k == KindFuncProto:
		words = append(words, plain(info|uint32(t.NumParams())), g.ref(t.Ref()))
		for _, param := range t.Params() {
			ref := g.ref(param.Type)
			if ref.kind == voidWord && param.Type != 0 {
				// C has no parameter that is void. But void itself would
				// stand for variable arguments.
				ref = prunedWord{kind: refWord, value: uint32(g.node(param.Type))}
			}
			words = append(words, prunedWord{kind: textWord}, ref)
		}
	case k == KindFunc:
		words = append(words, plain(info|uint32(t.Linkage())), g.ref(t.Ref()))
	case k.IsModifier():
		words = append(words, plain(info), g.ref(t.Ref()))
	case k == KindPtr:
		words = append(words, plain(info), g.ref(t.Ref()))
	case k == KindInt, k == KindFloat, k == KindFwd:
		words = append(words, plain(info|flag), plain(t.u32(8)))
		if k == KindInt {
			words = append(words, plain(t.u32(12)&intBits))
		}
	default:
		return &FormatError{ID: t.id, Kind: k, Name: name, Msg: "no type refers to those of this kind, so they can't be a part of one"}
	}
	n := &g.nodes[i]
	n.name, n.distinct, n.words = name, keep.distinct, words
	return nil
}

// complete adds the ints that are there for no type: that of the indexes of
// arrays, if there is no other, and one that tells the size of pointers, where
// that is not the usual one.
func (g *pruned) complete() error {
	has := func(what func(t Type) bool) bool {
		return slices.ContainsFunc(g.nodes, func(n prunedType) bool { return what(n.Type) })
	}
	before := len(g.nodes)
	isInt := func(t Type) bool { return t.Kind() == KindInt }
	tellsSize := func(t Type) bool { return isInt(t) && int(t.Size()) == g.view.PointerSize() && isLong(t.Name()) }
	unusual := has(func(t Type) bool { return t.Kind() == KindPtr }) && g.view.PointerSize() != 8
	if (unusual || has(g.misleads)) && !has(tellsSize) {
		var long Type
		for t := range g.view.All() {
			if tellsSize(t) && (long.id == 0 || t.Name() < long.Name() || t.Name() == long.Name() && t.u32(12) < long.u32(12)) {
				long = t
			}
		}
		if long.id != 0 {
			g.node(long.id)
		}
	}
	if !has(isInt) {
		for i := range before {
			if t := g.view.Type(g.view.Resolve(g.nodes[i].ArrayIndex())); isInt(t) {
				g.node(t.id)
			}
		}
	}
	for i := before; i < len(g.nodes); i++ {
		if err := g.expand(i); err != nil {
			return err
		}
	}
	return nil
}

// maxPrunedWork is how many words may be hashed to label the types of a
// selection: some hundred times what the largest object needs.
const maxPrunedWork = 1 << 28

// label gives the nodes labels that are the same for types that look the same,
// however far one goes from them. Types may refer to each other in circles, so
// the labels are refined, by those of what a node refers to, until there are no
// more of them.
func (g *pruned) label() error {
	words := 1
	own := make([]uint64, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		h := hashText(hashStart, n.name)
		for _, w := range n.words {
			h = hashText(hashWord(hashWord(h, uint64(w.kind)), uint64(w.plain())), w.text)
		}
		own[i], n.label = h, h
		words += len(n.words)
	}
	for known, work := 0, 0; ; work += words {
		distinct := make(map[uint64]bool, len(g.nodes))
		for i := range g.nodes {
			distinct[g.nodes[i].label] = true
		}
		if len(distinct) == known {
			return nil
		}
		if known = len(distinct); work > maxPrunedWork {
			return errors.New("the selected types nest too deeply to be told apart")
		}
		next := make([]uint64, len(g.nodes))
		for i := range g.nodes {
			h := own[i]
			for _, w := range g.nodes[i].words {
				if w.kind == refWord {
					h = hashWord(h, g.nodes[w.value].label)
				}
			}
			next[i] = h
		}
		for i := range next {
			g.nodes[i].label = next[i]
		}
	}
}

func (w *prunedWord) plain() uint32 {
	if w.kind == plainWord {
		return w.value
	}
	return 0
}

// The hash has no secret, for the order of the output follows from it. Text goes
// into it as in FNV-1a, and words through the last steps of MurmurHash3, whose
// bits all depend on each other: a pointer to an array must not have the hash of
// an array of pointers.
const hashStart = 14695981039346656037

func hashWord(h, word uint64) uint64 {
	h = h*31 + word
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func hashText(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return hashWord(h, uint64(len(s)))
}

// bytes writes one type a label, and those of the same label that are to be
// distinct.
func (g *pruned) bytes() ([]byte, error) {
	order := make([]int, len(g.nodes))
	for i := range order {
		order[i] = i
	}
	compare := func(a, b int) int {
		x, y := &g.nodes[a], &g.nodes[b]
		return cmp.Or(boolCompare(g.misleads(x.Type), g.misleads(y.Type)), cmp.Compare(x.name, y.name), cmp.Compare(x.Kind(), y.Kind()), cmp.Compare(x.label, y.label))
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(compare(a, b), boolCompare(g.nodes[b].distinct, g.nodes[a].distinct))
	})

	ids := make([]uint32, len(g.nodes)) // by which a node is referred to
	var first, written []int            // the first node of each one's label; those that are written
	anyInt := uint32(0)
	for at, i := range order {
		isFirst := at == 0 || compare(order[at-1], i) != 0
		if isFirst {
			first = append(first, i)
		} else {
			first = append(first, first[at-1])
		}
		if isFirst || g.nodes[i].distinct {
			written = append(written, i)
		}
		if isFirst {
			ids[i] = uint32(len(written))
		}
		ids[i] = ids[first[at]]
		if anyInt == 0 && g.nodes[i].Kind() == KindInt {
			anyInt = ids[i]
		}
	}
	if uint64(len(written)) >= maxTypes { // an int may have 32 bits
		return nil, formatErrorf("more than 2^31 types")
	}

	w := newWriter(g.view)
	var types []byte
	// A string that ends another could be a part of it. But cilium/ebpf refuses
	// names that start amid others.
	encode := func(to []byte, i int) []byte {
		n := &g.nodes[i]
		to = w.order.AppendUint32(to, w.name(n.name))
		for _, word := range n.words {
			value := word.value
			switch word.kind {
			case textWord:
				value = w.name(word.text)
			case refWord:
				value = ids[word.value]
			case voidWord:
				value = 0
			case indexWord:
				value = anyInt
			}
			to = w.order.AppendUint32(to, value)
		}
		return to
	}
	for _, i := range written {
		types = encode(types, i)
	}
	for at, i := range order {
		if f := first[at]; i != f && string(encode(nil, i)) != string(encode(nil, f)) {
			return nil, fmt.Errorf("types %d and %d of the view differ and have the same hash", g.nodes[f].id, g.nodes[i].id)
		}
	}
	return w.blob(types)
}

// misleads reports whether an int tells a size of pointers that is not the
// view's, where it comes first. No kernel has such an int.
func (g *pruned) misleads(t Type) bool {
	return t.Kind() == KindInt && (t.Size() == 4 || t.Size() == 8) && int(t.Size()) != g.view.PointerSize() && isLong(t.Name())
}

// boolCompare sorts false first.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
