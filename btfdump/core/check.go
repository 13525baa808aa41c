package core

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
)

// Kernel is a kernel that programs are checked against. It is immutable and safe
// for concurrent use.
type Kernel struct {
	Name   string // for reports
	Target *Target
	// Release is as uname -r prints it, "" if it is not known.
	Release string
	// Config is the kernel's configuration as ParseConfig returns it, nil if it
	// is not known.
	Config map[string]string
	// Complete is true if the target has the types of all modules that the kernel
	// may load: what is not there is then known to be missing.
	Complete bool

	names sync.Map // of functions that were looked for: what there is instead

	asked   atomic.Int64 // how many names were
	indexes sync.Map     // by kind: a function that makes a nameIndex
	once    sync.Once
	marked  map[btfdump.TypeID]bool // kfuncs
}

// NewKernel prepares what source.Open returned. name is for reports. The kernel
// is complete if all modules were asked for.
func NewKernel(name string, k *source.Kernel, complete bool) *Kernel {
	return &Kernel{Name: name, Target: NewTarget(k.View), Release: k.Release, Complete: complete}
}

// CheckOptions are what is known of the program that loads the objects.
type CheckOptions struct {
	// Set has the values of constants in .rodata (const volatile) that the loader
	// sets, or leaves as they are. Of others any value is assumed.
	Set map[string]int64
}

// Check says which of the objects' programs run on which kernels, and why the
// others don't. Use a Checker for kernels that are not all to be in memory, or
// to be checked in parallel.
func Check(objects []*Object, kernels ...*Kernel) *Report {
	c := NewChecker(objects, CheckOptions{})
	r := &Report{}
	for _, k := range kernels {
		r.Kernels = append(r.Kernels, c.Check(k))
	}
	r.Compare()
	return r
}

// Checker checks objects against kernels, one at a time. It is safe for
// concurrent use.
type Checker struct {
	objects  []*checkedObject
	options  CheckOptions
	accesses int // how many relocations there are, and 1
}

// checkedObject is an object with what is the same on all kernels.
type checkedObject struct {
	*Object
	firstKey    accessKey
	relocations [][]int   // of each function: indexes in Object.Relocations, by ascending instruction
	programs    []program // what is loaded
}

// program is one of an object's programs.
type program struct {
	function int
	attach   Attach
	closure  []int // the functions that it may call, itself first
}

// NewChecker prepares objects to be checked.
func NewChecker(objects []*Object, options CheckOptions) *Checker {
	c := &Checker{options: options, accesses: 1}
	for _, o := range objects {
		p := prepare(o)
		p.firstKey = accessKey(c.accesses)
		c.accesses += len(o.Relocations)
		c.objects = append(c.objects, p)
	}
	return c
}

func prepare(o *Object) *checkedObject {
	p := &checkedObject{Object: o, relocations: make([][]int, len(o.Functions))}
	for i := range o.Relocations {
		if f := o.Relocations[i].Function; f >= 0 {
			p.relocations[f] = append(p.relocations[f], i)
		}
	}
	for i := range o.Functions {
		if o.Functions[i].Program {
			p.programs = append(p.programs, program{i, o.Attach(i), o.closure(i)})
		}
	}
	return p
}

// closure returns a function and those that it may call.
func (o *Object) closure(function int) []int {
	seen := map[int]bool{function: true}
	list := []int{function}
	for i := 0; i < len(list); i++ {
		for _, r := range o.Functions[list[i]].References {
			if r.Kind == ReferenceFunction && !seen[r.Index] {
				seen[r.Index] = true
				list = append(list, r.Index)
			}
		}
	}
	return list
}

// Check says which programs run on a kernel.
func (c *Checker) Check(k *Kernel) KernelReport {
	report := KernelReport{Kernel: k.Name, Release: k.Release, Programs: []ProgramReport{}, present: make(presence, c.accesses/64+1)}
	for _, o := range c.objects {
		run := &run{checkedObject: o, kernel: k, set: c.options.Set, results: k.Target.Relocate(o.Object)}
		run.patchAll()
		run.findExterns()
		general := append(run.objectFindings(), run.structOps()...)
		for i := range o.programs {
			p := &o.programs[i]
			report.Programs = append(report.Programs, run.check(p, general))
		}
		for i := range run.results {
			if o.Relocations[i].Function >= 0 && run.results[i].Found() {
				report.present.add(o.firstKey + accessKey(i))
			}
		}
	}
	return report
}

// run is one object being checked against one kernel.
type run struct {
	*checkedObject
	kernel  *Kernel
	set     map[string]int64
	results []Result
	code    [][]Instruction // by function, with relocations filled in
	refused []error         // by function: why libbpf refuses the object
	externs []externState
}

// patchAll fills the relocations in.
func (r *run) patchAll() {
	r.code = make([][]Instruction, len(r.Functions))
	r.refused = make([]error, len(r.Functions))
	for f := range r.Functions {
		r.code[f] = r.Functions[f].Code
		if len(r.relocations[f]) == 0 {
			continue
		}
		code := append([]Instruction(nil), r.code[f]...)
		for _, i := range r.relocations[f] {
			at := r.Relocations[i].Instruction
			err := r.results[i].Err
			if err == nil {
				err = r.results[i].patch(code[at:])
			}
			if err != nil {
				r.refused[f] = fmt.Errorf("%s at instruction %d of %s: %w", r.AccessPath(i), at, plainName(r.Functions[f].Name), err)
				break
			}
		}
		r.code[f] = code
	}
}

// isOptional reports whether a function is a program that is loaded only if the
// loader is told to.
func (r *run) isOptional(function int) bool {
	return strings.HasPrefix(r.Functions[function].Section, "?")
}

// objectFindings are those that keep libbpf from loading the object at all.
func (r *run) objectFindings() []Finding {
	var findings []Finding
	for f, err := range r.refused {
		if err != nil && !r.isOptional(f) {
			findings = append(findings, Finding{
				Verdict: Fails, Subject: AboutAccess, Name: plainName(r.Functions[f].Name),
				Reason: "libbpf refuses the whole object: " + err.Error(), place: place{f, 0},
			})
		}
	}
	return append(findings, r.externFindings()...)
}

// check says whether a program runs.
func (r *run) check(p *program, general []Finding) ProgramReport {
	f := &r.Functions[p.function]
	report := ProgramReport{Object: r.Name, Program: plainName(f.Name), Section: plainSection(f.Section), Optional: p.attach.Optional}
	findings := append([]Finding(nil), general...)
	if err := r.refused[p.function]; err != nil && r.isOptional(p.function) {
		findings = append(findings, Finding{Verdict: Fails, Subject: AboutAccess, Name: report.Program, Reason: "libbpf refuses it: " + err.Error()})
	}
	signature, known, attach := r.attachment(p)
	findings = append(findings, attach...)
	refused := false
	for _, f := range p.closure {
		refused = refused || r.refused[f] != nil
	}
	if !refused {
		in := r.surroundings(p, signature, known)
		flow := follow(p.function, in)
		findings = append(findings, r.flowFindings(p, flow, signature)...)
	}
	report.Findings = sortFindings(findings)
	for i := range report.Findings {
		report.Verdict = max(report.Verdict, report.Findings[i].Verdict)
	}
	return report
}

// at completes a finding with its place in the source.
func (r *run) at(f Finding, p place) Finding {
	position := r.Functions[p.function].Position(p.instruction)
	f.place = p
	f.File, f.Line, f.Text = position.File, position.Line, strings.TrimSpace(position.Text)
	return f
}

// surroundings is what a program is followed in.
func (r *run) surroundings(p *program, s signature, known bool) surroundings {
	helpers := r.kernel.Target.helpers()
	in := surroundings{
		object:     r.Object,
		code:       func(f int) []Instruction { return r.code[f] },
		relocation: r.relocationAt,
		stops:      r.stops,
		hasHelper:  func(n int32) bool { return n >= 0 && (helpers == 0 || int64(n) < helpers) },
		arguments:  -1,
		typed:      p.attach.isTyped(),
		numbers:    p.attach.hasNumbers(),
		mayLack:    r.mayLack,
		kernel:     r.kernel.abilities(),
	}
	if known {
		in.arguments = s.slots
	}
	in.external = func(f *flow, extern int) value { return r.externAddress(f, extern) }
	in.load = r.loadVariable
	in.missingKfunc = r.missingKfunc
	return in
}

// relocationsAt returns the relocations of an instruction: their indexes in
// Object.Relocations.
func (r *run) relocationsAt(p place) []int {
	list := r.relocations[p.function]
	from, _ := slices.BinarySearchFunc(list, p.instruction, func(i, at int) int { return cmp.Compare(r.Relocations[i].Instruction, at) })
	to := from
	for to < len(list) && r.Relocations[list[to]].Instruction == p.instruction {
		to++
	}
	return list[from:to]
}

// relocationAt returns the first relocation of an instruction, -1 if it has none.
func (r *run) relocationAt(p place) int {
	if list := r.relocationsAt(p); len(list) > 0 {
		return list[0]
	}
	return -1
}

// stops returns why the verifier refuses an instruction.
func (r *run) stops(p place) (stop, bool) {
	for _, i := range r.relocationsAt(p) {
		if r.results[i].Poisoned(r.Functions[p.function].Code[p.instruction]) {
			return stop{p, stopAccess, i}, true
		}
	}
	return stop{}, false
}

// flowFindings are what following a program has shown.
func (r *run) flowFindings(p *program, f *flow, s signature) []Finding {
	var findings []Finding
	reached := make(map[int]bool) // relocations
	for stop, doubt := range f.stopped {
		finding := r.stopFinding(p, stop)
		finding.Verdict = Fails
		if doubt != 0 {
			finding.Verdict = MayFail
			finding.DependsOn = f.about(doubt)
			if len(finding.DependsOn) > 0 {
				finding.Reason += "; whether it is reached depends on " + strings.Join(finding.DependsOn, ", ")
			} else {
				finding.Reason += "; whether it is reached can't be decided"
			}
		}
		if stop.kind == stopAccess {
			reached[stop.n] = true
		}
		if stop.kind == stopKfunc && !r.kernel.Complete {
			finding.Verdict = MayFail
		}
		findings = append(findings, r.at(finding, stop.place))
	}
	if f.unclear != "" {
		findings = append(findings, Finding{
			Verdict: MayFail, Subject: AboutAnalysis, Name: plainName(r.Functions[p.function].Name),
			Reason: "which of its instructions can be reached is not known: " + f.unclear, place: place{p.function, 0},
		})
	}
	for use := range f.used {
		if finding, ok := r.argumentFinding(p, use, s); ok {
			findings = append(findings, finding)
		}
	}
	for _, function := range p.closure {
		for _, i := range r.relocations[function] {
			if !reached[i] {
				if finding, ok := r.missing(i, f.unclear != ""); ok {
					findings = append(findings, finding)
				}
			}
		}
	}
	return append(findings, r.weakFindings(p)...)
}

// missing is the finding about a relocation for which the kernel has nothing,
// and whose instruction is not reached, or that asks whether there is something.
func (r *run) missing(i int, unclear bool) (Finding, bool) {
	reloc, result := &r.Relocations[i], &r.results[i]
	at := place{reloc.Function, reloc.Instruction}
	poisoned := result.Poisoned(r.Functions[reloc.Function].Code[reloc.Instruction])
	if result.Found() && !poisoned || reloc.Kind == TypeIDLocal {
		return Finding{}, false
	}
	f := r.accessFinding(i, poisoned && unclear)
	switch {
	case poisoned && unclear:
		f.Verdict = MayFail
	case poisoned:
		f.Reason += "; the program does not come here"
		f.Verdict = Degraded
	default:
		f.Verdict = Degraded
	}
	return r.at(f, at), true
}

// accessFinding tells what is wrong with an access, and what could be done.
func (r *run) accessFinding(i int, detail bool) Finding {
	f := Finding{Subject: AboutAccess, Name: r.AccessPath(i), key: r.firstKey + accessKey(i)}
	s := r.explain(i, detail)
	f.Reason, f.Instead, f.Fix = s.reason, s.instead, s.fix
	return f
}

// stopFinding tells what stops the verifier.
func (r *run) stopFinding(p *program, s stop) Finding {
	switch s.kind {
	case stopAccess:
		return r.accessFinding(s.n, true)
	case stopKfunc:
		name := plainName(r.Externs[s.n].Name)
		return Finding{Subject: AboutKfunc, Name: name, Reason: r.externs[s.n].why}
	case stopHelper:
		return Finding{
			Subject: AboutHelper, Name: fmt.Sprintf("helper %d", s.n),
			Reason: fmt.Sprintf("the kernel has no helper with the number %d: its last one is %d", s.n, r.kernel.Target.helpers()-1),
			Fix:    "if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_...)) { /* call it */ } else { /* do without */ }",
		}
	}
	target := p.attach
	return Finding{
		Subject: AboutArgument, Name: fmt.Sprintf("argument %d of %s", s.n+1, plainSection(target.Target)),
		Reason: "the program reads it, and there it does not have so many",
	}
}

// argumentFinding compares the type that an argument is used as with the one
// that it has on the kernel.
func (r *run) argumentFinding(p *program, use argumentUse, s signature) (Finding, bool) {
	reloc := &r.Relocations[use.relocation]
	v := r.kernel.Target.View
	if s.proto == (btfdump.Type{}) || !reloc.Kind.IsField() {
		return Finding{}, false
	}
	id, ok := s.parameter(v, use.slot)
	if !ok {
		return Finding{}, false
	}
	want := EssentialName(r.View.Type(reloc.Type).Name())
	t := v.Type(v.Resolve(id))
	if t.Kind() == btfdump.KindPtr {
		have := v.Type(v.Resolve(t.Ref()))
		if have.Kind().IsRecord() && (have.Name() == want || startsWith(v, have.ID(), want)) {
			return Finding{}, false
		}
		// A record that starts with what the argument points to: an inet_sock is a
		// sock.
		if !use.direct && have.Kind().IsRecord() {
			for _, c := range r.kernel.Target.Candidates(want, btfdump.KindStruct) {
				if startsWith(v, c, have.Name()) {
					return Finding{}, false
				}
			}
		}
	}
	f := Finding{
		Verdict: MayFail, Subject: AboutArgument, Name: fmt.Sprintf("argument %d of %s", use.slot+1, plainSection(p.attach.Target)),
		Reason: fmt.Sprintf("it is %s there, and the program uses it as a pointer to %s", describeType(v, id), typeName(r.View, reloc.Type)),
	}
	return r.at(f, place{reloc.Function, reloc.Instruction}), true
}

// startsWith reports whether a record has one of a name at its start.
func startsWith(v *btfdump.View, id btfdump.TypeID, name string) bool {
	for range maxPath {
		t := v.Type(id)
		if !t.Kind().IsRecord() || t.NumMembers() == 0 || name == "" {
			return false
		}
		if t.Name() == name {
			return true
		}
		id = v.Resolve(t.Member(0).Type)
	}
	return false
}
