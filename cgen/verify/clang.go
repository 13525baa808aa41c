package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// ErrNoClang says that there is no clang to ask, or none that knows BPF.
var ErrNoClang = errors.New("no clang")

const installHint = `install one (Debian: "apt-get install clang"), or name it with --clang or $CLANG`

// FindClang returns the clang to use when none is named: $CLANG, then clang,
// then the clang-N with the highest N on the PATH. The error is an
// [ErrNoClang] that says what to install.
func FindClang() (string, error) {
	if name := os.Getenv("CLANG"); name != "" {
		return name, nil
	}
	if path, err := exec.LookPath("clang"); err == nil {
		return path, nil
	}
	for major := 99; major >= 10; major-- { // clang 10 is the first with CO-RE for BPF
		if path, err := exec.LookPath("clang-" + strconv.Itoa(major)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w found, neither clang nor clang-N: %s", ErrNoClang, installHint)
}

// compileLimit ends a compile that runs away. A whole kernel's header takes
// under a second, a slow machine perhaps ten.
const compileLimit = 5 * time.Minute

// maxDiagnostics bounds what is kept of a compiler's messages, in bytes. One
// about each fact of a kernel is some 10 MB.
const maxDiagnostics = 64 << 20

// clang is a compiler with the flags that every run has.
type clang struct {
	path    string
	version string
	flags   []string
	dir     string        // to run in, and for temporary files
	limit   time.Duration // for one compile
}

var versionPattern = onDemand(`clang version (\S+)`)

// newClang finds a compiler.
func newClang(name, dir string) (*clang, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w: %s", ErrNoClang, name, err, installHint)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	return &clang{path: path, dir: dir, limit: compileLimit}, nil
}

// identify finds out the compiler's version, and whether it is a clang at all.
func (c *clang) identify(ctx context.Context) error {
	out, err := c.output(ctx, "--version")
	if err != nil {
		return fmt.Errorf("%w: %s --version: %w", ErrNoClang, c.path, err)
	}
	m := versionPattern().FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("%w: %s --version tells of no clang: %s", ErrNoClang, c.path, installHint)
	}
	c.version = string(m[1])
	return nil
}

func (c *clang) output(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out, err
}

// A diagnostic is an error that the compiler reports.
type diagnostic struct {
	file string // "" where it concerns no file
	line int    // from 1
	text string
}

var diagnosticPattern = onDemand(`(?m)^(?:(.+):(\d+):\d+: |)(?:fatal )?error: (.*)$`)

// compile runs the compiler. Errors in what it compiles are returned as
// diagnostics; err says that it could not do its work.
func (c *clang) compile(ctx context.Context, args ...string) (stdout []byte, found []diagnostic, err error) {
	// Warnings are for those who wrote the header; diagnostics are to be one line each.
	args = append([]string{"-w", "-fno-color-diagnostics", "-fno-caret-diagnostics", "-ferror-limit=0"}, args...)
	stdout, messages, failed, err := c.run(ctx, append(args, c.flags...)...)
	if err != nil || !failed {
		return stdout, nil, err
	}
	for _, m := range diagnosticPattern().FindAllStringSubmatch(messages, -1) {
		line, _ := strconv.Atoi(m[2])
		found = append(found, diagnostic{file: m[1], line: line, text: m[3]})
	}
	if len(found) == 0 {
		return nil, nil, fmt.Errorf("%s failed: %.400s", c.path, messages)
	}
	return nil, found, nil
}

// run runs the compiler, and returns what it prints to standard output and to
// standard error. failed says that it found errors in what it compiles, err that
// it could not do its work.
func (c *clang) run(ctx context.Context, args ...string) (stdout []byte, messages string, failed bool, err error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	cmd := exec.CommandContext(limited, c.path, args...)
	cmd.Dir = c.dir
	if c.dir != "" {
		cmd.Env = append(os.Environ(), "TMPDIR="+c.dir) // where a clang that crashes leaves what it was given
	}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	diagnostics := limitedBuffer{limit: maxDiagnostics}
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, "", false, ctx.Err()
	case limited.Err() != nil:
		return nil, "", false, fmt.Errorf("%s did not end within %v, and was stopped", c.path, c.limit)
	case diagnostics.full:
		return nil, "", false, fmt.Errorf("%s reports more than %d MiB of errors", c.path, maxDiagnostics>>20)
	case err == nil:
		return out.Bytes(), diagnostics.String(), false, nil
	case !errors.As(err, &exit):
		return nil, "", false, fmt.Errorf("%s: %w", c.path, err)
	case exit.ExitCode() < 0: // a signal
		return nil, "", false, fmt.Errorf("%s: %w: %.400s", c.path, err, diagnostics.String())
	}
	messages = diagnostics.String()
	if m := noTargetPattern().FindString(messages); m != "" {
		return nil, "", false, fmt.Errorf("%w for this target: %s was built without it (%s): %s", ErrNoClang, c.path, m, installHint)
	}
	return out.Bytes(), messages, true, nil
}

var noTargetPattern = onDemand(`(?m)unable to create target.*$`)

// limitedBuffer keeps the first bytes of what is written to it.
type limitedBuffer struct {
	bytes.Buffer
	limit int
	full  bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		b.full = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// write puts a source file where the compiler runs.
func (c *clang) write(name, text string) error {
	return os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600)
}

// onDemand compiles a pattern when it is first used: most runs of btfgen use none.
func onDemand(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
