package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/klauspost/compress/gzip"
	"github.com/urfave/cli/v2"
)

// checkCommand says on which kernels BPF objects run.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "say on which kernels BPF objects will run, and what keeps them from it",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "kernel", Aliases: []string{"k"}, Category: groupInput, Usage: "a `KERNEL` to check for: a file, a directory, a glob, an archive of many; repeatable; default: the running one"},
			&cli.StringSliceFlag{Name: inputFlag, Aliases: []string{"i"}, Hidden: true}, // as the other commands have it
			&cli.StringSliceFlag{Name: "module", Aliases: []string{"m"}, Category: groupInput, Usage: "look at the types of a `MODULE` too: a file, a name, or \"all\" of the kernel's package or tree; repeatable"},
			&cli.StringFlag{Name: "kconfig", Category: groupInput, Usage: "the kernels' configuration, a `FILE` such as /boot/config-6.12 or /proc/config.gz; default: the running kernel's, for that"},
			&cli.StringSliceFlag{Name: "set", Category: groupFor, Usage: "the value of a constant (const volatile) that the loader sets, as `NAME=VALUE`; repeatable"},
			&cli.StringFlag{Name: "release", Category: groupInput, Usage: "only the `RELEASE`, where an input has several kernels"},
			&cli.StringFlag{Name: "max-size", Category: groupInput, Usage: "let a file or layer unpack to `SIZE` bytes (K, M, G may follow) rather than 1G"},
			&cli.BoolFlag{Name: "json", Usage: "print all that was found, for scripts: an object a kernel, in a list"},
			&cli.BoolFlag{Name: "markdown", Usage: "print it for a pull request"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing if everything runs"},
		},
		ArgsUsage: "OBJECT...",
		Action:    checkObjects,
	}
}

var checkManual = manual{
	synopsis: []string{"check [flags] OBJECT..."},
	about: []string{
		"btfgen check says which programs of BPF objects will run on which kernels, and why the others won't: members, types and enumerators that CO-RE relocations ask for, functions and tracepoints to attach to and their arguments, kfuncs, variables, helpers, and kconfig options. A missing member counts only where the program can come to read it: what bpf_core_field_exists and the like guard does not.",
	},
	examples: []entry{
		{"btfgen check prog.bpf.o", "on the running kernel"},
		{"btfgen check prog.bpf.o -k vmlinuz-6.1 -k linux-image-6.12.deb", "on those"},
		{"btfgen check *.bpf.o -k btfhub-archive/ubuntu", "on all below a directory"},
		{"btfgen check prog.bpf.o -k 5.4.btf.tar.xz --set targ_single=1", "with a constant as the loader sets it"},
		{"btfgen check --markdown prog.bpf.o -k 'kernels/*.btf' >>\"$GITHUB_STEP_SUMMARY\"", "for a pull request"},
		{"btfgen check --json prog.bpf.o | jq '.[].programs[] | select(.verdict == \"fails\")'", "for scripts"},
	},
	sections: []section{{"verdicts", []entry{
		{"runs", "the kernel has all of what was looked at"},
		{"degraded", "it runs; something is missing there, and the program does without"},
		{"may fail", "that can't be decided, or depends on what is not known here"},
		{"fails", "the kernel or libbpf refuses it"},
	}}},
	exit: []entry{
		{"0", "everything runs, degraded or not"},
		{"1", "something fails or may fail; programs that are loaded only if the loader is told to, SEC(\"?...\"), are shown and don't count"},
		{"2", "wrong usage or unreadable input"},
	},
}

// A checkRequest is what the check command was asked for.
type checkRequest struct {
	checker *core.Checker
	kernels []source.KernelFile // one with an empty input is the running kernel
	modules []string
	config  map[string]string
	options source.Options
	console *console
}

// checkObjects is the check command.
func checkObjects(c *cli.Context) error {
	debug.SetGCPercent(100) // kernels come and go
	names := c.Args().Slice()
	switch {
	case len(names) == 0:
		return errors.New("name BPF objects, as in: btfgen check prog.bpf.o; btfgen check --help tells more")
	case c.Bool("json") && c.Bool("markdown"):
		return errors.New("--json and --markdown are two ways to print the same: leave one of them out")
	}
	r := checkRequest{modules: c.StringSlice("module"), console: newConsole(c.App.ErrWriter, c.Bool("quiet"))}
	defer r.console.end()
	maxSize, err := parseSize(c.String("max-size"))
	if err != nil {
		return err
	}
	r.options = source.Options{Stdin: c.App.Reader, Release: c.String("release"), MaxSize: maxSize}
	constants, err := parseConstants(c.StringSlice("set"))
	if err != nil {
		return err
	}
	if name := c.String("kconfig"); name != "" {
		if r.config, err = readConfig(name); err != nil {
			return err
		}
	} else if c.IsSet("kconfig") {
		return errors.New("--kconfig is empty: name a kernel's configuration, such as /boot/config-6.12")
	}
	r.console.begin("reading the objects")
	objects, err := readCheckedObjects(names, r.console)
	if err != nil {
		return err
	}
	if err := checkConstants(objects, constants); err != nil {
		return err
	}
	if r.config != nil && !readsOptions(objects) {
		r.console.say("--kconfig is of no effect: no object reads an option")
	}
	r.checker = core.NewChecker(objects, core.CheckOptions{Set: constants})
	kernels := append(c.StringSlice("kernel"), c.StringSlice(inputFlag)...)
	for _, name := range append(kernels, names...) {
		if err := notAnAddress(name); err != nil {
			return err
		}
	}
	if r.kernels, err = findKernels(kernels); err != nil {
		return err
	}

	sheet := newCheckSheet(c.App.Writer, c.Bool("json"), c.Bool("markdown"), c.Bool("quiet"))
	unreadable := r.run(sheet.add)
	r.console.end()
	if err := sheet.end(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	for i, err := range unreadable {
		if i < len(unreadable)-1 {
			fmt.Fprintf(c.App.ErrWriter, "btfgen: %s\n", errorLines(err))
		}
	}
	switch n := len(unreadable); {
	case n == 1:
		return unreadable[0]
	case n > 1:
		return fmt.Errorf("%w; %d inputs can't be read", unreadable[n-1], n)
	}
	return sheet.answer()
}

// parseConstants reads what --set was given.
func parseConstants(settings []string) (map[string]int64, error) {
	constants := make(map[string]int64)
	for _, s := range settings {
		name, text, ok := strings.Cut(s, "=")
		var n int64
		var err error
		switch text {
		case "true":
			n = 1
		case "false":
		default:
			if n, err = strconv.ParseInt(text, 0, 64); err != nil {
				var u uint64
				u, err = strconv.ParseUint(text, 0, 64)
				n = int64(u)
			}
		}
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("--set %q: write NAME=VALUE with a number, true or false", s)
		}
		if before, twice := constants[name]; twice && before != n {
			return nil, fmt.Errorf("--set gives %s two values, %d and %d: leave one of them out", name, before, n)
		}
		constants[name] = n
	}
	return constants, nil
}

// maxConfig is how much of a configuration is read: they have some 300 KB.
const maxConfig = 16 << 20

// readConfig reads a kernel's configuration, compressed by gzip or not.
func readConfig(name string) (map[string]string, error) {
	raw, err := readFile(name, maxConfig)
	if err != nil {
		return nil, err
	}
	var r io.Reader = bytes.NewReader(raw)
	if bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	config, err := core.ParseConfig(io.LimitReader(r, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(config) == 0 {
		return nil, fmt.Errorf("%s: it sets no CONFIG_ option: give a file such as /boot/config-6.12", name)
	}
	return config, nil
}

// findKernels returns the kernels that --kernel names.
func findKernels(patterns []string) ([]source.KernelFile, error) {
	var all []source.KernelFile
	if len(patterns) == 0 {
		return []source.KernelFile{{}}, nil
	}
	for _, p := range patterns {
		switch {
		case p == "":
			return nil, errors.New("--kernel is empty: name a file or directory, or leave the flag out for the running kernel")
		case p == "-":
			all = append(all, source.KernelFile{Input: "-", Name: "standard input"})
			continue
		}
		found, err := source.Kernels([]string{p})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// run checks all kernels and gives their reports to use, in the order of the
// inputs. It returns the errors of those that can't be read. Of kernels, as many
// are in memory as processors open and check them.
func (r *checkRequest) run(use func(*core.KernelReport)) (unreadable []error) {
	workers := min(runtime.GOMAXPROCS(0), 8)
	results := make([]chan checkResult, len(r.kernels))
	for i := range results {
		results[i] = make(chan checkResult, 1)
	}
	checkers := make(chan struct{}, workers) // filled by the kernels that are being checked
	var next atomic.Int64
	// What has been checked waits for its turn; this bounds how much.
	turn := make(chan struct{}, 4*workers)
	for range min(workers, len(r.kernels)) {
		go func() {
			for {
				turn <- struct{}{}
				i := int(next.Add(1)) - 1
				if i >= len(r.kernels) {
					return
				}
				results[i] <- r.input(r.kernels[i], checkers)
			}
		}()
	}
	var skipped []error
	read := 0
	for i := range results {
		r.console.begin(fmt.Sprintf("%d of %d inputs done, at %s", i, len(results), r.kernels[i].Name))
		result := <-results[i]
		for j := range result.reports {
			use(&result.reports[j])
		}
		var other *source.ReleaseError
		switch {
		case result.err == nil:
			read++
		case r.kernels[i].Listed && (errors.Is(result.err, source.ErrModule) || errors.As(result.err, &other)):
			skipped = append(skipped, result.err)
		default:
			unreadable = append(unreadable, result.err)
		}
		<-turn
	}
	if n := len(skipped); n > 0 && read+len(unreadable) == 0 {
		unreadable = append(unreadable, fmt.Errorf("there is no kernel among what --kernel names: %w", skipped[0]))
	} else if n > 0 {
		r.console.say("%s left out: they have modules and no kernel, or kernels of other releases", count(n, "file"))
	}
	return unreadable
}

// checkResult is what there is to say about the kernels in one input.
type checkResult struct {
	reports []core.KernelReport
	err     error
}

// input checks the kernels in one input. While one is checked the next one may
// be read.
func (r *checkRequest) input(file source.KernelFile, checkers chan struct{}) (result checkResult) {
	var group sync.WaitGroup
	var lock sync.Mutex
	if result.err = notKernel(file.Input); result.err != nil {
		return result
	}
	n := 0
	options := r.options
	options.KernelOnly = file.Listed // a module that is named is an input as any other
	result.err = source.Each(file.Input, r.modulesOf(file), options, func(k *source.Kernel) error {
		at := n
		n++
		kernel := core.NewKernel(kernelName(file, k), k, r.isComplete(file))
		kernel.Config = r.configOf(k)
		checkers <- struct{}{}
		group.Go(func() {
			defer func() { <-checkers }()
			report := r.checker.Check(kernel)
			lock.Lock()
			defer lock.Unlock()
			for len(result.reports) <= at {
				result.reports = append(result.reports, core.KernelReport{})
			}
			result.reports[at] = report
		})
		return nil
	})
	group.Wait()
	return result
}

// modulesOf returns the modules to open with a kernel: of the running one, all,
// since they are all there.
func (r *checkRequest) modulesOf(file source.KernelFile) []string {
	if file.Input == "" && len(r.modules) == 0 {
		return []string{"all"}
	}
	return r.modules
}

// isComplete reports whether all types that a kernel may have are known.
func (r *checkRequest) isComplete(file source.KernelFile) bool {
	for _, m := range r.modulesOf(file) {
		if m == "all" {
			return true
		}
	}
	return false
}

// configOf returns the configuration of a kernel, as far as it is known.
func (r *checkRequest) configOf(k *source.Kernel) map[string]string {
	if r.config != nil || !k.Live {
		return r.config
	}
	for _, name := range []string{"/proc/config.gz", "/boot/config-" + k.Release} {
		if config, err := readConfig(name); err == nil {
			return config
		}
	}
	return nil
}

// kernelName is what a kernel is called in reports.
func kernelName(file source.KernelFile, k *source.Kernel) string {
	if file.Input == "" {
		return "running " + k.Release
	}
	name := file.Name
	if k.Origin != nil {
		// BTFHub's archives have one kernel each, and its name.
		inner := filepath.Base(k.Origin.Path())
		if k.Origin.Path() != "" && len(k.Origin.Layers) > 1 && !strings.HasPrefix(filepath.Base(name), strings.TrimSuffix(inner, ".btf")) {
			name += ": " + inner
		}
	}
	if !isPrintable(name) {
		return strconv.QuoteToASCII(name)
	}
	return name
}

// isPrintable reports whether text may be shown as it is.
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) && len(text) < 300
}
