package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNoClang says that there is no clang to ask, or none that knows BPF.
var ErrNoClang = errors.New("no clang")

// FindClang returns the clang to use when none is named: clang, and if there is
// none the clang-N with the highest N on the PATH. The error is an [ErrNoClang].
func FindClang() (string, error) {
	if path, err := exec.LookPath("clang"); err == nil {
		return path, nil
	}
	for major := 99; major >= 10; major-- { // clang 10 is the first with CO-RE for BPF
		if path, err := exec.LookPath("clang-" + strconv.Itoa(major)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w found, neither clang nor clang-N", ErrNoClang)
}

// compileLimit ends a compile that runs away. A whole kernel's header takes
// under a second, a slow machine perhaps ten.
const compileLimit = 5 * time.Minute

// totalLimit ends a verification that runs away, though none of its compiles does:
// there can be hundreds. That of a whole kernel takes five seconds.
var totalLimit = 20 * time.Minute // a variable for its test

// maxDiagnostics bounds what is kept of a compiler's messages, in bytes. One
// about each fact of a kernel is some 10 MB. maxStdout bounds what it prints
// otherwise: a whole kernel's header, preprocessed, has some 3 MB, and with all
// its modules 20.
const (
	maxDiagnostics = 64 << 20
	maxStdout      = 64 << 20
)

// clang is a compiler with the flags that every run has.
type clang struct {
	path    string
	args    []string // that go first: where path is a wrapper such as ccache, the compiler
	version string
	flags   []string
	dir     string        // to run in, and for temporary files
	limit   time.Duration // for one compile
}

var versionPattern = onDemand(`clang version (\S+)`)

// newClang finds a compiler, or the wrapper that gets args to run one.
func newClang(name string, args []string, dir string) (*clang, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoClang, name, err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	return &clang{path: path, args: args, dir: dir, limit: compileLimit}, nil
}

// short is the compiler for what takes no longer than to preprocess.
func (c *clang) short() *clang {
	limited := *c
	limited.limit = min(c.limit, preprocessLimit)
	return &limited
}

// identify finds out the compiler's version, and whether it is a clang at all.
func (c *clang) identify(ctx context.Context) error {
	var args Arguments
	args.Flags("--version")
	out, messages, failed, err := c.run(ctx, args)
	if err == nil && failed {
		err = fmt.Errorf("it failed: %s", c.gist(messages))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %s --version: %w", ErrNoClang, c.path, err)
	}
	m := versionPattern().FindStringSubmatch(out)
	if m == nil {
		return fmt.Errorf("%w: %s --version tells of no clang", ErrNoClang, c.path)
	}
	c.version = m[1]
	return nil
}

// majorVersion returns 14 of 14.0.6, and 0 of what is no version.
func majorVersion(version string) int {
	major, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(major)
	return n
}

// withoutTemporary is a message without what is random in it: the names of files
// that are ours, which a header can have in its messages, and our prefix of names.
func (c *clang) withoutTemporary(text string) string {
	if c.dir != "" {
		text = strings.ReplaceAll(text, c.dir+string(filepath.Separator), "")
	}
	return keyPattern().ReplaceAllString(text, "")
}

// A diagnostic is an error that the compiler reports.
type diagnostic struct {
	file string // "" where it concerns no file
	line int    // from 1
	text string
}

// A crashError says that the compiler failed, and found no fault with what it compiles.
type crashError struct{ error }

func (e *crashError) Unwrap() error { return e.error }

var diagnosticPattern = onDemand(`(?m)^(?:(.+):(\d+):\d+: |)(?:fatal )?error: (.*)$`)

// compile runs the compiler. Errors in what it compiles are returned as
// diagnostics; err says that it could not do its work. messages is all that it
// said.
func (c *clang) compile(ctx context.Context, args Arguments) (stdout string, found []diagnostic, messages string, err error) {
	// Warnings are for those who wrote the header; diagnostics are to be one line each.
	var all Arguments
	all.Flags("-w", "-fno-color-diagnostics", "-fno-caret-diagnostics", "-ferror-limit=0", "-fno-crash-diagnostics")
	all.Append(args)
	all.Flags(c.flags...)
	stdout, messages, failed, err := c.run(ctx, all)
	if err != nil || !failed {
		return stdout, nil, messages, err
	}
	for _, m := range diagnosticPattern().FindAllStringSubmatch(messages, -1) {
		line, _ := strconv.Atoi(m[2])
		found = append(found, diagnostic{file: m[1], line: line, text: c.withoutTemporary(m[3])})
	}
	if len(found) == 0 {
		// Where there is no room, there is none for what it says either.
		if err := WriteTemp(filepath.Join(c.dir, "room"), make([]byte, 1<<16)); err != nil {
			return "", nil, messages, err
		}
		return "", nil, messages, &crashError{fmt.Errorf("%s failed: %s", c.path, c.gist(messages))}
	}
	return "", found, messages, nil
}

// run runs the compiler, and returns what it prints to standard output and to
// standard error. failed says that it found errors in what it compiles, err that
// it could not do its work.
//
// Both outputs are files. With pipes, the end of the compiler would not be the
// end of its output: whoever else has them open, such as the server that a
// wrapper starts, or a machine too busy to read them in time, would have to be
// waited for, or would make a failure of a success.
func (c *clang) run(ctx context.Context, args Arguments) (stdout, messages string, failed bool, err error) {
	if args.err != nil {
		return "", "", false, args.err
	}
	out, err := newOutput(c.dir, maxStdout)
	if err != nil {
		return "", "", false, err
	}
	defer out.close()
	diagnostics, err := newOutput(c.dir, maxDiagnostics)
	if err != nil {
		return "", "", false, err
	}
	defer diagnostics.close()

	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	cmd := exec.CommandContext(limited, c.path, slices.Concat(c.args, args.list)...)
	ownGroup(cmd)
	cmd.Dir = c.dir
	if c.dir != "" {
		cmd.Env = append(ownEnvironment(os.Environ()), "TMPDIR="+c.dir) // where a clang that crashes leaves what it was given
	}
	cmd.Stdout, cmd.Stderr = out.file, diagnostics.file
	stopWatching := watch(cancel, out, diagnostics)
	if err = cmd.Start(); err == nil {
		if c.dir != "" { // the header of others, not the program of the user's
			limitResources(cmd.Process.Pid)
		}
		err = cmd.Wait()
	}
	stopWatching()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", "", false, context.Cause(ctx)
	case diagnostics.full():
		return "", "", false, fmt.Errorf("%s reports more than %d MiB of errors", c.path, maxDiagnostics>>20)
	case out.full():
		return "", "", false, fmt.Errorf("%s prints more than %d MiB", c.path, maxStdout>>20)
	case limited.Err() != nil:
		return "", "", false, fmt.Errorf("%s did not end within %v, and was stopped", c.path, c.limit)
	case err != nil && !errors.As(err, &exit):
		return "", "", false, fmt.Errorf("%s: %w", c.path, err)
	}
	messages, e := diagnostics.read()
	if e == nil {
		stdout, e = out.read()
	}
	switch {
	case e != nil:
		return "", "", false, e
	case err == nil:
		return stdout, messages, false, nil
	case tooLong(exit) || tooLongPattern().MatchString(messages):
		return "", "", false, fmt.Errorf("%s writes a file of more than %d MiB, and was stopped: what it compiles has data of its own", c.path, maxWritten>>20)
	case outOfMemoryPattern().MatchString(messages):
		return "", "", false, fmt.Errorf("%s ran out of memory, of which it gets %d GiB at most", c.path, int64(maxMemory)>>30)
	case exit.ExitCode() < 0: // a signal
		return "", "", false, &crashError{fmt.Errorf("%s: %w: %s", c.path, err, c.gist(messages))}
	}
	if m := noRoomPattern().FindStringSubmatch(messages); m != nil {
		return "", "", false, &TempError{os.TempDir(), errors.New(strings.ToLower(m[1]))}
	}
	if m := noTargetPattern().FindString(messages); m != "" {
		return "", "", false, fmt.Errorf("%w for this target: %s was built without it (%s)", ErrNoClang, c.path, m)
	}
	return stdout, messages, true, nil
}

// gist is the part of a compiler's messages that says why it failed. Which addresses
// it crashed at, and which files it was given, are other ones each time.
func (c *clang) gist(messages string) string {
	text := gistPattern().FindString(messages)
	if text == "" {
		text, _, _ = strings.Cut(strings.TrimSpace(messages), "\n")
	}
	if text = c.withoutTemporary(text); text == "" {
		return "it does not say why"
	}
	return fmt.Sprintf("%.400s", text)
}

var (
	gistPattern = onDemand(`(?m)^.*(?:error: |ERROR: |Assertion ).*$`)
	// These are about no place in what is compiled, which could say them, too.
	tooLongPattern     = onDemand(`(?m)^(?:clang[^ ]*: )?(?:fatal error|error|LLVM ERROR): .*File too large`)
	outOfMemoryPattern = onDemand(`(?m)^(?:(?:clang[^ ]*: )?(?:fatal error|error|LLVM ERROR): .*(?:out of memory|Cannot allocate memory)|terminate called after throwing an instance of 'std::bad_alloc')`)
	noRoomPattern      = onDemand(`(?m)^(?:clang[^ ]*: )?(?:fatal error|error|LLVM ERROR): .*(No space left on device|Disk quota exceeded|Read-only file system)`)
)

// maxWritten bounds each file that a compiler writes for a header, in bytes, and
// maxMemory what it may allocate for it. A whole kernel takes 16 MB of the one,
// precompiled, and 180 of the other. They hold on Linux.
const (
	maxWritten = 512 << 20
	maxMemory  = 4 << 30
)

var noTargetPattern = onDemand(`(?m)unable to create target.*$`)

// output is a file that a program writes to.
type output struct {
	file  *os.File
	limit int64 // bytes
}

func newOutput(dir string, limit int64) (*output, error) {
	file, err := os.CreateTemp(dir, "btfgen-output-")
	if err != nil {
		return nil, tempError(err)
	}
	// Where the system lets an open file be removed, not even a kill leaves it.
	os.Remove(file.Name())
	return &output{file, limit}, nil
}

func (o *output) size() int64 {
	info, err := o.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func (o *output) full() bool { return o.size() > o.limit }

func (o *output) read() (string, error) {
	var b strings.Builder
	b.Grow(int(min(o.size(), o.limit)))
	_, err := io.Copy(&b, io.NewSectionReader(o.file, 0, o.limit))
	return b.String(), err
}

func (o *output) close() {
	o.file.Close()
	os.Remove(o.file.Name())
}

// watch ends a program when it has written more than it may, until the function
// that it returns is called.
func watch(end func(), outputs ...*output) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if slices.ContainsFunc(outputs, (*output).full) {
					end()
					return
				}
			}
		}
	}()
	return func() { close(done) }
}

// write puts a source file where the compiler runs. It has several parts, for
// together they would have to be copied.
func (c *clang) write(name string, parts ...string) error {
	file, err := os.OpenFile(filepath.Join(c.dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return tempError(err)
	}
	for _, text := range parts {
		if _, err = file.WriteString(text); err != nil {
			break
		}
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return tempError(err)
	}
	return nil
}

// onDemand compiles a pattern when it is first used: most runs of btfgen use none.
func onDemand(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
