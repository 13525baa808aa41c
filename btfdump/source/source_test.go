package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// A testKernel is a directory that looks like a running kernel with the modules
// alpha, beta_two and empty, and has their files too.
type testKernel struct {
	live liveKernel
	dir  string
}

func newTestKernel(t *testing.T) testKernel {
	t.Helper()
	k := testKernel{dir: t.TempDir()}
	k.live = liveKernel{btf: filepath.Join(k.dir, "btf"), osrelease: filepath.Join(k.dir, "osrelease")}
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("base_struct", 4, btftest.Field("a", integer, 0))
	module := func(name string) []byte {
		b := base.Split()
		b.Struct(name, 8, btftest.Field("a", integer, 0), btftest.Field("b", integer, 32))
		return b.Bytes()
	}
	vmlinux := base.Bytes()
	alpha, beta := module("alpha_struct"), module("beta_struct")
	for name, data := range map[string][]byte{
		"btf/vmlinux":     vmlinux,
		"btf/alpha":       alpha,
		"btf/beta_two":    beta,
		"btf/empty":       {0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"osrelease":       []byte("6.12.9-test\n"),
		"vmlinux.btf":     vmlinux,
		"vmlinux":         elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, vmlinux}),
		"alpha.ko":        elfFile(binary.LittleEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, alpha}),
		"beta-two.btf":    beta,
		"other/vmlinux":   btftest.New().Bytes(),
		"notes":           []byte("neither BTF nor ELF"),
		"nothing":         {},
		"broken.btf":      vmlinux[:30],
		"unrelated.ko":    elfFile(binary.LittleEndian, elfSection{".text", elf.SHT_PROGBITS, 0, []byte("code")}),
		"other/file.name": beta,
		"folder/notes":    []byte("nothing here"),
	} {
		path := filepath.Join(k.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func (k testKernel) open(input string, modules ...string) (*Kernel, error) {
	return open(input, modules, Options{}, k.live)
}

// structs returns the names of all structs in the order of their IDs.
func structs(v *btfdump.View) []string {
	var names []string
	for t := range v.All() {
		if t.Kind() == btfdump.KindStruct {
			names = append(names, t.Name())
		}
	}
	return names
}

func TestOpen(t *testing.T) {
	k := newTestKernel(t)
	in := func(name string) string { return filepath.Join(k.dir, name) }
	for _, test := range []struct {
		name    string
		input   string
		modules []string
		structs []string
		names   []string // of modules
		live    bool
	}{
		{"running", "", nil, []string{"base_struct"}, nil, true},
		{"running with a module", "", []string{"alpha"}, []string{"base_struct", "alpha_struct"}, []string{"alpha"}, true},
		{"module's name with a dash", "", []string{"beta-two"}, []string{"base_struct", "beta_struct"}, []string{"beta_two"}, true},
		{"all modules", "", []string{"all"}, []string{"base_struct", "alpha_struct", "beta_struct"}, []string{"alpha", "beta_two", "empty"}, true},
		{"all modules and one", "", []string{"beta_two", "all"}, []string{"base_struct", "alpha_struct", "beta_struct"}, []string{"alpha", "beta_two", "empty"}, true},
		{"empty module", "", []string{"empty"}, []string{"base_struct"}, []string{"empty"}, true},
		{"running with a module's file", "", []string{in("alpha.ko")}, []string{"base_struct", "alpha_struct"}, []string{"alpha"}, true},
		{"raw file", in("vmlinux.btf"), nil, []string{"base_struct"}, nil, false},
		{"ELF file", in("vmlinux"), nil, []string{"base_struct"}, nil, false},
		{"files of modules", in("vmlinux"), []string{in("beta-two.btf"), in("alpha.ko")}, []string{"base_struct", "alpha_struct", "beta_struct"}, []string{"alpha", "beta_two"}, false},
		{"file with another name", in("vmlinux"), []string{in("other/file.name")}, []string{"base_struct", "beta_struct"}, []string{"file.name"}, false},
		{"same module twice", in("vmlinux"), []string{in("alpha.ko"), in("./alpha.ko")}, []string{"base_struct", "alpha_struct"}, []string{"alpha"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			kernel, err := k.open(test.input, test.modules...)
			if err != nil {
				t.Fatal(err)
			}
			if got := structs(kernel.View); !slices.Equal(got, test.structs) {
				t.Errorf("got the structs %q, want %q", got, test.structs)
			}
			if !slices.Equal(kernel.Modules, test.names) {
				t.Errorf("got the modules %q, want %q", kernel.Modules, test.names)
			}
			release := ""
			if test.live {
				release = "6.12.9-test"
			}
			if kernel.Live != test.live || kernel.Release != release {
				t.Errorf("got live %t and release %q, want %t and %q", kernel.Live, kernel.Release, test.live, release)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	k := newTestKernel(t)
	in := func(name string) string { return filepath.Join(k.dir, name) }
	for _, test := range []struct {
		name    string
		input   string
		modules []string
		is      error
		want    []string
	}{
		{"no such file", in("missing"), nil, os.ErrNotExist, []string{in("missing")}},
		{"directory", in("folder"), nil, ErrNoBTF, []string{in("folder"), "boot/vmlinuz-*"}},
		{"no container", in("notes"), nil, ErrNoBTF, []string{in("notes"), "no BTF: it is text"}},
		{"empty file", in("nothing"), nil, ErrNoBTF, []string{in("nothing"), "empty"}},
		{"ELF without BTF", in("unrelated.ko"), nil, ErrNoBTF, []string{in("unrelated.ko"), "no section .BTF"}},
		{"cut short", in("broken.btf"), nil, nil, []string{in("broken.btf")}},
		{"module not loaded", "", []string{"gamma"}, ErrNotLoaded, []string{"gamma", "modprobe gamma"}},
		{"module's name for a file", in("vmlinux"), []string{"alpha"}, nil, []string{`"alpha"`, "./alpha.ko"}},
		{"all for a file", in("vmlinux"), []string{"all"}, nil, []string{"running kernel", "paths"}},
		{"module of another kernel", in("other/vmlinux"), []string{in("alpha.ko")}, nil, []string{in("alpha.ko"), in("other/vmlinux"), "that very kernel build"}},
		{"module without BTF", "", []string{in("unrelated.ko")}, ErrNoBTF, []string{in("unrelated.ko")}},
		{"no such module file", "", []string{in("missing.ko")}, os.ErrNotExist, []string{in("missing.ko")}},
		{"vmlinux as module", "", []string{"vmlinux"}, nil, []string{"vmlinux is no module"}},
		{"module without a name", "", []string{""}, nil, []string{"empty"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := k.open(test.input, test.modules...)
			if err == nil {
				t.Fatal("no error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got the error %q, which is no %q", err, test.is)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got the error %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestRunningKernelWithoutBTF(t *testing.T) {
	k := newTestKernel(t)
	k.live.btf = filepath.Join(k.dir, "nowhere")
	for _, modules := range [][]string{nil, {"all"}} {
		_, err := k.open("", modules...)
		if !errors.Is(err, ErrNoBTF) || !strings.Contains(err.Error(), "CONFIG_DEBUG_INFO_BTF=y") {
			t.Errorf("modules %q: got the error %v; want ErrNoBTF and the kernel option", modules, err)
		}
	}
}

// A release goes into the header's first comment, so it must not have anything
// in it that could end that.
func TestReleaseIsPlain(t *testing.T) {
	k := newTestKernel(t)
	for content, want := range map[string]string{
		"6.1.0-18-amd64\n": "6.1.0-18-amd64",
		"6.9 */ evil\n":    "",
		"":                 "",
	} {
		if err := os.WriteFile(k.live.osrelease, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := k.live.release(); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

func TestOpenStdin(t *testing.T) {
	k := newTestKernel(t)
	for _, name := range []string{"vmlinux.btf", "vmlinux"} {
		file, err := os.Open(filepath.Join(k.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		kernel, err := Open("-", []string{filepath.Join(k.dir, "alpha.ko")}, Options{Stdin: io.MultiReader(file)})
		file.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := structs(kernel.View), []string{"base_struct", "alpha_struct"}; !slices.Equal(got, want) {
			t.Errorf("%s: got the structs %q, want %q", name, got, want)
		}
	}
	_, err := Open("-", nil, Options{Stdin: strings.NewReader("plain text")})
	if !errors.Is(err, ErrNoBTF) || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("plain text: got the error %v; want ErrNoBTF and the words standard input", err)
	}
}

// The bytes of a file must be in memory once, since they are most of what a run
// needs. A second copy would also show in the time.
func TestReadsAFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.btf")
	const size = 32 << 20
	if err := os.WriteFile(path, append(smallBTF(), make([]byte, size)...), 0o644); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := find(path, wants{kernel: true}, Options{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > size+size/8 {
		t.Errorf("reading %d bytes took %d bytes of memory", size, got)
	}
}

func TestCorpusKernelInELF(t *testing.T) {
	raw := btftest.Corpus(t, "s390x-6.12")
	module := btftest.Corpus(t, "s390x-6.12.xfs")
	dir := t.TempDir()
	kernelFile, moduleFile := filepath.Join(dir, "vmlinux"), filepath.Join(dir, "xfs.ko")
	for path, data := range map[string][]byte{kernelFile: raw, moduleFile: module} {
		if err := os.WriteFile(path, elfFile(binary.BigEndian, elfSection{".BTF", elf.SHT_PROGBITS, 0, data}), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kernel, err := Open(kernelFile, []string{moduleFile}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kernel.View.Raw(), module) || !bytes.Equal(kernel.View.Base().Raw(), raw) {
		t.Error("the views hold other bytes than the files")
	}
	if len(kernel.View.Lookup("xfs_inode", btfdump.KindStruct)) == 0 || len(kernel.View.Lookup("task_struct", btfdump.KindStruct)) == 0 {
		t.Error("struct xfs_inode or task_struct is missing")
	}
}
