package btftest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ulikunitz/xz"
)

// Kernel is one BTF of the corpus in goldens/corpus; see PROVENANCE.md there.
type Kernel struct {
	Name string // for Corpus
	Base string // the name of the BTF that this one is split from, or ""
}

// Kernels lists the corpus. A base stands before what is split from it.
var Kernels = []Kernel{
	{Name: "amd64-7.2-cloud"},
	{Name: "amd64-7.2-cloud.bridge", Base: "amd64-7.2-cloud"},
	{Name: "amd64-7.2-cloud.btrfs", Base: "amd64-7.2-cloud"},
	{Name: "amd64-7.2-cloud.nf_conntrack", Base: "amd64-7.2-cloud"},
	{Name: "amd64-7.2-cloud.veth", Base: "amd64-7.2-cloud"},
	{Name: "arm64-6.1-cloud"},
	{Name: "armhf-6.1"},
	{Name: "btf_testmod.distilled-base"},
	{Name: "btf_testmod", Base: "btf_testmod.distilled-base"},
	{Name: "s390x-6.12"},
	{Name: "s390x-6.12.xfs", Base: "s390x-6.12"},
	{Name: "x86_64-layout-section"},
}

var corpus struct {
	sync.Mutex
	raw map[string][]byte
}

// Corpus returns the raw BTF of the corpus file NAME.btf.xz. It is unpacked
// once a process and shared: callers must not change it. It is safe for
// concurrent use.
func Corpus(t testing.TB, name string) []byte {
	t.Helper()
	corpus.Lock()
	defer corpus.Unlock()
	if raw, ok := corpus.raw[name]; ok {
		return raw
	}
	packed, err := os.ReadFile(filepath.Join(CorpusDir(t), name+".btf.xz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := xz.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if corpus.raw == nil {
		corpus.raw = map[string][]byte{}
	}
	corpus.raw[name] = raw
	return raw
}

// CorpusDir returns the path of goldens/corpus. Tests run in the directory of
// their package, so it is searched from there upwards.
func CorpusDir(t testing.TB) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, "goldens", "corpus")
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			return candidate
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("no goldens/corpus in or above %s", wd)
		}
	}
}
