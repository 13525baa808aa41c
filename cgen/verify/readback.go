package verify

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
)

// probe asks the compiler for one of the header's types: by a global pointer to
// it, which is what makes clang write the type to the object's BTF.
type probe struct {
	entry *entry
	head  string
	// access are the members to try an access to, until one compiles.
	access []leaf
	// uncallable is set of a function, by findUncallable.
	uncallable bool

	// What came back.
	view      *btfdump.View
	id        btfdump.TypeID
	relocated bool
	symbol    elf.Symbol // of a function
}

// hasSymbol reports whether a probe finds out by which symbol programs call a function.
// That of __bpf_trap is clang's business: from clang 21 on it calls it by itself, and
// crashes where its address is a value.
func (p *probe) hasSymbol() bool {
	return p.entry.class == classFunction && p.head != "__bpf_trap" && !p.uncallable
}

// shardSize is how many probes one compile gets: clang's BTF pass takes a time
// that grows with the square of the number of types.
const shardSize = 240

// makeProbes returns what to ask of the compiler about entries.
func (c *check) makeProbes(entries []*entry, fast bool) []*probe {
	var list []*probe
	for _, e := range entries {
		if e.forward {
			continue
		}
		for _, head := range e.heads {
			p := &probe{entry: e, head: head}
			if !fast {
				p.access = c.accesses(e)
			}
			list = append(list, p)
		}
	}
	return list
}

// accesses returns the members by which to see that accesses to a record are
// relocated. A typedef of an anonymous record is the only way to that.
func (c *check) accesses(e *entry) []leaf {
	id := e.ids[0]
	if e.class == classTypedef {
		t, _ := peel(c.view, c.view.Type(id).Ref())
		if id = t.ID(); t.HasName() {
			return nil
		}
	}
	if !c.view.Type(id).Kind().IsRecord() {
		return nil
	}
	const tries = 8
	var list, bitfields []leaf
	for _, m := range flatten(c.view, id, c.members) {
		switch {
		// Members without a size hold nothing, and clang 19 crashes on an
		// access to one that is to be relocated.
		case c.view.SizeOf(m.Type) == 0 || !btfdump.IsIdentifier(m.name):
		case m.BitSize != 0:
			bitfields = append(bitfields, m)
		default:
			list = append(list, m)
		}
	}
	list = append(list, bitfields...)
	return list[:min(len(list), tries)]
}

// readBack has probes answered, in shards on all cores.
func (c *check) readBack(ctx context.Context, probes []*probe) error {
	if len(probes) == 0 {
		return nil
	}
	u := c.unit
	if len(probes) > shardSize { // many compiles of one header pay for a precompiled one
		var err error
		if u, err = u.precompile(ctx, programFlags()...); err != nil {
			return err
		}
	}
	// Neighbours in the list are of one kind; dealing them out makes shards
	// that take equally long.
	count := (len(probes) + shardSize - 1) / shardSize
	shards := make([][]*probe, count)
	for i, p := range probes {
		shards[i%count] = append(shards[i%count], p)
	}
	if err := c.compileShards(ctx, u, "shard", shards); err != nil {
		return err
	}
	return c.askAlone(ctx, probes)
}

// askAlone asks those of the probes once more, each by itself, whose answer may
// be wrong because of the others.
func (c *check) askAlone(ctx context.Context, probes []*probe) error {
	var alone [][]*probe
	for _, p := range probes {
		if p.misread() {
			alone = append(alone, []*probe{p})
		}
	}
	if len(alone) > maxAlone {
		return nil // it is the header
	}
	for _, p := range alone {
		p[0].view = nil
	}
	return c.compileShards(ctx, c.unit, "alone", alone)
}

// maxAlone is how many probes are asked once more by themselves.
const maxAlone = 64

// misread reports whether a probe may have got a wrong answer because of others
// in its shard: clang takes accesses to the same place in different records
// without a name for one relocation, that of the first, and likewise in a record
// and in one that has a typedef of its name (BPFAbstractMemberAccess.cpp makes the
// relocation's name of the record's).
func (p *probe) misread() bool {
	return p.view != nil && len(p.access) > 0 && !p.relocated
}

// compileShards has the probes of all shards answered, on all cores.
func (c *check) compileShards(ctx context.Context, u *unit, name string, shards [][]*probe) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	stop := make(chan struct{}) // the header does not compile
	var wg sync.WaitGroup
	var mu sync.Mutex
	finished, failed := 0, len(shards)
	var failure error
	for range min(c.workers, len(shards)) {
		wg.Go(func() {
			for i := range next {
				err := c.shard(ctx, u, fmt.Sprintf("%s%d", name, i), shards[i])
				mu.Lock()
				// Of several errors about the header the first shard's is reported,
				// whichever comes first: those before it have been started, too.
				if errors.As(err, new(headerError)) {
					if failure == nil {
						close(stop)
					}
					if i < failed {
						failure, failed = err, i
					}
					err = nil
				}
				if err != nil {
					mu.Unlock()
					cancel(err)
					return
				}
				finished++
				c.progress(fmt.Sprintf("%s: reading types back: %d of %d", u.cc.label(), finished, len(shards)))
				mu.Unlock()
			}
		})
	}
feed:
	for i := range shards {
		select {
		case next <- i:
		case <-stop:
			break feed
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return failure
}

// maxRounds bounds how often a shard is compiled with what does not compile
// left out.
const maxRounds = 10

// shard has some probes answered. What turns out to be no declaration is left
// without an answer; of members that the header lacks, others are tried.
func (c *check) shard(ctx context.Context, u *unit, name string, probes []*probe) error {
	asked := probes
	for range maxRounds {
		text, lines := source(u.key, asked)
		path, diagnostics, err := u.object(ctx, name, text, programFlags()...)
		if errors.As(err, new(*crashError)) && slices.ContainsFunc(asked, (*probe).hasSymbol) {
			found, e := c.findUncallable(ctx, u, name, asked)
			if e != nil {
				return e
			}
			if found {
				continue
			}
		}
		if err != nil {
			return err
		}
		if len(diagnostics) == 0 {
			return readObject(path, func(o object) error { return o.answer(u.key, asked) })
		}
		noType, noMember := map[*probe]bool{}, map[*probe]bool{}
		for _, d := range diagnostics {
			if d.file == "" && strings.Contains(d.text, "preserve.field.info") && len(diagnostics) == 1 {
				// clang can't relocate a bitfield in a packed record that is
				// longer than the record is aligned, and does not say which.
				dropBitfields(asked)
				continue
			}
			if d.file != ours || d.line < 1 || d.line > len(lines) || lines[d.line-1].probe == nil {
				return headerError{[]diagnostic{d}}
			}
			if l := lines[d.line-1]; l.access {
				noMember[l.probe] = true
			} else {
				noType[l.probe] = true
			}
		}
		var kept []*probe
		for _, p := range asked {
			if noType[p] {
				continue
			}
			if noMember[p] {
				p.access = p.access[1:]
			}
			kept = append(kept, p)
		}
		asked = kept
	}
	return errChanges
}

// findUncallable finds functions among the probes of a shard on which the compiler
// crashes: those with a parameter, or a result, of a type that the header only
// declares. C lets such a function be declared, and no program call it. clang 22 for
// BPF looks for the size of each type where it writes what it knows of a function
// whose address is a value (CodeGenModule::EmitExternalDeclaration). What the types
// are it tells when it is not asked for addresses.
func (c *check) findUncallable(ctx context.Context, u *unit, name string, probes []*probe) (found bool, err error) {
	var functions []*probe
	for _, p := range probes {
		if p.hasSymbol() {
			functions = append(functions, p)
			p.uncallable = true
		}
	}
	if err := c.shard(ctx, u, name, probes); err != nil {
		return false, err
	}
	for _, p := range functions {
		p.uncallable = p.view != nil && takesIncomplete(p.view, p.id)
		found = found || p.uncallable
	}
	return found, nil
}

// takesIncomplete reports whether a function has a parameter or a result of a type
// that is only declared.
func takesIncomplete(v *btfdump.View, id btfdump.TypeID) bool {
	proto := v.Type(v.Resolve(id))
	if proto.Kind() != btfdump.KindFuncProto {
		return false
	}
	incomplete := func(id btfdump.TypeID) bool {
		t := v.Type(v.Resolve(id))
		return t.Kind() == btfdump.KindFwd || t.Kind() == btfdump.KindEnum && t.Vlen() == 0
	}
	for _, p := range proto.Params() {
		if incomplete(p.Type) {
			return true
		}
	}
	return incomplete(proto.Ref())
}

// dropBitfields tries no accesses to bitfields any more.
func dropBitfields(probes []*probe) {
	for _, p := range probes {
		if len(p.access) > 0 && p.access[0].BitSize != 0 {
			p.access = nil
		}
	}
}

// line says which probe a line of a shard's source belongs to.
type line struct {
	probe  *probe
	access bool
}

// ownQualifiers make the pointer to a record a type that no member has. Before
// clang 15 a record comes back as a mere declaration if the pointer to it is a
// member's type too and the compiler met that first.
const ownQualifiers = "const volatile "

func source(key string, probes []*probe) (text string, lines []line) {
	var b strings.Builder
	for i, p := range probes {
		qualifiers := ""
		if p.entry.class <= classUnion {
			qualifiers = ownQualifiers
		}
		value := "" // of a function, what a program would call
		if p.hasSymbol() {
			value = " = " + p.head
		}
		fmt.Fprintf(&b, "%s%s *%sp%d%s;\n", qualifiers, p.entry.cType(p.head), key, i, value)
		lines = append(lines, line{probe: p})
	}
	fmt.Fprintf(&b, "volatile unsigned long long %[1]ssink;\nvoid %[1]saccess(void) {\n", key)
	lines = append(lines, line{}, line{})
	for i, p := range probes {
		if len(p.access) == 0 {
			continue
		}
		if m := p.access[0]; m.BitSize != 0 {
			fmt.Fprintf(&b, "%[1]ssink = ((%[2]s *)%[1]sp%[3]d)->%[4]s;\n", key, p.entry.cType(p.head), i, m.name)
		} else {
			fmt.Fprintf(&b, "*(volatile char *)&((%s *)%sp%d)->%s;\n", p.entry.cType(p.head), key, i, m.name)
		}
		lines = append(lines, line{probe: p, access: true})
	}
	b.WriteString("}\n")
	return b.String(), lines
}

// answer reads a shard's object.
func (o object) answer(key string, probes []*probe) error {
	view, err := o.btf()
	if err != nil {
		return err
	}
	for t := range view.All() {
		var i int
		if t.Kind() != btfdump.KindVar {
			continue
		}
		if _, err := fmt.Sscanf(t.Name(), key+"p%d", &i); err != nil || i < 0 || i >= len(probes) {
			continue
		}
		pointer := view.Type(t.Ref())
		if pointer.Kind() != btfdump.KindPtr {
			return fmt.Errorf("the compiler made %s of a pointer", pointer.Kind())
		}
		id := pointer.Ref()
		if probes[i].entry.class <= classUnion {
			t, _ := peel(view, id)
			id = t.ID()
		}
		probes[i].view, probes[i].id = view, id
	}
	if i := slices.IndexFunc(probes, func(p *probe) bool { return p.view == nil }); i >= 0 {
		return fmt.Errorf("its BTF lacks a pointer to %s that it was given", probes[i].entry.title())
	}
	if err := o.symbolsOf(key, probes); err != nil {
		return err
	}
	ext, err := o.section(".BTF.ext")
	if err != nil {
		return err
	}
	relocated := make(map[btfdump.TypeID]bool)
	if ext != nil {
		read, err := btfdump.ReadExt(ext, view)
		if err != nil {
			return fmt.Errorf("its .BTF.ext: %w", err)
		}
		for _, r := range read.Relocations {
			relocated[view.Resolve(r.Type)] = true
		}
	}
	for _, p := range probes {
		p.relocated = relocated[p.view.Resolve(p.id)]
	}
	return nil
}

// symbolsOf finds out by which symbols programs call the functions among probes.
func (o object) symbolsOf(key string, probes []*probe) error {
	if !slices.ContainsFunc(probes, (*probe).hasSymbol) {
		return nil
	}
	variables, err := o.variables()
	if err != nil {
		return err
	}
	for i, p := range probes {
		if !p.hasSymbol() {
			continue
		}
		v := variables[fmt.Sprintf("%sp%d", key, i)]
		if v == nil {
			return fmt.Errorf("it lacks a pointer to %s that it was given", p.entry.title())
		}
		p.symbol = v.symbol
	}
	return nil
}
