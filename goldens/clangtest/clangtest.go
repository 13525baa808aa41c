// Package clangtest compiles C in tests with every clang that the machine has.
//
// [Compilers] finds them by name: clang, and clang-14 to clang-99. None at all
// fails the test: what only a compiler can prove is not to be skipped. [Find] is
// for programs beside the tests.
// [Clang.Compile] turns a source text into an object and reports diagnostics,
// [Clang.BTF] into BTF. [RandomTypes] writes such a text.
package clangtest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Clang is a clang on this machine.
type Clang struct {
	Name  string // of the command: "clang-19"
	Major int    // of its version
}

// Standards returns the names of the C standards that a header has to compile
// under, as this clang spells them.
func (c Clang) Standards() []string {
	if c.Major < 18 { // gnu23 is known from clang 18 on
		return []string{"gnu11", "gnu17", "gnu2x"}
	}
	return []string{"gnu11", "gnu17", "gnu23"}
}

var versionPattern = regexp.MustCompile(`clang version (\d+)\.`)

// standard are the names under which clang is looked for.
var standard = sync.OnceValue(func() []Clang {
	names := []string{"clang"}
	for major := 14; major < 100; major++ {
		names = append(names, fmt.Sprintf("clang-%d", major))
	}
	return probe(names)
})

// Find returns those clangs that run under one of the names given, oldest
// first, each version once. Without a name it looks for clang, and clang-14 to
// clang-99.
func Find(names ...string) []Clang {
	if len(names) == 0 {
		return slices.Clone(standard())
	}
	return probe(names)
}

func probe(names []string) []Clang {
	var found []Clang
	for _, name := range names {
		out, err := exec.Command(name, "--version").Output()
		if err != nil {
			continue
		}
		m := versionPattern.FindSubmatch(out)
		if m == nil {
			continue
		}
		major, _ := strconv.Atoi(string(m[1]))
		found = append(found, Clang{Name: name, Major: major})
	}
	slices.SortStableFunc(found, func(a, b Clang) int { return a.Major - b.Major })
	return slices.CompactFunc(found, func(a, b Clang) bool { return a.Major == b.Major })
}

// Compilers returns every clang of the machine, oldest first, each version
// once, and logs which they are. It fails the test if there is none.
func Compilers(t testing.TB) []Clang {
	t.Helper()
	all := Find()
	if len(all) == 0 {
		t.Fatal("no clang found, neither clang nor clang-14 and up: install one (Debian: apt install clang)")
	}
	var names []string
	for _, c := range all {
		names = append(names, fmt.Sprintf("%s (%d)", c.Name, c.Major))
	}
	t.Logf("compilers: %s", strings.Join(names, ", "))
	return all
}

// Newest returns the latest clang of the machine. It fails the test if there
// is none.
func Newest(t testing.TB) Clang {
	t.Helper()
	all := Compilers(t)
	return all[len(all)-1]
}

// AtLeast returns the latest clang of the machine for a test that needs a
// version's. It fails the test, with the reason, if there is none as new.
func AtLeast(t testing.TB, major int, reason string) Clang {
	t.Helper()
	c := Newest(t)
	if c.Major < major {
		t.Fatalf("the newest clang here is %s, and this test needs clang %d or a newer one: %s", c.Name, major, reason)
	}
	return c
}

// Compile compiles files (by their name, to be included as "name"), of which
// main.c is the unit, with the arguments given, and returns the object's path
// and what the compiler printed. The error is the compiler's exit status.
func (c Clang) Compile(t testing.TB, files map[string]string, args ...string) (object, output string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(c.Name, append(slices.Clone(args), "-c", "main.c", "-o", "main.o")...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return filepath.Join(dir, "main.o"), out.String(), err
}

// BTF compiles C for a BPF target, such as "bpfeb", with the flags given, and
// returns the BTF that the compiler wrote of it.
func (c Clang) BTF(t testing.TB, source, target string, flags ...string) []byte {
	t.Helper()
	object, output, err := c.Compile(t, map[string]string{"main.c": source}, append([]string{"-target", target, "-g"}, flags...)...)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, output, source)
	}
	file, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	section := file.Section(".BTF")
	if section == nil {
		t.Fatal("the object has no section .BTF")
	}
	raw, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
