package verify

import (
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// comparer compares types of the BTF with those that a compiler read from the
// header and wrote as BTF again. Named types inside others are compared by
// name alone, since each of them is compared for itself.
type comparer struct {
	names *names
	btf   *btfdump.View // where the header comes from
	back  *btfdump.View // what the compiler says
	// narrow are records that a 32-bit kernel's pointers make shorter than BPF
	// has them: their sizes and offsets are compared elsewhere.
	narrow map[btfdump.TypeID]bool
	// members are those that the header keeps; nil stands for all.
	members *btfdump.MemberSet
	// signs says that both record which enums are signed.
	signs bool
	// short says that the compiler's BTF has 32 bits of an enumerator's value.
	short bool
	// equal are anonymous records that have been found to be the same. Those of a
	// member are looked at member by member and then as a part of its type: each
	// level of nesting would double the work.
	equal map[recordPair]bool
}

type recordPair struct{ btf, back btfdump.TypeID }

// difference is one thing about a type that the BTF and the compiler see
// differently.
type difference struct {
	member        string // or enumerator; "" for the type as a whole
	aspect        Aspect
	btf, compiler string
}

// maxDepth bounds how deep anonymous types and prototypes are followed. cgen
// prints no deeper ones, and compilers stop at 256.
const maxDepth = 250

// record compares the members of two records, those of unnamed members as the
// record's own: that is how C names them, and a member that is unnamed but of
// a named type (Linux is built with -fms-extensions since 7.0) can only be
// written as an anonymous record.
func (c *comparer) record(id, back btfdump.TypeID, prefix string, depth int) []difference {
	pair := recordPair{id, back}
	if c.equal[pair] {
		return nil
	}
	t, r := c.btf.Type(id), c.back.Type(back)
	var list []difference
	exact := !c.narrow[id]
	whole := strings.TrimSuffix(prefix, ".") // the member of this type
	if t.Kind() != r.Kind() {
		list = append(list, difference{whole, AspectType, t.Kind().String(), r.Kind().String()})
	}
	if exact && t.Size() != r.Size() {
		list = append(list, difference{whole, AspectSize, byteCount(uint64(t.Size())), byteCount(uint64(r.Size()))})
	}
	want, got := flatten(c.btf, id, c.members), flatten(c.back, back, nil)
	byName := make(map[string]leaf, len(got))
	for _, m := range got {
		byName[m.name] = m
	}
	for _, m := range want {
		other, ok := byName[m.name]
		if !ok {
			if other, ok = byName[m.name+"_"]; !ok || !isC23Keyword(m.name) {
				list = append(list, difference{prefix + quoted(m.name), AspectMember, c.describe(c.btf, m.Type), "no such member"})
				continue
			}
		}
		delete(byName, other.name)
		list = append(list, c.member(m, other, prefix, exact, depth)...)
	}
	for _, m := range got {
		if _, left := byName[m.name]; left && !isPadding(c.back, m) {
			list = append(list, difference{prefix + quoted(m.name), AspectMember, "no such member", c.describe(c.back, m.Type)})
		}
	}
	if len(list) == 0 && depth > 0 {
		if c.equal == nil {
			c.equal = make(map[recordPair]bool)
		}
		c.equal[pair] = true
	}
	return list
}

// isPadding reports whether a member that the BTF lacks only keeps others in their
// places: bytes with a name that says so, for gaps that are too long for unnamed
// bitfields. Where it would not, the others are misplaced.
func isPadding(v *btfdump.View, m leaf) bool {
	at, ok := strings.CutPrefix(m.name, "__padding_")
	if _, err := strconv.ParseUint(at, 10, 32); !ok || err != nil {
		return false
	}
	t := v.Type(m.Type)
	return t.Kind() == btfdump.KindArray && v.Type(t.Ref()).Kind() == btfdump.KindInt && v.SizeOf(t.Ref()) == 1
}

// isC23Keyword reports whether a member's name is a keyword since C23, and so
// can't be the header's where that is compiled. Kernel 6.1 has a "u32 bool".
func isC23Keyword(name string) bool {
	return slices.Contains([]string{
		"alignas", "alignof", "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true", "typeof", "typeof_unqual",
	}, name)
}

func (c *comparer) member(m, back leaf, prefix string, exact bool, depth int) []difference {
	var list []difference
	name := prefix + quoted(m.name)
	add := func(a Aspect, btf, compiler string) { list = append(list, difference{name, a, btf, compiler}) }
	if exact && m.offset != back.offset {
		add(AspectOffset, position(m.offset), position(back.offset))
	}
	if m.BitSize != back.BitSize {
		add(AspectWidth, width(m.BitSize), width(back.BitSize))
	}
	// An anonymous record is compared member by member, so that a report says which.
	a, b := c.element(c.btf, m.Type), c.element(c.back, back.Type)
	if x, y := c.btf.Type(a), c.back.Type(b); depth < maxDepth && x.Kind().IsRecord() && !x.HasName() && y.Kind().IsRecord() && !y.HasName() {
		if inner := c.record(a, b, name+".", depth+1); len(inner) > 0 {
			return append(list, inner...)
		}
	}
	if !c.same(m.Type, back.Type, depth) {
		add(AspectType, c.describe(c.btf, m.Type), c.describe(c.back, back.Type))
	}
	return list
}

// element returns the type of an array's elements, without qualifiers, and
// other types as they are.
func (c *comparer) element(v *btfdump.View, id btfdump.TypeID) btfdump.TypeID {
	for {
		t := v.Type(id)
		switch k := t.Kind(); {
		case k == btfdump.KindArray, k.IsModifier() && k != btfdump.KindTypedef:
			id = t.Ref()
		default:
			return id
		}
	}
}

// leaf is a member with a name, at its place in the outermost record.
type leaf struct {
	name   string
	offset uint64 // bits
	btfdump.Member
}

// flatten lists the members of a record that C can name: its own, and those of
// unnamed members, as far as the header keeps them.
func flatten(v *btfdump.View, id btfdump.TypeID, members *btfdump.MemberSet) []leaf {
	var list []leaf
	visited := 0
	var add func(t btfdump.Type, base uint64, depth int)
	add = func(t btfdump.Type, base uint64, depth int) {
		for i, m := range t.Members() {
			if visited++; visited > maxMembers {
				return
			}
			if !members.Has(t.ID(), i) {
				continue
			}
			offset := base + uint64(m.BitOffset)
			if m.Name != "" {
				list = append(list, leaf{m.Name, offset, m})
			} else if inner := v.Type(v.Resolve(m.Type)); inner.Kind().IsRecord() && depth < maxDepth {
				add(inner, offset, depth+1)
			}
		}
	}
	add(v.Type(id), 0, 0)
	return list
}

// enum compares size, signedness, names and values of two enums.
func (c *comparer) enum(id, back btfdump.TypeID) []difference {
	t, r := c.btf.Type(id), c.back.Type(back)
	var list []difference
	add := func(name string, a Aspect, btf, compiler string) {
		list = append(list, difference{name, a, btf, compiler})
	}
	if t.Size() != r.Size() {
		add("", AspectSize, byteCount(uint64(t.Size())), byteCount(uint64(r.Size())))
	}
	if c.signs && t.NumEnumerators() > 0 && isSigned(t) != isSigned(r) {
		add("", AspectSign, signedness(isSigned(t)), signedness(isSigned(r)))
	}
	byName := make(map[string]btfdump.Enumerator, r.NumEnumerators())
	heads := make([]string, 0, r.NumEnumerators())
	for _, e := range r.Enumerators() {
		byName[e.Name] = e
		heads = append(heads, e.Name)
	}
	pairs, rest := pairEnumerators(t, heads)
	for i, e := range t.Enumerators() {
		other := byName[pairs[i]]
		switch {
		case pairs[i] == "":
			add(quoted(e.Name), AspectMember, enumValue(t, e), "no such enumerator")
		case sized(e.Value, c.valueSize(t)) != sized(other.Value, c.valueSize(t)):
			add(quoted(e.Name), AspectValue, enumValue(t, e), enumValue(r, other))
		}
	}
	for _, name := range rest {
		add(quoted(name), AspectMember, "no such enumerator", enumValue(r, byName[name]))
	}
	return list
}

// pairEnumerators returns the header's name for each value of an enum, "" for
// those that it lacks, and the names that stand for none. Where the BTF has a name
// twice, all but one have a suffix, and they come in the same order.
func pairEnumerators(t btfdump.Type, heads []string) (pairs, rest []string) {
	own := make(map[string]bool, t.NumEnumerators())
	for _, e := range t.Enumerators() {
		own[e.Name] = true
	}
	byName := make(map[string][]string, len(heads))
	for _, head := range heads {
		name := head
		if plain, ok := essential(head); ok && !own[head] {
			name = plain
		}
		byName[name] = append(byName[name], head)
	}
	taken := make(map[string]bool, len(heads))
	for _, e := range t.Enumerators() {
		head := ""
		if list := byName[e.Name]; len(list) > 0 {
			head, byName[e.Name] = list[0], list[1:]
			taken[head] = true
		}
		pairs = append(pairs, head)
	}
	for _, head := range heads {
		if !taken[head] {
			rest = append(rest, head)
		}
	}
	return pairs, rest
}

// sized cuts a value to the bytes of its enum: BTF without kind_flag has small
// negative values in 32 bits that it does not call signed.
func sized(value uint64, size uint32) uint64 {
	if size >= 8 {
		return value
	}
	return value & (1<<(8*size) - 1)
}

func (c *comparer) valueSize(t btfdump.Type) uint32 {
	if c.short {
		return min(t.Size(), 4)
	}
	return t.Size()
}

// recordsSigns reports whether enums of the view say that they are signed,
// which those of kernels do since pahole 1.24, and clang's since 15.
func recordsSigns(v *btfdump.View) bool {
	for t := range v.All() {
		if t.Kind().IsEnum() && t.KindFlag() {
			return true
		}
	}
	return false
}

// isSigned reports whether an enum is signed. One that does not say so, but has
// values of 32 bits that do not fit its bytes, has negative ones.
func isSigned(t btfdump.Type) bool {
	if t.Signed() || t.Size() >= 4 {
		return t.Signed()
	}
	for _, e := range t.Enumerators() {
		if e.Value>>(8*t.Size()) != 0 {
			return true
		}
	}
	return false
}

// qualifiers of a type, as C sees them.
type qualifiers uint8

const (
	qualConst qualifiers = 1 << iota
	qualVolatile
	qualRestrict
)

// peel takes qualifiers and type tags off a type. Type tags are attributes
// that a compiler may not know, and change no type.
func peel(v *btfdump.View, id btfdump.TypeID) (btfdump.Type, qualifiers) {
	var q qualifiers
	for {
		t := v.Type(id)
		switch t.Kind() {
		case btfdump.KindConst:
			q |= qualConst
		case btfdump.KindVolatile:
			q |= qualVolatile
		case btfdump.KindRestrict:
			q |= qualRestrict
		case btfdump.KindTypeTag:
		default:
			return t, q
		}
		id = t.Ref()
	}
}

// same reports whether two types are the same to C: through pointers, arrays,
// qualifiers and prototypes down to names and numbers.
func (c *comparer) same(id, back btfdump.TypeID, depth int) bool {
	return c.sameQualified(id, back, 0, depth)
}

// sameQualified is same for a type that has more qualifiers than it says.
func (c *comparer) sameQualified(id, back btfdump.TypeID, more qualifiers, depth int) bool {
	if depth > maxDepth {
		return false
	}
	outerA, outerB := more, qualifiers(0) // of arrays, which C gives to the elements
	for {
		a, qa := peel(c.btf, id)
		b, qb := peel(c.back, back)
		qa, qb = qa|outerA, qb|outerB
		outerA, outerB = 0, 0
		if a.Kind() == btfdump.KindTypedef && a.Name() == "bool" && b.Kind() == btfdump.KindInt {
			a, _ = peel(c.btf, c.btf.Resolve(a.ID())) // a keyword since C23
		}
		// Other than pointers nothing can be restrict; gcc encodes a noreturn
		// function as a volatile one.
		switch {
		case c.btf.Type(c.btf.Resolve(a.ID())).Kind() == btfdump.KindFuncProto:
			qa, qb = 0, 0
		case a.Kind() == btfdump.KindArray: // its elements may be pointers
		case a.Kind() != btfdump.KindPtr || c.btf.Type(c.btf.Resolve(a.Ref())).Kind() == btfdump.KindFuncProto:
			qa, qb = qa&^qualRestrict, qb&^qualRestrict
		}
		if a.Kind() == btfdump.KindArray && b.Kind() == btfdump.KindArray {
			if a.ArrayLen() != b.ArrayLen() {
				return false
			}
			id, back, outerA, outerB = a.Ref(), b.Ref(), qa, qb
			continue
		}
		if qa != qb {
			return false
		}
		if a.Kind() == btfdump.KindPtr && b.Kind() == btfdump.KindPtr {
			id, back = a.Ref(), b.Ref()
			continue
		}
		return c.sameBase(a, b, depth)
	}
}

// sameBase compares types that are neither qualified nor pointers nor arrays.
func (c *comparer) sameBase(a, b btfdump.Type, depth int) bool {
	if a.Kind() == btfdump.KindFuncProto || b.Kind() == btfdump.KindFuncProto {
		return a.Kind() == b.Kind() && c.prototype(a, b, depth)
	}
	x, isClassA := classOf(a)
	y, isClassB := classOf(b)
	if isClassA != isClassB || x != y {
		return false
	}
	if isClassA {
		switch {
		case a.HasName() && b.HasName():
			return c.names.refersTo(a.ID(), x, b.Name())
		case x == classEnum && !a.HasName():
			// A header has to name an enum that it uses twice.
			if b.HasName() && c.names.byKey[entryKey{classEnum, b.Name()}] != nil {
				return false
			}
			return len(c.enum(a.ID(), b.ID())) == 0
		case a.HasName() || b.HasName():
			return false
		}
		return len(c.record(a.ID(), b.ID(), "", depth+1)) == 0
	}
	switch a.Kind() {
	case btfdump.KindVoid:
		return b.Kind() == btfdump.KindVoid
	case btfdump.KindInt:
		return b.Kind() == btfdump.KindInt && sameInt(a, b)
	case btfdump.KindFloat:
		return b.Kind() == btfdump.KindFloat && sameFloat(a, b)
	}
	return false // of a kind that this version does not know
}

// prototype compares what functions take and return. Qualifiers of parameters
// and of what is returned are nothing to C.
func (c *comparer) prototype(a, b btfdump.Type, depth int) bool {
	if a.NumParams() != b.NumParams() {
		// "f(...)" has no C before C23; "f()" says as much.
		return a.NumParams() == 1 && a.Param(0).Type == 0 && b.NumParams() == 0
	}
	for i := range a.NumParams() {
		if !c.param(a.Param(i).Type, b.Param(i).Type, depth+1) {
			return false
		}
	}
	return c.unqualified(a.Ref(), b.Ref(), depth+1)
}

// param compares parameters. What the BTF has as an array or a function is to C,
// and in what a compiler brings back, a pointer to its element or to it.
func (c *comparer) param(id, back btfdump.TypeID, depth int) bool {
	a, b := c.btf.Type(c.btf.Resolve(id)), c.back.Type(c.back.Resolve(back))
	switch {
	case b.Kind() != btfdump.KindPtr:
	case a.Kind() == btfdump.KindArray:
		// Qualifiers of an array, also behind a typedef, are those of its elements.
		var outer qualifiers
		for t := c.btf.Type(id); t.ID() != a.ID(); t = c.btf.Type(t.Ref()) {
			if q, ok := qualifierOf[t.Kind()]; ok {
				outer |= q
			}
		}
		return c.sameQualified(a.Ref(), b.Ref(), outer, depth)
	case a.Kind() == btfdump.KindFuncProto:
		t, _ := peel(c.btf, id)
		return c.same(t.ID(), b.Ref(), depth)
	}
	return c.unqualified(id, back, depth)
}

var qualifierOf = map[btfdump.Kind]qualifiers{
	btfdump.KindConst: qualConst, btfdump.KindVolatile: qualVolatile, btfdump.KindRestrict: qualRestrict,
}

func (c *comparer) unqualified(id, back btfdump.TypeID, depth int) bool {
	a, _ := peel(c.btf, id)
	b, _ := peel(c.back, back)
	return c.same(a.ID(), b.ID(), depth)
}
