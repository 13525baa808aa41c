package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Temporary directories are called this, and a decimal number.
const tempPrefix = "btfgen-run-"

// TempError says that temporary files can't be written: where they should be there
// is no directory, or no permission, or no room.
type TempError struct {
	Dir string // of temporary files, as the system has it
	Err error
}

func (e *TempError) Error() string {
	return fmt.Sprintf("temporary files can't be written to %s: %v", e.Dir, e.Err)
}

func (e *TempError) Unwrap() error { return e.Err }

// tempError is a TempError for what went wrong below the system's directory for
// temporary files. Which file that was has no meaning to anyone.
func tempError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &TempError{os.TempDir(), err}
}

// TempDir makes a directory for what compilers read and write. remove removes it,
// with all that is in it. The directories of runs that were killed before they
// could do that are removed first: those of this user that no process holds the
// lock of, which the kernel drops with the process (where there are such locks:
// on Unix). The error is a [TempError].
func TempDir() (dir string, remove func() error, err error) {
	parent, err := filepath.Abs(os.TempDir()) // a relative one holds for this process's directory only
	if err != nil {
		return "", nil, tempError(err)
	}
	removeLeftovers(parent)
	for {
		dir, err := os.MkdirTemp(parent, tempPrefix)
		if err != nil {
			return "", nil, tempError(err)
		}
		release, claimed := claimDir(dir)
		if claimed {
			return dir, func() error {
				defer release() // no sooner: until then it is in use
				return os.RemoveAll(dir)
			}, nil
		}
	}
}

// isTempName reports whether a directory may be one of TempDir's.
func isTempName(name string) bool {
	number, ok := strings.CutPrefix(name, tempPrefix)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// WriteTemp writes a file in such a directory. The error is a [TempError].
func WriteTemp(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return tempError(err)
	}
	return nil
}
