package core

import (
	"cmp"
	"slices"
)

// What one instruction does to what is known: Documentation/bpf/standardization/
// instruction-set.rst.

const (
	modeMask   = 0xe0 // of loads and stores
	modeImm    = 0x00
	modeAbs    = 0x20 // packets: of LD
	modeInd    = 0x40
	modeMem    = 0x60
	modeSign   = 0x80 // loads that sign-extend
	modeAtomic = 0xc0

	atomicFetch   = 0x01
	atomicCmpXchg = 0xf1
	atomicLoad    = 0x100 // load_acquire
	atomicStore   = 0x110 // store_release

	callHelper = 0 // what a call's source register says
	callLocal  = 1
	callKfunc  = 2
)

// step follows one instruction. It returns the next one; ok is false if the way
// ends here. Other ways to go on from here are added to the work.
func (a *activation) step(at int, s *state) (next int, ok bool) {
	in := a.code[at]
	if in.Dst >= registers || in.Src >= registers && in.Class() != classJMP {
		return 0, false // the verifier refuses it
	}
	switch in.Class() {
	case classALU, classALU2:
		a.alu(at, in, s)
	case classLD:
		if !a.loadConstant(at, in, s) {
			return 0, false
		}
	case classLDX:
		s.registers[in.Dst] = a.load(at, in, s)
	case classST, classSTX:
		a.store(at, in, s)
	default:
		return a.jump(at, in, s)
	}
	a.steps[at] |= stepNext
	return at + in.slots(), true
}

func (a *activation) alu(at int, in Instruction, s *state) {
	wide := in.Class() == classALU2
	op := in.Opcode & codeMask
	operand := number(int64(in.Constant))
	if in.Opcode&sourceMask != 0 && op != opEnd {
		operand = s.registers[in.Src]
	} else if r := a.flow.relocation(place{a.function, at}); r >= 0 {
		operand.id = int32(r) + 1
	}
	before := s.registers[in.Dst]
	var result value
	switch op {
	case opMov:
		switch {
		case in.Opcode&sourceMask != 0 && in.Offset == 1 && wide:
			result = value{} // addr_space_cast
		case in.Opcode&sourceMask != 0 && in.Offset != 0:
			result = extend(operand, in.Offset, wide)
		case wide:
			result = operand
		default:
			result = narrow(operand)
			result.id = operand.id
		}
		if result.kind == free && (in.Offset != 0 || !wide) {
			result = a.compute(at, in, s)
		}
	case opNeg, opEnd:
		switch {
		case before.kind == variable:
			result = before
		case before.mayPointToStack():
			result = value{kind: stacked}
		case before.isNumber():
			result = a.compute(at, in, s)
		}
	default:
		if !wide {
			before, operand = narrow(before), narrow(operand)
		}
		if op == opAdd {
			a.useArgument(before, operand, s.doubt)
			a.useArgument(operand, before, s.doubt)
		}
		result = arithmetic(op, wide, before, operand, a.flow.kernel.xor)
		if result == (value{}) && before.isNumber() && operand.isNumber() {
			result = a.compute(at, in, s)
		}
		if result.kind == constant {
			result.id = 0
		}
	}
	s.registers[in.Dst] = result
}

// useArgument notes that a relocated offset is added to an argument.
func (a *activation) useArgument(pointer, offset value, doubt doubts) {
	if pointer.kind != argument || offset.kind != constant || offset.id == 0 {
		return
	}
	a.use(argumentUse{int(pointer.n), int(offset.id) - 1, false}, doubt)
}

func (a *activation) use(u argumentUse, doubt doubts) {
	if d, ok := a.used[u]; ok {
		doubt = doubt.with(d)
	}
	a.used[u] = doubt
}

// loadConstant follows instructions of the class LD.
func (a *activation) loadConstant(at int, in Instruction, s *state) (ok bool) {
	if !in.IsLoad64() {
		if mode := in.Opcode & modeMask; mode != modeAbs && mode != modeInd {
			return false
		}
		width := uint8(8 * in.memorySize())
		s.registers[0] = a.fresh(at, s, 0, width, a.anything(at, width))
		for r := 1; r <= 5; r++ {
			s.registers[r] = value{}
		}
		return true
	}
	if at+1 >= len(a.code) {
		return false
	}
	result := number(int64(uint64(uint32(in.Constant)) | uint64(uint32(a.code[at+1].Constant))<<32))
	if r := a.flow.relocation(place{a.function, at}); r >= 0 {
		result.id = int32(r) + 1
	}
	if ref := a.reference(at); ref != nil {
		switch ref.Kind {
		case ReferenceFunction:
			result = value{}
			a.callback(at, ref.Index)
		case ReferenceExtern:
			result = a.flow.external(a.flow, ref.Index)
		case ReferenceData:
			result = a.flow.address(dataAddress{index: ref.Index, offset: ref.Offset, symbol: ref.Symbol})
		}
	} else if in.Src != 0 {
		result = value{} // a map and the like, as a loader has filled it in
	}
	s.registers[in.Dst] = result
	return true
}

// callback follows a function whose address is taken: it may be called, with
// anything.
func (a *activation) callback(at, function int) {
	anything := value{kind: stacked}
	callee := a.flow.activate(function, [5]value{anything, anything, anything, anything, anything}, false)
	if callee != nil {
		a.calls[callSite{at, callee}] = notFollowed
	}
}

// reference returns what an instruction refers to, nil if that is nothing.
func (a *activation) reference(at int) *Reference {
	list := a.flow.object.Functions[a.function].References
	i, found := slices.BinarySearchFunc(list, at, func(r Reference, at int) int { return cmp.Compare(r.Instruction, at) })
	if !found {
		return nil
	}
	return &list[i]
}

// slot returns which slot of the stack an access is to. exact is true if it is
// to all of it, outside if it is to none.
func slot(base value, offset int16, size uint32) (index int, exact, outside bool) {
	at := base.n + int64(offset) + stackSlots*8
	if at < 0 || at+int64(size) > stackSlots*8 {
		return 0, false, true
	}
	return int(at / 8), at%8 == 0 && size == 8, false
}

func (a *activation) load(at int, in Instruction, s *state) value {
	base, size := s.registers[in.Src], in.memorySize()
	if r := a.flow.relocation(place{a.function, at}); r >= 0 && base.kind == argument {
		a.use(argumentUse{int(base.n), r, true}, s.doubt)
	}
	result := a.loadFrom(at, base, in.Offset, size, s)
	if in.Opcode&modeMask == modeSign {
		switch result.kind {
		case free:
			s.registers[in.Dst] = result
			return a.compute(at, Instruction{Opcode: classALU2 | opMov | sourceMask, Dst: in.Dst, Src: in.Dst, Offset: int16(8 * size)}, s)
		case variable:
		default:
			result = value{}
		}
	}
	return result
}

func (a *activation) loadFrom(at int, base value, offset int16, size uint32, s *state) value {
	width := uint8(8 * size)
	fresh := func() value { return a.fresh(at, s, a.code[at].Dst, width, a.anything(at, width)) }
	switch base.kind {
	case frame:
		i, exact, outside := slot(base, offset, size)
		if outside {
			return value{}
		}
		switch from := (base.n + int64(offset)) & 7; {
		case s.stack[i].kind == free && s.stack[i].id == 0:
			return fresh()
		case s.stack[i].kind == mixed && from+int64(size) <= 8 && s.stack[i].width>>from&(1<<size-1) == 1<<size-1:
			return fresh()
		case s.stack[i].kind == mixed:
			return value{}
		case exact:
			return s.stack[i]
		case s.stack[i].mayPointToStack():
			return value{kind: stacked}
		}
		return value{}
	case stacked:
		return value{kind: stacked}
	case context:
		return a.loadContext(at, base.n+int64(offset), size, fresh, s)
	case address:
		base.n += int64(offset)
		v := a.flow.load(a.flow, base, size)
		if v.kind == free {
			return fresh()
		}
		return v
	case argument, unknown:
		if size == 8 && !a.escaped {
			return value{} // it may be a pointer of which the verifier knows that it is not null
		}
	}
	if a.escaped && size == 8 {
		return value{kind: stacked}
	}
	return fresh()
}

// loadContext follows a load from the program's context.
func (a *activation) loadContext(at int, offset int64, size uint32, fresh func() value, s *state) value {
	switch {
	case !a.flow.typed && size == 8 && !a.flow.numbers:
		return value{} // such as the socket of a socket's program, which the verifier knows not to be null
	case !a.flow.typed:
		return fresh()
	}
	n := offset / 8
	if offset < 0 || a.flow.arguments >= 0 && n >= int64(a.flow.arguments) {
		a.stop(stop{place{a.function, at}, stopArgument, int(n)}, s.doubt)
		return value{}
	}
	if size != 8 || offset%8 != 0 {
		return fresh()
	}
	return value{kind: argument, n: n}
}

func (a *activation) store(at int, in Instruction, s *state) {
	base, size := s.registers[in.Dst], in.memorySize()
	stored := s.registers[in.Src]
	switch {
	case in.Class() == classST:
		// Since Linux 6.3 the verifier remembers other constants than 0 too.
		if stored = number(0); in.Constant != 0 {
			stored = value{}
		}
	case in.Opcode&modeMask == modeAtomic:
		stored = a.atomic(at, in, s)
	}
	switch base.kind {
	case frame:
		i, exact, outside := slot(base, in.Offset, size)
		switch {
		case outside:
			return
		case !exact && stored.mayPointToStack():
			stored = value{kind: stacked}
		case !exact:
			stored = value{}
		case stored.kind == constant:
			stored.id = 0
		}
		s.setSlot(i, stored)
		if at := base.n + int64(in.Offset); !exact && (at+int64(size)-1)>>3 != at>>3 {
			s.setSlot(i+1, stored)
		}
	case stacked:
		a.forgetStack(s)
	default:
		if stored.mayPointToStack() {
			a.escaped = true
		}
	}
}

// atomic follows what an atomic instruction does to registers, and returns what
// is then known of the memory.
func (a *activation) atomic(at int, in Instruction, s *state) value {
	base := s.registers[in.Dst]
	read := value{}
	if base.mayPointToStack() || a.escaped {
		read = value{kind: stacked}
	}
	switch {
	case in.Constant == atomicLoad:
		s.registers[in.Dst] = value{}
		if v := s.registers[in.Src]; v.mayPointToStack() || a.escaped {
			s.registers[in.Dst] = value{kind: stacked}
		}
		return value{}
	case in.Constant == atomicStore:
		return s.registers[in.Src]
	case in.Constant == atomicCmpXchg:
		s.registers[0] = read
	case in.Constant&atomicFetch != 0:
		s.registers[in.Src] = read
	}
	return read
}

// forgetStack forgets what is on the stack.
func (a *activation) forgetStack(s *state) {
	forgotten := value{}
	if a.escaped {
		forgotten = value{kind: stacked}
	}
	for _, v := range s.stack {
		if v.mayPointToStack() {
			forgotten = value{kind: stacked}
		}
	}
	stack := new([stackSlots]value)
	for i := range stack {
		stack[i] = forgotten
	}
	s.stack = stack
}

func (a *activation) jump(at int, in Instruction, s *state) (next int, ok bool) {
	wide := in.Class() == classJMP
	op := in.Opcode & codeMask
	target := at + 1 + in.jumpDistance()
	switch {
	case op == jumpExit && wide:
		a.steps[at] |= stepExit
		a.leave(s)
		return 0, false
	case op == jumpCall && wide:
		if !a.call(at, in, s) {
			return 0, false
		}
		a.steps[at] |= stepNext
		return at + 1, true
	case op == jumpAlways && in.Opcode&sourceMask != 0:
		a.flow.giveUp("it jumps to an address that it computes")
		return 0, false
	case op == jumpAlways:
		a.steps[at] |= stepJump
		return target, true
	}
	x, y := s.registers[in.Dst], number(int64(in.Constant))
	if in.Opcode&sourceMask != 0 {
		if in.Src >= registers {
			return 0, false
		}
		y = s.registers[in.Src]
	}
	if x.isNumber() && y.isNumber() && (x.kind == free || y.kind == free) {
		return a.split(at, in, s), true
	}
	way := compare(op, wide, x, y)
	if x.kind == address && y.kind == constant && y.n == 0 && wide && (op == jumpEQ || op == jumpNE) && a.flow.kernel.knowsAddress {
		way = branch{taken: op == jumpNE, passed: op == jumpEQ}
	}
	if way.taken && way.passed {
		a.steps[at] |= stepJump | stepNext
		taken := *s
		taken.doubt |= way.doubt
		s.doubt |= way.doubt
		taken.learn(in, op == jumpEQ)
		s.learn(in, op == jumpNE)
		a.work = append(a.work, pending{target, taken})
		return at + 1, true
	}
	if way.taken {
		a.steps[at] |= stepJump
		return target, true
	}
	a.steps[at] |= stepNext
	return at + 1, true
}

// split follows a comparison of numbers of which one is free, both ways: s goes on
// behind it, which is returned.
func (a *activation) split(at int, in Instruction, s *state) (next int) {
	a.steps[at] |= stepJump | stepNext
	f := a.flow
	op, wide := in.Opcode&codeMask, in.Class() == classJMP
	x, y := s.operands(in)
	f.merge(s, x, y)
	x, y = s.operands(in)
	taken := *s
	if x.kind == free && y.kind == free && x.id != y.id || x.kind == free && x.n == 0 || y.kind == free && y.n == 0 {
		taken.doubt |= notFollowed
		s.doubt |= notFollowed
	} else {
		numbered := x
		if x.kind != free {
			numbered = y
		}
		origin, n := numbered.id, len(f.vectors[numbered.n])
		xs, ys := f.samplesOf(x, n), f.samplesOf(y, n)
		var held, failed []int
		for i := range min(len(xs), len(ys)) {
			holds, ok := compareNumbers(op, wide, int64(xs[i]), int64(ys[i]))
			switch {
			case !ok:
			case holds:
				held = append(held, i)
			default:
				failed = append(failed, i)
			}
		}
		if len(held) == 0 {
			taken.doubt |= notFollowed
		}
		if len(failed) == 0 {
			s.doubt |= notFollowed
		}
		f.keepWorlds(&taken, origin, n, held)
		f.keepWorlds(s, origin, n, failed)
	}
	taken.learn(in, op == jumpEQ)
	s.learn(in, op == jumpNE)
	a.work = append(a.work, pending{at + 1 + in.jumpDistance(), taken})
	return at + 1
}

// operands returns what a jump compares.
func (s *state) operands(in Instruction) (x, y value) {
	if in.Opcode&sourceMask != 0 {
		return s.registers[in.Dst], s.registers[in.Src]
	}
	return s.registers[in.Dst], number(int64(in.Constant))
}

// learn notes that what a jump compares is equal, if it is.
func (s *state) learn(in Instruction, equal bool) {
	if !equal {
		return
	}
	x, y := s.operands(in)
	note := func(register uint8, x, y value) {
		if y.kind != constant || x.kind == constant || x.mayPointToStack() {
			return
		}
		// Of 64 bits, a comparison of 32 tells only half.
		n := y.n
		if in.Class() != classJMP {
			if x.kind != free || x.width > 32 {
				return
			}
			n = int64(uint32(n))
		}
		s.registers[register] = number(n)
	}
	note(in.Dst, x, y)
	if in.Opcode&sourceMask != 0 { // or else it has no source register, whatever the number
		note(in.Src, y, x)
	}
}

// leave notes how the function was left.
func (a *activation) leave(s *state) {
	o := outcome{s.registers[0], s.doubt}
	if o.result.mayPointToStack() {
		o.result = value{kind: stacked}
	}
	for _, e := range a.exits {
		if e.result == o.result && e.doubt&^o.doubt == 0 {
			return
		}
	}
	if len(a.exits) < maxStates {
		a.exits = append(a.exits, o)
		return
	}
	last := &a.exits[maxStates-1]
	from, to := *last, o
	if last.doubt != 0 && o.doubt == 0 {
		from, to = to, from
	}
	*last = outcome{a.flow.join(from.result, to.result, joinedID), from.doubt.with(to.doubt)}
}
