package source

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// A Layer is one step of the way from an input to the BTF in it.
type Layer struct {
	// Format is what the layer was recognised as, such as "bzImage" or "xz".
	Format string

	// Path is the layer's name in the archive or ELF file around it, "" if it
	// has none. It may be any string.
	Path string

	// Offset is the layer's distance from the start of what is around it, in
	// bytes, and Size its length; -1 if not known, as in a stream.
	Offset, Size int64
}

// String returns the layer as it is shown to people. A path that is not plain is
// quoted.
func (l Layer) String() string {
	switch {
	case l.Path == "":
		return l.Format
	case l.Format == "":
		return quoted(l.Path)
	}
	return fmt.Sprintf("%s (%s)", quoted(l.Path), l.Format)
}

// quoted returns text from an input so that it can be shown: as it is if all of
// it is plain, else quoted.
func quoted(text string) string {
	if text != "" && strings.Trim(text, plain+"/:,") == "" {
		return text
	}
	return fmt.Sprintf("%.200q", text)
}

// plain are the characters of releases, and of the names of most files.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-"

// Found is BTF that was found in an input, or an ELF file or kernel image that
// was looked at and has none.
type Found struct {
	Layers []Layer

	Raw  []byte // the BTF; nil: there is none
	Base []byte // the section .BTF.base: the base that a module was given when it was built

	Release string // of the kernel, or the one that a module is for; "" if not known
	Arch    string // as uname -m prints it, or ELF's name of the machine; "" if not known
	BuildID string // hexadecimal; "" if not known
	Module  string // the module's name, if it is one
	DWARF   bool   // there is DWARF debug information
	ELF     *ELFInfo

	searched bool   // it is not what was named, but lies somewhere inside of that
	place    place  // where it lies in a tree or archive
	at       string // its path there, and in archives in that
}

// view reads the BTF, or that of a module's base. Where it does not tell the size
// of pointers, that is what the ELF file says (as libbpf's btf__parse_elf has it).
func (f *Found) view(raw []byte) (*btfdump.View, error) {
	v, err := btfdump.New(raw)
	if err == nil && f.ELF != nil && f.ELF.Class == 32 {
		v = v.WithPointerSize(4)
	}
	return v, err
}

// Path returns the path of the innermost layer that has one and is a file, ""
// if there is none.
func (f *Found) Path() string {
	for i := len(f.Layers) - 1; i >= 0; i-- {
		if l := f.Layers[i]; l.Path != "" && l.Format != "BTF" {
			return l.Path
		}
	}
	return ""
}

// A search looks for BTF in one input, down through all containers.
type search struct {
	wants  wants
	budget *budget
	found  []Found
	missed []Found  // what was looked at and has no BTF
	layers []Layer  // the way to where the search is
	others []string // releases of kernels in an archive that were not asked for

	unopened []candidate // kernels beside two others

	// What headers on the way have told. It holds for what is below them.
	known struct {
		release, arch, module string
		searched              bool
		scanned               bool // it is in an image of which every part is looked at
		place                 place
	}

	// each is given kernels as they are found, which are then not kept; nil: they
	// are. failed is its error.
	each   func(*Found) error
	failed error
	// eachModule is the same for modules.
	eachModule func(*Found) error

	kept int64 // bytes of BTF in found

	single bool // one kernel is all that is to be expected, as in a package
	from   int  // index of the first of found that is in that package
}

// wants is what a search is for.
type wants struct {
	kernel  bool   // a kernel's BTF
	release string // of that kernel, "" for any
	modules map[string]bool
	all     bool // all modules
}

func (w wants) module(name string) bool { return w.all || w.modules[name] }

// done reports whether there is nothing left to look for, so that the rest of an
// archive need not be read.
func (s *search) done() bool {
	if s.failed != nil {
		return true
	}
	if !s.single || s.wants.all {
		return false
	}
	kernel := !s.wants.kernel
	left := len(s.wants.modules)
	for _, f := range s.found[s.from:] {
		if f.Module == "" {
			kernel = true
		} else {
			left--
		}
	}
	return kernel && left <= 0
}

// add notes what was found where the search is.
func (s *search) add(f Found) {
	f = s.complete(f)
	if f.Raw == nil {
		s.missed = append(s.missed, f)
		return
	}
	s.give(f)
}

// complete adds what is known where the search is.
func (s *search) complete(f Found) Found {
	f.Layers = append(append([]Layer(nil), s.layers...), f.Layers...)
	if f.Release == "" {
		f.Release = s.known.release
	}
	if f.Arch == "" {
		f.Arch = s.known.arch
	}
	if f.Module == "" {
		f.Module = s.known.module
	}
	f.searched = s.known.searched
	f.place = s.known.place
	return f
}

// give notes BTF that was found.
func (s *search) give(f Found) {
	if s.each != nil && f.Module == "" && !isSplit(f.Raw) && s.failed == nil && (s.wants.release == "" || f.Release == "" || f.Release == s.wants.release) {
		given := f
		s.failed = s.each(&given)
		f.Raw = []byte{} // found, and not kept
	}
	if s.eachModule != nil && f.Module != "" {
		if s.failed == nil {
			s.failed = s.eachModule(&f)
		}
		return
	}
	s.found = append(s.found, f)
	n := int64(len(f.Raw) + len(f.Base))
	s.kept += n
	if err := s.budget.hold(n); err != nil && s.failed == nil {
		s.failed = err
	}
}

// open looks into an input: the outermost one, or what descend is given.
func (s *search) open(in *input) error {
	head, err := in.head()
	if err != nil {
		return err
	}
	if len(head) == 0 {
		return fmt.Errorf("%w: the input is empty", ErrNoBTF)
	}
	c := identify(head)
	top := &s.layers[len(s.layers)-1]
	if c == nil {
		if err := notRead(in); err != nil {
			top.Format = err.Format
			return err
		}
		c = &container{name: "image", open: scanned("")}
	}
	top.Format = c.name
	if err := c.open(s, in); err != nil {
		if _, isText := err.(*TextError); isText {
			top.Format = "text"
			return err
		}
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// descend looks into a part of what the search is at.
func (s *search) descend(path string, offset int64, in *input) error {
	if len(s.layers) >= maxDepth {
		return fmt.Errorf("%w: more than %d containers stand in each other", ErrNoBTF, maxDepth)
	}
	known, held, windows := s.known, s.budget.held, s.budget.windows
	kept := s.kept
	s.layers = append(s.layers, Layer{Path: path, Offset: offset, Size: in.size})
	err := s.open(in)
	s.layers = s.layers[:len(s.layers)-1]
	s.known = known
	s.budget.held, s.budget.windows = held+s.kept-kept, windows
	if err != nil && path != "" {
		err = fmt.Errorf("%s: %w", quoted(path), err)
	}
	return err
}

// run searches one input, which is a file's content or a stream.
func (s *search) run(in *input, maxSize int64) error {
	size := func() int64 { return in.size }
	if in.at == nil {
		counted := &counter{r: in.stream}
		in = streamInput(counted, in.size)
		size = func() int64 { return counted.n }
	}
	s.budget = newBudget(maxSize, size)
	s.budget.held = s.kept
	s.layers = []Layer{{Size: in.size}}
	return s.open(in)
}
