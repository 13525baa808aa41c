package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// How a file is replaced
//
// The new content goes to a temporary file beside the old one, which is renamed
// over it when all of it is there: readers see the old file or the new one,
// never half of one, and whatever fails leaves the old one alone. A file that
// has the right content already is not touched at all, so that make sees no
// reason to build again. The new file has the mode of the old one. A symbolic
// link stays one: what it points to is replaced (see destination.go). What is no
// regular file, such as a pipe or a device, is written to.
//
// The temporary file is removed on errors and on the signals that end a program;
// one that a killed run left behind is removed by the next run that writes to
// its directory (see leftovers.go). The file is not synced to disk first, for it
// can be made again, and syncing would take longer than making it.

// replaceFile makes data the content of the file called name. changed is false
// if it was that before.
func replaceFile(name string, data []byte) (changed bool, err error) {
	changed, err = replace(name, data)
	// The errors of package os name the temporary file, or the end of a chain
	// of links. A user knows the name that he gave.
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = fmt.Errorf("%s can't be written: %s: %w", name, path.Op, path.Err)
	case errors.As(err, &link):
		err = fmt.Errorf("%s can't be written: %s: %w", name, link.Op, link.Err)
	}
	return changed, err
}

func replace(name string, data []byte) (changed bool, err error) {
	to, err := destinationOf(name)
	if err != nil {
		return false, err
	}
	if to.descriptor {
		return true, writeDescriptor(to.number, name, data)
	}
	target := to.path
	old, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case old.IsDir():
		return false, fmt.Errorf("%s is a directory: name a file in it", name)
	case !old.Mode().IsRegular():
		// A named pipe, say: there is nothing to replace, and a rename would
		// put a file in its place.
		return true, writeThrough(target, data)
	default:
		same, err := hasContent(target, data)
		if same || err != nil {
			return false, err
		}
	}

	// Until now a signal could end the program at any point. From here on there
	// is a file to be removed first.
	signals, stop := notifyOfEnd()
	defer stop()
	return true, writeAndRename(target, old, data, signals)
}

// writeAndRename puts a file with data in the place of target. old is nil if
// there is none yet.
func writeAndRename(target string, old fs.FileInfo, data []byte, signals <-chan os.Signal) (err error) {
	removeLeftovers(filepath.Dir(target))
	temp, release, err := createBeside(target)
	if err != nil {
		return err
	}
	defer release() // after the rename: until then the file is in use
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	if old != nil {
		err = temp.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = writeUnlessStopped(temp, data, signals)
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = stopped(signals)
	}
	if err == nil {
		err = os.Rename(temp.Name(), target)
	}
	return err
}

// hasContent says whether a file has data as its content. It may lack the right
// to be read.
func hasContent(name string, data []byte) (bool, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != int64(len(data)) {
		return false, err
	}
	buffer := make([]byte, 128<<10)
	for {
		n, err := file.Read(buffer)
		if n > len(data) || !bytes.Equal(buffer[:n], data[:n]) {
			return false, nil
		}
		data = data[n:]
		if err == io.EOF {
			return len(data) == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// createBeside creates a temporary file in the directory of target, with the
// mode that the user's umask gives to new files (os.CreateTemp would give it to
// its owner only). Until release is called, no other run takes it for a leftover.
func createBeside(target string) (file *os.File, release func(), err error) {
	for {
		name := filepath.Join(filepath.Dir(target), fmt.Sprintf("%s%08x%s", leftoverPrefix, rand.Uint32(), leftoverSuffix))
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		release, claimed := claim(file)
		if claimed {
			return file, release, nil
		}
		file.Close() // another run has just found it, and removes it
	}
}

// writeUnlessStopped writes data in pieces, and looks for a signal before each.
func writeUnlessStopped(file *os.File, data []byte, signals <-chan os.Signal) error {
	const piece = 1 << 20
	for len(data) > 0 {
		if err := stopped(signals); err != nil {
			return err
		}
		n, err := file.Write(data[:min(len(data), piece)])
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// writeThrough writes to something that is no regular file.
func writeThrough(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}
