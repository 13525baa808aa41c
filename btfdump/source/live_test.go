package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A kernel that shows no BTF: the error has what was looked for, and what of its
// files is there.
func TestRunningKernelsFiles(t *testing.T) {
	dir := t.TempDir()
	live := liveKernel{btf: dir + "/sys/kernel/btf", osrelease: write(t, dir, "osrelease", []byte("6.12.9-test\n")), root: dir}
	check := func(want ...string) {
		t.Helper()
		_, err := open("", nil, Options{}, live)
		var notShown *NotShownError
		if !errors.As(err, &notShown) || !errors.Is(err, ErrNoBTF) {
			t.Fatalf("got the error %v", err)
		}
		if notShown.Path != live.path("vmlinux") || notShown.Release != "6.12.9-test" || !slices.Equal(notShown.Files, want) {
			t.Errorf("got %+v, want the files %q", notShown, want)
		}
		for _, part := range append(want, live.path("vmlinux"), "CONFIG_DEBUG_INFO_BTF=y") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("got the error %q, want %q in it", err, part)
			}
		}
		if len(want) == 0 && !strings.Contains(err.Error(), "boot/vmlinuz-6.12.9-test, lib/modules/6.12.9-test/vmlinuz and the like") {
			t.Errorf("got the error %q, which does not say what was tried", err)
		}
	}
	check()
	write(t, dir, "boot/vmlinuz-6.1.0-other", nil)
	check()
	boot := write(t, dir, "boot/vmlinuz-6.12.9-test", []byte("a kernel"))
	check(boot)
	if err := os.MkdirAll(dir+"/lib/modules/6.12.9-test", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(boot, dir+"/lib/modules/6.12.9-test/vmlinuz"); err != nil {
		t.Fatal(err)
	}
	check(boot) // the same file
	debug := write(t, dir, "usr/lib/debug/boot/vmlinux-6.12.9-test", nil)
	check(debug, boot)
}

// A module that is built in has no types of its own.
func TestBuiltInModules(t *testing.T) {
	k := newTestKernel(t)
	k.live.root = k.dir
	const list = "kernel/fs/ext4/ext4.ko\nkernel/net/netfilter/nf-conntrack.ko\n"
	write(t, k.dir, "sys/module/loaded_one/initstate", []byte("live\n"))
	write(t, k.dir, "sys/module/built_in/parameters/x", nil)
	write(t, k.dir, "lib/modules/6.12.9-test/modules.builtin", []byte(list))
	tree := t.TempDir()
	write(t, tree, "boot/vmlinuz-6.12.9-test", bzImage(pack(t, kernelELF(kernelBTF("a")), "gzip", "-c", "-n")))
	write(t, tree, "usr/lib/modules/6.12.9-test/modules.builtin", []byte(list))
	for _, test := range []struct {
		input, module string
		is            error
		want          string
	}{
		{"", "built_in", ErrBuiltIn, "types are in the kernel already"},
		{"", "nf_conntrack", ErrBuiltIn, "modules.builtin says so"},
		{"", "nf-conntrack", ErrBuiltIn, "nf_conntrack"},
		{"", "loaded_one", ErrNoBTF, "is loaded, but"},
		{"", "ext", ErrNotLoaded, "modprobe ext"},
		{"", "kernel", ErrNotLoaded, "modprobe kernel"},
		{tree, "ext4", ErrBuiltIn, "its types are in the kernel already"},
		{tree, "xfs", ErrNoBTF, `no module "xfs"`},
		{filepath.Join(tree, "boot/vmlinuz-6.12.9-test"), "nf_conntrack", ErrBuiltIn, "its types are in the kernel already"},
	} {
		_, err := open(test.input, []string{test.module}, Options{}, k.live)
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %q: got the error %v, want %v with %q in it", test.module, test.input, err, test.is, test.want)
		}
	}
	// A list that goes on for ever is read no further than makes sense.
	write(t, k.dir, "lib/modules/6.12.9-test/modules.builtin", append(make([]byte, 8<<20), "\nkernel/late.ko\n"...))
	if _, err := open("", []string{"late"}, Options{}, k.live); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("got the error %v", err)
	}
}
