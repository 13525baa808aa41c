package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Limits on what is looked through where no kernel lies in a usual place: files
// of a directory tree by their names, and those of which the first bytes are
// read. A whole system has some 500,000.
const (
	maxTree    = 1 << 20
	maxSniffed = 1 << 14
)

// A tree is a directory tree. Symbolic links in it lead to what is in it, as if
// its root were that of the file system (as chroot(2) makes it): in the root of
// another machine, /boot/vmlinuz is that machine's.
type tree struct {
	root string              // where links with a leading slash start
	base string              // the path from there to what is looked through
	own  string              // the release, of a directory lib/modules/RELEASE
	dirs map[string][]string // names in directories that were read
	seen []fs.FileInfo       // files that are candidates already
}

// newTree returns the tree of a directory, which itself may be reached by links.
func newTree(dir string) *tree {
	dir = absolute(dir)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	t := &tree{root: dir, dirs: map[string][]string{}}
	above := filepath.Dir(dir)
	switch {
	case filepath.Base(above) == "modules" && releaseOf(filepath.Base(dir)) != "":
		t.own = releaseOf(filepath.Base(dir))
		t.root = filepath.Dir(filepath.Dir(above))
		if filepath.Base(t.root) == "usr" {
			t.root = filepath.Dir(t.root)
		}
	case filepath.Base(dir) == "boot":
		t.root = above
	}
	if below, err := filepath.Rel(t.root, dir); err == nil && below != "." {
		t.base = filepath.ToSlash(below)
	}
	return t
}

// file returns the path of a file of the tree, which starts at base, for package
// os, if it is a regular one.
func (t *tree) file(name string) (string, fs.FileInfo, bool) {
	full, info, ok := t.stat(path.Join(t.base, name))
	return full, info, ok && info.Mode().IsRegular()
}

// stat follows the links in a path from the root.
func (t *tree) stat(name string) (string, fs.FileInfo, bool) {
	full := func(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }
	resolved, ok := resolve(name, func(name string) (string, bool) {
		target, err := os.Readlink(full(name))
		if err != nil {
			return "", false
		}
		if target = filepath.ToSlash(target); !path.IsAbs(target) {
			dir, _ := path.Split(name)
			target = dir + target
		}
		return target, true
	})
	if !ok {
		return "", nil, false
	}
	info, err := os.Lstat(full(resolved))
	return full(resolved), info, err == nil
}

// names returns the names in a directory, sorted.
func (t *tree) names(dir string) []string {
	if names, ok := t.dirs[dir]; ok {
		return names
	}
	var names []string
	if full, info, ok := t.stat(path.Join(t.base, dir)); ok && info.IsDir() {
		if d, err := os.Open(full); err == nil {
			names, _ = d.Readdirnames(maxTree)
			d.Close()
		}
	}
	slices.Sort(names)
	t.dirs[dir] = names
	return names
}

// matching returns the directories that match a pattern.
func (t *tree) matching(pattern string) []string {
	dirs := []string{""}
	if pattern == "" {
		return dirs
	}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range dirs {
			if !strings.Contains(part, "*") {
				next = append(next, path.Join(dir, part))
				continue
			}
			for _, name := range t.names(dir) {
				if match, _ := path.Match(part, name); match {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		dirs = next
	}
	return dirs
}

// placed returns the candidates in the places where kernels lie.
func (t *tree) placed() []candidate {
	var found []candidate
	for _, pattern := range places {
		for _, dir := range t.matching(pattern) {
			for _, name := range t.names(dir) {
				name = path.Join(dir, name)
				at, ok := placeOf(name)
				if !ok || at.class != placed {
					continue
				}
				if _, info, ok := t.file(name); ok && t.first(info) {
					found = append(found, candidate{path: name, release: t.releaseIn(name), place: at})
				}
			}
		}
	}
	sortCandidates(found)
	return found
}

// first says whether a file has not been seen before, by this or another name.
func (t *tree) first(info fs.FileInfo) bool {
	if slices.ContainsFunc(t.seen, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
		return false
	}
	t.seen = append(t.seen, info)
	return true
}

func (t *tree) releaseIn(name string) string {
	if t.own != "" && !strings.HasPrefix(name, "../") {
		return t.own
	}
	return releaseInPath(name)
}

func sortCandidates(c []candidate) {
	slices.SortFunc(c, func(a, b candidate) int {
		if a.place != b.place {
			if a.place.class != b.place.class {
				return int(a.place.class) - int(b.place.class)
			}
			return a.place.rank - b.place.rank
		}
		return strings.Compare(a.path, b.path)
	})
}

// tree searches a directory: lib/modules/RELEASE, the root of a file system, or
// another one with kernel images in it.
func (s *search) tree(dir string, opts Options) error {
	t := newTree(dir)
	if !s.wants.kernel {
		return s.moduleTree(t, dir, "", opts)
	}
	if t.isImage() {
		files := &treeFiles{tree: t}
		defer files.close()
		s.budget = newBudget(opts.MaxSize, func() int64 { return files.size })
		s.layers = []Layer{{Path: dir}}
		if ok, err := s.layered(files.open); ok {
			return err
		}
		s.layers, s.budget = nil, nil
	}
	c := &collection{s: s}
	try := func(found candidate) error {
		full, info, ok := t.file(found.path)
		if !ok || s.otherRelease(found, true) {
			return nil
		}
		return c.try(found, func() error {
			if err := s.file(full, t.shown(dir, found.path), info, opts); err != nil {
				return fmt.Errorf("%s: %w", t.shown(dir, found.path), err)
			}
			return nil
		})
	}
	candidates := t.placed()
	if t.own != "" {
		// Its kernel is often in /boot, of the same file system.
		root := &tree{root: t.root, dirs: map[string][]string{}, seen: t.seen}
		for _, found := range root.placed() {
			if found.release == t.own {
				if below, err := filepath.Rel("/"+t.base, "/"+found.path); err == nil {
					found.path = filepath.ToSlash(below)
					candidates = append(candidates, found)
				}
			}
		}
	}
	for _, found := range candidates {
		if err := try(found); err != nil {
			return err
		}
	}
	var packages []candidate
	for _, class := range []class{called, sniffed, nested} {
		if s.hasKernel() {
			break
		}
		found := packages
		if class != nested {
			var err error
			if found, err = t.walk(class); err != nil {
				return err
			}
		}
		for _, c := range found {
			if c.place.class > class {
				packages = append(packages, c)
			} else if err := try(c); err != nil {
				return err
			}
		}
	}
	if err := c.end("the directory has no kernel image in it (looked for boot/vmlinuz-*, lib/modules/*/vmlinuz, vmlinux and the like)"); err != nil {
		return err
	}
	if len(s.wants.modules) == 0 && !s.wants.all {
		return nil
	}
	kernel, err := s.pickKernel(opts.Release)
	if err != nil || kernel == nil {
		return err
	}
	for _, sub := range []string{"lib/modules", "usr/lib/modules"} {
		if t.own != "" || kernel.Release == "" {
			break
		}
		if _, info, ok := t.stat(path.Join(t.base, sub, kernel.Release)); ok && info.IsDir() {
			return s.moduleTree(t, dir, path.Join(sub, kernel.Release), opts)
		}
	}
	return s.moduleTree(t, dir, "", opts)
}

// shown is what a file of the tree is called where the tree is called dir.
func (t *tree) shown(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

// hasKernel says whether a kernel was found that may be the one that is wanted.
func (s *search) hasKernel() bool {
	return slices.ContainsFunc(s.found, func(f Found) bool {
		return f.Module == "" && !isSplit(f.Raw) && (s.wants.release == "" || f.Release == s.wants.release)
	})
}

// walk returns those files of the tree that are candidates by their names or,
// if the class is sniffed, by their first bytes.
func (t *tree) walk(class class) (found []candidate, err error) {
	files, read := 0, 0
	top, info, ok := t.stat(t.base)
	if !ok || !info.IsDir() || filepath.Dir(top) == top {
		return nil, nil // of this machine, there are the usual places
	}
	isRoot := t.isRoot()
	err = filepath.WalkDir(top, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			if full == top {
				return plainPathError(err)
			}
			return nil // what can't be entered
		}
		if files++; files > maxTree {
			return fmt.Errorf("%w: the directory has more than %d files: name one nearer to the kernel", ErrNoBTF, maxTree)
		}
		name, err := filepath.Rel(top, full)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case entry.IsDir() && isRoot && (name == "proc" || name == "sys" || name == "dev"):
			return fs.SkipDir // no files of a disk
		case entry.IsDir() || entry.Type()&^fs.ModeSymlink != 0:
			return nil
		}
		if _, isModule := moduleName(entry.Name()); isModule {
			return nil
		}
		at, called := placeOf(name)
		switch {
		case !called && class == sniffed && entry.Type().IsRegular():
			if at.class = sniffed; read == maxSniffed {
				return fmt.Errorf("%w: the directory has no file that is called as kernels are, and more than %d others: name one nearer to the kernel", ErrNoBTF, maxSniffed)
			}
			read++
		case !called || class == sniffed || at.class == placed:
			return nil
		}
		real, info, ok := t.file(name)
		if !ok || class == sniffed && !fileStartsAsKernel(real, info) || !t.first(info) {
			return nil
		}
		found = append(found, candidate{path: name, release: t.releaseIn(name), place: at})
		return nil
	})
	sortCandidates(found)
	return found, err
}

// isRoot says whether the tree is that of a running system.
func (t *tree) isRoot() bool {
	names := t.names("")
	return slices.Contains(names, "proc") && slices.Contains(names, "sys") && slices.Contains(names, "dev")
}

func fileStartsAsKernel(name string, info fs.FileInfo) bool {
	if info.Size() < 24 {
		return false // files of procfs have no size, and reading one may wait
	}
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	var head [headSize]byte
	n, _ := io.ReadFull(file, head[:])
	return startsAsKernel(head[:n])
}

// file searches one file of a tree, which is shown under a name, and adds what
// it finds.
func (s *search) file(name, shown string, info fs.FileInfo, opts Options) error {
	file, err := os.Open(name)
	if err != nil {
		return plainPathError(err)
	}
	defer file.Close()
	inner := &search{wants: s.wants, known: s.known}
	if s.eachModule != nil {
		inner.eachModule = func(f *Found) error {
			f.Layers[0].Path = shown
			return s.eachModule(f)
		}
	}
	err = inner.run(fileInput(file, info.Size()), opts.MaxSize)
	for i := range inner.found {
		inner.found[i].Layers[0].Path = shown
	}
	s.found = append(s.found, inner.found...)
	s.missed = append(s.missed, inner.missed...)
	s.unopened = append(s.unopened, inner.unopened...)
	s.failed = inner.failed
	return err
}

// moduleTree adds those modules below a directory of a tree that are wanted.
// dir is what the tree is called.
func (s *search) moduleTree(t *tree, dir, below string, opts Options) error {
	top, info, ok := t.stat(path.Join(t.base, below))
	if !ok || !info.IsDir() {
		return nil
	}
	return filepath.WalkDir(top, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", full, plainPathError(err))
		}
		module, ok := moduleName(entry.Name())
		if entry.IsDir() || entry.Type()&^fs.ModeSymlink != 0 || !ok || !s.wants.module(module) {
			return nil
		}
		name, err := filepath.Rel(top, full)
		if err != nil {
			return err
		}
		name = path.Join(below, filepath.ToSlash(name))
		real, info, ok := t.file(name)
		if !ok {
			return nil
		}
		inner := &search{wants: s.wants, eachModule: s.eachModule}
		inner.wants.kernel = false
		err = inner.file(real, t.shown(dir, name), info, opts)
		s.found = append(s.found, inner.found...)
		s.missed = append(s.missed, inner.missed...)
		if inner.failed != nil {
			s.failed = inner.failed
			return fs.SkipAll
		}
		if err != nil && !(errors.Is(err, ErrNoBTF) && s.wants.all) {
			return fmt.Errorf("%s: %w", t.shown(dir, name), err)
		}
		return nil
	})
}

// isImage says whether the tree is a container image, as an archive of one may
// be unpacked.
func (t *tree) isImage() bool {
	for _, name := range []string{"oci-layout", "manifest.json"} {
		if _, _, ok := t.file(name); ok {
			return true
		}
	}
	return false
}

// treeFiles opens files of a tree.
type treeFiles struct {
	tree  *tree
	files []*os.File
	size  int64 // of all, in bytes
}

func (f *treeFiles) open(name string) *input {
	full, info, ok := f.tree.file(cleanPath(name))
	if !ok || len(f.files) >= maxIndex {
		return nil
	}
	file, err := os.Open(full)
	if err != nil {
		return nil
	}
	f.files = append(f.files, file)
	f.size += info.Size()
	return fileInput(file, info.Size())
}

func (f *treeFiles) close() {
	for _, file := range f.files {
		file.Close()
	}
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
