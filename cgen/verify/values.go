package verify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// assert has facts checked and returns those that do not hold.
//
// Each fact's expression is computed by the compiler, and the value read from
// the object that it writes. Those that do not compile are found out if that
// does not go through.
func (c *check) assert(ctx context.Context, u *unit, name string, facts []fact) ([]Mismatch, error) {
	values, diagnostics, err := u.values(ctx, name, facts, "")
	if err != nil {
		return nil, err
	}
	if len(diagnostics) == 0 {
		return c.compareValues(facts, values), nil
	}
	return c.assertEach(ctx, u, name, facts)
}

// errChanges says that what did not compile was left out, again and again.
var errChanges = errors.New("the header changes from compile to compile, or its types do")

// assertEach is assert for facts of which some do not compile.
func (c *check) assertEach(ctx context.Context, u *unit, name string, facts []fact) (list []Mismatch, err error) {
	for range maxRounds {
		diagnostics, err := u.compile(ctx, name+"-each", statements(u.key, facts), Arguments{list: []string{"-fsyntax-only"}})
		if err != nil {
			return nil, err
		}
		wrong := make(map[int]string) // by index, what the compiler says first
		for _, d := range diagnostics {
			i := d.line - 2
			if d.file != ours || i < 0 || i >= len(facts) {
				return nil, headerError{[]diagnostic{d}}
			}
			if _, known := wrong[i]; !known {
				wrong[i] = d.text
			}
		}
		for i := range wrong {
			if f := facts[i]; f.entry != nil && f.member == "" {
				c.drop(f.entry)
			}
		}
		var kept []fact
		for i, f := range facts {
			text, bad := wrong[i]
			switch {
			case !bad:
				kept = append(kept, f)
			case f.optional:
			case f.entry == nil || !c.isDropped(f.entry):
				list = append(list, Mismatch{Type: f.typeTitle(), Member: f.member, Aspect: AspectMember, BTF: f.show(f.want), Compiler: "none: " + text})
			}
		}
		facts = kept
		values, diagnostics, err := u.values(ctx, name, facts, "")
		switch {
		case err != nil:
			return nil, err
		case len(diagnostics) == 0:
			return append(list, c.compareValues(facts, values)...), nil
		case len(wrong) == 0:
			return nil, headerError{diagnostics}
		}
	}
	return nil, errChanges
}

// statements is C's text that compiles if the expressions of facts do, one a
// line. The parser goes on behind one that does not.
func statements(key string, facts []fact) string {
	var b strings.Builder
	b.WriteString(ownRecords(key) + "\n")
	for i := range facts {
		b.WriteString("_Static_assert((" + facts[i].expr + ") * 0 == 0, \"\");\n")
	}
	return b.String()
}

// compareValues lists the facts whose expressions came to another value.
func (c *check) compareValues(facts []fact, values []uint64) (list []Mismatch) {
	for i, f := range facts {
		if values[i] != f.want {
			list = append(list, Mismatch{Type: f.typeTitle(), Member: f.member, Aspect: f.aspect, BTF: f.show(f.want), Compiler: f.show(values[i])})
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evaluated = append(c.evaluated, facts...)
	return list
}

// drop notes that what scan took for an entry's declaration is none.
func (c *check) drop(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped[e] = true
}

func (c *check) isDropped(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped[e]
}

// values returns what the expressions of facts come to, unless there are
// diagnostics about them, or about the code in tail.
func (u *unit) values(ctx context.Context, name string, facts []fact, tail string) ([]uint64, []diagnostic, error) {
	path, diagnostics, err := u.object(ctx, name, valuesText(u.key, facts)+tail)
	if err != nil || len(diagnostics) > 0 {
		return nil, diagnostics, err
	}
	var values []uint64
	err = readObject(path, func(o object) (err error) {
		values, err = o.readValues(u.key, facts)
		return err
	})
	return values, nil, err
}

// valuesText is C's text of a variable with the values of all facts, between
// two that show where they begin and end.
func valuesText(key string, facts []fact) string {
	var b strings.Builder
	mark := valuesMark(key)
	fmt.Fprintf(&b, "%[3]s const unsigned long long %[1]svalues[] = { %[2]dull,\n", key, mark, ownRecords(key))
	for _, f := range facts {
		b.WriteString(f.expr + ",\n")
	}
	fmt.Fprintf(&b, "%dull };\n", ^mark)
	return b.String()
}

// valuesMark is a number that nobody knows who does not know the key.
func valuesMark(key string) uint64 {
	mark, _ := strconv.ParseUint(key[len("btfgen_"):][:16], 16, 64)
	return mark
}

// readValues reads that variable from an object.
func (o object) readValues(key string, facts []fact) ([]uint64, error) {
	variables, err := o.variables()
	if err != nil {
		return nil, err
	}
	v := variables[key+"values"]
	if v == nil || len(v.data) != 8*(len(facts)+2) {
		return nil, fmt.Errorf("it lacks the variable with %d values", len(facts)+2)
	}
	values := v.values(o.ByteOrder)
	if mark := valuesMark(key); values[0] != mark || values[len(values)-1] != ^mark {
		return nil, errors.New("its values are not those that the compiler was asked for")
	}
	return values[1 : len(values)-1], nil
}
