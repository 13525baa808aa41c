package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// imagePatterns are where distributions and kernel builds put kernel images, by
// paths from the root of a file system, from /boot, from lib/modules/RELEASE or
// from a build's directory. For one release, the first that has BTF is taken.
var imagePatterns = []string{
	"vmlinux", "vmlinux-*", "vmlinuz-*", "vmlinuz", "Image-*", "bzImage", "Image", "kernel-*",
	"*.btf",
	"build/vmlinux", "kernel/vmlinux",
	"arch/*/boot/bzImage", "arch/*/boot/Image",
	"boot/vmlinux-*", "boot/vmlinuz-*", "boot/Image-*", "boot/kernel-*", "boot/vmlinuz", "boot/kernel*.img", "boot/Image", "boot/bzImage", "boot/zImage",
	"lib/modules/*/vmlinux", "lib/modules/*/vmlinuz", "lib/modules/*/build/vmlinux",
	"usr/lib/modules/*/vmlinux", "usr/lib/modules/*/vmlinuz", "usr/lib/modules/*/build/vmlinux",
	"usr/lib/debug/boot/vmlinux-*", "usr/lib/debug/lib/modules/*/vmlinux", "usr/lib/debug/lib/modules/*/vmlinux.debug",
}

// A treeImage is a kernel image in a directory tree.
type treeImage struct{ path, release string }

// tree searches a directory: lib/modules/RELEASE, the root of a file system, or
// another one with kernel images in it.
func (s *search) tree(dir string, opts Options) error {
	images := imagesIn(dir)
	own := ""
	if filepath.Base(filepath.Dir(absolute(dir))) == "modules" {
		own = releaseOf(filepath.Base(absolute(dir)))
	}
	if own != "" {
		for i := range images {
			images[i].release = own
		}
		// Its kernel is often in /boot, of the same file system.
		for _, root := range rootsAbove(absolute(dir)) {
			for _, image := range imagesIn(root) {
				if image.release == own {
					images = append(images, image)
				}
			}
		}
	}
	if opts.Release != "" {
		images = slices.DeleteFunc(images, func(i treeImage) bool { return i.release != opts.Release && i.release != "" })
	}
	if len(images) == 0 && opts.Release != "" {
		return fmt.Errorf("%w: the directory has no kernel image of the release %s", ErrNoBTF, quoted(opts.Release))
	}
	if len(images) == 0 {
		return fmt.Errorf("%w: the directory has no kernel image where one is usual (boot/vmlinuz-*, lib/modules/*/vmlinuz, vmlinux)", ErrNoBTF)
	}
	var releases []string
	for _, image := range images {
		if image.release != "" {
			releases = append(releases, image.release)
		}
	}
	slices.Sort(releases)
	if releases = slices.Compact(releases); len(releases) > 1 {
		return fmt.Errorf("it holds %d kernels: choose one with --release: %s", len(releases), strings.Join(releases, ", "))
	}

	var failures []error
	for _, image := range images {
		if err := s.file(image.path, image.release, opts); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", image.path, err))
			continue
		}
		break
	}
	if len(s.found) == 0 {
		return errors.Join(failures...)
	}
	s.single = true
	if len(s.wants.modules) == 0 && !s.wants.all {
		return nil
	}
	release := s.found[0].Release
	if own != "" {
		return s.moduleTree(dir, opts)
	}
	for _, sub := range []string{"lib/modules", "usr/lib/modules"} {
		if modules := filepath.Join(dir, sub, release); release != "" && isDir(modules) {
			return s.moduleTree(modules, opts)
		}
	}
	return s.moduleTree(dir, opts)
}

// imagesIn returns the kernel images in a directory tree, each once.
func imagesIn(dir string) []treeImage {
	var images []treeImage
	var seen []fs.FileInfo
	for _, pattern := range imagePatterns {
		paths, _ := fs.Glob(os.DirFS(dir), pattern) // errors are those of a wrong pattern
		slices.Sort(paths)
		for _, path := range paths {
			full := filepath.Join(dir, filepath.FromSlash(path))
			info, err := os.Stat(full)
			if err != nil || !info.Mode().IsRegular() || !isKernelName(filepath.Base(path)) || slices.ContainsFunc(seen, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
				continue
			}
			seen = append(seen, info)
			images = append(images, treeImage{full, releaseInPath(path)})
		}
	}
	return images
}

// file searches one file of a tree, and adds what it finds.
func (s *search) file(path, release string, opts Options) error {
	file, err := os.Open(path)
	if err != nil {
		return plainPathError(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return plainPathError(err)
	}
	inner := &search{wants: s.wants}
	inner.known.release = release
	if s.eachModule != nil {
		inner.eachModule = func(f *Found) error {
			f.Layers[0].Path = path
			return s.eachModule(f)
		}
	}
	err = inner.run(fileInput(file, info.Size()), opts.MaxSize)
	for i := range inner.found {
		inner.found[i].Layers[0].Path = path
	}
	s.found = append(s.found, inner.found...)
	s.missed = append(s.missed, inner.missed...)
	s.failed = inner.failed
	return err
}

// moduleTree adds those modules in a directory tree that are wanted.
func (s *search) moduleTree(dir string, opts Options) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", path, plainPathError(err))
		}
		name, ok := moduleName(entry.Name())
		if entry.IsDir() || !ok || !s.wants.module(name) {
			return nil
		}
		inner := *s
		inner.wants.kernel = false
		inner.found, inner.missed = nil, nil
		err = inner.file(path, "", opts)
		s.found = append(s.found, inner.found...)
		s.missed = append(s.missed, inner.missed...)
		if inner.failed != nil {
			s.failed = inner.failed
			return fs.SkipAll
		}
		if err != nil && !(errors.Is(err, ErrNoBTF) && s.wants.all) {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// modulesBeside returns the directory with the modules of the kernel whose image
// is the input, "" if there is none: lib/modules/RELEASE where the image is
// in boot, or the image's own directory if that is lib/modules/RELEASE.
func modulesBeside(input, release string) string {
	if input == "-" || release == "" {
		return ""
	}
	dir := filepath.Dir(absolute(input))
	if filepath.Base(dir) == release {
		return dir
	}
	for _, sub := range []string{"lib/modules", "usr/lib/modules"} {
		if modules := filepath.Join(filepath.Dir(dir), sub, release); filepath.Base(dir) == "boot" && isDir(modules) {
			return modules
		}
	}
	return ""
}

// rootsAbove returns the root of the file system tree that lib/modules/RELEASE,
// or usr/lib/modules/RELEASE, stands in.
func rootsAbove(dir string) []string {
	lib := filepath.Dir(filepath.Dir(dir))
	root := filepath.Dir(lib)
	if filepath.Base(root) == "usr" {
		return []string{filepath.Dir(root), root}
	}
	return []string{root}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
