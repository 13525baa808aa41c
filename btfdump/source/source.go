package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

var (
	// ErrNoBTF is wrapped by the errors of Open when an input was read and
	// holds no BTF, or when the running kernel offers none.
	ErrNoBTF = errors.New("no BTF")

	// ErrNotLoaded is wrapped by the errors of Open when a module was given by
	// name and the running kernel has no BTF of that name.
	ErrNotLoaded = errors.New("module not loaded")

	// ErrModule is wrapped by the errors of inputs that hold modules and no
	// kernel, where a kernel is asked for.
	ErrModule = errors.New("no kernel, only modules")
)

// Kernel is the types of one kernel, with what is known about their origin. It
// is immutable and safe for concurrent use.
type Kernel struct {
	// View holds the kernel's types and those of the modules that were asked
	// for.
	View *btfdump.View

	// Live is true for the kernel that runs this program.
	Live bool

	// Release is the kernel's release as uname -r prints it, such as
	// "6.12.9-amd64". It is empty where it is not known: BTF itself doesn't
	// tell it. It has no other characters than letters, digits and "._+~-".
	Release string

	// Modules holds the names of the modules in View, sorted.
	Modules []string

	// Origin tells where in the input the types of the kernel were found, or
	// those of a module that was the input; nil for the running kernel.
	Origin *Found
}

// A SearchError is the error of an input in which no BTF was found, or which
// can't be read.
type SearchError struct {
	Input string
	// Looked has what was looked at and has no BTF: ELF files.
	Looked []Found
	Err    error
}

func (e *SearchError) Error() string { return e.Input + ": " + e.Err.Error() }

// Unwrap returns the error without the input's name.
func (e *SearchError) Unwrap() error { return e.Err }

// Options are the parts of Open that have a useful default.
type Options struct {
	// Stdin is what the input "-" reads; nil stands for os.Stdin.
	Stdin io.Reader

	// Base is the input with the kernel that a module stands on, for inputs
	// that are a module's split BTF. If it is empty, the base is looked for in
	// the directory tree around the module, and then it is the running kernel.
	Base string

	// Release chooses the kernel where an input has several; "" is for inputs
	// with one.
	Release string

	// KernelOnly makes a module as input an [ErrModule].
	KernelOnly bool

	// MaxSize is how many bytes one layer of an input may unpack to; 0 stands
	// for [DefaultMaxSize].
	MaxSize int64
}

// Open reads the kernel that input names, and its modules.
//
// An empty input is the running kernel and "-" is opts.Stdin. "prog:ID",
// "prog:NAME", "map:ID", "map:NAME", "btf:ID" and "btf:NAME" are BPF objects
// loaded into the running kernel. All else is a path: of a file in any format
// that package documentation lists, of a pinned BPF object, or of a directory
// with kernel images and modules.
//
// A module is a path to a file with its split BTF (recognised by a slash or a
// dot in it), the name of a module, or "all". Names are looked for among the
// running kernel's modules where the input is that, and otherwise in the
// package or directory tree that the kernel was found in.
//
// The view shares no memory with files that change later. Errors wrap
// [ErrNoBTF], [ErrNotLoaded], [ErrTooLarge], [*btfdump.FormatError] or what
// package os returned.
func Open(input string, modules []string, opts Options) (*Kernel, error) {
	return open(input, modules, opts, running)
}

// open is Open with the place where the running kernel shows its BTF, which
// tests put elsewhere.
func open(input string, modules []string, opts Options, live liveKernel) (*Kernel, error) {
	requests, err := parseModules(modules)
	if err != nil {
		return nil, err
	}
	var kernel *Kernel
	switch {
	case input == "" && opts.Base != "":
		return nil, errors.New("a base goes with a module as input: the running kernel needs none")
	case input == "":
		kernel, err = openLive(requests, opts, live)
	case isLoadedObject(input):
		kernel, err = openLoaded(input, requests, live)
	default:
		kernel, err = openFile(input, requests, opts, live)
	}
	if err != nil {
		return nil, err
	}
	if err := checkRelease(input, kernel.Release, opts.Release); err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(input), err)
	}
	return kernel, nil
}

// checkRelease says whether a kernel has the release that was asked for. Where
// the kernel does not tell it, its file's name does, as in BTFHub's archive.
func checkRelease(input, release, want string) error {
	switch {
	case want == "" || release == want:
		return nil
	case release != "":
		return &ReleaseError{Want: want, Have: []string{release}}
	case input != "-" && (KernelFile{Input: input}).Release() == want:
		return nil
	}
	return &ReleaseError{Want: want}
}

// openLive opens the running kernel.
func openLive(requests moduleRequests, opts Options, live liveKernel) (*Kernel, error) {
	raw, err := live.vmlinux()
	if err != nil {
		return nil, err
	}
	kernel := &Kernel{Live: true, Release: live.release()}
	name := live.path("vmlinux")
	if kernel.View, err = btfdump.New(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	modules, err := live.requested(requests)
	if err != nil {
		return nil, err
	}
	files, err := moduleFiles(requests, opts)
	if err != nil {
		return nil, err
	}
	return kernel, kernel.join(name, append(modules, files...))
}

// openFile opens what input leads to.
func openFile(input string, requests moduleRequests, opts Options, live liveKernel) (*Kernel, error) {
	name := inputName(input)
	s, err := find(input, wants{kernel: true, release: opts.Release, modules: requests.names, all: requests.all}, opts)
	if err != nil {
		return nil, &SearchError{Input: name, Looked: s.missed, Err: err}
	}
	origin, err := s.pickKernel(opts.Release)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if origin == nil || origin.Module != "" || isSplit(origin.Raw) {
		if opts.KernelOnly {
			return nil, fmt.Errorf("%s: %w", name, ErrModule)
		}
		return openModuleAsInput(input, s, requests, opts, live)
	}
	kernel := &Kernel{Release: origin.Release, Origin: origin}
	if kernel.View, err = origin.view(origin.Raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if origin.searched && isProgram(kernel.View) {
		// Nobody who gives an image or archive means a program that is in it.
		return nil, fmt.Errorf("%s: %w: it holds that of a BPF object (%s) and no kernel's: unpack it if that is meant", name, ErrNoBTF, quotedOr(origin.Path(), "one without a name"))
	}
	if opts.Base != "" {
		return nil, fmt.Errorf("%s is no module: its types need no base", name)
	}

	modules := s.pickModules(requests, kernel.Release)
	if modules, err = requests.addMissing(modules, input, kernel.Release, len(s.found) > 1 || origin.Path() != "", opts); err != nil {
		return nil, err
	}
	files, err := moduleFiles(requests, opts)
	if err != nil {
		return nil, err
	}
	return kernel, kernel.join(name, append(modules, files...))
}

// inputName is what errors call an input.
func inputName(input string) string {
	switch input {
	case "":
		return "the running kernel"
	case "-":
		return "standard input"
	}
	return input
}

// find searches an input for BTF.
func find(input string, w wants, opts Options) (*search, error) {
	s := &search{wants: w}
	return s, s.find(input, opts)
}

func (s *search) find(input string, opts Options) error {
	if input == "-" {
		stdin := opts.Stdin
		if stdin == nil {
			stdin = os.Stdin
		}
		return s.run(streamInput(stdin, -1), opts.MaxSize)
	}
	info, err := os.Stat(input)
	if err != nil {
		return plainPathError(err)
	}
	if info.IsDir() {
		return s.tree(input, opts)
	}
	if err := notAFile(input, info.Mode()); err != nil {
		return err
	}
	file, err := os.Open(input)
	if err != nil {
		return plainPathError(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return plainPathError(err)
	}
	if !info.Mode().IsRegular() {
		// A pipe, as in <(xz -dc vmlinux.btf.xz), can be read once and from its
		// start only.
		return s.run(streamInput(file, -1), opts.MaxSize)
	}
	if mapped, ok := mapSysfs(file, info.Size()); ok {
		return s.run(fileInput(memory(mapped), info.Size()), opts.MaxSize)
	}
	return s.run(fileInput(file, info.Size()), opts.MaxSize)
}

// notAFile refuses what would be waited for, or never ends. A shell's <(...) and
// standard input have a name in /dev too: those are there to be read.
func notAFile(name string, mode os.FileMode) error {
	switch {
	case mode.IsRegular(), isDescriptor(name):
		return nil
	case mode&os.ModeNamedPipe != 0:
		return errors.New("it is a named pipe, which may never have an end: give its content on standard input")
	case mode&os.ModeSocket != 0:
		return errors.New("it is a socket: name a file")
	case mode&os.ModeDevice != 0 && mode&os.ModeCharDevice == 0:
		return errors.New("it is a disk: mount it and give the directory")
	}
	return errors.New("it is a device: name a file")
}

// isDescriptor says whether a path names an open file of this process.
func isDescriptor(name string) bool {
	for _, prefix := range []string{"/dev/fd/", "/proc/self/fd/", fmt.Sprintf("/proc/%d/fd/", os.Getpid())} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "/dev/stdin"
}

// plainPathError drops the path from an error of package os: those who call find
// put the input's name in front.
func plainPathError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
