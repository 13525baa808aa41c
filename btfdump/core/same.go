package core

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// maxDifferences is how many differences are told.
const maxDifferences = 20

// Differences returns in what two object files are not the same program, in
// words; nothing if they are:
//
//   - the bytes of every section that is loaded, code and data;
//   - what the code and data refer to, by the symbols' names;
//   - CO-RE relocations, by function, instruction, kind, and the names on the
//     path: the numbers in access strings count members, and a record with fewer
//     of them is no other program;
//   - what a loader or the kernel looks at in the BTF: the prototypes of global
//     and external functions and the types of external variables and maps, by
//     name, and whether the records that they mention are defined.
//
// What a loader replaces in any case is not compared: IDs of types in
// instructions (relocations of the kinds TypeIDLocal and TypeIDTarget), and how
// the compiler would load a bitfield (libbpf's bpf_core_calc_field_relo does not
// validate that). What they stand for is compared by the relocation's names.
func Differences(a, b []byte) ([]string, error) {
	var s sameness
	var err error
	if s.a, err = readProgram(a); err != nil {
		return nil, err
	}
	if s.b, err = readProgram(b); err != nil {
		return nil, err
	}
	s.sections()
	s.lists("reference", s.a.references, s.b.references)
	s.lists("relocation", s.a.relocations(), s.b.relocations())
	s.lists("declaration", s.a.declarations(), s.b.declarations())
	return s.found, nil
}

// loadedProgram is an object file with what Object leaves out.
type loadedProgram struct {
	*Object
	loaded     map[string][]byte // by section
	references []string
}

func readProgram(raw []byte) (*loadedProgram, error) {
	object, err := ReadObject("object", raw)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	p := &loadedProgram{Object: object, loaded: make(map[string][]byte)}
	symbols, _ := f.Symbols() // ReadObject has read them
	r := reader{file: f, budget: 2*len(raw) + 1<<16}
	for _, s := range f.Sections {
		switch {
		case s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_NOBITS:
			p.loaded[s.Name] = []byte(strconv.FormatUint(s.Size, 10))
		case s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_PROGBITS:
			data, err := r.content(s)
			if err != nil {
				return nil, err
			}
			p.loaded[s.Name] = data
		case s.Type == elf.SHT_REL && int(s.Info) < len(f.Sections) && f.Sections[s.Info].Flags&elf.SHF_ALLOC != 0:
			data, err := r.content(s)
			if err != nil {
				return nil, err
			}
			for ; len(data) >= 16; data = data[16:] {
				offset, info := f.ByteOrder.Uint64(data), f.ByteOrder.Uint64(data[8:])
				name := "nothing"
				if i := int(info>>32) - 1; i >= 0 && i < len(symbols) {
					name = fmt.Sprintf("%+q", symbols[i].Name)
					if n := int(symbols[i].Section); symbols[i].Name == "" && n < len(f.Sections) {
						name = fmt.Sprintf("section %+q", f.Sections[n].Name)
					}
				}
				p.references = append(p.references, fmt.Sprintf("section %+.80q, byte %d: %s (type %d)", f.Sections[s.Info].Name, offset, name, uint32(info)))
			}
		}
	}
	for i := range object.Relocations {
		if r := &object.Relocations[i]; p.isReplaced(r) {
			p.mask(r)
		}
	}
	return p, nil
}

// isReplaced reports whether a loader puts its own number into an instruction,
// whatever stands there: IDs of types, and what it needs to know of a bitfield to
// load it. The compiler's number for that depends on how it aligns the record's
// other members, libbpf's on the bitfield alone.
func (p *loadedProgram) isReplaced(r *Relocation) bool {
	if !r.Kind.IsField() {
		return r.Kind == TypeIDLocal || r.Kind == TypeIDTarget
	}
	s, err := localSpec(p.View, r)
	if err != nil {
		return false
	}
	f, err := fieldOf(r.Kind, s)
	return err == nil && !f.validate
}

// mask makes one of all numbers that a loader puts into an instruction.
func (p *loadedProgram) mask(r *Relocation) {
	if r.Function < 0 {
		return
	}
	f := &p.Functions[r.Function]
	data := p.loaded[f.Section]
	at := f.Offset + uint64(r.Instruction)*InstructionSize
	if at+InstructionSize > uint64(len(data)) {
		return
	}
	switch f.Code[r.Instruction].Class() {
	case classLDX, classST, classSTX:
		clear(data[at+2 : at+4]) // the offset
		return
	}
	clear(data[at+4 : at+8])
	if f.Code[r.Instruction].IsLoad64() && at+2*InstructionSize <= uint64(len(data)) {
		clear(data[at+12 : at+16])
	}
}

// relocations describes the CO-RE relocations, by names.
func (p *loadedProgram) relocations() []string {
	var list []string
	for i := range p.Relocations {
		r := &p.Relocations[i]
		place := "outside of all functions"
		if r.Function >= 0 {
			place = fmt.Sprintf("function %+.80q, instruction %d", p.Functions[r.Function].Name, r.Instruction)
		}
		list = append(list, fmt.Sprintf("%s: %s of %s", place, r.Kind, p.access(r)))
	}
	return list
}

// access describes what a relocation is about by names, and indices of elements.
func (p *loadedProgram) access(r *Relocation) string {
	var b strings.Builder
	b.WriteString(fullType(p.View, r.Type, 0))
	s, err := localSpec(p.View, r)
	if err != nil {
		return b.String() + " " + r.Access
	}
	if r.Kind.IsEnumval() {
		return b.String() + " " + s.last().name
	}
	first := true
	for step, isMember := range stepsOf(p.View, s.raw) {
		switch {
		case isMember:
			b.WriteString("." + p.View.Type(step.Type).Member(int(step.Index)).Name)
		case !first || step.Index > 0:
			fmt.Fprintf(&b, "[%d]", step.Index)
		}
		first = false
	}
	return b.String()
}

// declarations describes what a loader or the kernel looks at in the BTF.
func (p *loadedProgram) declarations() []string {
	var list []string
	for t := range p.View.All() {
		switch {
		case t.Kind() == btfdump.KindFunc && t.Linkage() != btfdump.LinkageStatic:
			list = append(list, fmt.Sprintf("function %+.80q: %s", t.Name(), fullType(p.View, t.Ref(), 0)))
		case t.Kind() == btfdump.KindVar:
			list = append(list, fmt.Sprintf("variable %+.80q: %s", t.Name(), fullType(p.View, t.Ref(), 0)))
		}
	}
	for _, e := range p.Externs {
		list = append(list, fmt.Sprintf("extern %+.80q: kind %d, weak %t", e.Name, e.Kind, e.Weak))
	}
	return list
}

// maxDescription bounds the depth of a description.
const maxDescription = 24

// fullType writes a type with everything up to names: records with a name
// are told by that and their size, others by their members.
func fullType(v *btfdump.View, id btfdump.TypeID, depth int) string {
	t := v.Type(id)
	name := t.Name()
	if depth > maxDescription {
		return "..."
	}
	switch k := t.Kind(); {
	case k == btfdump.KindVoid:
		return "void"
	case k == btfdump.KindFwd:
		n, _ := declaredName(t)
		return n.String() + " (only declared)"
	case k == btfdump.KindInt || k == btfdump.KindFloat || k == btfdump.KindTypedef:
		return name
	case k.IsRecord() && name != "":
		return fmt.Sprintf("%s %s (%d bytes)", k, name, t.Size())
	case k.IsRecord():
		var b strings.Builder
		b.WriteString(k.String() + " {")
		for _, m := range t.Members() {
			fmt.Fprintf(&b, " %s: %s;", m.Name, fullType(v, m.Type, depth+1))
			if b.Len() > 4096 {
				return b.String() + " ..."
			}
		}
		return b.String() + " }"
	case k.IsEnum():
		if name == "" && t.NumEnumerators() > 0 {
			name = "with " + t.Enumerator(0).Name
		}
		return "enum " + name
	case k == btfdump.KindArray:
		return fmt.Sprintf("%s[%d]", fullType(v, t.Ref(), depth+1), t.ArrayLen())
	case k == btfdump.KindFuncProto:
		var params []string
		for _, p := range t.Params() {
			params = append(params, fullType(v, p.Type, depth+1))
		}
		return fullType(v, t.Ref(), depth+1) + " (" + strings.Join(params, ", ") + ")"
	case k == btfdump.KindTypeTag:
		return fullType(v, t.Ref(), depth+1) + " tag " + name
	default: // pointers and qualifiers
		return fullType(v, t.Ref(), depth+1) + " " + k.String()
	}
}

// sameness collects differences.
type sameness struct {
	a, b  *loadedProgram
	found []string
}

func (s *sameness) add(format string, args ...any) {
	if len(s.found) < maxDifferences {
		s.found = append(s.found, fmt.Sprintf(format, args...))
	}
}

// sections compares what is loaded.
func (s *sameness) sections() {
	var names []string
	for _, p := range []*loadedProgram{s.a, s.b} {
		for name := range p.loaded {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, inA := s.a.loaded[name]
		b, inB := s.b.loaded[name]
		switch {
		case !inA || !inB:
			s.add("section %+.80q is only in the %s", name, map[bool]string{true: "first", false: "second"}[inA])
		case len(a) != len(b):
			s.add("section %+.80q has %d bytes in the first and %d in the second", name, len(a), len(b))
		case !bytes.Equal(a, b):
			at := 0
			for a[at] == b[at] {
				at++
			}
			s.add("section %+.80q differs at byte %d", name, at)
		}
	}
}

// lists compares two lists of descriptions, whose order says nothing: clang
// writes the relocations of a section, and the sections, in the order of places
// in the BTF's strings.
func (s *sameness) lists(what string, a, b []string) {
	slices.Sort(a)
	slices.Sort(b)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]:
			a, b = a[1:], b[1:]
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			s.add("%s only in the first: %s", what, a[0])
			a = a[1:]
		default:
			s.add("%s only in the second: %s", what, b[0])
			b = b[1:]
		}
	}
}
