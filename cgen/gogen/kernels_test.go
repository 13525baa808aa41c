package gogen_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// corpusView reads a BTF of the corpus.
func corpusView(t testing.TB, k btftest.Kernel, seed uint64) *btfdump.View {
	t.Helper()
	raw := btftest.Corpus(t, k.Name)
	if k.Base == "" {
		if seed != 0 {
			raw = btftest.Shuffle(raw, seed)
		}
		return view(t, raw)
	}
	base := btftest.Corpus(t, k.Base)
	if seed != 0 {
		raw = btftest.ShuffleSplit(raw, base, seed)
	}
	v, err := btfdump.NewSplit(raw, view(t, base))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func view(t testing.TB, raw []byte) *btfdump.View {
	t.Helper()
	v, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// own returns the types of a module without those of its base, nil for a view
// that has none: all types.
func own(v *btfdump.View) *btfdump.Set {
	if v.Base() == nil {
		return nil
	}
	set := v.NewSet()
	for id := int(v.FirstID()); id < v.NumTypes(); id++ {
		set.Add(btfdump.TypeID(id))
	}
	return set
}

func generate(t testing.TB, v *btfdump.View, set *btfdump.Set, opts gogen.Options) []byte {
	t.Helper()
	src, err := gogen.Generate(v, set, opts)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// std imports the standard library from its sources, once for all tests.
var std = struct {
	sync.Mutex
	types.Importer
}{Importer: importer.ForCompiler(token.NewFileSet(), "source", nil)}

type lockedStd struct{}

func (lockedStd) Import(path string) (*types.Package, error) {
	std.Lock()
	defer std.Unlock()
	return std.Import(path)
}

// typeCheck compiles generated code as far as go/types does: functions too.
func typeCheck(t testing.TB, src []byte, arch string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "types.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: lockedStd{}, Sizes: types.SizesFor("gc", arch)}
	if _, err := conf.Check("kernel", fset, []*ast.File{file}, nil); err != nil {
		t.Fatal(err)
	}
}

// What btfgen makes of whole kernels is Go code, formatted as gofmt does it,
// whose sizes, offsets and constants are those of the BTF on every
// architecture. Package go/types is the judge.
func TestKernels(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			v := corpusView(t, k, 0)
			src := generate(t, v, own(v), gogen.Options{})
			// All functions of one kernel per byte order: that takes seconds.
			if k.Base == "" && (k.Name == "s390x-6.12" || k.Name == "amd64-7.2-cloud") && !testing.Short() {
				typeCheck(t, src, "amd64")
			}
			report, err := gogen.Verify(src, v)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d types, %d fields, %d accessors, %d constants on %d architectures: %d mismatches", report.Types,
				report.Fields, report.Accessors, report.Constants, len(gogen.Architectures), len(report.Mismatches))
			for i, m := range report.Mismatches {
				if i == 20 {
					break
				}
				t.Error(m)
			}
			mustConvert(t, v, src)
			formatted, err := format.Source(src)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(formatted, src) {
				t.Error("gofmt would format the code otherwise: ", firstDifference(src, formatted))
			}
		})
	}
}

// ofC finds what a declaration is in C, in its comment.
var ofC = regexp.MustCompile(`(?m)^// \w+ is ((?:struct |union |enum )?\w+)[,:] `)

// mustConvert fails unless each type of a view's last level that has a name in C
// has one in Go.
func mustConvert(t *testing.T, v *btfdump.View, src []byte) {
	t.Helper()
	converted := make(map[string]bool)
	for _, m := range ofC.FindAllSubmatch(src, -1) {
		converted[string(m[1])] = true
	}
	inC := func(typ btfdump.Type) string {
		switch k := typ.Kind(); {
		case !typ.HasName():
			return ""
		case k.IsEnum():
			return "enum " + typ.Name()
		case k.IsRecord():
			return k.String() + " " + typ.Name()
		}
		return typ.Name()
	}
	named, missing := 0, 0
	for typ := range v.All() {
		k := typ.Kind()
		if typ.ID() < v.FirstID() || !typ.HasName() || !k.IsRecord() && !k.IsEnum() && k != btfdump.KindTypedef {
			continue
		}
		named++
		// typedef struct foo foo: one Go type is enough.
		target := inC(v.Type(v.Resolve(typ.ID())))
		if converted[inC(typ)] || k == btfdump.KindTypedef && strings.Contains(target, " ") && converted[target] {
			continue
		}
		if missing++; missing < 10 {
			t.Errorf("%s has no Go type", inC(typ))
		}
	}
	t.Logf("%d named types, %d without a Go type", named, missing)
}

func firstDifference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return "got\n" + string(a[i]) + "\nwant\n" + string(b[i])
		}
	}
	return "one is longer"
}

// Type IDs and the number of goroutines don't matter.
func TestShuffledKernels(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			want := generate(t, corpusView(t, k, 0), nil, gogen.Options{Workers: 1})
			if got := generate(t, corpusView(t, k, 0), nil, gogen.Options{Workers: 3}); !bytes.Equal(got, want) {
				t.Error("three goroutines print something else than one: ", firstDifference(got, want))
			}
			if got := generate(t, corpusView(t, k, 1), nil, gogen.Options{}); !bytes.Equal(got, want) {
				t.Error("with shuffled type IDs: ", firstDifference(got, want))
			}
		})
	}
}
