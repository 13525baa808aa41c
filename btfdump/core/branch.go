package core

// The conditions of jump instructions.
const (
	jumpAlways = 0x00
	jumpEQ     = 0x10
	jumpGT     = 0x20
	jumpGE     = 0x30
	jumpSet    = 0x40
	jumpNE     = 0x50
	jumpSGT    = 0x60
	jumpSGE    = 0x70
	jumpCall   = 0x80
	jumpExit   = 0x90
	jumpLT     = 0xa0
	jumpLE     = 0xb0
	jumpSLT    = 0xc0
	jumpSLE    = 0xd0
	jumpMayGo  = 0xe0 // may_goto: the kernel decides, both ways are followed
)

// branch is what a comparison comes to.
type branch struct {
	// taken and passed say which ways are followed; both if it is not decided.
	taken, passed bool
	// doubt is 0 if the verifier is known to follow them too. Otherwise it says
	// what they depend on.
	doubt doubts
}

// compare says which way a jump goes.
func compare(op uint8, wide bool, a, b value) branch {
	both := branch{taken: true, passed: true}
	switch {
	case a.kind == constant && b.kind == constant:
		holds, ok := compareNumbers(op, wide, a.n, b.n)
		if !ok {
			both.doubt = notFollowed
			return both
		}
		return branch{taken: holds, passed: !holds}
	case a.kind == variable || b.kind == variable:
		for _, v := range []value{a, b} {
			if v.kind == variable {
				both.doubt |= doubtAbout(v.id)
			}
		}
	case a.kind == free && b.kind == constant:
		if !goesBothWays(op, wide, a.width, b.n) {
			both.doubt = notFollowed
		}
	case a.kind == free && b.kind == free && a.width == b.width && a.id != b.id && a.width >= 32 && op != jumpSet:
		// two numbers of which nothing is known
	default:
		both.doubt = notFollowed
	}
	return both
}

// compareNumbers decides a comparison of two constants; ok is false if it is no
// comparison that is known.
func compareNumbers(op uint8, wide bool, x, y int64) (holds, ok bool) {
	ux, uy := uint64(x), uint64(y)
	if !wide {
		ux, uy = uint64(uint32(ux)), uint64(uint32(uy))
		x, y = int64(int32(ux)), int64(int32(uy))
	}
	switch op {
	case jumpEQ:
		return ux == uy, true
	case jumpNE:
		return ux != uy, true
	case jumpGT:
		return ux > uy, true
	case jumpGE:
		return ux >= uy, true
	case jumpLT:
		return ux < uy, true
	case jumpLE:
		return ux <= uy, true
	case jumpSet:
		return ux&uy != 0, true
	case jumpSGT:
		return x > y, true
	case jumpSGE:
		return x >= y, true
	case jumpSLT:
		return x < y, true
	case jumpSLE:
		return x <= y, true
	}
	return false, false
}

// goesBothWays reports whether there are numbers of a width for which a
// comparison with n holds, and others for which it doesn't.
func goesBothWays(op uint8, wide bool, width uint8, n int64) bool {
	var low, high int64
	switch width {
	case nonzeroOrNot:
		return n == 0 && (op == jumpEQ || op == jumpNE || op == jumpGT || op == jumpLE)
	case 8, 16, 32:
		low, high = 0, 1<<width-1
	case signed32:
		low, high = -1<<31, 1<<31-1
	case 64:
		low, high = -1<<63, 1<<63-1
	default:
		return false
	}
	held, failed := false, false
	for _, x := range []int64{low, high, 0, -1, 1, n - 1, n, n + 1} {
		if x < low || x > high {
			continue
		}
		holds, ok := compareNumbers(op, wide, x, n)
		if !ok {
			return false
		}
		held, failed = held || holds, failed || !holds
	}
	return held && failed
}
