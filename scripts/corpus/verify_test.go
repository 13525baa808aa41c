package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// standIn takes btfgen's place: it makes headers that hold its arguments, and
// verifies one by printing what the test prepared for that compiler, or for the
// module that the header was made for.
const standIn = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/calls"
if [ "$1" != verify ]; then
	for last; do :; done
	echo "$@" >"$last"
	if grep -q bad-module "$last"; then echo "that module is bad" >&2; exit 2; fi
	exit 0
fi
key=$(echo "$@" | sed 's/.*--clang \([^ ]*\).*/\1/')
case "$*" in *-m*odd.btf*-m*) ;; *-m*odd.btf*) key=odd ;; esac
cat "$here/$key.json"
echo "a warning" >&2
echo "the last line" >&2
exit "$(cat "$here/$key.status")"
`

// headerPath is where the driver keeps headers.
var headerPath = regexp.MustCompile(`\S*btfgen-corpus-\S*\.h`)

type fixture struct {
	t   *testing.T
	dir string // of the stand-in
	log []string
	mu  sync.Mutex

	fast bool // of the driver
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir()}
	f.write("btfgen", standIn, 0o755)
	return f
}

func (f *fixture) write(name, text string, mode os.FileMode) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		f.t.Fatal(err)
	}
}

// answer has the stand-in say this for a compiler or the module odd.
func (f *fixture) answer(key string, status int, json string) {
	f.write(key+".json", json, 0o644)
	f.write(key+".status", fmt.Sprint(status), 0o644)
}

// kernel puts a kernel into a cache, with modules of the sizes given.
func (f *fixture) kernel(name string, modules map[string]int) string {
	dir := filepath.Join("cache/kernels", name)
	f.write(dir+"/vmlinux.btf", "", 0o644)
	f.write(dir+"/manifest", "", 0o644)
	if err := os.MkdirAll(filepath.Join(f.dir, dir, "modules"), 0o755); err != nil {
		f.t.Fatal(err)
	}
	for module, size := range modules {
		f.write(dir+"/modules/"+module+".btf", strings.Repeat("x", size), 0o644)
	}
	return filepath.Join(f.dir, dir)
}

func (f *fixture) run(each int, clangs []string, dirs ...string) []result {
	f.t.Helper()
	d := driver{btfgen: filepath.Join(f.dir, "btfgen"), clangs: clangs, each: each, fast: f.fast, log: func(format string, args ...any) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.log = append(f.log, fmt.Sprintf(format, args...))
	}}
	rows, err := d.verify(f.t.Context(), dirs)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range rows {
		rows[i].seconds = 0
	}
	return rows
}

func (f *fixture) logged(want string) {
	f.t.Helper()
	if !strings.Contains(strings.Join(f.log, "\n"), want) {
		f.t.Errorf("the log does not say %q:\n%s", want, strings.Join(f.log, "\n"))
	}
}

const (
	good     = `{"reports":[{"compiler":"c","counts":{"records":3,"enums":2,"typedefs":1,"functions":4},"mismatches":[],"absent":["struct gone"]}]}`
	mismatch = `{"reports":[{"counts":{"records":3},"mismatches":[{"type":"struct s","member":"m","aspect":"offset","btf":"4","compiler":"8"}],"absent":[]}]}`
	failure  = `{"reports":[{"errors":["vmlinux.h:3: expected ';'"],"counts":{},"mismatches":[],"absent":[]}]}`
)

func TestKernelThatHolds(t *testing.T) {
	f := newFixture(t)
	f.answer("old", 0, good)
	f.answer("new", 0, good)
	dir := f.kernel("6.1-amd64", map[string]int{"a": 10, "b": 30, "c": 20})
	got := f.run(2, []string{"old", "new"}, dir)
	want := []result{
		{kernel: "6.1-amd64", header: "kernel", clang: "old", types: 10, absent: 1},
		{kernel: "6.1-amd64", header: "kernel", clang: "new", types: 10, absent: 1},
		{kernel: "6.1-amd64", header: "with all modules", clang: "old", fast: true, types: 10, absent: 1, modules: 3},
		{kernel: "6.1-amd64", header: "with all modules", clang: "new", types: 10, absent: 1, modules: 3},
		{kernel: "6.1-amd64", header: "each module", clang: "new", fast: true, types: 20, absent: 2, modules: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if bad := countBad(got); bad != 0 {
		t.Errorf("%d rows do not hold", bad)
	}

	// The header is made from what it is verified against.
	calls, err := os.ReadFile(filepath.Join(f.dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	m := " -m " + dir + "/modules/"
	for _, want := range []string{
		"-i " + dir + "/vmlinux.btf HEADER\n",
		"verify HEADER -i " + dir + "/vmlinux.btf --json --clang old\n",
		"verify HEADER -i " + dir + "/vmlinux.btf --json --clang new\n",
		"-i " + dir + "/vmlinux.btf" + m + "b.btf" + m + "c.btf" + m + "a.btf HEADER\n",
		"verify HEADER -i " + dir + "/vmlinux.btf" + m + "b.btf" + m + "c.btf" + m + "a.btf --json --clang old --fast\n",
		"verify HEADER -i " + dir + "/vmlinux.btf" + m + "b.btf" + m + "c.btf" + m + "a.btf --json --clang new\n",
		"verify HEADER -i " + dir + "/vmlinux.btf" + m + "b.btf --json --clang new --fast\n",
		"verify HEADER -i " + dir + "/vmlinux.btf" + m + "a.btf --json --clang new --fast\n",
	} {
		if !strings.Contains("\n"+headerPath.ReplaceAllString(string(calls), "HEADER"), "\n"+want) {
			t.Errorf("no call %q in\n%s", want, calls)
		}
	}
	if n := strings.Count(string(calls), "\n"); n != 2+4+2*2 {
		t.Errorf("btfgen was called %d times:\n%s", n, calls)
	}
}

func TestFastVerification(t *testing.T) {
	f := newFixture(t)
	f.answer("new", 0, good)
	f.fast = true
	dir := f.kernel("6.1-amd64", map[string]int{"a": 10, "b": 30})
	got := f.run(0, []string{"new"}, dir)
	want := []result{
		{kernel: "6.1-amd64", header: "kernel", clang: "new", types: 10, absent: 1},
		{kernel: "6.1-amd64", header: "with all modules", clang: "new", fast: true, types: 10, absent: 1, modules: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWhatDoesNotHold(t *testing.T) {
	for _, test := range []struct {
		name       string
		status     int
		json       string
		mismatches int
		broken     int
		log        string
	}{
		{"mismatch", 1, mismatch, 1, 0, "k, kernel, cc: struct s m: offset is 4, with the compiler 8"},
		{"does not compile", 1, failure, 0, 1, "does not compile: vmlinux.h:3: expected ';'"},
		{"could not run", 2, "", 0, 1, "could not run: exit status 2: the last line"},
		{"killed", 137, good, 0, 1, "could not run: exit status 137: the last line"},
		{"a mismatch that was ignored", 0, mismatch, 1, 1, "ended with 0, which is not what its report says"},
		{"a failure without a reason", 1, good, 0, 1, "ended with 1, which is not what its report says"},
		{"nothing compared", 1, `{"reports":[{"counts":{},"mismatches":[],"absent":[]}]}`, 0, 1, "compared too little"},
		{"nothing compared, and that ignored", 0, `{"reports":[{"counts":{},"mismatches":[],"absent":[]}]}`, 0, 1, "compared too little"},
		{"only typedefs compared", 1, `{"reports":[{"counts":{"typedefs":3},"mismatches":[],"absent":["struct gone"]}]}`, 0, 1, "compared too little"},
		{"no report", 0, `{"reports":[]}`, 0, 1, "printed 0 reports"},
		{"two reports", 0, `{"reports":[{},{}]}`, 0, 1, "printed 2 reports"},
		{"nothing printed", 0, "", 0, 1, "output of btfgen verify --json: EOF"},
		{"no JSON", 0, "all is well", 0, 1, "output of btfgen verify --json: invalid character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.answer("cc", test.status, test.json)
			rows := f.run(0, []string{"cc"}, f.kernel("k", nil))
			if len(rows) != 1 {
				t.Fatalf("got %+v", rows)
			}
			if r := rows[0]; r.mismatches != test.mismatches || r.broken != test.broken || r.holds() {
				t.Errorf("got %+v", r)
			}
			if countBad(rows) != 1 {
				t.Error("the row is not counted as bad")
			}
			f.logged(test.log)
		})
	}
}

func TestBadModule(t *testing.T) {
	f := newFixture(t)
	f.answer("cc", 0, good)
	f.answer("odd", 1, mismatch)
	rows := f.run(9, []string{"cc"}, f.kernel("k", map[string]int{"fine": 1, "odd": 2, "bad-module": 3}))
	want := []result{
		{kernel: "k", header: "kernel", clang: "cc", types: 10, absent: 1},
		{kernel: "k", header: "with all modules", clang: "cc", modules: 3, broken: 1},
		{kernel: "k", header: "each module", clang: "cc", fast: true, modules: 3, types: 13, absent: 1, mismatches: 1, broken: 1},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %+v\nwant %+v", rows, want)
	}
	f.logged("k, with module bad-module: btfgen makes no header: exit status 2: that module is bad")
	f.logged("k, with module odd, cc: struct s m: offset is 4")
}

func TestTable(t *testing.T) {
	var b strings.Builder
	err := writeTable(&b, []result{
		{kernel: "6.1-amd64", header: "kernel", clang: "clang-14", types: 1000, absent: 2, seconds: 1.25},
		{kernel: "6.1-amd64", header: "each module", clang: "clang-19", fast: true, types: 70, modules: 7, mismatches: 3, seconds: 10},
		{kernel: "6.1-arm64", header: "kernel", clang: "clang-19", broken: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `kernel     header       clang            types  modules  mismatches  absent  seconds  result
6.1-amd64  kernel       clang-14         1000   0        0           2       1.2      holds
6.1-amd64  each module  clang-19 --fast  70     7        3           0       10.0     MISMATCH
6.1-arm64  kernel       clang-19         0      0        0           0       0.0      NOT VERIFIED: 1
all                                      1070            3           2       11.2     1 of 3 hold
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestSpread(t *testing.T) {
	all := strings.Split("abcdefghij", "")
	for n, want := range map[int]string{0: "", 1: "a", 2: "aj", 4: "adgj", 9: "abcdefghj", 10: "abcdefghij", 11: "abcdefghij"} {
		if got := strings.Join(spread(all, n), ""); got != want {
			t.Errorf("%d of ten: got %s, want %s", n, got, want)
		}
	}
}

func TestFindKernels(t *testing.T) {
	f := newFixture(t)
	f.kernel("6.1-amd64", nil)
	f.kernel("6.1-s390x", nil)
	f.kernel("7.2-amd64", nil)
	f.write("cache/kernels/unfinished/vmlinux.btf", "", 0o644)
	cache := filepath.Join(f.dir, "cache")
	for globs, want := range map[string]string{
		"*":           "6.1-amd64 6.1-s390x 7.2-amd64",
		"*amd64 6.1*": "6.1-amd64 6.1-s390x 7.2-amd64",
		"7.*":         "7.2-amd64",
	} {
		dirs, err := findKernels(cache, strings.Fields(globs))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, dir := range dirs {
			names = append(names, filepath.Base(dir))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %s, want %s", globs, got, want)
		}
	}
	_, err := findKernels(cache, []string{"8.*"})
	if err == nil || !strings.Contains(err.Error(), "run make corpus") {
		t.Errorf("no kernel: got error %v", err)
	}
}

// An interrupt ends the work, but what was found out before is kept.
func TestInterrupt(t *testing.T) {
	f := newFixture(t)
	f.answer("cc", 0, good)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := driver{btfgen: filepath.Join(f.dir, "btfgen"), clangs: []string{"cc"}, log: func(format string, args ...any) {
		if strings.HasPrefix(fmt.Sprintf(format, args...), "second, kernel") {
			cancel()
		}
	}}
	modules := map[string]int{"a": 1}
	rows, err := d.verify(ctx, []string{f.kernel("first", modules), f.kernel("second", modules), f.kernel("third", modules)})
	if err == nil || err.Error() != "interrupted at second" {
		t.Errorf("got error %v", err)
	}
	for _, r := range rows {
		if r.kernel != "first" || !r.holds() {
			t.Errorf("got %+v", r)
		}
	}
	if len(rows) != 2 {
		t.Errorf("got %d rows, want the two of the first kernel", len(rows))
	}
}
