package core

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Verdict says whether a program runs on a kernel.
type Verdict uint8

// The verdicts, from good to bad.
const (
	// Runs: the kernel has all that the program needs of what was looked at.
	Runs Verdict = iota
	// Degraded: it runs, and something that it asks for is missing there. The
	// program knows, and does without.
	Degraded
	// MayFail: whether it runs can't be decided, or depends on what is not known.
	MayFail
	// Fails: the kernel or the loader refuses it.
	Fails
)

var verdictNames = [...]string{"runs", "runs, degraded", "may fail", "fails"}

// String returns the verdict in words.
func (v Verdict) String() string { return verdictNames[min(int(v), len(verdictNames)-1)] }

var verdictKeys = [...]string{"runs", "degraded", "may fail", "fails"}

// MarshalText returns the verdict as it stands in JSON: "runs", "degraded", "may
// fail" or "fails".
func (v Verdict) MarshalText() ([]byte, error) {
	return []byte(verdictKeys[min(int(v), len(verdictKeys)-1)]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (v *Verdict) UnmarshalText(text []byte) error {
	i := slices.Index(verdictKeys[:], string(text))
	if i < 0 {
		return fmt.Errorf("%.20q is no verdict", text)
	}
	*v = Verdict(i)
	return nil
}

// Subject is what a finding is about.
type Subject string

// The subjects of findings.
const (
	AboutAccess   Subject = "access"   // a CO-RE relocation
	AboutAttach   Subject = "attach"   // what the program is attached to
	AboutArgument Subject = "argument" // an argument of that
	AboutKfunc    Subject = "kfunc"
	AboutKsym     Subject = "ksym"
	AboutKconfig  Subject = "kconfig"
	AboutHelper   Subject = "helper"
	AboutMap      Subject = "map"      // a struct_ops map
	AboutAnalysis Subject = "analysis" // the program can't be followed
)

// Finding is something that a program asks of a kernel and does not get there,
// or may not get.
type Finding struct {
	Verdict Verdict `json:"verdict"` // what it makes of the program
	Subject Subject `json:"subject"`
	// Name is what is asked for: an access as AccessPath returns it, or a name.
	// Text from objects and kernels stands in the strings of a finding only if it
	// is an identifier, or quoted.
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// File and Line are the place in the source, "" and 0 if it is not known;
	// Text is that line. They may be any string.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text,omitempty"`
	// DependsOn are the constants on whose values the verdict depends: variables
	// in .rodata, which the loader may set, and kconfig options.
	DependsOn []string `json:"dependsOn,omitempty"`
	// Instead tells what the kernel has instead.
	Instead []string `json:"instead,omitempty"`
	// Fix is C that would fix it, "" if there is none.
	Fix string `json:"fix,omitempty"`

	place place
	key   accessKey
}

// ProgramReport is the verdict about one program on one kernel.
type ProgramReport struct {
	Object  string  `json:"object"` // the object's name, as it was given
	Program string  `json:"program"`
	Section string  `json:"section"`
	Verdict Verdict `json:"verdict"`
	// Optional is true for programs that are loaded only if the loader is told
	// to: SEC("?...").
	Optional bool      `json:"optional,omitempty"`
	Findings []Finding `json:"findings,omitempty"` // the worst first
}

// KernelReport is the verdicts about all programs on one kernel.
type KernelReport struct {
	Kernel   string          `json:"kernel"`
	Release  string          `json:"release,omitempty"`
	Programs []ProgramReport `json:"programs"`

	present presence
}

// Worst returns the worst verdict about a program that is loaded without being
// asked for.
func (k *KernelReport) Worst() Verdict {
	worst := Runs
	for i := range k.Programs {
		if p := &k.Programs[i]; !p.Optional {
			worst = max(worst, p.Verdict)
		}
	}
	return worst
}

// Report is the verdicts about all programs on all kernels.
type Report struct {
	Kernels []KernelReport `json:"kernels"`
}

// OK reports whether all programs run on all kernels, degraded or not. Programs
// that are only loaded if the loader is told to don't count.
func (r *Report) OK() bool {
	for i := range r.Kernels {
		if r.Kernels[i].Worst() >= MayFail {
			return false
		}
	}
	return true
}

// String tells which programs do not run where, and why.
func (r *Report) String() string {
	var b strings.Builder
	for i := range r.Kernels {
		r.Kernels[i].print(&b)
	}
	if b.Len() == 0 {
		return "all programs run on all kernels"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// print writes what does not run on a kernel.
func (k *KernelReport) print(w io.Writer) {
	for i := range k.Programs {
		p := &k.Programs[i]
		if p.Verdict < MayFail || p.Optional {
			continue
		}
		fmt.Fprintf(w, "%s on %s: %s\n", p.Program, k.Kernel, p.Verdict)
		for j := range p.Findings {
			if f := &p.Findings[j]; f.Verdict >= MayFail {
				fmt.Fprintf(w, "    %s: %s\n", f.Name, f.Reason)
			}
		}
	}
}

// sortFindings puts the worst first, and drops what says nothing new.
func sortFindings(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Verdict, a.Verdict),
			cmp.Compare(a.place.function, b.place.function),
			cmp.Compare(a.place.instruction, b.place.instruction),
			cmp.Compare(a.Name, b.Name),
		)
	})
	type about struct {
		subject    Subject
		name, file string
		line       int
	}
	seen := make(map[about]bool)
	return slices.DeleteFunc(findings, func(f Finding) bool {
		key := about{f.Subject, f.Name, f.File, f.Line}
		if seen[key] {
			return true
		}
		seen[key] = true
		return false
	})
}
