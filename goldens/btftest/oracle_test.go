package btftest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	btfspec "github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// load reads raw with cilium/ebpf, on the corpus file base unless that is "".
func load(t *testing.T, raw []byte, base string) *btfspec.Spec {
	t.Helper()
	if base == "" {
		return parse(t, raw, nil)
	}
	return parse(t, raw, parse(t, btftest.Corpus(t, base), nil))
}

func parse(t *testing.T, raw []byte, base *btfspec.Spec) *btfspec.Spec {
	t.Helper()
	spec, err := btfspec.LoadSplitSpecFromReader(bytes.NewReader(raw), base)
	if err != nil {
		t.Fatalf("cilium/ebpf: %v", err)
	}
	return spec
}

// describe says in one line what cilium/ebpf reads of type id, with the IDs of
// the types that it refers to.
func describe(t *testing.T, spec *btfspec.Spec, id btftest.ID) string {
	t.Helper()
	return describeType(typeByID(t, spec, id), func(typ btfspec.Type) string {
		id, err := spec.TypeID(typ)
		if err != nil {
			t.Fatalf("cilium/ebpf: ID of %v: %v", typ, err)
		}
		return fmt.Sprint(id)
	})
}

func typeByID(t *testing.T, spec *btfspec.Spec, id btftest.ID) btfspec.Type {
	t.Helper()
	typ, err := spec.TypeByID(btfspec.TypeID(id))
	if err != nil {
		t.Fatalf("cilium/ebpf: type %d: %v", id, err)
	}
	return typ
}

// describeType says what a type is; ref stands for each that it refers to.
func describeType(typ btfspec.Type, ref func(btfspec.Type) string) string {
	tagged := func(line string, tags []string) string {
		if len(tags) > 0 {
			line += fmt.Sprintf(" tags %q", tags)
		}
		return line
	}
	record := func(word, name string, size uint32, members []btfspec.Member, tags []string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s size %d", word, name, size)
		for _, m := range members {
			line := fmt.Sprintf(" [%s %s at %d:%d", m.Name, ref(m.Type), m.Offset, m.BitfieldSize)
			b.WriteString(tagged(line, m.Tags) + "]")
		}
		return tagged(b.String(), tags)
	}
	switch typ := typ.(type) {
	case *btfspec.Int:
		return fmt.Sprintf("int %s size %d encoding %d", typ.Name, typ.Size, typ.Encoding)
	case *btfspec.Float:
		return fmt.Sprintf("float %s size %d", typ.Name, typ.Size)
	case *btfspec.Pointer:
		return "ptr " + ref(typ.Target)
	case *btfspec.Array:
		return fmt.Sprintf("array %s index %s of %d", ref(typ.Type), ref(typ.Index), typ.Nelems)
	case *btfspec.Struct:
		return record("struct", typ.Name, typ.Size, typ.Members, typ.Tags)
	case *btfspec.Union:
		return record("union", typ.Name, typ.Size, typ.Members, typ.Tags)
	case *btfspec.Enum:
		line := fmt.Sprintf("enum %s size %d signed %t", typ.Name, typ.Size, typ.Signed)
		for _, v := range typ.Values {
			line += fmt.Sprintf(" %s=%#x", v.Name, v.Value)
		}
		return line
	case *btfspec.Fwd:
		return fmt.Sprintf("fwd %s %s", typ.Kind, typ.Name)
	case *btfspec.Typedef:
		return tagged(fmt.Sprintf("typedef %s %s", typ.Name, ref(typ.Type)), typ.Tags)
	case *btfspec.Volatile:
		return "volatile " + ref(typ.Type)
	case *btfspec.Const:
		return "const " + ref(typ.Type)
	case *btfspec.Restrict:
		return "restrict " + ref(typ.Type)
	case *btfspec.Func:
		line := fmt.Sprintf("func %s %s linkage %d", typ.Name, ref(typ.Type), typ.Linkage)
		for i, tags := range typ.ParamTags {
			line = tagged(line+fmt.Sprintf(" param %d", i), tags)
		}
		return tagged(line, typ.Tags)
	case *btfspec.FuncProto:
		line := "func_proto " + ref(typ.Return)
		for _, p := range typ.Params {
			line += fmt.Sprintf(" (%s %s)", p.Name, ref(p.Type))
		}
		return line
	case *btfspec.Var:
		return tagged(fmt.Sprintf("var %s %s linkage %d", typ.Name, ref(typ.Type), typ.Linkage), typ.Tags)
	case *btfspec.Datasec:
		line := fmt.Sprintf("datasec %s size %d", typ.Name, typ.Size)
		for _, v := range typ.Vars {
			line += fmt.Sprintf(" [%s at %d size %d]", ref(v.Type), v.Offset, v.Size)
		}
		return line
	case *btfspec.TypeTag:
		return fmt.Sprintf("type_tag %s %s", typ.Value, ref(typ.Type))
	default:
		return strings.Fields(fmt.Sprintf("%T", typ))[0]
	}
}
