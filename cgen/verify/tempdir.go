package verify

import (
	"os"
	"path/filepath"
	"strings"
)

// Temporary directories are called this, and a decimal number.
const tempPrefix = "btfgen-run-"

// TempDir makes a directory for what compilers read and write. remove removes it,
// with all that is in it. The directories of runs that were killed before they
// could do that are removed first: those of this user that no process holds the
// lock of, which the kernel drops with the process (where there are such locks:
// on Unix).
func TempDir() (dir string, remove func() error, err error) {
	parent, err := filepath.Abs(os.TempDir()) // a relative one holds for this process's directory only
	if err != nil {
		return "", nil, err
	}
	removeLeftovers(parent)
	for {
		dir, err := os.MkdirTemp(parent, tempPrefix)
		if err != nil {
			return "", nil, err
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
