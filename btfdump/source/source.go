package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// MaxSize is the most bytes of BTF that are read from one input: 1 GiB, some two hundred times a distribution kernel's BTF. It also keeps
// offsets within 32 bits, which is what BTF's header has for them.
const MaxSize = 1 << 30

var (
	// ErrNoBTF is wrapped by the errors of Open when an input was read and holds no BTF, or when the running kernel offers none.
	ErrNoBTF = errors.New("no BTF")

	// ErrNotLoaded is wrapped by the errors of Open when a module was given by name and the running kernel has no BTF of that name.
	ErrNotLoaded = errors.New("module not loaded")
)

// Kernel is the types of one kernel, with what is known about their origin. It is immutable and safe for concurrent use.
type Kernel struct {
	// View holds the kernel's types and those of the modules that were asked for.
	View *btfdump.View

	// Live is true for the kernel that runs this program.
	Live bool

	// Release is the kernel's release as uname -r prints it, such as "6.12.9-amd64". It is empty where it is not known: BTF itself
	// doesn't tell it.
	Release string

	// Modules holds the names of the modules in View, sorted.
	Modules []string
}

// Options are the parts of Open that have a useful default.
type Options struct {
	// Stdin is what the input "-" reads; nil stands for os.Stdin.
	Stdin io.Reader
}

// Open reads the kernel that input names, and its modules.
//
// An empty input is the running kernel, "-" is opts.Stdin, all else is a file's path. A module is a path to a file with its split BTF
// (recognised by a slash or a dot in it), the name of a module loaded on the running kernel, or "all" for all of those. Names only
// go with the running kernel, whose modules they are.
//
// The view shares no memory with files that change later. Errors wrap [ErrNoBTF], [ErrNotLoaded], [*btfdump.FormatError] or what
// package os returned.
func Open(input string, modules []string, opts Options) (*Kernel, error) {
	return open(input, modules, opts, running)
}

// open is Open with the place where the running kernel shows its BTF, which tests put elsewhere.
func open(input string, modules []string, opts Options, live liveKernel) (*Kernel, error) {
	files, err := moduleFiles(modules, input == "", live)
	if err != nil {
		return nil, err
	}
	kernel := &Kernel{Live: input == ""}

	var name string
	var raw []byte
	switch input {
	case "":
		name = live.path("vmlinux")
		kernel.Release = live.release()
		raw, err = live.vmlinux()
	case "-":
		name = "standard input"
		stdin := opts.Stdin
		if stdin == nil {
			stdin = os.Stdin
		}
		raw, err = readStream(name, stdin)
	default:
		name = input
		raw, err = readFile(input)
	}
	if err != nil {
		return nil, err
	}

	base, err := btfdump.New(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	kernel.View = base

	splits := make([]*btfdump.View, 0, len(files))
	for _, file := range files {
		split, err := openModule(file, base, name)
		if err != nil {
			return nil, err
		}
		splits = append(splits, split)
		kernel.Modules = append(kernel.Modules, file.name)
	}
	switch len(splits) {
	case 0:
	case 1:
		kernel.View = splits[0]
	default:
		if kernel.View, err = btfdump.Join(base, splits...); err != nil {
			return nil, fmt.Errorf("%s with modules %s: %w", name, strings.Join(kernel.Modules, ", "), err)
		}
	}
	return kernel, nil
}
