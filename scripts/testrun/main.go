// Command testrun runs go test, and says at the end what was not tested.
//
//	testrun [GO TEST ARGUMENT]...
//
// go test passes over tests that are skipped without a word. Here each reason for
// which some were is told in one line:
//
//	NOT TESTED here: there is no gcc for BPF (TestGCCKeepsCoRE)
//
// With CI=true that is a failure, but for what only another kernel would have: those
// reasons begin with "the running kernel". All else is as go test prints it, and so
// is the exit code.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
)

func main() {
	// go test gets the interrupt too, and ends as it sees fit.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	os.Exit(run(os.Args[1:], os.Getenv("CI") == "true", "", os.Stdout, os.Stderr))
}

// run runs go test in a directory and returns the exit code.
func run(args []string, ci bool, dir string, stdout, stderr io.Writer) (code int) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(stderr, "testrun:", err)
		return 2
	}
	skipped, err := read(out, stdout)
	if err != nil { // what is unread would stop go test
		fmt.Fprintln(stderr, "testrun: go test -json:", err)
		io.Copy(io.Discard, out)
		code = 2
	}
	var exit *exec.ExitError
	switch err := cmd.Wait(); {
	case errors.As(err, &exit):
		code = max(exit.ExitCode(), 1)
	case err != nil:
		fmt.Fprintln(stderr, "testrun:", err)
		code = 2
	}
	if avoidable := skipped.report(stdout); avoidable && ci {
		code = max(code, 1)
	}
	return code
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string // "" for what is said of a package
	Output  string
}

// said is a piece of a package's output.
type said struct{ test, text string }

// skips are the tests that were skipped, by the reason.
type skips struct {
	reasons []string // in the order in which they came
	tests   map[string][]string
}

// read prints what go test would without -json: of a package that passes one line,
// and all that is said of tests that fail, or do not end.
func read(in io.Reader, out io.Writer) (*skips, error) {
	s := &skips{tests: map[string][]string{}}
	outputs := map[string][]said{}       // by package
	done := map[string]map[string]bool{} // tests that passed or were skipped
	decoder := json.NewDecoder(bufio.NewReader(in))
	for {
		var e event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return s, err
		}
		switch {
		case e.Action == "build-output":
			fmt.Fprint(out, e.Output)
		case e.Action == "output":
			outputs[e.Package] = append(outputs[e.Package], said{e.Test, e.Output})
		case e.Test != "" && (e.Action == "pass" || e.Action == "skip"):
			if done[e.Package] == nil {
				done[e.Package] = map[string]bool{}
			}
			done[e.Package][e.Test] = true
			if e.Action == "skip" {
				s.add(e.Test, reason(outputs[e.Package], e.Test))
			}
		case e.Test == "" && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail"):
			show(out, outputs[e.Package], done[e.Package], e.Action == "fail")
			delete(outputs, e.Package)
			delete(done, e.Package)
		}
	}
}

// verdict is the line that go test prints of a package that passes, or has no tests.
var verdict = regexp.MustCompile(`^(ok  |\?   |)\t`)

// progress is what -v says, which -json brings with it.
var progress = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME|ATTR) `)

func show(out io.Writer, output []said, done map[string]bool, failed bool) {
	for _, o := range output {
		if failed && !done[o.test] && !progress.MatchString(o.text) || o.test == "" && verdict.MatchString(o.text) {
			fmt.Fprint(out, o.text)
		}
	}
}

// position is where a test said something: the file and line.
var position = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason returns what a test said last before it was skipped.
func reason(output []said, test string) string {
	last := ""
	for _, o := range output {
		text := strings.TrimRight(o.text, "\n")
		switch {
		case o.test != test || progress.MatchString(text) || strings.HasPrefix(strings.TrimSpace(text), "--- SKIP"):
		case position.MatchString(text):
			last = position.ReplaceAllString(text, "")
		case last != "" && strings.TrimSpace(text) != "": // goes on
			last += " " + strings.TrimSpace(text)
		}
	}
	if last == "" {
		return "no reason is given"
	}
	return last
}

func (s *skips) add(test, reason string) {
	if _, ok := s.tests[reason]; !ok {
		s.reasons = append(s.reasons, reason)
	}
	s.tests[reason] = append(s.tests[reason], test)
}

// ofKernel begins the reasons for which CI passes: it runs on the kernel that it has.
const ofKernel = "the running kernel "

// report prints a line for each reason, and returns whether CI could do without any
// of them.
func (s *skips) report(out io.Writer) (avoidable bool) {
	slices.Sort(s.reasons) // packages are tested in no order
	for _, reason := range s.reasons {
		tests := s.tests[reason]
		slices.Sort(tests)
		which := tests[0]
		if len(tests) > 1 {
			which = fmt.Sprintf("%d tests, such as %s", len(tests), which)
		}
		fmt.Fprintf(out, "NOT TESTED here: %s (%s)\n", reason, which)
		avoidable = avoidable || !strings.HasPrefix(reason, ofKernel)
	}
	return avoidable
}
