package core_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/btfgen/btfgen/goldens/libbpftest"
)

// A matrixObject is an object of the matrix.
type matrixObject struct {
	name string // of what it was compiled from and with
	path string
	raw  []byte
	*core.Object
}

// A matrixKernel is a kernel of the matrix: its BTF as a file.
type matrixKernel struct {
	name    string
	path    string
	view    *btfdump.View
	modules []string // files
}

// inParallel calls f for each of n on all processors.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A variant is a clang, and the instruction set that it is to use.
type variant struct {
	clang clangtest.Clang
	cpu   string
}

func (v variant) String() string {
	return strings.Join(append([]string{v.clang.Name}, v.flags()...), " ")
}

// compilers returns every clang with the instruction set that it takes by itself,
// and for the oldest and the newest one those before and after: without and with
// arithmetic of 32 bits, stores of constants and divisions of signed numbers.
func compilers(t testing.TB) []variant {
	t.Helper()
	clangs := clangtest.Compilers(t)
	first, last := clangs[0], clangs[len(clangs)-1]
	variants := []variant{{first, "v1"}, {first, "v3"}}
	for _, c := range clangs[1:] {
		variants = append(variants, variant{c, ""})
	}
	if last.Major >= 18 {
		variants = append(variants, variant{last, "v4"})
	}
	return variants
}

// flags returns what the clang is to be called with.
func (v variant) flags() []string {
	if v.cpu == "" {
		return nil
	}
	return []string{"-mcpu=" + v.cpu}
}

// relocationVariants are those in which clang writes relocations in other ways.
func relocationVariants(t testing.TB) []variant {
	t.Helper()
	var variants []variant
	for _, c := range clangtest.Compilers(t) {
		variants = append(variants, variant{c, "v3"})
	}
	variants = slices.Insert(variants, 0, variant{variants[0].clang, "v1"}) // no 32-bit arithmetic
	if c := clangtest.Newest(t); c.Major >= 18 {
		variants = append(variants, variant{c, "v4"}) // stores of constants
	}
	return variants
}

// matrixObjects compiles a source in testdata/relocate with every clang.
func matrixObjects(t *testing.T, target, source string) []matrixObject {
	t.Helper()
	return compileVariants(t, target, source, relocationVariants(t))
}

// newestObject is the one of the newest clang alone.
func newestObject(t *testing.T, target, source string) []matrixObject {
	t.Helper()
	return compileVariants(t, target, source, []variant{{clangtest.Newest(t), "v3"}})
}

func compileVariants(t *testing.T, target, source string, variants []variant) []matrixObject {
	t.Helper()
	objects := make([]matrixObject, len(variants))
	files := map[string]string{"main.c": readFile(t, "testdata/relocate/"+source), "records.h": readFile(t, "testdata/relocate/records.h")}
	inParallel(len(variants), func(i int) {
		v := variants[i]
		o := &objects[i]
		o.name = fmt.Sprintf("%s, %s", source, v)
		path, output, err := v.clang.Compile(t, files, "-target", target, "-mcpu="+v.cpu, "-O2", "-g")
		if err != nil {
			t.Errorf("%s: %v\n%s", o.name, err, output)
			return
		}
		o.path = path
		if o.raw, err = os.ReadFile(path); err == nil {
			o.Object, err = core.ReadObject(o.name, o.raw)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return objects
}

// editedKernels compiles the edits of the records to kernels.
func editedKernels(t *testing.T, target string) []matrixKernel {
	t.Helper()
	c := clangtest.AtLeast(t, 19, "older ones take no flexible array in a union")
	records := readFile(t, "testdata/relocate/records.h")
	dir := t.TempDir()
	kernels := make([]matrixKernel, len(edits))
	texts := make([]string, len(edits))
	for i := range edits {
		texts[i] = edits[i].apply(t, records)
	}
	inParallel(len(edits), func(i int) {
		path, output, err := c.Compile(t, map[string]string{"main.c": texts[i]}, "-target", target, "-O2", "-g", "-Wno-visibility", "-Wno-gnu-empty-struct", "-Wno-gnu-variable-sized-type-not-at-end")
		if err != nil {
			t.Errorf("kernel %q: %v\n%s", edits[i].name, err, output)
			return
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return
		}
		o, err := core.ReadObject(edits[i].name, raw)
		if err != nil {
			t.Error(err)
			return
		}
		kernels[i] = newMatrixKernel(t, dir, edits[i].name, o.View.Raw())
	})
	if t.Failed() {
		t.FailNow()
	}
	return kernels
}

// newMatrixKernel writes the BTF of a kernel to a file in dir.
func newMatrixKernel(t testing.TB, dir, name string, raw []byte) matrixKernel {
	view, err := btfdump.New(raw)
	if err != nil {
		t.Errorf("kernel %q: %v", name, err)
		return matrixKernel{}
	}
	k := matrixKernel{name: name, path: filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".btf"), view: view}
	if err := os.WriteFile(k.path, raw, 0o600); err != nil {
		t.Error(err)
	}
	return k
}

// builtKernels are those that no compiler makes.
func builtKernels(t *testing.T, order binary.AppendByteOrder) []matrixKernel {
	t.Helper()
	dir := t.TempDir()
	var kernels []matrixKernel
	all := built(btftest.New)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		all[name].Order = order
		kernels = append(kernels, newMatrixKernel(t, dir, name, all[name].Bytes()))
	}
	if t.Failed() {
		t.FailNow()
	}
	return kernels
}

// corpusKernels are the kernels of goldens/corpus of one byte order.
func corpusKernels(t *testing.T, order binary.ByteOrder) []matrixKernel {
	t.Helper()
	dir := t.TempDir()
	var kernels []matrixKernel
	for _, k := range btftest.Kernels {
		if k.Base != "" || strings.HasPrefix(k.Name, "btf_testmod") {
			continue
		}
		if k := newMatrixKernel(t, dir, k.Name, btftest.Corpus(t, k.Name)); k.view.ByteOrder() == order {
			kernels = append(kernels, k)
		}
	}
	return kernels
}

// agreement counts what a matrix compared.
type agreement struct {
	libbpf                               *libbpftest.Oracle
	programs, relocations                int // of all objects on all kernels
	poisoned, refused                    int // of the programs
	kinds                                map[core.RelocationKind]int
	differences                          map[string]int // from this libbpf, that are known
	ciliumCompared, ciliumAgreed         int
	ciliumDifferences, ciliumUnexplained map[string]int
}

func newAgreement(o *libbpftest.Oracle) *agreement {
	return &agreement{libbpf: o, kinds: map[core.RelocationKind]int{}, differences: map[string]int{}, ciliumDifferences: map[string]int{}, ciliumUnexplained: map[string]int{}}
}

// TestRelocateLikeLibbpf compares what Relocate and Patch make of programs, bit
// for bit, with what libbpf hands to the kernel.
func TestRelocateLikeLibbpf(t *testing.T) {
	a := newAgreement(libbpftest.Build(t))
	records := matrixObjects(t, "bpfel", "programs.c")
	synthetic := slices.Concat(editedKernels(t, "bpfel"), builtKernels(t, binary.LittleEndian))
	a.compare(t, records, synthetic)
	a.compare(t, matrixObjects(t, "bpfel", "kernel.c"), corpusKernels(t, binary.LittleEndian))
	// An object is a kernel, too: one in which many flavors are ambiguous.
	self := records[len(records)-2]
	a.compare(t, []matrixObject{self}, []matrixKernel{newMatrixKernel(t, t.TempDir(), "the object itself", self.View.Raw())})
	t.Logf("%d programs with %d relocations agree with libbpf %d.%d: %d of them poisoned, %d refused; relocations by kind: %v; known differences: %v",
		a.programs, a.relocations, a.libbpf.Major, a.libbpf.Minor, a.poisoned, a.refused, a.kinds, a.differences)
	// A difference that is gone is to be struck from the list.
	if want := map[bool]int{true: 0, false: 1}[a.libbpf.AtLeast(1, 7)]; len(a.differences) != want {
		t.Errorf("%d kinds of known differences were met, want %d: %v", len(a.differences), want, a.differences)
	}
	for kind := core.FieldByteOffset; kind <= core.TypeMatches; kind++ {
		if a.kinds[kind] == 0 {
			t.Errorf("no %s relocation was compared", kind)
		}
	}
	if a.programs < 100000 {
		t.Errorf("only %d programs were compared", a.programs)
	}
}

func (a *agreement) compare(t *testing.T, objects []matrixObject, kernels []matrixKernel) {
	t.Helper()
	type pair struct {
		object *matrixObject
		kernel *matrixKernel
	}
	var pairs []pair
	var cases []libbpftest.Case
	for i := range objects {
		for k := range kernels {
			if i > 0 && i < len(objects)-1 && k%len(objects) != i {
				continue // all kernels for the first and the last one, some for each of the others
			}
			pairs = append(pairs, pair{&objects[i], &kernels[k]})
			cases = append(cases, libbpftest.Case{Object: objects[i].path, BTF: kernels[k].path, Modules: kernels[k].modules})
		}
	}
	targets := map[*matrixKernel]*core.Target{}
	for i := range kernels {
		targets[&kernels[i]] = core.NewTarget(kernels[i].view)
	}
	wrong := 0
	for i, answer := range a.libbpf.Ask(t, cases) {
		p := pairs[i]
		if answer.Refused != "" {
			t.Errorf("%s on %s: libbpf refuses the object: %s", p.object.name, p.kernel.name, answer.Refused)
			continue
		}
		for _, complaint := range a.compareObject(p.object.Object, targets[p.kernel], answer) {
			if wrong++; wrong <= 60 {
				t.Errorf("%s on %q: %s", p.object.name, p.kernel.name, complaint)
			}
		}
	}
	if wrong > 60 {
		t.Errorf("... %d programs in all", wrong)
	}
}

// compareObject compares all programs of an object on one kernel.
func (a *agreement) compareObject(o *core.Object, target *core.Target, answer libbpftest.Answer) (complaints []string) {
	results := target.Relocate(o)
	for i := range o.Functions {
		f := &o.Functions[i]
		if !f.Program {
			continue
		}
		theirs, ok := answer.Programs[f.Name]
		if !ok {
			complaints = append(complaints, f.Name+": libbpf knows of no such program")
			continue
		}
		a.programs++
		ours, err := linkedCode(o, i, results)
		var relocations []string
		poisoned := false
		for j, r := range o.Relocations {
			if r.Function == i {
				a.relocations++
				a.kinds[r.Kind]++
				relocations = append(relocations, fmt.Sprintf("%s of %s %s: %d", r.Kind, o.View.Type(r.Type).Name(), r.Access, results[j].Value))
				poisoned = poisoned || results[j].Poisoned(f.Code[r.Instruction])
			}
		}
		if poisoned {
			a.poisoned++
		}
		switch {
		case err != nil && theirs.Refused != "":
			a.refused++
		case err == nil && theirs.Refused == "" && bytes.Equal(ours, maskCalls(theirs.Code)):
		default:
			if known := a.known(f.Name); known != "" {
				a.differences[known]++
				continue
			}
			complaints = append(complaints, fmt.Sprintf("%s: ours\n\t%x %v\nlibbpf's\n\t%x %s\n%s", f.Name, ours, err, theirs.Code, theirs.Refused, strings.Join(relocations, "\n")))
		}
	}
	return complaints
}

// linkedCode returns the relocated code of a program and of the subprograms
// that it calls, in libbpf's order: as they are met first.
func linkedCode(o *core.Object, program int, results []core.Result) ([]byte, error) {
	var all []byte
	queue := []int{program}
	for i := 0; i < len(queue); i++ {
		f := &o.Functions[queue[i]]
		code, err := o.Patch(queue[i], results)
		if err != nil {
			return nil, err
		}
		all = append(all, core.Encode(code, o.ByteOrder)...)
		for _, r := range f.References {
			if r.Kind == core.ReferenceFunction && !slices.Contains(queue, r.Index) {
				queue = append(queue, r.Index)
			}
		}
	}
	return maskCalls(all), nil
}

// maskCalls clears the distance of calls of subprograms, which the loader
// fills in.
func maskCalls(code []byte) []byte {
	code = slices.Clone(code)
	for i := 0; i+8 <= len(code); i += 8 {
		if code[i] == 0x85 && code[i+1]>>4 == 1 {
			clear(code[i+4 : i+8])
		}
	}
	return code
}

// oldLibbpf are programs of which libbpf before 1.7 is known to make something
// else, and why.
var oldLibbpf = map[string]string{
	"decayed_ints":     "loads of an array's size",
	"decayed_row":      "loads of an array's size",
	"decayed_shorts":   "loads of an array's size",
	"decayed_pointers": "loads of an array's size",
	"decayed_tail":     "loads of an array's size",
}

// known tells where the machine's libbpf, if it is an old one, is known to do
// something else than a current one.
func (a *agreement) known(program string) string {
	if a.libbpf.AtLeast(1, 7) {
		return ""
	}
	return oldLibbpf[program]
}
