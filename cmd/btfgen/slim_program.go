package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/cgen/verify"
)

// How a header for a source file is found
//
// The program is compiled with the header of all types first. The object shows
// what it accesses, and which types a loader or the kernel will look at: those
// start the slim header. What an object does not show (typedefs, enumerators,
// types of which the size is used, accesses that were optimized away) clang
// reports as missing when it compiles the program with the header so far; that
// is added, and so on until nothing is missing.
//
// That was chosen over reading clang's syntax tree of the program: the tree's
// form is no interface and differs between versions, that of a program with a
// kernel's header has hundreds of megabytes, and names in macros that are never
// expanded, or types that are only mentioned behind a pointer, would count as
// needed. Diagnostics differ in words only, and what one of them is taken for
// needs no trust: in the end the program, compiled with the slim header, has to
// be the same as with all types, down to the last instruction.
//
// The program finds the header where the output will be, or under the name that
// it includes: see slim_place.go.

// maxRounds is how often a program is compiled at most before btfgen gives up.
// Each round adds something; most programs need 3 to 6.
const maxRounds = 24

// A slimProgram is a source file that needs a header.
type slimProgram struct {
	path     string
	output   string // the file that the header is for, "" for standard output
	compiler *verify.Compiler
	target   string
	arch     string   // the kernel's, as __TARGET_ARCH_ takes it; "" if not known
	ownArch  string   // that the program itself defines, "" if it leaves that to the flags
	flags    []string // the user's
	dir      string   // temporary
	header   headerPlace

	reference []byte   // the object with all types
	compared  []string // what the object has of instructions, data and relocations
	known     map[string]bool
	rounds    int
}

func (p *slimProgram) headerPath() string  { return filepath.Join(p.dir, "header.h") }
func (p *slimProgram) overlayPath() string { return filepath.Join(p.dir, "overlay.yaml") }

// isHeader recognises the generated header among the files of diagnostics.
func (p *slimProgram) isHeader(path string) bool { return path != "" && p.header.isAt(path) }

// sourcePath is what clang knows the program as: its path, but for a name that is
// none to clang (see [verify.IsOptionFile]). Then there is a link to it, which clang
// wants to see before it looks at overlays, and the overlay says what file that is.
// Its directory has nothing else in it: what the program includes lies where the
// program does.
func (p *slimProgram) sourcePath() string {
	if !verify.IsOptionFile(p.path) {
		return p.path
	}
	return filepath.Join(p.dir, "source", "program.c")
}

// offer writes the header to where the program finds it.
func (p *slimProgram) offer(text []byte) error {
	return verify.WriteTemp(p.headerPath(), text)
}

// run runs the compiler on the program.
func (p *slimProgram) run(ctx context.Context, what verify.Arguments) (verify.Compiled, error) {
	var args verify.Arguments
	args.Flags("-g", "-O2", "-target", p.target)
	args.File("-ivfsoverlay", p.overlayPath())
	args.File("-idirafter", p.header.after)
	if verify.IsOptionFile(p.path) {
		args.File("-iquote", filepath.Dir(p.path))
	}
	// libbpf's bpf_tracing.h wants to know whose registers it is about.
	if p.arch != "" && p.ownArch == "" && len(targetArchs(p.flags)) == 0 {
		args.Flags(targetArch + p.arch)
	}
	args.Flags(p.flags...)
	// What is read of clang's messages is in this form, whatever the flags say.
	args.Flags("-fno-color-diagnostics", "-fno-caret-diagnostics", "-fdiagnostics-format=clang", "-ferror-limit=0", "-Wno-fatal-errors")
	args.Append(what)
	if filepath.Ext(p.path) != ".c" {
		args.Flags("-x", "c")
	}
	args.Source(p.sourcePath())
	return p.compiler.Run(ctx, args)
}

// compile compiles the program with the header that is offered.
func (p *slimProgram) compile(ctx context.Context, name string, what verify.Arguments) (object []byte, result verify.Compiled, err error) {
	out := filepath.Join(p.dir, name)
	what.Flags("-c")
	what.File("-o", out)
	result, err = p.run(ctx, what)
	if err != nil || result.Failed {
		return nil, result, err
	}
	object, err = readFile(out, core.MaxObject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, result, fmt.Errorf("%s: clang makes no object with the flags %q", p.path, p.flags)
	}
	return object, result, err
}

// compileReference compiles the program with all types, and finds out where it
// has the header.
func (p *slimProgram) compileReference(ctx context.Context, full []byte) (result verify.Compiled, err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return result, err
	}
	if verify.IsOptionFile(p.path) {
		if err := errors.Join(os.Mkdir(filepath.Dir(p.sourcePath()), 0o700), os.Symlink(absolutePath(p.path), p.sourcePath())); err != nil {
			return result, err
		}
	}
	if err := p.offer(full); err != nil {
		return result, err
	}
	if err := p.locate(ctx); err != nil {
		return result, err
	}
	includes := filepath.Join(p.dir, "includes")
	var what verify.Arguments
	what.Flags("-MD", "-MT", "x")
	what.File("-MF", includes)
	object, result, err := p.compile(ctx, "full.o", what)
	if err != nil || result.Failed {
		return result, err
	}
	rule, err := readFile(includes, maxText)
	if err != nil {
		return result, err
	}
	if !slices.ContainsFunc(verify.Dependencies(string(rule)), p.isHeader) {
		return result, fmt.Errorf("%s does not include the header with the flags %q", p.path, p.flags)
	}
	p.known = make(map[string]bool)
	for _, d := range result.Diagnostics {
		p.known[d.Text] = true
	}
	p.reference = object
	return result, nil
}

// describe finds out what the object has that can be compared, nothing being no
// proof, and returns what is odd about it.
func (p *slimProgram) describe() (odd []string, err error) {
	f, err := elf.NewFile(bytes.NewReader(p.reference))
	if err != nil {
		return nil, fmt.Errorf("%s: clang makes no object with the flags %q", p.path, p.flags)
	}
	isEmpty := !slices.ContainsFunc(f.Sections, func(s *elf.Section) bool {
		return s.Flags&elf.SHF_ALLOC != 0 && s.Size > 0 && s.Name != "license" && s.Name != ".eh_frame" && s.Name != ".llvm_addrsig"
	})
	if isEmpty && f.Machine == elf.EM_BPF {
		return nil, fmt.Errorf("%s compiles to an object without functions, maps and data: there is nothing in it that a header could be for, or be proven by", p.path)
	}
	object, err := core.ReadObject(p.path, p.reference)
	if err != nil {
		return nil, fmt.Errorf("%w (clang's flags were %q)", err, p.flags)
	}
	add := func(what string, has bool) {
		if has {
			p.compared = append(p.compared, what)
		}
	}
	add("instructions", len(object.Functions) > 0)
	add("data", len(object.Functions) == 0) // of programs with functions, it goes without saying
	add("relocations", len(object.Relocations) > 0)
	// An implicit declaration, say, which clang before 16 takes.
	for _, e := range object.Externs {
		if e.Kind == core.ExternUnknown {
			odd = append(odd, fmt.Sprintf("%.100s is used, and is neither defined nor declared as the kernel's: no loader takes that unless it is linked in", e.Name))
		}
	}
	return odd, nil
}

// errNotSame says that a program is another with the slim header.
var errNotSame = errors.New("is not the same program with the slim header as with all types")

// try compiles the program with the types so far, and adds what is missing. It
// returns the header's text once nothing is, and the program is the same as with
// all types.
func (p *slimProgram) try(ctx context.Context, types *slimTypes) (done bool, text []byte, err error) {
	if text, err = types.text(); err != nil {
		return false, nil, err
	}
	if err := p.offer(text); err != nil {
		return false, nil, err
	}
	p.rounds++
	object, result, err := p.compile(ctx, "slim.o", verify.Arguments{})
	if err != nil {
		return false, nil, err
	}
	// With all types there are no errors; warnings that are not new say nothing.
	var news []verify.Diagnostic
	for _, d := range result.Diagnostics {
		if !p.known[d.Text] {
			news = append(news, d)
		}
	}
	if types.addMissing(news, p.isHeader, text, p.sourceLine) {
		return false, nil, nil
	}
	if result.Failed {
		if types.everything() {
			return false, nil, nil
		}
		return false, nil, linesError{fmt.Errorf("can't tell what %s lacks, though it compiles with all types of the kernel; please report this as a bug of btfgen:\n   %s", printable(p.path), printable(firstError(news)))}
	}
	differences, err := core.Differences(p.reference, object)
	if err != nil {
		return false, nil, fmt.Errorf("%s: %w", p.path, err)
	}
	if len(differences) == 0 {
		return true, text, nil
	}
	if types.everything() || p.addMentioned(types) {
		return false, nil, nil
	}
	return false, nil, linesError{fmt.Errorf("%s %w; nothing was written; please report this as a bug of btfgen:\n   %s", printable(p.path), errNotSame, printableText(strings.Join(differences, "\n   ")))}
}

func firstError(diagnostics []verify.Diagnostic) string {
	for _, d := range diagnostics {
		if !d.Warning {
			return d.String()
		}
	}
	return "no error was reported"
}

// needs returns what the object with all types shows.
func (p *slimProgram) needs(types *slimTypes, static bool) (*core.Needs, error) {
	object, err := core.ReadObject(p.path, p.reference)
	if err != nil {
		return nil, err
	}
	if big := isBigEndian(types.view); big != (object.ByteOrder.String() == "BigEndian") {
		return nil, fmt.Errorf("%s was compiled for the other byte order than the kernel's: leave out -target", p.path)
	}
	return object.Needs(types.has, static), nil
}

// addMentioned adds every type of the kernel's that the object mentions.
func (p *slimProgram) addMentioned(types *slimTypes) bool {
	needs, err := p.needs(types, true)
	return err == nil && types.addNeeds(needs)
}

// sourceLine returns the line of the program that a diagnostic is about, "" if
// it is about the header or nothing.
func (p *slimProgram) sourceLine(d verify.Diagnostic) string {
	if d.File == "" || p.isHeader(d.File) {
		return ""
	}
	return lineOf(d.File, d.Line)
}

// lineOf returns a line of a file, "" if it has none of that number.
func lineOf(file string, line int) string {
	text, err := readFile(file, maxText)
	if err != nil {
		return ""
	}
	lines := strings.SplitN(string(text), "\n", line+1)
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

func isBigEndian(v *btfdump.View) bool { return v.ByteOrder().String() == "BigEndian" }
