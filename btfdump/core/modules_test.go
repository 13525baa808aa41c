package core_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/libbpftest"
)

// TestRelocateInModulesLikeLibbpf is TestRelocateLikeLibbpf for types that the
// kernel itself lacks and modules have: one of them, or several.
func TestRelocateInModulesLikeLibbpf(t *testing.T) {
	a := newAgreement(libbpftest.Build(t))
	dir := t.TempDir()

	a.compare(t, newestObject(t, "bpfel", "programs.c"), builtModules(t, dir))

	base := writeBTF(t, dir, "kernel", btftest.Corpus(t, "amd64-7.2-cloud"))
	kernel := newView(t, btftest.Corpus(t, "amd64-7.2-cloud"))
	var real []matrixKernel
	var modules []moduleFile
	for _, k := range btftest.Kernels {
		if k.Base == "amd64-7.2-cloud" {
			raw := btftest.Corpus(t, k.Name)
			modules = append(modules, moduleFile{k.Name, writeBTF(t, dir, k.Name, raw), raw})
			real = append(real, withModules(t, base, kernel, modules[len(modules)-1:]))
		}
	}
	real = append(real, withModules(t, base, kernel, modules), withModules(t, base, kernel, nil))
	slices.Reverse(modules)
	real = append(real, withModules(t, base, kernel, modules))
	a.compare(t, matrixObjects(t, "bpfel", "modules.c"), real)
	a.compare(t, newestObject(t, "bpfel", "kernel.c"), real)

	t.Logf("%d programs with %d relocations agree with libbpf %d.%d: %d of them poisoned, %d refused; relocations by kind: %v; known differences: %v",
		a.programs, a.relocations, a.libbpf.Major, a.libbpf.Minor, a.poisoned, a.refused, a.kinds, a.differences)
	if a.programs < 10000 || a.poisoned == 0 || a.refused == 0 {
		t.Errorf("only %d programs were compared, %d poisoned, %d refused", a.programs, a.poisoned, a.refused)
	}
	// They are not all alike: what is in a module alone is found there.
	o := newestObject(t, "bpfel", "modules.c")[0]
	found := 0
	for i, r := range core.NewTarget(real[len(real)-1].view).Relocate(o.Object) {
		if r.Found() && real[0].view.LevelOf(r.Matches[0].Root) == 0 && strings.Contains(o.View.Type(o.Relocations[i].Type).Name(), "btrfs") {
			t.Errorf("relocation %d is found in the kernel itself", i)
		} else if r.Found() {
			found++
		}
	}
	if found < 30 {
		t.Errorf("only %d of %d relocations find something", found, len(o.Relocations))
	}
}

// A moduleFile is the BTF of a module, and the file that it is in.
type moduleFile struct {
	name, path string
	raw        []byte
}

func writeBTF(t *testing.T, dir, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".btf")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withModules is a kernel with some modules loaded.
func withModules(t *testing.T, path string, kernel *btfdump.View, modules []moduleFile) matrixKernel {
	t.Helper()
	k := matrixKernel{name: filepath.Base(path), path: path, view: kernel}
	var splits []*btfdump.View
	for _, m := range modules {
		split, err := btfdump.NewSplit(m.raw, kernel)
		if err != nil {
			t.Fatal(err)
		}
		splits = append(splits, split)
		k.modules = append(k.modules, m.path)
		k.name += " + " + m.name
	}
	if len(splits) > 0 {
		var err error
		if k.view, err = btfdump.Join(kernel, splits...); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// builtModules are the built kernels as modules, one by one and in pairs, of a
// kernel that has nothing of what is asked for and of one that has some of it.
func builtModules(t *testing.T, dir string) []matrixKernel {
	t.Helper()
	none, some := btftest.New(), btftest.New()
	for _, b := range []*btftest.Builder{none, some} {
		b.Int("long", 8, btftest.Signed) // every kernel's base tells how long pointers are
	}
	number := some.Int("int", 4, btftest.Signed)
	some.Struct("plain", 8, btftest.Field("l", number, 0), btftest.Field("i", number, 32))
	some.Struct("single___2", 4, btftest.Field("only", number, 0))
	some.Enum("color", 4, btftest.Val("RED", 4))
	var kernels []matrixKernel
	for name, base := range map[string]*btftest.Builder{"none": none, "some": some} {
		path := writeBTF(t, dir, name, base.Bytes())
		kernel := newView(t, base.Bytes())
		var modules []moduleFile
		all := built(base.Split)
		for _, module := range slices.Sorted(maps.Keys(all)) {
			raw := all[module].Bytes()
			modules = append(modules, moduleFile{module, writeBTF(t, dir, fmt.Sprintf("%s %s", name, module), raw), raw})
		}
		for i := range modules {
			kernels = append(kernels, withModules(t, path, kernel, modules[i:i+1]), withModules(t, path, kernel, []moduleFile{modules[i], modules[(i+1)%len(modules)]}))
		}
	}
	return kernels
}
