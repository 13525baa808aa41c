package verify

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
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
	AspectMacro      Aspect = "macro"  // that has programs say something else
	AspectSymbol     Aspect = "symbol" // by which programs call a function
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

// Counts are of comparisons that took place: of types that the header has, and
// that the compiler was asked about and answered.
type Counts struct {
	Records     int `json:"records"`
	Members     int `json:"members"`
	Enums       int `json:"enums"`
	Enumerators int `json:"enumerators"`
	Typedefs    int `json:"typedefs"`
	Functions   int `json:"functions"`
	// AnonymousEnums are not among Enums, and their values not among Enumerators.
	AnonymousEnums int `json:"anonymousEnums"`
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
	Errors []string `json:"errors,omitempty"`
	// Includes are the files that the header includes, relative to its directory if
	// they lie below it; Elsewhere says that all that was compared is in those.
	Includes   []string   `json:"includes,omitempty"`
	Elsewhere  bool       `json:"elsewhere,omitempty"`
	Counts     Counts     `json:"counts"`
	Mismatches []Mismatch `json:"mismatches"`
	// Absent are the types that the BTF has and the header has not.
	Absent []string `json:"absent"`
	// Missing are those of the absent ones that the header was required to have,
	// and Required is how many names that were.
	Missing  []string `json:"missing"`
	Required int      `json:"required"`
	// PointerClass is the number of a 32-bit kernel's records that are longer
	// for BPF because pointers are. They have been compared for a 32-bit target.
	PointerClass int `json:"pointerClass"`
}

// Holds reports whether the header compiles, has what it is required to have,
// and nothing in it is wrong, of which enough was compared to say so. Types that
// are not required may be absent.
func (r *Report) Holds() bool {
	return len(r.Errors) == 0 && len(r.Mismatches) == 0 && len(r.Missing) == 0 && !r.Empty()
}

// Empty reports whether too little was compared to say anything about the
// header: nothing, or only typedefs, such as those of C's own headers, which are
// in files that have nothing to do with a kernel. If they are all that the BTF
// has, or all that is required, that is enough.
func (r *Report) Empty() bool {
	n := r.Counts
	if n.Records+n.Enums+n.AnonymousEnums+n.Functions > 0 {
		return false
	}
	return n.Typedefs == 0 || len(r.Absent) > 0 && (r.Required == 0 || len(r.Missing) > 0)
}

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
	for _, list := range []*[]string{&r.Absent, &r.Missing} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	// Scripts want lists, not null.
	if r.Mismatches == nil {
		r.Mismatches = []Mismatch{}
	}
	if r.Absent == nil {
		r.Absent = []string{}
	}
	if r.Missing == nil {
		r.Missing = []string{}
	}
}

// Own are the mismatches that no other type's explain.
func (r *Report) Own() []Mismatch {
	return slices.DeleteFunc(slices.Clone(r.Mismatches), func(m Mismatch) bool { return m.Cause != "" })
}

// absent notes that the header does not have an entry, or not all of its types.
func (c *check) absent(title string, ids ...btfdump.TypeID) {
	c.report.Absent = append(c.report.Absent, title)
	if c.isRequired(ids...) {
		c.report.Missing = append(c.report.Missing, title)
	}
}

func (c *check) isRequired(ids ...btfdump.TypeID) bool {
	return c.required != nil && slices.ContainsFunc(ids, c.required.Has)
}

// count fills in how much was compared.
func (c *check) count() {
	n := &c.report.Counts
	n.Assertions = len(c.evaluated) + c.bitfields
	compared, readBack := make(map[*entry]bool), make(map[*entry]bool)
	unnamed := make(map[string]bool)
	for i := range c.evaluated {
		if f := &c.evaluated[i]; f.entry != nil {
			compared[f.entry] = true
		} else if f.aspect == AspectValue {
			unnamed[f.title] = true
		}
	}
	n.AnonymousEnums = len(unnamed)
	for _, p := range c.probes {
		if p.view != nil {
			compared[p.entry], readBack[p.entry] = true, true
			n.ReadBack++
			n.Relocations += min(len(p.access), 1)
		}
	}
	for _, e := range c.names.entries {
		if c.isRequired(e.ids...) {
			c.report.Required++
		}
		if len(e.heads) == 0 || !compared[e] {
			continue
		}
		t := c.view.Type(e.ids[0])
		switch e.class {
		case classStruct, classUnion:
			n.Records++
			narrow := c.narrow[t.ID()]
			for _, m := range flatten(c.view, t.ID(), c.members) {
				if m.BitSize == 0 || narrow || readBack[e] {
					n.Members++
				}
			}
			if narrow {
				c.report.PointerClass++
			}
		case classEnum:
			n.Enums++
			n.Enumerators += t.NumEnumerators()
		case classTypedef:
			n.Typedefs++
		case classFunction:
			n.Functions++
		}
	}
}

// includes fills in what the header includes.
func (c *check) includes() {
	if c.unit == nil {
		return
	}
	for _, file := range c.unit.includes {
		if file = c.below(file); !slices.Contains(c.report.Includes, file) {
			c.report.Includes = append(c.report.Includes, file)
		}
	}
}

// below is a file's path from the header's directory, if it lies below that.
func (c *check) below(file string) string {
	if path, err := filepath.Rel(filepath.Dir(c.header), file); err == nil && filepath.IsLocal(path) {
		return path
	}
	return file
}

// isElsewhere reports whether all that was compared is in files that the header
// includes.
func (c *check) isElsewhere() bool {
	if len(c.unit.includes) == 0 {
		return false
	}
	own := newHeads(scan(c.unit.ownText()))
	found := false
	for _, e := range c.names.entries {
		if len(e.heads) > 0 && len(own.of(e)) > 0 {
			return false
		}
		found = found || len(e.heads) > 0
	}
	return found
}
