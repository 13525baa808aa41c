// Package libbpftest asks libbpf, in tests, what it makes of a BPF object on a
// kernel that is given as a file of BTF.
//
// [Build] compiles a small C program, oracle/oracle.c, against the machine's
// libbpf. That program has libbpf load objects, and answers bpf(2) itself, so
// that neither privilege nor a certain kernel is needed: what counts are the
// instructions that libbpf would hand to the kernel.
package libbpftest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

//go:embed oracle/oracle.c
var source []byte

// LinkFlags names an environment variable with compiler flags to use in place
// of -lbpf, to ask another libbpf than the machine's:
//
//	BTFGEN_LIBBPF='-I/opt/libbpf/include /opt/libbpf/lib/libbpf.a -lelf -lz'
const LinkFlags = "BTFGEN_LIBBPF"

// Case is an object and the kernel it is to be loaded on.
type Case struct {
	Object string // file
	BTF    string // file of raw BTF
	// Modules are files of raw split BTF on it, up to 16, in the order in which
	// the kernel would list them.
	Modules []string
}

// Outcome is what libbpf makes of a program.
type Outcome struct {
	// Code holds the instructions that go to the kernel: the program's own, and
	// behind them those of the subprograms that it calls.
	Code []byte
	// Refused is libbpf's complaint if it doesn't load the program.
	Refused string
}

// Answer is what libbpf makes of a Case.
type Answer struct {
	Programs map[string]Outcome // by name
	// Refused is libbpf's complaint if it doesn't take the object at all.
	Refused string
}

// Oracle is the compiled program.
type Oracle struct {
	Major, Minor int // of libbpf's version
	path         string
}

// AtLeast reports whether libbpf has at least this version.
func (o *Oracle) AtLeast(major, minor int) bool {
	return o.Major > major || o.Major == major && o.Minor >= minor
}

// Build compiles the program. It fails the test if that isn't possible.
func Build(t testing.TB) *Oracle {
	t.Helper()
	o, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("libbpf %d.%d", o.Major, o.Minor)
	return o
}

// New is Build for programs beside the tests. What it compiles stays in dir,
// and has to be there as long as the oracle is asked.
func New(dir string) (*Oracle, error) {
	file := filepath.Join(dir, "oracle.c")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return nil, err
	}
	compiler := ""
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			compiler = path
			break
		}
	}
	if compiler == "" {
		return nil, errors.New("no C compiler found: install one (Debian: apt install gcc)")
	}
	o := &Oracle{path: filepath.Join(dir, "oracle")}
	link := []string{"-lbpf"}
	if flags := strings.Fields(os.Getenv(LinkFlags)); len(flags) > 0 {
		link = flags
	}
	args := append([]string{"-O1", "-Wall", "-o", o.path, file}, link...)
	if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s can't build the program that asks libbpf (it needs libbpf's headers and library; Debian: apt install gcc libc6-dev libbpf-dev): %w\n%s", compiler, err, out)
	}
	if _, err := o.ask(nil, &o.Major, &o.Minor); err != nil {
		return nil, err
	}
	return o, nil
}

// Ask has libbpf load each case's object, on all processors. The answers are in
// the order of the cases.
func (o *Oracle) Ask(t testing.TB, cases []Case) []Answer {
	t.Helper()
	answers, err := o.Answers(cases)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// Answers is Ask for programs beside the tests.
func (o *Oracle) Answers(cases []Case) ([]Answer, error) {
	workers := min(runtime.GOMAXPROCS(0), len(cases))
	parts := make([][]Answer, workers)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var part []Case
			for i := w; i < len(cases); i += workers {
				part = append(part, cases[i])
			}
			var major, minor int
			parts[w], errs[w] = o.ask(part, &major, &minor)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	answers := make([]Answer, len(cases))
	for i := range answers {
		answers[i] = parts[i%workers][i/workers]
	}
	return answers, nil
}

// ask runs the program once.
func (o *Oracle) ask(cases []Case, major, minor *int) ([]Answer, error) {
	var in, stderr bytes.Buffer
	for _, c := range cases {
		files := append([]string{c.Object, c.BTF}, c.Modules...)
		if strings.ContainsAny(strings.Join(files, ""), "\t\n") {
			return nil, fmt.Errorf("a file's name with a tab or line end: %q", files)
		}
		fmt.Fprintln(&in, strings.Join(files, "\t"))
	}
	cmd := exec.Command(o.path)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the program that asks libbpf: %w\n%s", err, &stderr)
	}
	answers, err := parse(out, major, minor)
	if err == nil && len(answers) != len(cases) {
		err = fmt.Errorf("%d answers for %d cases", len(answers), len(cases))
	}
	return answers, err
}

func parse(out []byte, major, minor *int) ([]Answer, error) {
	var answers []Answer
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		field := strings.Split(lines.Text(), "\t")
		var last *Answer
		if len(answers) > 0 {
			last = &answers[len(answers)-1]
		}
		switch {
		case field[0] == "libbpf" && len(field) == 3:
			var err1, err2 error
			*major, err1 = strconv.Atoi(field[1])
			*minor, err2 = strconv.Atoi(field[2])
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("odd version %q", field)
			}
		case field[0] == "case" && len(field) == 3:
			answers = append(answers, Answer{Programs: map[string]Outcome{}})
		case field[0] == "code" && len(field) == 3 && last != nil:
			code, err := hex.DecodeString(field[2])
			if err != nil {
				return nil, err
			}
			last.Programs[field[1]] = Outcome{Code: code}
		case field[0] == "error" && len(field) == 4 && last != nil:
			last.Programs[field[1]] = Outcome{Refused: field[2] + ": " + field[3]}
		case field[0] == "failed" && len(field) == 3 && last != nil:
			last.Refused = field[1] + ": " + field[2]
		default:
			return nil, fmt.Errorf("odd line %q", lines.Text())
		}
	}
	return answers, lines.Err()
}
