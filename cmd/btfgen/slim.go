package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
		&cli.BoolFlag{Name: "fields", Category: groupFor, Usage: "with --for, records keep only the members that are used, at their offsets"},
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
	text, remarks, err := r.make(ctx, console, c.App.Writer)
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
	for _, remark := range remarks {
		if !r.check || strings.HasPrefix(remark, "warning: ") {
			console.say("%s", printable(remark))
		}
	}
	return nil
}

// make returns the header, and lines that say what has been proven of it, and
// what is odd.
func (r slimRequest) make(ctx context.Context, console *console, out io.Writer) (text []byte, remarks []string, err error) {
	console.begin("reading the kernel's types")
	kernel, err := source.Open(r.input, r.modules, r.source)
	if err != nil {
		return nil, nil, err
	}
	view, err := r.printableView(kernel.View, console)
	if err != nil {
		return nil, nil, err
	}
	r.options.Release = kernel.Release
	full := r.options
	full.NoProvenance = true
	plan, err := cgen.NewPlan(view, nil, full)
	if err != nil {
		return nil, nil, r.unprintableHint(view, err)
	}
	types := newSlimTypes(view, plan.Index(), r.options, r.fields)
	if len(r.types) > 0 {
		set, err := selectTypes(view, r.types)
		if err != nil {
			return nil, nil, err
		}
		for id := range set.All() {
			types.add(plan.Canonical(id))
			types.addWhole(plan.Canonical(id))
		}
	}
	var sources, objects []string
	for i, path := range r.programs {
		if slices.Contains(r.programs[:i], path) {
			continue
		}
		what, err := identifyProgram(path)
		if err != nil {
			return nil, nil, err
		}
		if what == objectFile {
			objects = append(objects, path)
		} else {
			sources = append(sources, path)
		}
	}
	if err := checkClangFlags(r.flags); err != nil {
		return nil, nil, err
	}
	if len(sources) == 0 && len(r.flags) > 0 {
		return nil, nil, fmt.Errorf("%q are flags for clang, which compiles C programs, and --for names objects only", r.flags)
	}
	var notes []string
	lacking, err := r.addObjects(types, objects)
	if err != nil {
		return nil, nil, err
	}
	if lacking != "" {
		notes = append(notes, lacking)
	}
	if len(sources) > 0 {
		whole, err := plan.Print()
		if err != nil {
			return nil, nil, r.unprintableHint(view, err)
		}
		var proof string
		if text, proof, remarks, err = r.fromSources(ctx, console, types, plan, whole, sources); err != nil {
			return nil, nil, withClangHint(err)
		}
		notes = append(notes, proof)
	} else if text, err = types.text(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.origin(), err)
	}
	if len(types.roots) > 0 && (r.verify || len(objects) > 0) {
		proof, err := r.prove(console, text, types, out)
		if err != nil {
			return nil, nil, err
		}
		if len(sources) == 0 {
			notes = append(notes, proof)
		}
	}
	if len(types.roots) == 0 {
		remarks = append(remarks, fmt.Sprintf("warning: %s: %s no type of the kernel's, and the header declares none", r.output, uses(r.programs)))
	}
	if len(notes) > 0 {
		remarks = append([]string{r.output + ": " + strings.Join(notes, "; ")}, remarks...)
	}
	return text, remarks, nil
}

// uses is the start of a sentence about what programs use.
func uses(programs []string) string {
	if len(programs) == 1 {
		return programs[0] + " uses"
	}
	return fmt.Sprintf("the %d programs use", len(programs))
}

// addObjects adds what objects need: the types of the kernel's that they mention,
// and the members that their relocations use, or all of those of types that
// variables hold. It returns how many of those the
// kernel does not have, in words: programs may ask for what only other kernels
// have.
func (r slimRequest) addObjects(types *slimTypes, objects []string) (lacking string, err error) {
	members := make(map[string]bool)
	for _, path := range objects {
		raw, err := readFile(path, core.MaxObject)
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
func (r slimRequest) fromSources(ctx context.Context, console *console, types *slimTypes, plan *cgen.Plan, whole []byte, sources []string) (text []byte, proof string, remarks []string, err error) {
	dir, remove, err := verify.TempDir()
	if err != nil {
		return nil, "", nil, err
	}
	defer remove()
	compiler, err := newCompiler(ctx, r.compilers)
	if err != nil {
		return nil, "", nil, err
	}
	output := r.output
	if output == "-" {
		output = ""
	}
	target := map[bool]string{false: "bpfel", true: "bpfeb"}[isBigEndian(types.view)]
	var programs []*slimProgram
	for i, path := range sources {
		p := &slimProgram{path: path, output: output, compiler: compiler, target: target, arch: plan.Arch(), flags: r.flags, dir: filepath.Join(dir, fmt.Sprint(i))}
		console.begin("compiling " + path + " with all types")
		odd, err := r.reference(ctx, p, whole, types)
		if err != nil {
			return nil, "", nil, err
		}
		for _, text := range odd {
			remarks = append(remarks, fmt.Sprintf("warning: %s: %s", path, text))
		}
		needs, err := p.needs(types, false)
		if err != nil {
			return nil, "", nil, err
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
					return nil, "", nil, err
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
					return nil, "", nil, fmt.Errorf("%s still lacks something after %d rounds; nothing was written; please report this as a bug of btfgen", p.path, maxRounds)
				}
			}
			rounds = max(rounds, p.rounds)
			if good == len(programs) {
				break
			}
		}
	}
	var same []string
	for _, what := range []string{"instructions", "data", "relocations"} {
		if slices.ContainsFunc(programs, func(p *slimProgram) bool { return slices.Contains(p.compared, what) }) {
			same = append(same, what)
		}
	}
	subject := strings.Join(sources, ", ") + " has"
	if len(sources) > 1 {
		subject = count(len(sources), "program") + " have"
	}
	for _, p := range programs {
		if note := p.header.note(p.path); note != "" {
			remarks = append(remarks, r.output+": "+note)
		}
	}
	return text, fmt.Sprintf("%s the same %s as with the header of all types, which has %s bytes (%s, %s)",
		subject, listed(same), thousands(len(whole)), compiler.Name(), count(rounds, "round")), remarks, nil
}

// reference compiles a program with all types, and returns what is odd about it.
func (r slimRequest) reference(ctx context.Context, p *slimProgram, whole []byte, types *slimTypes) (odd []string, err error) {
	result, err := p.compileReference(ctx, whole)
	if err != nil {
		return nil, err
	}
	other := p.otherArch()
	if other == "" {
		if result.Failed {
			return nil, r.doesNotCompile(ctx, p, result, types)
		}
		return p.describe()
	}
	mismatch := fmt.Sprintf("the flags say %s%s, and the kernel is one for %s", targetArch, other, p.arch)
	if other == p.ownArch {
		mismatch = fmt.Sprintf("the program defines __TARGET_ARCH_%s, and the kernel is one for %s", other, p.arch)
	}
	if !result.Failed {
		odd, err := p.describe()
		return append(odd, mismatch), err
	}
	// Registers have other names: is it that alone?
	with, ok := result, false
	if len(targetArchs(p.flags)) > 0 {
		with, ok, err = p.compilesForArch(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case ok:
		return nil, fmt.Errorf("%s does not compile with all types of the kernel, since %s: say %s%s, or name a kernel for %s with -i", p.path, mismatch, targetArch, p.arch, other)
	}
	return nil, linesError{fmt.Errorf("%w\n%s", r.doesNotCompile(ctx, p, with, types), printable(mismatch))}
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
