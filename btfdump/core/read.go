package core

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/internal/elftables"
)

// MaxObject is the size in bytes of the largest object file that is read: 256
// MiB, a thousand times what large ones have.
const MaxObject = 256 << 20

// ErrNotObject is wrapped by the errors of ReadObject for what is no BPF object
// file, or one without BTF.
var ErrNotObject = errors.New("not a BPF object with BTF")

// ReadObject reads a BPF object file: ELF for the machine BPF with a section
// .BTF, as clang -g -target bpf, gcc and static linkers (bpftool gen object)
// write it. Object files of compilers from before .BTF.ext had relocations are
// read too, and have none. name stands in errors only.
//
// The object keeps no reference to raw.
func ReadObject(name string, raw []byte) (*Object, error) {
	r := reader{object: &Object{Name: name}, functions: make(map[string][]int), budget: 2*len(raw) + 1<<16}
	if err := r.read(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r.object, nil
}

// reader reads an object file.
type reader struct {
	object  *Object
	file    *elf.File
	symbols []elf.Symbol // without the null symbol: index 0 is symbol 1

	code      map[elf.SectionIndex][]byte // of the sections with functions
	functions map[string][]int            // by ELF section, ascending by offset
	data      []int                       // by ELF section: index in object.Sections, or -1
	externs   map[string]int              // by name: index in object.Externs
	budget    int                         // how many bytes of sections may still be read: they can overlap
}

// OpenELF opens an ELF file of size bytes, if its tables are within the limits
// that objects are read with: package debug/elf reads each as a whole.
func OpenELF(at io.ReaderAt, size int64) (*elf.File, error) {
	if err := elftables.Check(at, size); err != nil {
		return nil, fmt.Errorf("ELF: %w", err)
	}
	return elf.NewFile(at)
}

func (r *reader) read(raw []byte) error {
	if len(raw) > MaxObject {
		return fmt.Errorf("has %d bytes, more than the %d that are read", len(raw), MaxObject)
	}
	content := bytes.NewReader(raw)
	if !bytes.HasPrefix(raw, []byte(elf.ELFMAG)) {
		return fmt.Errorf("%w: it is no ELF file", ErrNotObject)
	}
	f, err := OpenELF(content, content.Size())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotObject, err)
	}
	if f.Machine != elf.EM_BPF || f.Class != elf.ELFCLASS64 {
		return fmt.Errorf("%w: it is ELF for %s; compile with clang -g -O2 -target bpf", ErrNotObject, f.Machine)
	}
	r.file, r.object.ByteOrder = f, f.ByteOrder
	blob, err := r.section(".BTF")
	if err != nil {
		return err
	}
	if blob == nil {
		return fmt.Errorf("%w: it has no section .BTF; compile with clang -g", ErrNotObject)
	}
	if r.object.View, err = btfdump.New(blob); err != nil {
		return fmt.Errorf("section .BTF: %w", err)
	}
	if r.object.View.ByteOrder() != f.ByteOrder {
		return errors.New("the byte order of its BTF is not that of its instructions")
	}
	if err := elftables.CheckSymbols(f, content.Size()); err != nil {
		return err
	}
	if r.symbols, err = f.Symbols(); err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("symbols: %w", err)
	}
	for _, step := range []func() error{r.readData, r.readFunctions, r.readExterns, r.readReferences, r.readExt} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// section returns what the file's section of a name holds, nil if there is none.
func (r *reader) section(name string) ([]byte, error) {
	s := r.file.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil
	}
	return r.content(s)
}

func (r *reader) content(s *elf.Section) ([]byte, error) {
	if s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("section %+.80q is compressed, which no loader reads", s.Name)
	}
	if s.FileSize > uint64(r.budget) {
		return nil, fmt.Errorf("section %+.80q: the file's sections are larger than the file", s.Name)
	}
	r.budget -= int(s.FileSize)
	data, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("section %+.80q: %w", s.Name, err)
	}
	return data, nil
}

func isCode(s *elf.Section) bool {
	return s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_EXECINSTR != 0
}

// readData finds the sections with variables, constants and maps.
func (r *reader) readData() error {
	r.data = make([]int, len(r.file.Sections))
	for i, s := range r.file.Sections {
		r.data[i] = -1
		if s.Flags&elf.SHF_ALLOC == 0 || isCode(s) || s.Type != elf.SHT_PROGBITS && s.Type != elf.SHT_NOBITS {
			continue
		}
		section := Section{Name: s.Name, Size: s.Size, Constant: s.Flags&elf.SHF_WRITE == 0}
		if s.Type == elf.SHT_PROGBITS {
			var err error
			if section.Data, err = r.content(s); err != nil {
				return err
			}
		}
		if s.Name == "license" {
			license, _, _ := bytes.Cut(section.Data, []byte{0})
			r.object.License = string(license)
		}
		r.data[i] = len(r.object.Sections)
		r.object.Sections = append(r.object.Sections, section)
	}
	return nil
}

// readFunctions finds the functions by their symbols.
func (r *reader) readFunctions() error {
	symbols, err := r.functionSymbols()
	if err != nil {
		return err
	}
	var last elf.Symbol
	for i, s := range symbols {
		section := r.file.Sections[s.Section].Name
		switch {
		case i == 0 || last.Section == s.Section:
			if i > 0 && last.Value+last.Size > s.Value {
				return fmt.Errorf("functions %+.80q and %+.80q overlap in section %+.80q", last.Name, s.Name, section)
			}
		case r.functions[section] != nil:
			return fmt.Errorf("there are several sections %+.80q with code", section)
		}
		last = s
		// No two overlap, so all of them together are no larger than the file.
		r.object.Functions = append(r.object.Functions, Function{
			Name: s.Name, Section: section, Offset: s.Value,
			Program: section != ".text" && elf.ST_BIND(s.Info) != elf.STB_LOCAL,
			Weak:    elf.ST_BIND(s.Info) == elf.STB_WEAK,
			Code:    decode(r.code[s.Section][s.Value:][:s.Size], r.file.ByteOrder),
		})
		r.functions[section] = append(r.functions[section], i)
	}
	return nil
}

// functionSymbols returns the symbols of functions, sorted by section and place,
// all inside of their sections, and reads those.
func (r *reader) functionSymbols() ([]elf.Symbol, error) {
	r.code = make(map[elf.SectionIndex][]byte)
	var symbols []elf.Symbol
	for _, s := range r.symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Section == elf.SHN_UNDEF || int(s.Section) >= len(r.file.Sections) {
			continue
		}
		section := r.file.Sections[s.Section]
		if !isCode(section) {
			continue
		}
		code, ok := r.code[s.Section]
		if !ok {
			var err error
			if code, err = r.content(section); err != nil {
				return nil, err
			}
			r.code[s.Section] = code
		}
		size := uint64(len(code))
		if s.Value%InstructionSize != 0 || s.Size%InstructionSize != 0 || s.Size == 0 || s.Value > size || s.Size > size-s.Value {
			return nil, fmt.Errorf("function %+.80q has %d bytes at byte %d of section %+.80q, which has %d", s.Name, s.Size, s.Value, section.Name, size)
		}
		symbols = append(symbols, s)
	}
	slices.SortStableFunc(symbols, func(a, b elf.Symbol) int {
		return cmp.Or(strings.Compare(r.file.Sections[a.Section].Name, r.file.Sections[b.Section].Name), cmp.Compare(a.Section, b.Section), cmp.Compare(a.Value, b.Value))
	})
	return symbols, nil
}

// at returns the function in whose code a byte of a section is, and the index
// of its instruction.
func (r *reader) at(section string, offset uint64) (function, instruction int, ok bool) {
	list := r.functions[section]
	i, exact := slices.BinarySearchFunc(list, offset, func(f int, offset uint64) int {
		return cmp.Compare(r.object.Functions[f].Offset, offset)
	})
	if !exact {
		i--
	}
	if i < 0 || offset%InstructionSize != 0 {
		return 0, 0, false
	}
	f := &r.object.Functions[list[i]]
	n := (offset - f.Offset) / InstructionSize
	return list[i], int(n), n < uint64(len(f.Code))
}

// readExterns finds what the object's BTF declares in .kconfig and .ksyms, and
// undefined symbols that it does not know of.
func (r *reader) readExterns() error {
	r.externs = make(map[string]int)
	add := func(e Extern) {
		if _, ok := r.externs[e.Name]; !ok {
			r.externs[e.Name] = len(r.object.Externs)
			r.object.Externs = append(r.object.Externs, e)
		}
	}
	v := r.object.View
	types := make(map[string]Extern)
	for t := range v.All() {
		if t.Kind() != btfdump.KindDatasec || t.Name() != ".kconfig" && t.Name() != ".ksyms" {
			continue
		}
		for i := range t.NumSectionVars() {
			member := v.Type(t.SectionVar(i).Type)
			e := Extern{Name: member.Name(), Type: member.ID(), Kind: ExternKsym}
			switch {
			case t.Name() == ".kconfig":
				e.Kind = ExternKconfig
			case member.Kind() == btfdump.KindFunc:
				e.Kind = ExternKfunc
			}
			types[e.Name] = e
		}
	}
	for _, s := range r.symbols {
		if s.Section != elf.SHN_UNDEF || s.Name == "" {
			continue
		}
		e, ok := types[s.Name]
		if !ok {
			e = Extern{Name: s.Name, Kind: ExternUnknown}
		}
		e.Weak = elf.ST_BIND(s.Info) == elf.STB_WEAK
		add(e)
	}
	return nil
}

// ELF relocations of BPF: Documentation/bpf/llvm_reloc.rst.
const (
	relocationLoad64 = 1  // R_BPF_64_64
	relocationCall   = 10 // R_BPF_64_32
)

// readReferences finds what instructions refer to.
func (r *reader) readReferences() error {
	for _, s := range r.file.Sections {
		if s.Type != elf.SHT_REL || int(s.Info) >= len(r.file.Sections) || !isCode(r.file.Sections[s.Info]) {
			continue
		}
		data, err := r.content(s)
		if err != nil {
			return err
		}
		code := r.file.Sections[s.Info].Name
		for ; len(data) >= 16; data = data[16:] {
			offset, info := r.file.ByteOrder.Uint64(data), r.file.ByteOrder.Uint64(data[8:])
			function, instruction, ok := r.at(code, offset)
			if !ok {
				continue // dead code that no symbol covers
			}
			f := &r.object.Functions[function]
			reference, err := r.reference(uint32(info), int(info>>32), f.Code[instruction])
			if err != nil {
				return fmt.Errorf("function %+.80q, instruction %d: %w", f.Name, instruction, err)
			}
			reference.Instruction = instruction
			f.References = append(f.References, reference)
		}
	}
	for i := range r.object.Functions {
		slices.SortStableFunc(r.object.Functions[i].References, func(a, b Reference) int { return cmp.Compare(a.Instruction, b.Instruction) })
	}
	return nil
}

// reference finds what an ELF relocation of an instruction is about.
func (r *reader) reference(kind uint32, symbol int, in Instruction) (Reference, error) {
	if kind != relocationLoad64 && kind != relocationCall {
		return Reference{}, fmt.Errorf("ELF relocation of type %d, which instructions don't have", kind)
	}
	if symbol < 1 || symbol > len(r.symbols) {
		return Reference{}, fmt.Errorf("ELF relocation with symbol %d of %d", symbol, len(r.symbols))
	}
	s := r.symbols[symbol-1]
	if s.Section == elf.SHN_UNDEF {
		i, ok := r.externs[s.Name]
		if !ok {
			return Reference{}, errors.New("ELF relocation with a symbol that has neither a name nor a section")
		}
		return Reference{Kind: ReferenceExtern, Index: i, Symbol: s.Name}, nil
	}
	if int(s.Section) >= len(r.file.Sections) {
		return Reference{}, fmt.Errorf("symbol %+.80q is in section %d of %d", s.Name, s.Section, len(r.file.Sections))
	}
	section := r.file.Sections[s.Section]
	if isCode(section) {
		// A call counts in instructions, from the one that follows it; the
		// address of a function in bytes.
		offset := s.Value
		if kind == relocationCall {
			offset += uint64(int64(in.Constant)+1) * InstructionSize
		} else {
			offset += uint64(int64(in.Constant))
		}
		function, instruction, ok := r.at(section.Name, offset)
		if !ok || instruction != 0 {
			return Reference{}, fmt.Errorf("refers to byte %d of section %+.80q, where no function starts", offset, section.Name)
		}
		return Reference{Kind: ReferenceFunction, Index: function, Symbol: r.object.Functions[function].Name}, nil
	}
	index := r.data[s.Section]
	if index < 0 {
		return Reference{}, fmt.Errorf("refers to section %+.80q, which is not loaded", section.Name)
	}
	return Reference{Kind: ReferenceData, Index: index, Offset: s.Value + uint64(int64(in.Constant)), Symbol: symbolName(s)}, nil
}

// symbolName is empty for the symbol of a section as a whole.
func symbolName(s elf.Symbol) string {
	if elf.ST_TYPE(s.Info) == elf.STT_SECTION {
		return ""
	}
	return s.Name
}

// readExt takes over what .BTF.ext says about the functions.
func (r *reader) readExt() error {
	raw, err := r.section(".BTF.ext")
	if err != nil || raw == nil {
		return err
	}
	ext, err := btfdump.ReadExt(raw, r.object.View)
	if err != nil {
		return err
	}
	functions := r.object.Functions
	for _, e := range ext.Functions {
		if i, instruction, ok := r.at(e.Section, uint64(e.Offset)); ok && instruction == 0 {
			functions[i].Type = e.Type
		}
	}
	for _, e := range ext.Lines {
		if i, instruction, ok := r.at(e.Section, uint64(e.Offset)); ok {
			functions[i].Lines = append(functions[i].Lines, LineInfo{instruction, Position{e.File, int(e.Line), int(e.Column), e.Text}})
		}
	}
	for i := range functions {
		slices.SortStableFunc(functions[i].Lines, func(a, b LineInfo) int { return cmp.Compare(a.Instruction, b.Instruction) })
	}
	for _, e := range ext.Relocations {
		i, instruction, ok := r.at(e.Section, uint64(e.Offset))
		relocation := Relocation{Function: i, Instruction: instruction, Kind: RelocationKind(e.Kind), Type: e.Type, Access: e.Access}
		if !ok {
			if e.Offset%InstructionSize != 0 {
				return fmt.Errorf("section .BTF.ext: a relocation of section %+.80q at byte %d, where no instruction starts", e.Section, e.Offset)
			}
			relocation.Function, relocation.Instruction = -1, 0
		} else {
			relocation.Position = functions[i].Position(instruction)
		}
		r.object.Relocations = append(r.object.Relocations, relocation)
	}
	return nil
}

// Position returns the place in the source of an instruction: the zero Position
// if it is not known.
func (f *Function) Position(instruction int) Position {
	i, exact := slices.BinarySearchFunc(f.Lines, instruction, func(l LineInfo, n int) int { return cmp.Compare(l.Instruction, n) })
	switch {
	case exact:
		return f.Lines[i].Position
	case i > 0:
		return f.Lines[i-1].Position
	}
	return Position{}
}
