package source

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A file that is not the kernel's own may be cut short while it is read, so it
// must not be mapped.
func TestMapsOnlySysfs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(path, smallBTF(), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, ok := mapSysfs(file, int64(len(smallBTF()))); ok {
		t.Error("a file outside sysfs was mapped")
	}
}

// What is mapped, or read where it can't be, is what the file holds.
func TestMappedIsWhatIsRead(t *testing.T) {
	want, err := os.ReadFile(running.path("vmlinux"))
	got, errLive := running.vmlinux()
	if (err == nil) != (errLive == nil) {
		t.Fatalf("reading the file: %v; opening the running kernel: %v", err, errLive)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, which are not the %d of the file", len(got), len(want))
	}
}
