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

	keywords []string // that the header leaves behind as macros
	offsetof string   // what the header's macro makes of offsetof(struct key+"o", b); "" if it has none
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
	// The last line shows that the compiler went through all of it. It is not
	// known to the header.
	end := u.key + "end"
	if err := cc.write(names+"main.c", "#include \""+filepath.Base(link)+"\"\n"+macroTests(u.key)+end+"\n"); err != nil {
		return nil, err
	}
	allowed := newReadable(header, included)
	var args Arguments
	args.Flags(programFlags()...)
	if allowed.dir != "" {
		args.File("-iquote", filepath.Dir(header)) // where the header's includes start from
	}
	// -H tells of all files at once, also where errors follow; -MD of those, too,
	// that are embedded, or asked for with __has_include.
	args.Flags("-E", "-H", "-Xclang", "-v", "-MD", "-MT", "x")
	args.File("-MF", names+"files")
	args.Source(names + "main.c")
	limited := *cc
	limited.limit = min(cc.limit, preprocessLimit)
	stdout, diagnostics, messages, err := limited.compile(ctx, args)
	if err != nil {
		return nil, err
	}
	allowed.search(messages)
	isOurs := func(file string) bool { return strings.HasPrefix(filepath.Base(file), names) }
	for _, file := range enteredFiles(messages) {
		if !isOurs(file) && !allowed.has(cc.dir, file) {
			return nil, headerError{[]diagnostic{allowed.refusal(header, file)}}
		}
	}
	if len(diagnostics) > 0 {
		for i := range diagnostics {
			if isOurs(diagnostics[i].file) {
				diagnostics[i].file = header
			}
		}
		return nil, headerError{diagnostics}
	}
	rule, err := os.ReadFile(filepath.Join(cc.dir, names+"files"))
	if err != nil {
		return nil, fmt.Errorf("%s ended without an error, but does not say which files it read: %w", cc.path, err)
	}
	for _, file := range Dependencies(string(rule)) {
		if !isOurs(file) && !allowed.has(cc.dir, file) {
			return nil, headerError{[]diagnostic{allowed.refusal(header, file)}}
		}
	}
	text, found := strings.CutSuffix(strings.TrimRight(string(stdout), " \t\r\n"), end)
	if !found {
		return nil, fmt.Errorf("%s does not preprocess: it ended without an error, but not with the end of what it was given", cc.path)
	}
	text, macros, _ := strings.Cut(text, u.key+"macros")
	u.macros(macros)
	if line, text, ok := directive(text); ok {
		return nil, headerError{[]diagnostic{{file: header, text: fmt.Sprintf("line %d of what it is preprocessed to would be a directive: %.80s", line, text)}}}
	}
	if what := assemblerReads(text); what != "" {
		return nil, headerError{[]diagnostic{{file: header, text: what}}}
	}
	u.text, u.link = text+"\n", link
	return u, nil
}

// randomKey returns the start of names that nobody can guess.
func randomKey() string {
	random := make([]byte, 12)
	rand.Read(random) // never fails
	return "btfgen_" + hex.EncodeToString(random) + "_"
}

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
	return os.WriteFile(link, text, 0o600)
}

// askedWith are the words with which programs, and this package, ask about types.
// A header that leaves one of them behind as a macro gives other answers than its
// declarations do. Not among them are words that headers for old compilers define
// with reason, such as inline.
var askedWith = []string{
	"struct", "union", "enum", "typedef", "extern", "sizeof", "_Alignof", "_Static_assert", "_Generic", "typeof", "__typeof__", "__attribute__",
	"const", "volatile", "void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "_Bool", "__int128",
	"__builtin_offsetof", "__builtin_types_compatible_p", "__builtin_preserve_access_index", "__builtin_preserve_field_info",
	"__builtin_preserve_enum_value", "__builtin_preserve_type_info", "__builtin_btf_type_id",
}

// macroTests is text that preprocesses to the macros that there are at its place.
func macroTests(key string) string {
	var b strings.Builder
	b.WriteString(key + "macros\n")
	for _, word := range askedWith {
		fmt.Fprintf(&b, "#ifdef %s\n%sis%s\n#endif\n", word, key, word)
	}
	fmt.Fprintf(&b, "#ifdef offsetof\n%[1]soffsetof offsetof(struct %[1]so, b)\n#endif\n", key)
	return b.String()
}

// macros reads what came of macroTests.
func (u *unit) macros(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if word, ok := strings.CutPrefix(line, u.key+"is"); ok {
			u.keywords = append(u.keywords, word)
		} else if expression, ok := strings.CutPrefix(line, u.key+"offsetof "); ok {
			u.offsetof = expression
		}
	}
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
	// complete declarations only. It is on a line of its own, which is none of
	// the code's.
	text := "# 1 \"" + file + "\"\n_Static_assert(1, \"\");\n" + code
	var all Arguments
	all.Append(args)
	if u.pch != "" {
		all.Flags("-Xclang", "-include-pch", "-Xclang", u.pch)
	} else {
		text = u.text + text
	}
	if err := u.cc.write(file+".i", text); err != nil {
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
	path := filepath.Join(u.cc.dir, u.key+name+".o")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	var args Arguments
	args.Flags(flags...)
	args.Flags("-c")
	args.File("-o", path)
	diagnostics, err := u.compile(ctx, name, code, args)
	if err != nil || len(diagnostics) > 0 {
		return "", diagnostics, err
	}
	if _, err := os.Stat(path); err != nil {
		return "", nil, fmt.Errorf("%s ended without an error, but wrote no object", u.cc.path)
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
