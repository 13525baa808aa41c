package core

import (
	"encoding/binary"

	"github.com/btfgen/btfgen/btfdump"
)

// Object is a compiled BPF object: what clang, gcc or a static linker wrote.
// It is immutable and safe for concurrent use.
type Object struct {
	Name      string // as it was given, for messages
	View      *btfdump.View
	ByteOrder binary.ByteOrder
	License   string // of section license

	// Functions are the programs and subprograms, sorted by section and offset.
	Functions []Function
	// Relocations are the CO-RE relocations in the order of the file, which is
	// the order in which libbpf handles them.
	Relocations []Relocation
	// Externs are what the object declares and does not define.
	Externs []Extern
	// Sections are those with data: variables, constants, maps.
	Sections []Section
}

// Function is a program or a subprogram of an object.
type Function struct {
	Name    string
	Section string // ELF section, such as "kprobe/do_unlinkat"
	Offset  uint64 // of its first instruction from the section's start, in bytes
	// Program is true for entry points, which the loader loads as programs of
	// their own: functions that are not static and stand in another section than
	// .text.
	Program bool
	Weak    bool
	Type    btfdump.TypeID // of kind func, 0 if not known
	Code    []Instruction
	// References are what the linker has to fill in, by ascending instruction.
	References []Reference
	// Lines are the places in the source, by ascending instruction: each goes
	// for the instructions from its own to the next one's.
	Lines []LineInfo
}

// LineInfo is the source of a function's instructions.
type LineInfo struct {
	Instruction int
	Position    Position
}

// ReferenceKind is what an instruction refers to.
type ReferenceKind uint8

// The kinds of references.
const (
	// ReferenceFunction is a function of the object: a call, or its address.
	ReferenceFunction ReferenceKind = iota
	// ReferenceData is a place in one of the object's data sections: a variable,
	// a constant or a map.
	ReferenceData
	// ReferenceExtern is one of the object's externs.
	ReferenceExtern
)

// Reference is what one instruction refers to: an ELF relocation.
type Reference struct {
	Instruction int
	Kind        ReferenceKind
	// Index is that of the function, data section or extern.
	Index int
	// Offset is the place in a data section in bytes.
	Offset uint64
	// Symbol is the symbol's name, "" where the compiler used the section's.
	Symbol string
}

// ExternKind is what the loader looks an extern up in.
type ExternKind uint8

// The kinds of externs.
const (
	ExternKfunc   ExternKind = iota // a kernel function
	ExternKsym                      // a kernel variable: its address
	ExternKconfig                   // an option that the kernel was built with, or LINUX_KERNEL_VERSION
	ExternUnknown                   // nothing that BTF has a type for
)

// Extern is something that the kernel, or its loader, has to supply.
type Extern struct {
	Name string
	Kind ExternKind
	Type btfdump.TypeID // of the function or variable, 0 if not known
	Weak bool           // the program runs without it
}

// Section is a section of an object with data.
type Section struct {
	Name string
	Data []byte // what it holds at first; nil for zeroes
	Size uint64 // bytes
	// Constant is true if programs can't write to it: .rodata.
	Constant bool
}
