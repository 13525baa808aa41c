package verify

import (
	"slices"
	"strconv"
	"strings"
)

// macro is the definition of one.
type macro struct {
	function bool   // it has parameters, or none in parentheses
	list     string // the parameters, separated by commas
	text     string // what it stands for
}

// params are the names that stand in the body for arguments.
func (m macro) params() []string {
	if !m.function {
		return nil
	}
	list := strings.Split(m.list, ",")
	for i, param := range list {
		list[i] = strings.TrimSpace(param)
	}
	return list
}

// body are the tokens that it stands for.
func (m macro) body() []string { return tokens(m.text) }

// maxMacros bounds how many macros a header may leave behind. Each takes some 200
// bytes, and as little as 11 in the header; the compiler has 400 of its own.
const maxMacros = 1 << 20

// macroSet are macros by their names. Of one name there can be several where the
// compiler's output leaves room for doubt: a raw string with newlines can look like
// more of it, but not make less.
type macroSet map[string][]macro

// readMacros reads what -dM prints.
func readMacros(text string) macroSet {
	set := make(macroSet)
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "#define ")
		if !ok {
			continue
		}
		end := 0
		for end < len(rest) && rest[end] != ' ' && rest[end] != '(' {
			end++
		}
		name, m := rest[:end], macro{}
		rest = rest[end:]
		if strings.HasPrefix(rest, "(") {
			m.list, rest, _ = strings.Cut(rest[1:], ")")
			m.function = true
		}
		m.text = rest
		set[name] = append(set[name], m)
	}
	return set
}

// tokens splits a macro's body.
func tokens(text string) []string {
	var list []string
	for at := 0; at < len(text); {
		start, c := at, text[at]
		at++
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			continue
		case isWord(c) || isDigit(c) || c >= 0x80:
			for at < len(text) && (isWord(text[at]) || isDigit(text[at]) || text[at] >= 0x80 || text[at] == '.' && isDigit(c)) {
				at++
			}
		case c == '"' || c == '\'':
			for at < len(text) && text[at] != c {
				if text[at] == '\\' {
					at++
				}
				at++
			}
			at = min(at+1, len(text))
		case at < len(text) && slices.Contains(twoCharacters, text[start:at+1]):
			at++
		}
		list = append(list, text[start:at])
	}
	return list
}

var twoCharacters = []string{"->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "##", "%:"}

// unsteady are names that do not always come to the same, or to nothing that can be
// told from the macros.
var unsteady = []string{
	"__COUNTER__", "__LINE__", "__FILE__", "__FILE_NAME__", "__BASE_FILE__", "__INCLUDE_LEVEL__", "__DATE__", "__TIME__", "__TIMESTAMP__",
	"__FLT_EVAL_METHOD__", "_Pragma", "__pragma",
}

// maxExpansion bounds the tokens that one macro is looked at for: each of forty
// macros can stand for the next one twice.
const maxExpansion = 1000

// expand returns what a macro without parameters comes to, wherever it stands; ok is
// false if that can't be said, or if it has parameters.
func (s macroSet) expand(name string) (list []string, ok bool) {
	if slices.ContainsFunc(s[name], func(m macro) bool { return m.function }) {
		return nil, false
	}
	budget := maxExpansion
	return s.expandTokens([]string{name}, nil, &budget)
}

func (s macroSet) expandTokens(list, hidden []string, budget *int) (expanded []string, ok bool) {
	for i, token := range list {
		if *budget--; *budget < 0 || slices.Contains(unsteady, token) || strings.HasPrefix(token, "__has_") {
			return nil, false
		}
		definitions := s[token]
		switch {
		case len(definitions) == 0 || slices.Contains(hidden, token):
			expanded = append(expanded, token)
			continue
		case len(definitions) > 1 || slices.ContainsFunc(definitions[0].body(), isPaste):
			return nil, false
		case definitions[0].function:
			if i+1 < len(list) && list[i+1] == "(" {
				return nil, false
			}
			expanded = append(expanded, token)
			continue
		}
		inner, ok := s.expandTokens(definitions[0].body(), append(slices.Clone(hidden), token), budget)
		if !ok {
			return nil, false
		}
		expanded = append(expanded, inner...)
	}
	return expanded, true
}

// isPaste reports whether a token makes new ones.
func isPaste(token string) bool { return token == "##" || token == "#" || token == "%:" }

// isItself reports whether a macro comes to its own name.
func (s macroSet) isItself(name string) bool {
	list, ok := s.expand(name)
	return ok && len(list) == 1 && list[0] == name
}

// harmlessCall reports whether a macro with parameters makes a call of what is called
// in its own name.
func (m macro) harmlessCall(name string) bool {
	params := m.params()
	return len(params) > 0 && !slices.Contains(params, name) && !strings.Contains(m.list, "...") &&
		strings.Join(m.body(), "") == name+"("+strings.Join(params, ",")+")"
}

// meaning is what a macro comes to, for a report. isName says that it is one word.
func (s macroSet) meaning(name string) (text string, isName bool) {
	list, ok := s.expand(name)
	switch {
	case !ok:
		return "something else", false
	case len(list) == 0:
		return "nothing", false
	}
	text = strings.Join(list, " ")
	plain := !strings.ContainsFunc(text, func(r rune) bool { return r != ' ' && (r >= 0x80 || !isWord(byte(r)) && !isDigit(byte(r))) })
	if len(text) > 80 {
		text, plain = text[:80], false
	}
	if !plain {
		text = strconv.Quote(text)
	}
	return text, plain && len(list) == 1
}

// same reports whether a name has the same definitions in another set.
func (s macroSet) same(other macroSet, name string) bool {
	return slices.EqualFunc(s[name], other[name], func(a, b macro) bool {
		return a == b || a.function == b.function && slices.Equal(a.params(), b.params()) && slices.Equal(a.body(), b.body())
	})
}

func (s macroSet) hasParameters(name string) bool {
	return !slices.ContainsFunc(s[name], func(m macro) bool { return !m.function })
}
