package source

import (
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// A rank says how much speaks for that BTF is a kernel's, where several were
// found and nothing else tells which one is meant.
type rank int

const (
	rankSplit   rank = iota // a module's: it is no use alone
	rankProgram             // a BPF object's
	rankWhole               // it stands by itself
	rankKernel              // it has the type that every kernel has
)

// rank returns the rank of what was found.
func (f *Found) rank() rank {
	switch {
	case f.Module != "" || isSplit(f.Raw):
		return rankSplit
	case f.ELF != nil && (f.Arch == "bpf" || slices.ContainsFunc(f.ELF.Sections, func(s ELFSection) bool { return s.Name == ".BTF.ext" })):
		return rankProgram
	}
	view, err := btfdump.New(f.Raw)
	if err != nil {
		return rankWhole // opening it says what is wrong
	}
	return rankOf(view)
}

// programSections are those variables' sections, as BTF_KIND_DATASEC names them,
// that only BPF objects have (libbpf's tools/lib/bpf/libbpf.c).
var programSections = map[string]bool{".maps": true, "maps": true, "license": true, ".ksyms": true, ".kconfig": true, ".struct_ops": true, ".struct_ops.link": true}

// isProgram says whether BTF is a BPF object's for sure.
func isProgram(view *btfdump.View) bool {
	return slices.ContainsFunc(view.StartingWith(programSections, btfdump.KindDatasec), func(id btfdump.TypeID) bool {
		return programSections[view.Type(id).Name()]
	})
}

// rankOf returns the rank of BTF that is not split.
func rankOf(view *btfdump.View) rank {
	if isProgram(view) {
		return rankProgram
	}
	// struct task_struct is in every kernel: a process is one. Programs may have
	// it too, and kernels of a few types may not.
	for _, id := range view.StartingWith(map[string]bool{"task_struct": true}, btfdump.KindStruct) {
		if t := view.Type(id); t.Name() == "task_struct" && t.NumMembers() > 0 {
			return rankKernel
		}
	}
	return rankWhole
}

// best returns those of what was found that have the highest rank, and the rank.
func best(found []Found) ([]Found, rank) {
	var highest []Found
	top := rankSplit
	for i := range found {
		switch r := found[i].rank(); {
		case r > top || len(highest) == 0:
			highest, top = []Found{found[i]}, r
		case r == top:
			highest = append(highest, found[i])
		}
	}
	return highest, top
}

// likely returns those of what was found, in archives and trees, that may be
// kernels: modules and BPF objects are none where there is anything else.
func likely(found []*Found) []*Found {
	if len(found) < 2 {
		return found
	}
	ranks := make(map[*Found]rank)
	top := rankSplit
	for _, f := range found {
		ranks[f] = min(f.rank(), rankWhole)
		top = max(top, ranks[f])
	}
	return slices.DeleteFunc(found, func(f *Found) bool { return ranks[f] < top })
}
