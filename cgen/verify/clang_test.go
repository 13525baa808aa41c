package verify

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// fakeClang is a compiler that does what a shell script says.
func fakeClang(t *testing.T, script string) *clang {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clang")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	cc, err := newClang(path, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return cc
}

func compileFile(cc *clang) (string, []diagnostic, string, error) {
	var args Arguments
	args.Flags("-c")
	args.Source("x.c")
	return cc.compile(context.Background(), args)
}

// A compile that runs away is ended, also one whose processes outlive it and
// keep its output open.
func TestCompileLimit(t *testing.T) {
	for _, script := range []string{"exec sleep 100", "sleep 100 & echo $! >left; wait", "while :; do :; done"} {
		cc := fakeClang(t, script)
		cc.limit = 300 * time.Millisecond
		start := time.Now()
		_, _, _, err := compileFile(cc)
		if err == nil || !strings.Contains(err.Error(), "did not end within 300ms, and was stopped") {
			t.Errorf("%s: the error is %v", script, err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: it took %v", script, took)
		}
		if left, err := os.ReadFile(filepath.Join(cc.dir, "left")); err == nil {
			exec.Command("kill", strings.TrimSpace(string(left))).Run()
		}
	}
}

// Without the target there is no use in another try: the error says what to
// install.
func TestClangWithoutBPF(t *testing.T) {
	cc := fakeClang(t, `echo "error: unable to create target: 'No available targets are compatible with triple \"bpfel\"'" >&2; exit 1`)
	_, _, _, err := compileFile(cc)
	if !errors.Is(err, ErrNoClang) || !strings.Contains(err.Error(), "built without it") {
		t.Errorf("the error is %v", err)
	}
}

// What a clang that crashes leaves behind stays among the files that go.
func TestTemporaryFilesOfClang(t *testing.T) {
	cc := fakeClang(t, `echo crash >"$TMPDIR/header-1234.c"; kill -SEGV $$`)
	if _, _, _, err := compileFile(cc); err == nil || !strings.Contains(err.Error(), "segmentation fault") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(cc.dir, "header-1234.c")); err != nil {
		t.Error(err)
	}
}

// A compiler of programs keeps its temporary files where others do: without a
// directory of its own, its variable must not be empty, which clang takes for the
// one that it runs in.
func TestTemporaryFilesOfCompiler(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clang")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"clang version 19.1.7 $TMPDIR\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept := t.TempDir()
	t.Setenv("TMPDIR", kept)
	c, err := NewCompiler(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Run(context.Background(), Arguments{list: []string{"-c", "x.c"}})
	if err != nil || !strings.HasSuffix(result.Stdout, " "+kept+"\n") {
		t.Errorf("the compiler says %q: %v", result.Stdout, err)
	}
}

// A compiler is done when it ends: others that keep its output open, or are slow
// to close it, are neither waited for nor a failure, and nothing that it wrote is
// lost.
func TestOutputThatStaysOpen(t *testing.T) {
	cc := fakeClang(t, "sleep 100 & echo $! >left; head -c 300000 /dev/zero | tr '\\0' x; echo a remark >&2")
	start := time.Now()
	stdout, diagnostics, _, err := compileFile(cc)
	if left, err := os.ReadFile(filepath.Join(cc.dir, "left")); err == nil {
		exec.Command("kill", strings.TrimSpace(string(left))).Run()
	}
	if err != nil || len(stdout) != 300000 || len(diagnostics) > 0 {
		t.Errorf("%d bytes, %v, %v", len(stdout), diagnostics, err)
	}
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What a compiler writes is limited while it writes.
func TestOutputLimit(t *testing.T) {
	cc := fakeClang(t, "exec yes error: no >&2")
	_, _, _, err := compileFile(cc)
	if err == nil || !strings.Contains(err.Error(), "reports more than 64 MiB of errors") {
		t.Errorf("the error is %v", err)
	}
}

// All compiles together are ended, too.
func TestTotalLimit(t *testing.T) {
	b := btftest.New()
	b.Struct("s", 4, btftest.Field("i", b.Int("int", 4, btftest.Signed), 0))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(path, []byte("struct s { int i; };\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := totalLimit
	defer func() { totalLimit = before }()
	totalLimit = 300 * time.Millisecond
	start := time.Now()
	_, err = Header(context.Background(), path, view, nil, Options{Clang: fakeClang(t, "exec sleep 100").path})
	if err == nil || !strings.Contains(err.Error(), "the compiler was stopped: all that it was asked took more than 300ms") {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}
