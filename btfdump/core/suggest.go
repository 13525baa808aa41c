package core

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/xrash/smetrics"
)

// What a kernel has instead of what a program asks for.

const (
	// minLikeness is the Jaro-Winkler similarity from which on a name is taken
	// for another form of a name.
	minLikeness    = 0.85
	maxSuggestions = 3
	// maxSearched is how many members are looked at for one that has moved.
	maxSearched = 1 << 14
)

// explanation is what there is to say about an access that is missing.
type explanation struct {
	reason  string
	instead []string
	fix     string
}

// explain says why a relocation finds nothing. With detail it looks for what
// there is instead.
func (r *run) explain(i int, detail bool) explanation {
	reloc := &r.Relocations[i]
	root := r.View.Type(reloc.Type)
	local, err := localSpec(r.View, reloc)
	if err != nil {
		return explanation{reason: err.Error()}
	}
	name := EssentialName(root.Name())
	candidates := r.kernel.Target.Candidates(name, root.Kind())
	if len(candidates) == 0 {
		e := explanation{reason: fmt.Sprintf("the kernel has no %s", kindAndName(root, name))}
		if detail {
			e.instead = r.likeTypes(name, root.Kind())
			e.fix = guardFix(r.View, reloc, local)
		}
		return e
	}
	switch {
	case reloc.Kind.IsEnumval():
		return r.explainEnumerator(reloc, local, candidates[0], detail)
	case reloc.Kind.IsType():
		return explanation{reason: fmt.Sprintf("the kernel's %s is not compatible with the object's", kindAndName(root, name))}
	}
	return r.explainField(reloc, local, candidates, detail)
}

func kindAndName(t btfdump.Type, name string) string {
	kind := t.Kind().String()
	if t.Kind() == btfdump.KindEnum64 {
		kind = "enum"
	}
	return kind + " " + plainName(name)
}

// broken is where a path of an object ends in a kernel's types.
type broken struct {
	depth  int            // how many steps were found
	record btfdump.TypeID // the kernel's record that lacks the next one's member, 0 if it is not lacking
	found  btfdump.Member // what is there under its name, of another type
	reason string
}

// explainField says where a path breaks, and what may be taken instead.
func (r *run) explainField(reloc *Relocation, local *spec, candidates []btfdump.TypeID, detail bool) explanation {
	best := broken{depth: -1}
	var at btfdump.TypeID
	for _, c := range candidates[:min(len(candidates), 8)] {
		if b := r.breaks(local, c); b.depth > best.depth {
			best, at = b, c
		}
	}
	e := explanation{reason: best.reason}
	if !detail {
		return e
	}
	var alternatives []alternative
	if best.record != 0 {
		alternatives = r.alternatives(local, best, at)
		for _, a := range alternatives[:min(len(alternatives), maxSuggestions)] {
			e.instead = append(e.instead, a.describe(r.kernel.Target.View))
		}
	}
	for _, a := range alternatives {
		if e.fix = r.flavourFix(reloc, local, at, a); e.fix != "" {
			return e
		}
	}
	e.fix = guardFix(r.View, reloc, local)
	return e
}

// breaks follows a path in the kernel's types by names, as far as it goes.
func (r *run) breaks(local *spec, root btfdump.TypeID) broken {
	v := r.kernel.Target.View
	budget := maxSearched
	c := comparer{local: r.View, target: v, budget: &budget}
	id := v.Resolve(root)
	for n, step := range local.steps {
		if n == 0 {
			continue
		}
		t := v.Type(id)
		if step.name == "" {
			if t.Kind() != btfdump.KindArray {
				return broken{depth: n, reason: fmt.Sprintf("the kernel has %s where the object has an array", describeType(v, id))}
			}
			if step.Index >= t.ArrayLen() && t.ArrayLen() > 0 {
				return broken{depth: n, reason: fmt.Sprintf("the array has %d elements in this kernel", t.ArrayLen())}
			}
			id = v.Resolve(t.Ref())
			continue
		}
		path, ok := findMember(v, id, step.name, &budget)
		if !ok {
			return broken{depth: n, record: id, reason: fmt.Sprintf("%s has no member %s in this kernel", typeName(v, id), plainName(step.name))}
		}
		m := path[len(path)-1]
		localType := r.View.Type(step.Type).Member(int(step.Index)).Type
		if same, _ := c.fields(localType, m.Type); !same {
			return broken{depth: n, record: id, found: m, reason: fmt.Sprintf("member %s of %s is %s in this kernel, and %s in the object", plainName(step.name), typeName(v, id), describeType(v, m.Type), describeType(r.View, localType))}
		}
		id = v.Resolve(m.Type)
	}
	return broken{depth: len(local.steps), reason: "the kernel has it in another form"}
}

// findMember finds a member by its name, which may be in members without one.
// The path has those too.
func findMember(v *btfdump.View, record btfdump.TypeID, name string, budget *int) (path []btfdump.Member, ok bool) {
	t := v.Type(record)
	if !t.Kind().IsRecord() {
		return nil, false
	}
	for _, m := range t.Members() {
		if *budget--; *budget < 0 {
			return nil, false
		}
		switch m.Name {
		case name:
			return []btfdump.Member{m}, true
		case "":
			if rest, ok := findMember(v, v.Resolve(m.Type), name, budget); ok {
				return append([]btfdump.Member{m}, rest...), true
			}
		}
	}
	return nil, false
}

// alternative is a member of the kernel that may be what an object means.
type alternative struct {
	prefix  []pathMember // from the root to the record that lacks the member
	path    []pathMember // from there
	why     string
	quality int  // the lower the better
	whole   bool // it stands for all the rest of the object's path, not for one step of it
}

// pathMember is a member on a path, and whether a pointer is followed behind it.
type pathMember struct {
	btfdump.Member
	record  btfdump.TypeID // that it is a member of
	pointer bool
}

// spell writes a path as C, without members that have no name.
func spell(path []pathMember) string {
	var b strings.Builder
	link := ""
	for _, m := range path {
		if m.Name == "" {
			continue
		}
		b.WriteString(link + plainName(m.Name))
		link = "."
		if m.pointer {
			link = "->"
		}
	}
	return b.String()
}

func (a *alternative) describe(v *btfdump.View) string {
	m := a.path[len(a.path)-1]
	return fmt.Sprintf("%s (%s): %s", spell(a.path), describeType(v, m.Type), a.why)
}

// alternatives looks for members of the kernel's record that could be what the
// object means, the most likely first.
func (r *run) alternatives(local *spec, b broken, root btfdump.TypeID) []alternative {
	v := r.kernel.Target.View
	step := local.steps[b.depth]
	mine := r.View.Type(step.Type)
	wanted := mine.Member(int(step.Index))
	prefix, ok := r.prefix(local, b.depth, root)
	if !ok {
		return nil
	}
	if b.found.Name != "" {
		budget := maxSearched
		path, _ := findMember(v, b.record, b.found.Name, &budget)
		return []alternative{{prefix: prefix, path: asPath(v, b.record, path), why: "it has another type"}}
	}
	known := make(map[string]bool)
	for _, m := range mine.Members() {
		known[m.Name] = true
	}
	budget := maxSteps
	c := comparer{local: r.View, target: v, budget: &budget}
	alike := func(id btfdump.TypeID) bool { return c.alike(wanted.Type, id) }
	// What a member of a member is called where it has become one of the record.
	last := local.last()
	flat := ""
	if b.depth < len(local.steps)-1 && last.name != "" {
		flat = wanted.Name + "_" + last.name
	}
	var found []alternative
	add := func(path []pathMember, quality int, why string) {
		found = append(found, alternative{prefix: prefix, path: slices.Clone(path), why: why, quality: quality})
	}
	seen := make(map[btfdump.TypeID]bool)
	left := maxSearched
	var search func(record btfdump.TypeID, path []pathMember, depth int, behindPointer bool)
	search = func(record btfdump.TypeID, path []pathMember, depth int, behindPointer bool) {
		record = v.Resolve(record)
		t := v.Type(record)
		if !t.Kind().IsRecord() || depth > 4 || seen[record] {
			return
		}
		seen[record] = true
		own := true // it is the record itself, or a part of it without a name
		for _, m := range path {
			own = own && m.Name == ""
		}
		for _, m := range t.Members() {
			if left--; left < 0 {
				return
			}
			here := append(path, pathMember{Member: m, record: record})
			inner := v.Type(v.Resolve(m.Type))
			switch {
			case own && flat != "" && nameLikeness(flat, m.Name) >= minLikeness && c.alike(r.View.Type(last.Type).Member(int(last.Index)).Type, m.Type):
				add(here, 2, "its name is like "+plainName(flat))
				found[len(found)-1].whole = true
			case own && m.Name != "" && !known[m.Name] && alike(m.Type):
				place := uint64(0)
				for _, p := range here {
					place += uint64(p.BitOffset)
				}
				likeness := nameLikeness(wanted.Name, m.Name)
				switch {
				case likeness >= 1:
					add(here, 1, "its name is the same but for underscores")
				case likeness >= minLikeness:
					add(here, 2, "its name is like it")
				case place == uint64(wanted.BitOffset) && describeType(v, m.Type) == describeType(r.View, wanted.Type):
					add(here, 3, "it has the same type and offset")
				}
			case !own && m.Name == wanted.Name && alike(m.Type):
				if behindPointer {
					add(here, 4, "it has moved behind a pointer")
				} else {
					add(here, 0, "it has moved into "+plainName(lastNamed(path)))
				}
			}
			if inner.Kind().IsRecord() {
				search(inner.ID(), here, depth+1, behindPointer)
			}
		}
	}
	search(b.record, nil, 0, false)
	// One pointer further, where nothing nearer was found.
	if len(found) == 0 && len(wanted.Name) > 1 {
		for _, m := range v.Type(b.record).Members() {
			pointer := v.Type(v.Resolve(m.Type))
			if pointer.Kind() == btfdump.KindPtr && m.Name != "" && len(found) < maxSuggestions {
				search(pointer.Ref(), []pathMember{{Member: m, record: b.record, pointer: true}}, 3, true)
			}
		}
	}
	name := wanted.Name
	if flat != "" {
		name = flat
	}
	slices.SortStableFunc(found, func(x, y alternative) int {
		return cmp.Or(cmp.Compare(x.quality, y.quality), cmp.Compare(len(x.path), len(y.path)),
			cmp.Compare(nameLikeness(name, y.path[len(y.path)-1].Name), nameLikeness(name, x.path[len(x.path)-1].Name)))
	})
	return found
}

// alike reports whether a member of one type can be read in place of one of the
// other.
func (c *comparer) alike(local, target btfdump.TypeID) bool {
	same, _ := c.fields(local, target)
	return same
}

func lastNamed(path []pathMember) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i].Name != "" {
			return path[i].Name
		}
	}
	return ""
}

// prefix follows the steps of a path before a depth in the kernel's types. ok is
// false if there is an element of an array among them.
func (r *run) prefix(local *spec, depth int, root btfdump.TypeID) (prefix []pathMember, ok bool) {
	v := r.kernel.Target.View
	budget := maxSearched
	id := v.Resolve(root)
	for n, step := range local.steps[:depth] {
		if n == 0 {
			if step.Index != 0 {
				return nil, false
			}
			continue
		}
		path, ok := findMember(v, id, step.name, &budget)
		if step.name == "" || !ok {
			return nil, false
		}
		prefix = append(prefix, asPath(v, id, path)...)
		id = v.Resolve(path[len(path)-1].Type)
	}
	return prefix, true
}

func asPath(v *btfdump.View, record btfdump.TypeID, members []btfdump.Member) []pathMember {
	var path []pathMember
	for _, m := range members {
		path = append(path, pathMember{Member: m, record: record})
		record = v.Resolve(m.Type)
	}
	return path
}

// nameLikeness compares two names: 1 if they differ in leading and trailing
// underscores only.
func nameLikeness(a, b string) float64 {
	a, b = strings.ToLower(strings.Trim(a, "_")), strings.ToLower(strings.Trim(b, "_"))
	if len(a) > maxName || len(b) > maxName || a == "" || b == "" {
		return 0
	}
	if a == b {
		return 1
	}
	return min(smetrics.JaroWinkler(a, b, 0.7, 4), 0.99)
}

// explainEnumerator says what an enum has instead of an enumerator.
func (r *run) explainEnumerator(reloc *Relocation, local *spec, candidate btfdump.TypeID, detail bool) explanation {
	v := r.kernel.Target.View
	want := EssentialName(local.steps[0].name)
	t := v.Type(v.Resolve(candidate))
	e := explanation{reason: fmt.Sprintf("%s has no %s in this kernel", typeName(v, t.ID()), plainName(want))}
	if !detail {
		return e
	}
	e.fix = guardFix(r.View, reloc, local)
	type like struct {
		name     string
		likeness float64
	}
	var found []like
	for _, x := range t.Enumerators() {
		if l := nameLikeness(want, x.Name); l >= 0.93 && btfdump.IsIdentifier(x.Name) { // enumerators share their beginnings
			found = append(found, like{x.Name, l})
		}
	}
	slices.SortStableFunc(found, func(a, b like) int { return cmp.Compare(b.likeness, a.likeness) })
	for _, f := range found[:min(len(found), maxSuggestions)] {
		e.instead = append(e.instead, f.name+": its name is like it")
	}
	return e
}

// likeTypes returns types of the kernel with a name like the given one.
func (r *run) likeTypes(name string, kind btfdump.Kind) []string {
	return r.kernel.like(name, func(t btfdump.Type) bool { return sameKind(t.Kind(), kind) }, kind)
}

// likeFunctions returns functions of the kernel with a name like the given one.
func (k *Kernel) likeFunctions(name string) []string {
	return k.like(name, func(t btfdump.Type) bool { return t.Kind() == btfdump.KindFunc }, btfdump.KindFunc)
}

// like returns the names of the kernel's types that are most like a name. It
// remembers what was asked.
func (k *Kernel) like(name string, wanted func(btfdump.Type) bool, kind btfdump.Kind) []string {
	type question struct {
		name string
		kind btfdump.Kind
	}
	if names, ok := k.names.Load(question{name, kind}); ok {
		return names.([]string)
	}
	var found []likeName
	if len(name) > 3 && len(name) <= maxName {
		if k.asked.Add(1) <= fewQuestions {
			found = likeAmong(name, k.Target.View, wanted)
		} else {
			index, _ := k.indexes.LoadOrStore(kind, sync.OnceValue(func() *nameIndex { return newNameIndex(k.Target.View, wanted) }))
			found = index.(func() *nameIndex)().like(name)
		}
	}
	slices.SortStableFunc(found, func(a, b likeName) int {
		return cmp.Or(cmp.Compare(b.likeness, a.likeness), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, f := range found {
		if len(names) < maxSuggestions && !slices.Contains(names, f.name+": its name is like it") {
			names = append(names, f.name+": its name is like it")
		}
	}
	k.names.Store(question{name, kind}, names)
	return names
}
