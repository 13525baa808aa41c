package clangtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// RandomTypes returns C that declares some dozens of types as odd as clang takes
// them: packed, aligned and empty records, bitfields of every width, anonymous
// members, arrays without elements, flexible ones, enums of all sizes, prototypes,
// qualifiers everywhere, names that other languages reserve. Each type is used by
// a variable, so that clang writes it into the object's BTF. The same numbers
// give the same types.
func RandomTypes(r *rand.Rand) string {
	w := typesWriter{r: r, taken: map[string]bool{}}
	for range 3 {
		tag := w.kind() + " " + w.unique(w.taken)
		w.line(tag + ";")
		w.declared = append(w.declared, tag)
	}
	var used []string
	for range 10 + r.IntN(15) {
		used = append(used, w.declaration())
	}
	for i, t := range append(used, w.declared...) {
		w.line(fmt.Sprintf("%s *use%d;", t, i))
	}
	return w.out.String()
}

type typesWriter struct {
	r        *rand.Rand
	out      strings.Builder
	values   []string // types that a member may have
	enums    []string // those of them that are enums
	declared []string // types that only pointers may have as their target
	taken    map[string]bool
}

func (w *typesWriter) line(s string) { w.out.WriteString(s + "\n") }

// chance is true so many times out of a hundred.
func (w *typesWriter) chance(percent int) bool { return w.r.IntN(100) < percent }

func (w *typesWriter) pick(from ...string) string { return from[w.r.IntN(len(from))] }

// unique returns a name that is not among those taken.
func (w *typesWriter) unique(taken map[string]bool) string {
	name := w.pick("class", "new", "template", "string", "String", "len", "size", "val", "next", "a_b", "aB", "a__b", "Ptr", "_x", "type", "func",
		"list_head", "node", "u", "data")
	for taken[name] {
		name += w.pick("_", "1", "2", "X")
	}
	taken[name] = true
	return name
}

// declaration writes one declaration and returns the name of its type.
func (w *typesWriter) declaration() string {
	name := w.unique(w.taken)
	// Members have other names than typedefs: before 22, clang takes the name of
	// an anonymous record's member for no type in the rest of the record around it.
	typedef := name + "_t"
	switch n := w.r.IntN(100); {
	case n < 15:
		w.line("enum " + name + " " + w.enum() + ";")
		w.enums = append(w.enums, "enum "+name)
		name = "enum " + name
	case n < 30:
		w.line("typedef " + w.declare(typedef, 0) + ";")
		name = typedef
	case n < 37:
		w.line("typedef " + w.record(w.kind(), 1, map[string]bool{}) + " " + typedef + ";")
		name = typedef
	case n < 42:
		w.line("typedef enum " + w.enum() + " " + typedef + ";")
		name = typedef
	case n < 50: // nothing may follow a flexible array
		scope := map[string]bool{}
		w.line(fmt.Sprintf("struct %s { %s; %s %s[]; };", name, w.declare(w.unique(scope), 1), w.scalar(), w.unique(scope)))
		return "struct " + name
	default:
		name = w.kind() + " " + name
		w.line(w.record(name, 0, map[string]bool{}) + ";")
	}
	w.values = append(w.values, name)
	return name
}

func (w *typesWriter) enum() string {
	limits := [][2]int64{{0, 10}, {-5, 5}, {0, 1 << 31}, {-1 << 31, 1<<31 - 1}, {-1 << 61, 1 << 61}}
	limit := limits[w.r.IntN(len(limits))]
	var values []string
	for range 1 + w.r.IntN(5) {
		v := limit[0] + w.r.Int64N(limit[1]-limit[0]+1)
		values = append(values, fmt.Sprintf("%s_%d = %dLL", strings.ToUpper(w.unique(w.taken)), len(w.taken), v))
	}
	return "{ " + strings.Join(values, ", ") + " }" + w.pick("", "", " __attribute__((packed))")
}

// integers are those that bitfields may have, with their bits.
var integers = []struct {
	name string
	bits int
}{
	{"char", 8}, {"signed char", 8}, {"unsigned char", 8}, {"short", 16}, {"unsigned short", 16}, {"int", 32}, {"unsigned int", 32},
	{"long", 64}, {"unsigned long", 64}, {"long long", 64}, {"unsigned long long", 64}, {"_Bool", 1},
}

func (w *typesWriter) scalar() string {
	if w.chance(10) {
		return w.pick("__int128", "unsigned __int128", "float", "double")
	}
	return integers[w.r.IntN(len(integers))].name
}

// value returns a type that a member can have.
func (w *typesWriter) value(depth int) string {
	switch {
	case depth < 3 && w.chance(12):
		return w.record(w.kind(), depth+1, map[string]bool{})
	case len(w.values) > 0 && w.chance(45):
		return w.pick(w.values...)
	}
	return w.scalar()
}

// target returns a type that a pointer can have as its target.
func (w *typesWriter) target() string {
	if w.chance(30) {
		return w.pick(append(w.declared, "void")...)
	}
	return w.value(9)
}

// declare returns the declaration of a name as something.
func (w *typesWriter) declare(name string, depth int) string {
	qualifier := w.pick("", "", "const ", "volatile ")
	switch n := w.r.IntN(100); {
	case n < 15:
		for range 1 + w.r.IntN(3) {
			name += fmt.Sprintf("[%d]", w.r.IntN(4))
		}
		return qualifier + w.value(depth) + " " + name
	case n < 40:
		return qualifier + w.target() + w.pick(" *", " **", " *const ", " *const *", " *volatile ", " *restrict ") + name
	case n < 50:
		return w.prototype("(*" + name + w.pick("", "", "[2]") + ")")
	case n < 53:
		return fmt.Sprintf("%s (*%s)[%d]", w.value(9), name, 1+w.r.IntN(4))
	}
	return qualifier + w.value(depth) + " " + name
}

func (w *typesWriter) prototype(declarator string) string {
	var params []string
	for range w.r.IntN(5) {
		params = append(params, w.pick("int", "unsigned char", w.target()+" *", w.value(9), "void (*)(int)"))
	}
	switch {
	case len(params) == 0:
		params = append(params, "void")
	case w.chance(10):
		params = append(params, "...")
	}
	return w.pick("void", w.scalar(), w.target()+" *") + " " + declarator + "(" + strings.Join(params, ", ") + ")"
}

func (w *typesWriter) kind() string { return w.pick("struct", "struct", "union") }

// record returns a record, of which head is the keyword and the tag, if it has
// one. Members of those that are anonymous share the names of the record around
// them: scope has them.
func (w *typesWriter) record(head string, depth int, scope map[string]bool) string {
	var b strings.Builder
	for range w.r.IntN(8) {
		switch n := w.r.IntN(100); {
		case n < 3:
			b.WriteString(w.pick("int : 0; ", "char : 0; ", "short : 5; "))
		case n < 33:
			t := integers[w.r.IntN(len(integers))]
			if len(w.enums) > 0 && w.chance(10) {
				t.name, t.bits = w.pick(w.enums...), 7
			}
			fmt.Fprintf(&b, "%s %s : %d; ", t.name, w.unique(scope), 1+w.r.IntN(t.bits))
		case n < 45 && depth < 3:
			b.WriteString(w.record(w.kind(), depth+1, scope) + "; ")
		default:
			fmt.Fprintf(&b, "%s%s; ", w.declare(w.unique(scope), depth),
				w.pick("", "", "", "", "", "", "", "", " __attribute__((packed))", fmt.Sprintf(" __attribute__((aligned(%d)))", 1<<w.r.IntN(6))))
		}
	}
	var attributes []string
	if w.chance(20) {
		attributes = append(attributes, "packed")
	}
	if w.chance(15) {
		attributes = append(attributes, fmt.Sprintf("aligned(%d)", 1<<w.r.IntN(7)))
	}
	text := head + " { " + b.String() + "}"
	if len(attributes) > 0 {
		text += " __attribute__((" + strings.Join(attributes, ", ") + "))"
	}
	return text
}
