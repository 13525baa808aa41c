//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// claim takes the lock of a temporary file that was just made, and holds it
// until release is called, even if the file is closed before. It fails if a run
// that looks for leftovers was faster. On file systems without locks nobody can
// claim anything, and nothing is taken for a leftover.
func claim(file *os.File) (release func(), claimed bool) {
	if tryLock(file) == unix.EWOULDBLOCK {
		return nil, false
	}
	now, err := os.Lstat(file.Name())
	if made, e := file.Stat(); err != nil || e != nil || !os.SameFile(now, made) {
		return nil, false
	}
	second, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return func() {}, true // the lock goes with file, a moment too early at worst
	}
	return func() { unix.Close(second) }, true
}

// removeLeftovers removes the temporary files in a directory that belong to no
// running process. What it can't remove stays: the run that called it has other
// work to do.
func removeLeftovers(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if middle, ok := strings.CutPrefix(entry.Name(), leftoverPrefix); ok && len(middle) == 8+len(leftoverSuffix) && strings.HasSuffix(middle, leftoverSuffix) {
			removeLeftover(filepath.Join(dir, entry.Name()))
		}
	}
}

func removeLeftover(name string) {
	// O_NONBLOCK: a named pipe of that name must not make anybody wait.
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return
	}
	if tryLock(file) != nil {
		return
	}
	if now, err := os.Lstat(name); err == nil && os.SameFile(now, info) {
		os.Remove(name)
	}
}

// writeDescriptor writes to a file that this process was started with.
func writeDescriptor(number int, name string, data []byte) error {
	// A second descriptor is ours to close.
	own, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(own), name)
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// tryLock takes a file's lock, or fails with EWOULDBLOCK if another process has it.
// Signals, which Go sends to its own threads, may end the call before that.
func tryLock(file *os.File) error {
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}
