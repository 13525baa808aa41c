package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/source"
)

func TestKernels(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{
		"hub/debian/12/6.1.btf.tar.xz", "hub/debian/12/6.12.btf", "hub/debian/SHA256SUMS", "hub/vmlinuz-6.18", "hub/linux-image.deb", "hub/kernel.rpm",
		"hub/vmlinux.h", "hub/.hidden.btf", "hub/notes.tar.gz", "hub/module.ko.xz",
		"other/6.12.btf", "modules/6.18/kernel/a.ko", "empty/file", "6.1.btf",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../6.1.btf", "hub/link.btf"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		patterns string
		want     string // inputs and names of BTF, or the error
	}{
		{"hub", "hub/debian/12/6.1.btf.tar.xz=debian/12/6.1.btf hub/debian/12/6.12.btf=debian/12/6.12.btf hub/kernel.rpm=kernel.btf hub/link.btf=link.btf hub/linux-image.deb=linux-image.btf hub/notes.tar.gz=notes.btf hub/vmlinuz-6.18=vmlinuz-6.18.btf"},
		{"hub/debian/12/", "hub/debian/12/6.1.btf.tar.xz=6.1.btf hub/debian/12/6.12.btf=6.12.btf"},
		{"hub/vmlinux.h", "hub/vmlinux.h=vmlinux.h.btf"}, // named by itself, anything is a kernel
		{"hub/*/12/*.btf other/6.12.btf", "hub/debian/12/6.12.btf=debian/12/6.12.btf other/6.12.btf=6.12.btf"},
		{"hub/deb*", "hub/debian/12/6.1.btf.tar.xz=debian/12/6.1.btf hub/debian/12/6.12.btf=debian/12/6.12.btf"},
		{"*.btf", "6.1.btf=6.1.btf"},
		{"6.1.btf 6.1.btf", "6.1.btf=6.1.btf"},
		{"modules/6.18", "modules/6.18=6.18.btf"},
		{"empty", "empty: no BTF: the directory has no file called as kernels"},
		{"nowhere", "nowhere: no such file"},
		{"no*where", "no*where matches no file"},
		{"[", "[: syntax error"},
		{"other hub/debian/12", "other/6.12.btf and hub/debian/12/6.12.btf have the same name, 6.12.btf"},
	} {
		kernels, err := source.Kernels(strings.Fields(c.patterns))
		var got []string
		for _, k := range kernels {
			got = append(got, filepath.ToSlash(k.Input)+"="+k.BTFName())
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if text := strings.Join(got, " "); text != c.want && (err == nil || !strings.HasPrefix(text, c.want)) {
			t.Errorf("%s: got %s, want %s", c.patterns, text, c.want)
		}
	}
	if _, err := source.Kernels([]string{"empty"}); !errors.Is(err, source.ErrNoBTF) {
		t.Errorf("the error of an empty directory is %v", err)
	}
	if _, err := source.Kernels([]string{"hub", ""}); err == nil {
		t.Error("an empty name is taken")
	}
	if kernels, err := source.Kernels(nil); err != nil || !slices.Equal(kernels, nil) {
		t.Errorf("without names: %v, %v", kernels, err)
	}
}
