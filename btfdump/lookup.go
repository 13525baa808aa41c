package btfdump

import (
	"fmt"
	"hash/maphash"
	"path"
	"slices"
	"strings"
)

// nameIndex finds types by name: a hash table of the first type of each name,
// and for each type the next one whose name has the same slot.
type nameIndex struct {
	seed  maphash.Seed
	heads []TypeID
	next  []TypeID
}

// buildIndex puts all named types into the index. It runs once per view, when
// a lookup asks for it.
func (v *View) buildIndex() nameIndex {
	n := 1
	for n < v.NumTypes() {
		n *= 2
	}
	x := nameIndex{seed: maphash.MakeSeed(), heads: make([]TypeID, n), next: make([]TypeID, v.NumTypes())}
	for id := v.NumTypes() - 1; id > 0; id-- { // backwards: chains are then in order of IDs
		name := v.Type(TypeID(id)).Name()
		if name == "" {
			continue
		}
		slot := x.slot(name)
		x.next[id] = x.heads[slot]
		x.heads[slot] = TypeID(id)
	}
	return x
}

func (x *nameIndex) slot(name string) int {
	return int(maphash.String(x.seed, name) & uint64(len(x.heads)-1))
}

// Lookup returns the IDs of all types with the name, in ascending order: those
// of the given kinds, or of any kind if none is given. The first call builds
// an index of 8 bytes a type.
func (v *View) Lookup(name string, kinds ...Kind) []TypeID {
	if name == "" {
		return nil
	}
	x := v.index()
	var ids []TypeID
	for id := x.heads[x.slot(name)]; id != 0; id = x.next[id] {
		t := v.Type(id)
		if t.Name() == name && wants(kinds, t.Kind()) {
			ids = append(ids, id)
		}
	}
	return ids
}

func wants(kinds []Kind, k Kind) bool {
	for _, want := range kinds {
		if k == want {
			return true
		}
	}
	return len(kinds) == 0
}

// declared are the kinds that a header declares by name.
var declared = []Kind{KindStruct, KindUnion, KindEnum, KindEnum64, KindFwd, KindTypedef}

// Match returns the types that a pattern selects, in ascending order of IDs.
// The pattern is a glob as [path.Match] defines it, over the names of records,
// enums, typedefs and kfuncs; a leading "struct ", "union ", "enum ",
// "typedef " or "func " restricts it to that kind. The error is that of a
// malformed glob.
func (v *View) Match(pattern string) ([]TypeID, error) {
	glob, want := pattern, declared
	excluded := func(Type) bool { return false } // forward declarations of the other kind of record
	if kind, rest, ok := strings.Cut(pattern, " "); ok {
		glob = strings.TrimSpace(rest)
		switch kind {
		case "struct":
			want = []Kind{KindStruct, KindFwd}
			excluded = func(t Type) bool { return t.Kind() == KindFwd && t.KindFlag() }
		case "union":
			want = []Kind{KindUnion, KindFwd}
			excluded = func(t Type) bool { return t.Kind() == KindFwd && !t.KindFlag() }
		case "enum":
			want = []Kind{KindEnum, KindEnum64}
		case "typedef":
			want = []Kind{KindTypedef}
		case "func":
			want = nil
		default:
			return nil, fmt.Errorf("type pattern %q: want NAME, or struct, union, enum, typedef or func and NAME", pattern)
		}
	}
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fmt.Errorf("type pattern %q: %w", pattern, err)
	}
	var ids []TypeID
	if len(want) > 0 {
		if !strings.ContainsAny(glob, `*?[\`) {
			ids = v.Lookup(glob, want...)
		} else {
			for t := range v.All() {
				if !wants(want, t.Kind()) {
					continue
				}
				if name := t.Name(); name != "" {
					if ok, _ := path.Match(glob, name); ok {
						ids = append(ids, t.ID())
					}
				}
			}
		}
	}
	if len(want) == 0 || len(want) == len(declared) {
		for _, f := range v.Kfuncs() {
			if ok, _ := path.Match(glob, v.Type(f.Func).Name()); ok {
				ids = append(ids, f.Func)
			}
		}
	}
	return slices.DeleteFunc(ids, func(id TypeID) bool { return excluded(v.Type(id)) }), nil
}

// Kfunc is a kernel function that BPF programs may call.
type Kfunc struct {
	Func     TypeID
	Fastcall bool // it keeps all registers but R0: bpf_fastcall
}

// Kfuncs returns the functions that decl tags mark as bpf_kfunc, as pahole
// 1.26 and later write them from the kernel's .BTF_ids, in ascending order of
// the tags' IDs, each once.
func (v *View) Kfuncs() []Kfunc {
	var list []Kfunc
	at := make(map[TypeID]int)
	fastcall := make(map[TypeID]bool)
	for t := range v.AllOf(KindDeclTag) {
		if t.ComponentIndex() != -1 || v.Type(t.Ref()).Kind() != KindFunc {
			continue
		}
		switch t.Name() {
		case "bpf_kfunc":
			if _, ok := at[t.Ref()]; !ok {
				at[t.Ref()] = len(list)
				list = append(list, Kfunc{Func: t.Ref()})
			}
		case "bpf_fastcall":
			fastcall[t.Ref()] = true
		}
	}
	for i := range list {
		list[i].Fastcall = fastcall[list[i].Func]
	}
	return list
}
