package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A tool is a BPF program of libbpf-tools.
type tool struct {
	name string // "opensnoop"
	path string // of its source
}

// findTools returns the tools below a directory, in the order of their names.
func findTools(dir string) ([]tool, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.bpf.c"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there are no *.bpf.c in %s: make libbpf-tools downloads them", dir)
	}
	var tools []tool
	for _, path := range paths {
		tools = append(tools, tool{name: strings.TrimSuffix(filepath.Base(path), ".bpf.c"), path: path})
	}
	return tools, nil
}

// flags are those of the tools' Makefile, and where libbpf's headers are.
func (r *runner) flags(t tool) []string {
	flags := []string{"-Wall", "-Werror=undef", "-I", r.libbpf}
	if t.name == "softirqs" {
		flags = append(flags, "-mcpu=v3")
	}
	return flags
}

// compile compiles a tool with the vmlinux.h in a directory. What it lacks is the
// compiler's first complaint, "" if there is none.
func (r *runner) compile(ctx context.Context, t tool, k *kernel, include, object string) (lacks string, err error) {
	args := []string{"-g", "-O2", "-target", k.clangTarget(), "-I", include, "-D__TARGET_ARCH_" + k.arch}
	args = append(append(args, r.flags(t)...), "-c", t.path, "-o", object)
	ran := command(ctx, r.clang, args...)
	if ran.err == nil {
		return "", nil
	}
	if lacks = firstError(ran.stderr); lacks == "" {
		return "", ran.err
	}
	return lacks, nil
}

var errorPattern = regexp.MustCompile(`(?m)^[^\n]*?:\d+:\d+: (?:fatal )?error: (.*)$`)

// firstError returns the first error among clang's diagnostics, without its
// place, and "" if there is none.
func firstError(diagnostics string) string {
	m := errorPattern.FindStringSubmatch(diagnostics)
	if m == nil {
		return ""
	}
	message, _, _ := strings.Cut(m[1], "; ISO C99") // what of C forbids it is beside the point
	return strings.TrimSpace(message)
}

// theirHeader returns the directory of the header that bpftool writes of a kernel.
func (r *runner) theirHeader(ctx context.Context, k *kernel) (string, error) {
	r.bpftoolHeaders.Lock()
	defer r.bpftoolHeaders.Unlock()
	dir := filepath.Join(k.dir, "bpftool")
	path := filepath.Join(dir, "vmlinux.h")
	if _, err := os.Stat(path); err == nil {
		return dir, nil
	}
	ran := command(ctx, r.bpftool, "btf", "dump", "file", k.btf, "format", "c")
	if ran.err != nil {
		return "", ran.err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(path, []byte(ran.stdout), 0o644)
}

// btfgenFor has btfgen make something of a kernel's BTF.
func (r *runner) btfgenFor(k *kernel, output string, args ...string) finished {
	return command(r.ctx, r.btfgen, append([]string{"-q", "-i", k.btf, output}, args...)...)
}

// finished is a program that has run.
type finished struct {
	stdout, stderr string
	time           time.Duration // of processors, its children's too: other work on the machine counts less
	exit           int
	err            error // with what the program said
}

func command(ctx context.Context, name string, args ...string) finished {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	f := finished{stdout: stdout.String(), stderr: stderr.String()}
	if cmd.ProcessState != nil {
		f.time = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		f.exit = cmd.ProcessState.ExitCode()
	}
	if err != nil {
		f.err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.TrimSpace(f.stderr))
	}
	return f
}
