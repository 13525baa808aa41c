package gogen

import (
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// maxCType is how long a C type in a comment may be before it is cut.
const maxCType = 200

// maxDeclarator bounds how many pointers, arrays and prototypes a C type in a
// comment has before the rest is left out.
const maxDeclarator = 12

// appendCType appends a type as C writes it without a name, for comments:
// "struct task_struct *", "void (*)(int)". Qualifiers and type tags are left
// out.
func appendCType(b []byte, v *btfdump.View, id btfdump.TypeID) []byte {
	start := len(b)
	t := skipQualifiers(v, id)
	stars := 0
	for t.Kind() == btfdump.KindPtr && stars < maxDeclarator {
		t = skipQualifiers(v, t.Ref())
		stars++
	}
	if k := t.Kind(); k != btfdump.KindArray && k != btfdump.KindFuncProto && k != btfdump.KindPtr {
		b = appendCName(b, t)
		if stars > 0 {
			b = append(b, ' ')
		}
		for range stars {
			b = append(b, '*')
		}
	} else {
		b = append(b, declarator(v, id, "", 0)...)
	}
	if len(b)-start > maxCType {
		b = append(b[:start+maxCType], "..."...)
	}
	return b
}

// maxQualifiers is how many qualifiers and type tags are skipped one by one: no
// compiler writes as many. Behind more, typedefs are skipped too.
const maxQualifiers = 64

func skipQualifiers(v *btfdump.View, id btfdump.TypeID) btfdump.Type {
	t := v.Type(id)
	for n := 0; t.Kind().IsModifier() && t.Kind() != btfdump.KindTypedef; n++ {
		if n == maxQualifiers {
			return v.Type(v.Resolve(id))
		}
		t = v.Type(t.Ref())
	}
	return t
}

// declarator is the general case of appendCType: inner is what the types
// further out have made of the declaration so far.
func declarator(v *btfdump.View, id btfdump.TypeID, inner string, depth int) string {
	for {
		t := skipQualifiers(v, id)
		if depth++; depth > maxDeclarator || len(inner) > maxCType {
			return "... " + inner
		}
		switch t.Kind() {
		case btfdump.KindPtr:
			inner = "*" + inner
			if k := skipQualifiers(v, t.Ref()).Kind(); k == btfdump.KindArray || k == btfdump.KindFuncProto {
				inner = "(" + inner + ")"
			}
		case btfdump.KindArray:
			inner += "[" + strconv.FormatUint(uint64(t.ArrayLen()), 10) + "]"
		case btfdump.KindFuncProto:
			inner += "("
			for i, p := range t.Params() {
				if i > 0 {
					inner += ", "
				}
				if len(inner) > maxCType {
					break
				}
				if p.Type == 0 {
					inner += "..."
				} else {
					inner += declarator(v, p.Type, "", depth)
				}
			}
			if t.NumParams() == 0 {
				inner += "void"
			}
			inner += ")"
		default:
			name := string(appendCName(nil, t))
			if inner == "" || inner[0] == '[' {
				return name + inner
			}
			return name + " " + inner
		}
		id = t.Ref()
	}
}

// appendCName appends the name of a type that is no pointer, array or
// prototype: "struct foo", "unsigned int". Names that no C compiler makes are
// quoted.
func appendCName(b []byte, t btfdump.Type) []byte {
	switch k := t.Kind(); {
	case k == btfdump.KindVoid:
		return append(b, "void"...)
	case k == btfdump.KindStruct, k == btfdump.KindFwd && !t.KindFlag():
		b = append(b, "struct "...)
	case k == btfdump.KindUnion, k == btfdump.KindFwd:
		b = append(b, "union "...)
	case k.IsEnum():
		b = append(b, "enum "...)
	}
	name := t.Name()
	switch {
	case name == "":
		return append(b, "{...}"...)
	case isWords(name):
		return append(b, name...)
	}
	quoted := strconv.QuoteToASCII(name[:min(len(name), 80)])
	return append(b, plainQuotes.Replace(quoted)...)
}

// plainQuotes escapes what gofmt makes typographic quotes of in a doc comment
// (https://go.dev/doc/comment#text).
var plainQuotes = strings.NewReplacer("``", `\x60\x60`, "''", `\x27\x27`)

// isWords reports whether a name consists of identifiers and spaces, as
// "unsigned int" does.
func isWords(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && !isDigit(c) && c != '_' && (c != ' ' || i == 0 || i == len(name)-1) {
			return false
		}
	}
	return name != ""
}
