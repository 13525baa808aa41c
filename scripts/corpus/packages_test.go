package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackages(t *testing.T) {
	f := newFixture(t)
	// It takes the package itself for the BTF in it.
	f.write("btfgen", "#!/bin/sh\n[ \"$1\" = -i ] && cp \"$2\" \"$3\"\n", 0o755)
	var dirs []string
	for name, content := range map[string][2]string{"same": {"btf", "btf"}, "other": {"btf", "BTF"}, "lost": {"btf", ""}} {
		dirs = append(dirs, f.kernel(name, nil))
		f.write("cache/kernels/"+name+"/vmlinux.btf", content[0], 0o644)
		f.write("cache/kernels/"+name+"/package", "linux-modules-"+name+".deb\nlinux-image-"+name+".deb\n", 0o644)
		if content[1] != "" {
			f.write("cache/debs/linux-image-"+name+".deb", content[1], 0o644)
		}
	}
	d := driver{btfgen: filepath.Join(f.dir, "btfgen"), log: t.Logf}
	rows, err := d.packages(context.Background(), dirs)
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	for _, r := range rows {
		if r.holds() != strings.HasPrefix(r.kernel, "same") {
			t.Errorf("%+v", r)
		}
	}
}
