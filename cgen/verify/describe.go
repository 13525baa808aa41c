package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// sameInt compares integers: by C's name for them where the BTF has one that
// means the same number of bytes on BPF, and by size and signedness where not,
// as for a 32-bit kernel's long and for gcc's ssizetype.
func sameInt(a, b btfdump.Type) bool {
	if a.Size() != b.Size() {
		return false
	}
	name, ok := canonicalInt(a.Name())
	if ok && intSizes[name] == a.Size() {
		other, _ := canonicalInt(b.Name())
		return name == other
	}
	if a.Size() != intSizes["_Bool"] {
		return a.Signed() == b.Signed() // C has no truth values of other sizes
	}
	isBool := func(t btfdump.Type) bool {
		name, _ := canonicalInt(t.Name())
		return t.IntEncoding()&btfdump.IntBool != 0 || name == "_Bool"
	}
	if isBool(a) && isBool(b) {
		return true // whatever is said of its sign, C's has none
	}
	return a.Signed() == b.Signed() && !isBool(a) && !isBool(b)
}

// sameFloat compares numbers with a point: by C's name for them where the BTF has
// one that means the same number of bytes on BPF, and by size where not, as for a
// long double of 16 bytes.
func sameFloat(a, b btfdump.Type) bool {
	if a.Size() != b.Size() {
		return false
	}
	return floatSizes[a.Name()] != a.Size() || floatSizes[b.Name()] != b.Size() || a.Name() == b.Name()
}

var floatSizes = map[string]uint32{"float": 4, "double": 8, "long double": 8}

// intSizes are the sizes in bytes that BPF gives to C's integers.
var intSizes = map[string]uint32{
	"_Bool": 1, "char": 1, "signed char": 1, "unsigned char": 1,
	"short": 2, "unsigned short": 2, "int": 4, "unsigned": 4,
	"long": 8, "unsigned long": 8, "long long": 8, "unsigned long long": 8,
	"__int128": 16, "unsigned __int128": 16,
}

// canonicalInt returns one of the spellings that C has for an integer, and
// whether it is C's at all: gcc says "long unsigned int" and clang "unsigned
// long".
func canonicalInt(name string) (string, bool) {
	if name == "bool" {
		name = "_Bool"
	}
	words := strings.Fields(name)
	sign := ""
	kept := words[:0]
	for _, w := range words {
		switch {
		case w == "unsigned":
			sign = w
		case w == "int" && len(words) > 1, w == "signed" && !slices.Contains(words, "char"):
		default:
			kept = append(kept, w)
		}
	}
	if sign == "" && len(kept) == 0 {
		kept = []string{"int"} // signed int
	}
	if sign != "" {
		kept = append([]string{sign}, kept...)
	}
	name = strings.Join(kept, " ")
	_, ok := intSizes[name]
	return name, ok
}

func byteCount(n uint64) string { return plural(n, "byte") }

func position(n uint64) string {
	if n%8 == 0 {
		return "byte " + strconv.FormatUint(n/8, 10)
	}
	return "bit " + strconv.FormatUint(n, 10)
}

func width(n uint32) string {
	if n == 0 {
		return "no bitfield"
	}
	return plural(uint64(n), "bit")
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}

func signedness(signed bool) string {
	if signed {
		return "signed"
	}
	return "unsigned"
}

func enumValue(t btfdump.Type, e btfdump.Enumerator) string {
	if t.Signed() {
		return strconv.FormatInt(int64(e.Value), 10)
	}
	return strconv.FormatUint(e.Value, 10)
}

// describe writes a type as C does without a name, for people to read.
func (c *comparer) describe(v *btfdump.View, id btfdump.TypeID) string { return describe(v, id, 0) }

func describe(v *btfdump.View, id btfdump.TypeID, depth int) string {
	declarator := "" // what stands right of the base type
	pointed := false // the declarator starts with a pointer, which binds less than [] and ()
	for steps := 0; ; steps++ {
		t, q := peel(v, id)
		if depth > 4 || steps > 16 {
			return "…" + declarator
		}
		switch t.Kind() {
		case btfdump.KindPtr:
			declarator, pointed = strings.TrimRight("*"+q.String()+declarator, " "), true
			id = t.Ref()
		case btfdump.KindArray:
			if pointed {
				declarator, pointed = "("+declarator+")", false
			}
			declarator += "[" + strconv.FormatUint(uint64(t.ArrayLen()), 10) + "]"
			id = t.Ref()
		case btfdump.KindFuncProto:
			if pointed {
				declarator, pointed = "("+declarator+")", false
			}
			var params []string
			for _, p := range t.Params() {
				if p.Type == 0 {
					params = append(params, "...")
				} else {
					params = append(params, describe(v, p.Type, depth+1))
				}
			}
			declarator += "(" + strings.Join(params, ", ") + ")"
			id = t.Ref()
		default:
			text := q.String() + baseName(t)
			if declarator != "" {
				text += " " + declarator
			}
			return text
		}
	}
}

func (q qualifiers) String() string {
	var b strings.Builder
	for i, word := range []string{"const ", "volatile ", "restrict "} {
		if q>>i&1 != 0 {
			b.WriteString(word)
		}
	}
	return b.String()
}

func baseName(t btfdump.Type) string {
	c, ok := classOf(t)
	switch {
	case t.Kind() == btfdump.KindVoid:
		return "void"
	case ok && c != classTypedef && t.HasName():
		return c.String() + " " + quoted(t.Name())
	case ok && c != classTypedef:
		return c.String() + " {…}"
	case t.Kind() == btfdump.KindInt:
		return fmt.Sprintf("%s (%s)", quotedWords(t.Name()), byteCount(uint64(t.Size())))
	}
	return quotedWords(t.Name())
}

// quotedWords is quoted for the names of integers, which may be several words.
func quotedWords(name string) string {
	words := strings.Fields(name)
	for i := range words {
		words[i] = quoted(words[i])
	}
	return strings.Join(words, " ")
}
