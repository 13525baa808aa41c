package core

import "encoding/binary"

// InstructionSize is the size of an instruction slot in bytes. A load of a
// 64-bit constant takes two slots, the second of which has opcode 0.
const InstructionSize = 8

// Instruction is a BPF instruction, or one of the two slots of a load of a
// 64-bit constant: struct bpf_insn in include/uapi/linux/bpf.h.
type Instruction struct {
	Opcode   uint8
	Dst, Src uint8 // registers, 0 to 15
	Offset   int16
	Constant int32
}

// The parts of an opcode, as Documentation/bpf/standardization/instruction-set.rst
// defines them.
const (
	classMask = 0x07
	classLD   = 0x00
	classLDX  = 0x01
	classST   = 0x02
	classSTX  = 0x03
	classALU  = 0x04
	classJMP  = 0x05
	classJMP2 = 0x06 // JMP32
	classALU2 = 0x07 // ALU64

	sizeMask   = 0x18 // of loads and stores
	sourceMask = 0x08 // of arithmetic and jumps: 0 a constant, else a register
	codeMask   = 0xf0 // of arithmetic and jumps: the operation

	opcodeLoad64 = 0x18 // BPF_LD | BPF_IMM | BPF_DW: a load of a 64-bit constant
	opcodeCall   = 0x85
	opcodeExit   = 0x95
)

// Class returns the instruction's class, the low three bits of its opcode.
func (i Instruction) Class() uint8 { return i.Opcode & classMask }

// IsLoad64 reports whether the instruction is the first slot of a load of a
// 64-bit constant.
func (i Instruction) IsLoad64() bool { return i.Opcode == opcodeLoad64 }

// memorySize returns how many bytes a load or store moves.
func (i Instruction) memorySize() uint32 {
	switch i.Opcode & sizeMask {
	case 0x00:
		return 4
	case 0x08:
		return 2
	case 0x10:
		return 1
	}
	return 8
}

// sizeCode returns the bits of a load's or store's opcode for a number of bytes.
func sizeCode(bytes uint64) (code uint8, ok bool) {
	switch bytes {
	case 4:
		return 0x00, true
	case 2:
		return 0x08, true
	case 1:
		return 0x10, true
	case 8:
		return 0x18, true
	}
	return 0, false
}

// decode reads instructions; len(data) is a multiple of InstructionSize. The
// order of the two registers in their byte follows the byte order.
func decode(data []byte, order binary.ByteOrder) []Instruction {
	code := make([]Instruction, len(data)/InstructionSize)
	for i := range code {
		b := data[i*InstructionSize:]
		low, high := b[1]&15, b[1]>>4
		if order == binary.BigEndian {
			low, high = high, low
		}
		code[i] = Instruction{Opcode: b[0], Dst: low, Src: high, Offset: int16(order.Uint16(b[2:])), Constant: int32(order.Uint32(b[4:]))}
	}
	return code
}

// appendTo encodes the instruction.
func (i Instruction) appendTo(b []byte, order binary.ByteOrder) []byte {
	low, high := i.Dst&15, i.Src&15
	if order == binary.BigEndian {
		low, high = high, low
	}
	b = append(b, i.Opcode, low|high<<4, 0, 0, 0, 0, 0, 0)
	order.PutUint16(b[len(b)-6:], uint16(i.Offset))
	order.PutUint32(b[len(b)-4:], uint32(i.Constant))
	return b
}

// Encode returns the instructions as bytes.
func Encode(code []Instruction, order binary.ByteOrder) []byte {
	b := make([]byte, 0, len(code)*InstructionSize)
	for _, i := range code {
		b = i.appendTo(b, order)
	}
	return b
}
