package llvmir

import (
	"bytes"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// Variable is a variable of a module.
type Variable struct {
	// Type is that of the variable.
	Type btfdump.TypeID
	// Symbol is what its value points to, as programs that are linked know it; ""
	// if it is no name. Defined says that the module defines that itself.
	Symbol  string
	Defined bool
}

// Module is what [Read] finds in a module.
type Module struct {
	Types     *btfdump.View
	Variables map[string]Variable
	// Relocated are the types, without typedefs and qualifiers, that have an access
	// for which the program has a CO-RE relocation.
	Relocated map[btfdump.TypeID]bool
}

// Read reads a module, of which it keeps the memory. Of the variables, those are
// looked at whose names start with prefix, and of the types, those that they lead to.
// Errors are a [*FormatError], or one of the BTF's.
//
// What BTF has no word for, such as a vector or a complex number, is a record without
// members, with a name that no identifier is.
func Read(module []byte, prefix string) (*Module, error) {
	// As many nodes as there can be: growing would take twice their memory.
	nodes := make(metadata, 0, min(bytes.Count(module, []byte("\n!"))+1, maxNodes))
	r := reader{nodes: nodes, defined: make(map[string]bool), symbols: make(map[string]string)}
	for len(module) > 0 {
		var line []byte
		line, module, _ = bytes.Cut(module, []byte("\n"))
		var err error
		switch {
		case len(line) == 0:
		case line[0] == '!':
			err = r.nodes.add(line[1:])
		case line[0] == '@':
			err = r.global(line, prefix)
		case bytes.HasPrefix(line, []byte("define ")):
			if name := globalName(line); name != "" {
				r.defined[name] = true
			}
		}
		if err != nil {
			return nil, err
		}
	}
	e := newEncoder(r.nodes)
	ids := make(map[string]uint32)
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.class != classVariable {
			continue
		}
		if name := unquote(n.name); strings.HasPrefix(name, prefix) {
			ids[name] = e.id(n.base)
		}
	}
	relocated := make([]uint32, len(r.relocated))
	for i, n := range r.relocated {
		relocated[i] = e.id(n)
	}
	types, err := e.encode()
	if err != nil {
		return nil, err
	}
	m := &Module{Types: types, Variables: make(map[string]Variable), Relocated: make(map[btfdump.TypeID]bool)}
	for _, id := range relocated {
		m.Relocated[types.Resolve(btfdump.TypeID(id))] = true
	}
	for name, id := range ids {
		symbol := r.symbols[name]
		m.Variables[name] = Variable{btfdump.TypeID(id), symbol, r.defined[symbol]}
	}
	return m, nil
}

type reader struct {
	nodes     metadata
	defined   map[string]bool
	symbols   map[string]string // that variables point to
	relocated []ref
}

// accessMark is before the number of the node of the type that an access starts at.
const accessMark = ", !llvm.preserve.access.index !"

// global reads the line of a variable or an alias.
func (r *reader) global(line []byte, prefix string) error {
	name := globalName(line)
	_, rest, ok := bytes.Cut(line, []byte(" = "))
	if name == "" || !ok {
		return &FormatError{text(line), "a variable without a name"}
	}
	words := string(rest[:min(len(rest), 200)])
	if strings.HasPrefix(words, "external ") || strings.HasPrefix(words, "extern_weak ") {
		// The name is in quotation marks, where no other is like that.
		if at := bytes.LastIndex(rest, []byte(accessMark)); at >= 0 && bytes.HasPrefix(line, []byte(`@"llvm.`)) {
			number, _, _ := bytes.Cut(rest[at+len(accessMark)-1:], []byte(" "))
			n, err := readRef(text(number))
			if err != nil {
				return err
			}
			r.relocated = append(r.relocated, n)
		}
		return nil
	}
	r.defined[name] = true
	if strings.HasPrefix(name, prefix) {
		if _, value, ok := bytes.Cut(rest, []byte("global ")); ok {
			r.symbols[name] = globalName(value)
		}
	}
	return nil
}

// globalName returns the first name of a variable or function in a line, "" if there
// is none. Names that are no words are in quotation marks, as are those of types.
func globalName(line []byte) string {
	quoted := false
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '@' && !quoted:
			rest := line[i+1:]
			if len(rest) > 0 && rest[0] == '"' {
				end := bytes.IndexByte(rest[1:], '"')
				if end < 0 {
					return ""
				}
				// A name that is to be used as it is, such as an asm label, starts with \01.
				return strings.TrimPrefix(unquote(text(rest[:end+2])), "\x01")
			}
			end := bytes.IndexFunc(rest, func(r rune) bool {
				return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-$._", r))
			})
			if end < 0 {
				end = len(rest)
			}
			return text(rest[:end])
		}
	}
	return ""
}
