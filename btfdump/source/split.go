package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// isSplit says whether BTF continues that of a base: its strings then do not
// start with the empty string, which the base has (btf__new_empty_split of
// libbpf).
func isSplit(raw []byte) bool {
	if len(raw) < 24 {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if raw[0] == 0xeb {
		order = binary.BigEndian
	}
	types, length := order.Uint32(raw[12:]), order.Uint32(raw[20:])
	start := uint64(order.Uint32(raw[4:])) + uint64(order.Uint32(raw[16:]))
	if length == 0 {
		return types > 0
	}
	return start < uint64(len(raw)) && raw[start] != 0
}

// isEmpty says whether BTF has no types, as that of modules without any of their
// own.
func isEmpty(raw []byte) bool {
	return len(raw) >= 24 && binary.LittleEndian.Uint32(raw[12:]) == 0
}

// open returns a view of the module's types on base, the types of the kernel, or
// module, called baseName.
func (m module) open(base *btfdump.View, baseName, release string) (*btfdump.View, error) {
	if m.release != "" && release != "" && m.release != release {
		return nil, fmt.Errorf("%s is a module for %s, and the kernel is %s: their types don't fit each other", m.origin, m.release, release)
	}
	raw := m.raw
	if m.base != nil {
		relocated, err := relocate(raw, m.base, base)
		if err != nil {
			return nil, fmt.Errorf("%s: its own base (section .BTF.base) does not fit %s: %w", m.origin, baseName, err)
		}
		raw = relocated
	} else if !isSplit(raw) && !isEmpty(raw) {
		return nil, fmt.Errorf("%s has the types of a whole kernel or program, not those that a module adds to %s", m.origin, baseName)
	}
	split, err := btfdump.NewSplit(raw, base)
	if err == nil && !m.loaded {
		err = split.FitsBase()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: as a module of %s: %w; is it a module of that very kernel build?", m.origin, baseName, err)
	}
	return split, nil
}

// openModuleAsInput opens a module that is the input itself, on a base that has
// to be found.
func openModuleAsInput(input string, s *search, requests moduleRequests, opts Options, live liveKernel) (*Kernel, error) {
	name := inputName(input)
	if len(s.found) == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNoBTF)
	}
	if len(requests.names) > 0 || requests.all {
		return nil, fmt.Errorf("%s has no kernel, only modules: modules by name are looked for beside a kernel", name)
	}
	if len(s.found) > 1 {
		return nil, fmt.Errorf("%s has %d modules and no kernel: give the kernel with -i, and this with -m", name, len(s.found))
	}
	origin := &s.found[0]
	m := module{name: origin.Module, origin: name, raw: origin.Raw, base: origin.Base, release: origin.Release, searched: origin.searched}
	if m.name == "" {
		m.name = nameOfFile(input)
	}
	base, err := findBase(input, m, opts, live)
	if errors.Is(err, errNoBase) && m.base != nil && !m.searched {
		return standAlone(name, m, origin)
	}
	if err != nil {
		return nil, err
	}
	base.Origin = origin
	base.Live = false
	baseName := opts.Base
	if baseName == "" {
		baseName = "the kernel that was found for it"
	}
	files, err := moduleFiles(requests, opts)
	if err != nil {
		return nil, err
	}
	if m.release != "" {
		base.Release = m.release
	}
	return base, base.join(baseName, append(files, m))
}

// standAlone opens a module on the base that it was given when it was built,
// where no kernel is at hand.
func standAlone(name string, m module, origin *Found) (*Kernel, error) {
	base, err := origin.view(m.base)
	if err != nil {
		return nil, fmt.Errorf("%s: section .BTF.base: %w", name, err)
	}
	view, err := btfdump.NewSplit(m.raw, base)
	if err != nil {
		return nil, fmt.Errorf("%s: on its own base: %w", name, err)
	}
	return &Kernel{View: view, Release: m.release, Modules: []string{m.name}, Origin: origin}, nil
}

// errNoBase says that no kernel was found for a module.
var errNoBase = errors.New("no base")

// findBase opens the kernel that a module stands on: the one that was given, the
// one in the tree around the module's file, or the running one.
func findBase(input string, m module, opts Options, live liveKernel) (*Kernel, error) {
	if opts.Base != "" {
		inner := opts
		inner.Base = ""
		kernel, err := openFile(opts.Base, moduleRequests{}, inner, live)
		if err != nil {
			return nil, err
		}
		if m.release != "" && kernel.Release != "" && m.release != kernel.Release {
			return nil, fmt.Errorf("%s is a module for %s, and the base %s is %s: their types don't fit each other", m.origin, m.release, opts.Base, kernel.Release)
		}
		return kernel, nil
	}
	around := "it is not in a tree around the file"
	if dir := releaseDir(input); dir != "" {
		inner := opts
		inner.Release = filepath.Base(dir)
		kernel, err := openFile(dir, moduleRequests{}, inner, live)
		if err == nil {
			return kernel, nil
		}
		around = err.Error()
	}
	release := live.release()
	if m.searched {
		// Whoever names a package or an image means the kernel in it.
		return nil, fmt.Errorf("%w: %s holds the types that a module adds to a kernel's%s, and no kernel (%s): name that with --base, or give it with -i and this with -m", errNoBase, inputName(input), ofRelease(m.release), around)
	}
	if m.release == "" || m.release == release {
		if raw, err := live.vmlinux(); err == nil {
			base, err := btfdump.New(raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", live.path("vmlinux"), err)
			}
			if _, err := m.open(base, "the running kernel", release); err == nil {
				return &Kernel{View: base, Release: release}, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %s has the types that a module adds to a kernel's%s, and that kernel is not at hand (it is not the running one; %s): name it with --base, or give it with -i and the module with -m", errNoBase, inputName(input), ofRelease(m.release), around)
}

// releaseDir returns the directory lib/modules/RELEASE that a module's file
// stands in, "" if it does not stand in one.
func releaseDir(input string) string {
	path, err := filepath.Abs(input)
	if err != nil || input == "-" {
		return ""
	}
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if filepath.Base(filepath.Dir(dir)) == "modules" && releaseOf(filepath.Base(dir)) != "" {
			return dir
		}
	}
	return ""
}

// relocate fits a module's BTF, which stands on a base that has only what the
// module needs of a kernel, to a whole kernel. The types of the small base are
// looked for by kind, name and size (as the kernel's module loader does since
// Linux 6.11, tools/lib/bpf/btf_relocate.c).
func relocate(raw, small []byte, kernel *btfdump.View) ([]byte, error) {
	from, err := btfdump.New(small)
	if err != nil {
		return nil, err
	}
	split, err := btfdump.NewSplit(raw, from)
	if err != nil {
		return nil, err
	}
	ids := make([]btfdump.TypeID, from.NumTypes())
	var problems []string
	for t := range from.All() {
		id, problem := counterpart(t, kernel)
		if problem != "" {
			problems = append(problems, problem)
			continue
		}
		ids[t.ID()] = id
	}
	if n := len(problems); n > 0 {
		const most = 5
		if n > most {
			problems = append(problems[:most], fmt.Sprintf("and %d more", n-most))
		}
		return nil, errors.New(strings.Join(problems, "; "))
	}
	moved, err := btfdump.Rebase(split, kernel, ids)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(moved), nil
}

// counterpart returns the type of a kernel that a type of a distilled base
// stands for. In such a base, records have no members: those that the module
// has by value have their size, of others there is a forward declaration.
func counterpart(t btfdump.Type, kernel *btfdump.View) (btfdump.TypeID, string) {
	name := t.Name()
	switch k := t.Kind(); {
	case name == "":
		return 0, fmt.Sprintf("type %d (%s) has no name", t.ID(), k)
	case k.IsRecord() && t.NumMembers() > 0:
		return 0, fmt.Sprintf("type %d (%s %s) has members, which no distilled base has", t.ID(), k, quoted(name))
	case !k.IsRecord() && !k.IsEnum() && k != btfdump.KindInt && k != btfdump.KindFloat && k != btfdump.KindFwd:
		// What refers to other types is the module's own: a name and a size would
		// not tell which type of the kernel it is.
		return 0, fmt.Sprintf("type %d (%s %s) is of a kind that no distilled base has", t.ID(), k, quoted(name))
	}
	var matches []btfdump.TypeID
	for _, id := range kernel.Lookup(name) {
		if standsFor(t, kernel.Type(id)) {
			matches = append(matches, id)
		}
	}
	sized := t.Kind() != btfdump.KindFwd
	switch {
	case len(matches) == 0 && sized:
		return 0, fmt.Sprintf("it has no %s %s of %d bytes", t.Kind(), quoted(name), t.Size())
	case len(matches) == 0:
		return 0, fmt.Sprintf("it has no record %s", quoted(name))
	case len(matches) > 1 && sized && t.Kind().IsRecord():
		return 0, fmt.Sprintf("it has %d types %s %s of %d bytes", len(matches), t.Kind(), quoted(name), t.Size())
	}
	return matches[0], ""
}

// standsFor says whether a type of a distilled base, t, may be the kernel's k.
func standsFor(t, k btfdump.Type) bool {
	switch t.Kind() {
	case btfdump.KindFwd:
		return k.Kind() == btfdump.KindFwd && k.KindFlag() == t.KindFlag() ||
			k.Kind() == btfdump.KindUnion && t.KindFlag() || k.Kind() == btfdump.KindStruct && !t.KindFlag() ||
			k.Kind().IsEnum() && !t.KindFlag()
	case btfdump.KindEnum, btfdump.KindEnum64:
		return k.Kind().IsEnum() && k.Size() == t.Size()
	case btfdump.KindInt:
		return k.Kind() == btfdump.KindInt && k.Size() == t.Size() && k.IntEncoding() == t.IntEncoding() &&
			k.IntBits() == t.IntBits() && k.IntBitOffset() == t.IntBitOffset()
	}
	return k.Kind() == t.Kind() && k.Size() == t.Size()
}
