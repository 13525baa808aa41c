package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// A minimalRequest asks for the BTF that some objects need of kernels.
type minimalRequest struct {
	objects []*core.Object
	modules []string
	source  source.Options
	check   bool
	console *console
}

// minimalBTF makes the BTF that objects need: of one kernel into a file, or of
// several into a directory.
func minimalBTF(c *cli.Context, output string, directory bool) error {
	if err := checkFlags(c, formatBTF); err != nil {
		return err
	}
	kernels, err := inputs(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("type"):
		return errors.New("--type and --for both say which types: leave one of them out")
	case directory && len(kernels) == 0:
		return fmt.Errorf("%s is a directory, for the BTF of several kernels: name those with --kernel (or -k), or an output *.btf for one", output)
	case !directory && len(kernels) > 1:
		return fmt.Errorf("BTF for %d kernels goes into a directory: write %q, or name one kernel", len(kernels), strings.TrimSuffix(output, filepath.Ext(output))+"/")
	}
	input := ""
	if !directory {
		if input, err = oneInput(c); err != nil {
			return err
		}
	}
	if c.Bool("check") && output == "-" {
		return errors.New("--check compares with a file: name one instead of \"-\"")
	}
	r := minimalRequest{modules: c.StringSlice("module"), check: c.Bool("check"), console: newConsole(c.App.ErrWriter, c.Bool("quiet"))}
	defer r.console.end()
	if r.source, err = sourceOptions(c); err != nil {
		return err
	}
	kernel := make(chan opened, 1)
	if !directory {
		r.console.begin("reading the kernel's types")
		// Both take a while and neither needs the other.
		go func() { kernel <- r.open(input) }()
	}
	if r.objects, err = readObjects(c.StringSlice("for")); err != nil {
		return err
	}
	if directory {
		return r.all(kernels, output)
	}
	return r.one(<-kernel, c, output)
}

// opened is a kernel, or why it can't be read.
type opened struct {
	name          string // for messages
	view          *btfdump.View
	release, arch string // "" if not known
	err           error
}

// open reads a kernel's types.
func (r *minimalRequest) open(input string) opened {
	kernel, err := source.Open(input, r.modules, r.source)
	if err != nil {
		return opened{err: err}
	}
	o := opened{name: headerRequest{input: input, modules: r.modules}.origin(), view: kernel.View, release: kernel.Release}
	if kernel.Origin != nil {
		o.arch = kernel.Origin.Arch
	}
	return o
}

// readObjects reads BPF objects, each file once.
func readObjects(names []string) ([]*core.Object, error) {
	var objects []*core.Object
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if name == "-" {
			return nil, errors.New("--for -: objects are not read from standard input: name a file")
		}
		raw, err := readFile(name, core.MaxObject)
		if err != nil {
			return nil, fmt.Errorf("--for: %w", err)
		}
		if what := noObject(name, raw); what != "" {
			return nil, fmt.Errorf("--for %s: %s", name, what)
		}
		o, err := core.ReadObject(name, raw)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// one makes the BTF of one kernel.
func (r *minimalRequest) one(kernel opened, c *cli.Context, output string) error {
	raw, remarks, err := r.make(kernel)
	if err != nil {
		return err
	}
	r.console.end()
	for _, remark := range slices.Concat(r.typeIDs(), r.unrelocated(), remarks) {
		r.console.say("%s", remark)
	}
	switch {
	case r.check:
		return checkBinary(output, raw, r.console)
	case output == "-":
		if _, err := c.App.Writer.Write(raw); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	changed, err := replaceFile(output, raw)
	switch {
	case err != nil:
		return err
	case changed:
		r.console.say("%s: written, %s bytes", output, thousands(len(raw)))
	default:
		r.console.say("%s: unchanged", output)
	}
	return nil
}

// make returns the BTF that the objects need of a kernel, and what is to be said
// about them there.
func (r *minimalRequest) make(kernel opened) (raw []byte, remarks []string, err error) {
	if kernel.err != nil {
		return nil, nil, kernel.err
	}
	raw, results, err := core.NewTargetFor(kernel.view, r.objects).Minimize(r.objects)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", kernel.name, err)
	}
	for i, o := range r.objects {
		if remark := refused(o, results[i]); remark != "" {
			remarks = append(remarks, printable(fmt.Sprintf("%s: %s", kernel.name, remark)))
		}
	}
	return raw, remarks, nil
}

// refused says why an object would not be loaded, "" if it would.
func refused(o *core.Object, results []core.Result) string {
	n := 0
	first := ""
	for i := range results {
		if results[i].Err == nil {
			continue
		}
		if n++; n == 1 {
			r := &o.Relocations[i]
			first = fmt.Sprintf("function %q, instruction %d, %s of type %q: %v", o.Functions[r.Function].Name, r.Instruction, r.Kind, o.View.Type(r.Type).Name(), results[i].Err)
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("libbpf would not load %s: %s", o.Name, first)
	}
	return fmt.Sprintf("libbpf would not load %s: %s; and %d more", o.Name, first, n-1)
}

// typeIDs warns of objects that ask for type IDs, which minimal BTF can't give.
func (r *minimalRequest) typeIDs() []string {
	var warnings []string
	for _, o := range r.objects {
		var names []string
		for i := range o.Relocations {
			if r := &o.Relocations[i]; r.Kind == core.TypeIDTarget && r.Function >= 0 {
				names = append(names, fmt.Sprintf("%q", o.View.Type(r.Type).Name()))
			}
		}
		slices.Sort(names)
		if names = slices.Compact(names); len(names) > 0 {
			warnings = append(warnings, fmt.Sprintf("warning: %s asks for the kernel's IDs of types (%s), as bpf_core_type_id_kernel and bpf_snprintf_btf do: with minimal BTF it gets others than the kernel's; it needs the whole BTF", printable(o.Name), strings.Join(names[:min(len(names), 5)], ", ")))
		}
	}
	return warnings
}

// unrelocated warns of objects that need nothing of a kernel's BTF.
func (r *minimalRequest) unrelocated() []string {
	var warnings []string
	for _, o := range r.objects {
		if !slices.ContainsFunc(o.Relocations, func(r core.Relocation) bool { return r.Kind != core.TypeIDLocal }) {
			warnings = append(warnings, fmt.Sprintf("warning: %s has no CO-RE relocation that asks for a type of the kernel's: there is none for it in the BTF", printable(o.Name)))
		}
	}
	return warnings
}
