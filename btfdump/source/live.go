package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A liveKernel is where the running kernel shows its BTF.
type liveKernel struct {
	btf       string // directory with a file for vmlinux and for each loaded module that has BTF
	osrelease string // file with the release
	root      string // of the file system with the kernel's files, and with sys; "": there is none
}

// running is the kernel that runs this program.
var running = liveKernel{btf: "/sys/kernel/btf", osrelease: "/proc/sys/kernel/osrelease", root: "/"}

// ErrBuiltIn is wrapped by the errors of Open when a module was given by name
// that is part of the kernel itself, whose types are among the kernel's.
var ErrBuiltIn = errors.New("no module, but built into the kernel")

// A NotShownError is the error of Open when the running kernel shows no BTF. It
// wraps [ErrNoBTF].
type NotShownError struct {
	Path    string // where it would be
	Release string // of the running kernel, "" if not known

	// Files are those of the running kernel that are there and may have BTF in
	// them, the likeliest first.
	Files []string
}

func (e *NotShownError) Error() string {
	text := fmt.Sprintf("%v: the running kernel does not show any (%s does not exist): it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y and a mounted /sys", ErrNoBTF, e.Path)
	switch {
	case len(e.Files) > 0:
		return text + "; its file may have some: " + strings.Join(e.Files, ", ")
	case e.Release != "":
		return text + fmt.Sprintf("; and of its files (boot/vmlinuz-%s, lib/modules/%[1]s/vmlinuz and the like) none is here: give a kernel's file as input", e.Release)
	}
	return text + "; else give a kernel's file as input"
}

func (e *NotShownError) Unwrap() error { return ErrNoBTF }

// notShown returns the error of a kernel that shows no BTF.
func (k liveKernel) notShown() error {
	e := &NotShownError{Path: k.path("vmlinux"), Release: k.release()}
	if k.root == "" || e.Release == "" {
		return e
	}
	for _, pattern := range []string{
		"usr/lib/debug/boot/vmlinux-%s", "usr/lib/debug/lib/modules/%s/vmlinux", "boot/vmlinux-%s", "lib/modules/%s/vmlinux", "lib/modules/%s/build/vmlinux",
		"boot/vmlinuz-%s", "lib/modules/%s/vmlinuz", "usr/lib/modules/%s/vmlinuz", "boot/Image-%s", "boot/kernel-%s",
	} {
		path := filepath.Join(k.root, fmt.Sprintf(pattern, e.Release))
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		same := slices.ContainsFunc(e.Files, func(file string) bool {
			other, err := os.Stat(file)
			return err == nil && os.SameFile(info, other)
		})
		if !same {
			e.Files = append(e.Files, path)
		}
	}
	return e
}

// notLoaded returns the error of a module that the kernel shows no BTF of.
func (k liveKernel) notLoaded(name string) error {
	if k.root != "" {
		dir := filepath.Join(k.root, "sys/module", name)
		_, loadable := os.Stat(filepath.Join(dir, "initstate")) // what is built in has none
		switch list := filepath.Join(k.root, "lib/modules", k.release()); {
		case isDir(dir) && loadable == nil:
			return fmt.Errorf("%w: the module %s is loaded, but there is no %s: it was built without CONFIG_DEBUG_INFO_BTF_MODULES=y, or without the kernel's BTF at hand", ErrNoBTF, name, k.path(name))
		case isDir(dir):
			return builtInError(name, dir)
		case k.release() != "" && listsBuiltIn(list, name):
			return builtInError(name, filepath.Join(list, builtInList))
		}
	}
	return fmt.Errorf("%w: %s (there is no %s): load it with modprobe %s, or give the path of its .ko file", ErrNotLoaded, name, k.path(name), name)
}

// builtInList is the file in lib/modules/RELEASE that names what could have been
// a module (Documentation/kbuild/kbuild.rst).
const builtInList = "modules.builtin"

// builtInError is the error of a module that is built in, which a file says.
func builtInError(name, file string) error {
	return fmt.Errorf("%w: %s (%s says so): its types are in the kernel already", ErrBuiltIn, name, file)
}

// listsBuiltIn says whether a module is built into the kernel whose modules are in
// a directory lib/modules/RELEASE.
func listsBuiltIn(dir, name string) bool {
	file, err := os.Open(filepath.Join(dir, builtInList))
	if err != nil {
		return false
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	const most = 4 << 20 // a hundred times what it has
	lines := bufio.NewScanner(io.LimitReader(file, most))
	for lines.Scan() {
		if module, ok := moduleName(path.Base(lines.Text())); ok && module == name {
			return true
		}
	}
	return false
}

// builtInTree returns the error of a module that is built into the kernel in a
// tree, or of the tree around a kernel's file; nil if it is not.
func builtInTree(input, release, name string) error {
	dirs := []string{modulesBeside(input, release), input}
	for _, sub := range []string{"lib/modules", "usr/lib/modules"} {
		if release != "" {
			dirs = append(dirs, filepath.Join(input, sub, release))
		}
	}
	for _, dir := range dirs {
		if dir != "" && input != "-" && listsBuiltIn(dir, name) {
			return builtInError(name, filepath.Join(dir, builtInList))
		}
	}
	return nil
}

func (k liveKernel) path(name string) string {
	return filepath.Join(k.btf, name)
}

// vmlinux returns the kernel's own BTF.
func (k liveKernel) vmlinux() ([]byte, error) {
	raw, err := k.read("vmlinux")
	switch {
	case err == nil:
		return raw, nil
	case errors.Is(err, fs.ErrNotExist) && runtime.GOOS != "linux":
		return nil, fmt.Errorf("%w: this is %s, and no Linux kernel runs here: give the file of one as input", ErrNoBTF, runtime.GOOS)
	case errors.Is(err, fs.ErrNotExist):
		return nil, k.notShown()
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the running kernel's BTF may not be read here: %w: run as a user who may, or give a kernel's file as input", err)
	}
	return nil, err
}

// release returns what uname -r prints. It is no reason to fail when it can't
// be read, and it is nothing to pass on when it isn't plain.
func (k liveKernel) release() string {
	data, err := os.ReadFile(k.osrelease)
	release := strings.TrimSpace(string(data))
	if err != nil || strings.Trim(release, plain) != "" {
		return ""
	}
	return release
}

// read returns the content of one of the kernel's files, and takes no copy of it
// where the file can be mapped.
func (k liveKernel) read(name string) ([]byte, error) {
	file, err := os.Open(k.path(name))
	if err != nil {
		return nil, err // an *os.PathError names the path
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mapped, ok := mapSysfs(file, info.Size()); ok {
		return mapped, nil
	}
	if info.Size() > MaxBTF {
		return nil, tooMuchBTF(k.path(name))
	}
	raw := make([]byte, info.Size())
	if n, err := io.ReadFull(file, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", k.path(name), cut(int64(n), info.Size(), err))
	}
	return raw, nil
}

// requested reads those of the loaded modules that were asked for by name, and
// what they stand on.
func (k liveKernel) requested(r moduleRequests) ([]module, error) {
	if len(r.names) == 0 && !r.all {
		return nil, nil
	}
	names := make(map[string]bool)
	for name := range r.names {
		names[name] = true
		if parent, ok := strings.CutSuffix(name, inline); ok && parent != "vmlinux" {
			names[parent] = true
		}
	}
	if r.all {
		loaded, err := k.modules()
		if err != nil {
			return nil, err
		}
		for _, name := range loaded {
			names[name] = true
		}
	}
	var modules []module
	for _, name := range slices.Sorted(maps.Keys(names)) {
		raw, err := k.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, k.notLoaded(name)
		}
		if err != nil {
			return nil, err
		}
		modules = append(modules, module{name: name, origin: k.path(name), raw: raw, loaded: true})
	}
	return modules, nil
}

// modules returns the names of the loaded modules that have BTF.
func (k liveKernel) modules() ([]string, error) {
	entries, err := os.ReadDir(k.btf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // reading vmlinux says what is amiss
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != "vmlinux" {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
