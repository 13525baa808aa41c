package core

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
)

// With several kernels, between which releases something came or went.

// accessKey is the number of a relocation among those of all objects, from 1.
type accessKey int

// presence is a set of accesses that a kernel has.
type presence []uint64

func (p presence) has(k accessKey) bool { return p[k/64]>>(k%64)&1 != 0 }
func (p presence) add(k accessKey)      { p[k/64] |= 1 << (k % 64) }

var versionPattern = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// version returns the kernel's version as a number that can be compared, and how
// to call the kernel. ok is false if it is not known.
func (k *KernelReport) version() (number int64, name string, ok bool) {
	text := k.Release
	if text == "" {
		text = versionPattern.FindString(filepath.Base(k.Kernel))
	}
	major, minor, patch, _ := parseRelease(text)
	return int64(major)<<32 | int64(minor)<<16 | int64(patch), text, major > 0
}

// A History knows which kernels have what. It takes a bit for each relocation
// and kernel.
type History struct {
	kernels []pastKernel
}

type pastKernel struct {
	number  int64
	name    string
	present presence
}

// Add notes what a kernel has. Kernels whose version is neither in their release
// nor in their name are left out.
func (h *History) Add(k *KernelReport) {
	number, name, ok := k.version()
	if !ok || k.present == nil {
		return
	}
	at, _ := slices.BinarySearchFunc(h.kernels, number, func(p pastKernel, n int64) int { return cmp.Compare(p.number, n) })
	h.kernels = slices.Insert(h.kernels, at, pastKernel{number, name, k.present})
}

// Tell returns when what a finding is about came or went, among the kernels that
// were added: "" if that is not known. The kernel is the one of the finding.
func (h *History) Tell(k *KernelReport, f *Finding) string {
	number, _, ok := k.version()
	if f.key == 0 || !ok {
		return ""
	}
	var before, after *pastKernel // the nearest that have it
	for i := range h.kernels {
		p := &h.kernels[i]
		switch {
		case !p.present.has(f.key):
		case p.number < number:
			before = p
		case p.number > number && after == nil:
			after = p
		}
	}
	switch {
	case before != nil && after != nil:
		return fmt.Sprintf("of the kernels given, %s and %s have it", before.name, after.name)
	case before != nil:
		for i := range h.kernels {
			if p := &h.kernels[i]; p.number > before.number && !p.present.has(f.key) {
				return fmt.Sprintf("of the kernels given, %s is the last that has it; it is renamed or gone in %s", before.name, p.name)
			}
		}
	case after != nil:
		return fmt.Sprintf("of the kernels given, %s is the first that has it", after.name)
	}
	return ""
}

// Compare adds to the report's findings when what is missing came or went.
func (r *Report) Compare() {
	var h History
	for i := range r.Kernels {
		h.Add(&r.Kernels[i])
	}
	for i := range r.Kernels {
		k := &r.Kernels[i]
		for j := range k.Programs {
			for n := range k.Programs[j].Findings {
				f := &k.Programs[j].Findings[n]
				if text := h.Tell(k, f); text != "" {
					f.Instead = append(slices.Clone(f.Instead), text)
				}
			}
		}
	}
}
