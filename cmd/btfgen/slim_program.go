package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
// The program finds the header under the name that it includes, whichever file
// there is now (see [slimProgram.locate]).

// maxRounds is how often a program is compiled at most before btfgen gives up.
// Each round adds something; most programs need 3 to 6.
const maxRounds = 24

// A slimProgram is a source file that needs a header.
type slimProgram struct {
	path     string
	compiler *verify.Compiler
	target   string
	flags    []string // the user's
	dir      string   // temporary
	names    []string // under which the header is offered
	overlay  string   // a file that puts the header in the place of others; "" if it takes none

	reference []byte // the object with all types
	known     map[string]bool
	rounds    int
}

func (p *slimProgram) headerPath() string { return filepath.Join(p.dir, "include", p.names[0]) }

// isHeader recognises the generated header among the files of diagnostics.
func (p *slimProgram) isHeader(path string) bool {
	return slices.Contains(p.names, filepath.Base(path))
}

// offer writes the header to where the program finds it.
func (p *slimProgram) offer(text []byte) error {
	for _, name := range p.names {
		if err := os.WriteFile(filepath.Join(p.dir, "include", name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// run runs the compiler on the program.
func (p *slimProgram) run(ctx context.Context, what ...string) (verify.Compiled, error) {
	args := []string{"-g", "-O2", "-target", p.target, "-I", filepath.Join(p.dir, "include")}
	if p.overlay != "" {
		args = append(args, "-ivfsoverlay", p.overlay)
	}
	args = append(append(args, p.flags...), what...)
	if filepath.Ext(p.path) != ".c" {
		args = append(args, "-x", "c")
	}
	return p.compiler.Run(ctx, append(args, p.path)...)
}

// compile compiles the program with the header that is offered.
func (p *slimProgram) compile(ctx context.Context, name string) (object []byte, result verify.Compiled, err error) {
	out := filepath.Join(p.dir, name)
	result, err = p.run(ctx, "-c", "-o", out)
	if err != nil || result.Failed {
		return nil, result, err
	}
	object, err = os.ReadFile(out)
	return object, result, err
}

// compileReference compiles the program with all types.
func (p *slimProgram) compileReference(ctx context.Context, full []byte, types *slimTypes) error {
	if err := os.MkdirAll(filepath.Join(p.dir, "include"), 0o700); err != nil {
		return err
	}
	if err := p.offer(full); err != nil {
		return err
	}
	if err := p.locate(ctx); err != nil {
		return err
	}
	object, result, err := p.compile(ctx, "full.o")
	if err != nil {
		return err
	}
	if result.Failed {
		return p.doesNotCompile(result, macroHint(types, result.Diagnostics))
	}
	p.known = make(map[string]bool)
	for _, d := range result.Diagnostics {
		p.known[d.Text] = true
	}
	p.reference = object
	return nil
}

// doesNotCompile is the error for a program that does not compile with all types
// of the kernel.
func (p *slimProgram) doesNotCompile(result verify.Compiled, hint string) error {
	var lines []string
	for _, d := range result.Diagnostics {
		if !d.Warning {
			lines = append(lines, "   "+printable(d.String()))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "   "+printable(strings.TrimSpace(result.Messages)))
	}
	if more := len(lines) - maxDiagnostics; more > 0 {
		lines = append(lines[:maxDiagnostics], fmt.Sprintf("   ... and %d more", more))
	}
	if !slices.ContainsFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "-I") }) {
		hint += "\nflags for clang go behind \"--\", as in: btfgen --for prog.bpf.c slim.h -- -I include"
	}
	return fmt.Errorf("%s does not compile with %s, with all types of the kernel:\n%s%s", p.path, p.compiler.Name(), strings.Join(lines, "\n"), hint)
}

// maxDiagnostics is how many errors of a program are shown.
const maxDiagnostics = 20

// locate finds out which file the program includes as the kernel's header, and
// puts the generated one in its place: vmlinux.h is one by its name, wherever it
// is; a file called as the output is, unless the program has a vmlinux.h too and
// the other file is none (a header that bpftool or btfgen wrote defines
// __VMLINUX_H__). Files that the program finds nowhere it finds in the first
// directory of -I, which has the generated ones.
func (p *slimProgram) locate(ctx context.Context) error {
	result, err := p.run(ctx, "-M", "-MT", "x")
	if err != nil {
		return err
	}
	if result.Failed {
		return p.doesNotCompile(result, "")
	}
	var found []string
	includes := make(map[string]bool) // by base name
	for _, path := range dependencies(string(result.Stdout)) {
		if p.isHeader(path) {
			found = append(found, path)
			includes[filepath.Base(path)] = true
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%s includes no %s: it must include the header that is to be made", p.path, strings.Join(p.names, " and no "))
	}
	own := filepath.Join(p.dir, "include")
	replaced := make(map[string]string)
	for _, path := range found {
		if filepath.Dir(path) == own {
			continue
		}
		if base := filepath.Base(path); base != vmlinuxName && includes[vmlinuxName] {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !strings.Contains(string(text), "__VMLINUX_H__") {
				continue
			}
		}
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		replaced[path] = p.headerPath()
	}
	if len(replaced) == 0 {
		return nil
	}
	p.overlay = filepath.Join(p.dir, "overlay.yaml")
	return os.WriteFile(p.overlay, overlay(replaced), 0o600)
}

// vmlinuxName is what programs call the kernel's header.
const vmlinuxName = "vmlinux.h"

// overlay describes files that take the place of others, as clang's -ivfsoverlay
// reads it.
func overlay(replaced map[string]string) []byte {
	type entry struct {
		Name     string  `json:"name"`
		Type     string  `json:"type"`
		External string  `json:"external-contents,omitempty"`
		Contents []entry `json:"contents,omitempty"`
	}
	var roots []entry
	for path, with := range replaced {
		file := entry{Name: filepath.Base(path), Type: "file", External: with}
		roots = append(roots, entry{Name: filepath.Dir(path), Type: "directory", Contents: []entry{file}})
	}
	text, _ := json.Marshal(map[string]any{"version": 0, "roots": roots}) // strings and a number: it can't fail
	return text
}

// dependencies reads the files of a rule that clang -M wrote for make.
func dependencies(rule string) []string {
	_, rule, _ = strings.Cut(rule, ":")
	var files []string
	var file strings.Builder
	end := func() {
		if file.Len() > 0 {
			files = append(files, file.String())
			file.Reset()
		}
	}
	for i := 0; i < len(rule); i++ {
		switch c := rule[i]; {
		case c == '\\' && i+1 < len(rule) && rule[i+1] == '\n':
			end()
			i++
		case c == '\\' && i+1 < len(rule) && strings.IndexByte(" #\\", rule[i+1]) >= 0:
			i++
			file.WriteByte(rule[i])
		case c == '$' && i+1 < len(rule) && rule[i+1] == '$':
			i++
			file.WriteByte('$')
		case c == ' ' || c == '\n':
			end()
		default:
			file.WriteByte(c)
		}
	}
	end()
	return files
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
	object, result, err := p.compile(ctx, "slim.o")
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
		return false, nil, fmt.Errorf("can't tell what %s lacks, though it compiles with all types of the kernel; please report this as a bug of btfgen:\n   %s", p.path, printable(firstError(news)))
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
	return false, nil, fmt.Errorf("%s %w; nothing was written; please report this as a bug of btfgen:\n   %s", p.path, errNotSame, printable(strings.Join(differences, "\n   ")))
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
	text, err := os.ReadFile(d.File)
	if err != nil {
		return ""
	}
	lines := strings.SplitN(string(text), "\n", d.Line+1)
	if d.Line < 1 || d.Line > len(lines) {
		return ""
	}
	return lines[d.Line-1]
}

func isBigEndian(v *btfdump.View) bool { return v.ByteOrder().String() == "BigEndian" }
