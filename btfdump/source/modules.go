package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// moduleRequests are the modules that a caller of Open asked for.
type moduleRequests struct {
	names map[string]bool // canonical
	all   bool
	paths []string
}

func parseModules(modules []string) (moduleRequests, error) {
	r := moduleRequests{names: map[string]bool{}}
	for _, module := range modules {
		switch {
		case module == "":
			return r, errors.New("a module's name is empty")
		case strings.ContainsAny(module, "/.") && !strings.HasSuffix(module, inline):
			r.paths = append(r.paths, filepath.Clean(module))
		case module == "vmlinux":
			return r, errors.New("vmlinux is no module: it is read anyway")
		case module == "all":
			r.all = true
		default:
			r.names[canonical(module)] = true
		}
	}
	slices.Sort(r.paths)
	r.paths = slices.Compact(r.paths)
	return r, nil
}

// A module is the BTF of a kernel module.
type module struct {
	name    string // as lsmod prints it
	origin  string // what errors call it: its file
	raw     []byte
	base    []byte // the base that it was built on, if it has its own
	release string // that it is for, "" if not known
	loaded  bool   // the running kernel's, on its own types

	searched bool // it was found inside of what was named
}

// inline is the end of the name of BTF that stands on that of the module, or of
// vmlinux, in front of it: a third level, for the places of inlined functions.
const inline = ".inline"

// canonical is a module's name as the kernel writes it: nf-conntrack.ko becomes
// nf_conntrack.
func canonical(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

// nameOfFile returns the name of the module in a file, after the file's.
func nameOfFile(path string) string {
	base := filepath.Base(path)
	if name, ok := moduleName(base); ok {
		return name
	}
	for _, suffix := range []string{".gz", ".xz", ".zst", ".btf"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return canonical(base)
}

// moduleFiles reads the modules that were given as paths.
func moduleFiles(r moduleRequests, opts Options) ([]module, error) {
	var modules []module
	for _, path := range r.paths {
		found, err := moduleFile(path, opts)
		if err != nil {
			return nil, err
		}
		modules = append(modules, found...)
	}
	return modules, nil
}

// moduleFile reads the module in a file, or all modules in a package.
func moduleFile(path string, opts Options) ([]module, error) {
	s, err := find(path, wants{all: true}, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var modules []module
	for _, f := range s.found {
		m := module{name: f.Module, origin: path, raw: f.Raw, base: f.Base, release: f.Release}
		if inside := f.Path(); inside != "" {
			m.origin += ": " + quoted(inside)
		}
		if m.name == "" {
			m.name = nameOfFile(path)
			m.release = ""
		}
		modules = append(modules, m)
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("%s: %w: there is no module in it", path, ErrNoBTF)
	}
	return modules, nil
}

// pickModules returns those of the modules found that were asked for and are
// the kernel's.
func (s *search) pickModules(r moduleRequests, release string) []module {
	var modules []module
	for _, f := range s.found {
		if f.Module == "" || !r.all && !r.names[f.Module] || release != "" && f.Release != "" && f.Release != release {
			continue
		}
		modules = append(modules, module{name: f.Module, origin: quoted(f.Path()), raw: f.Raw, base: f.Base, release: f.Release})
	}
	return modules
}

// addMissing looks for modules that were asked for by name and were not found in
// the input: in the tree that the input's file stands in. inside says that the
// input is a package or tree.
func (r moduleRequests) addMissing(modules []module, input, release string, inside bool, opts Options) ([]module, error) {
	have := map[string]bool{}
	for _, m := range modules {
		have[m.name] = true
	}
	missing := wants{modules: map[string]bool{}, all: r.all && len(modules) == 0}
	for name := range r.names {
		if !have[name] {
			missing.modules[name] = true
		}
	}
	if len(missing.modules) == 0 && !missing.all {
		return modules, nil
	}
	if dir := modulesBeside(input, release); dir != "" && !inside {
		s := &search{wants: missing}
		if err := s.moduleTree(newTree(dir), dir, "", opts); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		for _, m := range s.pickModules(r, release) {
			modules = append(modules, m)
			delete(missing.modules, m.name)
		}
		if missing.all && len(modules) > 0 || !missing.all && len(missing.modules) == 0 {
			return modules, nil
		}
	}
	names := slices.Sorted(maps.Keys(missing.modules))
	if len(names) > 0 {
		if err := builtInTree(input, release, names[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", inputName(input), err)
		}
	}
	switch {
	case inside && len(names) == 0:
		return nil, fmt.Errorf("%s: %w: it has no modules with BTF%s", inputName(input), ErrNoBTF, ofRelease(release))
	case inside:
		return nil, fmt.Errorf("%s: %w: it has no module %q with BTF%s", inputName(input), ErrNoBTF, names[0], ofRelease(release))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("all modules are those of the running kernel, or of the package or tree that a kernel comes in, and %s is a single file: give the paths of that kernel's modules", inputName(input))
	}
	return nil, fmt.Errorf("module %q is looked for by name in the package or tree that a kernel comes in, and %s is a single file: give the module's path, such as ./%s.ko", names[0], inputName(input), names[0])
}

func ofRelease(release string) string {
	if release == "" {
		return ""
	}
	return " for the release " + quoted(release)
}

// join adds the types of modules to the kernel's. name is what errors call the
// kernel.
func (k *Kernel) join(name string, modules []module) error {
	slices.SortStableFunc(modules, func(a, b module) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.origin, b.origin)) })
	modules = slices.CompactFunc(modules, func(a, b module) bool { return a.name == b.name && a.origin == b.origin })

	base := k.View
	views := make(map[string]*btfdump.View)
	var parents []string // modules that others stand on: their types come with those
	for level := range 2 {
		for _, m := range modules {
			parent, isInline := strings.CutSuffix(m.name, inline)
			if isInline != (level == 1) {
				continue
			}
			on, onName := base, name
			if isInline && parent != "vmlinux" {
				if on = views[parent]; on == nil {
					return fmt.Errorf("%s stands on the types of the module %s: give that too", m.origin, quoted(parent))
				}
				onName = "the module " + parent
				parents = append(parents, parent)
			}
			view, err := m.open(on, onName, k.Release)
			if err != nil {
				return err
			}
			views[m.name] = view
			k.Modules = append(k.Modules, m.name)
		}
	}
	slices.Sort(k.Modules)
	k.Modules = slices.Compact(k.Modules)
	var splits []*btfdump.View
	for _, module := range k.Modules {
		if !slices.Contains(parents, module) {
			splits = append(splits, views[module])
		}
	}
	switch len(splits) {
	case 0:
	case 1:
		k.View = splits[0]
	default:
		joined, err := btfdump.Join(base, splits...)
		if err != nil {
			return fmt.Errorf("%s with modules %s: %w", name, strings.Join(k.Modules, ", "), err)
		}
		k.View = joined
	}
	return nil
}
