package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A liveKernel is where the running kernel shows its BTF.
type liveKernel struct {
	btf       string // directory with a file for vmlinux and for each loaded module that has BTF
	osrelease string // file with the release
}

// running is the kernel that runs this program.
var running = liveKernel{btf: "/sys/kernel/btf", osrelease: "/proc/sys/kernel/osrelease"}

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
		return nil, fmt.Errorf("%w: the running kernel does not show any (%s does not exist): it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y and a mounted /sys; else give a kernel's file as input", ErrNoBTF, k.path("vmlinux"))
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
			return nil, fmt.Errorf("%w: %s (there is no %s): load it with modprobe %s, or give the path of its .ko file", ErrNotLoaded, name, k.path(name), name)
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
