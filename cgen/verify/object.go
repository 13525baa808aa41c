package verify

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
)

// maxObject bounds an object, in bytes. That of a kernel's 100,000 values has
// 1 MB, and one with the types of a shard a few; but a header may have data of its
// own.
const maxObject = 32 << 20

// object is an object file that the compiler wrote.
type object struct{ *elf.File }

// readObject reads an object within the limits that BPF objects are read with, and
// has use do the same with what is in it. The file is removed.
func readObject(path string, use func(object) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer file.Close()
	err = func() error {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if info.Size() > maxObject {
			return fmt.Errorf("it has %d bytes, more than the %d that are read: the header has data of its own", info.Size(), maxObject)
		}
		f, err := core.OpenELF(file, info.Size())
		if err != nil {
			return err
		}
		return use(object{f})
	}()
	if err != nil {
		return fmt.Errorf("the object that the compiler wrote: %w", err)
	}
	return nil
}

// section returns what a section holds, nil if there is none.
func (o object) section(name string) ([]byte, error) {
	s := o.Section(name)
	if s == nil {
		return nil, nil
	}
	return contents(s)
}

// contents returns what a section holds, as long as it is no longer than an object.
func contents(s *elf.Section) ([]byte, error) {
	if s.Size > maxObject {
		return nil, fmt.Errorf("its section %.80q has %d bytes", s.Name, s.Size)
	}
	return s.Data()
}

// btf returns the object's BTF.
func (o object) btf() (*btfdump.View, error) {
	raw, err := o.section(".BTF")
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errors.New("it has no BTF")
	}
	view, err := btfdump.New(raw)
	if err != nil {
		return nil, fmt.Errorf("its BTF: %w", err)
	}
	return view, nil
}

// variable is one that an object defines.
type variable struct {
	data []byte
	// symbol is what the variable points to, if it is a pointer to something that
	// has a name in the object.
	symbol elf.Symbol
}

// variables returns all variables that have a value, by name.
func (o object) variables() (map[string]*variable, error) {
	symbols, err := o.Symbols()
	if err != nil {
		return nil, err
	}
	sections := make(map[elf.SectionIndex][]byte)
	found := make(map[string]*variable)
	places := make(map[place]*variable)
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_OBJECT || int(s.Section) >= len(o.Sections) || o.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		data, ok := sections[s.Section]
		if !ok {
			if data, err = contents(o.Sections[s.Section]); err != nil {
				return nil, err
			}
			sections[s.Section] = data
		}
		if s.Value <= uint64(len(data)) && s.Size <= uint64(len(data))-s.Value {
			v := &variable{data: data[s.Value:][:s.Size]}
			found[s.Name], places[place{s.Section, s.Value}] = v, v
		}
	}
	return found, o.pointers(symbols, places)
}

// place is where a variable lies.
type place struct {
	section elf.SectionIndex
	offset  uint64
}

// pointers fills in what variables point to.
func (o object) pointers(symbols []elf.Symbol, variables map[place]*variable) error {
	if o.Class != elf.ELFCLASS64 {
		return nil
	}
	for _, s := range o.Sections {
		const entry = 16
		if s.Type != elf.SHT_REL {
			continue
		}
		data, err := contents(s)
		if err != nil {
			return err
		}
		for ; len(data) >= entry; data = data[entry:] {
			at, symbol := o.ByteOrder.Uint64(data), elf.R_SYM64(o.ByteOrder.Uint64(data[8:]))
			if v := variables[place{elf.SectionIndex(s.Info), at}]; v != nil && symbol >= 1 && int(symbol) <= len(symbols) {
				v.symbol = symbols[symbol-1]
			}
		}
	}
	return nil
}

// values returns a variable's content as numbers of 64 bits.
func (v *variable) values(order binary.ByteOrder) []uint64 {
	list := make([]uint64, len(v.data)/8)
	for i := range list {
		list[i] = order.Uint64(v.data[8*i:])
	}
	return list
}
