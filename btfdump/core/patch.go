package core

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

var littleEndian binary.ByteOrder = binary.LittleEndian

// poison is the helper that poisoned instructions call, which no kernel has:
// libbpf's number, which reads "bad relo" in hexadecimal.
const poison = 0xbad2310

// Patch returns the code of one of the object's functions with the results of
// Target.Relocate filled in. The error is one for which libbpf would refuse to
// load the object: of a relocation, or of an instruction that can't be adapted.
func (o *Object) Patch(function int, results []Result) ([]Instruction, error) {
	code := slices.Clone(o.Functions[function].Code)
	for i := range o.Relocations {
		r := &o.Relocations[i]
		if r.Function != function {
			continue
		}
		err := results[i].Err
		if err == nil {
			err = results[i].patch(code[r.Instruction:])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: function %+.80q, instruction %d: %s relocation: %w", o.Name, o.Functions[function].Name, r.Instruction, r.Kind, err)
		}
	}
	return code, nil
}

// patch adapts the first of the instructions, which takes the second one along
// if it loads a 64-bit constant.
func (r *Result) patch(code []Instruction) error {
	in := &code[0]
	wide := in.IsLoad64()
	if wide && len(code) < 2 {
		return fmt.Errorf("its 64-bit constant lies outside of the function")
	}
	if r.Poison {
		poisonAll(code, wide)
		return nil
	}
	switch in.Class() {
	case classALU, classALU2:
		if in.Opcode&sourceMask != 0 {
			return fmt.Errorf("the instruction (opcode %#02x) has no constant to adapt", in.Opcode)
		}
		if r.validate && uint64(int64(in.Constant)) != r.original {
			return r.unexpected(uint64(int64(in.Constant)))
		}
		in.Constant = int32(r.Value)
	case classLDX, classST, classSTX:
		if r.validate && uint64(int64(in.Offset)) != r.original {
			return r.unexpected(uint64(int64(in.Offset)))
		}
		if r.Value > math.MaxInt16 {
			return fmt.Errorf("the offset is %d in this kernel, more than an instruction can hold (%d)", r.Value, math.MaxInt16)
		}
		if r.sizeWrong {
			poisonAll(code, false)
			return nil
		}
		in.Offset = int16(r.Value)
		if r.sizes[0] != r.sizes[1] {
			size, ok := sizeCode(r.sizes[1])
			if uint64(in.memorySize()) != r.sizes[0] || !ok {
				return fmt.Errorf("the instruction moves %d bytes, of a member that has %d in the object and %d in this kernel", in.memorySize(), r.sizes[0], r.sizes[1])
			}
			in.Opcode = in.Opcode&^sizeMask | size
		}
	default:
		if !wide || in.Src != 0 || in.Offset != 0 || code[1].Opcode != 0 || code[1].Dst != 0 || code[1].Src != 0 || code[1].Offset != 0 {
			return fmt.Errorf("the instruction (opcode %#02x) is none that can be adapted", in.Opcode)
		}
		value := uint64(uint32(in.Constant)) | uint64(uint32(code[1].Constant))<<32
		if r.validate && value != r.original {
			return r.unexpected(value)
		}
		in.Constant, code[1].Constant = int32(r.Value), int32(r.Value>>32)
	}
	return nil
}

func (r *Result) unexpected(got uint64) error {
	return fmt.Errorf("the instruction has %d where the object's types say %d", int64(got), int64(r.original))
}

// Poisoned reports whether a loader puts a call in the place of an instruction
// that needs the result: for a load or store also if its size can't be adapted.
func (r *Result) Poisoned(in Instruction) bool {
	switch in.Class() {
	case classLDX, classST, classSTX:
		return r.Poison || r.sizeWrong
	}
	return r.Poison
}

func poisonAll(code []Instruction, wide bool) {
	code[0] = Instruction{Opcode: opcodeCall, Constant: poison}
	if wide {
		code[1] = code[0]
	}
}
