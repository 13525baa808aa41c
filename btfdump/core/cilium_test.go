package core_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// A relocated instruction is what became of an instruction that has a
// relocation: its one or two slots, or an error.
type relocated struct {
	code []byte
	err  error
}

// poisoned reports whether the instruction was made one that the verifier
// refuses. libbpf puts calls in all of its slots; cilium/ebpf leaves a load of
// a 64-bit constant one, of a register that must not be written to.
func (r *relocated) poisoned() bool {
	return r.err == nil && (r.code[0] == 0x85 || r.code[0] == 0x18 && (r.code[1] == 0x0a || r.code[1] == 0xa0)) && isPoison(r.code[4:8])
}

func isPoison(constant []byte) bool {
	return binary.LittleEndian.Uint32(constant) == 0xbad2310 || binary.BigEndian.Uint32(constant) == 0xbad2310
}

// ourOpinion is what Relocate and Patch make of each relocation.
func ourOpinion(o *core.Object, results []core.Result) []relocated {
	all := make([]relocated, len(o.Relocations))
	one := *o
	for i := range o.Relocations {
		r := &o.Relocations[i]
		one.Relocations = o.Relocations[i : i+1]
		code, err := one.Patch(r.Function, results[i:i+1])
		if err != nil {
			all[i].err = err
			continue
		}
		n := 1
		if o.Functions[r.Function].Code[r.Instruction].IsLoad64() {
			n = 2
		}
		all[i].code = core.Encode(code[r.Instruction:][:n], o.ByteOrder)
	}
	return all
}

// A secondOpinion has cilium/ebpf relocate an object.
type secondOpinion struct {
	order        binary.ByteOrder
	instructions map[string]asm.Instruction // by function and index
}

func newSecondOpinion(t *testing.T, o *matrixObject) *secondOpinion {
	t.Helper()
	collection, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(o.raw))
	if err != nil {
		t.Fatal(err)
	}
	s := &secondOpinion{order: o.ByteOrder, instructions: map[string]asm.Instruction{}}
	for _, program := range collection.Programs {
		// The subprograms that it calls follow the program.
		name, start := "", asm.RawInstructionOffset(0)
		iter := program.Instructions.Iterate()
		for iter.Next() {
			if symbol := iter.Ins.Symbol(); symbol != "" {
				name, start = symbol, iter.Offset
			}
			if btf.CORERelocationMetadata(iter.Ins) != nil {
				s.instructions[fmt.Sprintf("%s+%d", name, iter.Offset-start)] = *iter.Ins
			}
		}
	}
	return s
}

// ask returns cilium/ebpf's word on each of the object's relocations.
func (s *secondOpinion) ask(t *testing.T, o *core.Object, kernel *btf.Spec) []relocated {
	t.Helper()
	all := make([]relocated, len(o.Relocations))
	for i := range o.Relocations {
		r := &o.Relocations[i]
		in, ok := s.instructions[fmt.Sprintf("%s+%d", o.Functions[r.Function].Name, r.Instruction)]
		if !ok {
			t.Fatalf("cilium/ebpf knows of no relocation at %s+%d", o.Functions[r.Function].Name, r.Instruction)
		}
		relocation := btf.CORERelocationMetadata(&in)
		fixups, err := btf.CORERelocate([]*btf.CORERelocation{relocation}, []*btf.Spec{kernel}, s.order, func(btf.Type) (btf.TypeID, error) { return btf.TypeID(r.Type), nil })
		if err == nil {
			err = fixups[0].Apply(&in)
		}
		var raw bytes.Buffer
		if err == nil {
			_, err = in.Marshal(&raw, s.order)
		}
		all[i] = relocated{raw.Bytes(), err}
	}
	return all
}

// compareCilium compares what cilium/ebpf and we make of an object.
func (a *agreement) compareCilium(t *testing.T, s *secondOpinion, o *core.Object, kernel *matrixKernel) {
	t.Helper()
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(kernel.view.Raw()))
	if err != nil {
		t.Errorf("cilium/ebpf can't read kernel %q: %v", kernel.name, err)
		return
	}
	target := core.NewTarget(kernel.view)
	results := target.Relocate(o)
	ours, theirs := ourOpinion(o, results), s.ask(t, o, spec)
	for i := range o.Relocations {
		r := &o.Relocations[i]
		a.ciliumCompared++
		if ours[i].err != nil && theirs[i].err != nil || ours[i].poisoned() && theirs[i].poisoned() || ours[i].err == nil && theirs[i].err == nil && slices.Equal(ours[i].code, theirs[i].code) {
			a.ciliumAgreed++
			continue
		}
		root := o.View.Type(r.Type)
		d := difference{kind: r.Kind, in: o.Functions[r.Function].Code[r.Instruction], result: &results[i], ours: ours[i], theirs: theirs[i], kernel: kernel, otherKind: otherKind(target, root), candidates: len(target.Candidates(root.Name(), root.Kind())), local: memberAt(o.View, r)}
		if known := d.known(); known != "" {
			a.ciliumDifferences[known]++
			continue
		}
		if a.ciliumUnexplained[d.class()]++; a.ciliumUnexplained[d.class()] <= 2 {
			t.Errorf("%s on %q: %s+%d: %s of %s %s: we say %x %v, cilium/ebpf says %x %v", o.Name, kernel.name, o.Functions[r.Function].Name, r.Instruction,
				r.Kind, o.View.Type(r.Type).Name(), r.Access, ours[i].code, ours[i].err, theirs[i].code, theirs[i].err)
		}
	}
}

// A difference is one between cilium/ebpf and us.
type difference struct {
	kind         core.RelocationKind
	in           core.Instruction
	result       *core.Result
	ours, theirs relocated
	kernel       *matrixKernel
	otherKind    bool // the kernel has the type's name for another kind of type
	candidates   int  // types of the kernel with the type's name and kind
	local        localMember
}

// A localMember is what an access in an object leads to.
type localMember struct{ array, element, bitfield bool }

func memberAt(v *btfdump.View, r *core.Relocation) (m localMember) {
	if !r.Kind.IsField() {
		return m
	}
	t := v.Type(v.Resolve(r.Type))
	for _, step := range strings.Split(r.Access, ":")[1:] {
		i, err := strconv.Atoi(step)
		if err != nil {
			return m
		}
		m = localMember{}
		id := t.Ref() // of an array
		m.element = !t.Kind().IsRecord()
		if t.Kind().IsRecord() {
			m.bitfield = t.Member(i).BitSize > 0
			id = t.Member(i).Type
		}
		t = v.Type(v.Resolve(id))
		m.array = t.Kind() == btfdump.KindArray
	}
	return m
}

func (d *difference) class() string {
	side := func(r *relocated) string {
		switch {
		case r.err != nil:
			return "refuse"
		case r.poisoned():
			return "poison"
		}
		return "value"
	}
	return fmt.Sprintf("%s, class %d: %s, %s", d.kind, d.in.Class(), side(&d.ours), side(&d.theirs))
}

// ciliumDifferences are where cilium/ebpf 0.22 is known not to do as libbpf
// does, which TestRelocateLikeLibbpf has seen us do. Each says what both make of
// the relocation. The first one that fits counts.
var ciliumDifferences = []struct {
	name string
	fits func(d *difference) bool
}{
	{"it finds types of another kind by the same name", func(d *difference) bool { return d.otherKind }},
	{"it relocates each access by itself where several types have the name, and compares values, not places", func(d *difference) bool {
		// In libbpf the first access decides between the types, for those after it too.
		return d.candidates > 1
	}},
	{"it gives up after 32 qualifiers", func(d *difference) bool {
		return d.kernel.name == "chains of qualifiers and tags" && d.result.Found() && (!d.theirs.value() || d.kind.AsksExistence())
	}},
	{"it looks into records without a name last", func(d *difference) bool {
		return d.kernel.name == "members of one name" && d.kind == core.FieldByteOffset && d.ours.value() && d.theirs.value()
	}},
	{"it takes all pointers to have 8 bytes", func(d *difference) bool {
		if d.kernel.view.PointerSize() != 4 || !d.ours.value() || !d.theirs.value() {
			return false
		}
		size := d.kind == core.FieldByteSize || d.kind == core.TypeSize
		return size && d.result.Value == 4 || d.kind == core.FieldByteOffset && d.local.element
	}},
	{"it takes parts of ints, of before Linux 5.1, for ints", func(d *difference) bool {
		return d.kernel.name == "bitfields of before Linux 5.1" && !d.result.Found() && d.theirs.value()
	}},
	{"it takes a name's end for a flavor", func(d *difference) bool {
		return d.kernel.name == "names that only look like flavors" && !d.result.Found() && d.theirs.value()
	}},
	{"it doesn't compare the elements of an array as a whole", func(d *difference) bool {
		return d.local.array && !d.result.Found() && d.theirs.value()
	}},
	{"it never changes how many bytes a load or store moves", func(d *difference) bool {
		if c := d.in.Class(); c < 1 || c > 3 || !d.theirs.value() || d.theirs.code[0] != d.in.Opcode {
			return false
		}
		return d.ours.poisoned() || d.ours.refused("the instruction moves") || d.ours.value() && d.ours.code[0] != d.in.Opcode && bytes.Equal(d.ours.code[1:], d.theirs.code[1:])
	}},
	{"it takes elements of arrays for members", func(d *difference) bool {
		return d.ours.refused("can't be about an element of an array") && d.theirs.err == nil
	}},
	{"it poisons the size and ID of a type that is missing, which are 0", func(d *difference) bool {
		return (d.kind == core.TypeSize || d.kind == core.TypeIDTarget) && !d.result.Found() && d.result.Value == 0 && d.ours.value() && d.theirs.poisoned()
	}},
	{"it follows more than 32 pointers", func(d *difference) bool { return d.ours.refused("nested too deeply") && d.theirs.err == nil }},
	{"it poisons the size of what has none", func(d *difference) bool {
		return d.kind == core.TypeSize && d.ours.refused("has no size") && d.theirs.poisoned()
	}},
	{"it tells members apart by name when types are to match", func(d *difference) bool {
		return d.kind == core.TypeMatches && d.ours.value() && (d.theirs.value() || d.theirs.err != nil)
	}},
	{"it reads enumerators of unsigned enums as unsigned", func(d *difference) bool {
		return d.kind == core.EnumvalValue && d.ours.value() && d.theirs.value() && int64(d.result.Value) < 0 && d.result.Value+1<<32 == d.unpack(d.theirs.code)
	}},
	{"it refuses shifts of less than 0 bits", func(d *difference) bool {
		return d.kind.IsField() && int64(d.result.Value) < 0 && d.ours.value() && d.theirs.refused("exceeds MaxInt32")
	}},
	{"it reads bitfields with their type's size and alignment, or not at all", func(d *difference) bool {
		return d.kind.IsField() && ((d.bitfield() || d.local.bitfield) && d.ours.value() || d.ours.refused("can't be read with one load"))
	}},
	{"it wants types that have a signedness", func(d *difference) bool {
		return d.kind == core.FieldSigned && d.ours.value() && (d.theirs.refused("no signedness") || d.theirs.refused("target isn't"))
	}},
	{"it refuses what is poisoned", func(d *difference) bool {
		return (d.ours.poisoned() || d.kind == core.FieldExists && d.result.Value == 0) &&
			(d.theirs.refused("can't calculate alignment") || d.theirs.refused("invalid flexible array") || d.theirs.refused("anonymous non-composite type") || d.theirs.refused("can't descend into bitfield"))
	}},
}

// known names the difference if it is one that is known.
func (d *difference) known() string {
	for _, known := range ciliumDifferences {
		if known.fits(d) {
			return known.name
		}
	}
	return ""
}

// value reports whether the instruction got a value.
func (r *relocated) value() bool { return r.err == nil && !r.poisoned() }

// refused reports whether there is an error that says so.
func (r *relocated) refused(text string) bool {
	return r.err != nil && strings.Contains(r.err.Error(), text)
}

// bitfield reports whether the kernel's member is a bitfield.
func (d *difference) bitfield() bool {
	if len(d.result.Matches) == 0 {
		return false
	}
	path := d.result.Matches[0].Path
	last := path[len(path)-1]
	t := d.kernel.view.Type(last.Type)
	return t.Kind().IsRecord() && int(last.Index) < t.NumMembers() && t.Member(int(last.Index)).BitSize > 0
}

// unpack returns the 64-bit constant that two slots load.
func (d *difference) unpack(code []byte) uint64 {
	if len(code) != 16 {
		return 0
	}
	order := d.kernel.view.ByteOrder()
	return uint64(order.Uint32(code[4:])) | uint64(order.Uint32(code[12:]))<<32
}

// otherKind reports whether a kernel has a type of the name that is of another
// kind.
func otherKind(target *core.Target, root btfdump.Type) bool {
	for _, k := range []btfdump.Kind{btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindFwd, btfdump.KindTypedef, btfdump.KindInt} {
		same := k == root.Kind() || k.IsEnum() && root.Kind().IsEnum()
		if !same && len(target.Candidates(root.Name(), k)) > 0 {
			return true
		}
	}
	return false
}

// TestMatrixLikeCilium has cilium/ebpf, as a second opinion, relocate the matrix,
// in both byte orders: libbpf knows that of the machine alone.
func TestMatrixLikeCilium(t *testing.T) {
	a := newAgreement(nil)
	for _, target := range []struct {
		name  string
		order binary.AppendByteOrder
		bytes binary.ByteOrder
	}{{"bpfel", binary.LittleEndian, binary.LittleEndian}, {"bpfeb", binary.BigEndian, binary.BigEndian}} {
		records := slices.Concat(editedKernels(t, target.name), builtKernels(t, target.order))
		for _, o := range newestObject(t, target.name, "programs.c") {
			s := newSecondOpinion(t, &o)
			for i := range records {
				a.compareCilium(t, s, o.Object, &records[i])
			}
		}
		kernels := corpusKernels(t, target.bytes)
		for _, o := range newestObject(t, target.name, "kernel.c") {
			s := newSecondOpinion(t, &o)
			for i := range kernels {
				a.compareCilium(t, s, o.Object, &kernels[i])
			}
		}
	}
	for _, known := range ciliumDifferences {
		if a.ciliumDifferences[known.name] == 0 {
			t.Errorf("%s: not so any more, strike it from the list", known.name)
		}
	}
	t.Logf("cilium/ebpf agrees on %d of %d relocations; known differences: %v; others: %v", a.ciliumAgreed, a.ciliumCompared, a.ciliumDifferences, a.ciliumUnexplained)
}
