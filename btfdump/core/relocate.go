package core

import (
	"errors"
	"fmt"

	"github.com/btfgen/btfgen/btfdump"
)

// maxSteps is how many steps the relocations of one object may take. Real ones
// take some hundreds each.
const maxSteps = 1 << 26

// Relocate fits an object to the kernel as libbpf does it. The results are those
// of o.Relocations, in that order. Relocations outside of all functions, which
// linkers leave behind for functions that they dropped, have the zero Result.
func (t *Target) Relocate(o *Object) []Result {
	results := make([]Result, len(o.Relocations))
	budget := maxSteps
	r := relocator{
		target:     t,
		object:     o,
		comparer:   comparer{local: o.View, target: t.View, budget: &budget},
		candidates: make(map[btfdump.TypeID][]btfdump.TypeID),
	}
	for i := range o.Relocations {
		if o.Relocations[i].Function >= 0 {
			results[i] = r.relocate(&o.Relocations[i])
		}
	}
	return results
}

// relocator handles the relocations of one object on one kernel.
type relocator struct {
	target *Target
	object *Object
	comparer
	// candidates are those of each type of the object. A relocation that only
	// some of them fit drops the others, for the relocations after it too: so
	// does libbpf.
	candidates map[btfdump.TypeID][]btfdump.TypeID
}

var errByteOrder = errors.New("the object has another byte order than the kernel")

func (r *relocator) relocate(reloc *Relocation) Result {
	if r.object.ByteOrder != r.target.View.ByteOrder() {
		return Result{Err: errByteOrder}
	}
	result, err := r.resolve(reloc)
	if err != nil {
		return Result{Err: err}
	}
	return result
}

func (r *relocator) resolve(reloc *Relocation) (Result, error) {
	root := r.local.Type(reloc.Type)
	local, err := localSpec(r.local, reloc)
	if err != nil {
		return Result{}, err
	}
	if reloc.Kind == TypeIDLocal {
		return Result{Value: uint64(reloc.Type), original: uint64(reloc.Type)}, nil
	}
	if root.Name() == "" {
		return Result{}, errNoName
	}
	candidates, ok := r.candidates[reloc.Type]
	if !ok {
		candidates = r.target.Candidates(root.Name(), root.Kind())
	}
	var result Result
	fit := candidates[:0:0]
	for _, id := range candidates {
		s, err := r.match(local, reloc.Kind, id)
		if err != nil {
			return Result{}, err
		}
		if s == nil {
			continue
		}
		one, err := r.value(reloc, local, s)
		if err != nil {
			return Result{}, err
		}
		place := Match{Root: s.root, Path: s.raw, BitOffset: s.bitOffset}
		switch {
		case len(result.Matches) == 0:
			one.Matches = []Match{place}
			result = one
		case s.bitOffset != result.Matches[0].BitOffset || one.Poison != result.Poison || one.Value != result.Value:
			return Result{}, fmt.Errorf("it is ambiguous: the kernel's types %d and %d, both called %+.80q, give different answers", result.Matches[0].Root, id, r.target.View.Type(id).Name())
		default:
			result.Matches = append(result.Matches, place)
		}
		fit = append(fit, id)
	}
	if len(fit) == 0 {
		fit = candidates
		if result, err = r.value(reloc, local, nil); err != nil {
			return Result{}, err
		}
	}
	r.candidates[reloc.Type] = fit
	return result, nil
}

// value computes what the instruction gets; target is nil if the kernel has
// nothing that fits.
func (r *relocator) value(reloc *Relocation, local, target *spec) (Result, error) {
	switch {
	case reloc.Kind.IsField():
		return r.field(reloc.Kind, local, target)
	case reloc.Kind.IsType():
		return r.typeValue(reloc.Kind, local, target)
	}
	return r.enumval(reloc.Kind, local, target)
}

func (r *relocator) typeValue(kind RelocationKind, local, target *spec) (Result, error) {
	one := func(s *spec) (uint64, error) {
		switch kind {
		case TypeExists, TypeMatches:
			return 1, nil
		case TypeIDTarget:
			return uint64(s.view.KernelID(s.root)), nil
		}
		size, ok := sizeOf(s.view, s.root)
		if !ok {
			return 0, fmt.Errorf("type %d (%s %+.80q) has no size", s.root, s.view.Type(s.root).Kind(), s.view.Type(s.root).Name())
		}
		return size, nil
	}
	// The ID that stands in the instruction may be from before linking.
	result := Result{validate: kind != TypeIDTarget}
	var err error
	if result.original, err = one(local); err != nil || target == nil {
		return result, err
	}
	result.Value, err = one(target)
	return result, err
}

func (r *relocator) enumval(kind RelocationKind, local, target *spec) (Result, error) {
	result := Result{validate: true, original: 1}
	if kind == EnumvalExists {
		if target != nil {
			result.Value = 1
		}
		return result, nil
	}
	one := func(s *spec) uint64 {
		step := s.steps[0]
		t := s.view.Type(step.Type)
		value := t.Enumerator(int(step.Index)).Value
		if t.Kind() == btfdump.KindEnum {
			// libbpf reads the 32 bits as signed, whatever the enum is. Compilers
			// before clang 15 did not say that an enum is signed.
			value = uint64(int64(int32(uint32(value))))
		}
		return value
	}
	result.original = one(local)
	if target == nil {
		result.Poison = true
		return result, nil
	}
	result.Value = one(target)
	return result, nil
}

// fieldValue is what a relocation says about a member in one of the two views.
type fieldValue struct {
	value    uint64
	validate bool           // the object's instruction has that value
	size     uint64         // of what a load or store of the member moves, in bytes; 0: not to be changed
	id       btfdump.TypeID // of the member, or of the element of an array
}

func (r *relocator) field(kind RelocationKind, local, target *spec) (Result, error) {
	if kind == FieldExists {
		result := Result{original: 1, validate: true}
		if target != nil {
			result.Value = 1
		}
		return result, nil
	}
	from, err := fieldOf(kind, local)
	if err != nil {
		return Result{}, err
	}
	result := Result{original: from.value, validate: from.validate}
	if target == nil {
		result.Poison = true
		return result, nil
	}
	to, err := fieldOf(kind, target)
	if err != nil {
		return Result{}, err
	}
	result.Value = to.value
	result.sizes = [2]uint64{from.size, to.size}
	if from.size != to.size {
		result.sizeWrong = !resizable(local.view.Type(from.id), target.view.Type(to.id))
	}
	return result, nil
}

// resizable reports whether a load of one type can be made a load of the other
// by its size alone: a pointer of a 32-bit kernel, and unsigned integers.
func resizable(local, target btfdump.Type) bool {
	if local.Kind() == btfdump.KindPtr && target.Kind() == btfdump.KindPtr {
		return true
	}
	return local.Kind() == btfdump.KindInt && target.Kind() == btfdump.KindInt &&
		local.IntEncoding() != btfdump.IntSigned && target.IntEncoding() != btfdump.IntSigned
}

// fieldOf says what a relocation of a kind says about the member that a path leads
// to.
func fieldOf(kind RelocationKind, s *spec) (fieldValue, error) {
	last := s.last()
	if last.name == "" {
		return elementValue(kind, s, last.Type)
	}
	m := memberOf(s.view, s.view.Type(last.Type), int(last.Index))
	id := s.view.Resolve(m.Type)
	t := s.view.Type(id)
	size, ok := sizeOf(s.view, id)
	if !ok {
		return fieldValue{}, fmt.Errorf("member %+.80q of %+.80q has no size", m.Name, s.view.Type(last.Type).Name())
	}
	f := fieldValue{validate: m.BitSize == 0}
	start, bits := s.bitOffset/8, size*8
	if m.BitSize > 0 {
		bits = uint64(m.BitSize)
		if size, ok = bitfieldUnit(s.bitOffset, bits, uint64(t.Size())); !ok {
			return f, fmt.Errorf("bitfield %+.80q of %+.80q can't be read with one load of 8 bytes", m.Name, s.view.Type(last.Type).Name())
		}
		start = s.bitOffset / 8 / size * size
	}
	switch kind {
	case FieldByteOffset:
		f.value = start
		if m.BitSize == 0 {
			f.size, f.id = elementSize(s.view, id), id
		}
	case FieldByteSize:
		f.value = size
	case FieldSigned:
		f.validate = true
		if t.Signed() {
			f.value = 1
		}
	case FieldLShiftU64:
		if s.view.ByteOrder() == littleEndian {
			f.value = 64 - (s.bitOffset + bits - start*8)
		} else {
			f.value = (8-size)*8 + (s.bitOffset - start*8)
		}
	case FieldRShiftU64:
		f.validate = true
		f.value = 64 - bits
	default:
		return f, errNotKnown
	}
	return f, nil
}

// elementValue is fieldOf for an element of an array.
func elementValue(kind RelocationKind, s *spec, id btfdump.TypeID) (fieldValue, error) {
	size, ok := sizeOf(s.view, id)
	if !ok {
		return fieldValue{}, fmt.Errorf("type %d has no size", id)
	}
	switch kind {
	case FieldByteOffset:
		return fieldValue{value: s.bitOffset / 8, validate: true, size: elementSize(s.view, id), id: id}, nil
	case FieldByteSize:
		return fieldValue{value: size, validate: true}, nil
	}
	return fieldValue{}, fmt.Errorf("a %s relocation can't be about an element of an array", kind)
}

// bitfieldUnit returns the size in bytes of the smallest aligned load that has
// all of a bitfield. ok is false if there is none.
func bitfieldUnit(bitOffset, bits, typeSize uint64) (size uint64, ok bool) {
	for size = typeSize; size > 0; size *= 2 {
		start := bitOffset / 8 / size * size
		if bitOffset+bits <= (start+size)*8 {
			return size, true
		}
		if size >= 8 {
			break
		}
	}
	return 0, false
}

// elementSize returns the size of an array's innermost element: loads and stores
// move one. Other types have their own size. (libbpf before 1.6 took the size of
// the array, in which no load fits.)
func elementSize(v *btfdump.View, id btfdump.TypeID) uint64 {
	for v.Type(id).Kind() == btfdump.KindArray {
		id = v.Resolve(v.Type(id).Ref())
	}
	size, _ := sizeOf(v, id)
	return size
}
