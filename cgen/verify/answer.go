package verify

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify/internal/llvmir"
)

// answer compiles the text that probes are asked with, and reads the answers, unless
// there are diagnostics about it.
func (u *unit) answer(ctx context.Context, name, text string, probes []*probe, f form) ([]diagnostic, error) {
	if f == fromObject {
		path, diagnostics, err := u.object(ctx, name, text, programFlags()...)
		if err != nil || len(diagnostics) > 0 {
			return diagnostics, err
		}
		return nil, readObject(path, func(o object) error { return o.answer(u.key, probes) })
	}
	path, diagnostics, err := u.output(ctx, name, ".ll", text, append(programFlags(), "-S", "-emit-llvm")...)
	if err != nil || len(diagnostics) > 0 {
		return diagnostics, err
	}
	defer os.Remove(path)
	// One at a time: each text takes several times its size.
	readingIR.Lock()
	defer readingIR.Unlock()
	return nil, u.answerFromIR(path, probes)
}

var readingIR sync.Mutex

// maxIR bounds the text that LLVM writes of a header's types, in bytes. That of a
// kernel's has 20 MB.
const maxIR = 128 << 20

// answerFromIR reads the answers from what clang hands to its backend.
func (u *unit) answerFromIR(path string, probes []*probe) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.Size() > maxIR {
		return &llvmir.FormatError{Line: filepath.Base(path), Reason: fmt.Sprintf("more than %d MiB", maxIR>>20)}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := llvmir.Read(text, u.key+"p")
	if err != nil {
		return err
	}
	for i, p := range probes {
		v, ok := m.Variables[fmt.Sprintf("%sp%d", u.key, i)]
		if !ok {
			return fmt.Errorf("what the compiler knows of types lacks a pointer to %s that it was given", p.entry.title())
		}
		if err := p.pointsTo(m.Types, v.Type); err != nil {
			return err
		}
		p.relocated = m.Relocated[m.Types.Resolve(p.id)]
		if p.hasSymbol() {
			p.symbol = symbol{v.Symbol, v.Defined}
		}
	}
	return nil
}

// symbol is what programs call a function by.
type symbol struct {
	name    string
	defined bool // by the header
}

// pointsTo takes the answer to a probe from the type of its variable.
func (p *probe) pointsTo(view *btfdump.View, variable btfdump.TypeID) error {
	pointer := view.Type(variable)
	if pointer.Kind() != btfdump.KindPtr {
		return fmt.Errorf("the compiler made %s of a pointer", pointer.Kind())
	}
	id := pointer.Ref()
	if p.entry.class <= classUnion {
		t, _ := peel(view, id)
		id = t.ID()
	}
	p.view, p.id = view, id
	return nil
}

// answer reads a shard's object.
func (o object) answer(key string, probes []*probe) error {
	view, err := o.btf()
	if err != nil {
		return err
	}
	for t := range view.All() {
		var i int
		if t.Kind() != btfdump.KindVar {
			continue
		}
		if _, err := fmt.Sscanf(t.Name(), key+"p%d", &i); err != nil || i < 0 || i >= len(probes) {
			continue
		}
		if err := probes[i].pointsTo(view, t.Ref()); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(probes, func(p *probe) bool { return p.view == nil }); i >= 0 {
		return fmt.Errorf("its BTF lacks a pointer to %s that it was given", probes[i].entry.title())
	}
	if err := o.symbolsOf(key, probes); err != nil {
		return err
	}
	ext, err := o.section(".BTF.ext")
	if err != nil {
		return err
	}
	relocated := make(map[btfdump.TypeID]bool)
	if ext != nil {
		read, err := btfdump.ReadExt(ext, view)
		if err != nil {
			return fmt.Errorf("its .BTF.ext: %w", err)
		}
		for _, r := range read.Relocations {
			relocated[view.Resolve(r.Type)] = true
		}
	}
	for _, p := range probes {
		p.relocated = relocated[p.view.Resolve(p.id)]
	}
	return nil
}

// symbolsOf finds out by which symbols programs call the functions among probes.
func (o object) symbolsOf(key string, probes []*probe) error {
	if !slices.ContainsFunc(probes, (*probe).hasSymbol) {
		return nil
	}
	variables, err := o.variables()
	if err != nil {
		return err
	}
	for i, p := range probes {
		if !p.hasSymbol() {
			continue
		}
		v := variables[fmt.Sprintf("%sp%d", key, i)]
		if v == nil {
			return fmt.Errorf("it lacks a pointer to %s that it was given", p.entry.title())
		}
		p.symbol = symbol{v.symbol.Name, v.symbol.Section != elf.SHN_UNDEF}
	}
	return nil
}
