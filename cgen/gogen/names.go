package gogen

import (
	"cmp"
	"errors"
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// names is what each named type and enumerator is called in Go. It is decided
// over all types of a view, so that a type has the same name whatever is
// selected, and by the types' contents, so that IDs don't matter.
//
// Named types and enumerators share one name space in Go. Names made by
// [appendCamel] have no underscore before a letter: so "Parent_Field" is free
// for the type of a member whose type has no name in C, and "Enum_Value" for
// an enumerator whose own name is taken.
type names struct {
	view   *btfdump.View
	prefix string
	// goName is by type ID, "" for types without a name in C or with one that
	// is no identifier.
	goName []string
	// canon leads from a type to the equal one that is declared in its place,
	// and from a typedef of a type with the same Go name to that type.
	canon map[btfdump.TypeID]btfdump.TypeID
	taken map[string]bool // names given to types, and suffixed ones
	// next is, by a name that is taken, the number to try first behind it: all
	// lower ones are taken too.
	next map[string]int

	// anon leads from an enum without a name to the first equal one, owner from
	// that to the one typedef of such an enum; 0 if there are several.
	anon  map[btfdump.TypeID]btfdump.TypeID
	owner map[btfdump.TypeID]btfdump.TypeID
	// valueName are the names of enumerators whose own name is taken.
	valueName map[enumeratorID]string

	maps map[btfdump.TypeID]bool // variables that define maps
}

type enumeratorID struct {
	enum  btfdump.TypeID
	index int
}

// kindRank says which kind keeps a name that several have.
type kindRank uint8

const (
	rankStruct kindRank = iota
	rankUnion
	rankEnum
	rankTypedef
	rankVariable
	rankNone
)

var rankWords = [...]string{"struct", "union", "enum", "typedef", "var"}

func rankOf(t btfdump.Type) kindRank {
	if t.IsForward() {
		return rankNone
	}
	switch t.Kind() {
	case btfdump.KindStruct:
		return rankStruct
	case btfdump.KindUnion:
		return rankUnion
	case btfdump.KindEnum, btfdump.KindEnum64:
		return rankEnum
	case btfdump.KindTypedef:
		return rankTypedef
	case btfdump.KindVar:
		return rankVariable
	}
	return rankNone
}

// A candidate is a type that asks for a name.
type candidate struct {
	goName, cName string
	id            btfdump.TypeID
	rank          kindRank
}

func newNames(v *btfdump.View, prefix string, rename map[string]string) (*names, error) {
	n := &names{
		view: v, prefix: prefix,
		goName:    make([]string, v.NumTypes()),
		canon:     make(map[btfdump.TypeID]btfdump.TypeID),
		taken:     make(map[string]bool, v.NumTypes()/8),
		next:      make(map[string]int),
		anon:      make(map[btfdump.TypeID]btfdump.TypeID),
		owner:     make(map[btfdump.TypeID]btfdump.TypeID),
		valueName: make(map[enumeratorID]string),
		maps:      mapVariables(v),
	}
	claimed := make(chan *claims)
	go func() { claimed <- claimEnumerators(v) }()
	all, err := n.candidates()
	if err != nil {
		<-claimed
		return nil, err
	}
	for _, name := range reserved {
		n.taken[prefix+name] = true
	}
	renames := newRenamer(rename)
	s := &signer{view: v, known: make(map[btfdump.TypeID]string), room: 32*v.RawLen() + 1<<20}
	ambiguous := func(id btfdump.TypeID) bool { return n.goName[id] == "" }
	var groups [][]candidate
	bases := make(map[string]bool, len(all))
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j].goName == all[i].goName {
			j++
		}
		bases[all[i].goName] = true
		if j == i+1 && !n.taken[prefix+all[i].goName] {
			n.give(all[i].id, prefix+all[i].goName)
		} else {
			groups = append(groups, all[i:j])
		}
		i = j
	}
	s.ambiguous = ambiguous
	for _, g := range groups {
		if err := s.signGroup(g); err != nil {
			<-claimed
			return nil, err
		}
	}
	c := <-claimed
	if c.err != nil {
		return nil, c.err
	}
	for _, g := range groups {
		n.nameGroup(g, s, bases)
	}
	err = renames.types(n, all)
	if err := n.nameEnumerators(c, s, renames); err != nil {
		return nil, err
	}
	if err == nil {
		err = cmp.Or(s.err, renames.finish())
	}
	return n, err
}

// maxSameName bounds how many different types ask for one name, and how many
// enumerators that are not in equal enums. Kernels with all of their modules have
// up to 50.
const maxSameName = 1024

var (
	errSameName       = fmt.Errorf("more than %d different types ask for its name: no kernel or program has so many, so the BTF is none of a kernel or program, or damaged", maxSameName)
	errSameEnumerator = fmt.Errorf("more than %d that are not in equal enums ask for its name: no kernel or program has so many, so the BTF is none of a kernel or program, or damaged", maxSameName)
	errSharedNames    = errors.New("its name and those before it share their bytes in the string section so often that they are far longer than the BTF: no compiler writes such BTF")
)

// free returns the name, or if that is taken the first of name_2, name_3 and so
// on that neither is nor is kept for another.
func (n *names) free(name string, kept func(string) bool) string {
	if !n.taken[name] {
		return name
	}
	for i := max(n.next[name], 2); ; i++ {
		if s := name + "_" + strconv.Itoa(i); !n.taken[s] && !kept(s) {
			n.next[name] = i + 1
			return s
		}
	}
}

func (n *names) give(id btfdump.TypeID, name string) {
	n.goName[id] = name
	n.taken[name] = true
}

// candidates returns the types with a name, ordered by the name that they ask
// for.
func (n *names) candidates() ([]candidate, error) {
	var all []candidate
	room := maxNames(n.view)
	var b []byte
	for t := range n.view.All() {
		r := rankOf(t)
		if r == rankNone || !t.HasName() {
			continue
		}
		name := t.Name()
		if !btfdump.IsIdentifier(name) {
			continue // refused where it is used
		}
		if r == rankVariable && !slices.ContainsFunc(holds(n.view, t, n.maps[t.ID()]), func(h held) bool { return isNameless(n.view, h.typ) }) {
			continue // no type is called after it
		}
		if room -= len(name); room < 0 {
			return nil, typeError(t, errSharedNames)
		}
		b = appendCamel(b[:0], name)
		all = append(all, candidate{string(b), name, t.ID(), r})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.goName, b.goName), cmp.Compare(a.rank, b.rank), strings.Compare(a.cName, b.cName))
	})
	return all, nil
}

// identity is what equal types that ask for one name have in common.
type identity struct {
	rank       kindRank
	cName, sig string
}

// signGroup signs types that ask for the same name.
func (s *signer) signGroup(g []candidate) error {
	different := make(map[identity]bool)
	for _, c := range g {
		different[identity{c.rank, c.cName, s.sign(c.id, 0)}] = true
		if s.err == nil && len(different) > maxSameName {
			s.err = typeError(s.view.Type(c.id), errSameName)
		}
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// nameGroup names types that ask for the same name. It goes to the base's type
// before a module's, to a struct before a union, an enum and a typedef, to the
// larger, to that with more members, and else to the one whose signature comes
// first. The others get _2, _3 and so on. Equal types are one.
func (n *names) nameGroup(g []candidate, s *signer, bases map[string]bool) {
	slices.SortStableFunc(g, func(a, b candidate) int {
		x, y := n.view.Type(a.id), n.view.Type(b.id)
		return cmp.Or(
			cmp.Compare(n.view.LevelOf(a.id), n.view.LevelOf(b.id)), cmp.Compare(a.rank, b.rank),
			cmp.Compare(y.Size(), x.Size()), cmp.Compare(y.Vlen(), x.Vlen()), strings.Compare(a.cName, b.cName),
			strings.Compare(s.known[a.id], s.known[b.id]))
	})
	first := make(map[identity]btfdump.TypeID)
	inGroup := make(map[btfdump.TypeID]bool, len(g)) // types that are no typedefs
	for _, c := range g {
		if c.rank != rankTypedef {
			inGroup[c.id] = true
		}
	}
	merge := func(typedefs bool) {
		for _, c := range g {
			if (c.rank == rankTypedef) != typedefs {
				continue
			}
			k := identity{c.rank, c.cName, s.known[c.id]}
			if same, ok := first[k]; ok {
				n.canon[c.id] = n.canonical(same)
				continue
			}
			first[k] = c.id
			// typedef struct foo foo, or enum foo Foo: one Go type is enough.
			target := n.canonical(skipQualifiers(n.view, n.view.Type(c.id).Ref()).ID())
			if typedefs && inGroup[target] {
				n.canon[c.id] = target
			}
		}
	}
	merge(false)
	merge(true)
	for _, c := range g {
		if n.canonical(c.id) != c.id {
			continue
		}
		n.give(c.id, n.free(n.prefix+c.goName, func(s string) bool { return bases[strings.TrimPrefix(s, n.prefix)] }))
	}
	for _, c := range g {
		n.goName[c.id] = n.goName[n.canonical(c.id)]
	}
}

// canonical returns the type that is declared in place of the given one.
func (n *names) canonical(id btfdump.TypeID) btfdump.TypeID {
	if c, ok := n.canon[id]; ok {
		return c
	}
	if c, ok := n.anon[id]; ok {
		return c
	}
	return id
}

// claims is which enumerators ask for which name.
type claims struct {
	first     map[string]enumeratorID
	conflicts map[string][]enumeratorID
	enums     []btfdump.TypeID // those without a name
	typedefs  map[btfdump.TypeID][]btfdump.TypeID
	err       error
}

// claimEnumerators collects the names of all enumerators. It runs beside the
// naming of types.
func claimEnumerators(v *btfdump.View) *claims {
	count := 0
	for t := range v.All() {
		count += t.NumEnumerators()
	}
	c := &claims{
		first:     make(map[string]enumeratorID, count),
		conflicts: make(map[string][]enumeratorID),
		typedefs:  make(map[btfdump.TypeID][]btfdump.TypeID),
	}
	var b []byte
	room := maxNames(v)
	for t := range v.All() {
		switch k := t.Kind(); {
		case k == btfdump.KindTypedef:
			if target := skipQualifiers(v, t.Ref()); target.Kind().IsEnum() && !target.HasName() && !target.IsForward() {
				c.typedefs[target.ID()] = append(c.typedefs[target.ID()], t.ID())
			}
			continue
		case !k.IsEnum(), t.IsForward():
			continue
		}
		if !t.HasName() {
			c.enums = append(c.enums, t.ID())
		}
		for i := range t.NumEnumerators() {
			name := t.Enumerator(i).Name
			if !btfdump.IsIdentifier(name) {
				continue // refused where it is printed
			}
			if room -= len(name); room < 0 {
				c.err = typeError(t, errSharedNames)
				return c
			}
			b = appendCamel(b[:0], name)
			e := enumeratorID{t.ID(), i}
			if old, ok := c.first[string(b)]; ok {
				list := c.conflicts[string(b)]
				if list == nil {
					list = append(list, old)
				}
				c.conflicts[string(b)] = append(list, e)
				continue
			}
			c.first[string(b)] = e
		}
	}
	return c
}

// nameEnumerators decides which enumerators don't get the name they ask for:
// those whose name a type has, and all but the first of several.
func (n *names) nameEnumerators(c *claims, s *signer, r *renamer) error {
	bySignature := make(map[string]btfdump.TypeID)
	for _, id := range c.enums {
		sig := s.enum(n.view.Type(id))
		first, ok := bySignature[sig]
		if !ok {
			first = id
			bySignature[sig] = id
		} else {
			n.anon[id] = first
		}
		for _, typedef := range c.typedefs[id] {
			typedef = n.canonical(typedef)
			if old, ok := n.owner[first]; ok && old != typedef {
				typedef = 0
			}
			n.owner[first] = typedef
		}
	}
	for name, e := range c.first {
		if n.taken[n.prefix+name] && c.conflicts[name] == nil {
			c.conflicts[name] = []enumeratorID{e}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.conflicts)) {
		list := slices.DeleteFunc(c.conflicts[name], func(e enumeratorID) bool { return n.canonical(e.enum) != e.enum })
		if len(list) > maxSameName {
			e := list[0]
			return typeError(n.view.Type(e.enum), fmt.Errorf("enumerator %.80q: %w", n.view.Type(e.enum).Enumerator(e.index).Name, errSameEnumerator))
		}
		type sortable struct {
			enumeratorID
			level int
			typ   string
			sig   string
		}
		keys := make([]sortable, len(list))
		for i, e := range list {
			keys[i] = sortable{e, n.view.LevelOf(e.enum), n.enumType(e.enum), s.enum(n.view.Type(e.enum))}
		}
		slices.SortFunc(keys, func(a, b sortable) int {
			return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(boolInt(a.typ == ""), boolInt(b.typ == "")),
				strings.Compare(a.typ, b.typ), strings.Compare(a.sig, b.sig), cmp.Compare(a.index, b.index))
		})
		for i, k := range keys {
			if i == 0 && !n.taken[n.prefix+name] {
				continue
			}
			base := n.prefix + name
			if k.typ != "" {
				base = k.typ + "_" + name
			}
			free := base
			if n.taken[free] || c.has(strings.TrimPrefix(free, n.prefix)) {
				n.taken[base] = true
				free = n.free(base, func(s string) bool { return c.has(strings.TrimPrefix(s, n.prefix)) })
			}
			n.taken[free] = true
			n.valueName[k.enumeratorID] = free
		}
	}
	r.enumerators(n, c)
	return nil
}

func (c *claims) has(name string) bool {
	_, ok := c.first[name]
	return ok
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// enumType returns the name of the Go type that an enum's constants have, ""
// if they have none.
func (n *names) enumType(id btfdump.TypeID) string {
	if name := n.goName[id]; name != "" {
		return name
	}
	if owner := n.owner[n.canonical(id)]; owner != 0 {
		return n.goName[owner]
	}
	return ""
}

// enumerator returns the Go name of an enumerator, by the ID of an enum that
// stands for itself.
func (n *names) enumerator(id btfdump.TypeID, index int, cName string) string {
	if len(n.valueName) > 0 {
		if name, ok := n.valueName[enumeratorID{id, index}]; ok {
			return name
		}
	}
	return n.prefix + camel(cName)
}

// A renamer gives the names that the user wants.
type renamer struct {
	want map[string]string // C name, perhaps with the kind before it → Go name
	used map[string]bool
	err  error
}

func newRenamer(want map[string]string) *renamer {
	return &renamer{want: want, used: make(map[string]bool)}
}

func (r *renamer) types(n *names, all []candidate) error {
	if len(r.want) == 0 {
		return nil
	}
	for _, c := range all {
		if n.canonical(c.id) != c.id {
			continue
		}
		for _, key := range []string{rankWords[c.rank] + " " + c.cName, c.cName} {
			name, ok := r.want[key]
			if !ok {
				continue
			}
			if r.used[key] {
				return fmt.Errorf("%q names several types: say which with struct, union, enum, typedef or var before it, if they are of different kinds", key)
			}
			r.used[key] = true
			r.check(n, name)
			delete(n.taken, n.goName[c.id])
			n.give(c.id, name)
			break
		}
	}
	for id, same := range n.canon {
		n.goName[id] = n.goName[same]
	}
	return r.err
}

func (r *renamer) check(n *names, name string) {
	if r.err != nil {
		return
	}
	switch {
	case strings.Contains(name, "_"):
		r.err = fmt.Errorf("the name %q has an underscore, which is kept for names that are made up", name)
	case !btfdump.IsIdentifier(name) || token.IsKeyword(name) || name == "_" || name == "init" || name == "main":
		r.err = fmt.Errorf("%q can't be the name of a Go type or constant", name)
	case n.taken[name] || slices.Contains(reserved, name):
		r.err = fmt.Errorf("the name %s is taken by another type or constant", name)
	}
}

func (r *renamer) enumerators(n *names, c *claims) {
	for _, old := range slices.Sorted(maps.Keys(r.want)) {
		if r.used[old] || !btfdump.IsIdentifier(old) {
			continue
		}
		list := c.conflicts[camel(old)]
		if list == nil {
			if e, ok := c.first[camel(old)]; ok {
				list = []enumeratorID{e}
			}
		}
		for _, e := range list {
			if n.canonical(e.enum) != e.enum || n.view.Type(e.enum).Enumerator(e.index).Name != old {
				continue
			}
			if r.used[old] {
				r.err = fmt.Errorf("%q names enumerators of several enums: they can't be renamed", old)
			}
			r.used[old] = true
			if name := r.want[old]; !c.has(strings.TrimPrefix(name, n.prefix)) {
				r.check(n, name)
				n.taken[name] = true
				n.valueName[e] = name
			} else {
				r.err = fmt.Errorf("the name %s is taken by another type or constant", name)
			}
		}
	}
}

func (r *renamer) finish() error {
	for _, old := range slices.Sorted(maps.Keys(r.want)) {
		if r.err == nil && !r.used[old] {
			return fmt.Errorf("there is no type and no enumerator %q to be renamed to %s", old, r.want[old])
		}
	}
	return r.err
}
