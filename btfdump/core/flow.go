package core

import (
	"math/bits"
	"slices"
)

// Which instructions of a program can be reached, once its relocations are
// filled in.
//
// The verifier follows a program with what it knows of registers, and never
// looks at what lies behind a condition that it can decide. The same is done
// here with constants: each instruction is followed with one or more states,
// a state being what is known of the registers and the stack. At targets of
// jumps, states are kept and compared; where they become too many, they are
// joined into one that covers them all, so that loops come to an end. Functions
// are followed for each set of arguments that they are called with.
//
// What comes out is wrong in one direction only: all that the verifier looks at
// is reached, and maybe more. So each state has doubts: none if the verifier is
// known to come here too, since the program can (see samples.go), else what that
// depends on. An instruction that stops
// the verifier is certain to stop it if it is reached without doubt, or if a
// place that is reached without doubt leads nowhere else.

// The limits of what is followed. Programs that the kernel accepts stay below
// them; of others, it is said that they can't be followed.
const (
	maxStates      = 16      // for a target of jumps
	fewStates      = 4       // once a quarter of what can be followed is
	maxArguments   = 8       // sets of arguments for a function
	maxActivations = 2048    // functions with their arguments, for one program
	maxFrames      = 8       // functions that call each other: MAX_CALL_FRAMES
	maxFollowed    = 1 << 20 // instructions
	maxKept        = 1 << 16 // states
	stackSlots     = 64      // of 8 bytes: MAX_BPF_STACK is 512
	registers      = 11
)

// doubts is why it is not certain that the verifier comes to a place: a bit
// each for a constant that only the loader knows, and the lowest for all else.
type doubts uint64

// notFollowed is the doubt about a condition that the verifier may decide.
const notFollowed doubts = 1

// doubtAbout is the doubt about a constant, by its index in flow.variables.
func doubtAbout(variable int32) doubts {
	if variable < 0 || variable > 62 {
		return notFollowed
	}
	return 2 << variable
}

// with returns the doubts about a place that is reached in two ways.
func (d doubts) with(e doubts) doubts {
	if d == 0 || e == 0 {
		return 0
	}
	return d | e
}

// place is an instruction of an object.
type place struct{ function, instruction int }

// stop is something that makes the verifier refuse a program that it reaches.
type stop struct {
	place
	kind stopKind
	n    int // what it is, by kind
}

type stopKind uint8

const (
	stopAccess   stopKind = iota // a relocation's instruction: its index
	stopKfunc                    // a call of a kfunc that is missing: the extern's index
	stopHelper                   // a call of a helper that is missing: its number
	stopArgument                 // a read of an argument that the function doesn't have: its slot
)

// argumentUse is an argument of a kernel function that is used as a pointer to
// a type.
type argumentUse struct {
	slot       int
	relocation int  // which starts at that type
	direct     bool // it is loaded from, not given to a helper
}

// surroundings is what a program is followed in.
type surroundings struct {
	object *Object
	// code returns a function's instructions with relocations filled in.
	code func(function int) []Instruction
	// relocation returns the first relocation of an instruction, -1 if it has
	// none.
	relocation func(place) int
	// stops returns why the verifier refuses an instruction that it reaches.
	stops func(place) (stop, bool)
	// external returns what an instruction loads that loads an extern's address.
	external func(f *flow, extern int) value
	// load returns what is loaded from a variable or kconfig option; the value is
	// free or constant, or a variable with the index of its name in names.
	load func(f *flow, v value, bytes uint32) value

	hasHelper    func(number int32) bool // whether the kernel has a helper
	missingKfunc func(extern int) bool   // whether a call of an extern stops the verifier
	arguments    int                     // slots of arguments in the context; -1 if it has none, or if they are not known
	typed        bool                    // the context's slots are arguments of a kernel function, typed by BTF
	numbers      bool                    // the context has registers or arguments, that are numbers to the verifier
	// mayLack reports whether a map, by its address, is one of which the verifier
	// does not know that it has a key.
	mayLack func(f *flow, of value) bool
	kernel  abilities
}

// abilities are what verifiers have learned over time, and matters here.
type abilities struct {
	xor          bool // computes with xor: Linux 5.10
	knowsAddress bool // knows that the address of a kernel's function or variable is not null: Linux 6.4
	lazyGlobals  bool // looks at a global function only if it is called: Linux 6.8
	knowsKeys    bool // may know that an array has an element, by its index: Linux 6.14
}

// flow is one program being followed.
type flow struct {
	surroundings

	stopped map[stop]doubts
	used    map[argumentUse]doubts
	names   []string // of variables, by the ids of values
	unclear string   // why it could not be followed to the end, "" if it was

	addresses   []dataAddress
	activations map[call]*activation
	sets        map[int]int // how many sets of arguments a function has
	firstID     []int32     // of each function, for the ids of free values
	targets     map[int][]bool
	followed    int
	kept        int
	frames      int

	vectors      [][]uint64 // of samples: see samples.go. The first one is empty
	vectorIDs    map[string]int64
	sampled      map[sampled]int64
	instructions int32 // of all functions
}

// dataAddress is what a value of the kind address is the address of.
type dataAddress struct {
	extern  bool
	index   int // of the extern or data section
	offset  uint64
	symbol  string
	unknown bool // an address of which nothing is known but that it is not null
}

// follow follows a program of the object.
func follow(program int, in surroundings) *flow {
	f := &flow{
		surroundings: in,
		stopped:      make(map[stop]doubts),
		used:         make(map[argumentUse]doubts),
		activations:  make(map[call]*activation),
		sets:         make(map[int]int),
		targets:      make(map[int][]bool),
		vectors:      make([][]uint64, 1),
		vectorIDs:    make(map[string]int64),
		sampled:      make(map[sampled]int64),
	}
	next := int32(1)
	for i := range in.object.Functions {
		f.firstID = append(f.firstID, next)
		next += int32(len(in.object.Functions[i].Code))
	}
	f.instructions = next
	root := f.activate(program, [5]value{{kind: context}}, true)
	if f.unclear == "" {
		f.collect(root, 0, make(map[*activation]doubts))
		f.uncalled(program)
	}
	return f
}

// giveUp notes why the program can't be followed.
func (f *flow) giveUp(why string) {
	if f.unclear == "" {
		f.unclear = why
	}
}

var emptyStack [stackSlots]value

// activate follows a function, unless that was done with the same arguments. It
// returns nil if it can't be followed.
func (f *flow) activate(function int, arguments [5]value, isProgram bool) *activation {
	given := arguments
	for i := range arguments {
		arguments[i] = asArgument(given[:], i)
	}
	if !isProgram && f.isGlobal(function) {
		// The verifier looks at it by itself, and knows no arguments but the
		// context.
		for i, v := range arguments {
			if v.kind != context {
				arguments[i] = value{}
			}
		}
	}
	key := call{function, arguments}
	if a := f.activations[key]; a != nil {
		if !a.done {
			f.giveUp("functions call each other in a circle")
			return nil
		}
		return a
	}
	if f.sets[function] >= maxArguments {
		key.arguments = [5]value{{kind: stacked}, {kind: stacked}, {kind: stacked}, {kind: stacked}, {kind: stacked}}
		if a := f.activations[key]; a != nil && a.done {
			return a
		}
	}
	switch {
	case f.frames >= maxFrames:
		f.giveUp("functions call each other more than 8 deep")
	case len(f.activations) >= maxActivations:
		f.giveUp("there are too many calls with different arguments")
	}
	if f.unclear != "" {
		return nil
	}
	f.sets[function]++
	code := f.code(function)
	a := &activation{
		flow: f, function: function, code: code, targets: f.targetsOf(function, code),
		states: make(map[int][]state), steps: make([]steps, len(code)),
		stopped: make(map[stop]doubts), calls: make(map[callSite]doubts), used: make(map[argumentUse]doubts),
	}
	f.activations[key] = a
	f.followed += len(code) / 16 // for what was just allocated
	f.frames++
	a.run(key.arguments)
	f.frames--
	a.done, a.states, a.work = true, nil, nil
	return a
}

// asArgument returns one of the arguments as the function sees it that is called
// with them.
func asArgument(given []value, i int) value {
	v := given[i]
	switch {
	case v.mayPointToStack():
		return value{kind: stacked}
	case v.kind == constant:
		return number(v.n)
	case v.kind == free:
		// The numbers of the arguments serve as ids: equal calls are then the
		// same call. Those of one origin stay so.
		first := slices.IndexFunc(given, func(o value) bool { return o.kind == free && o.id == v.id })
		v.id = -1 - int32(first)
	}
	return v
}

// isGlobal reports whether the verifier looks at a function by itself.
func (f *flow) isGlobal(function int) bool {
	fn := &f.object.Functions[function]
	return fn.Type != 0 && f.object.View.Type(fn.Type).Linkage() != 0
}

// targetsOf finds the targets of a function's jumps.
func (f *flow) targetsOf(function int, code []Instruction) []bool {
	if targets := f.targets[function]; targets != nil {
		return targets
	}
	targets := make([]bool, len(code)+1)
	for i, in := range code {
		if to := i + 1 + in.jumpDistance(); isJump(in) && to >= 0 && to < len(code) {
			targets[to] = true
		}
	}
	f.targets[function] = targets
	return targets
}

// isJump reports whether an instruction may go on elsewhere than behind it in
// the same function.
func isJump(in Instruction) bool {
	if c := in.Class(); c != classJMP && c != classJMP2 {
		return false
	}
	op := in.Opcode & codeMask
	return op != jumpCall && op != jumpExit
}

// jumpDistance returns how far a jump goes, in instructions from the next one.
func (i Instruction) jumpDistance() int {
	if i.Opcode == classJMP2 { // gotol
		return int(i.Constant)
	}
	return int(i.Offset)
}

// run follows the function from its start.
func (a *activation) run(arguments [5]value) {
	start := state{stack: &emptyStack}
	copy(start.registers[1:], arguments[:])
	start.registers[10] = value{kind: frame}
	a.work = append(a.work, pending{0, start})
	for len(a.work) > 0 && a.flow.unclear == "" {
		p := a.work[len(a.work)-1]
		a.work = a.work[:len(a.work)-1]
		a.follow(p.at, p.state)
	}
	if a.flow.unclear == "" {
		a.findDoomed()
	}
}

// follow follows one state until it meets what is known, or leaves.
func (a *activation) follow(at int, s state) {
	for a.flow.unclear == "" {
		if at < 0 || at >= len(a.code) {
			return // the verifier refuses this: there is no way out
		}
		if a.targets[at] && !a.keep(at, &s) {
			return
		}
		if a.flow.followed++; a.flow.followed > maxFollowed {
			a.flow.giveUp("it is too large to be followed")
			return
		}
		a.steps[at] |= stepSeen
		if s.doubt == 0 {
			a.steps[at] |= stepCertain
		}
		if why, ok := a.flow.stops(place{a.function, at}); ok {
			a.stop(why, s.doubt)
			return
		}
		next, ok := a.step(at, &s)
		if !ok {
			return
		}
		at = next
	}
}

// stop notes that something was reached that stops the verifier.
func (a *activation) stop(why stop, doubt doubts) {
	if d, ok := a.stopped[why]; ok {
		doubt = doubt.with(d)
	}
	a.stopped[why] = doubt
}

// keep notes a state at the target of a jump. It reports false if all that can
// come of it is known, and may put another state in its place that covers it.
func (a *activation) keep(at int, s *state) bool {
	kept, limit := a.states[at], maxStates
	if a.flow.kept > maxKept/4 || a.flow.followed > maxFollowed/4 {
		limit = fewStates
	}
	for i := range kept {
		if kept[i].covers(s, i >= limit-1 && i == len(kept)-1) {
			return false
		}
	}
	a.flow.followed += 4 // for the comparison
	if len(kept) < limit {
		if a.flow.kept++; a.flow.kept > maxKept {
			a.flow.giveUp("it has too many branches to be followed")
			return false
		}
		a.states[at] = append(kept, *s)
		return true
	}
	last := &kept[len(kept)-1]
	a.flow.joinStates(last, s, joinedID-a.id(at))
	*s = *last
	return true
}

// id returns a number for values that come from an instruction.
func (a *activation) id(at int) int32 { return a.flow.firstID[a.function] + int32(at) }

// findDoomed finds the instructions that are reached without doubt and lead to
// nothing but what stops the verifier. (Or to an endless loop, which stops it
// too.)
func (a *activation) findDoomed() {
	n := len(a.code)
	leaves := make([]bool, n)
	from := make(map[int][]int) // by target, the jumps to it
	var list []int
	for i, s := range a.steps {
		if s&stepJump != 0 {
			to := i + 1 + a.code[i].jumpDistance()
			from[to] = append(from[to], i)
		}
		if s&stepExit != 0 {
			leaves[i] = true
			list = append(list, i)
		}
	}
	mark := func(i int) {
		if !leaves[i] {
			leaves[i] = true
			list = append(list, i)
		}
	}
	for len(list) > 0 {
		i := list[len(list)-1]
		list = list[:len(list)-1]
		for back := 1; back <= 2 && back <= i; back++ {
			if p := i - back; a.steps[p]&stepNext != 0 && a.code[p].slots() == back {
				mark(p)
			}
		}
		for _, p := range from[i] {
			mark(p)
		}
	}
	for i, s := range a.steps {
		if s&stepCertain != 0 && !leaves[i] {
			a.doomed = append(a.doomed, i)
		}
	}
}

// slots returns how many slots an instruction takes.
func (i Instruction) slots() int {
	if i.IsLoad64() {
		return 2
	}
	return 1
}

// certain returns the stops and calls of the function that the verifier comes
// to for sure, or that it can't but come to one of.
func (a *activation) certain() map[int]bool {
	seen := make(map[int]bool)
	list := slices.Clone(a.doomed)
	for len(list) > 0 {
		i := list[len(list)-1]
		list = list[:len(list)-1]
		if i < 0 || i >= len(a.code) || seen[i] {
			continue
		}
		seen[i] = true
		if a.steps[i]&stepNext != 0 {
			list = append(list, i+a.code[i].slots())
		}
		if a.steps[i]&stepJump != 0 {
			list = append(list, i+1+a.code[i].jumpDistance())
		}
	}
	return seen
}

// collect gathers what stops a function and those that it calls. before has
// the doubts with which functions were gathered: again is of no use unless they
// are fewer.
func (f *flow) collect(a *activation, doubt doubts, before map[*activation]doubts) {
	if d, ok := before[a]; ok {
		if d.with(doubt) == d {
			return
		}
		doubt = d.with(doubt)
	}
	before[a] = doubt
	var certain map[int]bool
	if len(a.doomed) > 0 {
		certain = a.certain()
	}
	doubtAt := func(instruction int, own doubts) doubts {
		if certain[instruction] {
			return doubt
		}
		return own | doubt
	}
	note := func(d, e doubts, known bool) doubts {
		if known {
			return d.with(e)
		}
		return e
	}
	for s, own := range a.stopped {
		d, known := f.stopped[s]
		f.stopped[s] = note(d, doubtAt(s.instruction, own), known)
	}
	for use, own := range a.used {
		d, known := f.used[use]
		f.used[use] = note(d, own|doubt, known)
	}
	for site, own := range a.calls {
		f.collect(site.callee, doubtAt(site.instruction, own), before)
	}
}

// uncalled looks at the global functions that a program refers to and does not
// call in any place that is reached: verifiers before Linux 6.8 look at them
// all the same.
func (f *flow) uncalled(program int) {
	if f.kernel.lazyGlobals {
		return
	}
	seen := map[int]bool{program: true}
	list := []int{program}
	for len(list) > 0 {
		function := list[len(list)-1]
		list = list[:len(list)-1]
		for _, r := range f.object.Functions[function].References {
			if r.Kind != ReferenceFunction || seen[r.Index] {
				continue
			}
			seen[r.Index] = true
			list = append(list, r.Index)
			if !f.isGlobal(r.Index) || f.sets[r.Index] > 0 {
				continue
			}
			if a := f.activate(r.Index, [5]value{}, false); a != nil {
				f.collect(a, notFollowed, make(map[*activation]doubts))
			}
		}
	}
}

// about returns the names of the constants that doubts are about.
func (f *flow) about(d doubts) []string {
	var names []string
	for rest := uint64(d &^ notFollowed); rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(rest) - 1; i < len(f.names) {
			names = append(names, f.names[i])
		}
	}
	return names
}

// variable returns the value of a constant that only the loader knows.
func (f *flow) variable(name string) value {
	i := slices.Index(f.names, name)
	if i < 0 && len(f.names) < 63 {
		i = len(f.names)
		f.names = append(f.names, name)
	}
	return value{kind: variable, id: int32(i)} // -1: one too many
}

// address returns the address of something, for which equal ones are the same.
func (f *flow) address(d dataAddress) value {
	i := slices.Index(f.addresses, d)
	if i < 0 {
		if len(f.addresses) >= 1<<12 {
			return value{}
		}
		i = len(f.addresses)
		f.addresses = append(f.addresses, d)
	}
	return value{kind: address, id: int32(i)}
}
