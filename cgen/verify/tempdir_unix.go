//go:build unix

package verify

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// claimDir takes the lock of a directory that was just made, and holds it until
// release is called. It fails if a run that looks for leftovers was faster.
func claimDir(dir string) (release func(), claimed bool) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, false // it is gone
	}
	if tryLock(file) == unix.EWOULDBLOCK {
		file.Close()
		return nil, false
	}
	now, err := os.Lstat(dir)
	if made, e := file.Stat(); err != nil || e != nil || !os.SameFile(now, made) {
		file.Close()
		return nil, false
	}
	return func() { file.Close() }, true
}

// removeLeftovers removes the temporary directories in parent that belong to no
// running process. What it can't remove stays.
func removeLeftovers(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if isTempName(entry.Name()) && entry.IsDir() {
			removeLeftover(filepath.Join(parent, entry.Name()))
		}
	}
}

func removeLeftover(dir string) {
	file, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return
	}
	if tryLock(file) != nil {
		return
	}
	if now, err := os.Lstat(dir); err == nil && os.SameFile(now, info) {
		os.RemoveAll(dir)
	}
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
