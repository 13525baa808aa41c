package source

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// A moduleFile is a file with a module's split BTF.
type moduleFile struct {
	name   string // as lsmod prints it
	path   string
	loaded bool // path is the running kernel's
}

// moduleFiles returns the files of what the user called modules, each once, in the order of their names. baseLive says that the base is
// the running kernel.
func moduleFiles(modules []string, baseLive bool, live liveKernel) ([]moduleFile, error) {
	var files []moduleFile
	for _, module := range modules {
		switch {
		case module == "":
			return nil, errors.New("a module's name is empty")
		case strings.ContainsAny(module, "/."):
			files = append(files, moduleFile{name: nameOfFile(module), path: filepath.Clean(module)})
		case !baseLive && module == "all":
			return nil, errors.New("all loaded modules are those of the running kernel, which don't fit another kernel's types: give the paths of that kernel's modules")
		case !baseLive:
			return nil, fmt.Errorf("module %q is the name of a module of the running kernel, whose types don't fit another kernel's: give the path of that kernel's module, such as ./%s.ko", module, module)
		case module == "vmlinux":
			return nil, errors.New("vmlinux is no module: it is read anyway")
		case module == "all":
			names, err := live.modules()
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				files = append(files, moduleFile{name: name, path: live.path(name), loaded: true})
			}
		default:
			name := canonical(module)
			files = append(files, moduleFile{name: name, path: live.path(name), loaded: true})
		}
	}
	slices.SortFunc(files, func(a, b moduleFile) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.path, b.path))
	})
	return slices.Compact(files), nil
}

// canonical is a module's name as the kernel writes it: nf-conntrack.ko becomes nf_conntrack.
func canonical(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

// nameOfFile returns the name of the module in a file, after the file's.
func nameOfFile(path string) string {
	base := filepath.Base(path)
	for _, suffix := range []string{".ko", ".btf"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return canonical(base)
}

// openModule reads a module's types, which stand on base, the types of the kernel called kernel.
func openModule(file moduleFile, base *btfdump.View, kernel string) (*btfdump.View, error) {
	raw, err := readFile(file.path)
	if errors.Is(err, fs.ErrNotExist) && file.loaded {
		return nil, fmt.Errorf("%w: %s (there is no %s): load it with modprobe %s, or give the path of its .ko file", ErrNotLoaded, file.name, file.path, file.name)
	}
	if err != nil {
		return nil, err
	}
	split, err := btfdump.NewSplit(raw, base)
	if err != nil {
		return nil, fmt.Errorf("%s: as a module of %s: %w; is it a module of that very kernel build?", file.path, kernel, err)
	}
	return split, nil
}
