package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// fact is something that the BTF says and a C constant expression can state.
type fact struct {
	expr string // an integer constant expression
	want uint64
	// What to report if it does not hold.
	entry  *entry // nil for enumerators of anonymous enums
	title  string // used where entry is nil
	member string
	aspect Aspect
	show   func(value uint64) string
	// optional says that it may not compile: it may need what only programs have.
	optional bool
}

func (f *fact) typeTitle() string {
	if f.entry != nil {
		return f.entry.title()
	}
	return f.title
}

// factSet is what can be asserted about a header, and what can be told of it
// without a compiler.
type factSet struct {
	facts []fact
	// narrow are facts about records that hold pointers of a 32-bit kernel.
	narrow       []fact
	narrowFields []field
	found        []Mismatch // names that the header does not have
	absent       []string   // anonymous enums that are not in the header
	// unsettled are entries whose facts depend on which of several types or
	// names belong together: reading back tells.
	unsettled map[*entry]bool
}

// collectFacts states what the BTF says about the types that are in the header.
func (c *check) collectFacts() *factSet {
	s := &factSet{unsettled: make(map[*entry]bool)}
	for _, e := range c.names.entries {
		if len(e.heads) == 0 || e.forward || e.class == classFunction {
			continue
		}
		if len(e.heads) > 1 {
			s.unsettled[e] = true
			continue
		}
		if e.class == classEnum && c.uncovered[entryKey{e.class, e.name}] {
			s.unsettled[e] = true // its enumerators are not known
			continue
		}
		first := c.factsOf(e, e.ids[0], e.heads[0])
		for _, id := range e.ids[1:] {
			if !sameFacts(first, c.factsOf(e, id, e.heads[0])) {
				s.unsettled[e] = true
				break
			}
		}
		if s.unsettled[e] {
			continue
		}
		s.facts = append(s.facts, first.facts...)
		s.narrow = append(s.narrow, first.narrow...)
		s.narrowFields = append(s.narrowFields, first.narrowFields...)
		s.found = append(s.found, first.found...)
	}
	c.anonymousEnums(s)
	return s
}

func sameFacts(a, b factSet) bool {
	same := func(x, y fact) bool { return x.expr == y.expr && x.want == y.want }
	return slices.EqualFunc(a.facts, b.facts, same) && slices.EqualFunc(a.narrow, b.narrow, same) &&
		slices.EqualFunc(a.narrowFields, b.narrowFields, func(x, y field) bool {
			return x.record == y.record && x.name == y.name && x.offset == y.offset && x.BitSize == y.BitSize
		}) && slices.Equal(a.found, b.found)
}

// factsOf states what can be said of a type under one of its entry's names in
// the header.
func (c *check) factsOf(e *entry, id btfdump.TypeID, head string) (s factSet) {
	t := c.view.Type(id)
	name := e.cType(head)
	switch e.class {
	case classStruct, classUnion:
		c.record(&s, e, head, t)
	case classEnum:
		s.facts = append(s.facts, fact{expr: "sizeof(" + name + ")", want: uint64(t.Size()), entry: e, aspect: AspectSize, show: byteCount})
		if c.signs && t.NumEnumerators() > 0 {
			s.facts = append(s.facts, fact{
				expr: "(" + name + ")-1 < 0", want: b2u(isSigned(t)), entry: e, aspect: AspectSign,
				show: func(n uint64) string { return []string{"unsigned", "signed"}[n&1] },
			})
		}
		var body enumBody // none: it has no enumerators
		if i, ok := c.declared.enumsByTag[head]; ok {
			body = c.declared.enums[i]
		}
		s.enumerators(t, e, e.title(), body)
	case classTypedef:
		if target, _ := peel(c.view, t.Ref()); target.Kind().IsRecord() && !target.HasName() {
			c.record(&s, e, head, target)
		} else if size, ok := c.typedefSize(id); ok {
			s.facts = append(s.facts, fact{expr: "sizeof(const " + name + ")", want: size, entry: e, aspect: AspectSize, show: byteCount})
			if number, ok := c.number(id); ok {
				s.facts = append(s.facts, fact{
					expr: "__builtin_types_compatible_p(const " + name + ", " + number + ")", want: 1, entry: e, aspect: AspectType,
					show: func(n uint64) string { return []string{"another type", number}[n&1] },
				})
			}
		}
	}
	return s
}

// number returns C's name for what a typedef stands for in the end, if that is
// an integer which has the same size in C for BPF: of two such names with one
// size, such as long and long long, only one is right.
func (c *check) number(id btfdump.TypeID) (name string, ok bool) {
	t := c.view.Type(c.view.Resolve(id))
	if t.Kind() != btfdump.KindInt {
		return "", false
	}
	name, ok = canonicalInt(t.Name())
	return name, ok && intSizes[name] == t.Size()
}

// record states the size of a record and where its members lie. The record is
// what an entry names, or what its typedef stands for.
func (c *check) record(s *factSet, e *entry, head string, t btfdump.Type) {
	name := e.cType(head)
	narrow := c.narrow[t.ID()]
	add := func(f fact) {
		f.entry = e
		if narrow {
			s.narrow = append(s.narrow, f)
		} else {
			s.facts = append(s.facts, f)
		}
	}
	add(fact{expr: "sizeof(" + name + ")", want: uint64(t.Size()), aspect: AspectSize, show: byteCount})

	// Members of a record without a name are reached through the member of that
	// type, by path, and counted from there: reports have them as title.
	stated := 0
	var members func(t btfdump.Type, path, title string, depth int)
	members = func(t btfdump.Type, path, title string, depth int) {
		start, record := "", name
		if path != "" {
			record = "__typeof__(((" + name + " *)0)->" + path + ")"
			start = " - __builtin_offsetof(" + name + ", " + path + ")"
			path, title = path+".", title+"."
		}
		for _, m := range flatten(c.view, t.ID(), c.members) {
			if !btfdump.IsIdentifier(m.name) {
				s.found = append(s.found, Mismatch{Type: e.title(), Member: title + quoted(m.name), Aspect: AspectMember, BTF: describe(c.view, m.Type, 0), Compiler: "no such member"})
				continue
			}
			stated++
			at := path + c.memberName(m.name)
			if m.BitSize != 0 {
				if narrow {
					s.narrowFields = append(s.narrowFields, field{entry: e, record: record, name: c.memberName(m.name), title: title + m.name, offset: m.offset, Member: m.Member})
				}
				continue
			}
			add(fact{
				expr: "__builtin_offsetof(" + name + ", " + at + ")" + start, want: m.offset / 8,
				member: title + m.name, aspect: AspectOffset, show: func(n uint64) string { return position(8 * n) },
			})
			if inner, index := c.unnamedRecord(m.Type); inner.Kind().IsRecord() && depth < maxDepth && stated < maxMembers {
				add(fact{
					expr: "sizeof(((" + name + " *)0)->" + at + index + ")", want: uint64(inner.Size()),
					member: title + m.name, aspect: AspectSize, show: byteCount,
				})
				members(inner, at+index, title+m.name, depth+1)
			}
		}
	}
	members(t, "", "", 0)
}

// maxMembers bounds how many members of one record are stated, and visited: the
// types of a hostile input may hold each other twice, twenty levels deep. No
// record of a kernel has a thousand.
const maxMembers = 1 << 16

// unnamedRecord returns the record without a name that a member is of, or is an
// array of, with the index of the array's first element; void if it is no such.
func (c *check) unnamedRecord(id btfdump.TypeID) (record btfdump.Type, index string) {
	for steps := 0; steps < maxDepth; steps++ {
		t, _ := peel(c.view, id)
		if t.Kind() != btfdump.KindArray {
			if t.Kind().IsRecord() && !t.HasName() {
				return t, index
			}
			break
		}
		id, index = t.Ref(), index+"[0]"
	}
	return c.view.Type(0), ""
}

// memberName is a member's name under the C standard that is used.
func (c *check) memberName(name string) string {
	if c.c23 && isC23Keyword(name) {
		return name + "_"
	}
	return name
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// typedefSize returns the size of what a typedef stands for, if it has one
// under the header too.
func (c *check) typedefSize(id btfdump.TypeID) (uint64, bool) {
	at := id
	for {
		t := c.view.Type(c.view.Resolve(at))
		switch k := t.Kind(); {
		case k == btfdump.KindArray:
			at = t.Ref()
			continue
		case k.IsRecord() && t.HasName():
			cl, _ := classOf(t)
			e := c.names.byKey[entryKey{cl, t.Name()}]
			if e == nil || len(e.heads) != 1 {
				return 0, false
			}
		case k == btfdump.KindVoid, k == btfdump.KindFuncProto, t.IsForward():
			return 0, false
		}
		if c.view.PointerSize() == 4 && (t.Kind() == btfdump.KindPtr || c.narrow[t.ID()]) {
			return 0, false
		}
		return c.view.SizeOf(id), true
	}
}

// enumerators states the values of an enum that the header has as body. e is
// nil for an anonymous one.
func (s *factSet) enumerators(t btfdump.Type, e *entry, title string, body enumBody) {
	pairs, rest := pairEnumerators(t, body.names)
	for i, v := range t.Enumerators() {
		head := pairs[i]
		if head == "" {
			s.found = append(s.found, Mismatch{Type: title, Member: quoted(v.Name), Aspect: AspectMember, BTF: enumValue(t, v), Compiler: "no such enumerator"})
			continue
		}
		s.facts = append(s.facts, fact{
			expr: enumCast(t.Size()) + head, want: sized(v.Value, t.Size()), entry: e, title: title, member: v.Name, aspect: AspectValue,
			show: func(n uint64) string { return showValue(t, n) },
		})
	}
	for _, name := range rest {
		s.found = append(s.found, Mismatch{Type: title, Member: name, Aspect: AspectMember, BTF: "no such enumerator", Compiler: "an enumerator"})
	}
}

// enumCast makes a value of an enum comparable: see sized.
func enumCast(size uint32) string {
	switch size {
	case 1:
		return "(unsigned char)"
	case 2:
		return "(unsigned short)"
	case 4:
		return "(unsigned)"
	}
	return "(unsigned long long)"
}

// showValue writes a value that has been cut to the enum's size.
func showValue(t btfdump.Type, n uint64) string {
	if t.Signed() && t.Size() < 8 {
		shift := 64 - 8*t.Size()
		n = uint64(int64(n<<shift) >> shift)
	}
	return enumValue(t, btfdump.Enumerator{Value: n})
}

// anonymousEnums states the values of enums that have no name to read them back
// by. The header has them as they are, or under a name of its own; of those
// with the same enumerators' names, all are asked.
func (c *check) anonymousEnums(s *factSet) {
	bodies := make(map[string][]enumBody) // by the plain name of the first enumerator
	for _, b := range c.declared.enums {
		if len(b.names) == 0 || c.names.byKey[entryKey{classEnum, b.tag}] != nil {
			continue
		}
		bodies[b.names[0]] = append(bodies[b.names[0]], b)
		if plain, ok := essential(b.names[0]); ok {
			bodies[plain] = append(bodies[plain], b)
		}
	}
	seen := make(map[string]bool)
	for t := range c.view.All() {
		if !t.Kind().IsEnum() || t.HasName() || t.NumEnumerators() == 0 || c.set != nil && !c.set.Has(t.ID()) {
			continue
		}
		key := enumKey(t)
		if seen[key] {
			continue
		}
		seen[key] = true
		title := "enum {" + quoted(t.Enumerator(0).Name) + ", …}"
		var candidates [][]fact
		for _, b := range bodies[t.Enumerator(0).Name] {
			var one factSet
			if one.enumerators(t, nil, title, b); len(one.found) == 0 {
				candidates = append(candidates, one.facts)
			}
		}
		switch {
		case len(candidates) == 1:
			s.facts = append(s.facts, candidates[0]...)
		case len(candidates) > 1:
			s.facts = append(s.facts, anyOf(candidates, title, AspectValue, "none of the enums with these names has these values", "these values"))
		case t.Enumerator(0).Name == "false" && t.NumEnumerators() == 2 && c.c23:
			s.enumerators(t, nil, title, enumBody{names: []string{"false", "true"}}) // keywords
		default:
			s.absent = append(s.absent, title)
		}
	}
}

// enumKey tells enums apart by their contents.
func enumKey(t btfdump.Type) string {
	var b strings.Builder
	fmt.Fprint(&b, t.Size())
	for _, e := range t.Enumerators() {
		fmt.Fprintf(&b, " %s=%d", e.Name, e.Value)
	}
	return b.String()
}

// anyOf states that all facts hold of one of several candidates at least. no and
// yes are what reports say then.
func anyOf(candidates [][]fact, title string, aspect Aspect, no, yes string) fact {
	var any []string
	for _, facts := range candidates {
		var all []string
		for _, f := range facts {
			all = append(all, fmt.Sprintf("%s == %du", f.expr, f.want))
		}
		any = append(any, "("+strings.Join(all, " && ")+")")
	}
	return fact{expr: strings.Join(any, " || "), want: 1, title: title, aspect: aspect, show: func(n uint64) string {
		return []string{no, yes}[n&1]
	}}
}
