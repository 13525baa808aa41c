package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A signal while a file is written leaves the old file, and no other.
func TestSignalLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "vmlinux.h")
	for _, old := range []string{"", "old content"} {
		if old != "" {
			if err := os.WriteFile(target, []byte(old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		info, _ := os.Stat(target)
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		err := writeAndRename(target, info, bytes.Repeat([]byte("new"), 1<<20), signals)
		var stopped interruptedError
		if !errors.As(err, &stopped) || stopped.number != syscall.SIGTERM {
			t.Errorf("old file %q: got the error %v, want one with SIGTERM", old, err)
		}
		got, err := os.ReadFile(target)
		if string(got) != old || (err == nil) != (old != "") {
			t.Errorf("old file %q: now it holds %q (%v)", old, got, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 1 || old == "" && len(entries) > 0 {
			t.Errorf("old file %q: %d files are left behind (%v)", old, len(entries), err)
		}
	}
}

// An error in the middle of writing removes the temporary file too.
func TestFailedWriteLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "vmlinux.h")
	if err := os.Mkdir(target, 0o755); err != nil { // no file can be renamed over a directory
		t.Fatal(err)
	}
	if err := writeAndRename(target, nil, []byte("new"), make(chan os.Signal)); err == nil {
		t.Error("renaming over a directory made no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %d entries (%v), want the directory alone", len(entries), err)
	}
}

func TestHasContentReadsAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 20000) // more than the buffer holds
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(content)
	other[len(other)-1]++
	for _, test := range []struct {
		data []byte
		want bool
	}{{content, true}, {other, false}, {content[1:], false}, {nil, false}} {
		if got, err := hasContent(path, test.data); err != nil || got != test.want {
			t.Errorf("%d bytes: got %t (%v), want %t", len(test.data), got, err, test.want)
		}
	}
}
