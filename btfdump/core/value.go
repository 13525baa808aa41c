package core

import "math/bits"

// What is known of a register or a slot of the stack while a program is
// followed. The verifier knows more (ranges, known bits, types); where that
// could matter nothing is claimed.

// A value is what is known of one register or slot.
type value struct {
	kind valueKind
	// width says of a free value how many of its bits may be set, and which bytes
	// of a mixed slot are numbers, a bit each.
	width uint8
	// id tells where a free value comes from: see samples.go; of a constant, it is
	// 1 plus the index of the relocation that it came from, or 0; of an address or
	// a variable, the index in flow.variables.
	id int32
	n  int64 // the constant; an offset in bytes; the index of an argument; of a free value, that of its samples
}

type valueKind uint8

const (
	// unknown may be any number or pointer but the address of a stack. The
	// verifier may know more of it.
	unknown valueKind = iota
	// free is a number, or a pointer that may be null, that the program gets from
	// outside, or what was computed from such. If it has samples, it may be each
	// of them.
	free
	constant
	// frame is an address in the function's own stack, n bytes above its top (n
	// is negative).
	frame
	// stacked may be an address in a stack, its own or a caller's.
	stacked
	context  // the program's context, n bytes into it
	argument // slot n of the arguments of a kernel function, as the context has them
	address  // of a variable of the object's or loader's, n bytes into it
	variable // a constant whose value only the loader knows, or what was computed from one
	mixed    // a slot of the stack, in parts numbers that a helper has written there, and else unknown
)

func number(n int64) value { return value{kind: constant, n: n} }

// isNumber reports whether the value is one with which can be computed.
func (v value) isNumber() bool { return v.kind == constant || v.kind == free }

// mayPointToStack reports whether a store through the value may change a stack.
func (v value) mayPointToStack() bool { return v.kind == frame || v.kind == stacked }

// covers reports whether what a program does with b is part of what is assumed
// that it does with a.
func (a value) covers(b value) bool {
	switch {
	case a == b:
		return true
	case a.kind == unknown:
		return !b.mayPointToStack()
	case a.kind == stacked:
		return true
	case a.kind == free && (b.kind == free || b.kind == constant):
		return a.width >= b.bits()
	}
	return false
}

// bits returns how many bits of a number may be set.
func (v value) bits() uint8 {
	if v.kind == constant {
		return uint8(bits.Len64(uint64(v.n)))
	}
	return v.width
}

// joinedID and what is below are the ids of free values that were constants in
// one of two states that were joined.
const joinedID = -16

// join returns a value that covers both. It has the samples that a has. id is
// given to what was constant there; it is one of those from joinedID down.
func (f *flow) join(a, b value, id int32) value {
	switch {
	case a == b:
		return a
	case a.mayPointToStack() || b.mayPointToStack():
		return value{kind: stacked}
	case a.kind == constant && b.kind == constant && a.n == b.n:
		return number(a.n)
	case a.kind == mixed && b.kind == mixed:
		a.width &= b.width
		return a
	case a.isNumber() && b.isNumber():
		width := max(a.bits(), b.bits())
		if a.kind == constant {
			a = value{kind: free, id: id, n: f.vector([]uint64{uint64(a.n)})}
		}
		a.width = width
		return a
	}
	return value{}
}

// The operations of arithmetic instructions.
const (
	opAdd  = 0x00
	opSub  = 0x10
	opMul  = 0x20
	opDiv  = 0x30
	opOr   = 0x40
	opAnd  = 0x50
	opLsh  = 0x60
	opRsh  = 0x70
	opNeg  = 0x80
	opMod  = 0x90
	opXor  = 0xa0
	opMov  = 0xb0
	opArsh = 0xc0
	opEnd  = 0xd0
)

// arithmetic returns the result of an operation of 64 bits, or of 32 bits that
// are then zero-extended. It knows what verifiers since Linux 4.20 know;
// xor, which they compute since Linux 5.10, only if knowsXor is set. (Divisions,
// negations and changes of byte order they don't compute, or only lately.)
func arithmetic(op uint8, wide bool, a, b value, knowsXor bool) value {
	switch {
	case a.kind == constant && b.kind == constant:
		if n, ok := fold(op, wide, a.n, b.n); ok && (op != opXor || knowsXor) {
			return number(n)
		}
		return value{}
	case a.kind == variable:
		return a
	case b.kind == variable:
		return b
	case a.mayPointToStack() || b.mayPointToStack():
		if wide && a.kind == frame && b.kind == constant && (op == opAdd || op == opSub) {
			return moved(a, op, b.n)
		}
		return value{kind: stacked}
	case wide && b.kind == constant && (op == opAdd || op == opSub) && (a.kind == context || a.kind == address):
		return moved(a, op, b.n)
	}
	return value{}
}

func moved(a value, op uint8, by int64) value {
	if op == opSub {
		by = -by
	}
	a.n += by
	return a
}

// fold computes with two constants; ok is false if the verifier would not.
func fold(op uint8, wide bool, x, y int64) (n int64, ok bool) {
	size := int64(64)
	if !wide {
		size, x, y = 32, int64(uint32(x)), int64(uint32(y))
	}
	switch op {
	case opAdd:
		n = x + y
	case opSub:
		n = x - y
	case opMul:
		n = x * y
	case opOr:
		n = x | y
	case opAnd:
		n = x & y
	case opXor:
		n = x ^ y
	case opLsh, opRsh, opArsh:
		if y < 0 || y >= size {
			return 0, false
		}
		switch {
		case op == opLsh:
			n = x << y
		case op == opRsh:
			n = int64(uint64(x) >> y)
		case wide:
			n = x >> y
		default:
			n = int64(int32(x) >> y)
		}
	default:
		return 0, false
	}
	if !wide {
		n = int64(uint32(n))
	}
	return n, true
}

// narrow returns a value cut to 32 bits. Of free ones, compute does that.
func narrow(v value) value {
	switch v.kind {
	case constant:
		return number(int64(uint32(v.n)))
	case free, variable:
		return v
	case frame, stacked:
		return value{kind: stacked}
	}
	return value{}
}

// extend returns a value whose lowest bits are sign-extended, to 32 bits and
// then with zeroes if the move is of 32 bits. Of free ones, compute does that.
func extend(v value, size int16, wide bool) value {
	switch {
	case v.kind == constant && size > 0 && size < 64:
		n := v.n << (64 - size) >> (64 - size)
		if !wide {
			n = int64(uint32(n))
		}
		return number(n)
	case v.kind == variable:
		return v
	case v.kind == free:
		return v
	case v.mayPointToStack():
		return value{kind: stacked}
	}
	return value{}
}
