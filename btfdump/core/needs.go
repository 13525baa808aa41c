package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// Needs is what an object mentions of a kernel, by name: what a header has to
// declare so that the object can be compiled again, as far as the object shows
// it. It does not show all: typedefs in casts, enumerators and types of which
// only the size is used are gone when a program has been compiled.
type Needs struct {
	// Types have to be defined. Each is there once, sorted by name.
	Types []TypeName
	// Variables are those of Types that variables hold: keys and values of maps
	// too. Their members can be used without a relocation that tells of it.
	Variables []TypeName
	// Accesses are the members that are used, in the order of the object's
	// relocations.
	Accesses []MemberAccess
	// Names are kfuncs, and enumerators of enums without a name, sorted.
	Names []string
}

// TypeName is how C calls a type.
type TypeName struct {
	Kind btfdump.Kind // struct, union, enum (of any size) or typedef
	Name string
}

func (n TypeName) String() string {
	if n.Kind == btfdump.KindTypedef {
		return n.Name
	}
	return n.Kind.String() + " " + n.Name
}

// MemberAccess is a member that a program uses.
type MemberAccess struct {
	Root TypeName
	// Path are the names of members that lead from the root to the one that is
	// used: those of members without a name, and elements of arrays, are left out.
	Path []string
	// Place says that the program asks for the member's offset: if that is a
	// record, what is done with what is in it leaves no trace.
	Place bool
	// Whole says that the record is compared as a whole (bpf_core_type_matches),
	// with all that it holds.
	Whole bool
}

// Needs returns what the object mentions. declared tells which types a header of
// the whole kernel declares: the others are the program's own, flavours
// (struct task_struct___old) among them, and are searched for mentions of
// kernel types instead. Those that it only declares, without a definition, are
// not needed.
//
// With static, types in prototypes of static functions count too. A loader and
// the kernel look at the prototypes of global and external functions only.
func (o *Object) Needs(declared func(TypeName) bool, static bool) *Needs {
	w := needsWalk{view: o.View, declared: declared, seen: o.View.NewSet(), types: make(map[TypeName]bool), names: make(map[string]bool)}
	for t := range o.View.All() {
		if t.Kind() == btfdump.KindVar && t.Linkage() != btfdump.LinkageExtern {
			w.visit(t.Ref())
		}
	}
	w.needs.Variables = slices.SortedFunc(maps.Keys(w.types), compareNames)
	for t := range o.View.All() {
		switch {
		case t.Kind() == btfdump.KindVar:
			w.visit(t.Ref())
		case t.Kind() == btfdump.KindFunc && (t.Linkage() != btfdump.LinkageStatic || static):
			if t.Linkage() == btfdump.LinkageExtern {
				w.names[t.Name()] = true
			}
			w.visit(t.Ref())
		}
	}
	for i := range o.Relocations {
		w.relocation(&o.Relocations[i])
	}
	w.needs.Types = slices.SortedFunc(maps.Keys(w.types), compareNames)
	w.needs.Names = slices.Sorted(maps.Keys(w.names))
	return &w.needs
}

func compareNames(a, b TypeName) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

type needsWalk struct {
	view     *btfdump.View
	declared func(TypeName) bool
	seen     *btfdump.Set
	types    map[TypeName]bool
	names    map[string]bool
	needs    Needs
}

// declaredName returns what C calls a type, false if that has no name of its own.
func declaredName(t btfdump.Type) (TypeName, bool) {
	kind := t.Kind()
	switch {
	case !t.HasName():
		return TypeName{}, false
	case kind == btfdump.KindEnum64:
		kind = btfdump.KindEnum
	case kind == btfdump.KindFwd && t.KindFlag():
		kind = btfdump.KindUnion
	case kind == btfdump.KindFwd:
		kind = btfdump.KindStruct
	case !kind.IsRecord() && !kind.IsEnum() && kind != btfdump.KindTypedef:
		return TypeName{}, false
	}
	return TypeName{kind, t.Name()}, true
}

// visit looks for types of the kernel in a declaration of the program's. It
// keeps its own stack: chains of types can be as long as the BTF.
func (w *needsWalk) visit(id btfdump.TypeID) {
	for stack := []btfdump.TypeID{id}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		t := w.view.Type(id)
		if id == 0 || t.Kind() == btfdump.KindFwd || !w.seen.Add(id) {
			continue
		}
		if name, ok := declaredName(t); ok && w.declared(name) {
			w.types[name] = true
			continue
		}
		switch k := t.Kind(); {
		case k.IsRecord():
			for i := range t.NumMembers() {
				m, _ := t.MemberPlace(i)
				stack = append(stack, m.Type)
			}
		case k.IsEnum():
			if !t.HasName() && t.NumEnumerators() > 0 {
				w.names[t.Enumerator(0).Name] = true
			}
		case k == btfdump.KindFuncProto:
			for _, p := range t.Params() {
				stack = append(stack, p.Type)
			}
			stack = append(stack, t.Ref())
		default:
			stack = append(stack, t.Ref())
		}
	}
}

// relocation notes the type at which an access starts, and the members on its
// path. An access that leads from a record of the program's into one of the
// kernel's counts from there.
func (w *needsWalk) relocation(r *Relocation) {
	w.visit(r.Type)
	s, err := localSpec(w.view, r)
	if err != nil {
		return // Relocate says what is wrong with it
	}
	if r.Kind == TypeMatches {
		id := w.view.Resolve(r.Type)
		if name, ok := declaredName(w.view.Type(id)); ok && w.declared(name) {
			w.needs.Accesses = append(w.needs.Accesses, MemberAccess{Root: name, Whole: true})
		}
		return
	}
	if r.Kind.IsEnumval() {
		if t := w.view.Type(w.view.Resolve(r.Type)); !t.HasName() {
			w.names[s.last().name] = true
		}
		return
	}
	var current *MemberAccess
	root, known := w.rootName(r.Type)
	if known {
		current = &MemberAccess{Root: root}
	}
	flush := func() {
		if current != nil && len(current.Path) > 0 {
			w.needs.Accesses = append(w.needs.Accesses, *current)
		}
	}
	for step, isMember := range stepsOf(w.view, s.raw) {
		if !isMember {
			continue
		}
		t := w.view.Type(step.Type)
		if name, ok := declaredName(t); ok && w.declared(name) {
			flush()
			current = &MemberAccess{Root: name}
			w.types[name] = true
		}
		if m := t.Member(int(step.Index)); m.Name != "" && current != nil {
			current.Path = append(current.Path, m.Name)
		}
	}
	if current != nil {
		current.Place = r.Kind == FieldByteOffset
	}
	flush()
}

// rootName returns the name of the kernel's by which a type is reached: that of
// a typedef, for a record without one.
func (w *needsWalk) rootName(id btfdump.TypeID) (TypeName, bool) {
	for {
		t := w.view.Type(id)
		if name, ok := declaredName(t); ok && w.declared(name) {
			return name, true
		}
		if !t.Kind().IsModifier() {
			return TypeName{}, false
		}
		id = t.Ref()
	}
}
