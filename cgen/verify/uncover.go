package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// What shows that a type is absent
//
// scan reads text, and may miss a declaration that the compiler does not: one in
// digraphs, or in a form that nobody has thought of. A type that is said to be
// absent is not compared, so whether it is must not depend on scan. Behind the
// header and the facts about it, each absent type is declared anew. Where the
// header has none of that name, this compiles. Where it does not compile, the
// names that are at fault are looked at again, as ones that the header has.

// errUncovered says that there are such names.
var errUncovered = errors.New("the header declares more")

// assertAndUncover is assert, and finds out whether what scan did not see is
// absent.
func (c *check) assertAndUncover(ctx context.Context, name string, facts []fact) ([]Mismatch, error) {
	u := c.unit
	absent := c.declarable()
	values, diagnostics, err := u.values(ctx, name, facts, redeclare(u.key, absent))
	if err != nil {
		return nil, err
	}
	if len(diagnostics) == 0 {
		return c.compareValues(facts, values), nil
	}
	more, err := c.uncover(ctx, absent)
	if err != nil {
		return nil, err
	}
	if more {
		return nil, errUncovered
	}
	return c.assert(ctx, u, name, facts)
}

// declarable are the entries that are absent as far as scan has seen, and whose
// names can be declared without getting into each other's way.
func (c *check) declarable() []*entry {
	var list []*entry
	ordinary, tags := make(map[string]bool), make(map[string]bool)
	for name := range c.declared.functions {
		ordinary[name] = true
	}
	for _, e := range c.declared.enums {
		for _, name := range e.names {
			ordinary[name] = true
		}
	}
	for _, e := range c.names.entries {
		if len(e.heads) > 0 || e.forward || c.uncovered[entryKey{e.class, e.name}] || !c.isDeclarable(e.name) {
			continue
		}
		taken := ordinary
		switch {
		case e.class == classFunction && c.fast:
			continue // not compared
		case e.class <= classEnum:
			if taken = tags; c.otherKind(e, &c.declared.mentioned) >= 0 {
				continue
			}
		}
		if !taken[e.name] {
			taken[e.name] = true
			list = append(list, e)
		}
	}
	return list
}

// isDeclarable is false for what is no name in C, and for what every program has.
func (c *check) isDeclarable(name string) bool {
	return btfdump.IsIdentifier(name) && !strings.HasPrefix(name, "__builtin_") && name != "__int128_t" && name != "__uint128_t" &&
		!(c.c23 && isC23Keyword(name))
}

// otherKind returns the kind of tag other than an entry's, as an index into
// sets, that has the entry's name; -1 if there is none.
func (c *check) otherKind(e *entry, sets *[3]map[string]bool) int {
	for kind := range sets {
		if kind != int(e.class) && sets[kind][e.name] {
			return kind
		}
	}
	return -1
}

// redeclare is C's text that declares entries, one a line, as nothing that a
// header could have.
func redeclare(key string, entries []*entry) string {
	var b strings.Builder
	for i, e := range entries {
		switch e.class {
		case classStruct, classUnion:
			fmt.Fprintf(&b, "%s %s { char %s; };\n", e.class, e.name, key)
		case classEnum:
			fmt.Fprintf(&b, "enum %s { %se%d };\n", e.name, key, i)
		default:
			fmt.Fprintf(&b, "typedef struct %st *%s;\n", key, e.name)
		}
	}
	return b.String()
}

// uncover finds out which of the entries the header does have, and reports
// whether there are any.
func (c *check) uncover(ctx context.Context, absent []*entry) (bool, error) {
	clashes, err := c.clashes(ctx, c.unit, "absent", absent)
	if err != nil || len(clashes) == 0 {
		return false, err
	}
	// Not the header's are names that the compiler knows without it.
	alone := *c.unit
	alone.text = ""
	own, err := c.clashes(ctx, &alone, "predefined", clashes)
	if err != nil {
		return false, err
	}
	for _, e := range clashes {
		if !slices.Contains(own, e) {
			c.uncovered[entryKey{e.class, e.name}] = true
		}
	}
	return len(clashes) > len(own), nil
}

// clashes returns those of the entries that can't be declared behind a unit.
func (c *check) clashes(ctx context.Context, u *unit, name string, entries []*entry) ([]*entry, error) {
	// The last line always clashes, which shows that all have been looked at.
	code := redeclare(u.key, entries) + fmt.Sprintf("typedef struct %[1]sx *%[1]slast; typedef struct %[1]sy *%[1]slast;\n", u.key)
	diagnostics, err := u.compile(ctx, name, code, Arguments{list: []string{"-fsyntax-only"}})
	if err != nil {
		return nil, err
	}
	clash := make([]bool, len(entries)+1)
	for _, d := range diagnostics {
		if d.file != ours || d.line < 1 || d.line > len(clash) {
			return nil, headerError{[]diagnostic{d}}
		}
		clash[d.line-1] = true
	}
	if !clash[len(entries)] {
		return nil, fmt.Errorf("%s finds no error where there is one", u.cc.path)
	}
	var list []*entry
	for i, e := range entries {
		if clash[i] {
			list = append(list, e)
		}
	}
	return list, nil
}

// add takes the names that were uncovered as declared.
func (d *declarations) add(uncovered map[entryKey]bool) {
	for key := range uncovered {
		switch key.class {
		case classTypedef:
			d.typedefs[key.name] = true
		case classFunction:
			d.functions[key.name] = true
		default:
			d.defined[key.class][key.name] = true
			d.mentioned[key.class][key.name] = true
		}
	}
}

// kinds reports types that the header has as another kind: a union for a struct.
func (c *check) kinds() {
	for _, e := range c.names.entries {
		if e.class > classEnum || e.forward || len(e.heads) > 0 {
			continue
		}
		kind := c.otherKind(e, &c.declared.defined)
		if kind < 0 || c.names.byKey[entryKey{class(kind), e.name}] != nil {
			continue
		}
		c.report.add(Mismatch{Type: e.title(), Aspect: AspectType, BTF: e.class.String(), Compiler: class(kind).String()})
	}
}
