package btftest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	btfspec "github.com/cilium/ebpf/btf"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// The folder, the list in the package and the sums in PROVENANCE.md name the
// same files.
func TestCorpusIsWhatProvenanceSays(t *testing.T) {
	dir := btftest.CorpusDir(t)
	provenance, err := os.ReadFile(filepath.Join(dir, "PROVENANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\S+)$`).FindAllStringSubmatch(string(provenance), -1) {
		sums[m[2]] = m[1]
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.btf.xz"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		total += len(data)
		sum := sha256.Sum256(data)
		name := filepath.Base(file)
		if got := hex.EncodeToString(sum[:]); got != sums[name] {
			t.Errorf("%s: sha256 is %s, PROVENANCE.md has %q", name, got, sums[name])
		}
		delete(sums, name)
	}
	for name := range sums {
		t.Errorf("PROVENANCE.md has %s, the folder has not", name)
	}
	if limit := 6_000_000; total > limit {
		t.Errorf("the corpus has %d bytes, its limit is %d", total, limit)
	}
	if len(files) != len(btftest.Kernels) {
		t.Errorf("%d files, btftest.Kernels lists %d", len(files), len(btftest.Kernels))
	}
}

func TestCorpusReadsWithItsBase(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			raw := btftest.Corpus(t, k.Name)
			spec := load(t, raw, k.Base)
			first := btfspec.TypeID(1)
			if k.Base != "" {
				first += btfspec.TypeID(btftest.CountTypes(btftest.Corpus(t, k.Base)))
			}
			// cilium/ebpf has to find the same first and last ID.
			end := first + btfspec.TypeID(btftest.CountTypes(raw))
			for _, id := range []btfspec.TypeID{first, end - 1} {
				if _, err := spec.TypeByID(id); err != nil {
					t.Errorf("type %d: %v", id, err)
				}
			}
			if _, err := spec.TypeByID(end); !errors.Is(err, btfspec.ErrNotFound) {
				t.Errorf("type %d, one past the last: %v", end, err)
			}
		})
	}
}
