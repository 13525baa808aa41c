package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/urfave/cli/v2"
)

// slimFlags are those of --for OBJECT slim.h.
func slimFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "fields", Usage: "with --for, records keep only the members that are used, at their offsets"},
	}
}

// A slimRequest is a header for some programs.
type slimRequest struct {
	headerRequest
	programs []string // objects, and source files
	fields   bool
	flags    []string // clang's, for source files
}

// slimHeader makes a header of what some programs need of a kernel: see
// slim_program.go for source files, slimRequest.fromObjects for objects.
func slimHeader(c *cli.Context, output string, clangFlags []string) error {
	if err := checkFlags(c, formatHeader); err != nil {
		return err
	}
	request, err := newHeaderRequest(c, output, formatHeader)
	if err != nil {
		return err
	}
	r := slimRequest{headerRequest: request, programs: c.StringSlice("for"), fields: c.Bool("fields"), flags: clangFlags}
	if len(r.compilers) > 1 && !r.verify {
		return errors.New("a program is compiled with one clang: name one with --clang, or add --verify")
	}
	r.options.Flags = append(r.options.Flags, "--for")
	if r.fields {
		r.options.Flags = append(r.options.Flags, "--fields")
	}
	slices.Sort(r.options.Flags)
	console := newConsole(c.App.ErrWriter, c.Bool("quiet"))
	ctx, stop := untilSignal()
	defer stop()
	text, note, err := r.make(ctx, console, c.App.Writer)
	console.end()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	if err := r.deliver(text, console, c.App.Writer); err != nil {
		return err
	}
	if !r.check {
		console.say("%s", note)
	}
	return nil
}

// make returns the header, and a line that says what has been proven of it.
func (r slimRequest) make(ctx context.Context, console *console, out io.Writer) (text []byte, note string, err error) {
	console.begin("reading the kernel's types")
	kernel, err := source.Open(r.input, r.modules, r.source)
	if err != nil {
		return nil, "", err
	}
	r.options.Release = kernel.Release
	full := r.options
	full.NoProvenance = true
	plan, err := cgen.NewPlan(kernel.View, nil, full)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", r.origin(), err)
	}
	types := newSlimTypes(kernel.View, plan.Index(), r.options, r.fields)
	if len(r.types) > 0 {
		set, err := selectTypes(kernel.View, r.types)
		if err != nil {
			return nil, "", err
		}
		for id := range set.All() {
			types.add(plan.Canonical(id))
			types.addWhole(plan.Canonical(id))
		}
	}
	var sources, objects []string
	for _, path := range r.programs {
		isObject, err := isELF(path)
		if err != nil {
			return nil, "", err
		}
		if isObject {
			objects = append(objects, path)
		} else {
			sources = append(sources, path)
		}
	}
	if len(sources) == 0 && len(r.flags) > 0 {
		return nil, "", fmt.Errorf("%q are flags for clang, which compiles C programs, and --for names objects only", r.flags)
	}
	var notes []string
	lacking, err := r.addObjects(types, objects)
	if err != nil {
		return nil, "", err
	}
	if lacking != "" {
		notes = append(notes, lacking)
	}
	if len(sources) > 0 {
		whole, err := plan.Print()
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", r.origin(), err)
		}
		var proof string
		if text, proof, err = r.fromSources(ctx, console, types, plan, whole, sources); err != nil {
			return nil, "", err
		}
		notes = append(notes, proof)
	} else if text, err = types.text(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", r.origin(), err)
	}
	if r.verify || len(objects) > 0 {
		proof, err := r.prove(console, text, types, out)
		if err != nil {
			return nil, "", err
		}
		if len(sources) == 0 {
			notes = append(notes, proof)
		}
	}
	return text, r.output + ": " + strings.Join(notes, "; "), nil
}

// isELF tells objects from source files, by content.
func isELF(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("--for: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, fmt.Errorf("--for: %w", err)
	}
	if bytes.Equal(head[:n], []byte("\x7fELF")) {
		return true, nil
	}
	if filepath.Ext(path) == ".o" {
		return false, fmt.Errorf("--for %s: it is no ELF file, and so no BPF object", path)
	}
	return false, nil
}

// addObjects adds what objects need: the types of the kernel's that they mention,
// and the members that their relocations use, or all of those of types that
// variables hold. It returns how many of those the
// kernel does not have, in words: programs may ask for what only other kernels
// have.
func (r slimRequest) addObjects(types *slimTypes, objects []string) (lacking string, err error) {
	members := make(map[string]bool)
	for _, path := range objects {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("--for: %w", err)
		}
		object, err := core.ReadObject(path, raw)
		if err != nil {
			return "", fmt.Errorf("--for %w", err)
		}
		needs := object.Needs(types.has, true)
		types.addNeeds(needs)
		for _, name := range needs.Variables {
			types.addDeep(types.find(name))
		}
		for _, a := range needs.Accesses {
			if a.Whole {
				continue
			}
			id, found := types.reach(types.find(a.Root), a.Path)
			if !found {
				members[a.Root.String()+" "+strings.Join(a.Path, ".")] = true
			} else if a.Place {
				types.addInside(id)
			}
		}
	}
	if len(members) == 0 {
		return "", nil
	}
	return count(len(members), "member that is used is", "members that are used are") + " not in this kernel's types", nil
}

// reach returns the record, or other type, of the member that a path leads to.
func (s *slimTypes) reach(id btfdump.TypeID, path []string) (member btfdump.TypeID, found bool) {
	probe := slimTypes{view: s.view, index: s.index, members: btfdump.NewMemberSet()}
	for _, name := range path {
		if id, _, found = probe.keep(probe.record(id), name); !found {
			return 0, false
		}
	}
	return probe.record(id), id != 0
}

// fromSources returns the header with which all source files compile to what
// they are with all types.
func (r slimRequest) fromSources(ctx context.Context, console *console, types *slimTypes, plan *cgen.Plan, whole []byte, sources []string) (text []byte, note string, err error) {
	dir, err := os.MkdirTemp("", "btfgen-slim-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	compiler, err := newCompiler(ctx, r.compilers)
	if err != nil {
		return nil, "", err
	}
	flags := slices.Clone(r.flags)
	// libbpf's bpf_tracing.h wants to know whose registers it is about.
	if arch := plan.Arch(); arch != "" && !slices.ContainsFunc(flags, func(f string) bool { return strings.Contains(f, "__TARGET_ARCH_") }) {
		flags = append([]string{"-D__TARGET_ARCH_" + arch}, flags...)
	}
	names := []string{vmlinuxName}
	if base := filepath.Base(r.output); base != vmlinuxName && r.output != "-" {
		names = append(names, base)
	}
	target := map[bool]string{false: "bpfel", true: "bpfeb"}[isBigEndian(types.view)]
	var programs []*slimProgram
	for i, path := range sources {
		p := &slimProgram{path: path, compiler: compiler, target: target, flags: flags, dir: filepath.Join(dir, fmt.Sprint(i)), names: names}
		console.begin("compiling " + path + " with all types")
		if err := p.compileReference(ctx, whole, types); err != nil {
			return nil, "", err
		}
		needs, err := p.needs(types, false)
		if err != nil {
			return nil, "", err
		}
		types.addNeeds(needs)
		programs = append(programs, p)
	}
	// A program that had all that it needs may see more by what another needed;
	// so it is tried until a header is good for all.
	rounds := 0
	for good := 0; good < len(programs); {
		good = 0
		for _, p := range programs {
			for {
				console.begin(fmt.Sprintf("compiling %s with the slim header, round %d", p.path, p.rounds+1))
				done, with, err := p.try(ctx, types)
				if err != nil {
					return nil, "", err
				}
				if done {
					if bytes.Equal(text, with) {
						good++
					} else {
						good = 1
					}
					text = with
					break
				}
				if p.rounds >= maxRounds {
					return nil, "", fmt.Errorf("%s still lacks something after %d rounds; nothing was written; please report this as a bug of btfgen", p.path, maxRounds)
				}
			}
			rounds = max(rounds, p.rounds)
			if good == len(programs) {
				break
			}
		}
	}
	subject := strings.Join(sources, ", ") + " has"
	if len(sources) > 1 {
		subject = count(len(sources), "program") + " have"
	}
	return text, fmt.Sprintf("%s the same instructions and relocations as with the header of all types, which has %s bytes (%s, %s)",
		subject, thousands(len(whole)), compiler.Name(), count(rounds, "round")), nil
}

// prove has the header verified. Without a compiler nothing can be proven of a
// header for objects, and the note says so.
func (r slimRequest) prove(console *console, text []byte, types *slimTypes, out io.Writer) (note string, err error) {
	opts := verify.Options{Fast: r.fast || !r.verify, Members: types.members, Progress: console.begin}
	err = verified(text, r.output, types.view, types.set(), r.compilers, opts, out)
	switch {
	case err == nil:
		return "clang agrees with every size, offset and value in it", nil
	case errors.Is(err, verify.ErrNoClang) && !r.verify && len(r.compilers) == 0:
		return "not verified, since there is no clang", nil
	}
	return "", err
}
