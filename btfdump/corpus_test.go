package btfdump_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	btfspec "github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// corpusView reads a corpus file, on its base if it has one.
func corpusView(t testing.TB, k btftest.Kernel) *btfdump.View {
	t.Helper()
	if k.Base == "" {
		return mustNew(t, btftest.Corpus(t, k.Name))
	}
	return mustSplit(t, btftest.Corpus(t, k.Name), mustNew(t, btftest.Corpus(t, k.Base)))
}

func TestCorpusHangsTogether(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			if err := walk(corpusView(t, k)); err != nil {
				t.Error(err)
			}
		})
	}
}

// cilium/ebpf reads the same bytes and has to agree about every type.
func TestCorpusAgreesWithCilium(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			var base *btfspec.Spec
			var err error
			if k.Base != "" {
				if base, err = btfspec.LoadSpecFromReader(bytes.NewReader(btftest.Corpus(t, k.Base))); err != nil {
					t.Fatal(err)
				}
			}
			spec, err := btfspec.LoadSplitSpecFromReader(bytes.NewReader(btftest.Corpus(t, k.Name)), base)
			if err != nil {
				t.Fatal(err)
			}
			compareWithCilium(t, corpusView(t, k), spec)
		})
	}
}

// The same on types that kernels don't have.
func TestSampleAgreesWithCilium(t *testing.T) {
	bothOrders(t, func(t *testing.T, b *btftest.Builder) {
		sample(b)
		spec, err := btfspec.LoadSpecFromReader(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		compareWithCilium(t, mustNew(t, b.Bytes()), spec)
	})
}

func compareWithCilium(t *testing.T, v *btfdump.View, spec *btfspec.Spec) {
	t.Helper()
	differ := 0
	tags := make(map[btfdump.TypeID][]string)
	for typ := range v.All() {
		if typ.ID() < v.FirstID() {
			continue
		}
		theirs, err := spec.TypeByID(btfspec.TypeID(typ.ID()))
		if err != nil {
			t.Fatalf("type %d: cilium/ebpf: %v", typ.ID(), err)
		}
		if typ.Kind() == btfdump.KindDeclTag {
			tags[typ.Ref()] = append(tags[typ.Ref()], fmt.Sprintf("%d %s", typ.ComponentIndex(), typ.Name()))
		}
		got, want := ours(v, typ), ciliums(spec, theirs)
		if got == want {
			continue
		}
		if typ.Name() == legacyTypedef {
			// cilium/ebpf looks for legacy bitfields at the member's type only,
			// the kernel (btf_struct_show) behind typedefs too.
			continue
		}
		if differ++; differ <= 10 {
			t.Errorf("type %d reads\n %s\ncilium/ebpf reads\n %s", typ.ID(), got, want)
		}
	}
	if differ > 10 {
		t.Errorf("%d types differ", differ)
	}
	if _, err := spec.TypeByID(btfspec.TypeID(v.NumTypes())); !errors.Is(err, btfspec.ErrNotFound) {
		t.Errorf("cilium/ebpf has a type %d: %v", v.NumTypes(), err)
	}
	// cilium/ebpf hangs decl tags onto the type that they are about.
	for id, want := range tags {
		theirs, err := spec.TypeByID(btfspec.TypeID(id))
		if err != nil {
			t.Fatal(err)
		}
		// On base types it ignores the tags of split BTF.
		if got := ciliumsTags(theirs); id >= v.FirstID() && !sameElements(got, want) {
			t.Errorf("type %d has decl tags %q, cilium/ebpf says %q", id, want, got)
		}
	}
}

func sameElements(a, b []string) bool {
	count := map[string]int{}
	for _, s := range a {
		count[s]++
	}
	for _, s := range b {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// ours describes a type by what both readers know of it.
func ours(v *btfdump.View, t btfdump.Type) string {
	var b strings.Builder
	switch k := t.Kind(); k {
	case btfdump.KindInt:
		fmt.Fprintf(&b, "int %q %d %d", t.Name(), t.Size(), t.IntEncoding())
	case btfdump.KindFloat:
		fmt.Fprintf(&b, "float %q %d", t.Name(), t.Size())
	case btfdump.KindArray:
		fmt.Fprintf(&b, "array %d %d %d", t.Ref(), t.ArrayIndex(), t.ArrayLen())
	case btfdump.KindStruct, btfdump.KindUnion:
		fmt.Fprintf(&b, "%s %q %d", k, t.Name(), t.Size())
		for _, m := range t.Members() {
			fmt.Fprintf(&b, " [%q %d %d %d]", m.Name, m.Type, m.BitOffset, m.BitSize)
		}
	case btfdump.KindEnum, btfdump.KindEnum64:
		fmt.Fprintf(&b, "enum %q %d %t", t.Name(), t.Size(), t.Signed())
		for _, e := range t.Enumerators() {
			fmt.Fprintf(&b, " %q=%d", e.Name, e.Value)
		}
	case btfdump.KindFwd:
		fmt.Fprintf(&b, "fwd %q %t", t.Name(), t.KindFlag())
	case btfdump.KindFunc, btfdump.KindVar:
		fmt.Fprintf(&b, "%s %q %d %d", k, t.Name(), t.Ref(), t.Linkage())
	case btfdump.KindFuncProto:
		fmt.Fprintf(&b, "proto %d", t.Ref())
		for _, p := range t.Params() {
			fmt.Fprintf(&b, " [%q %d]", p.Name, p.Type)
		}
	case btfdump.KindDatasec:
		fmt.Fprintf(&b, "datasec %q %d", t.Name(), t.Size())
		for i := range t.NumSectionVars() {
			s := t.SectionVar(i)
			fmt.Fprintf(&b, " [%d %d %d]", s.Type, s.Offset, s.Size)
		}
	case btfdump.KindDeclTag:
		b.WriteString("decl tag")
	default: // ptr, typedef, qualifiers, type tag
		fmt.Fprintf(&b, "%s %q %d", k, t.Name(), t.Ref())
	}
	if hasSize(v, t) {
		fmt.Fprintf(&b, " sizeof %d", v.SizeOf(t.ID()))
	}
	return b.String()
}

// hasSize tells for which types cilium/ebpf can say a size that does not depend
// on how wide it thinks a pointer is: it takes 8 bytes for all kernels.
func hasSize(v *btfdump.View, t btfdump.Type) bool {
	for r := v.Type(v.Resolve(t.ID())); ; r = v.Type(v.Resolve(r.Ref())) {
		switch k := r.Kind(); {
		case k == btfdump.KindArray:
			continue
		case k == btfdump.KindInt, k == btfdump.KindFloat, k.IsRecord(), k.IsEnum():
			return true
		default:
			return false
		}
	}
}

func ciliums(spec *btfspec.Spec, typ btfspec.Type) string {
	id := func(typ btfspec.Type) btfspec.TypeID {
		id, err := spec.TypeID(typ)
		if err != nil {
			panic(err)
		}
		return id
	}
	var b strings.Builder
	record := func(kind, name string, size uint32, members []btfspec.Member) {
		fmt.Fprintf(&b, "%s %q %d", kind, name, size)
		for _, m := range members {
			fmt.Fprintf(&b, " [%q %d %d %d]", m.Name, id(m.Type), m.Offset, m.BitfieldSize)
		}
	}
	switch t := typ.(type) {
	case *btfspec.Int:
		fmt.Fprintf(&b, "int %q %d %d", t.Name, t.Size, t.Encoding)
	case *btfspec.Float:
		fmt.Fprintf(&b, "float %q %d", t.Name, t.Size)
	case *btfspec.Array:
		fmt.Fprintf(&b, "array %d %d %d", id(t.Type), id(t.Index), t.Nelems)
	case *btfspec.Struct:
		record("struct", t.Name, t.Size, t.Members)
	case *btfspec.Union:
		record("union", t.Name, t.Size, t.Members)
	case *btfspec.Enum:
		fmt.Fprintf(&b, "enum %q %d %t", t.Name, t.Size, t.Signed)
		for _, e := range t.Values {
			fmt.Fprintf(&b, " %q=%d", e.Name, e.Value)
		}
	case *btfspec.Fwd:
		fmt.Fprintf(&b, "fwd %q %t", t.Name, t.Kind == btfspec.FwdUnion)
	case *btfspec.Func:
		fmt.Fprintf(&b, "func %q %d %d", t.Name, id(t.Type), t.Linkage)
	case *btfspec.Var:
		fmt.Fprintf(&b, "var %q %d %d", t.Name, id(t.Type), t.Linkage)
	case *btfspec.FuncProto:
		fmt.Fprintf(&b, "proto %d", id(t.Return))
		for _, p := range t.Params {
			fmt.Fprintf(&b, " [%q %d]", p.Name, id(p.Type))
		}
	case *btfspec.Datasec:
		fmt.Fprintf(&b, "datasec %q %d", t.Name, t.Size)
		for _, s := range t.Vars {
			fmt.Fprintf(&b, " [%d %d %d]", id(s.Type), s.Offset, s.Size)
		}
	case *btfspec.Pointer:
		fmt.Fprintf(&b, "ptr %q %d", "", id(t.Target))
	case *btfspec.Typedef:
		fmt.Fprintf(&b, "typedef %q %d", t.Name, id(t.Type))
	case *btfspec.Volatile:
		fmt.Fprintf(&b, "volatile %q %d", "", id(t.Type))
	case *btfspec.Const:
		fmt.Fprintf(&b, "const %q %d", "", id(t.Type))
	case *btfspec.Restrict:
		fmt.Fprintf(&b, "restrict %q %d", "", id(t.Type))
	case *btfspec.TypeTag:
		fmt.Fprintf(&b, "type_tag %q %d", t.Value, id(t.Type))
	default: // cilium/ebpf does not export its decl tags
		return "decl tag"
	}
	if size, ok := ciliumsSize(typ); ok {
		fmt.Fprintf(&b, " sizeof %d", size)
	}
	return b.String()
}

// ciliumsSize is the counterpart of hasSize.
func ciliumsSize(typ btfspec.Type) (uint64, bool) {
	inner := typ
	for {
		switch t := btfspec.UnderlyingType(inner).(type) {
		case *btfspec.Array:
			inner = t.Type
			continue
		case *btfspec.TypeTag:
			inner = t.Type
			continue
		case *btfspec.Int, *btfspec.Float, *btfspec.Struct, *btfspec.Union, *btfspec.Enum:
			size, err := btfspec.Sizeof(typ)
			return uint64(size), err == nil
		default:
			return 0, false
		}
	}
}

func ciliumsTags(typ btfspec.Type) []string {
	var tags []string
	add := func(component int, values []string) {
		for _, v := range values {
			tags = append(tags, fmt.Sprintf("%d %s", component, v))
		}
	}
	members := func(ms []btfspec.Member) {
		for i, m := range ms {
			add(i, m.Tags)
		}
	}
	switch t := typ.(type) {
	case *btfspec.Struct:
		add(-1, t.Tags)
		members(t.Members)
	case *btfspec.Union:
		add(-1, t.Tags)
		members(t.Members)
	case *btfspec.Typedef:
		add(-1, t.Tags)
	case *btfspec.Var:
		add(-1, t.Tags)
	case *btfspec.Func:
		add(-1, t.Tags)
		for i, values := range t.ParamTags {
			add(i, values)
		}
	}
	return tags
}
