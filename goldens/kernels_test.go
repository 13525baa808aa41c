package goldens_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func TestKernelHeadersCompile(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			compileEverywhere(t, v, text, "")
		})
	}
}

// All modules of one kernel at once, which share names among each other.
func TestAllModulesTogether(t *testing.T) {
	const base = "amd64-7.2-cloud"
	var modules [][]byte
	for _, k := range btftest.Kernels {
		if k.Base == base {
			modules = append(modules, btftest.Corpus(t, k.Name))
		}
	}
	v := readView(t, btftest.Corpus(t, base), modules...)
	_, text := header(t, v, cgen.Options{Kfuncs: true})
	compileEverywhere(t, v, text, "")
}

// The header depends on the types, never on their IDs, and not on how many
// goroutines print it.
func TestShuffledKernelsGiveTheSameHeader(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			own := btftest.Corpus(t, k.Name)
			read := func(seed uint64) *btfdump.View {
				switch {
				case k.Base == "" && seed == 0:
					return readView(t, own)
				case k.Base == "":
					return readView(t, btftest.Shuffle(own, seed))
				case seed == 0:
					return readView(t, btftest.Corpus(t, k.Base), own)
				default:
					base := btftest.Corpus(t, k.Base)
					return readView(t, base, btftest.ShuffleSplit(own, base, seed))
				}
			}
			_, want := header(t, read(0), cgen.Options{Kfuncs: true, Workers: 1})
			if _, got := header(t, read(0), cgen.Options{Kfuncs: true, Workers: 2}); got != want {
				t.Errorf("two goroutines print another header: %s", firstDifference(got, want))
			}
			for seed := uint64(1); seed <= 2; seed++ {
				if _, got := header(t, read(seed), cgen.Options{Kfuncs: true}); got != want {
					t.Errorf("shuffled with seed %d: %s", seed, firstDifference(got, want))
				}
			}
		})
	}
}

// firstDifference shows the first line that differs, behind the digest, which
// always does then.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && !strings.Contains(a[i], "digest:") {
			return fmt.Sprintf("line %d is\n\t%s\nwant\n\t%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

var (
	recordPattern = regexp.MustCompile(`(?m)^(struct|union) (\w+) \{`)
	enumPattern   = regexp.MustCompile(`(?m)^enum (\w+)\b[^;\n]*\{`)
)

// Every named record and enum of the BTF is in the header exactly once.
func TestEveryNamedTypeIsDeclaredOnce(t *testing.T) {
	for _, k := range btftest.Kernels {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			v := corpusView(t, k)
			p, text := header(t, v, cgen.Options{Kfuncs: true})
			declared := map[string]int{}
			for _, m := range recordPattern.FindAllStringSubmatch(text, -1) {
				declared[m[1]+" "+m[2]]++
			}
			for _, m := range enumPattern.FindAllStringSubmatch(text, -1) {
				declared["enum "+m[1]]++
			}
			wanted := 0
			for typ := range v.All() {
				if !typ.HasName() || !typ.Kind().IsRecord() && !typ.Kind().IsEnum() {
					continue
				}
				wanted++
				tag := strings.TrimSuffix(typ.Kind().String(), "64")
				name := tag + " " + p.Name(typ.ID())
				if declared[name] != 1 {
					t.Errorf("%s (type %d) is declared %d times", name, typ.ID(), declared[name])
				}
			}
			if wanted < 20 {
				t.Errorf("the BTF has %d named records and enums", wanted)
			}
			// The plan says the same of typedefs: each canonical one once.
			times := map[btfdump.TypeID]int{}
			for _, d := range p.Decls() {
				if d.Kind == cgen.DeclTypedef {
					times[d.ID]++
				}
			}
			for typ := range v.All() {
				if typ.Kind() == btfdump.KindTypedef && times[p.Canonical(typ.ID())] != 1 {
					t.Errorf("typedef %s (type %d) is declared %d times", typ.Name(), typ.ID(), times[p.Canonical(typ.ID())])
				}
			}
		})
	}
}
