package core

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Numbers that a program gets from outside: results of helpers, what it reads
// from memory. The verifier looks at both sides of a condition about one of
// them, unless it knows a range that decides it. Which ranges it knows differs
// between kernels, and which instructions ask for them between compilers. So
// this does not follow what the verifier knows. It computes with samples, as the
// processor would: numbers that the program may really get. A way that one of
// them takes is a way that programs can take, which the verifier of no kernel
// leaves out. Ways that no sample takes are followed too, with a doubt.
//
// Of a value with samples, each is a number that it has in one of several worlds.
// All values of one origin (value.id) have theirs in the same order, so that
// sample i of one goes with sample i of the other. Origins do not depend on each
// other: each world of one goes with each of another. Comparing takes the worlds
// away that go the other way; computing with values of two origins makes one of
// them (merge).

const (
	maxSamples = 64  // of a number when it is read
	maxWorlds  = 128 // of an origin
	maxVectors = 1 << 13
	maxAhead   = 512 // instructions that are looked at for constants
	maxNear    = 4   // functions
)

// samplesOf returns the samples of a number; a constant has as many as asked for.
func (f *flow) samplesOf(v value, n int) []uint64 {
	if v.kind == free {
		return f.vectors[v.n]
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(v.n)
	}
	return list
}

// vector returns the number of a list of samples, 0 if it is empty or there are
// too many lists.
func (f *flow) vector(samples []uint64) int64 {
	if len(samples) == 0 {
		return 0
	}
	f.followed += 1 + len(samples)/16 // for the time that it takes
	key := make([]byte, 0, 8*len(samples))
	for _, n := range samples {
		key = binary.LittleEndian.AppendUint64(key, n)
	}
	if n, ok := f.vectorIDs[string(key)]; ok {
		return n
	}
	if len(f.vectors) >= maxVectors {
		return 0
	}
	n := int64(len(f.vectors))
	f.vectors = append(f.vectors, samples)
	f.vectorIDs[string(key)] = n
	return n
}

// each calls change for all values of an origin that a state has.
func (s *state) each(id int32, change func(v value) value) {
	for i, v := range s.registers {
		if v.kind == free && v.id == id {
			s.registers[i] = change(v)
		}
	}
	if s.stack == &emptyStack {
		return
	}
	for i, v := range s.stack {
		if v.kind == free && v.id == id {
			s.setSlot(i, change(v))
		}
	}
}

// has reports whether a state has a value of an origin.
func (s *state) has(id int32) bool {
	found := false
	s.each(id, func(v value) value {
		found = true
		return v
	})
	return found
}

// keepWorlds leaves of an origin only some of n worlds.
func (f *flow) keepWorlds(s *state, id int32, n int, worlds []int) {
	if len(worlds) == n {
		return
	}
	s.each(id, func(v value) value {
		v.n = f.vector(selected(f.vectors[v.n], n, worlds))
		return v
	})
}

// selected returns the samples of some worlds, in their order; none if it are
// not samples of n worlds.
func selected(samples []uint64, n int, worlds []int) []uint64 {
	if len(samples) != n {
		return nil
	}
	list := make([]uint64, len(worlds))
	for i, w := range worlds {
		list[i] = samples[w]
	}
	return list
}

// merge makes one origin of two, if both are numbers with samples: of all pairs of
// worlds, or so many that each world is in some.
func (f *flow) merge(s *state, x, y value) {
	if x.kind != free || y.kind != free || x.id == y.id || x.n == 0 || y.n == 0 {
		return
	}
	nx, ny := len(f.vectors[x.n]), len(f.vectors[y.n])
	var ofX, ofY []int
	for i := range min(nx*ny, maxWorlds) {
		// Sideways, so that what was sampled alike is compared with itself first.
		ofX, ofY = append(ofX, i%nx), append(ofY, (i%nx+i/nx*7)%ny)
	}
	if nx*ny <= maxWorlds {
		for i := range ofX {
			ofY[i] = i / nx
		}
	}
	s.each(x.id, func(v value) value {
		v.n = f.vector(selected(f.vectors[v.n], nx, ofX))
		return v
	})
	s.each(y.id, func(v value) value {
		v.id, v.n = x.id, f.vector(selected(f.vectors[v.n], ny, ofY))
		return v
	})
}

// fresh returns a number that the program gets at an instruction, which writes it
// to a register.
func (a *activation) fresh(at int, s *state, register uint8, width uint8, samples int64) value {
	f := a.flow
	id := a.id(at)
	s.registers[register] = value{}
	if s.has(id) { // from the last time that it came here
		id2 := id
		for range 3 {
			if id2 += f.instructions; !s.has(id2) {
				break
			}
		}
		clash := s.has(id2)
		s.each(id, func(v value) value {
			if v.id = id2; clash {
				v.n = 0
			}
			return v
		})
	}
	return value{kind: free, width: width, id: id, n: samples}
}

// anything returns samples of a number of so many bits of which nothing is known,
// that a program gets at an instruction.
func (a *activation) anything(at int, width uint8) int64 {
	f := a.flow
	key := sampled{a.function, at, width}
	n, ok := f.sampled[key]
	if !ok {
		n = f.vector(f.sample(key))
		f.sampled[key] = n
	}
	return n
}

// sampled is a number that a program gets.
type sampled struct {
	function, at int
	width        uint8
}

// ordinary are numbers that conditions often tell apart.
var ordinary = [...]uint64{
	0, 1, 1<<64 - 1, 2, 7, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 63, 1<<63 - 1,
	1<<64 - 14, // -EFAULT
	0x9e3779b97f4a7c15, 0x0123456789abcdef,
}

// sample chooses numbers: ordinary ones, and those around the constants that the
// program compares with or computes with next.
func (f *flow) sample(key sampled) []uint64 {
	mask := uint64(1)<<key.width - 1 // 0 shifted by 64
	var list []uint64
	add := func(numbers ...uint64) {
		for _, n := range numbers {
			if n &= mask; len(list) < maxSamples && !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	add(ordinary[:]...)
	left := maxAhead
	look := func(function, from int) {
		code := f.code(function)
		for i := 0; i < len(code) && left > 0 && len(list) < maxSamples; i++ {
			add(interesting(code, (from+i)%len(code))...)
			left--
		}
	}
	look(key.function, key.at+1)
	for _, function := range f.near(key.function) {
		look(function, 0)
	}
	f.followed += (maxAhead - left) / 4 // for the time that it takes
	return list
}

// near returns some of the functions that a function calls.
func (f *flow) near(function int) []int {
	var list []int
	for _, r := range f.object.Functions[function].References {
		if r.Kind == ReferenceFunction && !slices.Contains(list, r.Index) {
			if list = append(list, r.Index); len(list) == maxNear {
				break
			}
		}
	}
	return list
}

// interesting returns the numbers to which an instruction may answer in different
// ways.
func interesting(code []Instruction, at int) []uint64 {
	in := code[at]
	n := uint64(int64(in.Constant))
	switch in.Class() {
	case classJMP, classJMP2:
		if op := in.Opcode & codeMask; in.Opcode&sourceMask != 0 || op == jumpCall || op == jumpExit || op == jumpAlways {
			return nil
		}
	case classALU, classALU2:
		switch op := in.Opcode & codeMask; {
		case op == opEnd || in.Opcode&sourceMask != 0:
			return nil
		case op == opAdd:
			n = -n
		case (op == opLsh || op == opRsh || op == opArsh) && n < 64:
			return []uint64{1 << n, 1<<n - 1}
		}
	case classLD:
		if !in.IsLoad64() || at+1 >= len(code) || in.Src != 0 {
			return nil
		}
		n = uint64(uint32(in.Constant)) | uint64(uint32(code[at+1].Constant))<<32
	default:
		return nil
	}
	// Of two halves, as bpf_get_current_pid_tgid returns them, either; and in the
	// other byte order.
	return []uint64{n, n + 1, n - 1, n<<32 | n&(1<<32-1), uint64(bits.ReverseBytes16(uint16(n))), uint64(bits.ReverseBytes32(uint32(n)))}
}

// compute returns the result of an arithmetic instruction with numbers that the
// verifier may not know: from the samples of the registers.
func (a *activation) compute(at int, in Instruction, s *state) value {
	f := a.flow
	operands := func() (x, y value) {
		x, y = s.registers[in.Dst], number(int64(in.Constant))
		if in.Opcode&sourceMask != 0 && in.Opcode&codeMask != opEnd {
			y = s.registers[in.Src]
		}
		if in.Opcode&codeMask == opMov {
			x = number(0)
		}
		return x, y
	}
	x, y := operands()
	f.merge(s, x, y)
	x, y = operands()
	n, origin := 1, int32(0)
	switch {
	case x.kind == free && y.kind == free && x.id != y.id:
		n = 0
	case x.kind == free:
		n, origin = len(f.vectors[x.n]), x.id
	case y.kind == free:
		n, origin = len(f.vectors[y.n]), y.id
	}
	list := make([]uint64, 0, n)
	xs, ys := f.samplesOf(x, n), f.samplesOf(y, n)
	for i := range n {
		if len(xs) != n || len(ys) != n {
			break
		}
		result, ok := evaluate(in, xs[i], ys[i], f.object.ByteOrder == binary.BigEndian)
		if !ok {
			list = nil
			break
		}
		list = append(list, result)
	}
	width := uint8(64)
	switch op := in.Opcode & codeMask; {
	case in.Class() == classALU && op != opEnd, op == opRsh && y.kind == constant && y.n >= 32, op == opAnd && y.kind == constant && y.n>>32 == 0:
		width = 32
	case op == opMov && in.Offset == 0 && y.kind == free:
		width = y.width
	}
	if origin == 0 {
		return a.fresh(at, s, in.Dst, width, f.vector(list))
	}
	return value{kind: free, width: width, id: origin, n: f.vector(list)}
}

// evaluate computes what a processor does; ok is false where that is not defined.
func evaluate(in Instruction, x, y uint64, bigEndian bool) (result uint64, ok bool) {
	wide := in.Class() == classALU2
	if in.Opcode&codeMask == opEnd {
		return swap(in, x, wide || in.Opcode&sourceMask != 0 != bigEndian)
	}
	size := uint64(64)
	if !wide {
		size, x, y = 32, uint64(uint32(x)), uint64(uint32(y))
	}
	sx, sy := int64(x), int64(y)
	if !wide {
		sx, sy = int64(int32(x)), int64(int32(y))
	}
	switch op := in.Opcode & codeMask; op {
	case opAdd:
		result = x + y
	case opSub:
		result = x - y
	case opMul:
		result = x * y
	case opOr:
		result = x | y
	case opAnd:
		result = x & y
	case opXor:
		result = x ^ y
	case opNeg:
		result = -x
	case opDiv, opMod:
		switch {
		case y == 0 && op == opDiv:
		case y == 0:
			result = x
		case in.Offset == 1 && op == opDiv:
			result = uint64(sx / sy)
		case in.Offset == 1:
			result = uint64(sx % sy)
		case op == opDiv:
			result = x / y
		default:
			result = x % y
		}
	case opLsh, opRsh, opArsh:
		if y >= size {
			return 0, false
		}
		switch op {
		case opLsh:
			result = x << y
		case opRsh:
			result = x >> y
		default:
			result = uint64(sx >> y)
		}
	case opMov:
		result = y
		switch in.Offset {
		case 0:
		case 8, 16, 32:
			result = uint64(int64(y<<(64-in.Offset)) >> (64 - in.Offset))
		default:
			return 0, false
		}
	default:
		return 0, false
	}
	if !wide {
		result = uint64(uint32(result))
	}
	return result, true
}

// swap cuts a number to some bits, and changes their byte order.
func swap(in Instruction, x uint64, change bool) (result uint64, ok bool) {
	width := in.Constant
	if width != 16 && width != 32 && width != 64 {
		return 0, false
	}
	if x &= 1<<width - 1; change {
		x = bits.ReverseBytes64(x) >> (64 - width)
	}
	return x, true
}
