package verify

import (
	"fmt"
	"path/filepath"
	"strings"
)

// What is on a command line
//
// Names of files come from elsewhere: from a package, a repository, a directory
// for temporary files. clang takes one that starts with "-" for an option, and one
// that starts with "@" for a file with more options, among which are those that
// load a plugin. So every command line is built here, and a name is made one that
// can only be a name. Nothing goes through a shell, and nothing else of a name has
// a meaning to clang: quotes, blanks and newlines arrive as they are.
//
// There is one trap more. clang calls itself with the last element of a source
// file's name as an argument by itself (-main-file-name), and what it calls looks
// for "@" anew: a source has to have another name, whatever its directory is.

// Arguments are what a compiler is called with.
type Arguments struct {
	list []string
	err  error
}

// Flags adds flags as they are: those of btfgen's own and those that a user gave
// for the compiler. No name of a file may be among them but one that the user wrote
// there.
func (a *Arguments) Flags(flags ...string) { a.list = append(a.list, flags...) }

// Append adds what there is in others.
func (a *Arguments) Append(more Arguments) {
	a.list = append(a.list, more.list...)
	if a.err == nil {
		a.err = more.err
	}
}

// File adds a flag that has a file or a directory as its value.
func (a *Arguments) File(flag, path string) { a.list = append(a.list, flag, plainName(path)) }

// Source adds a file to be compiled. The last element of its path must not start
// with "@": running the compiler is an error then.
func (a *Arguments) Source(path string) {
	if IsOptionFile(path) && a.err == nil {
		a.err = fmt.Errorf("clang would take %q for a file with options: give it another name", path)
	}
	a.list = append(a.list, plainName(path))
}

// IsOptionFile reports whether clang takes a source file for one with options,
// though it stands in another directory.
func IsOptionFile(path string) bool { return strings.HasPrefix(filepath.Base(path), "@") }

// plainName is a path that can't be taken for an option.
func plainName(path string) string {
	if path == "" || strings.HasPrefix(path, "-") || strings.HasPrefix(path, "@") {
		return "." + string(filepath.Separator) + path
	}
	return path
}

// pathFlags are clang's flags with a path as their value, either in the same
// argument or in the next, that say what a header may include.
var pathFlags = []string{"-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-I", "--embed-dir="}

// absoluteFlags are flags that mean the same in every directory, and the files
// among them that are to be included.
func absoluteFlags(flags []string) (absolute, included []string, err error) {
	for i := 0; i < len(flags); i++ {
		flag, value, found := flags[i], "", false
		for _, name := range pathFlags {
			if value, found = strings.CutPrefix(flag, name); found {
				flag = name
				break
			}
		}
		switch {
		case !found || value == "" && i+1 == len(flags) || strings.HasPrefix(value, "-"): // -include-pch is another flag
			absolute = append(absolute, flags[i])
			continue
		case strings.HasSuffix(flag, "="):
		case value == "":
			i++
			value = flags[i]
		}
		// What starts with "=" stands below the system's root.
		if !strings.HasPrefix(value, "=") {
			if value, err = filepath.Abs(value); err != nil {
				return nil, nil, err
			}
		}
		if flag == "-include" || flag == "-imacros" {
			included = append(included, value)
		}
		if strings.HasSuffix(flag, "=") {
			absolute = append(absolute, flag+value)
		} else {
			absolute = append(absolute, flag, value)
		}
	}
	return absolute, included, nil
}
