package cgen_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// kfuncPrototypes returns the prototypes of kfuncs in a kernel's header.
func kfuncPrototypes(t *testing.T, raw []byte) []string {
	t.Helper()
	view, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := cgen.NewPlan(view, nil, cgen.Options{Kfuncs: true})
	if err != nil {
		t.Fatal(err)
	}
	header, err := plan.Print()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^extern .*__ksym.*$`).FindAllString(string(header), -1)
}

// A kernel whose BTF does not mark its kfuncs gets the same prototypes from the
// table of known names as it gets from its marks. The kernel without marks is
// one whose decl tags are called something else.
func TestKfuncsWithoutMarks(t *testing.T) {
	marked := btftest.Corpus(t, "amd64-7.2-cloud")
	unmarked := bytes.ReplaceAll(marked, []byte("\x00bpf_kfunc\x00"), []byte("\x00not_kfunc\x00"))
	if bytes.Equal(marked, unmarked) {
		t.Fatal("the kernel has no string bpf_kfunc")
	}
	want := kfuncPrototypes(t, marked)
	got := kfuncPrototypes(t, unmarked)
	if len(want) < 200 {
		t.Errorf("the kernel's marks give only %d prototypes", len(want))
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing without marks: %s", line)
		}
	}
	// The table knows other kernels' kfuncs too, which may be plain functions here.
	if len(got) > len(want)+len(want)/4 {
		t.Errorf("got %d prototypes without marks, %d with", len(got), len(want))
	}
}

// A real kernel without marks, too old for most kfuncs, has some all the same.
func TestKfuncsOfOldKernel(t *testing.T) {
	lines := kfuncPrototypes(t, btftest.Corpus(t, "arm64-6.1-cloud"))
	for _, name := range []string{"tcp_slow_start", "tcp_reno_cong_avoid"} {
		if !slices.ContainsFunc(lines, regexp.MustCompile(`\b`+name+`\(`).MatchString) {
			t.Errorf("no prototype of %s among %d", name, len(lines))
		}
	}
}

// Two functions of one name are told apart by their prototypes, whatever these
// mention.
func TestKfuncsOfOneName(t *testing.T) {
	build := func(order []string) *btfdump.View {
		return view(t, func(b *btftest.Builder) {
			for _, name := range order {
				enum := b.Enum("", 4, btftest.Val(name, 1))
				b.DeclTag("bpf_kfunc", b.Func("f", b.FuncProto(btftest.Void, btftest.Arg("a", enum)), btftest.Global), -1)
			}
		})
	}
	var texts []string
	for _, order := range [][]string{{"A", "B"}, {"B", "A"}} {
		text, err := makeHeader(build(order), nil, cgen.Options{Kfuncs: true, NoProvenance: true})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if texts[0] != texts[1] {
		t.Errorf("the order of types decides:\n%s\n%s", texts[0], texts[1])
	}
	if n := strings.Count(texts[0], "__weak __ksym;"); n != 1 {
		t.Errorf("%d prototypes, want one", n)
	}
}
