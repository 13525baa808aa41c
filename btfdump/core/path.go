package core

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// Paths as people write them: what a relocation is about, in C.

// maxChain is how many relocations an expression such as task->mm->exe_file may
// stand for.
const maxChain = 16

// AccessPath returns what one of the object's relocations is about as C, with
// the name of the type where C has a variable:
//
//	task_struct->mm->exe_file
//	bpf_core_field_exists(sock->sk_protocol)
//	bpf_core_enum_value(enum bpf_func_id, BPF_FUNC_loop)
//
// Compilers make a relocation for each pointer on the way. Those before this one
// that stand in the same place of the source and lead to the type where it
// starts are put in front. Names that are no identifiers are quoted.
func (o *Object) AccessPath(relocation int) string {
	r := &o.Relocations[relocation]
	path := o.place(r)
	if !r.Kind.IsField() {
		return wrapAccess(r.Kind, path)
	}
	for i, chain := relocation, 0; chain < maxChain; chain++ {
		before := o.leadsTo(i)
		if before < 0 {
			break
		}
		_, rest, ok := strings.Cut(path, "->")
		if !ok {
			break
		}
		path = o.place(&o.Relocations[before]) + "->" + rest
		i = before
	}
	return wrapAccess(r.Kind, path)
}

// wrapAccess puts the macro of bpf_core_read.h around a path that asks for the
// kind of relocation.
func wrapAccess(kind RelocationKind, path string) string {
	switch kind {
	case FieldByteOffset:
		return path
	case FieldByteSize:
		return "bpf_core_field_size(" + path + ")"
	case FieldExists:
		return "bpf_core_field_exists(" + path + ")"
	case FieldSigned:
		return "__builtin_preserve_field_info(" + path + ", BPF_FIELD_SIGNED)"
	case FieldLShiftU64:
		return "__builtin_preserve_field_info(" + path + ", BPF_FIELD_LSHIFT_U64)"
	case FieldRShiftU64:
		return "__builtin_preserve_field_info(" + path + ", BPF_FIELD_RSHIFT_U64)"
	case TypeIDLocal:
		return "bpf_core_type_id_local(" + path + ")"
	case TypeIDTarget:
		return "bpf_core_type_id_kernel(" + path + ")"
	case TypeExists:
		return "bpf_core_type_exists(" + path + ")"
	case TypeSize:
		return "bpf_core_type_size(" + path + ")"
	case TypeMatches:
		return "bpf_core_type_matches(" + path + ")"
	case EnumvalExists:
		return "bpf_core_enum_value_exists(" + path + ")"
	case EnumvalValue:
		return "bpf_core_enum_value(" + path + ")"
	}
	return kind.String() + " of " + path
}

// place returns what a relocation is about, without what it asks of it.
func (o *Object) place(r *Relocation) string {
	root := typeName(o.View, r.Type)
	if r.Kind.IsType() {
		return root
	}
	s, err := localSpec(o.View, r)
	if err != nil {
		return root + ", access string " + strconv.QuoteToASCII(r.Access[:min(len(r.Access), maxName)])
	}
	if r.Kind.IsEnumval() {
		return root + ", " + plainName(s.last().name)
	}
	return fieldPath(plainName(o.View.Type(r.Type).Name()), s)
}

// fieldPath writes the steps to a member in C, without those through members
// that have no name: C has no word for them.
func fieldPath(root string, s *spec) string {
	var b strings.Builder
	b.WriteString(root)
	link := "->"
	for i, step := range s.steps {
		switch {
		case step.name != "":
			b.WriteString(link + plainName(step.name))
			link = "."
		case i > 0 || step.Index > 0:
			fmt.Fprintf(&b, "[%d]", step.Index)
			link = "."
		}
	}
	return b.String()
}

// leadsTo returns the relocation whose value, a pointer, is where another one
// starts: the one before it, if that stands in the same line of the source; -1 if
// it is none.
func (o *Object) leadsTo(relocation int) int {
	r := &o.Relocations[relocation]
	if relocation == 0 || r.Position.Line == 0 {
		return -1
	}
	before := &o.Relocations[relocation-1]
	if before.Function != r.Function || before.Kind != FieldByteOffset ||
		before.Position.File != r.Position.File || before.Position.Line != r.Position.Line {
		return -1
	}
	s, err := localSpec(o.View, before)
	if err != nil || s.last().name == "" {
		return -1
	}
	last := s.last()
	pointer := o.View.Type(o.View.Resolve(o.View.Type(last.Type).Member(int(last.Index)).Type))
	if pointer.Kind() != btfdump.KindPtr {
		return -1
	}
	// The record may be declared only where the pointer is.
	from, to := o.View.Type(o.View.Resolve(pointer.Ref())), o.View.Type(o.View.Resolve(r.Type))
	if from.ID() != to.ID() && (from.Kind() != btfdump.KindFwd || from.Name() != to.Name() || !to.Kind().IsRecord()) {
		return -1
	}
	return relocation - 1
}

// typeName returns a type's name in C: "struct sock", "enum bpf_func_id", "u64".
func typeName(v *btfdump.View, id btfdump.TypeID) string {
	t := v.Type(id)
	name := "(anonymous)"
	if t.HasName() {
		name = plainName(t.Name())
	}
	switch t.Kind() {
	case btfdump.KindVoid:
		return "void"
	case btfdump.KindStruct:
		return "struct " + name
	case btfdump.KindUnion:
		return "union " + name
	case btfdump.KindEnum, btfdump.KindEnum64:
		return "enum " + name
	case btfdump.KindFwd:
		if t.KindFlag() {
			return "union " + name
		}
		return "struct " + name
	case btfdump.KindInt, btfdump.KindFloat: // "unsigned int"
		for word := range strings.SplitSeq(t.Name(), " ") {
			if !btfdump.IsIdentifier(word) {
				return name
			}
		}
		return t.Name()[:min(len(t.Name()), maxName)]
	case btfdump.KindFuncProto:
		return "a function"
	}
	return name
}

// describeType returns a type as C writes it, near enough to be read: pointers,
// arrays and qualifiers included.
func describeType(v *btfdump.View, id btfdump.TypeID) string {
	suffix := ""
	for range maxPath {
		t := v.Type(id)
		switch t.Kind() {
		case btfdump.KindPtr:
			if v.Type(v.Resolve(t.Ref())).Kind() == btfdump.KindFuncProto {
				return "pointer to a function" + suffix
			}
			if suffix = "*" + suffix; suffix == "*" || suffix[1] == '[' {
				suffix = " " + suffix
			}
		case btfdump.KindArray:
			suffix += fmt.Sprintf("[%d]", t.ArrayLen())
		case btfdump.KindConst, btfdump.KindVolatile, btfdump.KindRestrict, btfdump.KindTypeTag:
		default:
			return typeName(v, id) + strings.ReplaceAll(suffix, "* *", "**")
		}
		id = t.Ref()
	}
	return "a deeply nested type"
}

// maxName is how much of a name is shown.
const maxName = 128

// plainName returns a name as it may be shown: quoted, and cut, unless it is an
// identifier.
func plainName(name string) string {
	if btfdump.IsIdentifier(name) && len(name) <= maxName {
		return name
	}
	return strconv.QuoteToASCII(name[:min(len(name), maxName)])
}

// plainSection is plainName for the names of sections and of what programs are
// attached to, which have other characters too.
func plainSection(name string) string {
	for _, c := range []byte(name) {
		if c < '!' || c > '~' || c == '"' || c == '\\' {
			return strconv.QuoteToASCII(name[:min(len(name), maxName)])
		}
	}
	if len(name) > maxName {
		return strconv.QuoteToASCII(name[:maxName])
	}
	return name
}
