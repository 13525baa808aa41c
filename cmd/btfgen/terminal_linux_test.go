package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal runs the command with a pseudo-terminal of some columns as its
// standard output, and returns what was written to that.
func onTerminal(t *testing.T, columns int, args ...string) (code int, screen, stderr string) {
	t.Helper()
	master, slave := openTerminal(t, columns)
	seen := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // ends with EIO, once nobody has the other side open
		seen <- string(text)
	}()
	var errors bytes.Buffer
	code = run(args, strings.NewReader(""), slave, &errors)
	slave.Close()
	return code, strings.ReplaceAll(<-seen, "\r\n", "\n"), errors.String()
}

func openTerminal(t *testing.T, columns int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Help fills the terminal and no more, in titles that stand out; a copy of an
// example works, so those stay in one line.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	for _, command := range []string{"", "check", "verify", "info", "completion", "help"} {
		args := strings.Fields("help " + command)
		var byFlag bytes.Buffer
		run(strings.Fields(command+" --help"), nil, &byFlag, io.Discard)
		var plain bytes.Buffer
		if code := run(args, nil, &plain, io.Discard); code != 0 || escapes.Match(plain.Bytes()) {
			t.Errorf("btfgen %s into a file: exit code %d, and %q", command, code, escapes.FindString(plain.String()))
		}
		if command != "help" && byFlag.String() != plain.String() {
			t.Errorf("btfgen %s --help prints something else than btfgen help %s", command, command)
		}
		words := strings.Fields(plain.String())
		for _, test := range []struct{ columns, want int }{{0, 100}, {100, 100}, {60, 60}, {80, 80}, {132, 132}, {10, 40}} {
			code, screen, _ := onTerminal(t, test.columns, args...)
			if code != 0 || !strings.Contains(screen, "\x1b[1mUSAGE\x1b[0m\n") {
				t.Errorf("btfgen %s on %d columns: exit code %d, %.60q", command, test.columns, code, screen)
			}
			screen = escapes.ReplaceAllString(screen, "")
			if test.want == 100 && screen != plain.String() {
				t.Errorf("btfgen %s on %d columns: not what a file gets", command, test.columns)
			}
			if got := strings.Fields(screen); !slices.Equal(got, words) {
				t.Errorf("btfgen %s on %d columns has other words", command, test.columns)
			}
			longest := 0
			for line := range strings.Lines(screen) {
				line = strings.TrimRight(line, "\n")
				isTerm := slices.ContainsFunc(manualOf(command).examples, func(e entry) bool { return e.term == strings.TrimSpace(line) }) ||
					slices.Contains(manualOf(command).synopsis, strings.TrimPrefix(line, "   btfgen "))
				if n := utf8.RuneCountInString(line); !isTerm {
					longest = max(longest, n)
				}
			}
			if longest > test.want || longest < test.want-15 && command != "help" && command != "completion" {
				t.Errorf("btfgen %s on %d columns: the longest line has %d", command, test.columns, longest)
			}
		}
	}
}

// BTF is not for the screen; headers are, and files.
func TestNoBinaryOnTheTerminal(t *testing.T) {
	t.Chdir(t.TempDir())
	kernel, _ := testKernel()
	if err := os.WriteFile("kernel.btf", kernel, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("object.o", testObject(t, kernel), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-i", "kernel.btf", "--format", "btf", "-"},
		{"-i", "kernel.btf", "--format", "btf", "--type", "task_struct", "-"},
		{"-i", "kernel.btf", "--format", "btf", "--for", "object.o", "-"},
	} {
		code, screen, stderr := onTerminal(t, 80, args...)
		if code != 2 || screen != "" || !strings.Contains(stderr, "standard output is a terminal") {
			t.Errorf("btfgen %q: exit code %d, %q on the screen, error %q", args, code, screen, stderr)
		}
		var out bytes.Buffer
		if code := run(args, nil, &out, io.Discard); code != 0 || !bytes.HasPrefix(out.Bytes(), []byte{0x9f, 0xeb}) {
			t.Errorf("btfgen %q into a pipe: exit code %d, %q", args, code, &out)
		}
	}
	code, screen, _ := onTerminal(t, 80, "-i", "kernel.btf", "-")
	if code != 0 || !strings.Contains(screen, "struct task_struct {") {
		t.Errorf("a header on the screen: exit code %d, %q", code, screen)
	}
	if code, _, stderr := onTerminal(t, 80, "-i", "kernel.btf", "x.btf"); code != 0 {
		t.Errorf("BTF into a file: exit code %d, %s", code, stderr)
	}
}

// Nobody types a kernel.
func TestNoKernelFromTheTerminal(t *testing.T) {
	_, slave := openTerminal(t, 80)
	for _, args := range [][]string{{"-i", "-", "x.h"}, {"-i", "-", "--type", "x", "x.go"}, {"info", "-"}, {"-i", "-", "--for", "x.o", "x.btf"}} {
		var stderr bytes.Buffer
		if code := run(args, slave, io.Discard, &stderr); code != 2 || !strings.Contains(stderr.String(), "is a terminal") {
			t.Errorf("btfgen %q: exit code %d, %s", args, code, &stderr)
		}
	}
}

// What differs is coloured, where colours can be shown and are wanted; but for
// colours the text is the same.
func TestColours(t *testing.T) {
	t.Chdir(t.TempDir())
	kernel, _ := testKernel()
	for name, data := range map[string][]byte{"kernel.btf": kernel, "object.o": testObject(t, kernel), "other.btf": otherKernel()} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code := run([]string{"-q", "-i", "kernel.btf", "x.h"}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--check", "-i", "kernel.btf", "--no-kfuncs", "x.h"}, []string{"\x1b[1m--- x.h\x1b[0m\n", "\x1b[36m@@ ", "\n\x1b[31m- *", "\n\x1b[32m+ *", "\n  *\n"}},
		{[]string{"check", "-k", "kernel.btf", "-k", "other.btf", "object.o"}, []string{"\x1b[33mmay fail\x1b[0m", "\x1b[1;31mFAILS\x1b[0m"}},
	} {
		var plain bytes.Buffer
		code := run(test.args, nil, &plain, io.Discard)
		for _, env := range []struct {
			term, noColour string
			coloured       bool
		}{{"xterm-256color", "", true}, {"xterm", "1", false}, {"dumb", "", false}} {
			t.Setenv("TERM", env.term)
			t.Setenv("NO_COLOR", env.noColour)
			got, screen, _ := onTerminal(t, 80, test.args...)
			if got != code || escapes.ReplaceAllString(screen, "") != plain.String() {
				t.Errorf("btfgen %q, %+v: exit code %d and other text than in a file:\n%s\nwant %d and\n%s", test.args, env, got, screen, code, &plain)
			}
			for _, want := range test.want {
				if escapes.MatchString(want) && strings.Contains(screen, want) != env.coloured {
					t.Errorf("btfgen %q, %+v: %q is there: %t\n%s", test.args, env, want, !env.coloured, screen)
				}
			}
			if !env.coloured && strings.Contains(screen, "\x1b") {
				t.Errorf("btfgen %q, %+v: there are escape sequences in %q", test.args, env, screen)
			}
		}
	}
}

// A dumb terminal can't wipe a progress line.
func TestNoProgressOnDumbTerminals(t *testing.T) {
	_, slave := openTerminal(t, 80)
	for term, want := range map[string]bool{"dumb": false, "xterm": true, "": true} {
		t.Setenv("TERM", term)
		if got := newConsole(slave, false).terminal; got != want {
			t.Errorf("TERM=%s: %t, want %t", term, got, want)
		}
	}
	if file, err := os.Create(filepath.Join(t.TempDir(), "log")); err != nil || newConsole(file, false).terminal {
		t.Errorf("a file is taken for a terminal (%v)", err)
	}
}
