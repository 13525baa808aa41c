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

// StartingWith returns the IDs of all types whose names start with one of some
// names, which are not empty, in ascending order: those of the given kinds, or of
// any kind if none is given. It needs no index: for names that are looked for once
// it takes a fraction of the time that making one does.
func (v *View) StartingWith(names map[string]bool, ks ...Kind) []TypeID {
	var wanted [128]bool // by kind, those that this package does not know too
	for k := range wanted {
		wanted[k] = wants(ks, Kind(k))
	}
	var starts startSet
	lists := make(map[string][]string) // by the first byte
	for name := range names {
		starts.add(name)
		lists[name[:1]] = append(lists[name[:1]], name)
	}
	matches := func(name string) bool {
		return slices.ContainsFunc(lists[name[:1]], func(start string) bool { return strings.HasPrefix(name, start) })
	}
	var ids []TypeID
	for _, l := range v.levels {
		half := len(l.offsets) / 2
		second := make(chan []TypeID)
		go func() { second <- l.starting(half, len(l.offsets), &wanted, &starts, matches) }()
		ids = append(append(ids, l.starting(0, half, &wanted, &starts, matches)...), <-second...)
	}
	return ids
}

// starting is StartingWith for the own types of a level with the indexes from
// and up to, but not including, to.
func (l *level) starting(from, to int, wanted *[128]bool, starts *startSet, matches func(string) bool) (ids []TypeID) {
	for i := from; i < to; i++ {
		if !wanted[l.kinds[i]&0x7f] {
			continue // without a look at the type itself, which takes longest
		}
		at := l.word(l.offsets[i])
		if at == 0 {
			continue
		}
		s := ""
		if at >= l.strStart {
			s = l.strings[at-l.strStart:]
		} else {
			s = l.name(at)
		}
		// Of those that have one, two bytes of it tell most from those that are
		// looked for.
		if len(s) > 0 && s[0] != 0 && starts.has(s) && matches(l.name(at)) {
			ids = append(ids, l.first+TypeID(i))
		}
	}
	return ids
}

// A startSet has a bit for the first two bytes of each of some strings.
type startSet [256][4]uint64

func (x *startSet) add(s string) {
	if len(s) > 1 {
		x[s[0]][s[1]/64] |= 1 << (s[1] % 64)
		return
	}
	x[s[0]] = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
}

// has may be asked for a string with others behind its NUL.
func (x *startSet) has(s string) bool {
	second := byte(0)
	if len(s) > 1 {
		second = s[1]
	}
	return x[s[0]][second/64]>>(second%64)&1 != 0
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
