package core

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// What an object declares and the kernel or the loader has to supply: kfuncs,
// variables (ksyms), kconfig options. libbpf looks them up as is done here
// (bpf_object__resolve_externs), for the object as a whole.

// externState is what an extern comes to on a kernel.
type externState struct {
	missing bool   // it is not there: a weak one has the address 0
	found   bool   // it is there for sure
	value   int64  // of a kconfig option
	known   bool   // whether that is known
	why     string // why it is missing, or may be
}

// findExterns looks the object's externs up.
func (r *run) findExterns() {
	r.externs = make([]externState, len(r.Externs))
	for i := range r.Externs {
		e := &r.Externs[i]
		switch e.Kind {
		case ExternKconfig:
			r.externs[i] = r.findOption(e)
		case ExternKfunc:
			r.externs[i] = r.findSymbol(e, btfdump.KindFunc)
		case ExternKsym:
			r.externs[i] = r.findSymbol(e, btfdump.KindVar)
		default:
			r.externs[i] = externState{missing: true, why: "the object's BTF has no type for it, without which libbpf finds nothing"}
		}
	}
}

func (r *run) findOption(e *Extern) externState {
	if n, ok := r.set[e.Name]; ok {
		return externState{found: true, known: true, value: n}
	}
	n, state := r.kernel.option(r.Object, e)
	switch state {
	case optionKnown:
		return externState{found: true, known: true, value: n}
	case optionAbsent:
		return externState{missing: true, known: true, why: "the kernel's configuration does not set it"}
	case optionPresent:
		return externState{found: true}
	}
	return externState{why: "the kernel's configuration is not known (--kconfig FILE gives it)"}
}

// findSymbol looks a function or variable up among the kernel's types.
func (r *run) findSymbol(e *Extern, kind btfdump.Kind) externState {
	v := r.kernel.Target.View
	what := "function"
	if kind == btfdump.KindVar {
		what = "variable"
		if r.isTypeless(e) {
			// Its address comes from /proc/kallsyms.
			name := EssentialName(e.Name)
			if len(v.Lookup(name, btfdump.KindFunc, btfdump.KindVar)) > 0 {
				return externState{found: true}
			}
			return externState{why: "it is looked up in /proc/kallsyms, and BTF does not tell what is there"}
		}
	}
	ids := v.Lookup(EssentialName(e.Name), kind)
	if len(ids) == 0 {
		return externState{missing: true, why: fmt.Sprintf("the kernel's BTF has no %s of this name%s", what, r.otherModules())}
	}
	// libbpf takes the first one.
	budget := maxSteps
	c := comparer{local: r.View, target: v, budget: &budget}
	local, target := r.View.Type(e.Type).Ref(), v.Type(ids[0]).Ref()
	if kind == btfdump.KindVar {
		local, target = r.View.Resolve(local), v.Resolve(target)
	}
	same, err := c.types(local, target, maxDepth)
	if err != nil || !same {
		return externState{missing: true, why: fmt.Sprintf("it is %s there, which is not compatible with the object's %s", r.describeSymbol(v, ids[0]), r.describeSymbol(r.View, e.Type))}
	}
	s := externState{found: true}
	if kind == btfdump.KindFunc && !r.isKfunc(ids[0]) {
		s = externState{why: "the kernel has a function of this name, but its BTF does not mark it as one that programs may call"}
	}
	return s
}

// isTypeless reports whether an extern is declared as void: a symbol of which
// only the address is wanted.
func (r *run) isTypeless(e *Extern) bool {
	return r.View.Resolve(r.View.Type(e.Type).Ref()) == 0
}

// isKfunc reports whether the kernel's BTF says that programs may call a
// function. BTF by pahole before 1.26 says it of none: then there is nothing to
// be learned.
func (r *run) isKfunc(id btfdump.TypeID) bool {
	all := r.kernel.kfuncs()
	return len(all) == 0 || all[id]
}

// kfuncs returns the functions that programs may call, as far as BTF tells.
func (k *Kernel) kfuncs() map[btfdump.TypeID]bool {
	k.once.Do(func() {
		k.marked = make(map[btfdump.TypeID]bool)
		for _, f := range k.Target.View.Kfuncs() {
			k.marked[f.Func] = true
		}
	})
	return k.marked
}

// otherModules is what is added to the statement that something is not there.
func (r *run) otherModules() string {
	if r.kernel.Complete {
		return ""
	}
	return "; a module may have it (give it with -m, or all)"
}

// describeSymbol returns the type of a function or variable as C.
func (r *run) describeSymbol(v *btfdump.View, id btfdump.TypeID) string {
	t := v.Type(id)
	if t.Kind() != btfdump.KindFunc {
		return describeType(v, t.Ref())
	}
	return describePrototype(v, t.Ref())
}

// describePrototype returns a prototype as C, without the names.
func describePrototype(v *btfdump.View, id btfdump.TypeID) string {
	proto := v.Type(id)
	var b strings.Builder
	b.WriteString(describeType(v, proto.Ref()) + " (")
	for i, p := range proto.Params() {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 16 {
			b.WriteString("...")
			break
		}
		if p.Type == 0 {
			b.WriteString("...")
			continue
		}
		b.WriteString(describeType(v, p.Type))
	}
	if proto.NumParams() == 0 {
		b.WriteString("void")
	}
	return b.String() + ")"
}

// subjects of findings by kinds of externs.
var externSubjects = [...]Subject{ExternKfunc: AboutKfunc, ExternKsym: AboutKsym, ExternKconfig: AboutKconfig, ExternUnknown: AboutKsym}

// externFindings are about externs without which libbpf refuses the object.
func (r *run) externFindings() []Finding {
	var findings []Finding
	for i := range r.Externs {
		e, s := &r.Externs[i], &r.externs[i]
		if s.found {
			continue
		}
		f := Finding{Subject: externSubjects[e.Kind], Name: plainName(e.Name), Reason: s.why, Verdict: MayFail, place: place{-1, i}}
		switch {
		case e.Weak && !(s.missing && e.Kind == ExternKsym && !r.isTypeless(e) && r.incompatible(e)):
			continue // see weakFindings
		case s.missing && (r.kernel.Complete || e.Kind == ExternKconfig || e.Kind == ExternUnknown || r.incompatible(e)):
			f.Verdict = Fails
		}
		if s.missing {
			f.Reason += "; libbpf refuses the object"
			if e.Kind == ExternKfunc && !r.incompatible(e) {
				f.Instead = r.kernel.likeFunctions(e.Name)
			}
			f.Fix = weakFix(r.View, e)
		}
		findings = append(findings, f)
	}
	return findings
}

// incompatible reports whether the kernel has what the extern names, with
// another type.
func (r *run) incompatible(e *Extern) bool {
	switch e.Kind {
	case ExternKfunc:
		return len(r.kernel.Target.View.Lookup(EssentialName(e.Name), btfdump.KindFunc)) > 0
	case ExternKsym:
		return len(r.kernel.Target.View.Lookup(EssentialName(e.Name), btfdump.KindVar)) > 0
	}
	return false
}

// weakFindings are about weak externs that are missing, of those that a program
// refers to: it does without.
func (r *run) weakFindings(p *program) []Finding {
	var findings []Finding
	seen := make(map[int]bool)
	for _, function := range p.closure {
		for _, ref := range r.Functions[function].References {
			if ref.Kind != ReferenceExtern || seen[ref.Index] {
				continue
			}
			seen[ref.Index] = true
			e, s := &r.Externs[ref.Index], &r.externs[ref.Index]
			if !e.Weak || s.found {
				continue
			}
			f := Finding{Verdict: Degraded, Subject: externSubjects[e.Kind], Name: plainName(e.Name), Reason: s.why}
			switch {
			case e.Kind == ExternKconfig && !s.missing:
				continue // flow tells what depends on it
			case e.Kind == ExternKconfig:
				f.Reason += ": it is 0"
			case s.missing:
				f.Reason += ": its address is 0, and the program asks for that"
			case e.Kind == ExternKfunc:
				f.Verdict = MayFail
			default:
				continue // either way is fine
			}
			findings = append(findings, r.at(f, place{function, ref.Instruction}))
		}
	}
	return findings
}

// missingKfunc reports whether a call of an extern stops the verifier.
func (r *run) missingKfunc(extern int) bool { return r.externs[extern].missing }

// externAddress is what an instruction loads that loads an extern's address.
func (r *run) externAddress(f *flow, extern int) value {
	e, s := &r.Externs[extern], &r.externs[extern]
	switch {
	case e.Kind == ExternKconfig:
		return f.address(dataAddress{extern: true, index: extern})
	case s.missing && e.Weak:
		return number(0)
	case s.found && !r.isTypelessSymbol(e):
		return f.address(dataAddress{extern: true, index: extern, unknown: true})
	}
	return value{}
}

func (r *run) isTypelessSymbol(e *Extern) bool { return e.Kind == ExternKsym && r.isTypeless(e) }

// loadVariable is what an instruction loads from a variable of the object, or
// from a kconfig option.
func (r *run) loadVariable(f *flow, base value, bytes uint32) value {
	if base.id < 0 || int(base.id) >= len(f.addresses) {
		return value{}
	}
	anything := value{kind: free, width: uint8(8 * bytes)}
	d := f.addresses[base.id]
	switch {
	case d.unknown && bytes == 8:
		return value{}
	case d.unknown:
		return anything
	case d.extern:
		e, s := &r.Externs[d.index], &r.externs[d.index]
		size := r.View.SizeOf(r.View.Type(e.Type).Ref())
		if s.known && base.n == 0 && uint64(bytes) == size {
			return number(zeroExtend(s.value, bytes))
		}
		if s.missing && s.known {
			return number(0)
		}
		return f.variable(plainName(e.Name))
	}
	section := &r.Sections[d.index]
	if !section.Constant || !strings.HasPrefix(section.Name, ".rodata") {
		return anything
	}
	if n, ok := r.set[d.symbol]; ok && base.n == 0 && d.symbol != "" {
		return number(zeroExtend(n, bytes))
	}
	name := plainName(d.symbol)
	switch at := d.offset + uint64(base.n); {
	case d.symbol == "":
		name = fmt.Sprintf("%s+%d", plainSection(section.Name), at)
		if variable, offset := r.variableAt(section.Name, at); variable != "" {
			if n, ok := r.set[variable]; ok && offset == 0 {
				return number(zeroExtend(n, bytes))
			}
			name = plainName(variable)
		}
	case base.n != 0:
		name = fmt.Sprintf("%s+%d", name, base.n)
	}
	return f.variable(name)
}

func zeroExtend(n int64, bytes uint32) int64 {
	if bytes >= 8 {
		return n
	}
	return n & (1<<(8*bytes) - 1)
}

// variableAt returns the variable at an offset of a data section, as far as the
// object's BTF tells: linkers fill offsets in.
func (o *Object) variableAt(section string, offset uint64) (name string, within uint64) {
	for _, id := range o.View.Lookup(section, btfdump.KindDatasec) {
		t := o.View.Type(id)
		for i := range t.NumSectionVars() {
			if s := t.SectionVar(i); s.Size > 0 && uint64(s.Offset) <= offset && offset < uint64(s.Offset)+uint64(s.Size) && t.Size() > 0 {
				return o.View.Type(s.Type).Name(), offset - uint64(s.Offset)
			}
		}
	}
	return "", 0
}
