package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// maxText is how many bytes of a file are read that is text: a header of a whole
// kernel with all its modules has some 20 MB.
const maxText = 64 << 20

// openRegular opens a file, nil if it can't be or is none: a named pipe would be
// waited for, and what is read of a pipe is gone.
func openRegular(name string) *os.File {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil
	}
	return file
}

// readFile returns a file's content, at most limit bytes. What is no regular file
// may be waited for, and is refused before it is opened, but for what is open
// already, as a shell's <(zcat /proc/config.gz).
func readFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	isOpen := name == "/dev/stdin" || strings.HasPrefix(name, "/dev/fd/") || strings.HasPrefix(name, "/proc/self/fd/")
	if !info.Mode().IsRegular() && !isOpen {
		if info.IsDir() {
			return nil, &os.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
		}
		return nil, fmt.Errorf("%s: it is no regular file: name one", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAtMost(file, name, info.Size(), limit)
}

// readAtMost reads what is left of a file. size is what is expected; files of
// /proc say 0.
func readAtMost(file io.Reader, name string, size, limit int64) ([]byte, error) {
	tooLarge := fmt.Errorf("%s: it has more than %s bytes, which is all that is read of such a file", name, thousands(int(limit)))
	if size > limit {
		return nil, tooLarge
	}
	data := make([]byte, 0, max(size+1, 512))
	for {
		n, err := file.Read(data[len(data):min(cap(data), int(limit)+1)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}
