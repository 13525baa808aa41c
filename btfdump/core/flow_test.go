package core

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// walker follows programs that are given as instructions, without an object
// file. Instructions that call helper 666 stop the verifier.
func walk(functions ...[]Instruction) *flow {
	view, err := btfdump.New(btftest.New().Bytes())
	if err != nil {
		panic(err)
	}
	o := &Object{View: view, ByteOrder: binary.LittleEndian}
	for i, code := range functions {
		f := Function{Section: ".text", Code: code, Program: i == 0, Offset: uint64(i) << 20}
		for at, in := range code {
			if in.Opcode == opcodeCall && in.Src == callLocal && int(in.Constant) < len(functions) && in.Constant >= 0 {
				f.References = append(f.References, Reference{Instruction: at, Kind: ReferenceFunction, Index: int(in.Constant)})
			}
			if in.IsLoad64() && in.Src == 4 && int(in.Constant) < len(functions) && in.Constant >= 0 {
				f.References = append(f.References, Reference{Instruction: at, Kind: ReferenceFunction, Index: int(in.Constant)})
			}
		}
		o.Functions = append(o.Functions, f)
	}
	return follow(0, surroundings{
		object:       o,
		code:         func(f int) []Instruction { return o.Functions[f].Code },
		relocation:   func(place) int { return -1 },
		external:     func(*flow, int) value { return value{} },
		load:         func(*flow, value, uint32) value { return value{} },
		missingKfunc: func(int) bool { return false },
		hasHelper:    func(n int32) bool { return n != 666 },
		stops:        func(place) (stop, bool) { return stop{}, false },
		arguments:    -1,
		kernel:       abilities{xor: true, knowsAddress: true, lazyGlobals: true},
	})
}

var (
	exit = Instruction{Opcode: opcodeExit}
	bad  = Instruction{Opcode: opcodeCall, Constant: 666}
)

func mov(dst uint8, n int32) Instruction {
	return Instruction{Opcode: classALU2 | opMov, Dst: dst, Constant: n}
}
func call5() Instruction { return Instruction{Opcode: opcodeCall, Constant: 5} } // ktime_get_ns
func jump(op uint8, dst uint8, n int32, to int16) Instruction {
	return Instruction{Opcode: classJMP | op, Dst: dst, Constant: n, Offset: to}
}

// TestFollow states what can be reached, of instructions that clang does not
// write, or not of a program that is short enough to be read.
func TestFollow(t *testing.T) {
	load := func(mode uint8, dst, src uint8, offset int16) Instruction {
		return Instruction{Opcode: classLDX | mode | 0x18, Dst: dst, Src: src, Offset: offset}
	}
	store := func(dst, src uint8, offset int16) Instruction {
		return Instruction{Opcode: classSTX | modeMem | 0x18, Dst: dst, Src: src, Offset: offset}
	}
	atomic := func(op int32, dst, src uint8, offset int16) Instruction {
		return Instruction{Opcode: classSTX | modeAtomic | 0x18, Dst: dst, Src: src, Offset: offset, Constant: op}
	}
	const never, sure, maybe, unclear = "never", "for sure", "maybe", "unclear"
	for _, c := range []struct {
		name string
		code []Instruction
		want string
	}{
		{"at once", []Instruction{bad, exit}, sure},
		{"behind the end", []Instruction{exit, bad, exit}, never},
		{"jumped over", []Instruction{jump(jumpAlways, 0, 0, 1), bad, exit}, never},
		{"gotol", []Instruction{{Opcode: classJMP2 | jumpAlways, Constant: 1}, bad, exit}, never},
		{"may_goto", []Instruction{{Opcode: classJMP | jumpMayGo, Offset: 1}, bad, exit}, maybe},
		{"constant, equal", []Instruction{mov(1, 3), jump(jumpEQ, 1, 3, 1), bad, exit}, never},
		{"constant, set", []Instruction{mov(1, 6), jump(jumpSet, 1, 2, 1), bad, exit}, never},
		{"constant, signed", []Instruction{mov(1, -1), jump(jumpSLT, 1, 0, 1), bad, exit}, never},
		{"constant, unsigned", []Instruction{mov(1, -1), jump(jumpGT, 1, 5, 1), bad, exit}, never},
		{"32 bits, of a negative number", []Instruction{{Opcode: classALU | opMov, Dst: 1, Constant: -1}, jump(jumpSLT, 1, 0, 1), exit, bad, exit}, never},
		{"32 bits, compared", []Instruction{mov(1, -1), {Opcode: classJMP2 | jumpSLT, Dst: 1, Offset: 1}, bad, exit}, never},
		{"sign-extending move", []Instruction{mov(1, 0xff), {Opcode: classALU2 | opMov | sourceMask, Dst: 2, Src: 1, Offset: 8}, jump(jumpEQ, 2, -1, 1), bad, exit}, never},
		{"shift, arithmetic", []Instruction{mov(1, -8), {Opcode: classALU2 | opArsh, Dst: 1, Constant: 1}, jump(jumpEQ, 1, -4, 1), bad, exit}, never},
		{"shift by too much", []Instruction{mov(1, 1), {Opcode: classALU2 | opLsh, Dst: 1, Constant: 64}, jump(jumpEQ, 1, 0, 1), bad, exit}, maybe},
		{"division is not computed", []Instruction{mov(1, 6), {Opcode: classALU2 | opDiv, Dst: 1, Constant: 3}, jump(jumpEQ, 1, 2, 1), bad, exit}, maybe},
		{"division, of which the result is another", []Instruction{mov(1, 6), {Opcode: classALU2 | opDiv, Dst: 1, Constant: 3}, jump(jumpEQ, 1, 3, 1), bad, exit}, sure},
		{"byte order is not computed", []Instruction{mov(1, 6), {Opcode: classALU2 | opEnd, Dst: 1, Constant: 64}, jump(jumpEQ, 1, 0, 0), jump(jumpNE, 1, 6<<24, 0), jump(jumpGT, 1, 0, 1), bad, exit}, maybe},
		{"unknown number", []Instruction{call5(), jump(jumpEQ, 0, 0, 1), bad, exit}, sure},
		{"unknown number, twice", []Instruction{call5(), jump(jumpGT, 0, 9, 2), jump(jumpGT, 0, 20, 0), jump(jumpGT, 0, 30, 1), exit, bad, exit}, maybe},
		{"equal to what was compared", []Instruction{call5(), jump(jumpNE, 0, 7, 2), jump(jumpEQ, 0, 7, 1), bad, exit}, never},
		{"register that was never written", []Instruction{jump(jumpEQ, 3, 7, 1), bad, exit}, maybe},
		{"unknown, on every way", []Instruction{jump(jumpEQ, 3, 7, 1), bad, bad, exit}, sure},
		{"loop", []Instruction{mov(1, 0), {Opcode: classALU2 | opAdd, Dst: 1, Constant: 1}, jump(jumpNE, 1, 1000, -2), bad, exit}, sure},
		{"loop without an end", []Instruction{jump(jumpAlways, 0, 0, -1), bad, exit}, never},
		{"spilled", []Instruction{mov(1, 1), store(10, 1, -8), load(modeMem, 2, 10, -8), jump(jumpEQ, 2, 1, 1), bad, exit}, never},
		{"spilled, changed through another register", []Instruction{mov(1, 1), store(10, 1, -8), {Opcode: classALU2 | opMov | sourceMask, Dst: 3, Src: 10}, {Opcode: classALU2 | opAdd, Dst: 3, Constant: -8}, mov(4, 2), store(3, 4, 0),
			load(modeMem, 2, 10, -8), jump(jumpEQ, 2, 2, 1), bad, exit}, never},
		{"spilled, changed in part", []Instruction{mov(1, 1), store(10, 1, -8), {Opcode: classSTX | modeMem, Dst: 10, Src: 1, Offset: -4}, load(modeMem, 2, 10, -8), jump(jumpEQ, 2, 1, 1), bad, exit}, maybe},
		{"spilled, changed somewhere", []Instruction{call5(), mov(1, 1), store(10, 1, -8), {Opcode: classALU2 | opMov | sourceMask, Dst: 3, Src: 10}, {Opcode: classALU2 | opAdd | sourceMask, Dst: 3, Src: 0}, store(3, 1, 0),
			load(modeMem, 2, 10, -8), jump(jumpEQ, 2, 1, 1), bad, exit}, maybe},
		{"atomic add to the stack", []Instruction{mov(1, 1), store(10, 1, -8), atomic(0, 10, 1, -8), load(modeMem, 2, 10, -8), jump(jumpEQ, 2, 1, 1), bad, exit}, maybe},
		{"atomic exchange", []Instruction{mov(1, 1), store(10, 1, -8), atomic(0xe1, 10, 1, -8), jump(jumpEQ, 1, 1, 1), bad, exit}, maybe},
		{"compare and exchange changes r0", []Instruction{mov(0, 1), mov(1, 1), store(10, 1, -8), atomic(atomicCmpXchg, 10, 1, -8), jump(jumpEQ, 0, 1, 1), bad, exit}, maybe},
		{"calls change r1 to r5", []Instruction{mov(1, 1), call5(), jump(jumpEQ, 1, 1, 1), bad, exit}, maybe},
		{"calls leave r6 alone", []Instruction{mov(6, 1), call5(), jump(jumpEQ, 6, 1, 1), bad, exit}, never},
		{"jump out of the program", []Instruction{jump(jumpEQ, 3, 1, 100), bad, exit}, sure},
		{"jump in front of it", []Instruction{jump(jumpAlways, 0, 0, -5), bad, exit}, never},
		{"no end", []Instruction{mov(0, 1)}, never},
		{"64-bit constant", []Instruction{{Opcode: opcodeLoad64, Dst: 1, Constant: 1}, {Constant: 1}, jump(jumpEQ, 1, 1, 1), jump(jumpAlways, 0, 0, 1), bad, exit}, never},
		{"64-bit constant without its second half", []Instruction{{Opcode: opcodeLoad64, Dst: 1, Constant: 1}}, never},
		{"computed jump", []Instruction{{Opcode: classJMP | jumpAlways | sourceMask, Dst: 1}, bad, exit}, unclear},
		{"computed call", []Instruction{{Opcode: classJMP | jumpCall | sourceMask, Dst: 1}, bad, exit}, unclear},
		{"register 11", []Instruction{mov(11, 1), bad, exit}, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := reach(walk(c.code)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// reach says whether what stops the verifier is reached.
func reach(f *flow) string {
	result := "never"
	for _, d := range f.stopped {
		if d == 0 {
			return "for sure"
		}
		result = "maybe"
	}
	if f.unclear != "" {
		return "unclear"
	}
	return result
}

func TestFollowCalls(t *testing.T) {
	local := func(f int32) Instruction { return Instruction{Opcode: opcodeCall, Src: callLocal, Constant: f} }
	callback := func(dst uint8, f int32) []Instruction {
		return []Instruction{{Opcode: opcodeLoad64, Dst: dst, Src: 4, Constant: f}, {}}
	}
	onlyIf := func(n int32) []Instruction { return []Instruction{jump(jumpEQ, 1, n, 1), exit, bad, exit} }
	for _, c := range []struct {
		name      string
		functions [][]Instruction
		want      string
	}{
		{"argument", [][]Instruction{{mov(1, 1), local(1), mov(1, 2), local(1), exit}, onlyIf(3)}, "never"},
		{"argument, of the second call", [][]Instruction{{mov(1, 1), local(1), mov(1, 3), local(1), exit}, onlyIf(3)}, "for sure"},
		{"unknown argument", [][]Instruction{{call5(), {Opcode: classALU2 | opMov | sourceMask, Dst: 1, Src: 0}, local(1), exit}, onlyIf(3)}, "for sure"},
		{"result", [][]Instruction{{local(1), jump(jumpEQ, 0, 7, 1), bad, exit}, {mov(0, 7), exit}}, "never"},
		{"two results", [][]Instruction{{local(1), jump(jumpGT, 0, 8, 1), exit, bad, exit}, {call5(), jump(jumpEQ, 0, 0, 2), mov(0, 7), exit, mov(0, 8), exit}}, "never"},
		{"does not return", [][]Instruction{{local(1), exit}, {jump(jumpEQ, 3, 0, 1), bad, bad, exit}}, "for sure"},
		{"not behind what does not return", [][]Instruction{{mov(1, 1), local(1), bad, exit}, {jump(jumpAlways, 0, 0, -1)}}, "never"},
		{"callback", [][]Instruction{append(callback(2, 1), exit), {bad, exit}}, "maybe"},
		{"callback, by its argument", [][]Instruction{append(callback(2, 1), exit), onlyIf(3)}, "maybe"},
		{"circle", [][]Instruction{{local(1), exit}, {local(0), bad, exit}}, "unclear"},
		{"the caller's stack", [][]Instruction{
			{mov(1, 1), {Opcode: classSTX | modeMem | 0x18, Dst: 10, Src: 1, Offset: -8}, {Opcode: classALU2 | opMov | sourceMask, Dst: 1, Src: 10}, local(1),
				{Opcode: classLDX | modeMem | 0x18, Dst: 2, Src: 10, Offset: -8}, jump(jumpEQ, 2, 1, 1), bad, exit},
			{{Opcode: classST | modeMem | 0x18, Dst: 1, Offset: -8, Constant: 2}, mov(0, 0), exit}}, "maybe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := reach(walk(c.functions...)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// What is too much is not followed, and takes bounded time.
func TestFollowLimits(t *testing.T) {
	// Each branch makes a state that differs.
	var branches []Instruction
	for i := range 30000 {
		branches = append(branches, call5(), jump(jumpEQ, 0, 0, 1), mov(uint8(6+i%4), int32(i)))
	}
	f := walk(append(branches, exit))
	if f.followed > maxFollowed+1000 {
		t.Errorf("followed %d instructions", f.followed)
	}
	var chain [][]Instruction
	for i := range 20 {
		chain = append(chain, []Instruction{{Opcode: opcodeCall, Src: callLocal, Constant: int32(i + 1)}, exit})
	}
	if f := walk(append(chain, []Instruction{bad, exit})...); !strings.Contains(f.unclear, "8 deep") {
		t.Errorf("20 functions deep: %q, %v", f.unclear, f.stopped)
	}
	// Calls that multiply: each function calls the next one with many arguments.
	var wide [][]Instruction
	for i := range 7 {
		var code []Instruction
		for n := range 40 {
			code = append(code, mov(1, int32(n)), Instruction{Opcode: opcodeCall, Src: callLocal, Constant: int32(i + 1)})
		}
		wide = append(wide, append(code, exit))
	}
	if f := walk(append(wide, []Instruction{exit})...); f.followed > maxFollowed+1000 {
		t.Errorf("followed %d instructions", f.followed)
	}
}

// FuzzFollow gives any instructions to be followed: nothing may panic, or take
// long.
func FuzzFollow(f *testing.F) {
	for _, code := range [][]Instruction{
		{mov(1, 3), jump(jumpEQ, 1, 3, 1), bad, exit},
		{{Opcode: classJMP | jumpGT, Dst: 5, Src: 15, Offset: 1}, bad, exit}, // a source that is not used
		{call5(), {Opcode: classALU2 | opAnd, Dst: 0, Constant: 4}, jump(jumpNE, 0, 0, -2), exit},
		{{Opcode: opcodeLoad64, Dst: 2, Src: 4, Constant: 1}, {}, {Opcode: opcodeCall, Src: callLocal, Constant: 1}, exit},
		{{Opcode: classALU2 | opMov | sourceMask, Dst: 3, Src: 10}, {Opcode: classSTX | modeAtomic | 0x18, Dst: 3, Src: 1, Offset: -8, Constant: 0xf1}, exit},
	} {
		f.Add(Encode(code, binary.LittleEndian), uint8(2))
	}
	f.Fuzz(func(t *testing.T, raw []byte, parts uint8) {
		if len(raw) > 1<<14 {
			return
		}
		code := decode(raw[:len(raw)/InstructionSize*InstructionSize], binary.LittleEndian)
		var functions [][]Instruction
		for part := range slices.Chunk(code, len(code)/(int(parts)%8+1)+1) {
			functions = append(functions, part)
		}
		if len(functions) == 0 {
			return
		}
		first := walk(functions...)
		if first.followed > maxFollowed+1<<14 {
			t.Errorf("followed %d instructions", first.followed)
		}
		if again := walk(functions...); reach(again) != reach(first) {
			t.Errorf("%s, then %s", reach(first), reach(again))
		}
	})
}
