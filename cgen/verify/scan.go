package verify

import "strings"

// declarations are the names that a header declares, as its preprocessed text
// shows them. They say which questions can be put to the compiler; they answer
// none. What this reading takes for a declaration and the compiler does not is
// dropped when the compiler complains.
type declarations struct {
	// defined are the tags that have a body, by "struct", "union" or "enum".
	defined [3]map[string]bool
	// mentioned are all tags.
	mentioned [3]map[string]bool
	enums     []enumBody
	// enumsByTag are indexes into enums.
	enumsByTag map[string]int
	typedefs   map[string]bool // and other names in typedefs, such as parameters
	functions  map[string]bool
	values     int // of all enums
}

// maxNames bounds how many names a header may declare. Each takes up to 200 bytes,
// and as little as two in the header. A kernel's has 40,000, and 300,000 with all
// its modules.
const maxNames = 2 << 20

// size is how many names there are.
func (d *declarations) size() int {
	n := d.values + len(d.enums) + len(d.typedefs) + len(d.functions)
	for i := range d.defined {
		n += len(d.defined[i]) + len(d.mentioned[i])
	}
	return n
}

// enumBody is an enum and the names of its values.
type enumBody struct {
	tag   string // "" for an anonymous one
	names []string
}

// tagKeywords are indexes into declarations.defined.
var tagKeywords = map[string]int{"struct": tagStruct, "union": tagUnion, "enum": tagEnum}

const (
	tagStruct = iota
	tagUnion
	tagEnum
)

// scanner walks over the tokens of preprocessed C.
type scanner struct {
	text string
	at   int
	out  *declarations

	braces    []int // of the open ones: the index of their enum, or one of the constants below
	statement statement
}

const (
	braceRecord = -1 - iota
	braceOther  // a function's body, or extern "C"
)

// statement is what is known of the declaration that is being read.
type statement struct {
	typedef    bool
	started    bool
	parens     int
	last       string // the identifier before the current token, "" if it is none
	functional bool   // a function's parameters have been seen
}

// scan reads preprocessed C, which has no comments and no directives but line
// markers. It may stop once there are more than maxNames.
func scan(text string) *declarations {
	d := &declarations{enumsByTag: map[string]int{}, typedefs: map[string]bool{}, functions: map[string]bool{}}
	for i := range d.defined {
		d.defined[i], d.mentioned[i] = map[string]bool{}, map[string]bool{}
	}
	s := scanner{text: text, out: d}
	for n := 1; ; n++ {
		token := s.next()
		if token == "" || n%1024 == 0 && d.size() > maxNames {
			return d
		}
		s.token(token)
	}
}

func (s *scanner) token(token string) {
	outside := len(s.braces) == 0 || s.braces[len(s.braces)-1] == braceOther && len(s.braces) == 1 && !s.statement.functional
	if kind, ok := tagKeywords[token]; ok {
		s.tag(kind)
		return
	}
	if token == "__attribute__" || token == "__attribute" || token == "__asm__" || token == "_Static_assert" {
		s.skipParens()
		return
	}
	if isWord(token[0]) {
		s.word(token, outside)
		return
	}
	switch token {
	case "{":
		s.braces = append(s.braces, braceOther)
	case "}":
		s.closeBrace()
	case "(":
		if outside && s.statement.parens == 0 && !s.statement.typedef && s.statement.last != "" {
			s.out.functions[s.statement.last] = true
			s.statement.functional = true
		}
		s.statement.parens++
	case ")":
		s.statement.parens--
	case ";":
		if outside {
			s.statement = statement{}
		}
	}
	s.statement.last = ""
}

// word takes a keyword or an identifier.
func (s *scanner) word(token string, outside bool) {
	switch {
	case token == "typedef" && outside && !s.statement.started:
		s.statement.typedef = true
	case len(s.braces) > 0 && s.braces[len(s.braces)-1] >= 0:
		e := &s.out.enums[s.braces[len(s.braces)-1]]
		e.names = append(e.names, token)
		s.out.values++
		s.skipValue()
	case outside && s.statement.typedef:
		s.out.typedefs[token] = true
	}
	s.statement.started = true
	s.statement.last = token
}

func (s *scanner) closeBrace() {
	if len(s.braces) == 0 {
		return // the compiler will complain
	}
	kind := s.braces[len(s.braces)-1]
	s.braces = s.braces[:len(s.braces)-1]
	if kind == braceOther && len(s.braces) == 0 {
		s.statement = statement{}
	}
}

// tag reads what follows struct, union or enum.
func (s *scanner) tag(kind int) {
	s.statement.started = true
	s.statement.last = ""
	name := ""
	for {
		before := s.at
		token := s.next()
		switch {
		case token == "__attribute__":
			s.skipParens()
			continue
		case token != "" && isWord(token[0]) && name == "":
			name = token
			continue
		case token == ":" && kind == tagEnum:
			s.skipUnderlying()
			if name != "" {
				s.out.defined[kind][name] = true // as complete as with a body
			}
			continue
		case token == "{":
			s.open(kind, name)
		default:
			s.at = before
		}
		break
	}
	if name != "" {
		s.out.mentioned[kind][name] = true
	}
}

// skipUnderlying skips the type of an enum's values: in C23, and in clang
// whatever the standard, after a colon.
func (s *scanner) skipUnderlying() {
	for {
		before := s.at
		if token := s.next(); token == "" || !isWord(token[0]) {
			s.at = before
			return
		}
	}
}

func (s *scanner) open(kind int, name string) {
	if name != "" {
		s.out.defined[kind][name] = true
	}
	if kind != tagEnum {
		s.braces = append(s.braces, braceRecord)
		return
	}
	if name != "" {
		s.out.enumsByTag[name] = len(s.out.enums)
	}
	s.braces = append(s.braces, len(s.out.enums))
	s.out.enums = append(s.out.enums, enumBody{tag: name})
}

// skipValue skips an enumerator's value.
func (s *scanner) skipValue() {
	depth := 0
	for {
		before := s.at
		switch s.next() {
		case "(", "{":
			depth++
		case ")":
			depth--
		case ",":
			if depth <= 0 {
				return
			}
		case "}":
			if depth <= 0 {
				s.at = before
				return
			}
			depth--
		case "":
			return
		}
	}
}

// skipParens skips what stands in the parentheses that follow, if any do.
func (s *scanner) skipParens() {
	depth := 0
	for {
		before := s.at
		switch s.next() {
		case "(":
			depth++
		case ")":
			if depth--; depth <= 0 {
				return
			}
		case "":
			return
		default:
			if depth == 0 {
				s.at = before
				return
			}
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// next returns the next identifier or character of punctuation, "" at the end.
// Numbers, strings and line markers are skipped.
func (s *scanner) next() string {
	for s.at < len(s.text) {
		start := s.at
		c := s.text[start]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.at++
		case c == '#' && (start == 0 || s.text[start-1] == '\n'):
			if end := strings.IndexByte(s.text[start:], '\n'); end >= 0 {
				s.at += end
			} else {
				s.at = len(s.text)
			}
		case c == '"' || c == '\'':
			s.skipQuoted(c)
		case isWord(c):
			s.at = s.endOfWord(start)
			return s.text[start:s.at]
		case isDigit(c):
			s.at = s.endOfWord(start)
		default:
			s.at++
			return s.text[start:s.at]
		}
	}
	return ""
}

func (s *scanner) endOfWord(at int) int {
	for at < len(s.text) && (isWord(s.text[at]) || isDigit(s.text[at])) {
		at++
	}
	return at
}

func (s *scanner) skipQuoted(quote byte) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case quote, '\n':
			s.at++
			return
		}
	}
}
