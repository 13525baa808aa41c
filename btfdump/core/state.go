package core

// call is a function and what it is called with.
type call struct {
	function  int
	arguments [5]value
}

// activation is a function that is followed with a set of arguments.
type activation struct {
	flow     *flow
	function int
	code     []Instruction
	targets  []bool // of jumps, by instruction
	states   map[int][]state
	work     []pending
	done     bool

	exits   []outcome
	steps   []steps // by instruction
	stopped map[stop]doubts
	calls   map[callSite]doubts
	used    map[argumentUse]doubts
	doomed  []int // instructions that are reached without doubt, and from which only stops are reached
	escaped bool  // the address of a place in the stack was stored where it is not followed
}

// outcome is a way to leave a function.
type outcome struct {
	result value
	doubt  doubts
}

// callSite is an instruction that calls, and what it calls.
type callSite struct {
	instruction int
	callee      *activation
}

// steps are what was seen of an instruction.
type steps uint8

const (
	stepSeen    steps = 1 << iota
	stepCertain       // without doubt
	stepNext          // goes on to the next instruction
	stepJump          // goes on to the target of its jump
	stepExit          // leaves the function
)

// pending is a state to be followed from an instruction on.
type pending struct {
	at    int
	state state
}

// state is what is known when an instruction is reached.
type state struct {
	registers [registers]value
	stack     *[stackSlots]value // shared between states, and copied before it is changed
	doubt     doubts
}

// setSlot changes a slot of the stack.
func (s *state) setSlot(slot int, v value) {
	if s.stack[slot] != v {
		changed := *s.stack
		changed[slot] = v
		s.stack = &changed
	}
}

// covers reports whether all that comes of b comes of a too. loose is set for
// states that are joined from others: they stay what they are otherwise, so that
// what is known of b is not lost.
func (a *state) covers(b *state, loose bool) bool {
	if a.doubt&^b.doubt != 0 {
		return false
	}
	covers := func(x, y value) bool { return x == y || loose && x.covers(y) }
	for i, v := range a.registers {
		if !covers(v, b.registers[i]) {
			return false
		}
	}
	if a.stack == b.stack {
		return true
	}
	for i, v := range a.stack {
		if !covers(v, b.stack[i]) {
			return false
		}
	}
	return true
}

// joinStates makes a state cover another one as well. Samples are those of one of
// them: of one that is reached without doubt, if one is.
func (f *flow) joinStates(a, b *state, id int32) {
	from, to := *a, *b
	if a.doubt != 0 && b.doubt == 0 {
		from, to = to, from
	}
	for i, v := range from.registers {
		a.registers[i] = f.join(v, to.registers[i], id)
	}
	a.stack = from.stack
	if from.stack != to.stack {
		joined := *from.stack
		for i, v := range joined {
			joined[i] = f.join(v, to.stack[i], id)
		}
		a.stack = &joined
	}
	a.doubt = from.doubt.with(to.doubt)
}
