package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/btfgen/btfgen/cgen/verify"
)

// Where a program finds its header
//
// What is proven has to be what the program's project will compile. So clang is
// shown the generated header in the one place where it will be written, by an
// overlay of its file system (-ivfsoverlay), whether there is a file already or
// not: which include leads there is clang's to say, with the project's own flags,
// wrappers and links.
//
// A header that is written somewhere else is for a place that the project takes
// it to. That is where the program includes a file of the output's name; else
// where it includes a vmlinux.h. Only that one file is replaced, and the caller is
// told which it was (see [slimProgram.place]). An include of such a name that
// leads nowhere yet is found in a directory that clang looks into after all
// others.

// maxIncludes is how often a program is preprocessed to find out what it
// includes: once, and again for each file or link that has to be there first.
const maxIncludes = 16

// A headerPlace is where a program finds the header.
type headerPlace struct {
	output string            // the real path of the file to be written, "" for standard output
	own    map[string]bool   // absolute paths that lead to it
	absent map[string]string // absolute paths of includes that lead nowhere, with what the program calls them
	other  string            // the file that the header takes the place of, if it is not the output
	name   string            // as the program includes it, if the header takes the place of none
	after  string            // the directory that is searched last, with what is absent
}

// called returns what to call a file in messages: what clang says, but for a file
// that is only shown to it.
func (h *headerPlace) called(path string) string {
	if name := h.absent[absolutePath(path)]; name != "" {
		return name
	}
	return path
}

// isAt reports whether the header is shown at a path.
func (h *headerPlace) isAt(path string) bool {
	path = absolutePath(path)
	return h.own[path] || h.absent[path] != "" || h.other != "" && path == absolutePath(h.other)
}

// locate finds out where the program includes the header, which must have been
// offered. Errors of the program are left for its compilation to tell.
func (p *slimProgram) locate(ctx context.Context) error {
	h := &p.header
	h.own, h.absent, h.after = make(map[string]bool), make(map[string]string), p.afterPath()
	if info, err := os.Stat(p.output); p.output != "" && (err != nil || info.Mode().IsRegular()) {
		h.output = realPath(p.output)
		h.own[h.output], h.own[absolutePath(p.output)] = true, true
	}
	for range maxIncludes {
		if err := p.writeOverlay(); err != nil {
			return err
		}
		var what verify.Arguments
		what.Flags("-v", "-M", "-MT", "x")
		result, err := p.run(ctx, what)
		if err != nil {
			return err
		}
		directories := append(verify.SearchDirectories(result.Messages), filepath.Dir(p.path), ".")
		if p.addLinks(directories) {
			continue
		}
		if result.Failed {
			if name, from, ok := absentInclude(result.Diagnostics); ok && p.addAbsent(name, from, directories) {
				continue
			}
			return p.writeOverlay() // compiling tells what is wrong
		}
		files := verify.Dependencies(result.Stdout)
		if p.addOwn(files) {
			continue
		}
		p.ownArch = definedArch(files, p.isHeader)
		if err := p.choose(files); err != nil {
			return err
		}
		return p.writeOverlay()
	}
	return fmt.Errorf("%s: its includes lead to the header on more than %d ways, and it can't be told which it takes", p.path, maxIncludes)
}

// afterPath is a directory that there is in the overlay only. It is below none that
// a user named, whose name may be one that clang's overlays, or its lists of files,
// can't express.
func (p *slimProgram) afterPath() string {
	root := filepath.VolumeName(p.dir) + string(filepath.Separator)
	return filepath.Join(root, filepath.Base(filepath.Dir(p.dir))+"-"+filepath.Base(p.dir))
}

// addLinks adds paths on which clang may come to the output through symbolic
// links: directories that it searches, and links to the file itself in them.
func (p *slimProgram) addLinks(directories []string) (isNew bool) {
	h := &p.header
	if h.output == "" {
		return false
	}
	add := func(path string) {
		if path = absolutePath(path); !h.own[path] && realPath(path) == h.output {
			h.own[path] = true
			isNew = true
		}
	}
	for _, dir := range directories {
		if below, err := filepath.Rel(realPath(dir), h.output); err == nil && filepath.IsLocal(below) {
			add(filepath.Join(dir, below))
		}
		for _, name := range p.names() {
			if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				add(filepath.Join(dir, name))
			}
		}
	}
	return isNew
}

// addOwn adds paths among files that are the output's, by links that addLinks
// does not look for.
func (p *slimProgram) addOwn(files []string) (isNew bool) {
	h := &p.header
	for _, path := range files {
		if abs := absolutePath(path); h.output != "" && !h.own[abs] && realPath(path) == h.output {
			h.own[abs] = true
			isNew = true
		}
	}
	return isNew
}

// addAbsent shows the header where an include leads nowhere, if that may be for
// the header. from is the file with the include.
func (p *slimProgram) addAbsent(name, from string, directories []string) bool {
	h := &p.header
	beside := filepath.Dir(from)
	if strings.HasPrefix(from, "<") { // <built-in>: -include among the flags
		beside = "."
	}
	if !filepath.IsAbs(name) {
		// A link to the output may dangle.
		for _, dir := range append(directories, beside) {
			if full := absolutePath(filepath.Join(dir, name)); h.output != "" && realPath(full) == h.output && !h.own[full] {
				h.own[full] = true
				return true
			}
		}
	}
	if !slices.Contains(p.names(), filepath.Base(name)) {
		return false
	}
	path := name
	switch {
	case filepath.IsAbs(name):
	case filepath.IsLocal(name):
		path = filepath.Join(h.after, name)
	default:
		path = filepath.Join(beside, name)
	}
	path = absolutePath(path)
	if h.absent[path] != "" {
		return false
	}
	h.absent[path] = name
	return true
}

// choose decides which of the files that the program includes the header is.
func (p *slimProgram) choose(files []string) error {
	h := &p.header
	absent := h.absent
	h.absent = make(map[string]string)
	if slices.ContainsFunc(files, func(path string) bool { return h.own[absolutePath(path)] }) {
		return nil // what else is absent is an error of the program's
	}
	type candidate struct {
		path, name string
		isMade     bool // it is, or will be, a header of a kernel's types
	}
	byName := make(map[string][]candidate)
	for _, path := range files {
		c := candidate{path: path, name: absent[absolutePath(path)]}
		base := filepath.Base(path)
		if slices.Contains(p.names(), base) {
			c.isMade = c.name != "" || isGenerated(path)
			byName[base] = append(byName[base], c)
		}
	}
	var found []candidate
	for _, name := range p.names() {
		found = byName[name]
		if name != vmlinuxName && (len(byName[vmlinuxName]) > 0 || slices.ContainsFunc(found, func(c candidate) bool { return isSystem(c.path) })) {
			// There are other headers of that name than kernels'.
			found = slices.DeleteFunc(found, func(c candidate) bool { return !c.isMade })
		}
		if len(found) > 0 {
			break
		}
	}
	if len(found) == 0 {
		names := p.names()
		slices.Reverse(names)
		return fmt.Errorf("%s includes no %s: it must include the header that is to be made", p.path, strings.Join(names, " and no "))
	}
	if len(found) > 1 {
		most := 0
		for _, c := range found {
			most = max(most, commonTail(absolutePath(c.path), h.output))
		}
		if most > 1 { // more than the name
			found = slices.DeleteFunc(found, func(c candidate) bool { return commonTail(absolutePath(c.path), h.output) < most })
		}
	}
	if len(found) > 1 && slices.ContainsFunc(found, func(c candidate) bool { return c.isMade }) {
		found = slices.DeleteFunc(found, func(c candidate) bool { return !c.isMade })
	}
	if len(found) > 1 {
		return fmt.Errorf("%s includes %s and %s, and the header could be for either: name the one as the output that is to be replaced", p.path, found[0].path, found[1].path)
	}
	if c := found[0]; c.name != "" {
		h.absent[absolutePath(c.path)] = c.name
		h.name = c.name
	} else {
		h.other = c.path
	}
	return nil
}

// note says where the header was proven, if that is not where it is written.
func (h *headerPlace) note(program string) string {
	switch {
	case h.other != "":
		return fmt.Sprintf("that is with this header in the place of %s, which %s includes", h.other, program)
	case h.name != "":
		return fmt.Sprintf("that is with this header as %s, which %s includes and clang does not find yet", h.name, program)
	}
	return ""
}

// names are what files that may be the header are called: the output's name
// first.
func (p *slimProgram) names() []string {
	if base := filepath.Base(p.output); p.output != "" && base != vmlinuxName {
		return []string{base, vmlinuxName}
	}
	return []string{vmlinuxName}
}

// vmlinuxName is what programs call the kernel's header.
const vmlinuxName = "vmlinux.h"

// isGenerated reports whether a file is a header that bpftool or btfgen wrote.
func isGenerated(path string) bool {
	text, err := readFile(path, maxText)
	return err == nil && strings.Contains(string(text), "__VMLINUX_H__")
}

// isSystem reports whether a header is none of the project's.
func isSystem(path string) bool { return strings.HasPrefix(absolutePath(path), "/usr/") }

// commonTail is how many elements two paths have in common at their ends.
func commonTail(a, b string) (n int) {
	as, bs := strings.Split(a, string(filepath.Separator)), strings.Split(b, string(filepath.Separator))
	for n < min(len(as), len(bs)) && as[len(as)-1-n] == bs[len(bs)-1-n] {
		n++
	}
	return n
}

// writeOverlay describes where clang is to see the header, as -ivfsoverlay reads
// it.
func (p *slimProgram) writeOverlay() error {
	type entry struct {
		Name     string  `json:"name"`
		Type     string  `json:"type"`
		External string  `json:"external-contents,omitempty"`
		IsCalled bool    `json:"use-external-name,omitempty"` // that, in messages
		Contents []entry `json:"contents,omitempty"`
	}
	h := &p.header
	paths := slices.Collect(maps.Keys(h.own))
	paths = slices.AppendSeq(paths, maps.Keys(h.absent))
	if h.other != "" {
		paths = append(paths, absolutePath(h.other))
	}
	slices.Sort(paths)
	if !utf8.ValidString(p.dir) {
		return fmt.Errorf("the directory for temporary files, %q, is not UTF-8, and clang's overlays are: set $TMPDIR to another", p.dir)
	}
	directories := make(map[string][]entry)
	for _, path := range slices.Compact(paths) {
		if !utf8.ValidString(path) {
			return fmt.Errorf("the path %q is not UTF-8, and clang's overlays are: a header can't be proven there", path)
		}
		dir := filepath.Dir(path)
		directories[dir] = append(directories[dir], entry{Name: filepath.Base(path), Type: "file", External: p.headerPath()})
	}
	if alias := absolutePath(p.sourcePath()); alias != absolutePath(p.path) {
		if !utf8.ValidString(absolutePath(p.path)) {
			return fmt.Errorf("the path %q starts with @ in its last element, which clang takes for a file with options, and is not UTF-8: rename it", p.path)
		}
		dir := filepath.Dir(alias)
		directories[dir] = append(directories[dir], entry{Name: filepath.Base(alias), Type: "file", External: absolutePath(p.path), IsCalled: true})
	}
	roots := []entry{} // null is none for clang
	for _, dir := range slices.Sorted(maps.Keys(directories)) {
		roots = append(roots, entry{Name: dir, Type: "directory", Contents: directories[dir]})
	}
	text, err := json.Marshal(map[string]any{"version": 0, "use-external-names": false, "roots": roots})
	if err != nil {
		return err
	}
	return verify.WriteTemp(p.overlayPath(), text)
}

var absentFile = onDemand(`^'(.+?)' file not found`)

// absentInclude returns what an include names that leads nowhere, and the file
// with that include.
func absentInclude(diagnostics []verify.Diagnostic) (name, from string, ok bool) {
	for _, d := range diagnostics {
		if m := absentFile().FindStringSubmatch(d.Text); m != nil && !d.Warning {
			return m[1], d.File, true
		}
	}
	return "", "", false
}

// absolutePath makes a path absolute, by its text alone: clang's overlays go by
// the text too.
func absolutePath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// realPath returns what a path leads to through symbolic links, even if there is
// nothing yet.
func realPath(path string) string {
	if to, err := destinationOf(path); err == nil && !to.descriptor {
		path = to.path
	}
	path = absolutePath(path)
	rest := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(real, rest)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return path
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}
