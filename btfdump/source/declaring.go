package source

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// A Declaring is a module that declares names which its kernel does not.
type Declaring struct {
	Module string
	// Path is the module's file, where [Open] does not find it by name: for the
	// running kernel, one that is not loaded.
	Path string
	// Names are those that were looked for, sorted: of structs, unions, enums
	// and typedefs that it defines, of enumerators, and of kfuncs.
	Names []string
}

// maxDeclaring is how many modules are returned at most.
const maxDeclaring = 16

// ModulesDeclaring looks for names in all modules that [Open] would find by name
// for an input: those that are loaded, and those in the kernel's package or
// directory tree. For the running kernel, modules in lib/modules count too that
// are not loaded. looked is how many modules were looked at.
//
// It is for advice, on an input that Open has read: modules that can't be read
// are passed over, and when ctx ends, what was found until then is returned with
// ctx's error. It takes as long as reading all modules does, some ten seconds for
// a distribution's package. Standard input can't be read again, and has none.
func ModulesDeclaring(ctx context.Context, input string, names []string, opts Options) (found []Declaring, looked int, err error) {
	return modulesDeclaring(ctx, input, names, opts, running)
}

func modulesDeclaring(ctx context.Context, input string, names []string, opts Options, live liveKernel) ([]Declaring, int, error) {
	if input == "-" || isLoadedObject(input) || len(names) == 0 {
		return nil, 0, ctx.Err()
	}
	kernel, err := open(input, nil, opts, live)
	if err != nil {
		return nil, 0, err
	}
	// Modules repeat types of the kernel's.
	has := declared(kernel.View, names)
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" || slices.Contains(has, name) })
	d := declaringSearch{ctx: ctx, kernel: kernel, names: names}
	s := &search{wants: wants{all: true, release: opts.Release}, eachModule: d.look}
	dir := modulesBeside(input, kernel.Release)
	switch {
	case input == "":
		err = d.live(s, live, opts)
	case isDir(input):
		s.wants.kernel = true // it tells which directory has the modules
		err = s.tree(input, opts)
	case dir != "":
		err = s.moduleTree(newTree(dir), dir, "", opts)
	default:
		err = s.find(input, opts)
	}
	if ctx.Err() != nil {
		return d.found, d.looked, ctx.Err()
	}
	if len(d.found) > 0 || errors.Is(err, ErrNoBTF) {
		err = nil
	}
	slices.SortFunc(d.found, func(a, b Declaring) int { return strings.Compare(a.Module, b.Module) })
	return d.found, d.looked, err
}

// A declaringSearch looks for names in modules.
type declaringSearch struct {
	ctx    context.Context
	kernel *Kernel
	names  []string
	loaded bool // the modules are those that the running kernel has loaded
	byPath bool // modules have to be given by their paths

	seen   []string
	found  []Declaring
	looked int
}

// live looks at the running kernel's modules: those that are loaded first.
func (d *declaringSearch) live(s *search, live liveKernel, opts Options) error {
	loaded, err := live.modules()
	if err != nil {
		return err
	}
	d.loaded = true
	for _, name := range loaded {
		raw, err := live.read(name)
		if err != nil {
			continue
		}
		if err := d.look(&Found{Module: name, Raw: raw}); err != nil {
			return err
		}
	}
	d.loaded, d.byPath = false, true
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		if dir = filepath.Join(dir, d.kernel.Release); d.kernel.Release != "" && isDir(dir) {
			return s.moduleTree(newTree(dir), dir, "", opts)
		}
	}
	return nil
}

// look looks at one module. Its error says to stop.
func (d *declaringSearch) look(f *Found) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if len(d.found) >= maxDeclaring {
		return fs.SkipAll
	}
	if slices.Contains(d.seen, f.Module) || strings.HasSuffix(f.Module, inline) || f.Release != "" && d.kernel.Release != "" && f.Release != d.kernel.Release {
		return nil
	}
	d.seen = append(d.seen, f.Module)
	d.looked++
	// Most modules have none of the names among their strings: they need not be
	// put on the kernel's types.
	if !slices.ContainsFunc(d.names, func(name string) bool { return bytes.Contains(f.Raw, []byte("\x00"+name+"\x00")) }) {
		return nil
	}
	m := module{name: f.Module, origin: f.Module, raw: f.Raw, base: f.Base, release: f.Release, loaded: d.loaded}
	view, err := m.open(d.kernel.View, "the kernel", d.kernel.Release)
	if err != nil {
		return nil
	}
	if names := declared(view, d.names); len(names) > 0 {
		found := Declaring{Module: f.Module, Names: names}
		if d.byPath {
			found.Path = f.Path()
		}
		d.found = append(d.found, found)
	}
	return nil
}

// declared returns those of some names that a view declares; of split BTF, not
// what its base does.
func declared(view *btfdump.View, names []string) []string {
	var found []string
	for t := range view.All() {
		if t.ID() < view.FirstID() {
			continue
		}
		switch k := t.Kind(); {
		case k.IsEnum():
			for i := range t.NumEnumerators() {
				found = append(found, t.Enumerator(i).Name)
			}
			found = append(found, t.Name())
		case k.IsRecord(), k == btfdump.KindTypedef:
			found = append(found, t.Name())
		case k == btfdump.KindDeclTag && t.Name() == "bpf_kfunc":
			found = append(found, view.Type(t.Ref()).Name())
		}
	}
	found = slices.DeleteFunc(found, func(name string) bool { return !slices.Contains(names, name) })
	slices.Sort(found)
	return slices.Compact(found)
}
