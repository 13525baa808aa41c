package core

import "github.com/btfgen/btfgen/btfdump"

// mayLack reports whether the verifier takes it for possible that a map has no
// element under a key. Of arrays, it knows by the key since Linux 6.14.
func (r *run) mayLack(f *flow, of value) bool {
	if !r.kernel.abilities().knowsKeys {
		return true
	}
	if of.kind != address || of.id < 0 || int(of.id) >= len(f.addresses) {
		return false
	}
	d := f.addresses[of.id]
	if d.extern || r.Sections[d.index].Name != ".maps" {
		return false
	}
	name := d.symbol
	if name == "" {
		name, _ = r.variableAt(".maps", d.offset+uint64(of.n))
	}
	kind, ok := r.mapType(name)
	return ok && kind != mapTypeArray && kind != mapTypePerCPUArray
}

// The types of maps, of enum bpf_map_type, whose elements are always there.
const (
	mapTypeArray       = 2
	mapTypePerCPUArray = 6
)

// mapType returns the type of a map that the object's BTF declares, as libbpf
// reads it: int (*type)[BPF_MAP_TYPE_...].
func (o *Object) mapType(name string) (kind uint32, ok bool) {
	v := o.View
	for _, id := range v.Lookup(name, btfdump.KindVar) {
		t := v.Type(v.Resolve(v.Type(id).Ref()))
		if t.Kind() != btfdump.KindStruct {
			continue
		}
		for _, m := range t.Members() {
			pointer := v.Type(v.Resolve(m.Type))
			if m.Name != "type" || pointer.Kind() != btfdump.KindPtr {
				continue
			}
			if array := v.Type(v.Resolve(pointer.Ref())); array.Kind() == btfdump.KindArray {
				return array.ArrayLen(), true
			}
		}
	}
	return 0, false
}
