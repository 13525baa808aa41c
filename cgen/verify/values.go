package verify

import (
	"context"
	"debug/elf"
	"encoding/binary"
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
			case f.aspect == AspectMacro: // it may need what only programs have
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
	fmt.Fprintf(&b, "struct %so { char a; int b; };\n", key)
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
	object, diagnostics, err := u.object(ctx, name, valuesText(u.key, facts)+tail)
	if err != nil || len(diagnostics) > 0 {
		return nil, diagnostics, err
	}
	values, err := readValues(object, u.key, facts)
	return values, nil, err
}

// valuesText is C's text of a variable with the values of all facts, between
// two that show where they begin and end.
func valuesText(key string, facts []fact) string {
	var b strings.Builder
	mark := valuesMark(key)
	fmt.Fprintf(&b, "struct %[1]so { char a; int b; }; const unsigned long long %[1]svalues[] = { %[2]dull,\n", key, mark)
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
func readValues(path, key string, facts []fact) ([]uint64, error) {
	variables, order, err := variables(path)
	if err != nil {
		return nil, fmt.Errorf("the object that the compiler wrote: %w", err)
	}
	data := variables[key+"values"]
	if len(data) != 8*(len(facts)+2) {
		return nil, fmt.Errorf("the compiler made %d bytes of %d values", len(data), len(facts)+2)
	}
	values := make([]uint64, len(facts)+2)
	for i := range values {
		values[i] = order.Uint64(data[8*i:])
	}
	if mark := valuesMark(key); values[0] != mark || values[len(values)-1] != ^mark {
		return nil, errors.New("the values in the compiler's object are not those that it was asked for")
	}
	return values[1 : len(values)-1], nil
}

// variables returns the bytes of all variables in an object file, by name.
func variables(path string) (map[string][]byte, binary.ByteOrder, error) {
	object, err := elf.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer object.Close()
	symbols, err := object.Symbols()
	if err != nil {
		return nil, nil, err
	}
	sections := make(map[elf.SectionIndex][]byte)
	found := make(map[string][]byte)
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_OBJECT || int(s.Section) >= len(object.Sections) || object.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		data, ok := sections[s.Section]
		if !ok {
			if data, err = object.Sections[s.Section].Data(); err != nil {
				return nil, nil, err
			}
			sections[s.Section] = data
		}
		if s.Value <= uint64(len(data)) && s.Size <= uint64(len(data))-s.Value {
			found[s.Name] = data[s.Value:][:s.Size]
		}
	}
	return found, object.ByteOrder, nil
}
