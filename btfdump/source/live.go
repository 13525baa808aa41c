package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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
	raw, err := readFile(k.path("vmlinux"))
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

// release returns what uname -r prints. It is no reason to fail when it can't be read, and it is nothing to pass on when it isn't plain.
func (k liveKernel) release() string {
	data, err := os.ReadFile(k.osrelease)
	release := strings.TrimSpace(string(data))
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+~-", r)
	}
	if err != nil || strings.TrimFunc(release, plain) != "" {
		return ""
	}
	return release
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
