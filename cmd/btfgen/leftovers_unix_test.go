//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHoldsTemporaryFile is the run that the test below kills: it makes a
// temporary file, says so, and waits.
func TestHoldsTemporaryFile(t *testing.T) {
	target := os.Getenv("BTFGEN_TEST_HOLD")
	if target == "" {
		return
	}
	if _, _, err := createBeside(target); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("made\n")
	select {}
}

// The temporary file of a run goes away when that was killed, and not before.
func TestKilledRunLeavesNothing(t *testing.T) {
	target := filepath.Join(t.TempDir(), "vmlinux.h")
	run := exec.Command(os.Args[0], "-test.run=^TestHoldsTemporaryFile$")
	run.Env = append(os.Environ(), "BTFGEN_TEST_HOLD="+target)
	stdout, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer run.Process.Kill()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "made\n" {
		t.Fatalf("the run that is to be killed says %q: %v", line, err)
	}
	left := func() (n int) {
		entries, err := os.ReadDir(filepath.Dir(target))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), leftoverPrefix) {
				n++
			}
		}
		return n
	}
	if _, err := replaceFile(target, []byte("one")); err != nil || left() != 1 {
		t.Fatalf("beside a running one (%v): %v, %d temporary files, want the other's", run.Process.Signal(syscall.Signal(0)), err, left())
	}
	run.Process.Kill()
	run.Wait()
	if _, err := replaceFile(target, []byte("two")); err != nil || left() != 0 {
		t.Errorf("after it was killed: %v, %d temporary files are left", err, left())
	}
}
