package verify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// preprocessing are the arguments with which the header is preprocessed.
func (u *unit) preprocessing() Arguments {
	var args Arguments
	args.Flags(programFlags()...)
	if u.headerDir != "" {
		args.File("-iquote", u.headerDir)
	}
	args.Flags("-E")
	return args
}

// endWord ends what is preprocessed, and endMacro is defined there.
func (u *unit) endWord() string  { return u.key + "end" }
func (u *unit) endMacro() string { return u.key + "last" }

// macrosAtEnd returns the macros that there are behind the header, which source
// includes.
func (u *unit) macrosAtEnd(ctx context.Context, source string) (macroSet, error) {
	args := u.preprocessing()
	args.Flags("-dM")
	args.Source(source)
	stdout, diagnostics, _, err := u.cc.short().compile(ctx, args)
	if err != nil {
		return nil, err
	}
	if len(diagnostics) > 0 {
		return nil, headerError{diagnostics}
	}
	if n := strings.Count(stdout, "\n"); n > maxMacros {
		return nil, fmt.Errorf("%s: %d macros, which are more than the %d that a header may have", u.name, n, maxMacros)
	}
	set := readMacros(stdout)
	switch {
	case set[u.endMacro()] != nil:
		return set, nil
	case len(set) > 0:
		// clang 22 looks for macros only up to what it calls an unknown token, which
		// is an error wherever it is compiled; clang 19 does not stop there.
		return nil, headerError{[]diagnostic{{file: u.name, text: "there is a character in it that begins nothing in C"}}}
	default:
		return nil, fmt.Errorf("%s does not preprocess: it ended without an error, but does not tell of the macros that it was given", u.cc.path)
	}
}

// predefined returns the macros that there are without the header.
func (u *unit) predefined(ctx context.Context) (macroSet, error) {
	source := u.key + "none.c"
	if err := u.cc.write(source, "#define "+u.endMacro()+"\n"); err != nil {
		return nil, err
	}
	return u.macrosAtEnd(ctx, source)
}

// refused returns which of the names, by index, a program can't say behind the
// header at all.
func (u *unit) refused(ctx context.Context, names []string) ([]int, error) {
	source := u.key + "words.c"
	var text strings.Builder
	text.WriteString("#include \"" + filepath.Base(u.link) + "\"\n")
	for _, name := range names {
		// Some words can't stand by themselves, such as _Pragma and __has_include.
		text.WriteString("#ifdef " + name + "\n#endif\n")
	}
	if err := u.cc.write(source, text.String()); err != nil {
		return nil, err
	}
	args := u.preprocessing()
	args.Source(source)
	_, diagnostics, _, err := u.cc.short().compile(ctx, args)
	if err != nil {
		return nil, err
	}
	var list []int
	for _, d := range diagnostics {
		i := (d.line - 2) / 2
		if filepath.Base(d.file) != source || d.line < 2 || i >= len(names) {
			return nil, headerError{u.called(diagnostics)}
		}
		list = append(list, i)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// fileMayPoison reports whether a file can have a pragma that takes names from programs.
func (u *unit) fileMayPoison(path string) bool {
	if !filepath.IsAbs(path) {
		path = filepath.Join(u.cc.dir, path)
	}
	text, err := os.ReadFile(path)
	return err != nil || mayPoison(string(text))
}

// mayPoison reports whether a text can have a pragma that takes names from programs;
// it is true of some that have none.
func mayPoison(text string) bool {
	text = strings.ReplaceAll(text, "??/", "\\")
	if strings.Contains(text, "\\") {
		text = unsplice(text)
	}
	if strings.Contains(text, "_Pragma") {
		return true
	}
	for {
		var found bool
		if _, text, found = strings.Cut(text, "pragma"); !found {
			return false
		}
		line, rest, _ := strings.Cut(text, "\n")
		if strings.Contains(line, "poison") || strings.Contains(line, "/*") || strings.Contains(line, "\r") {
			return true
		}
		text = rest
	}
}

// unsplice joins lines that end in a backslash, behind which there may be blanks,
// with the next one.
func unsplice(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "\\")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = after
		if end := strings.TrimLeft(after, " \t\v\f\r\x00"); strings.HasPrefix(end, "\n") {
			text = end[1:]
		} else {
			b.WriteByte('\\')
		}
	}
}
