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
