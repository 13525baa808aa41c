package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How a header is kept from answering for itself
//
// What is asked about a header stands behind it in one translation unit, and
// all that the header says goes for the questions too. So:
//
//   - The header is preprocessed once, and what comes out is what is compiled:
//     none of its macros, such as one called sizeof, reaches a question.
//   - The questions start with a declaration that can stand only where a new one
//     may: a header that ends in the middle of something does not compile.
//   - All names in the questions, also that of the file that messages are about,
//     are random: no symbol, section or #line of the header can pass for ours.
//   - What counts is a value that is read from an object and known to be ours,
//     never that the compiler found no fault.

// unit is a header as it is compiled for one target.
type unit struct {
	cc   *clang
	name string // of the header, for messages
	text string // preprocessed, with markers of lines
	pch  string // the file that stands for the text, precompiled; "" for none
	link string // the header's path in markers of lines
	key  string // random, an identifier: the prefix of all names that are ours

	headerDir string   // where the header's own includes start from; "" where it can have none
	macros    macroSet // that there are at the header's end
	mayPoison bool     // a #pragma GCC poison can be in it
	includes  []string // files that it includes, as the compiler calls them
}

// ours, as the file of a diagnostic, is the text behind the header.
const ours = "\x00ours"

// preprocessLimit ends the preprocessing of a header that includes what has no end,
// such as a named pipe. A whole kernel's takes a twentieth of a second.
const preprocessLimit = time.Minute

// preprocess returns the header as cc sees it. The error may be a headerError.
func preprocess(ctx context.Context, cc *clang, header string, included []string) (*unit, error) {
	u := &unit{cc: cc, name: header, key: randomKey()}
	// Names of files are told to the header (__BASE_FILE__), and have nothing in
	// common with those of its unit.
	names := randomKey()
	link := filepath.Join(cc.dir, names+"header.h")
	if err := showAt(link, header); err != nil {
		return nil, err
	}
	// The last lines show that the compiler went through all of it. They are not
	// known to the header.
	main := names + "main.c"
	if err := cc.write(main, "#include \""+filepath.Base(link)+"\"\n#define "+u.endMacro()+"\n"+u.endWord()+"\n"); err != nil {
		return nil, err
	}
	allowed := newReadable(header, included)
	u.link = link
	if allowed.dir != "" {
		u.headerDir = filepath.Dir(header)
	}
	// Its macros are told by another run, at the same time.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	macros := make(chan error, 1)
	go func() {
		var err error
		u.macros, err = u.macrosAtEnd(ctx, main)
		macros <- err
	}()
	err := u.readText(ctx, names, main, allowed)
	if err != nil {
		cancel()
	}
	if e := <-macros; err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// readText has the header preprocessed, from the unit's main file. The names of all
// files that are ours start with names.
func (u *unit) readText(ctx context.Context, names, main string, allowed *readable) error {
	cc, header := u.cc, u.name
	// -H tells of all files at once, also where errors follow; -MD of those, too,
	// that are embedded, or asked for with __has_include.
	args := u.preprocessing()
	args.Flags("-H", "-Xclang", "-v", "-MD", "-MT", "x")
	args.File("-MF", names+"files")
	args.Source(main)
	stdout, diagnostics, messages, err := cc.short().compile(ctx, args)
	if err != nil {
		return err
	}
	allowed.search(messages)
	isOurs := func(file string) bool { return strings.HasPrefix(filepath.Base(file), names) }
	for _, file := range enteredFiles(messages) {
		if !isOurs(file) && !allowed.has(cc.dir, file) {
			return headerError{[]diagnostic{allowed.refusal(header, file)}}
		}
		if !isOurs(file) {
			u.includes = append(u.includes, file)
		}
	}
	if len(diagnostics) > 0 {
		for i := range diagnostics {
			if isOurs(diagnostics[i].file) {
				diagnostics[i].file = header
			}
		}
		return headerError{diagnostics}
	}
	rule, err := os.ReadFile(filepath.Join(cc.dir, names+"files"))
	if err != nil {
		return fmt.Errorf("%s ended without an error, but does not say which files it read: %w", cc.path, err)
	}
	for _, file := range Dependencies(string(rule)) {
		if !isOurs(file) && !allowed.has(cc.dir, file) {
			return headerError{[]diagnostic{allowed.refusal(header, file)}}
		}
		u.mayPoison = u.mayPoison || u.fileMayPoison(file)
	}
	text, found := strings.CutSuffix(strings.TrimRight(stdout, " \t\r\n"), u.endWord())
	if !found {
		return fmt.Errorf("%s does not preprocess: it ended without an error, but not with the end of what it was given", cc.path)
	}
	if line, text, ok := directive(text); ok {
		return headerError{[]diagnostic{{file: header, text: fmt.Sprintf("line %d of what it is preprocessed to would be a directive: %.80s", line, cc.withoutTemporary(strings.TrimSpace(text)))}}}
	}
	if what := assemblerReads(text); what != "" {
		return headerError{[]diagnostic{{file: header, text: what}}}
	}
	if u.text = text; !strings.HasSuffix(text, "\n") { // which would copy it
		u.text += "\n"
	}
	return nil
}

// ownText is the part of the text that stands in the header itself, not in what it
// includes; as far as the header does not say otherwise, with #line.
func (u *unit) ownText() string {
	var b strings.Builder
	own := false
	for line := range strings.Lines(u.text) {
		if marker, ok := strings.CutPrefix(line, "# "); ok {
			if _, name, ok := strings.Cut(marker, "\""); ok {
				name, _, _ = strings.Cut(name, "\"")
				own = filepath.Base(name) == filepath.Base(u.link)
			}
		} else if own {
			b.WriteString(line)
		}
	}
	return b.String()
}

// randomKey returns the start of names that nobody can guess.
func randomKey() string {
	random := make([]byte, 12)
	rand.Read(random) // never fails
	return "btfgen_" + hex.EncodeToString(random) + "_"
}

// keyPattern is what randomKey makes.
var keyPattern = onDemand(`btfgen_[0-9a-f]{24}_`)

// showAt has the header at another path: one that can stand in an #include,
// whatever its own name is.
func showAt(link, header string) error {
	if os.Symlink(header, link) == nil {
		return nil
	}
	text, err := os.ReadFile(header) // where there are no symbolic links
	if err != nil {
		return err
	}
	return WriteTemp(link, text)
}

// programFlags are those that programs for BPF are compiled with always: what
// optimizes relocates accesses, and a header can tell.
func programFlags() []string { return []string{"-g", "-O2"} }

// directive finds a line of preprocessed text that is a directive other than
// those which preprocessing leaves. A macro that stands for # can make one, and
// clang obeys it when it reads the text once more. So does one that stands for a
// backslash: at the end of a line, it would make a # or an asm of what stands on
// two, and is taken for a directive, too.
func directive(text string) (number int, line string, found bool) {
	for number = 1; text != ""; number++ {
		line, text, _ = strings.Cut(text, "\n")
		if end := strings.TrimRight(line, " \t\v\f\r\x00"); strings.HasSuffix(end, "\\") || strings.HasSuffix(end, "??/") {
			return number, line, true
		}
		trimmed := strings.TrimLeft(line, " \t\v\f\r\x00")
		if !strings.HasPrefix(trimmed, "#") && !strings.HasPrefix(trimmed, "%:") && !strings.HasPrefix(trimmed, "??=") {
			continue
		}
		rest, ok := strings.CutPrefix(line, "#")
		if !ok || !(len(rest) > 1 && rest[0] == ' ' && isDigit(rest[1]) || strings.HasPrefix(rest, "pragma ") || strings.HasPrefix(rest, "ident ")) {
			return number, line, true
		}
	}
	return 0, "", false
}

// called puts the header's own name into diagnostics.
func (u *unit) called(diagnostics []diagnostic) []diagnostic {
	for i := range diagnostics {
		if filepath.Base(diagnostics[i].file) == filepath.Base(u.link) {
			diagnostics[i].file = u.name
		}
	}
	return diagnostics
}

// compile compiles the header and the code behind it. Diagnostics about the code
// are returned, with ours as their file and lines counted in code; and those
// about no file. Any about the header are a headerError.
func (u *unit) compile(ctx context.Context, name, code string, args Arguments) ([]diagnostic, error) {
	file := u.key + name
	// A declaration that has neither a name nor specifiers can stand behind
	// complete declarations only, and a function in no record or function that is
	// still open. They are on a line of their own, which is none of the code's.
	parts := []string{"# 1 \"" + file + "\"\n_Static_assert(1, \"\"); static void " + u.key + "begins(void) {}\n", code}
	var all Arguments
	all.Append(args)
	if u.pch != "" {
		all.Flags("-Xclang", "-include-pch", "-Xclang", u.pch)
	} else {
		parts = slices.Insert(parts, 0, u.text)
	}
	if err := u.cc.write(file+".i", parts...); err != nil {
		return nil, err
	}
	defer os.Remove(filepath.Join(u.cc.dir, file+".i"))
	all.Flags("-x", "cpp-output")
	all.Source(file + ".i")
	_, diagnostics, _, err := u.cc.compile(ctx, all)
	if err != nil {
		return nil, err
	}
	u.called(diagnostics)
	for i := range diagnostics {
		d := &diagnostics[i]
		switch {
		case d.file == file && d.line > 1:
			d.file, d.line = ours, d.line-1
		case d.file == file: // the first line: it is about what comes before
			return nil, headerError{[]diagnostic{{file: u.name, text: "it ends within a declaration: " + d.text}}}
		case d.file != "":
			return nil, headerError{diagnostics[i:]}
		}
	}
	return diagnostics, nil
}

// object is compile, and the path of the object that it makes if there are no
// diagnostics.
func (u *unit) object(ctx context.Context, name, code string, flags ...string) (string, []diagnostic, error) {
	return u.output(ctx, name, ".o", code, append(flags, "-c")...)
}

// output is compile, and the path of the file that it makes, whose name ends in suffix,
// if there are no diagnostics.
func (u *unit) output(ctx context.Context, name, suffix, code string, flags ...string) (string, []diagnostic, error) {
	path := filepath.Join(u.cc.dir, u.key+name+suffix)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	var args Arguments
	args.Flags(flags...)
	args.File("-o", path)
	diagnostics, err := u.compile(ctx, name, code, args)
	if err != nil || len(diagnostics) > 0 {
		return "", diagnostics, err
	}
	if _, err := os.Stat(path); err != nil {
		return "", nil, fmt.Errorf("%s ended without an error, but wrote no %s", u.cc.path, map[bool]string{true: "object", false: "code"}[suffix == ".o"])
	}
	return path, nil, nil
}

// precompile returns the unit in a form that takes less time to compile, with
// flags that it will be compiled with.
func (u *unit) precompile(ctx context.Context, flags ...string) (*unit, error) {
	source, made := u.key+"header.i", u.key+"header.pch"
	if err := u.cc.write(source, u.text); err != nil {
		return nil, err
	}
	var args Arguments
	args.Flags(flags...)
	args.Flags("-fsyntax-only", "-Xclang", "-emit-pch", "-Xclang", "-o", "-Xclang", made, "-x", "cpp-output")
	args.Source(source)
	_, diagnostics, _, err := u.cc.compile(ctx, args)
	if err != nil {
		return nil, err
	}
	if len(diagnostics) > 0 {
		return nil, headerError{u.called(diagnostics)}
	}
	if _, err := os.Stat(filepath.Join(u.cc.dir, made)); err != nil {
		return nil, fmt.Errorf("%s ended without an error, but wrote no precompiled header", u.cc.path)
	}
	compiled := *u
	compiled.text, compiled.pch = "", made
	return &compiled, nil
}
