package btfdump_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// randomRecords writes n records in C, without attributes, and a variable of
// each, so that the compiler puts them into the object's BTF.
func randomRecords(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 0))
	scalars := []string{
		"char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long", "unsigned long",
		"long long", "unsigned long long", "__int128", "unsigned __int128", "_Bool", "float", "double", "void *",
		"enum small", "enum large", "td16", "tdarr",
	}
	widths := map[string]int{
		"char": 8, "unsigned char": 8, "short": 16, "unsigned short": 16, "int": 32, "unsigned int": 32, "long": 64,
		"unsigned long": 64, "long long": 64, "_Bool": 1, "enum small": 31, "td16": 16, "enum large": 63,
	}
	bitfields := []string{
		"char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long",
		"_Bool", "enum small", "td16", "enum large",
	}
	var b strings.Builder
	b.WriteString("enum small { A };\nenum large { B = 1ull << 40 };\ntypedef unsigned short td16;\ntypedef long tdarr[3];\n")
	for i := range n {
		kind := "struct"
		if r.IntN(5) == 0 {
			kind = "union"
		}
		fmt.Fprintf(&b, "%s r%d {\n", kind, i)
		for m := range 1 + r.IntN(9) {
			switch c := r.IntN(10); {
			case c < 3:
				typ := bitfields[r.IntN(len(bitfields))]
				fmt.Fprintf(&b, "\t%s m%d : %d;\n", typ, m, 1+r.IntN(widths[typ]))
			case c < 7:
				fmt.Fprintf(&b, "\t%s m%d;\n", scalars[r.IntN(len(scalars))], m)
			case c < 8:
				fmt.Fprintf(&b, "\t%s m%d[%d];\n", scalars[r.IntN(len(scalars))], m, r.IntN(4))
			case c < 9 && i > 0:
				fmt.Fprintf(&b, "\tR%d m%d;\n", r.IntN(i), m)
			case i > 0:
				fmt.Fprintf(&b, "\tR%d m%d[2][%d];\n", r.IntN(i), m, r.IntN(3))
			}
		}
		fmt.Fprintf(&b, "};\ntypedef %s r%d R%d;\nR%d v%d;\n", kind, i, i, i, i)
	}
	return b.String()
}

// The compiler writes into the object's BTF where it has put each member; the
// records have no attributes, so Layout has to come to the same places.
func TestLayoutAgreesWithClang(t *testing.T) {
	const records = 400
	source := randomRecords(1, records)
	for _, clang := range clangtest.Compilers(t) {
		for _, target := range []string{"bpf", "bpfeb"} {
			t.Run(clang.Name+"/"+target, func(t *testing.T) {
				t.Parallel()
				v := mustNew(t, clang.BTF(t, source, target, "-O1"))
				seen := 0
				for typ := range v.All() {
					if !typ.Kind().IsRecord() {
						continue
					}
					seen++
					var want []uint64
					for _, m := range typ.Members() {
						want = append(want, uint64(m.BitOffset))
					}
					got := v.Layout(typ.ID(), btfdump.BPF)
					if got.Size != uint64(typ.Size()) || !slices.Equal(got.BitOffsets, want) {
						t.Errorf("%s: layout has %d bytes and offsets %v, the compiler %d and %v",
							typ.Name(), got.Size, got.BitOffsets, typ.Size(), want)
					}
				}
				if seen != records {
					t.Errorf("%d records in the BTF, want %d", seen, records)
				}
			})
		}
	}
}

// Alignment shows only in the assertions that the compiler checks.
func TestLayoutAlignAgreesWithClang(t *testing.T) {
	const records = 200
	source := randomRecords(2, records)
	clang := clangtest.Newest(t)
	v := mustNew(t, clang.BTF(t, source, "bpf", "-O1"))
	var asserts strings.Builder
	n := 0
	for typ := range v.All() {
		if typ.Kind().IsRecord() {
			n++
			name := fmt.Sprintf("%s %s", typ.Kind(), typ.Name())
			l := v.Layout(typ.ID(), btfdump.BPF)
			fmt.Fprintf(&asserts, "_Static_assert(_Alignof(%s) == %d && sizeof(%s) == %d, \"%s\");\n", name, l.Align, name, l.Size, name)
		}
	}
	if n != records {
		t.Fatalf("%d records in the BTF, want %d", n, records)
	}
	if _, output, err := clang.Compile(t, map[string]string{"main.c": source + asserts.String()}, "-target", "bpf"); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// On the kernels' own ABIs, most records are laid out by the plain rules.
// Where the BTF differs the kernel used attributes: __packed, __aligned.
func TestLayoutOfKernels(t *testing.T) {
	for _, c := range []struct {
		kernel string
		target btfdump.Target
	}{
		{"amd64-7.2-cloud", btfdump.BPF},
		{"arm64-6.1-cloud", btfdump.BPF},
		{"s390x-6.12", btfdump.Target{PointerSize: 8, Int128Align: 8}},
		{"armhf-6.1", btfdump.Target{PointerSize: 4, Int128Align: 8}},
	} {
		t.Run(c.kernel, func(t *testing.T) {
			v := corpusView(t, btftest.Kernel{Name: c.kernel})
			total, same := 0, 0
			for typ := range v.All() {
				if !typ.Kind().IsRecord() {
					continue
				}
				total++
				l := v.Layout(typ.ID(), c.target)
				equal := l.Size == uint64(typ.Size())
				for i, m := range typ.Members() {
					equal = equal && l.BitOffsets[i] == uint64(m.BitOffset)
				}
				if equal {
					same++
				}
			}
			if same*100 < total*80 {
				t.Errorf("%d of %d records come out as in the kernel", same, total)
			}
		})
	}
}

func TestLayoutOfOthers(t *testing.T) {
	b := btftest.New()
	i32 := b.Int("int", 4, 1)
	i128 := b.Int("__int128", 16, 1)
	ptr := b.Ptr(btftest.Void)
	arr := b.Array(b.Typedef("t", b.Array(i128, i32, 2)), i32, 3)
	s := b.Struct("s", 32, btftest.Field("c", i32, 0), btftest.Field("p", ptr, 32), btftest.Field("i", i128, 128))
	sarr := b.Array(s, i32, 2)
	e := b.Enum("e", 1)
	v := mustNew(t, b.Bytes())
	other := btfdump.Target{PointerSize: 4, Int128Align: 8}
	for _, c := range []struct {
		id          btftest.ID
		target      btfdump.Target
		size, align uint64
	}{
		{i32, btfdump.BPF, 4, 4}, {i128, btfdump.BPF, 16, 16}, {i128, other, 16, 8}, {ptr, btfdump.BPF, 8, 8}, {ptr, other, 4, 4},
		{arr, btfdump.BPF, 96, 16}, {arr, other, 96, 8}, {s, btfdump.BPF, 32, 16}, {s, other, 24, 8},
		{sarr, btfdump.BPF, 64, 16}, {sarr, other, 48, 8}, {e, btfdump.BPF, 1, 1}, {0, btfdump.BPF, 0, 1},
	} {
		l := v.Layout(btfdump.TypeID(c.id), c.target)
		if l.Size != c.size || l.Align != c.align {
			t.Errorf("type %d for %+v: %d bytes aligned to %d, want %d and %d", c.id, c.target, l.Size, l.Align, c.size, c.align)
		}
	}
}

// Four levels of records, each with 2^17 members of the one below: whoever lays
// a record out once per mention does not come back.
func TestLayoutVisitsRecordsOnce(t *testing.T) {
	b := btftest.New()
	inner := b.Struct("r0", 0)
	for i := range 4 {
		members := make([]btftest.Member, 1<<17)
		for j := range members {
			members[j] = btftest.Field("", inner, 0)
		}
		inner = b.Struct(fmt.Sprintf("r%d", i+1), 0, members...)
	}
	v := mustNew(t, b.Bytes())
	if l := v.Layout(btfdump.TypeID(inner), btfdump.BPF); l.Size != 0 || len(l.BitOffsets) != 1<<17 {
		t.Errorf("%d bytes, %d members", l.Size, len(l.BitOffsets))
	}
}
