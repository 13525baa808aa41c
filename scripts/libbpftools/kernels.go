package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// A kernel is one that the tools are built for, and tried on.
type kernel struct {
	name   string
	input  string // as btfgen takes it; "" for the running one
	btf    string // a file with its BTF alone, for those who read nothing else
	arch   string // as in __TARGET_ARCH_x86
	target *core.Target
	big    bool   // byte order
	header string // directory of btfgen's vmlinux.h
	size   int64  // of that header in bytes
	dir    string // for all that is made for this kernel
}

func (k *kernel) isRunning() bool { return k.input == "" }

// clangTarget is the -target of objects for the kernel.
func (k *kernel) clangTarget() string {
	if k.big {
		return "bpfeb"
	}
	return "bpfel"
}

// kernelInputs returns the kernels that were asked for: files, and those in the
// cache whose names match one of the globs; without any, those of goldens/corpus.
func kernelInputs(files []string, cache string, globs []string) ([]string, error) {
	inputs := slices.Clone(files)
	for _, glob := range globs {
		found, err := filepath.Glob(filepath.Join(cache, "kernels", glob, "vmlinux.btf"))
		if err != nil {
			return nil, fmt.Errorf("-kernels %q: %w", glob, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no kernel in %s matches %s: make corpus downloads them", cache, glob)
		}
		inputs = append(inputs, found...)
	}
	if len(inputs) == 0 {
		for _, k := range btftest.Kernels {
			if k.Base == "" {
				inputs = append(inputs, filepath.Join("goldens", "corpus", k.Name+".btf.xz"))
			}
		}
	}
	slices.Sort(inputs)
	return slices.Compact(inputs), nil
}

// kernelName names a kernel after its file, or its directory in the cache.
func kernelName(path string) string {
	name := filepath.Base(path)
	if name == "vmlinux.btf" || name == "vmlinux" {
		name = filepath.Base(filepath.Dir(path))
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, ".xz"), ".btf")
}

// openKernel reads a kernel's types, and writes them and btfgen's header to a
// directory below work.
func (r *runner) openKernel(input string) (*kernel, error) {
	found, err := source.Open(input, nil, source.Options{})
	if err != nil {
		return nil, err
	}
	plan, err := cgen.NewPlan(found.View, nil, cgen.Options{Kfuncs: true})
	if err != nil {
		return nil, err
	}
	k := &kernel{
		name: "running " + found.Release, input: input, arch: plan.Arch(),
		target: core.NewTarget(found.View), big: found.View.ByteOrder().String() == "BigEndian",
	}
	if input != "" {
		k.name = kernelName(input)
	}
	k.dir = filepath.Join(r.work, strings.ReplaceAll(k.name, " ", "-"))
	k.btf = filepath.Join(k.dir, "vmlinux.btf")
	k.header = filepath.Join(k.dir, "full")
	if err := os.MkdirAll(k.header, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(k.btf, found.View.Raw(), 0o644); err != nil {
		return nil, err
	}
	header := filepath.Join(k.header, "vmlinux.h")
	if ran := r.btfgenFor(k, header); ran.err != nil {
		return nil, ran.err
	}
	k.size, err = fileSize(header)
	return k, err
}

var numbers = regexp.MustCompile(`\d+`)

// compareKernels sorts kernels by architecture, version and name.
func compareKernels(a, b *kernel) int {
	return cmp.Or(strings.Compare(a.arch, b.arch), slices.Compare(version(a.name), version(b.name)), strings.Compare(a.name, b.name))
}

// version returns the numbers of the version that a kernel's name has.
func version(name string) []int {
	at := regexp.MustCompile(`\d+\.\d+`).FindStringIndex(name)
	if at == nil {
		return nil
	}
	var version []int
	for _, n := range numbers.FindAllString(name[at[0]:], 3) {
		number, _ := strconv.Atoi(n) // digits, and few
		version = append(version, number)
	}
	return version
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
