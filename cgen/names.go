package cgen

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/hugepages"
)

// naming is which types are one and what each is called in C. It is decided
// over all types of a view, whichever are printed: a type keeps its name in a
// header of a few types.
type naming struct {
	view *btfdump.View
	all  *collection
	// canon is, for each type ID, the one of the types equal to it that is
	// printed. Anonymous types other than enums stand for themselves.
	canon []btfdump.TypeID
	// renamed are the C names of types whose own name is taken, by canonical ID.
	renamed   map[btfdump.TypeID]string
	isRenamed *btfdump.Set // its keys
	badNames  *btfdump.Set // types whose name is no identifier; nil if there are none
	// enumerators are the C names of enumerators whose own name is taken.
	enumerators map[enumeratorID]string
	renamedEnum map[btfdump.TypeID]bool // enums with an entry in enumerators
	// boolEnum is the kernel's enum { false, true }, which stdbool.h and C23
	// replace; 0 if there is none.
	boolEnum btfdump.TypeID
	suffixed [2]map[string]bool // names that end in ___N, by space
	suffix   [2]map[string]int  // the last N given to a name, by space
	room     int                // bytes that names with suffixes may still have
	kfuncs   []kfunc            // sorted by name
	// functions are the names of kfuncs that typedefs have too.
	functions map[string]bool
}

type enumeratorID struct {
	enum  btfdump.TypeID
	index int32
}

// newNaming finds equal types and names all of them.
func newNaming(v *btfdump.View) (*naming, error) {
	all, err := collect(v)
	if err != nil {
		return nil, err
	}
	n := &naming{
		view:        v,
		all:         all,
		canon:       hugepages.Make[btfdump.TypeID](v.NumTypes()),
		renamed:     make(map[btfdump.TypeID]string),
		isRenamed:   v.NewSet(),
		enumerators: make(map[enumeratorID]string),
		renamedEnum: make(map[btfdump.TypeID]bool),
		suffix:      [2]map[string]int{{}, {}},
		room:        6*v.RawLen() + 64<<10,
	}
	n.badNames = n.all.badNames
	for i := range n.canon {
		n.canon[i] = btfdump.TypeID(i)
	}
	// Enumerators are the most numerous names; looking for those that occur
	// twice needs nothing of what follows.
	claimed, kfuncs := make(chan *claims), make(chan []kfunc, 1)
	go func() {
		list := findKfuncs(v)
		kfuncs <- list
		claimed <- n.claimEnumerators(list)
	}()
	n.all.sort()
	n.kfuncs = <-kfuncs
	n.findFunctions()
	var groups [][]named
	n.all.runs(func(name string, run []named) {
		switch {
		case len(run) == 1:
			if n.isReserved(run[0].class.space(), name) || n.isNotStandard(run[0].id, name) {
				groups = append(groups, run)
			}
		case !n.onlyForward(run):
			groups = append(groups, run)
		}
	})
	eq := equality{view: v, budget: v.RawLen() + 1<<20} // kernels need a quarter of a step a byte
	err = eq.refine(groups)
	enumerators := <-claimed
	if err = cmp.Or(enumerators.err, err); err != nil {
		return nil, err
	}
	n.suffixed = n.all.suffixed
	maps.Copy(n.suffixed[ordinarySpace], enumerators.suffixed)
	for _, g := range groups {
		if n.nameGroup(g, &eq); n.room < 0 {
			return nil, typeError(v.Type(g[0].id), errNames)
		}
	}
	for id, first := range enumerators.same {
		n.canon[id] = first
	}
	n.boolEnum = enumerators.boolEnum
	if err := n.settle(enumerators); err != nil {
		return nil, err
	}
	return n, nil
}

// budget is how many steps the walks over all declarations may take together:
// what a real kernel needs is about one a type.
func budget(v *btfdump.View) int { return 16*v.NumTypes() + 1<<20 }

// onlyForward handles the common run of one definition and forward
// declarations of it, or of such declarations alone: they are all one type.
func (n *naming) onlyForward(run []named) bool {
	definition := run[0]
	for _, e := range run[1:] {
		if e.class != definition.class || !e.fwd && !definition.fwd {
			return false
		}
		if !e.fwd || definition.fwd && e.id < definition.id {
			definition = e
		}
	}
	name := n.view.Type(definition.id).Name()
	if n.isReserved(definition.class.space(), name) {
		return false
	}
	for _, e := range run {
		n.canon[e.id] = definition.id
	}
	return true
}

// isReserved reports whether C, a compiler or a kfunc has taken a name, so that a
// type needs a suffix. The kernel's bool is C's: it is left out where that is a
// keyword (see [printer.typedef]).
func (n *naming) isReserved(s space, name string) bool {
	switch {
	case isKeyword(name):
		return true
	case s == tagSpace:
		return isKeywordC23(name) || isTaken(name)
	}
	return isKeywordC23(name) && name != "bool" || isTakenInFile(name) && !isInt128(name) || n.functions[name]
}

// findFunctions finds the kfuncs with the name of a typedef. C has one name space
// for both, in which kfuncs keep their names: loaders know them by nothing else.
func (n *naming) findFunctions() {
	for _, k := range n.kfuncs {
		if n.isTypedef(k.name) {
			if n.functions == nil {
				n.functions = make(map[string]bool)
			}
			n.functions[k.name] = true
		}
	}
}

// plainTypes are types that every compiler has, or a C standard, by their names.
var plainTypes = map[string]string{"bool": "_Bool", "__int128_t": "__int128", "__uint128_t": "unsigned __int128"}

// isNotStandard reports whether a typedef has the name of one of C's standard
// headers, but is another type on BPF, as wchar_t is, and a 32-bit kernel's
// size_t.
func (n *naming) isNotStandard(id btfdump.TypeID, name string) bool {
	if name != "bool" && !strings.HasSuffix(name, "_t") || n.view.Type(id).Kind() != btfdump.KindTypedef {
		return false
	}
	if spelling, ok := plainTypes[name]; ok {
		target := n.view.Type(n.view.Resolve(id))
		return target.Kind() != btfdump.KindInt || intSpelling(target) != spelling
	}
	std, ok := standardTypes[name]
	return ok && std.meaningOf(n.view, id, name) == notC
}

// cluster is a set of types of one name that are equal.
type cluster struct {
	class class
	label hash
	fwd   bool // a forward declaration
	id    btfdump.TypeID
	level int // of the blob that holds the first of them
	size  uint32
	vlen  int
}

// nameGroup makes one of equal types and gives a name to each that remains.
// The plain name goes to a definition before a forward declaration, to the
// base's type before a module's, to a struct before a union, to the larger, to
// that with more members, and else to the one with the smaller label. The
// others get the suffixes ___2, ___3 and so on, which CO-RE ignores.
func (n *naming) nameGroup(group []named, eq *equality) {
	type key struct {
		class class
		label hash
		fwd   bool
	}
	at := make(map[key]int)
	var clusters []cluster
	for _, e := range group {
		t := n.view.Type(e.id)
		k := key{e.class, eq.labelOf(e.id), e.fwd}
		c := cluster{e.class, k.label, e.fwd, e.id, n.view.LevelOf(e.id), t.Size(), t.Vlen()}
		i, ok := at[k]
		switch {
		case !ok:
			at[k] = len(clusters)
			clusters = append(clusters, c)
		case c.id < clusters[i].id:
			clusters[i] = c
		}
	}
	canon := make(map[key]btfdump.TypeID, len(clusters))
	slices.SortFunc(clusters, func(a, b cluster) int {
		return cmp.Or(compareBool(a.fwd, b.fwd), cmp.Compare(a.level, b.level), cmp.Compare(a.class, b.class),
			cmp.Compare(b.size, a.size), cmp.Compare(b.vlen, a.vlen), cmp.Compare(a.label, b.label))
	})
	name, s := n.view.Type(group[0].id).Name(), group[0].class.space()
	plain := !n.isReserved(s, name)
	var first [classNone]btfdump.TypeID // a forward declaration stands for the first definition
	for _, c := range clusters {
		k := key{c.class, c.label, c.fwd}
		if c.fwd && first[c.class] != 0 {
			canon[k] = first[c.class]
			continue
		}
		canon[k] = c.id
		if first[c.class] == 0 {
			first[c.class] = c.id
		}
		if plain && !n.isNotStandard(c.id, name) {
			plain = false
			continue
		}
		n.renamed[c.id] = n.free(s, name)
		n.isRenamed.Add(c.id)
	}
	rank := make(map[btfdump.TypeID]int, len(clusters))
	for i, c := range clusters {
		rank[c.id] = i
	}
	for _, e := range group {
		n.canon[e.id] = canon[key{e.class, eq.labelOf(e.id), e.fwd}]
	}
	// Declarations are visited in the order of the collection: within a name it
	// must be that of the contents, not that of type IDs.
	slices.SortFunc(group, func(a, b named) int {
		return cmp.Compare(rank[n.canon[a.id]], rank[n.canon[b.id]])
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

var errNames = errors.New("its name, and those of other types, need a suffix each so often that the header would be far larger than the BTF")

// free returns the name with the first suffix that nothing else has.
func (n *naming) free(s space, name string) string {
	for {
		i := max(n.suffix[s][name], 1) + 1
		n.suffix[s][name] = i
		candidate := name + "___" + strconv.Itoa(i)
		n.room -= len(candidate)
		if !n.suffixed[s][candidate] {
			n.suffixed[s][candidate] = true
			return candidate
		}
	}
}

// name returns the C name of a named type, by canonical ID.
func (n *naming) name(id btfdump.TypeID) string {
	if n.isRenamed.Has(id) {
		return n.renamed[id]
	}
	return n.view.Type(id).Name()
}

// tagFor makes a tag for an anonymous enum that is not printed where it is used. CO-RE
// takes an enum with a name for one without (bpf_core_fields_are_compat).
func (n *naming) tagFor(t btfdump.Type) string {
	if t.ID() == n.boolEnum {
		for i, e := range t.Enumerators() {
			n.enumerators[enumeratorID{t.ID(), int32(i)}] = n.free(ordinarySpace, e.Name)
		}
		n.renamedEnum[t.ID()] = true
		n.boolEnum = 0 // an ordinary enum from here on
	}
	if t.NumEnumerators() == 0 {
		return n.free(tagSpace, "anon_enum")
	}
	return n.free(tagSpace, "anon_enum_"+t.Enumerator(0).Name)
}

// isTypedef reports whether any typedef has the name.
func (n *naming) isTypedef(name string) bool {
	_, ok := slices.BinarySearchFunc(n.all.named, name, func(e named, name string) int {
		return cmp.Or(strings.Compare(e.name, name), cmp.Compare(e.class.space(), ordinarySpace))
	})
	return ok
}

// TypeError says which type of the BTF can't be written in C.
type TypeError struct {
	ID   btfdump.TypeID
	Kind btfdump.Kind
	Name string
	Err  error
}

func typeError(t btfdump.Type, err error) error {
	return &TypeError{ID: t.ID(), Kind: t.Kind(), Name: t.Name(), Err: err}
}

// Error quotes the name, which may hold anything.
func (e *TypeError) Error() string {
	return fmt.Sprintf("type %d (%s %.80q): %v", e.ID, e.Kind, e.Name, e.Err)
}

func (e *TypeError) Unwrap() error { return e.Err }
