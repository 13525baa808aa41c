package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify/internal/llvmir"
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
	symbol    symbol // of a function
}

// hasSymbol reports whether a probe finds out by which symbol programs call a function.
// That of __bpf_trap is clang's business: from clang 21 on it calls it by itself, and
// crashes where its address is a value.
func (p *probe) hasSymbol() bool {
	return p.entry.class == classFunction && p.head != "__bpf_trap" && !p.uncallable
}

// shardSize is how many probes one compile to an object gets: clang's BTF pass takes a
// time that grows with the square of the number of types.
const shardSize = 240

// partSize is how many probes one compile gets that ends before that pass: all of a
// kernel's, since its types lead to each other, and each compile meets most of them.
const partSize = 20000

// form is what clang is to make of probes.
type form bool

const (
	fromIR     form = false // what its backend would be given
	fromObject form = true
)

// first is the form that is tried first, in which all is asked at once.
var first = fromIR // a variable for the test of the other

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

// readBack has probes answered.
func (c *check) readBack(ctx context.Context, probes []*probe) error {
	if len(probes) == 0 {
		return nil
	}
	c.progress(c.unit.cc.label() + ": reading types back")
	if err := c.readAll(ctx, c.unit, probes); err != nil {
		return err
	}
	return c.askAgain(ctx, probes)
}

// readAll reads from what clang hands to its backend, and where that is written in a way
// that llvmir does not know, from objects.
func (c *check) readAll(ctx context.Context, u *unit, probes []*probe) error {
	err := c.compileShards(ctx, u, "part", deal(probes, partSize), first)
	if errors.As(err, new(*llvmir.FormatError)) {
		err = c.readBackFromObjects(ctx, u, probes)
	}
	return err
}

func (c *check) readBackFromObjects(ctx context.Context, u *unit, probes []*probe) (err error) {
	c.progress(c.unit.cc.label() + ": reading types back from objects")
	if len(probes) > shardSize && u.pch == "" { // many compiles of one header pay for a precompiled one
		if u, err = u.precompile(ctx, programFlags()...); err != nil {
			return err
		}
	}
	return c.compileShards(ctx, u, "shard", deal(probes, shardSize), fromObject)
}

// deal makes shards of probes, of at most size each. Neighbours in the list are of one
// kind; dealing them out makes shards that take equally long.
func deal(probes []*probe, size int) [][]*probe {
	count := (len(probes) + size - 1) / size
	shards := make([][]*probe, count)
	for i, p := range probes {
		shards[i%count] = append(shards[i%count], p)
	}
	return shards
}

// askAgain asks those of the probes once more, without the others, whose answer may be
// wrong because of these, as long as that gives other answers.
func (c *check) askAgain(ctx context.Context, probes []*probe) error {
	u, before := c.unit, 0
	for _, p := range probes {
		if len(p.access) > 0 {
			before++
		}
	}
	for round := range maxAgain {
		again := slices.DeleteFunc(slices.Clone(probes), func(p *probe) bool { return !p.misread() })
		if len(again) == 0 || len(again) == before { // it is the header
			return nil
		}
		if round == 1 {
			var err error
			if u, err = u.precompile(ctx, programFlags()...); err != nil {
				return err
			}
		}
		for _, p := range again {
			p.view = nil
		}
		if err := c.readAll(ctx, u, again); err != nil {
			return err
		}
		before = len(again)
	}
	return nil
}

// maxAgain bounds how often probes are asked again. Of accesses that share a relocation,
// each time tells of one. With all modules of a kernel there are 20: the first member of
// as many records without a name is a bitfield.
const maxAgain = 64

// misread reports whether a probe may have got a wrong answer because of others
// in its shard: clang takes accesses to the same place in different records
// without a name for one relocation, that of the first, and likewise in a record
// and in one that has a typedef of its name (BPFAbstractMemberAccess.cpp makes the
// relocation's name of the record's).
func (p *probe) misread() bool {
	return p.view != nil && len(p.access) > 0 && !p.relocated
}

// compileShards has the probes of all shards answered, on all cores.
func (c *check) compileShards(ctx context.Context, u *unit, name string, shards [][]*probe, f form) error {
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
				err := c.shard(ctx, u, fmt.Sprintf("%s%d", name, i), shards[i], f)
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
				if len(shards) > 1 {
					c.progress(fmt.Sprintf("%s: reading types back: %d of %d", u.cc.label(), finished, len(shards)))
				}
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
func (c *check) shard(ctx context.Context, u *unit, name string, probes []*probe, f form) error {
	asked := probes
	// Where a name of the header's stands for one of several types, it is not known
	// yet for which, and likely to lack members.
	doubtful := slices.DeleteFunc(slices.Clone(probes), func(p *probe) bool { return len(p.entry.ids) < 2 })
	if err := c.findAccesses(ctx, u, name, doubtful); err != nil {
		return err
	}
	for range maxRounds {
		text, lines := source(u.key, asked)
		diagnostics, err := u.answer(ctx, name, text, asked, f)
		if errors.As(err, new(*crashError)) && slices.ContainsFunc(asked, (*probe).hasSymbol) {
			found, e := c.findUncallable(ctx, u, name, asked, f)
			if e != nil {
				return e
			}
			if found {
				continue
			}
		}
		if err != nil || len(diagnostics) == 0 {
			return err
		}
		noType, noMember := map[*probe]bool{}, map[*probe]bool{}
		for _, d := range diagnostics {
			if d.file == "" && strings.Contains(d.text, "preserve.field.info") && len(diagnostics) == 1 {
				// clang can't relocate a bitfield in a packed record that is
				// longer than the record is aligned, and does not say which. So
				// they are asked for by few at a time.
				rest, bitfields := withoutBitfields(asked)
				if len(rest) == 0 || len(bitfields) == 0 || len(asked) <= shardSize {
					dropBitfields(asked)
					continue
				}
				for i, few := range deal(bitfields, shardSize/8) {
					if err := c.shard(ctx, u, fmt.Sprintf("%s-bitfields%d", name, i), few, f); err != nil {
						return err
					}
				}
				asked = rest
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
		var kept, other []*probe
		for _, p := range asked {
			if noType[p] {
				continue
			}
			kept = append(kept, p)
			if noMember[p] {
				p.access = p.access[1:]
				other = append(other, p)
			}
		}
		if err := c.findAccesses(ctx, u, name, other); err != nil {
			return err
		}
		asked = kept
	}
	return errChanges
}

// findAccesses leaves out the accesses that probes begin with and the header has not,
// all of them in one compile.
func (c *check) findAccesses(ctx context.Context, u *unit, name string, probes []*probe) error {
	var tries []*probe // one for each access
	for _, p := range probes {
		for i := range p.access {
			one := *p
			one.access = p.access[i : i+1]
			tries = append(tries, &one)
		}
	}
	if len(tries) == 0 {
		return nil
	}
	text, lines := source(u.key, tries)
	diagnostics, err := u.compile(ctx, name+"-accesses", text, Arguments{list: []string{"-fsyntax-only"}})
	if err != nil {
		return err
	}
	wrong := make(map[*probe]bool)
	for _, d := range diagnostics { // others are found again
		if d.file == ours && d.line >= 1 && d.line <= len(lines) && lines[d.line-1].access {
			wrong[lines[d.line-1].probe] = true
		}
	}
	for _, p := range probes {
		n := len(p.access)
		for ; n > 0 && wrong[tries[0]]; n-- {
			p.access = p.access[1:]
			tries = tries[1:]
		}
		tries = tries[n:]
	}
	return nil
}

// findUncallable finds functions among the probes of a shard on which the compiler
// crashes: those with a parameter, or a result, of a type that the header only
// declares. C lets such a function be declared, and no program call it. clang 22 for
// BPF looks for the size of each type where it writes what it knows of a function
// whose address is a value (CodeGenModule::EmitExternalDeclaration). What the types
// are it tells when it is not asked for addresses.
func (c *check) findUncallable(ctx context.Context, u *unit, name string, probes []*probe, f form) (found bool, err error) {
	var functions []*probe
	for _, p := range probes {
		if p.hasSymbol() {
			functions = append(functions, p)
			p.uncallable = true
		}
	}
	if err := c.shard(ctx, u, name, probes, f); err != nil {
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

// withoutBitfields tells those apart that try an access to a bitfield.
func withoutBitfields(probes []*probe) (rest, bitfields []*probe) {
	for _, p := range probes {
		if len(p.access) > 0 && p.access[0].BitSize != 0 {
			bitfields = append(bitfields, p)
		} else {
			rest = append(rest, p)
		}
	}
	return rest, bitfields
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

// maxAccesses is how many accesses one function makes.
const maxAccesses = 200

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
	accesses := 0
	for i, p := range probes {
		if len(p.access) == 0 {
			continue
		}
		// What optimizes a function takes long for a long one.
		if accesses++; accesses%maxAccesses == 0 {
			fmt.Fprintf(&b, "}\nvoid %saccess%d(void) {\n", key, accesses)
			lines = append(lines, line{}, line{})
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
