package core

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// Minimize returns the smallest BTF on which the relocations of some objects
// come to the same as on the kernel, and what they come to there: a slice of
// results for each object. Types of modules stand beside the kernel's, so that a
// loader finds all of them in one blob.
//
// The BTF has only what the relocations look at. It has its own type IDs, so
// relocations of kind [TypeIDTarget] get other values with it; whether they
// find a type is the same.
//
// That all others come to the same has been checked when Minimize returns. The
// error is that of an object with another byte order than the kernel, or of
// types that can't be pruned.
func (t *Target) Minimize(objects []*Object) (raw []byte, results [][]Result, err error) {
	raw, results, rivals, err := t.minimize(objects)
	for err == nil && rivals {
		// What is needed of a type decides what relocations fit it, and so which
		// of its rivals are needed.
		var view *btfdump.View
		if view, err = btfdump.New(raw); err != nil {
			break
		}
		var less []byte
		if less, _, rivals, err = NewTarget(view).minimize(objects); len(less) >= len(raw) {
			break
		}
		raw = less
	}
	return raw, results, err
}

// minimize is Minimize once. rivals reports whether several types that fit one
// relocation are needed.
func (t *Target) minimize(objects []*Object) (raw []byte, results [][]Result, rivals bool, err error) {
	m := minimizer{target: t, objects: objects, whole: make(map[relocationKey]bool)}
	for i, o := range objects {
		if o.ByteOrder != t.View.ByteOrder() {
			return nil, nil, false, fmt.Errorf("%s: %w", o.Name, errByteOrder)
		}
		m.results = append(m.results, t.Relocate(o))
		for j := range m.results[i] {
			if m.results[i][j].Err != nil {
				m.whole[relocationKey{i, j}] = true
			}
		}
	}
	if raw, err = m.prune(); err != nil {
		return nil, nil, false, err
	}
	different, err := m.compare(raw)
	if err == nil && len(different) > 0 {
		// What a relocation did not find has left no trace so far, and must not be
		// found now: a pointer to void in the place of one to something, or a
		// record that lost members. Where that happens, candidates are kept whole.
		for _, key := range different {
			m.whole[key] = true
		}
		if raw, err = m.prune(); err == nil {
			different, err = m.compare(raw)
		}
	}
	if err != nil {
		return nil, nil, false, err
	}
	if len(different) > 0 {
		key := different[0]
		o := objects[key.object]
		r := &o.Relocations[key.relocation]
		return nil, nil, false, fmt.Errorf("%s: a %s relocation of type %d, access %+q, comes to something else without the rest of the kernel's types: %w", o.Name, r.Kind, r.Type, r.Access, errDiffers)
	}
	return raw, m.results, m.rivals, nil
}

var errDiffers = errors.New("please report this as a bug")

// relocationKey is a relocation by the indexes of its object and of itself.
type relocationKey struct{ object, relocation int }

// minimizer finds out which parts of a kernel's types some objects look at.
type minimizer struct {
	target  *Target
	objects []*Object
	results [][]Result
	whole   map[relocationKey]bool // those whose candidates are kept as they are
	rivals  bool                   // several candidates of one relocation are needed
}

// A candidate is a type of the kernel at which accesses start, and what they
// look at.
type candidate struct {
	id   btfdump.TypeID
	uses []use // in ascending order
}

// A use of a candidate is a relocation that it fits.
type use struct {
	relocationKey
	match int // index in Result.Matches
}

// prune selects what the relocations look at.
func (m *minimizer) prune() ([]byte, error) {
	p := btfdump.NewPruning(m.target.View)
	for _, c := range m.needed() {
		m.keep(p, c)
	}
	for key := range m.whole {
		r := &m.objects[key.object].Relocations[key.relocation]
		root := m.objects[key.object].View.Type(r.Type)
		for _, id := range m.target.Candidates(root.Name(), root.Kind()) {
			p.Root(id)
			p.Distinct(id)
			keepWhole(p, m.target.View, id)
		}
	}
	return p.Bytes()
}

// maxRivals is how many types of one name are compared with each other. Kernels
// have up to ten.
const maxRivals = 64

// needed returns the candidates that relocations fit, without those for which
// others do as well: where several fit one relocation, they all give the same
// answer.
func (m *minimizer) needed() []*candidate {
	byID := make(map[btfdump.TypeID]*candidate)
	var all []*candidate
	rivals := make(map[*candidate][]btfdump.TypeID)
	for i, results := range m.results {
		for j := range results {
			for k := range results[j].Matches {
				id := results[j].Matches[k].Root
				c := byID[id]
				if c == nil {
					c = &candidate{id: id}
					byID[id] = c
					all = append(all, c)
				}
				c.uses = append(c.uses, use{relocationKey{i, j}, k})
				if matches := results[j].Matches; len(matches) <= maxRivals {
					for other := range matches {
						if other != k {
							rivals[c] = append(rivals[c], matches[other].Root)
						}
					}
				}
			}
		}
	}
	dropped := make(map[*candidate]bool)
	for _, c := range all {
		slices.Sort(rivals[c])
		for _, id := range slices.Compact(rivals[c]) {
			if other := byID[id]; !dropped[other] && m.replaces(other, c) {
				dropped[c] = true
				break
			}
		}
	}
	all = slices.DeleteFunc(all, func(c *candidate) bool { return dropped[c] })
	m.rivals = slices.ContainsFunc(all, func(c *candidate) bool {
		return slices.ContainsFunc(rivals[c], func(id btfdump.TypeID) bool { return !dropped[byID[id]] })
	})
	return all
}

// replaces reports whether all relocations that fit a candidate fit another one
// too. If the same fit both, the one that takes less room replaces the other.
func (m *minimizer) replaces(by, c *candidate) bool {
	same := 0
	for _, u := range by.uses {
		if same < len(c.uses) && u.relocationKey == c.uses[same].relocationKey {
			same++
		}
	}
	if all := same == len(c.uses); !all || len(by.uses) > len(c.uses) {
		return all
	}
	alone := func(c *candidate) []byte {
		p := btfdump.NewPruning(m.target.View)
		m.keep(p, c)
		raw, _ := p.Bytes() // an error comes again when all are put together
		return raw
	}
	x, y := alone(by), alone(c)
	return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(x, y), cmp.Compare(by.id, c.id)) < 0
}

// keep selects a candidate and what relocations look at in it.
func (m *minimizer) keep(p *btfdump.Pruning, c *candidate) {
	p.Root(c.id)
	for _, u := range c.uses {
		o := m.objects[u.object]
		r := &o.Relocations[u.relocation]
		path := m.results[u.object][u.relocation].Matches[u.match].Path
		k := keeper{Pruning: p, local: o.View, target: m.target.View, seen: make(map[comparison]bool)}
		switch {
		case r.Kind.IsField():
			k.path(path)
		case r.Kind.IsEnumval():
			p.Element(path[0].Type, int(path[0].Index))
		case r.Kind == TypeMatches:
			k.matches(comparison{r.Type, c.id, false})
		default:
			k.types(comparison{r.Type, c.id, false})
		}
	}
}

// compare relocates the objects with the pruned BTF and returns the relocations
// that come to something else than with the kernel's.
func (m *minimizer) compare(raw []byte) ([]relocationKey, error) {
	view, err := btfdump.New(raw)
	if err != nil {
		return nil, fmt.Errorf("the pruned BTF is not valid: %w: %w", err, errDiffers)
	}
	target := NewTarget(view)
	var different []relocationKey
	for i, o := range m.objects {
		results := target.Relocate(o)
		for j := range results {
			if o.Relocations[j].Kind == TypeIDTarget && m.results[i][j].Found() == results[j].Found() {
				results[j].Value = m.results[i][j].Value
			}
			if !results[j].same(&m.results[i][j]) {
				different = append(different, relocationKey{i, j})
			}
		}
		if len(different) > 0 {
			continue
		}
		for f := range o.Functions {
			want, wantErr := o.Patch(f, m.results[i])
			got, gotErr := o.Patch(f, results)
			if (wantErr == nil) != (gotErr == nil) || !slices.Equal(want, got) {
				return nil, fmt.Errorf("%s: function %+q becomes another with the pruned BTF: %w", o.Name, o.Functions[f].Name, errDiffers)
			}
		}
	}
	return different, nil
}

// same reports whether an instruction becomes the same with either result.
func (r *Result) same(other *Result) bool {
	return (r.Err == nil) == (other.Err == nil) && r.Found() == other.Found() && r.Poison == other.Poison && r.Value == other.Value &&
		r.original == other.original && r.validate == other.validate && r.sizes == other.sizes && r.sizeWrong == other.sizeWrong
}
