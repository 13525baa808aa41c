package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// What a header leaves to the program behind it
//
// What is verified is what the header declares, without its macros. A program has
// those, too: behind "#define point circle", its struct point is another type than
// the one that was compared. So the macros that are there at the header's end are
// compared with all names that programs use for the kernel's types, and with the
// words that they ask about types with. A macro of such a name is harmless where it
// comes to the same: to itself; to the same integer type, for a typedef; to the same
// number, for an enumerator; to another of the header's names for the same type.
// With parameters, it is so for what no program writes a parenthesis behind, which
// are members (that are pointers to functions of the kernel's, at most) and
// enumerators. Macros of other names are the header's business.
//
// "#pragma pack" and its like last, too: behind the header stands a record of which
// every offset is known.

// words are those with which programs, and this package, ask about types, and those
// that CO-RE rests on. A header that leaves one of them behind as a macro gives other
// answers than its declarations do. Not among them are words that headers for old
// compilers define with reason, such as inline and restrict.
var words = []string{
	"struct", "union", "enum", "typedef", "extern", "static", "sizeof", "_Alignof", "_Static_assert", "_Generic",
	"typeof", "__typeof", "__typeof__", "__alignof", "__alignof__", "__attribute", "__attribute__", "_Atomic",
	"const", "volatile", "__const", "__volatile", "__volatile__", "void", "char", "short", "int", "long", "float", "double",
	"signed", "__signed", "__signed__", "unsigned", "_Bool", "__int128", "asm", "__asm", "__asm__",
	"break", "case", "continue", "default", "do", "else", "for", "goto", "if", "return", "switch", "while",
	"preserve_access_index", "__preserve_access_index__", "packed", "__packed__", "aligned", "__aligned__", "section", "__section__",
	"btf_decl_tag", "__has_attribute", "__has_builtin", "__has_include",
}

// isWordOfC reports whether a macro's name is one of words, or a builtin's.
func isWordOfC(name string) bool {
	return strings.HasPrefix(name, "__builtin_") || slices.Contains(words, name)
}

// isSpelling reports whether one keyword is another spelling of the other, such as
// __const of const.
func isSpelling(a, b string) bool {
	return isWordOfC(a) && isWordOfC(b) && strings.Trim(a, "_") == strings.Trim(b, "_")
}

// use is a macro whose name programs use for something of the header's.
type use struct {
	name   string
	entry  *entry // nil for an enumerator
	member bool   // of the entry
	value  string // the header's name of the enumerator, which may have a suffix
}

// macros states what is wrong with the macros that the header leaves behind.
func (c *check) macros(ctx context.Context, s *factSet) error {
	set := c.unit.macros
	c.offsetof(s)
	c.byteOrder(s)
	c.behind(s)
	left := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch {
		case set.isItself(name):
		case isWordOfC(name):
			if list, ok := set.expand(name); !ok || len(list) != 1 || !isSpelling(name, list[0]) {
				s.found = append(s.found, macroMismatch(name, "a word of C's", "a macro"))
			}
		default:
			left[name] = true
		}
	}
	if err := c.poisoned(ctx, s); err != nil {
		return err
	}
	uses := c.uses(left)
	if len(uses) == 0 {
		return nil
	}
	// Not the header's are those that the compiler has without it.
	predefined, err := c.unit.predefined(ctx)
	if err != nil {
		return err
	}
	for _, u := range uses {
		switch {
		case predefined.same(set, u.name):
		case u.entry != nil && !u.member:
			c.macroOfType(s, u.entry, u.name)
		case set.hasParameters(u.name):
		case u.member:
			s.found = append(s.found, macroMismatch(u.name, "a member of "+u.entry.title(), c.leaves(u.name)))
		default:
			c.macroOfValue(s, u.name, u.value)
		}
	}
	return nil
}

// uses lists what programs use names in left for.
func (c *check) uses(left map[string]bool) []use {
	var list []use
	if len(left) == 0 {
		return nil
	}
	for _, e := range c.names.entries {
		if left[e.name] {
			list = append(list, use{name: e.name, entry: e})
		}
		for _, head := range e.heads {
			if head != e.name && left[head] {
				list = append(list, use{name: head, entry: e})
			}
		}
	}
	c.eachMember(func(e *entry, name string) {
		if left[name] {
			list = append(list, use{name: name, entry: e, member: true})
		}
	})
	declared := make(map[string]bool)
	for _, body := range c.declared.enums {
		for _, name := range body.names {
			declared[name] = true
		}
	}
	for _, body := range c.declared.enums {
		for _, name := range body.names {
			if left[name] {
				list = append(list, use{name: name, value: name})
			}
			// Where the kernel's name has a suffix, programs may still say the name.
			if plain, ok := essential(name); ok && left[plain] && !declared[plain] {
				list = append(list, use{name: plain, value: name})
			}
		}
	}
	return list
}

func macroMismatch(name, btf, compiler string) Mismatch {
	return Mismatch{Type: "macro " + name, Aspect: AspectMacro, BTF: btf, Compiler: compiler}
}

// leaves says what a macro stands for, and why.
func (c *check) leaves(name string) string {
	means, _ := c.unit.macros.meaning(name)
	return means + ", since the header leaves " + name + " defined"
}

// macroOfType states what is wrong with a macro of a type's or function's name.
func (c *check) macroOfType(s *factSet, e *entry, name string) {
	set := c.unit.macros
	list, ok := set.expand(name)
	switch {
	case ok && len(list) == 1 && slices.Contains(e.heads, list[0]):
		return // another of its names
	case ok && e.class <= classEnum && len(e.heads) > 0 && !slices.Contains(e.heads, name) && isNoName(list):
		return // the header has the type under another name, and this is none
	case e.class == classFunction && len(set[name]) == 1 && set[name][0].harmlessCall(name):
		return
	case e.class == classTypedef && ok && !slices.ContainsFunc(list, func(t string) bool { return !slices.Contains(integerWords, t) }):
		number, known := c.number(e.ids[0])
		if len(e.heads) > 0 {
			number, known = e.heads[0], true
		}
		if known && len(list) > 0 {
			s.facts = append(s.facts, fact{
				expr: "__builtin_types_compatible_p(" + strings.Join(list, " ") + ", " + number + ")", want: 1, title: "macro " + name, aspect: AspectMacro,
				show: func(n uint64) string { return []string{strings.Join(list, " "), e.title()}[n&1] },
			})
			return
		}
	}
	means := c.leaves(name)
	if _, isName := set.meaning(name); isName && e.class <= classEnum {
		means = e.class.String() + " " + means
	}
	s.found = append(s.found, macroMismatch(name, e.title(), means))
}

// isNoName reports whether what stands for a name is nothing, or an attribute: a
// program that says "struct name" then names no type, and does not compile. That
// does not go for typedefs: "u32 x = 5;" without its first word is a statement.
func isNoName(list []string) bool {
	if len(list) == 0 {
		return true
	}
	if list[0] != "__attribute__" || len(list) < 2 {
		return false
	}
	depth := 0
	for i, token := range list[1:] {
		switch token {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 {
			return token == ")" && i == len(list)-2
		}
	}
	return false
}

var integerWords = []string{"_Bool", "char", "short", "int", "long", "signed", "unsigned", "__int128"}

// macroOfValue states that a macro comes to the number of the enumerator of its
// name, which is called enumerator in the header, and is below zero if that is.
func (c *check) macroOfValue(s *factSet, name, enumerator string) {
	list, ok := c.unit.macros.expand(name)
	// No other names, and no casts: what the number is must not depend on where it
	// stands.
	for _, token := range list {
		ok = ok && (token == enumerator || !isWord(token[0]) && token[0] != '"' && token[0] != '#' && token[0] < 0x80)
	}
	if !ok || len(list) == 0 {
		s.found = append(s.found, macroMismatch(name, "an enumerator", c.leaves(name)))
		return
	}
	value := "(" + strings.Join(list, " ") + ")"
	s.facts = append(s.facts, fact{
		expr: fmt.Sprintf("%[1]s == %[2]s && (%[1]s < 0) == (%[2]s < 0)", value, enumerator), want: 1, title: "macro " + name, aspect: AspectMacro,
		show: func(n uint64) string { return []string{"another number", "the enumerator's number"}[n&1] },
	})
}

// eachMember calls f with the names of members of the types that the header has.
func (c *check) eachMember(f func(e *entry, name string)) {
	seen := c.view.NewSet()
	var walk func(e *entry, id btfdump.TypeID, depth int)
	walk = func(e *entry, id btfdump.TypeID, depth int) {
		t := c.view.Type(id)
		for steps := 0; t.Kind() == btfdump.KindArray || t.Kind() == btfdump.KindPtr || t.Kind().IsModifier(); steps++ {
			if steps > maxDepth {
				return
			}
			t = c.view.Type(t.Ref())
		}
		if !t.Kind().IsRecord() || depth > 0 && t.HasName() || seen.Has(t.ID()) || depth > maxDepth {
			return
		}
		seen.Add(t.ID())
		for _, m := range t.Members() {
			if m.Name != "" {
				f(e, m.Name)
				if c.c23 && isC23Keyword(m.Name) {
					f(e, c.memberName(m.Name))
				}
			}
			walk(e, m.Type, depth+1)
		}
	}
	for _, e := range c.names.entries {
		if e.forward || len(e.heads) == 0 || e.class == classEnum || e.class == classFunction {
			continue
		}
		for _, id := range e.ids {
			if e.class == classTypedef {
				if target, _ := peel(c.view, c.view.Type(id).Ref()); !target.HasName() {
					walk(e, target.ID(), 0)
				}
				continue
			}
			walk(e, id, 0)
		}
	}
}

// offsetof states that a macro of this name, which libbpf's headers and C's define,
// does what it should: that it has one of the usual forms, none of which does it for
// some records only, and that it is right for two.
func (c *check) offsetof(s *factSet) {
	definitions := c.unit.macros["offsetof"]
	if len(definitions) == 0 {
		return
	}
	for _, field := range []struct {
		record, name string
		at           uint64
	}{{"o", "b", 4}, {"far", "c", farOffset}} {
		text, ok := c.unit.macros.offsetofText(definitions, "struct "+c.unit.key+field.record, field.name)
		if !ok {
			s.found = append(s.found, macroMismatch("offsetof", "a word of C's", "a macro of an unknown form"))
			return
		}
		s.facts = append(s.facts, fact{expr: "(" + text + ")", want: field.at, title: "macro offsetof", aspect: AspectMacro, optional: true, show: byteCount})
	}
}

// offsetofText is what offsetof comes to for a member.
func (s macroSet) offsetofText(definitions []macro, record, name string) (text string, ok bool) {
	m := definitions[0]
	if len(definitions) > 1 {
		return "", false
	}
	if !m.function {
		list, ok := s.expand("offsetof")
		return "__builtin_offsetof(" + record + ", " + name + ")", ok && strings.Join(list, "") == "__builtin_offsetof"
	}
	params := m.params()
	if len(params) != 2 {
		return "", false
	}
	budget := maxExpansion
	list, ok := s.expandTokens(m.body(), slices.Concat([]string{"offsetof"}, params), &budget)
	if !ok {
		return "", false
	}
	var shape, filled []string
	for _, token := range list {
		switch token {
		case params[0]:
			shape, filled = append(shape, "T"), append(filled, record)
		case params[1]:
			shape, filled = append(shape, "M"), append(filled, name)
		case "(", ")":
			filled = append(filled, token)
		default:
			shape, filled = append(shape, token), append(filled, token)
		}
	}
	return strings.Join(filled, " "), offsetofPattern().MatchString(strings.Join(shape, " "))
}

// offsetofPattern are the forms of offsetof, without parentheses.
var offsetofPattern = onDemand(`^(?:__builtin_offsetof T , M|(?:[A-Za-z_][A-Za-z0-9_]* )*& T \* 0 -> M|(?:[A-Za-z_][A-Za-z0-9_]* )*char \* & T \* 0 -> M - (?:char \* )?0)$`)

// byteOrder states that the macros are true by which programs, and libbpf's headers,
// find out about the byte order and the target.
func (c *check) byteOrder(s *factSet) {
	if c.report.Target != "bpfel" && c.report.Target != "bpfeb" {
		return
	}
	order := map[string]string{"bpfel": "1234", "bpfeb": "4321"}[c.report.Target]
	for _, m := range [][2]string{{"__BYTE_ORDER__", order}, {"__ORDER_LITTLE_ENDIAN__", "1234"}, {"__ORDER_BIG_ENDIAN__", "4321"}, {"__bpf__", "1"}} {
		list, ok := c.unit.macros.expand(m[0])
		if !ok || len(list) != 1 || list[0] != m[1] {
			means, _ := c.unit.macros.meaning(m[0])
			s.found = append(s.found, macroMismatch(m[0], m[1], means))
		}
	}
}

// behind states that records behind the header are laid out as those before it.
func (c *check) behind(s *factSet) {
	if c.report.Target != "bpfel" && c.report.Target != "bpfeb" {
		return
	}
	// It stands in the facts, which are about BPF: other targets have no __int128.
	record := "struct { char a; long long b; __int128 c; char x: 3; int y: 3; int d; char z; char e __attribute__((aligned(16))); }"
	for _, f := range []struct {
		expr string
		want uint64
	}{
		{"sizeof(" + record + ")", 64}, {"__builtin_offsetof(" + record + ", b)", 8}, {"__builtin_offsetof(" + record + ", c)", 16},
		{"__builtin_offsetof(" + record + ", d)", 36}, {"__builtin_offsetof(" + record + ", e)", 48},
	} {
		s.facts = append(s.facts, fact{expr: f.expr, want: f.want, title: "the program's records, behind the header", aspect: AspectSize, show: byteCount})
	}
}

// ownRecords are the declarations that facts need: they stand before them.
func ownRecords(key string) string {
	return fmt.Sprintf("struct %[1]so { char a; int b; }; struct %[1]sfar { char a[%[2]d]; char c; };", key, farOffset)
}

// farOffset has more than 16 bits.
const farOffset = 0x12345

// poisoned states which of the names that programs use they can't: those that
// #pragma GCC poison names, of which nothing shows in what is preprocessed.
func (c *check) poisoned(ctx context.Context, s *factSet) error {
	if !c.unit.mayPoison {
		return nil
	}
	names := slices.Clone(words)
	for _, e := range c.names.entries {
		names = append(append(names, e.name), e.heads...)
	}
	c.eachMember(func(_ *entry, name string) { names = append(names, name) })
	for _, body := range c.declared.enums {
		names = append(names, body.names...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !btfdump.IsIdentifier(name) || c.unit.macros[name] != nil })
	slices.Sort(names)
	names = slices.Compact(names)
	lines, err := c.unit.refused(ctx, names)
	if err != nil {
		return err
	}
	for _, i := range lines {
		s.found = append(s.found, macroMismatch(names[i], "a name that programs use", "poisoned: a program that says it does not compile"))
	}
	return nil
}
