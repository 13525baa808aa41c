package verify

import (
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// compareAll compares what was read back with the BTF.
func (c *check) compareAll() {
	byEntry := make(map[*entry][]*probe)
	c.short = true
	var last *btfdump.View
	for _, p := range c.probes {
		if p.view != nil {
			byEntry[p.entry] = append(byEntry[p.entry], p)
			if p.view != last {
				c.short = c.short && !recordsSigns(p.view)
			}
			last = p.view
		}
	}
	c.findPartners(byEntry)
	for _, e := range c.names.entries {
		if len(e.heads) == 0 {
			if !c.c23 || e.class != classTypedef || e.name != "bool" { // a keyword since C23
				c.absent(e.title(), e.ids...)
			}
			continue
		}
		if e.forward || c.fast && byEntry[e] == nil {
			continue
		}
		probes := byEntry[e]
		if len(probes) == 0 {
			e.heads = nil // what scan took for declarations are none
			c.absent(e.title(), e.ids...)
			continue
		}
		c.settle(e, probes)
		for _, p := range probes {
			c.symbol(p)
			if len(p.access) > 0 && !p.relocated {
				c.report.add(Mismatch{Type: e.title(), Member: quoted(p.access[0].name), Aspect: AspectRelocation, BTF: "an access that is relocated", Compiler: "a plain access"})
			}
		}
	}
}

// symbol reports a function that programs would call by another name than the
// kernel's, or that is the header's own. Of one that the BTF does not mark as a kfunc
// a header may have its own.
func (c *check) symbol(p *probe) {
	if !p.hasSymbol() {
		return
	}
	m := Mismatch{Type: p.entry.title(), Aspect: AspectSymbol, BTF: p.entry.name}
	switch {
	case p.symbol.defined:
		if len(c.view.Kfuncs()) == 0 {
			return
		}
		m.BTF, m.Compiler = "a kernel's function", "one that the header defines"
	case p.symbol.name == p.head:
		return
	case p.symbol.name == "":
		m.Compiler = "no symbol"
	default:
		m.Compiler = quoted(p.symbol.name)
	}
	c.report.add(m)
}

// compare lists how a type differs from what a probe brought back.
func (c *check) compare(id btfdump.TypeID, p *probe) []difference {
	cmp := comparer{names: c.names, btf: c.view, back: p.view, narrow: c.narrow, members: c.members, signs: c.signs && !c.short, short: c.short}
	t, back := c.view.Type(id), p.view.Type(p.id)
	switch p.entry.class {
	case classStruct, classUnion:
		if back.Kind().IsRecord() {
			return cmp.record(id, p.id, "", 0)
		}
	case classEnum:
		if back.Kind().IsEnum() {
			return cmp.enum(id, p.id)
		}
	case classTypedef:
		if back.Kind() == btfdump.KindTypedef {
			if standardTypedefs[p.head] && cmp.sameNumber(t.Ref(), back.Ref()) {
				return nil
			}
			return cmp.target(t.Ref(), back.Ref())
		}
	case classFunction:
		if cmp.same(t.Ref(), p.id, 0) {
			return nil
		}
		return []difference{{"", AspectType, describe(c.view, t.Ref(), 0), describe(p.view, p.id, 0)}}
	}
	return []difference{{"", AspectType, describe(c.view, id, 0), describe(p.view, p.id, 0)}}
}

// standardTypedefs are the names that C's own headers define. A header that
// gives way to those has them with C's targets, by way of other typedefs than the
// kernel's. The same integer it must be, rank included: on BPF long and long long
// have the same size, but a compiler takes pointers to them for pointers to
// different things, which changes what a program does.
var standardTypedefs = map[string]bool{
	"int8_t": true, "int16_t": true, "int32_t": true, "int64_t": true,
	"uint8_t": true, "uint16_t": true, "uint32_t": true, "uint64_t": true,
	"intptr_t": true, "uintptr_t": true, "ptrdiff_t": true, "size_t": true, "intmax_t": true, "uintmax_t": true,
}

// sameNumber reports whether two types are the same integer in the end.
func (c *comparer) sameNumber(id, back btfdump.TypeID) bool {
	a, b := c.btf.Type(c.btf.Resolve(id)), c.back.Type(c.back.Resolve(back))
	return a.Kind() == btfdump.KindInt && b.Kind() == btfdump.KindInt && sameInt(a, b)
}

// target compares what typedefs stand for, members of anonymous records one by
// one.
func (c *comparer) target(id, back btfdump.TypeID) []difference {
	if c.same(id, back, 0) {
		return nil
	}
	a, qa := peel(c.btf, id)
	b, qb := peel(c.back, back)
	if qa == qb && a.Kind().IsRecord() && !a.HasName() && b.Kind().IsRecord() && !b.HasName() {
		return c.record(a.ID(), b.ID(), "", 0)
	}
	return []difference{{"", AspectType, describe(c.btf, id, 0), describe(c.back, back, 0)}}
}

// findPartners finds out which of several names in the header stands for which
// of several types of one name: those that are equal. Types that refer to each
// other are equal as long as nothing shows that they are not, so it starts
// from "all are" and crosses out until nothing changes.
func (c *check) findPartners(byEntry map[*entry][]*probe) {
	n := c.names
	for changed := true; changed; {
		changed = false
		for _, e := range n.entries {
			if len(e.heads) < 2 {
				continue
			}
			for _, id := range e.ids {
				if c.crossOut(e, id, byEntry[e]) {
					changed = true
				}
			}
		}
	}
}

// crossOut takes the names that a type does not equal from its partners, and
// reports whether there were any. A type that equals none keeps all: it is
// wrong itself, but what refers to it is not.
func (c *check) crossOut(e *entry, id btfdump.TypeID, probes []*probe) bool {
	before, known := c.names.partners[id]
	var equal []string
	for _, p := range probes {
		if known && !slices.Contains(before, p.head) {
			continue
		}
		if len(c.compare(id, p)) == 0 {
			equal = append(equal, p.head)
		}
	}
	if len(equal) == 0 {
		equal = e.heads
	}
	c.names.partners[id] = equal
	return !slices.Equal(before, equal) && (known || len(equal) < len(e.heads))
}

// settle reports how the types of an entry differ from what the header has
// under its names. Types that equal one of these are fine. A name that is no
// type's is compared with the type that it resembles most; types that are left
// over then are absent.
func (c *check) settle(e *entry, probes []*probe) {
	taken := make(map[*probe]bool)
	var wrong []btfdump.TypeID
	for _, id := range e.ids {
		ok := false
		for _, p := range probes {
			if len(c.compare(id, p)) == 0 {
				taken[p], ok = true, true
			}
		}
		if !ok {
			wrong = append(wrong, id)
		}
	}
	free := slices.DeleteFunc(slices.Clone(probes), func(p *probe) bool { return taken[p] })
	for len(wrong) > 0 && len(free) > 0 {
		var best []difference
		bestID, bestProbe := btfdump.TypeID(0), (*probe)(nil)
		for _, id := range wrong {
			for _, p := range free {
				if list := c.compare(id, p); bestProbe == nil || len(list) < len(best) {
					best, bestID, bestProbe = list, id, p
				}
			}
		}
		for _, d := range best {
			c.report.add(Mismatch{Type: e.title(), Member: d.member, Aspect: d.aspect, BTF: d.btf, Compiler: d.compiler})
		}
		free = slices.DeleteFunc(free, func(p *probe) bool { return p == bestProbe })
		wrong = slices.DeleteFunc(wrong, func(id btfdump.TypeID) bool {
			return id == bestID || slices.Equal(c.compare(id, bestProbe), best) // the same type once more
		})
	}
	if len(wrong) > 0 {
		c.absent(e.title()+" (another of this name is there)", wrong...)
	}
}

// explain names, for each record of the wrong size or with members in the wrong
// place, the type inside it that has the wrong size itself.
func (c *check) explain() {
	wrongSize := make(map[string]bool)
	for _, m := range c.report.Mismatches {
		if m.Aspect == AspectSize && m.Member == "" {
			wrongSize[m.Type] = true
		}
	}
	c.explainTypedefs()
	if len(wrongSize) == 0 {
		return
	}
	cause := make(map[string]string)
	for _, e := range c.names.entries {
		if e.class == classStruct || e.class == classUnion || e.class == classTypedef {
			cause[e.title()] = c.causeIn(e, wrongSize)
		}
	}
	for i := range c.report.Mismatches {
		m := &c.report.Mismatches[i]
		if m.Aspect != AspectSize && m.Aspect != AspectOffset {
			continue
		}
		// The innermost: a cause may have one of its own. Names that stand for
		// several types may lead in a circle, in which none is the cause.
		seen := make(map[string]bool)
		at := cause[m.Type]
		for ; at != "" && at != m.Type && !seen[at]; at = cause[at] {
			seen[at] = true
			m.Cause = at
		}
		if at == m.Type {
			m.Cause = ""
		}
	}
}

// explainTypedefs names, for each typedef of the wrong type that stands for another
// one, the last such on the way.
func (c *check) explainTypedefs() {
	wrong := make(map[string]bool)
	for _, m := range c.report.Mismatches {
		if m.Aspect == AspectType && m.Member == "" {
			wrong[m.Type] = true
		}
	}
	for i := range c.report.Mismatches {
		m := &c.report.Mismatches[i]
		name, ok := strings.CutPrefix(m.Type, "typedef ")
		e := c.names.byKey[entryKey{classTypedef, name}]
		if !ok || e == nil || m.Aspect != AspectType {
			continue
		}
		for t, _ := peel(c.view, c.view.Type(e.ids[0]).Ref()); t.Kind() == btfdump.KindTypedef; t, _ = peel(c.view, t.Ref()) {
			if title := "typedef " + t.Name(); wrong[title] && title != m.Type {
				m.Cause = title
			}
		}
	}
}

// causeIn returns the first type of the wrong size that values of an entry's
// type hold.
func (c *check) causeIn(e *entry, wrongSize map[string]bool) string {
	seen := make(map[btfdump.TypeID]bool)
	var find func(id btfdump.TypeID, depth int) string
	find = func(id btfdump.TypeID, depth int) string {
		t := c.view.Type(id)
		for {
			cl, named := classOf(t)
			if named = named && t.HasName(); named && depth > 0 {
				if title := (&entry{class: cl, name: t.Name()}).title(); wrongSize[title] {
					return title
				}
			}
			if k := t.Kind(); k.IsModifier() || k == btfdump.KindArray {
				t = c.view.Type(t.Ref())
				continue
			}
			if !t.Kind().IsRecord() || named && depth > 0 || seen[t.ID()] || depth > maxDepth {
				return "" // what is wrong inside a record shows in its size
			}
			break
		}
		seen[t.ID()] = true
		for _, m := range t.Members() {
			if title := find(m.Type, depth+1); title != "" {
				return title
			}
		}
		return ""
	}
	if e.class == classTypedef {
		return find(c.view.Type(e.ids[0]).Ref(), 1)
	}
	return find(e.ids[0], 0)
}
