package source

import "fmt"

// Each opens the kernels that an input holds, one after the other, and gives
// each to use: all of an archive with many kernels (unless opts.Release chooses
// one), and of other inputs the one that [Open] would return. No kernel is kept,
// so that what is in memory does not grow with their number.
//
// Modules are taken from where Open takes them; of an archive, they can only be
// had with one kernel.
//
// The first error of use, and the first of reading, ends it. What is an error of
// Open is one here, but for the choice between several kernels.
func Each(input string, modules []string, opts Options, use func(*Kernel) error) error {
	if input == "" || isLoadedObject(input) || isDir(input) || len(modules) > 0 || opts.Base != "" {
		kernel, err := Open(input, modules, opts)
		if err != nil {
			return err
		}
		return use(kernel)
	}
	name := inputName(input)
	s := &search{wants: wants{kernel: true, release: opts.Release}}
	n := 0
	s.each = func(f *Found) error {
		if checkRelease(input, f.Release, opts.Release) != nil {
			return nil // Open says so, if there is no other
		}
		kernel := &Kernel{Release: f.Release, Origin: f}
		var err error
		if kernel.View, err = f.view(f.Raw); err != nil {
			return fmt.Errorf("%s: %w", quotedOr(f.Path(), "BTF"), err)
		}
		if f.searched && isProgram(kernel.View) {
			return nil // a BPF object's, in an archive; Open says so, if there is nothing else
		}
		n++
		return use(kernel)
	}
	err := s.find(input, opts)
	switch {
	case s.failed != nil:
		return fmt.Errorf("%s: %w", name, s.failed)
	case err != nil && n == 0:
		return &SearchError{Input: name, Looked: s.missed, Err: err}
	case err != nil:
		return fmt.Errorf("%s: after %d kernels: %w", name, n, err)
	case n > 0:
		return nil
	case input == "-":
		return fmt.Errorf("%s: %w of a kernel: a module needs a file's name", name, ErrNoBTF)
	}
	kernel, err := Open(input, modules, opts) // a module, say
	if err != nil {
		return err
	}
	return use(kernel)
}

func quotedOr(path, other string) string {
	if path == "" {
		return other
	}
	return quoted(path)
}
