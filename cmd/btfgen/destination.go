package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A destination is what an output's name stands for in the end.
type destination struct {
	path string // of a file, which need not be there yet, without symbolic links

	// descriptor says that it is this process's open file with that number, as
	// /dev/stdout and /dev/fd/3 are: opening the name anew would start at the
	// beginning of a file that somebody appends to.
	descriptor bool
	number     int
}

// maxLinks is how many symbolic links Linux follows, too.
const maxLinks = 40

// destinationOf follows symbolic links as the kernel does: one in a directory
// that is a link itself starts from where that directory really is, and ".."
// leads out of there.
func destinationOf(name string) (destination, error) {
	path := name
	for range maxLinks {
		dir, base := filepath.Split(path)
		if base == "" || base == "." || base == ".." {
			return destination{path: path}, nil // a directory: the caller's next step tells
		}
		if dir == "" {
			dir = "."
		}
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return destination{}, err
		}
		path = filepath.Join(dir, base)
		if pid, ok := descriptorsOf(dir); ok {
			if number, err := strconv.Atoi(base); err == nil && pid == strconv.Itoa(os.Getpid()) {
				return destination{descriptor: true, number: number}, nil
			}
			return destination{path: path}, nil // another process's: only the kernel can follow that link
		}
		next, err := os.Readlink(path)
		if err != nil {
			return destination{path: path}, nil // no link, or not there
		}
		if !filepath.IsAbs(next) {
			next = dir + string(filepath.Separator) + next // not cleaned: what is before a ".." may be a link
		}
		path = next
	}
	return destination{}, fmt.Errorf("%s: too many symbolic links", name)
}

// descriptorsOf says whose open files a directory shows, if it is /proc/PID/fd or
// /proc/PID/task/TID/fd: as links, whose text is no path for pipes and deleted
// files. /dev/stdout leads there.
func descriptorsOf(dir string) (pid string, ok bool) {
	rest, ok := strings.CutPrefix(dir, "/proc/")
	if !ok || filepath.Base(rest) != "fd" {
		return "", false
	}
	pid, _, _ = strings.Cut(rest, "/")
	return pid, true
}
