package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btfdump/core"
)

// sample is what a run on two kernels could have found.
func sample() ([]*kernel, []*row, []check) {
	old, young := &kernel{name: "6.1", arch: "x86", size: 2_000_000}, &kernel{name: "7.2", arch: "x86", size: 3_000_000}
	open, exec := tool{name: "opensnoop"}, tool{name: "execsnoop"}
	rows := []*row{
		{tool: exec, kernel: old, object: "old/execsnoop.bpf.o", builtFor: old, slim: 4000, fields: 3000, minimal: 300, theirs: 400, libbpf: 2,
			slimTime: 700 * time.Millisecond, fieldsTime: 800 * time.Millisecond, minimalTime: 10 * time.Millisecond, theirTime: 20 * time.Millisecond},
		{tool: open, kernel: old, object: "young/opensnoop.bpf.o", builtFor: young, lacks: "no member named 'a|b'", minimal: 101, bpftoolFails: "bpftool: broken"},
		{tool: exec, kernel: young, object: "young/execsnoop.bpf.o", builtFor: young, slim: 5000, fields: 4001, minimal: 301, theirs: 300, problems: []string{"min.btf has 301 bytes, and bpftool's 300"}},
		{tool: open, kernel: young, object: "young/opensnoop.bpf.o", builtFor: young, slim: 6001, fields: 4000, minimal: 200, theirs: 200},
	}
	gone := []core.Finding{
		{Verdict: core.Degraded, Name: "a->b", Reason: "no b"},
		{Verdict: core.Fails, Name: "fentry/f", Reason: "the kernel's BTF has no function f"},
	}
	checks := []check{
		{built: "6.1", on: old, objects: 1, complete: true, programs: []core.ProgramReport{
			{Object: "old/execsnoop.bpf.o", Program: "enter", Section: "tp/x", Verdict: core.Runs},
			{Object: "old/execsnoop.bpf.o", Program: "leave", Section: "fentry/f", Verdict: core.Fails, Findings: gone},
		}, loads: loads{{"old/execsnoop.bpf.o", "enter"}: "permission denied: R1 invalid", {"old/execsnoop.bpf.o", "leave"}: ""}},
		{built: "7.2", on: young, objects: 2, programs: []core.ProgramReport{
			{Object: "young/execsnoop.bpf.o", Program: "leave", Section: "fentry/f", Verdict: core.Fails, Findings: gone},
			{Object: "young/opensnoop.bpf.o", Program: "open", Section: "tp/y", Verdict: core.Degraded},
		}},
		{built: shippedBy, on: young, objects: 1, programs: []core.ProgramReport{
			{Object: "objects/execsnoop-libbpf.bpf.o", Program: "leave", Section: "fentry/f", Verdict: core.Fails, Findings: gone},
		}},
	}
	return []*kernel{old, young}, rows, checks
}

func TestReport(t *testing.T) {
	kernels, rows, checks := sample()
	var out bytes.Buffer
	if bad := report(&out, []string{"clang 22"}, kernels, rows, checks); bad != 2 {
		t.Errorf("%d things do not hold, want 2: a size, and a program that loads", bad)
	}
	for _, want := range []string{
		"# libbpf-tools\n\n- clang 22\n",
		"| 6.1 | 1 of 2 | 2,000,000 | 4,000 | 4,000 | 3,000 | 700 ms | 800 ms | 300 | 400 | 0.75 | 10 ms | 20 ms | 2 |\n",
		"| 7.2 | 2 of 2 | 3,000,000 | 5,501 | 6,001 | 4,001 | - | - | 251 | 250 | 1.00 | - | - | 0 |\n",
		"| 6.1 | 6.1 | all | 1 | 1 | 0 | 0 | 1 | 1 of 2 |\n",
		"| 7.2 | 7.2 | no | 2 | 0 | 1 | 0 | 1 | - |\n",
		"though the kernel takes it\n\n| tool | program | what | built for | on |\n|---|---|---|---|---|\n" +
			"| execsnoop | leave, SEC(fentry/f) | is said to fail, and loads: fentry/f: the kernel's BTF has no function f | 6.1 | 6.1 |\n\n",
		"though the kernel refuses it\n\n| tool | program | what | built for | on |\n|---|---|---|---|---|\n" +
			"| execsnoop | enter, SEC(tp/x) | permission denied: R1 invalid | 6.1 | 6.1 |\n\n",
		"and why\n\n| tool | program | what | built for | on |\n|---|---|---|---|---|\n" +
			"| execsnoop | leave, SEC(fentry/f) | fentry/f: the kernel's BTF has no function f | 6.1, 7.2, Debian's objects | 6.1, 7.2 |\n\n",
		"## What does not hold\n\n- execsnoop, 7.2: min.btf has 301 bytes, and bpftool's 300\n",
		"| execsnoop | yes | 1 0 0 1 | 4,000 | 3,000 | 700 ms | 800 ms | 300 | 400 | 10 ms | 20 ms |\n",
		"| opensnoop | no: no member named 'a\\|b' (built for 7.2) | - | - | - | - | - | 101 | fails | - | - |\n\nbpftool gen min_core_btf: bpftool: broken\n",
		"| opensnoop | yes | 0 1 0 0 | 6,001 | 4,000 | - | - | 200 | 200 | - | - |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	rows[2].problems = nil
	checks[0].loads = nil
	out.Reset()
	if bad := report(&out, nil, kernels, rows, checks); bad != 0 || !strings.Contains(out.String(), "Nothing: all") || strings.Count(out.String(), "None.\n") != 2 {
		t.Errorf("%d things do not hold, want none\n%s", bad, &out)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "-", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestKernelOrder(t *testing.T) {
	var kernels []*kernel
	for _, name := range []string{"7.2.13+deb14-amd64", "6.12.117+deb13-amd64", "running 6.18.44", "6.1.0-50-amd64", "none"} {
		kernels = append(kernels, &kernel{name: name, arch: "x86"})
	}
	kernels = append(kernels, &kernel{name: "6.1.0-50-arm64", arch: "arm64"})
	slices.SortFunc(kernels, compareKernels)
	var got []string
	for _, k := range kernels {
		got = append(got, k.name)
	}
	want := []string{"6.1.0-50-arm64", "none", "6.1.0-50-amd64", "6.12.117+deb13-amd64", "running 6.18.44", "7.2.13+deb14-amd64"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for path, want := range map[string]string{
		"/cache/kernels/6.1.0-50-amd64/vmlinux.btf": "6.1.0-50-amd64",
		"goldens/corpus/amd64-7.2-cloud.btf.xz":     "amd64-7.2-cloud",
		"build/vmlinux":                             "build",
	} {
		if got := kernelName(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestFirstError(t *testing.T) {
	const said = `In file included from a.bpf.c:3:
./vmlinux.h:1:2: warning: odd [-Wodd]
a.bpf.c:169:30: error: call to undeclared function 'f'; ISO C99 and later do not support it
a.bpf.c:170:1: error: another
`
	if got := firstError(said); got != "call to undeclared function 'f'" {
		t.Errorf("%q", got)
	}
	if got := firstError("a.bpf.c:1:10: fatal error: 'x.h' file not found\n"); got != "'x.h' file not found" {
		t.Errorf("%q", got)
	}
	if got := firstError("clang: killed\n"); got != "" {
		t.Errorf("%q, want nothing", got)
	}
}
