package verify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

// limited is a shell script's start, which waits until its limits are there.
const limited = "until grep -q 'Max data size *4294967296 ' /proc/self/limits && grep -q 'Max file size *536870912 ' /proc/self/limits; do sleep 0.01; done\n"

// What a compiler may allocate and write for a header is limited, and it is said
// which of them it was.
func TestLimitsOfClang(t *testing.T) {
	for script, want := range map[string]string{
		limited + "exit 0": "",
		limited + "exec dd if=/dev/zero of=x bs=1M seek=511 count=2":                                    "writes a file of more than 512 MiB",
		"echo 'LLVM ERROR: out of memory' >&2; kill -ABRT $$":                                           "ran out of memory, of which it gets 4 GiB at most",
		"echo 'fatal error: error in backend: IO failure on output stream: File too large' >&2; exit 1": "writes a file of more than 512 MiB",
	} {
		_, _, _, err := compileFile(fakeClang(t, script))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v", script, err)
		}
	}
}

// Where there is no room for temporary files is an error of its own, and not the
// header's; unless it is the header that says so.
func TestNoRoom(t *testing.T) {
	for script, want := range map[string]bool{
		"echo 'fatal error: error in backend: IO failure on output stream: No space left on device' >&2; exit 1": true,
		"echo \"error: unable to open output file 'x.o': 'Read-only file system'\" >&2; exit 1":                  true,
		"echo 'clang: error: unable to make temporary file: Disk quota exceeded' >&2; exit 1":                    true,
		"echo 'a.h:1:2: error: No space left on device' >&2; exit 1":                                             false,
	} {
		_, found, _, err := compileFile(fakeClang(t, script))
		if errors.As(err, new(*TempError)) != want || want == (len(found) > 0) {
			t.Errorf("%s: %q, %v", script, found, err)
		}
	}
	// A directory that is gone.
	cc := fakeClang(t, "exit 0")
	cc.dir = filepath.Join(cc.dir, "none")
	if _, _, _, err := compileFile(cc); !errors.As(err, new(*TempError)) {
		t.Errorf("the error is %v", err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	var temp *TempError
	if _, _, err := TempDir(); !errors.As(err, &temp) || temp.Dir != os.Getenv("TMPDIR") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

// Data of a header's own does not make an object that is read.
func TestObjectLimit(t *testing.T) {
	cc, err := newClang(clangtest.Newest(t).Name, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[string]string{"1 << 20": "", "33 << 20": "more than the 33554432 that are read"} {
		if err := cc.write("x.c", "char x["+size+"] = {1};\n"); err != nil {
			t.Fatal(err)
		}
		var args Arguments
		args.Flags("-target", "bpfel", "-c", "-o", "x.o")
		args.Source("x.c")
		if _, _, _, err := cc.compile(t.Context(), args); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(cc.dir, "x.o")
		err := readObject(path, func(o object) error {
			all, err := o.variables()
			if err == nil && all["x"] == nil {
				err = errors.New("no variable")
			}
			return err
		})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v", size, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the object is still there", size)
		}
	}
}
