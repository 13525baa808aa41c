package verify

import (
	"cmp"
	"slices"
)

// Aspect is what about a type, member or enumerator was compared.
type Aspect string

// The aspects.
const (
	AspectSize       Aspect = "size"
	AspectMember     Aspect = "presence" // of a member or enumerator
	AspectOffset     Aspect = "offset"
	AspectWidth      Aspect = "bitfield"
	AspectType       Aspect = "type" // of a member, of a typedef's target, of a prototype
	AspectSign       Aspect = "sign"
	AspectValue      Aspect = "value"
	AspectRelocation Aspect = "relocation"
)

// Mismatch is one thing that the BTF and the compiler do not agree on. Its
// texts are for people; they hold nothing of the input but identifiers and
// quoted names.
type Mismatch struct {
	Type     string `json:"type"`             // "struct task_struct"
	Member   string `json:"member,omitempty"` // or enumerator
	Aspect   Aspect `json:"aspect"`
	BTF      string `json:"btf"`
	Compiler string `json:"compiler"`
	// Cause is another type that has a mismatch of its own and is part of this
	// one, which explains it.
	Cause string `json:"cause,omitempty"`
}

// Counts are what was compared and found in the header.
type Counts struct {
	Records     int `json:"records"`
	Members     int `json:"members"`
	Enums       int `json:"enums"`
	Enumerators int `json:"enumerators"`
	Typedefs    int `json:"typedefs"`
	Functions   int `json:"functions"`
	// Assertions and ReadBack are in how many constant expressions that was,
	// and how many types' BTF; Relocations is the number of accesses tried.
	Assertions  int `json:"assertions"`
	ReadBack    int `json:"readBack"`
	Relocations int `json:"relocations"`
}

// Report is what one compiler says of a header.
type Report struct {
	Compiler string `json:"compiler"` // as it was named
	Version  string `json:"version"`
	Target   string `json:"target"`
	Std      string `json:"std"`
	Fast     bool   `json:"fast"`

	// Errors are the compiler's, if the header does not compile. Nothing has
	// been compared then.
	Errors     []string   `json:"errors,omitempty"`
	Counts     Counts     `json:"counts"`
	Mismatches []Mismatch `json:"mismatches"`
	// Absent are the types that the BTF has and the header has not.
	Absent []string `json:"absent"`
	// PointerClass is the number of a 32-bit kernel's records that are longer
	// for BPF because pointers are. They have been compared for a 32-bit target.
	PointerClass int `json:"pointerClass"`
}

// Holds reports whether the header compiles and nothing in it is wrong. Types
// may be absent.
func (r *Report) Holds() bool { return len(r.Errors) == 0 && len(r.Mismatches) == 0 }

func (r *Report) add(list ...Mismatch) { r.Mismatches = append(r.Mismatches, list...) }

// finish sorts what was found and drops what was found twice: an offset that
// is wrong is so for assertions and when it is read back.
func (r *Report) finish() {
	slices.SortStableFunc(r.Mismatches, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Member, b.Member), cmp.Compare(a.Aspect, b.Aspect))
	})
	r.Mismatches = slices.CompactFunc(r.Mismatches, func(a, b Mismatch) bool {
		return a.Type == b.Type && a.Member == b.Member && a.Aspect == b.Aspect
	})
	slices.Sort(r.Absent)
	r.Absent = slices.Compact(r.Absent)
	// Scripts want lists, not null.
	if r.Mismatches == nil {
		r.Mismatches = []Mismatch{}
	}
	if r.Absent == nil {
		r.Absent = []string{}
	}
}

// Own are the mismatches that no other type's explain.
func (r *Report) Own() []Mismatch {
	return slices.DeleteFunc(slices.Clone(r.Mismatches), func(m Mismatch) bool { return m.Cause != "" })
}
