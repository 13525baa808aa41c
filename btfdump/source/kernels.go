package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A KernelFile is a kernel that [Kernels] found.
type KernelFile struct {
	Input string // for Open
	// Name is where it was found: the path below the directory that was
	// searched, or below the part of a glob that has no wildcards, or the file's
	// name. Its separator is a slash.
	Name string
	// Listed says that a directory or glob was named and not the file, so that it
	// may be something else than a kernel.
	Listed bool
}

// Kernels returns the kernels that some paths stand for: a file itself, what a
// glob matches, and of a directory all files in it and below that are called as
// kernel images, packages, archives and files of BTF are. A directory without
// such files stands for itself, as lib/modules/RELEASE does. Nothing is opened:
// whether a file holds BTF is not known yet. Two kernels with one
// [KernelFile.BTFName] are an error.
func Kernels(patterns []string) ([]KernelFile, error) {
	var all []KernelFile
	inputs := make(map[string]string)
	for _, pattern := range patterns {
		if pattern == "" {
			return nil, errors.New("the name of a kernel is empty")
		}
		found, err := expand(pattern)
		if err != nil {
			return nil, err
		}
		for _, k := range found {
			if other, ok := inputs[k.BTFName()]; ok && other != k.Input {
				return nil, fmt.Errorf("%s and %s have the same name, %s: name a directory that has both below it", other, k.Input, k.BTFName())
			} else if !ok {
				inputs[k.BTFName()] = k.Input
				all = append(all, k)
			}
		}
	}
	return all, nil
}

// expand returns the kernels that one path stands for.
func expand(pattern string) ([]KernelFile, error) {
	if info, err := os.Stat(pattern); err == nil {
		return kernelsAt(pattern, filepath.Base(pattern), info.IsDir())
	} else if !strings.ContainsAny(pattern, "*?[") {
		return nil, fmt.Errorf("%s: %w", pattern, plainPathError(err))
	}
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("%s matches no file", pattern)
	}
	root := filepath.Dir(pattern[:strings.IndexAny(pattern, "*?[")] + "x")
	var all []KernelFile
	for _, match := range matches {
		info, err := os.Stat(match)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", match, plainPathError(err))
		}
		name, err := filepath.Rel(root, match)
		if err != nil {
			return nil, err
		}
		found, err := kernelsAt(match, filepath.ToSlash(name), info.IsDir())
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].Listed = true
		}
		if info.IsDir() && (len(found) != 1 || found[0].Input != match) {
			for i := range found {
				found[i].Name = filepath.ToSlash(name) + "/" + found[i].Name
			}
		}
		all = append(all, found...)
	}
	return all, nil
}

// kernelsAt returns the kernels in a directory, by their paths in it, or a file.
func kernelsAt(path, name string, isDir bool) ([]KernelFile, error) {
	if !isDir {
		return []KernelFile{{Input: path, Name: name}}, nil
	}
	var found []KernelFile
	err := fs.WalkDir(os.DirFS(path), ".", func(below string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(path, below), plainPathError(err))
		}
		if !entry.IsDir() && holdsKernel(entry.Name()) {
			file := filepath.Join(path, filepath.FromSlash(below))
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				found = append(found, KernelFile{file, below, true})
			}
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		if filepath.Base(filepath.Dir(absolute(path))) != "modules" && !newTree(path).isImage() {
			return nil, fmt.Errorf("%s: %w: the directory has no file called as kernels, packages or BTF are (vmlinuz-*, *.deb, *.btf, *.btf.tar.xz)", path, ErrNoBTF)
		}
		found = []KernelFile{{Input: path, Name: filepath.Base(absolute(path))}}
	}
	return found, err
}

// holdsKernel says whether a file is called as those are that Open finds a
// kernel in.
func holdsKernel(base string) bool {
	return !strings.HasPrefix(base, ".") && (isKernelName(withoutPacking(base)) || isArchiveName(base))
}

// Release returns the release that the path of the kernel's file tells, as that
// of boot/vmlinuz-6.12.9-amd64 does; "" if it tells none. The kernel itself,
// which is not opened, may have another.
func (k KernelFile) Release() string {
	return releaseInPath(filepath.ToSlash(absolute(k.Input)))
}

// IsBTF says whether the kernel's file is called as BTF is, as all are in
// BTFHub's archive.
func (k KernelFile) IsBTF() bool { return isBTFName(path.Base(k.Name)) }

// BTFName returns the kernel's name as that of a file of BTF: without the
// suffixes of packages, archives and compressed files, and ending in ".btf".
func (k KernelFile) BTFName() string {
	return strings.TrimSuffix(withoutPacking(k.Name), ".btf") + ".btf"
}
