package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// manyKernels is an archive of n kernels, each with a struct of its own and one
// of some size.
func manyKernels(n int) []byte {
	var files []file
	for i := range n {
		b := btftest.New()
		integer := b.Int("int", 4, btftest.Signed)
		b.Struct(fmt.Sprintf("kernel_%d", i), 4, btftest.Field("a", integer, 0))
		var members []btftest.Member
		for m := range 3000 {
			members = append(members, btftest.Field(fmt.Sprintf("member_%d_%d", i, m), integer, uint32(m)*32))
		}
		b.Struct("large", 12000, members...)
		files = append(files, file{fmt.Sprintf("boot/vmlinux-6.%d.0-test", i), b.Bytes()})
	}
	return tarball(files...)
}

// each returns the structs of the kernels that Each gives.
func each(input string, modules []string, opts Options) (kernels []string, err error) {
	err = Each(input, modules, opts, func(k *Kernel) error {
		kernels = append(kernels, fmt.Sprintf("%s %s", k.Release, structs(k.View)[0]))
		return nil
	})
	return kernels, err
}

func TestEach(t *testing.T) {
	k := newTestKernel(t)
	write := func(name string, data []byte) string {
		path := filepath.Join(k.dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	archive := write("many.tar", manyKernels(3))
	vmlinux, err := os.ReadFile(filepath.Join(k.dir, "vmlinux.btf"))
	if err != nil {
		t.Fatal(err)
	}
	broken := write("broken.tar", tarball(file{"a.btf", vmlinux}, file{"b.btf", append(slices.Clone(vmlinux[:24]), "broken"...)}, file{"c.btf", vmlinux}))
	for _, c := range []struct {
		name, input string
		modules     []string
		opts        Options
		want        string
		err         string
	}{
		{name: "all of an archive", input: archive, want: "6.0.0-test kernel_0, 6.1.0-test kernel_1, 6.2.0-test kernel_2"},
		{name: "one of an archive", input: archive, opts: Options{Release: "6.1.0-test"}, want: "6.1.0-test kernel_1"},
		{name: "none of an archive", input: archive, opts: Options{Release: "5.4"}, err: "no BTF of the release 5.4: what is there is 6.0.0-test, 6.1.0-test, 6.2.0-test"},
		{name: "a file", input: filepath.Join(k.dir, "vmlinux.btf"), want: " base_struct"},
		{name: "a file and a module", input: filepath.Join(k.dir, "vmlinux.btf"), modules: []string{filepath.Join(k.dir, "alpha.ko")}, want: " base_struct"},
		{name: "no BTF", input: filepath.Join(k.dir, "notes"), err: "no BTF"},
		{name: "no file", input: filepath.Join(k.dir, "absent"), err: "absent: no such file"},
		{name: "a broken one amid others", input: broken, want: " base_struct", err: "broken.tar: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := each(c.input, c.modules, c.opts)
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got the error %v, want %q", err, c.err)
			}
		})
	}
}

func TestEachEndsWithTheErrorOfUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "many.tar")
	if err := os.WriteFile(path, manyKernels(5), 0o600); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	n := 0
	err := Each(path, nil, Options{}, func(*Kernel) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("%d kernels, %v", n, err)
	}
}

// What is in memory does not grow with the number of kernels.
func TestEachKeepsNoKernel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "many.tar")
	if err := os.WriteFile(path, manyKernels(200), 0o600); err != nil {
		t.Fatal(err)
	}
	var heap []uint64
	err := Each(path, nil, Options{}, func(k *Kernel) error {
		if k.Release == "6.2.0-test" || k.Release == "6.199.0-test" {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			heap = append(heap, stats.HeapAlloc)
		}
		return nil
	})
	if err != nil || len(heap) != 2 {
		t.Fatalf("%d measured, %v", len(heap), err)
	}
	first, last := heap[0], heap[1]
	if size := uint64(100 << 10); last > first+20*size { // of 200 kernels with more than 100 KB each
		t.Errorf("%d bytes in use after the third kernel, %d after the last", first, last)
	}
}
