package core

// What is known of a register or a slot of the stack while a program is
// followed. The verifier knows more (ranges, known bits, types); where that
// could matter nothing is claimed.

// A value is what is known of one register or slot.
type value struct {
	kind valueKind
	// width says of a free value how many bits it has, and how it got there: a
	// number of bits that are zero-extended, or one of the constants below.
	width uint8
	// id tells copies of a free value from others; of a constant, it is 1 plus
	// the index of the relocation that it came from, or 0; of an address or a
	// variable, the index in flow.variables.
	id int32
	n  int64 // the constant; an offset in bytes; the index of an argument
}

type valueKind uint8

const (
	// unknown may be any number or pointer but the address of a stack. The
	// verifier may know more of it.
	unknown valueKind = iota
	// free is a number, or a pointer that may be null, of which the verifier
	// knows the width and nothing else: comparisons go both ways for it too.
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
)

// The widths of free values that are not zero-extended.
const (
	nonzeroOrNot = 1  // only whether it is zero is unknown to the verifier
	compared     = 2  // it was compared, so that the verifier may know something of it
	signed32     = 33 // 32 bits that were sign-extended
	shifted32    = 40 // 32 bits in the upper half
)

func number(n int64) value { return value{kind: constant, n: n} }

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
	case a.kind == free && b.kind == free && a.width == b.width:
		return a.id <= joinedID
	}
	return false
}

// joinedID and what is below are the ids of free values that were joined, so
// that they are no longer connected with others.
const joinedID = -16

// join returns a value that covers both. id is given to what is free in both;
// it is one of those from joinedID down.
func join(a, b value, id int32) value {
	switch {
	case a == b:
		return a
	case a.mayPointToStack() || b.mayPointToStack():
		return value{kind: stacked}
	case a.kind == free && b.kind == free && a.width == b.width:
		return value{kind: free, width: a.width, id: id}
	case a.kind == constant && b.kind == constant && a.n == b.n:
		return number(a.n)
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
	case a.kind == free && b.kind == constant:
		return freeArithmetic(op, wide, a, b.n)
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

// freeArithmetic keeps what compilers make of unknown numbers before they
// compare them: sums, masks, and the two shifts that extend 32 bits.
func freeArithmetic(op uint8, wide bool, a value, n int64) value {
	full := a.width == 64 && wide || a.width == 32 && !wide
	switch {
	case (op == opAdd || op == opSub) && full:
		return a
	case op == opAnd && a.width >= 8 && a.width <= 64 && a.width != signed32 && a.width != shifted32:
		mask := uint64(n)
		if !wide {
			mask &= 1<<32 - 1
		}
		if a.width < 64 {
			mask &= 1<<a.width - 1
		}
		if mask != 0 {
			a.width = nonzeroOrNot
			return a
		}
	case wide && op == opLsh && n == 32 && (a.width == 64 || a.width == 32 || a.width == signed32):
		a.width = shifted32
		return a
	case wide && op == opRsh && n == 32 && a.width == shifted32:
		a.width = 32
		return a
	case wide && op == opArsh && n == 32 && a.width == shifted32:
		a.width = signed32
		return a
	}
	return value{}
}

// fold computes with two constants; ok is false if the verifier would not.
func fold(op uint8, wide bool, x, y int64) (n int64, ok bool) {
	bits := int64(64)
	if !wide {
		bits, x, y = 32, int64(uint32(x)), int64(uint32(y))
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
		if y < 0 || y >= bits {
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

// narrow returns a value cut to 32 bits.
func narrow(v value) value {
	switch v.kind {
	case constant:
		return number(int64(uint32(v.n)))
	case free:
		switch v.width {
		case 64, signed32:
			v.width = 32
		case shifted32:
			return number(0)
		}
		return v
	case variable:
		return v
	case frame, stacked:
		return value{kind: stacked}
	}
	return value{}
}

// extend returns a value whose lowest bits are sign-extended, to 32 bits and
// then with zeroes if the move is of 32 bits.
func extend(v value, bits int16, wide bool) value {
	switch {
	case v.kind == constant && bits > 0 && bits < 64:
		n := v.n << (64 - bits) >> (64 - bits)
		if !wide {
			n = int64(uint32(n))
		}
		return number(n)
	case v.kind == variable:
		return v
	case v.kind == free && wide && bits == 32 && (v.width == 64 || v.width == 32 || v.width == signed32):
		v.width = signed32
		return v
	case v.mayPointToStack():
		return value{kind: stacked}
	}
	return value{}
}
