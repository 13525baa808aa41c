package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What go test leaves out is told in a line for each reason, and fails in CI but for
// what depends on the kernel. What fails is told as ever.
func TestRun(t *testing.T) {
	t.Parallel()
	const start = "package x\nimport (\"os\"; \"testing\")\nvar _ = os.Exit\n"
	for _, test := range []struct {
		name, source   string
		code, codeInCI int
		says           []string
		silent         []string
	}{
		{name: "all pass", source: `func TestA(t *testing.T) { t.Log("quiet") }`,
			says: []string{"ok  \tx\t"}, silent: []string{"quiet", "NOT TESTED", "=== RUN", "PASS"}},
		{name: "no tests", source: `var _ testing.TB`, says: []string{"ok  \tx\t", "[no tests to run]"}},
		{name: "skipped", source: `func TestA(t *testing.T) { t.Log("before"); t.Skip("no gcc for BPF") }`, codeInCI: 1,
			says: []string{"ok  \tx\t", "NOT TESTED here: no gcc for BPF (TestA)\n"}, silent: []string{"before"}},
		{name: "several for one reason", source: `func TestA(t *testing.T) { for _, n := range []string{"b", "a"} { t.Run(n, func(t *testing.T) { t.Parallel(); t.Skip("none") }) } }`, codeInCI: 1,
			says: []string{"NOT TESTED here: none (2 tests, such as TestA/a)\n"}},
		{name: "several reasons", source: `func TestA(t *testing.T) { t.Skip("second") }; func TestB(t *testing.T) { t.Skip("first\nand more") }; func TestC(t *testing.T) { t.SkipNow() }`, codeInCI: 1,
			says: []string{"NOT TESTED here: first and more (TestB)\nNOT TESTED here: no reason is given (TestC)\nNOT TESTED here: second (TestA)\n"}},
		{name: "of the kernel", source: `func TestA(t *testing.T) { t.Skip("the running kernel has none") }`,
			says: []string{"NOT TESTED here: the running kernel has none (TestA)\n"}},
		{name: "of the kernel and not", source: `func TestA(t *testing.T) { t.Skip("the running kernel has none") }; func TestB(t *testing.T) { t.Skip("no root") }`, codeInCI: 1},
		{name: "fails", source: `func TestA(t *testing.T) { t.Run("good", func(t *testing.T) { t.Log("quiet") }); t.Run("bad", func(t *testing.T) { t.Log("loud"); t.Fail() }) }; func TestB(t *testing.T) { t.Skip("none") }`, code: 1, codeInCI: 1,
			says: []string{"--- FAIL: TestA", "--- FAIL: TestA/bad", ": loud\n", "FAIL\tx\t", "NOT TESTED here: none (TestB)\n"}, silent: []string{"quiet", "=== RUN", "ok  \t"}},
		{name: "panics", source: `func TestA(t *testing.T) { panic("boo") }`, code: 1, codeInCI: 1, says: []string{"panic: boo", "main_test.go:4", "FAIL\tx\t"}},
		{name: "ends early", source: `func TestMain(m *testing.M) { m.Run(); os.Exit(3) }; func TestA(t *testing.T) {}`, code: 1, codeInCI: 1, says: []string{"FAIL\tx\t"}},
		{name: "does not compile", source: `func TestA(t *testing.T) { nothing() }`, code: 1, codeInCI: 1, says: []string{"undefined: nothing", "FAIL\tx [build failed]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{"go.mod": "module x\n\ngo 1.25\n", "main_test.go": start + test.source + "\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, ci := range []bool{true, false} {
				want := test.codeInCI
				if !ci {
					if want = test.code; want == test.codeInCI {
						continue
					}
				}
				var out strings.Builder
				if code := run([]string{"-vet=off", "./..."}, ci, dir, &out, &out); code != want {
					t.Errorf("CI %v: exit code %d, want %d", ci, code, want)
				}
				said := out.String()
				for _, s := range test.says {
					if !strings.Contains(said, s) {
						t.Errorf("CI %v: no %q", ci, s)
					}
				}
				for _, s := range test.silent {
					if strings.Contains(said, s) {
						t.Errorf("CI %v: %q", ci, s)
					}
				}
				if t.Failed() {
					t.Fatal(said)
				}
			}
		})
	}
}

// What can't be run is no success.
func TestRunWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	if code := run(nil, false, "", &out, &out); code != 2 || !strings.Contains(out.String(), "testrun: exec: \"go\"") {
		t.Errorf("exit code %d, %s", code, &out)
	}
}
