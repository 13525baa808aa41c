package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump/source"
)

// A directory with the BTF of several kernels is what a program brings along,
// whose loader looks there for `uname -r`.btf. Files of BTF keep the name that
// they were given, as BTFHub's do; what comes from images and packages is called
// after the kernel's release, and its architecture where two have one release.

// An outcome is what became of one of several kernels.
type outcome struct {
	kernel  source.KernelFile
	raw     []byte
	release string
	arch    string
	remarks []string
	err     error // of reading or writing

	name    string // the file, with a directory; "" if another kernel is the same
	changed bool   // the file is new or another
	skipped bool   // it is no kernel, or none of the release that was asked for
}

// all makes the BTF of several kernels, each in a file below a directory. A
// kernel that can't be read does not keep the others from being made. As many
// kernels are in memory as there are processors.
func (r *minimalRequest) all(patterns []string, directory string) error {
	kernels, err := source.Kernels(patterns)
	if err != nil {
		return err
	}
	kernels = slices.DeleteFunc(kernels, func(k source.KernelFile) bool { return isBelow(k.Input, directory) })
	if len(kernels) == 0 {
		return fmt.Errorf("all kernels are in %s, which is for the output", directory)
	}
	// Each kernel leaves its own size in garbage: main's setting, which is for one
	// kernel, would let it grow to seven times what is in use.
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	outcomes := make([]outcome, len(kernels))
	var next, done int
	var lock sync.Mutex
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(kernels)) {
		group.Go(func() {
			for {
				lock.Lock()
				i := next
				next++
				if i < len(kernels) {
					r.console.begin(fmt.Sprintf("%d of %d kernels done, at %s", done, len(kernels), kernels[i].Name))
				}
				lock.Unlock()
				if i >= len(kernels) {
					return
				}
				outcomes[i] = r.kernel(kernels[i], directory)
				lock.Lock()
				done++
				var stopped interruptedError
				if errors.As(outcomes[i].err, &stopped) {
					next = len(kernels)
				}
				lock.Unlock()
			}
		})
	}
	group.Wait()
	nameByRelease(outcomes, directory)
	for i := range outcomes {
		if o := &outcomes[i]; !o.kernel.IsBTF() && o.name != "" && o.err == nil {
			r.deliver(o)
		}
	}
	r.console.end()
	return r.report(outcomes, directory)
}

// kernel makes the BTF of one of several kernels, and writes it if its file's
// name does not depend on the others.
func (r *minimalRequest) kernel(k source.KernelFile, directory string) outcome {
	o := outcome{kernel: k}
	one := *r
	one.source.KernelOnly = k.Listed // a module that is named is an input as any other
	kernel := one.open(k.Input)
	var other *source.ReleaseError
	if k.Listed && (errors.Is(kernel.err, source.ErrModule) || errors.As(kernel.err, &other)) {
		return outcome{kernel: k, skipped: true, err: kernel.err}
	}
	if o.release, o.arch = kernel.release, kernel.arch; o.release == "" {
		o.release = k.Release()
	}
	if o.raw, o.remarks, o.err = r.make(kernel); o.err == nil && k.IsBTF() {
		o.name = filepath.Join(directory, filepath.FromSlash(k.BTFName()))
		r.deliver(&o)
	}
	return o
}

// deliver writes or compares the file of one kernel.
func (r *minimalRequest) deliver(o *outcome) {
	if r.check {
		quiet := &console{quiet: true}
		var no noError
		if err := checkBinary(o.name, o.raw, quiet); errors.As(err, &no) {
			o.changed = true
			o.remarks = append(o.remarks, err.Error())
		} else {
			o.err = err
		}
		return
	}
	if o.err = os.MkdirAll(filepath.Dir(o.name), 0o777); o.err == nil {
		o.changed, o.err = replaceFile(o.name, o.raw)
	}
}

// nameByRelease names the files of the kernels whose own files are not called
// as BTF is. Two files of one name are an error, unless they would be the same.
func nameByRelease(outcomes []outcome, directory string) {
	var rest []*outcome
	taken := make(map[string]*outcome)
	archs := make(map[string]string) // of the kernels of a release
	several := make(map[string]bool) // the release has several
	stem := func(o *outcome) string { return path.Join(path.Dir(o.kernel.Name), o.release) }
	arch := func(o *outcome) string {
		if o.arch == "arm64" { // what its images call it
			return "aarch64"
		}
		return o.arch
	}
	for i := range outcomes {
		switch o := &outcomes[i]; {
		case o.name != "":
			taken[o.name] = o
		case o.err == nil && !o.skipped && !o.kernel.IsBTF():
			rest = append(rest, o)
			if other, ok := archs[stem(o)]; ok && other != arch(o) {
				several[stem(o)] = true
			}
			archs[stem(o)] = arch(o)
		}
	}
	for _, o := range rest {
		name := o.kernel.BTFName()
		switch {
		case o.release == "" || several[stem(o)] && o.arch == "":
		case several[stem(o)]:
			name = stem(o) + "-" + arch(o) + ".btf"
		default:
			name = stem(o) + ".btf"
		}
		name = filepath.Join(directory, filepath.FromSlash(name))
		switch other := taken[name]; {
		case other == nil:
			taken[name], o.name = o, name
		case !bytes.Equal(other.raw, o.raw):
			o.err = fmt.Errorf("%s and %s would both be %s, and their BTF differs: put them in directories of their own", other.kernel.Input, o.kernel.Input, name)
		}
	}
}

// report says what became of the kernels, in their order.
func (r *minimalRequest) report(outcomes []outcome, directory string) error {
	var made, failed, skipped, changed, size int
	var first, why error
	for _, remark := range append(r.typeIDs(), r.unrelocated()...) {
		r.console.say("%s", remark)
	}
	for _, o := range outcomes {
		for _, remark := range o.remarks {
			r.console.say("%s", remark)
		}
		switch {
		case o.skipped:
			skipped, why = skipped+1, o.err
		case o.err != nil:
			var stopped interruptedError
			if errors.As(o.err, &stopped) {
				return o.err
			}
			if failed++; first == nil {
				first = o.err
			} else {
				fmt.Fprintf(r.console.out, "btfgen: %s\n", errorLines(o.err))
			}
		case o.name != "":
			made++
			size += len(o.raw)
			if o.changed {
				changed++
			}
		}
	}
	if made == 0 && failed == 0 {
		return fmt.Errorf("there is no kernel among what --kernel names: %w", why)
	}
	if skipped > 0 {
		r.console.say("%s left out: %s", count(skipped, "file"), skippedBecause(outcomes))
	}
	if !r.check {
		r.console.say("%s: %d kernels, %s bytes; %d written, %d unchanged", directory, made, thousands(size), changed, made-changed)
	}
	switch {
	case failed > 1:
		return fmt.Errorf("%w; %d of %d kernels failed, the others are done", first, failed, made+failed)
	case failed == 1:
		return fmt.Errorf("%w; all other kernels are done", first)
	case !r.check:
		return nil
	}
	stale, err := r.stale(outcomes, directory)
	if err != nil {
		return err
	}
	for _, name := range stale {
		r.console.say("%s", printable(fmt.Sprintf("%s is of no kernel that was given", name)))
	}
	var answers []string
	if changed > 0 {
		answers = append(answers, fmt.Sprintf("of %d kernels, the BTF of %d is not what btfgen would write: run it without --check", made, changed))
	}
	if len(stale) > 0 {
		answers = append(answers, fmt.Sprintf("%s of no kernel that was given (%s): remove what is not needed any more", count(len(stale), "file is", "files are"), printable(strings.Join(stale[:min(len(stale), 5)], ", "))))
	}
	if len(answers) > 0 {
		return noError(directory + ": " + strings.Join(answers, "; "))
	}
	r.console.say("%s: up to date, %d kernels", directory, made)
	return nil
}

// skippedBecause says what was left out.
func skippedBecause(outcomes []outcome) string {
	modules, releases := 0, 0
	for _, o := range outcomes {
		switch {
		case o.skipped && errors.Is(o.err, source.ErrModule):
			modules++
		case o.skipped:
			releases++
		}
	}
	switch {
	case releases == 0:
		return "they have modules, and no kernel"
	case modules == 0:
		return "they have kernels of other releases"
	}
	return fmt.Sprintf("%d have modules and no kernel, %d kernels of other releases", modules, releases)
}

// stale returns the files of BTF in the directory that no kernel gives. What is
// not called *.btf, and hidden files, are none of btfgen's. With --release, not
// all kernels are looked at, so that no file is known to be stale.
func (r *minimalRequest) stale(outcomes []outcome, directory string) ([]string, error) {
	if r.source.Release != "" {
		return nil, nil
	}
	wanted := make(map[string]bool)
	for _, o := range outcomes {
		wanted[o.name] = true
	}
	var stale []string
	err := filepath.WalkDir(directory, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == directory && errors.Is(err, fs.ErrNotExist):
			return nil // its files are missed already
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != directory && entry.Name() != "..":
			return fs.SkipDir
		case !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && filepath.Ext(name) == ".btf" && !wanted[filepath.Clean(name)]:
			stale = append(stale, name)
		}
		return nil
	})
	return stale, err
}

// isBelow says whether a file is in a directory.
func isBelow(file, directory string) bool {
	file, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	directory, err = filepath.Abs(directory)
	if err != nil {
		return false
	}
	below, err := filepath.Rel(directory, file)
	return err == nil && filepath.IsLocal(below)
}
