package source

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// A container is one way to keep BTF in a file.
type container struct {
	name string

	// match says by the first bytes of a file, at most headSize of them, whether open can read it.
	match func(head []byte) bool

	// open returns the raw BTF in the file, which is size bytes long. Its errors don't name the file: the caller does.
	open func(file io.ReaderAt, size int64) ([]byte, error)
}

// headSize is how many bytes of a file the matchers get to see.
const headSize = 64

// containers is the table of all containers. They are tried in order, and the first that matches has the file.
var containers = []container{
	{name: "raw BTF", match: isRaw, open: openRaw},
	{name: "ELF", match: isELF, open: openELF},
}

// unpack returns the raw BTF of a file, whatever container it is in.
func unpack(file io.ReaderAt, size int64) ([]byte, error) {
	head := make([]byte, min(size, headSize))
	if n, err := file.ReadAt(head, 0); n < len(head) {
		return nil, err
	}
	for _, c := range containers {
		if c.match(head) {
			raw, err := c.open(file, size)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			return raw, nil
		}
	}
	if size == 0 {
		return nil, fmt.Errorf("%w: the input is empty", ErrNoBTF)
	}
	return nil, fmt.Errorf("%w: the input starts with % x, which is neither raw BTF nor ELF", ErrNoBTF, head[:min(len(head), 4)])
}

// isRaw knows BTF by its magic number, 0xeB9F, in either byte order (include/uapi/linux/btf.h).
func isRaw(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x9f, 0xeb}) || bytes.HasPrefix(head, []byte{0xeb, 0x9f})
}

func openRaw(file io.ReaderAt, size int64) ([]byte, error) {
	return readExactly(file, size)
}

// readFile returns the raw BTF in the file at path.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // an *os.PathError names the path
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory, not a file with BTF", path)
	case !info.Mode().IsRegular():
		// A pipe, as in <(xz -dc vmlinux.btf.xz), can be read once and from its start only.
		return readStream(path, file)
	}
	raw, err := unpack(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

// readStream returns the raw BTF in what stream has. name stands in errors.
func readStream(name string, stream io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(stream, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	raw, err := unpack(memory(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return raw, nil
}

// memory is an input that has been read whole. Its type tells readExactly that there is nothing left to read.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}

// readExactly returns all of a file, without growing a buffer on the way: the size of a file is known beforehand, also in sysfs.
func readExactly(file io.ReaderAt, size int64) ([]byte, error) {
	if size > MaxSize {
		return nil, fmt.Errorf("the input has more than %d bytes, which no BTF has", MaxSize)
	}
	if m, ok := file.(memory); ok {
		return m, nil
	}
	data := make([]byte, size)
	if n, err := file.ReadAt(data, 0); n < len(data) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %d of %d bytes: %w", n, size, err)
	}
	return data, nil
}
