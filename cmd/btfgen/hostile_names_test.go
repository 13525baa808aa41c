//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Names of sources, headers and directories that clang, a shell, a make rule, an
// overlay or a terminal could take for something else.
var hostileNames = []string{
	"@q.bpf", "@@q", "@", "-Dx", "-fplugin=evil.so", "-", "--", "a\nb", "a\nbtfgen: ok", "a\"b", "a'b", "a\\b", "\\", "$HOME", "`x`", "a b", "%s%n", "a:b", "a#b", "a;b", "<a>", "\u202e", "\x01\x7f", "ü", "\xff\xfe", "@\"\\\n$ ",
}

// A program's name, the header's, and those of directories are nothing but names:
// the same program is made a header for, and what its text would mean as options
// does not happen.
func TestForHostileNames(t *testing.T) {
	compiler := clangtest.Newest(t).Name
	top := t.TempDir()
	library, mark := filepath.Join(top, "evil.so"), filepath.Join(top, "MARK")
	source := "#include <fcntl.h>\n__attribute__((constructor)) static void mark(void) { creat(\"" + mark + "\", 0600); }\n"
	if err := os.WriteFile(filepath.Join(top, "evil.c"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, filepath.Join(top, "evil.c")).CombinedOutput(); err != nil {
		t.Fatalf("gcc, which makes the library that must not be loaded: %v\n%s", err, out)
	}
	loaded := func() bool {
		_, err := os.Stat(mark)
		os.Remove(mark)
		return err == nil
	}
	// The file is C, and read as options, by clang or by what clang calls, it loads
	// the library. Not vacuous: so it does where it is given as options.
	program := "//\\\n -load " + library + " x\n#include \"vmlinux.h\"\n#include \"beside.h\"\n__attribute__((section(\"tp/x\"), used)) int f(struct task_struct *t) { return t->pid + ONE; }\n"
	options := filepath.Join(top, "options.c")
	if err := os.WriteFile(options, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if exec.Command(compiler, "-cc1", "@"+options).Run(); !loaded() {
		t.Fatal("the file loads nothing where it is given as options")
	}
	kernel, _ := testKernel()
	btf := filepath.Join(top, "kernel.btf")
	if err := os.WriteFile(btf, kernel, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range hostileNames {
		for _, where := range []string{"source", "header", "directory", "TMPDIR"} {
			dir, temp, program_, header := t.TempDir(), t.TempDir(), "p.c", "slim.h"
			switch where {
			case "source":
				program_ = name + ".c"
			case "header":
				header = name + ".h"
			case "directory":
				dir = filepath.Join(dir, name)
			case "TMPDIR":
				temp = filepath.Join(temp, name)
			}
			for _, d := range []string{dir, temp} {
				if err := os.MkdirAll(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for file, text := range map[string]string{program_: program, "beside.h": "#define ONE 1\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(dir)
			t.Setenv("TMPDIR", temp)
			var out, said bytes.Buffer
			output := header
			if strings.HasPrefix(output, "-") {
				output = "./" + output
			}
			code := run([]string{"-i", btf, "--clang", compiler, "--for=" + program_, output}, nil, &out, &said)
			if loaded() {
				t.Errorf("%s %q: the library was loaded", where, name)
			}
			// clang's overlays, in which the header is shown, are UTF-8.
			refused := strings.Contains(name, "\xff") && strings.Contains(said.String(), "UTF-8")
			if code != 0 && !(code == 2 && refused) {
				t.Errorf("%s %q: exit %d: %s%s", where, name, code, &out, &said)
			}
			checkPlain(t, "the message", said.String())
			for line := range strings.Lines(said.String()) {
				if strings.HasPrefix(line, "btfgen: ok") {
					t.Errorf("%s %q: a name makes a line: %s", where, name, &said)
				}
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("%s %q: left in the directory for temporary files: %v %v", where, name, left, err)
			}
		}
	}
}

// The temporary directory of a run that was killed goes with the next run, and no
// other's does.
func TestKilledRunLeavesNoDirectory(t *testing.T) {
	temp := t.TempDir()
	header, wrapper, beside := filepath.Join(t.TempDir(), "a.h"), filepath.Join(t.TempDir(), "clang"), t.TempDir()
	kernel, _ := testKernel()
	btf := filepath.Join(t.TempDir(), "kernel.btf")
	// It tells its version, and compiles for as long as there is the file held: what a
	// killed run started goes on, and ends with it, however many that are.
	held := filepath.Join(beside, "held")
	const compiler = `#!/bin/sh
[ "$1" != --version ] || { echo clang version 19.1.7; exit; }
: >"$BTFGEN_TEST_STARTED"
n=0
while [ -e "$BTFGEN_TEST_HELD" ] && [ $((n += 1)) -lt 3000 ]; do sleep 0.1; done
exit 1
`
	for name, text := range map[string]string{header: "struct sk_buff { unsigned long len; };\n", btf: string(kernel), wrapper: compiler, held: ""} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Remove(held) })
	t.Setenv("TMPDIR", temp)
	// A name like ours that is none of ours.
	other := filepath.Join(temp, "btfgen-run-notes")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	start := func(name string) *exec.Cmd {
		started := filepath.Join(beside, name)
		cmd := exec.Command(os.Args[0], "-test.run=^TestRunsAsCommand$")
		cmd.Env = append(os.Environ(), "BTFGEN_TEST_HELD="+held, "BTFGEN_TEST_STARTED="+started, "BTFGEN_TEST_ARGS=verify -i "+btf+" --clang "+wrapper+" "+header)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(started); err == nil {
				return cmd
			}
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				cmd.Wait()
				t.Fatalf("it does not compile: %s", &said)
			}
		}
	}
	left := func() (n int) {
		entries, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), "btfgen-") && entry.Name() != filepath.Base(other) {
				n++
			}
		}
		return n
	}
	first := start("first")
	defer first.Process.Kill()
	second := start("second")
	defer second.Process.Kill()
	if n := left(); n != 2 {
		t.Errorf("two runs have %d directories", n)
	}
	first.Process.Kill()
	first.Wait()
	run([]string{"verify", "-i", btf, "--fast", header}, nil, &bytes.Buffer{}, &bytes.Buffer{})
	if n := left(); n != 1 {
		t.Errorf("after one was killed, and beside another, there are %d directories", n)
	}
	// An interrupt leaves nothing at all.
	second.Process.Signal(os.Interrupt)
	second.Wait()
	if n := left(); n != 0 {
		t.Errorf("after an interrupt there are %d directories", n)
	}
}

// TestRunsAsCommand is btfgen, for the test above.
func TestRunsAsCommand(t *testing.T) {
	if args := os.Getenv("BTFGEN_TEST_ARGS"); args != "" {
		os.Exit(run(strings.Fields(args), os.Stdin, os.Stdout, os.Stderr))
	}
}
