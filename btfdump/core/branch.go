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

// compare says which way a jump goes, of values that are not both numbers with
// samples.
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
