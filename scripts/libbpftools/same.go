package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"slices"

	"github.com/btfgen/btfgen/btfdump/core"
)

// difference says in what two object files are not the same program: sections
// that are loaded, byte for byte, and what they refer to, read with debug/elf;
// "" if they are. It knows nothing of BTF: sameOn is about what depends on that.
func difference(a, b string) (string, error) {
	first, err := sections(a)
	if err != nil {
		return "", err
	}
	second, err := sections(b)
	if err != nil {
		return "", err
	}
	for i := range max(len(first), len(second)) {
		switch {
		case i >= len(first) || i >= len(second) || first[i].name != second[i].name:
			return "other sections", nil
		case first[i].size != second[i].size:
			return fmt.Sprintf("section %s has %d and %d bytes", first[i].name, first[i].size, second[i].size), nil
		case !bytes.Equal(first[i].data, second[i].data):
			return fmt.Sprintf("section %s has other bytes", first[i].name), nil
		case !slices.Equal(first[i].references, second[i].references):
			return fmt.Sprintf("section %s refers to something else", first[i].name), nil
		}
	}
	return "", nil
}

type section struct {
	name       string
	size       uint64
	data       []byte
	references []string
}

// sections returns those of an object that are loaded.
func sections(path string) ([]section, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	references := make(map[uint32][]string) // by the section's index
	for _, s := range f.Sections {
		if s.Type != elf.SHT_REL {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for ; len(data) >= 16; data = data[16:] {
			offset, info := f.ByteOrder.Uint64(data), f.ByteOrder.Uint64(data[8:])
			text := fmt.Sprintf("%d: %d ", offset, uint32(info))
			if i := info >> 32; i > 0 && i <= uint64(len(symbols)) {
				symbol := symbols[i-1]
				text += fmt.Sprintf("%s %d", symbol.Name, symbol.Value)
				if int(symbol.Section) < len(f.Sections) {
					text += " " + f.Sections[symbol.Section].Name
				}
			}
			references[s.Info] = append(references[s.Info], text)
		}
	}
	var loaded []section
	for i, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		one := section{name: s.Name, size: s.Size, references: references[uint32(i)]}
		if s.Type != elf.SHT_NOBITS {
			if one.data, err = s.Data(); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		loaded = append(loaded, one)
	}
	return loaded, nil
}

// readObject reads a BPF object.
func readObject(path string) (*core.Object, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return core.ReadObject(path, raw)
}

// sameOn says in what the relocations of two objects differ, each with its
// kernel: where they stand, what they are about, and what they come to; "" if
// they are the same. IDs of types that are not one kernel's are compared only as
// to whether there is one.
func sameOn(a *core.Object, on *core.Target, b *core.Object, with *core.Target) string {
	first, second := on.Relocate(a), with.Relocate(b)
	if len(first) != len(second) {
		return fmt.Sprintf("%d relocations, and %d", len(first), len(second))
	}
	for i := range first {
		x, y := a.Relocations[i], b.Relocations[i]
		if x.Function != y.Function || x.Instruction != y.Instruction || x.Kind != y.Kind {
			return fmt.Sprintf("relocation %d is another one", i)
		}
		what := a.AccessPath(i)
		if other := b.AccessPath(i); what != other {
			return fmt.Sprintf("relocation %d is about %s, and %s", i, what, other)
		}
		p, q := first[i], second[i]
		value := p.Value == q.Value
		switch {
		case x.Kind == core.TypeIDLocal: // the objects have BTF of their own
			value = true
		case x.Kind == core.TypeIDTarget && on != with:
			value = (p.Value == 0) == (q.Value == 0)
		}
		if p.Poison != q.Poison || (p.Err == nil) != (q.Err == nil) || !value {
			return fmt.Sprintf("%s comes to %s, and %s", what, result(p), result(q))
		}
	}
	return ""
}

func result(r core.Result) string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.Poison:
		return "nothing"
	}
	return fmt.Sprint(r.Value)
}
