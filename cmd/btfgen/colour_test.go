package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen/verify"
)

// A report says the same in colours, and without any unless they are asked for.
func TestColourOfReports(t *testing.T) {
	holds := &verify.Report{Version: "19.1.7", Counts: verify.Counts{Records: 1}}
	for _, c := range []struct {
		report *verify.Report
		want   string
	}{
		{holds, "\x1b[32mholds\x1b[0m: clang 19.1.7"},
		{&verify.Report{}, "\x1b[1;31mdoes not hold\x1b[0m: "},
		{&verify.Report{Errors: []string{"\x1b[2J"}}, "\x1b[1;31mdoes not compile\x1b[0m with"},
		{&verify.Report{Counts: holds.Counts, Missing: []string{"struct a"}}, "\x1b[1;31mdoes not hold\x1b[0m: it lacks 1 type"},
	} {
		var colour, plain bytes.Buffer
		if err := printReport(&colour, "a.h", c.report, true); err != nil {
			t.Fatal(err)
		}
		if err := printReport(&plain, "a.h", c.report, false); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(colour.String(), "a.h: "+c.want) {
			t.Errorf("got %q, want %q", &colour, c.want)
		}
		without := strings.NewReplacer("\x1b[32m", "", "\x1b[1;31m", "", "\x1b[0m", "").Replace(colour.String())
		if without != plain.String() || strings.Contains(plain.String(), "\x1b") {
			t.Errorf("without colours it is %q, not %q", &plain, without)
		}
	}
	if usesColour(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
}
