package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A candidate is a file of a tree or archive that may hold what is looked for.
type candidate struct {
	path    string // from the root of the tree or archive
	release string // that the path tells, "" if none
	place   place
	module  bool
}

// A collection tries the candidates of one tree or archive.
type collection struct {
	s        *search
	files    int     // that were candidates
	modules  bool    // there are files called as modules
	skipped  error   // the first error of those without BTF
	failures []trial // those that can't be read
}

// A trial is a candidate that can't be read, and why.
type trial struct {
	candidate
	err error
}

// candidate says whether a file may be what is looked for: a module by its name,
// a kernel by its place and name or, for files that are not called so, by their
// first bytes, which head returns. By name only, most of a package need not be
// looked at; and only by name can a kernel be told from other ELF files and
// compressed data.
func (c *collection) candidate(name string, head func() []byte) (candidate, bool) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if module, ok := moduleName(base); ok {
		c.modules = true
		return candidate{path: name, release: releaseInPath(name), module: true}, c.s.wants.module(module)
	}
	if !c.s.wants.kernel && !c.s.wants.all && len(c.s.wants.modules) == 0 {
		return candidate{}, false
	}
	found := candidate{path: name}
	var ok bool
	if found.place, ok = placeOf(name); ok && found.place.class == nested {
		return found, true // modules may be in it, too
	}
	if !c.s.wants.kernel {
		return candidate{}, false
	}
	if !ok {
		if found.place = (place{class: sniffed}); !startsAsKernel(head()) {
			return candidate{}, false
		}
	}
	found.release = releaseInPath(name)
	return found, !c.s.otherRelease(found, ok)
}

// otherRelease says whether a candidate is of another release than the one that
// is looked for, and notes that of a kernel.
func (s *search) otherRelease(c candidate, isKernel bool) bool {
	if s.wants.release == "" || c.release == "" || c.release == s.wants.release {
		return false
	}
	if isKernel && len(s.others) < maxAttempts && !slices.Contains(s.others, c.release) {
		s.others = append(s.others, c.release)
	}
	return true
}

// startsAsKernel knows first bytes that are a kernel's for sure.
func startsAsKernel(head []byte) bool {
	return isBzImage(head) || isZboot(head) || isRaw(head) && len(head) >= 24
}

// try opens a candidate. Its error ends the collection; that a candidate has no
// BTF or can't be read does not.
func (c *collection) try(found candidate, open func() error) error {
	c.files++
	s := c.s
	if !found.module && s.needless(found) {
		return nil
	}
	known, single, from := s.known, s.single, s.from
	if found.place.class == nested {
		s.single, s.from = false, len(s.found)
	}
	if found.release != "" {
		s.known.release = found.release
	}
	// What is in an archive that was found by less is found by no more.
	s.known.place = place{max(known.place.class, found.place.class), found.place.rank}
	before := len(s.found)
	err := open()
	s.known, s.single, s.from = known, single, from
	for i := before; i < len(s.found); i++ {
		s.found[i].at = found.path + ":" + s.found[i].at
	}
	switch {
	case err == nil:
	case s.failed != nil, s.each != nil && !errors.Is(err, ErrNoBTF):
		return err
	case errors.Is(err, ErrNoBTF):
		if c.skipped == nil || errors.Is(c.skipped, ErrModule) {
			c.skipped = err
		}
	case found.module:
		return err
	default:
		c.failures = append(c.failures, trial{found, err})
	}
	return nil
}

// needless says whether a candidate need not be opened: its kernel was found in
// a better image, or there are two kernels of which it can't be the one.
func (s *search) needless(c candidate) bool {
	if s.each != nil || c.release == "" || len(s.wants.modules) > 0 && c.place.class == nested {
		return false
	}
	class := max(c.place.class, s.known.place.class)
	var others []*Found
	for i := range s.found {
		f := &s.found[i]
		if f.Module != "" || f.place.class > class || isSplit(f.Raw) {
			continue
		}
		if class == placed && f.Release == c.release && f.place.rank <= c.place.rank {
			return true
		}
		others = append(others, f)
	}
	if s.wants.release == "" && len(releasesOf(others)) > 1 {
		s.unopened = append(s.unopened, c)
		return true
	}
	return false
}

// end returns the error of a collection: nil if something was found that no
// unreadable file may be meant instead of. nothing is the error where there was
// no candidate.
func (c *collection) end(nothing string) error {
	s := c.s
	best := nested + 1
	for i := range s.found {
		if s.found[i].Module == "" {
			best = min(best, s.found[i].place.class)
		}
	}
	for _, f := range c.failures {
		other := slices.ContainsFunc(s.found, func(k Found) bool { return k.Module == "" && k.Release != "" && k.Release == f.release })
		if class := max(f.place.class, s.known.place.class); !other && class <= best && (class < nested || len(s.found) == 0) {
			return f.err
		}
	}
	switch {
	case len(s.found) > 0:
		return nil
	case c.skipped != nil:
		return c.skipped
	case len(s.others) > 0:
		return &ReleaseError{Want: s.wants.release, Have: slices.Sorted(slices.Values(s.others))}
	case c.modules && s.wants.kernel:
		return fmt.Errorf("%w and %w: %s", ErrNoBTF, ErrModule, nothing)
	}
	return fmt.Errorf("%w: %s", ErrNoBTF, nothing)
}

// pickKernel returns the kernel among what was found; nil if there are only
// modules.
func (s *search) pickKernel(release string) (*Found, error) {
	var kernels []*Found
	other := false
	for i := range s.found {
		switch f := &s.found[i]; {
		case f.Module != "":
		case release != "" && f.Release != "" && f.Release != release:
			other = true
		default:
			kernels = append(kernels, f)
		}
	}
	switch {
	case len(kernels) > 0:
	case other:
		return nil, &ReleaseError{Want: release, Have: s.releases()}
	default:
		return nil, nil
	}
	// Kernels go before BPF objects and modules whose files don't tell what they
	// are, and what tells its release before what does not; then the class decides.
	keep := func(better func(*Found) bool) {
		if slices.ContainsFunc(kernels, better) {
			kernels = slices.DeleteFunc(kernels, func(f *Found) bool { return !better(f) })
		}
	}
	kernels = likely(kernels)
	keep(func(f *Found) bool { return release != "" && f.Release == release })
	best := slices.MinFunc(kernels, func(a, b *Found) int { return cmp.Compare(a.place.class, b.place.class) }).place.class
	keep(func(f *Found) bool { return f.place.class == best })
	slices.SortStableFunc(kernels, func(a, b *Found) int {
		return cmp.Or(cmp.Compare(a.place.rank, b.place.rank), cmp.Compare(a.at, b.at))
	})
	if s.single {
		return kernels[0], nil
	}
	var distinct []*Found
	for _, f := range kernels {
		if !slices.ContainsFunc(distinct, func(k *Found) bool { return isSameKernel(k, f) }) {
			distinct = append(distinct, f)
		}
	}
	releases := releasesOf(distinct)
	for _, c := range s.unopened {
		if c.place.class == best && !slices.Contains(releases, c.release) {
			releases = append(releases, c.release)
		}
	}
	slices.Sort(releases)
	switch {
	case len(releases) > 1:
		return nil, fmt.Errorf("it holds %d kernels: choose one with --release: %s", len(releases), strings.Join(releases, ", "))
	case len(distinct) == 1:
		return distinct[0], nil
	}
	var paths []string
	for _, k := range distinct {
		paths = append(paths, quoted(k.Path()))
	}
	return nil, fmt.Errorf("it holds %d kernels whose releases don't tell them apart (%s): unpack the one that is meant", len(distinct), strings.Join(paths, ", "))
}

// isSameKernel says whether two images are of one kernel, as vmlinux and vmlinuz
// are: where kernels lie, there is one of a release.
func isSameKernel(a, b *Found) bool {
	arch := func(f *Found) string {
		if f.Arch == "aarch64" {
			return "arm64"
		}
		return f.Arch
	}
	return bytes.Equal(a.Raw, b.Raw) ||
		a.place.class == placed && b.place.class == placed && a.Release != "" && a.Release == b.Release &&
			(a.Arch == "" || b.Arch == "" || arch(a) == arch(b))
}

// releases returns the releases of the kernels that were found, sorted.
func (s *search) releases() []string {
	var kernels []*Found
	for i := range s.found {
		if s.found[i].Module == "" {
			kernels = append(kernels, &s.found[i])
		}
	}
	return releasesOf(kernels)
}

func releasesOf(kernels []*Found) []string {
	var releases []string
	for _, k := range kernels {
		if k.Release != "" {
			releases = append(releases, k.Release)
		}
	}
	slices.Sort(releases)
	return slices.Compact(releases)
}

// A ReleaseError says that there is no kernel of the release that was asked for.
// It is an [ErrNoBTF].
type ReleaseError struct {
	Want string
	Have []string // sorted; empty: of what there is, the release is not known
}

func (e *ReleaseError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("it does not tell its release, so whether that is %s is not known", quoted(e.Want))
	}
	return fmt.Sprintf("%v of the release %s: what is there is %s", ErrNoBTF, quoted(e.Want), strings.Join(e.Have, ", "))
}

// Unwrap returns [ErrNoBTF].
func (e *ReleaseError) Unwrap() error { return ErrNoBTF }

// path returns the path of the innermost layer that has one.
func (s *search) path() string {
	for i := len(s.layers) - 1; i >= 0; i-- {
		if s.layers[i].Path != "" {
			return s.layers[i].Path
		}
	}
	return ""
}
