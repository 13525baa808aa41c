package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/urfave/cli/v2"
)

// infoCommand tells what is in a file.
func infoCommand() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "tell what is in a kernel's file, how it was opened, and what is off",
		ArgsUsage: "[FILE]",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: inputFlag, Aliases: []string{"i", "kernel", "k"}, Category: groupInput, Usage: "the `FILE`, which may stand by itself as well"},
		}, append(openFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON"})...),
		Action: info,
	}
}

var infoManual = manual{
	synopsis: []string{"info [flags] [FILE]"},
	about: []string{
		"btfgen info tells what is in a file (or directory, stream \"-\", loaded object prog:ID, map:ID, btf:ID), or in the running kernel: how it was opened, the kernel's release and build ID, the BTF's header and types, and what is off with it.",
	},
	examples: []entry{
		{"btfgen info", "the running kernel"},
		{"btfgen info linux-image.deb", "where in a package the BTF is, and what kernel it is of"},
		{"btfgen info --json vmlinuz | jq -r .buildID", "for scripts"},
	},
	exit: []entry{
		{"0", "there is BTF"},
		{"1", "there is none"},
		{"2", "wrong usage or unreadable input"},
	},
}

// A report is what info prints; its JSON form is the command's --json.
type report struct {
	Input        string        `json:"input"`
	Layers       []layerReport `json:"layers"`
	Release      string        `json:"release,omitempty"`
	Architecture string        `json:"architecture,omitempty"`
	BuildID      string        `json:"buildID,omitempty"`
	Module       string        `json:"module,omitempty"`
	DWARF        bool          `json:"dwarf"`
	ELF          *elfReport    `json:"elf,omitempty"`
	BTF          *btfReport    `json:"btf"` // null: there is none
	Remarks      []string      `json:"remarks"`
}

type layerReport struct {
	Format string `json:"format"`
	Path   string `json:"path,omitempty"`
	Offset int64  `json:"offset"` // bytes from the start of the layer before; -1: in a stream
	Size   int64  `json:"size"`   // bytes; -1: not known
}

type elfReport struct {
	Class    int             `json:"class"`
	Order    string          `json:"byteOrder"`
	Type     string          `json:"type"`
	Sections []sectionReport `json:"sections"`
}

type sectionReport struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
}

type btfReport struct {
	Size        int          `json:"size"`
	SHA256      string       `json:"sha256"`
	Order       string       `json:"byteOrder"`
	PointerSize int          `json:"pointerSize"`
	Split       bool         `json:"split"`
	Header      headerReport `json:"header"`
	Types       int          `json:"types"` // of its own, without void
	Kinds       []kindReport `json:"kinds"`
}

// headerReport is the BTF's header: bytes, from the header's end.
type headerReport struct {
	Length        uint32 `json:"length"`
	Flags         uint8  `json:"flags"`
	TypesOffset   uint32 `json:"typesOffset"`
	TypesLen      uint32 `json:"typesLength"`
	StringsOffset uint32 `json:"stringsOffset"`
	StringsLen    uint32 `json:"stringsLength"`
	LayoutOffset  uint32 `json:"layoutOffset"`
	LayoutLen     uint32 `json:"layoutLength"`
}

type kindReport struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

func info(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) > 1 {
		return fmt.Errorf("info takes one file, but %d were given: %q", len(args), args)
	}
	input := ""
	if len(args) == 1 {
		if input = args[0]; input == "" {
			return errors.New("the file's name is empty: leave it out for the running kernel")
		}
	}
	if c.IsSet(inputFlag) {
		if len(args) == 1 {
			return fmt.Errorf("info takes one file, but two were given: %q and --input %q", args[0], c.String(inputFlag))
		}
		var err error
		if input, err = oneInput(c); err != nil {
			return err
		}
	}
	options, err := sourceOptions(c)
	if err != nil {
		return err
	}
	kernel, err := source.Open(input, nil, options)
	var search *source.SearchError
	var r report
	switch {
	case err == nil:
		r = reportOn(kernel)
	case errors.As(err, &search) && errors.Is(err, source.ErrNoBTF) && len(search.Looked) > 0:
		r = reportOnFound(search.Looked[0])
		r.Remarks = append(r.Remarks, noBTFRemark(search.Looked[0]))
	default:
		return err
	}
	r.Input = input
	if input == "" {
		r.Input = "the running kernel"
	}
	if c.Bool("json") {
		encoder := newEncoder(c.App.Writer, "")
		err = encoder.Encode(r)
	} else {
		_, err = io.WriteString(c.App.Writer, r.String())
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if r.BTF == nil {
		return noError(r.Input + " has no BTF")
	}
	return nil
}

// noBTFRemark says what can be done about a file without BTF.
func noBTFRemark(f source.Found) string {
	if f.DWARF {
		return "there is no BTF, but DWARF: pahole -J makes BTF from it"
	}
	return "there is no BTF, and no DWARF to make it from: the kernel was built without CONFIG_DEBUG_INFO_BTF=y, or the file was stripped"
}

// reportOn describes a kernel, or a module, that was opened.
func reportOn(kernel *source.Kernel) report {
	r := report{}
	if kernel.Origin != nil {
		r = reportOnFound(*kernel.Origin)
	} else {
		r.Layers = []layerReport{{Format: "raw BTF", Path: "/sys/kernel/btf/vmlinux", Size: int64(len(kernel.View.Raw()))}}
	}
	if r.Release == "" {
		r.Release = kernel.Release
	}
	view := kernel.View
	// A module's view may be of BTF that was moved to another base: the
	// digest is of what was found.
	raw := view.Raw()
	if kernel.Origin != nil {
		raw = kernel.Origin.Raw
	}
	r.BTF = &btfReport{
		Size: len(raw), SHA256: fmt.Sprintf("%x", sha256.Sum256(raw)),
		Order: "little endian", PointerSize: view.PointerSize(),
		Split: view.Base() != nil, Header: headerReport(view.Header()),
		Types: view.NumTypes() - int(view.FirstID()),
	}
	if view.ByteOrder().String() == "BigEndian" {
		r.BTF.Order = "big endian"
	}
	counts := map[btfdump.Kind]int{}
	for t := range view.All() {
		if t.ID() >= view.FirstID() {
			counts[t.Kind()]++
		}
	}
	for kind := btfdump.Kind(0); kind < 128; kind++ {
		if counts[kind] > 0 {
			r.BTF.Kinds = append(r.BTF.Kinds, kindReport{kind.String(), counts[kind]})
		}
	}
	r.Remarks = append(r.Remarks, examine(kernel)...)
	return r
}

// reportOnFound describes where something was found.
func reportOnFound(f source.Found) report {
	r := report{Release: f.Release, Architecture: f.Arch, BuildID: f.BuildID, Module: f.Module, DWARF: f.DWARF, Remarks: []string{}}
	for _, l := range f.Layers {
		r.Layers = append(r.Layers, layerReport(l))
	}
	if f.ELF != nil {
		r.ELF = &elfReport{Class: f.ELF.Class, Order: f.ELF.Order, Type: f.ELF.Type, Sections: []sectionReport{}}
		for _, s := range f.ELF.Sections {
			r.ELF.Sections = append(r.ELF.Sections, sectionReport(s))
		}
	}
	return r
}

// String is the report for people.
func (r report) String() string {
	var out strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&out, "%-14s%s\n", printable(label)+":", printable(fmt.Sprintf(format, args...)))
	}
	line("input", "%s", r.Input)
	line("opened", "%s", r.way())
	for _, field := range []struct{ label, value string }{
		{"release", r.Release}, {"module", r.Module}, {"architecture", r.Architecture}, {"build ID", r.BuildID},
	} {
		if field.value != "" {
			line(field.label, "%s", field.value)
		}
	}
	if r.ELF != nil {
		line("ELF", "%d-bit %s, %s%s", r.ELF.Class, r.ELF.Order, r.ELF.Type, map[bool]string{true: ", with DWARF"}[r.DWARF])
		for _, s := range r.ELF.Sections {
			line("  "+s.Name, "%s bytes at %d", thousands(int(s.Size)), s.Offset)
		}
	}
	if b := r.BTF; b != nil {
		split := ""
		if b.Split {
			split = ", split"
		}
		line("BTF", "%s bytes, %s, %d-byte pointers%s", thousands(b.Size), b.Order, b.PointerSize, split)
		line("SHA-256", "%s", b.SHA256)
		h := b.Header
		layout := ""
		if h.LayoutLen > 0 {
			layout = fmt.Sprintf(", layout %s at %d", thousands(int(h.LayoutLen)), h.LayoutOffset)
		}
		line("header", "%d bytes; types %s at %d, strings %s at %d%s", h.Length, thousands(int(h.TypesLen)), h.TypesOffset, thousands(int(h.StringsLen)), h.StringsOffset, layout)
		line("types", "%s", thousands(b.Types))
		for _, k := range b.Kinds {
			line("  "+k.Kind, "%9s", thousands(k.Count))
		}
	}
	if len(r.Remarks) == 0 {
		line("remarks", "none")
	}
	for i, remark := range r.Remarks {
		label := "remarks"
		if i > 0 {
			label = strings.Repeat(" ", len(label))
			fmt.Fprintf(&out, "%-14s%s\n", label, printable(remark))
			continue
		}
		line(label, "%s", remark)
	}
	return out.String()
}

// way tells how the BTF was come by, from the outermost layer inwards.
func (r report) way() string {
	var steps []string
	for i, l := range r.Layers {
		step := source.Layer(l).String()
		if i > 0 && l.Offset >= 0 {
			step += fmt.Sprintf(" at %d", l.Offset)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, " → ")
}

// examine returns what is off with a kernel's types, for somebody who wonders
// why a program does not load or a header does not compile.
func examine(kernel *source.Kernel) []string {
	view := kernel.View
	var remarks []string
	add := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	if view.NumTypes() == int(view.FirstID()) {
		if view.Base() != nil || len(kernel.Modules) > 0 {
			add("the module's BTF is empty: it adds no types to its kernel's")
		} else {
			add("the BTF is empty: it has no types at all")
		}
		return remarks
	}
	cut, unknown, repeated := 0, map[string]bool{}, 0
	seen := map[string]bool{}
	for t := range view.All() {
		own := t.ID() >= view.FirstID()
		k := t.Kind()
		if k.IsRecord() || k.IsEnum() && !t.IsForward() {
			if name := t.Name(); name != "" {
				key := k.String() + " " + name
				if own && seen[key] {
					repeated++
				}
				seen[key] = true
			}
		}
		if !own {
			continue
		}
		if k == btfdump.KindEnum && t.Size() == 8 {
			cut++
		}
		if strings.HasPrefix(k.String(), "kind ") {
			unknown[k.String()] = true
		}
	}
	if cut > 0 {
		add("%s of 8 bytes whose values are cut to 32 bits: the BTF was made without 64-bit enums (by a pahole before 1.24, or told to leave them out)", count(cut, "enum"))
	}
	if view.Base() == nil && len(view.Lookup("task_struct", btfdump.KindStruct)) > 0 && len(view.Kfuncs()) == 0 {
		add("kfuncs are not marked (no decl_tag bpf_kfunc): the BTF was made by a pahole before 1.26, or the kernel has none")
	}
	if repeated > 0 {
		where := "earlier in it"
		if view.Base() != nil {
			where = "in the kernel's, or earlier in it"
		}
		add("%s whose kind and name stand %s; in a header the ones that differ have ___2 behind their names", count(repeated, "type"), where)
	}
	if len(unknown) > 0 {
		kinds := make([]string, 0, len(unknown))
		for k := range unknown {
			kinds = append(kinds, k)
		}
		slices.Sort(kinds)
		add("kinds that this btfgen does not know, and skips: %s", strings.Join(kinds, ", "))
	}
	if remark := unprintableRemark(view); remark != "" {
		add("%s", remark)
	}
	if kernel.Origin != nil && kernel.Origin.Base != nil {
		add("the module was built outside of the kernel's tree: it has a base of its own (.BTF.base, %s bytes)", thousands(len(kernel.Origin.Base)))
	}
	return remarks
}
