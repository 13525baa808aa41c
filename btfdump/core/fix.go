package core

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// C that makes a program run on a kernel that lacks what it reads: a flavour of
// the record with what the kernel has, and a function that looks which of the
// two is there. It needs bpf_core_read.h of libbpf.

// flavourFix returns a function that reads an alternative where there is one;
// "" if it can't be written.
func (r *run) flavourFix(reloc *Relocation, local *spec, root btfdump.TypeID, a alternative) string {
	v := r.kernel.Target.View
	record := r.View.Type(reloc.Type)
	if !record.Kind().IsRecord() || !btfdump.IsIdentifier(record.Name()) || local.steps[0].Index != 0 {
		return ""
	}
	path := append(append([]pathMember(nil), a.prefix...), a.path...)
	// What follows the member in the object's path follows it in the kernel's.
	local = local.withoutElements()
	rest := local.steps[len(local.steps)-1]
	if last := local.steps[a.depthIn(local)]; rest != last && !a.whole || rest.name == "" || !local.spellable() {
		return ""
	}
	d := flavour{view: v, name: EssentialName(record.Name())}
	for _, m := range path {
		if m.Name != "" && !btfdump.IsIdentifier(m.Name) {
			return ""
		}
	}
	leaf := path[len(path)-1]
	declarator, value, ok := d.leaf(leaf)
	if !ok {
		return ""
	}
	text, ok := d.declare(v.Type(v.Resolve(root)), path, declarator)
	if !ok {
		return ""
	}
	mine := r.View.Type(local.last().Type).Member(int(local.last().Index))
	_, own, ok := declareLeaf(r.View, mine, "")
	if !ok || own.address != value.address {
		return ""
	}
	if own.name != value.name && (strings.HasSuffix(own.name, "*") || strings.HasSuffix(value.name, "*")) {
		value = fixValue{name: "unsigned long long", cast: "(unsigned long long)"}
	}
	spelled := spellAccess(path)
	_, localPath, _ := strings.Cut(fieldPath("p", local), "->")
	keyword := record.Kind().String()
	var b strings.Builder
	b.WriteString(text)
	fmt.Fprintf(&b, "\nstatic __attribute__((always_inline)) inline %s %s_%s(%s %s *p)\n{\n", value.name, d.name, strings.Trim(mine.Name, "_"), keyword, record.Name())
	fmt.Fprintf(&b, "\t%s %s *alt = (void *)p;\n\n", keyword, d.flavoured())
	fmt.Fprintf(&b, "\tif (bpf_core_field_exists(%s))\n\t\treturn %s;\n", existsPath("alt", path), value.read("alt", spelled, leaf.BitSize > 0))
	fmt.Fprintf(&b, "\treturn %s;\n}\n", value.read("p", []string{localPath}, mine.BitSize > 0))
	return b.String()
}

// withoutElements returns a path without the elements of arrays at its end: what
// is read is then the array.
func (s *spec) withoutElements() *spec {
	short := *s
	for len(short.steps) > 1 && short.last().name == "" {
		short.steps = short.steps[:len(short.steps)-1]
	}
	return &short
}

// spellable reports whether every name on a path can stand in C. View lets names
// through that can't, as the kernel does for members.
func (s *spec) spellable() bool {
	for _, step := range s.steps {
		if step.name != "" && !btfdump.IsIdentifier(step.name) {
			return false
		}
	}
	return true
}

// depthIn returns the index in a path of the step that the alternative stands
// for.
func (a *alternative) depthIn(local *spec) int {
	named := 0
	for _, m := range a.prefix {
		if m.Name != "" {
			named++
		}
	}
	return min(named+1, len(local.steps)-1)
}

// flavour declares a flavour of a record.
type flavour struct {
	view *btfdump.View
	name string // without the flavour
}

func (d *flavour) flavoured() string { return d.name + "___alt" }

// declare writes the records that a path leads through, with the members on it.
func (d *flavour) declare(root btfdump.Type, path []pathMember, leaf string) (text string, ok bool) {
	const attribute = " __attribute__((preserve_access_index));\n"
	var before strings.Builder
	body := "\t" + leaf + ";\n"
	for i := len(path) - 1; i > 0; i-- {
		outer, record := path[i-1], d.view.Type(path[i].record)
		keyword := record.Kind().String()
		if outer.pointer {
			// The record behind a pointer gets a flavour of its own.
			if !btfdump.IsIdentifier(record.Name()) {
				return "", false
			}
			name := EssentialName(record.Name()) + "___alt"
			fmt.Fprintf(&before, "%s %s {\n%s}%s\n", keyword, name, body, attribute)
			body = fmt.Sprintf("\t%s %s *%s;\n", keyword, name, outer.Name)
			continue
		}
		indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", "\n\t")
		name := ""
		if outer.Name != "" {
			name = " " + outer.Name
		}
		body = fmt.Sprintf("\t%s {\n%s\n\t}%s;\n", keyword, indented, name)
	}
	return fmt.Sprintf("%s%s %s {\n%s}%s", before.String(), root.Kind(), d.flavoured(), body, attribute), true
}

// fixValue is what a function of a fix returns.
type fixValue struct {
	name    string // its type
	address bool   // the address of what is not a scalar
	cast    string // to that type, where C wants one
}

// read writes the read of a path, whose parts are separated by pointers.
func (f fixValue) read(from string, parts []string, bitfield bool) string {
	switch {
	case f.address && len(parts) == 1:
		return fmt.Sprintf("(const void *)&%s->%s", from, parts[0])
	case bitfield:
		return fmt.Sprintf("%sBPF_CORE_READ_BITFIELD_PROBED(%s, %s)", f.cast, from, strings.Join(parts, "->"))
	}
	return fmt.Sprintf("%sBPF_CORE_READ(%s, %s)", f.cast, from, strings.Join(parts, ", "))
}

// leaf declares the member at the end of a path, so that CO-RE takes it for the
// kernel's. What it returns for is a number, a pointer, or an address.
func (d *flavour) leaf(m pathMember) (declarator string, value fixValue, ok bool) {
	return declareLeaf(d.view, m.Member, d.name)
}

func declareLeaf(v *btfdump.View, m btfdump.Member, prefix string) (declarator string, value fixValue, ok bool) {
	t := v.Type(v.Resolve(m.Type))
	bits := ""
	if m.BitSize > 0 {
		bits = fmt.Sprintf(" : %d", m.BitSize)
	}
	switch t.Kind() {
	case btfdump.KindInt:
		name, ok := intName(t)
		return name + " " + m.Name + bits, fixValue{name: name}, ok
	case btfdump.KindEnum, btfdump.KindEnum64:
		if t.Size() != 4 {
			return "", fixValue{}, false
		}
		value := map[bool]string{true: "int", false: "unsigned int"}[t.Signed()]
		// CO-RE compares the names of enums, and an enum needs a value.
		return fmt.Sprintf("enum { %s_%s___alt } %s%s", prefix, m.Name, m.Name, bits), fixValue{name: value}, true
	case btfdump.KindPtr:
		return "void *" + m.Name, fixValue{name: "void *"}, true
	case btfdump.KindArray:
		element := v.Type(v.Resolve(t.Ref()))
		if element.Kind() != btfdump.KindInt {
			return "", fixValue{}, false
		}
		name, ok := intName(element)
		return fmt.Sprintf("%s %s[%d]", name, m.Name, t.ArrayLen()), fixValue{name: "const void *", address: true}, ok
	case btfdump.KindStruct, btfdump.KindUnion:
		return fmt.Sprintf("%s { char bytes[%d]; } %s", t.Kind(), max(t.Size(), 1), m.Name), fixValue{name: "const void *", address: true}, true
	}
	return "", fixValue{}, false
}

// intName returns a C type of the size and sign of an int.
func intName(t btfdump.Type) (string, bool) {
	if t.IntEncoding()&btfdump.IntBool != 0 && t.Size() == 1 {
		return "_Bool", true
	}
	name, ok := map[uint32]string{1: "char", 2: "short", 4: "int", 8: "long long"}[t.Size()]
	switch {
	case t.Size() == 1 && t.Signed():
		name = "signed char"
	case !t.Signed():
		name = "unsigned " + name
	}
	return name, ok
}

// spellAccess writes a path in parts, as BPF_CORE_READ takes them: a pointer is
// followed between two of them.
func spellAccess(path []pathMember) []string {
	var parts []string
	part := ""
	for _, m := range path {
		if m.Name == "" {
			continue
		}
		if part != "" {
			part += "."
		}
		part += m.Name
		if m.pointer {
			parts, part = append(parts, part), ""
		}
	}
	return append(parts, part)
}

// existsPath is the path whose existence tells that the alternative is there: as
// far as the first pointer.
func existsPath(from string, path []pathMember) string {
	parts := spellAccess(path)
	return from + "->" + parts[0]
}

// guardFix returns a function that asks before it reads: for kernels that have
// nothing instead.
func guardFix(v *btfdump.View, reloc *Relocation, local *spec) string {
	root := v.Type(reloc.Type)
	if !btfdump.IsIdentifier(root.Name()) {
		return ""
	}
	const nothing = "0; /* this kernel has nothing like it: say what the program does then */"
	if reloc.Kind.IsEnumval() {
		name := local.last().name
		if !root.Kind().IsEnum() || !btfdump.IsIdentifier(name) {
			return ""
		}
		return fmt.Sprintf("static __attribute__((always_inline)) inline unsigned long long value_of_%s(void)\n{\n\tif (!bpf_core_enum_value_exists(enum %s, %s))\n\t\treturn %s\n\treturn bpf_core_enum_value(enum %s, %s);\n}\n",
			name, root.Name(), name, nothing, root.Name(), name)
	}
	if !reloc.Kind.IsField() || !root.Kind().IsRecord() || local.steps[0].Index != 0 {
		return ""
	}
	local = local.withoutElements()
	last := local.last()
	if last.name == "" || !local.spellable() {
		return ""
	}
	m := v.Type(last.Type).Member(int(last.Index))
	_, value, ok := declareLeaf(v, m, "")
	if !ok {
		return ""
	}
	_, path, _ := strings.Cut(fieldPath("p", local), "->")
	return fmt.Sprintf("static __attribute__((always_inline)) inline %s %s_%s(%s %s *p)\n{\n\tif (!bpf_core_field_exists(p->%s))\n\t\treturn %s\n\treturn %s;\n}\n",
		value.name, EssentialName(root.Name()), strings.Trim(m.Name, "_"), root.Kind(), root.Name(), path, nothing, value.read("p", []string{path}, m.BitSize > 0))
}

// weakFix is what makes an object load without an extern.
func weakFix(v *btfdump.View, e *Extern) string {
	if !btfdump.IsIdentifier(e.Name) {
		return ""
	}
	switch e.Kind {
	case ExternKfunc:
		return fmt.Sprintf("/* declare %s with __ksym __weak, and ask before it is called: */\nif (bpf_ksym_exists(%s)) { /* call it */ } else { /* do without */ }\n", e.Name, e.Name)
	case ExternKsym:
		return fmt.Sprintf("/* declare %s with __ksym __weak, and ask before it is used: */\nif (&%s) { /* use it */ } else { /* do without */ }\n", e.Name, e.Name)
	case ExternKconfig:
		return fmt.Sprintf("/* declare %s with __kconfig __weak: where it is not set it is then 0 */\n", e.Name)
	}
	return ""
}
