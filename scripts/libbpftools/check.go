package main

import (
	"cmp"
	"log"
	"path/filepath"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/btfdump/source"
)

// A check is what there is to say about objects, all built for one kernel, on
// another one.
type check struct {
	built    string // for which kernel; Debian's are for their own
	on       *kernel
	complete bool // the types of all modules are known
	objects  int
	programs []core.ProgramReport
	// loads is what the kernel itself says; nil if it was not asked.
	loads loads
}

// shippedBy is what stands in the place of the kernel that Debian's objects
// were built for.
const shippedBy = "Debian's objects"

// check has all objects checked on all kernels of their architecture, and loads
// them where that can be done.
func (r *runner) check(rows []*row) ([]check, error) {
	type set struct {
		built   string
		objects []string
	}
	var checks []check
	for _, k := range r.kernels {
		var sets []set
		for _, built := range r.kernels {
			one := set{built: built.name}
			for _, w := range rows {
				if w.kernel == built && w.lacks == "" && built.arch == k.arch {
					one.objects = append(one.objects, w.object)
				}
			}
			sets = append(sets, one)
		}
		if k.arch == "x86" {
			sets = append(sets, set{shippedBy, r.shipped})
		}
		sets = slices.DeleteFunc(sets, func(s set) bool { return len(s.objects) == 0 })
		if len(sets) == 0 {
			continue
		}
		// A virtual machine takes minutes for what takes seconds here: it gets
		// the objects that were built for its kernel and for the newest one.
		var tried []string
		newest := r.newest(k.arch)
		for _, s := range sets {
			if k.isRunning() || s.built == k.name || s.built == newest.name || s.built == shippedBy {
				tried = append(tried, s.objects...)
			}
		}
		log.Printf("loading, %s", k.name)
		loaded, why := r.load(k, tried)
		if loaded == nil {
			log.Printf("programs are not loaded on %s: %s", k.name, why)
		}
		log.Printf("checking, %s", k.name)
		target, err := k.withModules()
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			var objects []*core.Object
			for _, path := range s.objects {
				object, err := readObject(path)
				if err != nil {
					return nil, err
				}
				objects = append(objects, object)
			}
			report := core.NewChecker(objects, core.CheckOptions{}).Check(target)
			checks = append(checks, check{built: s.built, on: k, complete: target.Complete, objects: len(objects), programs: report.Programs, loads: loaded})
		}
	}
	return checks, nil
}

// newest returns the newest kernel of an architecture that there is one of.
func (r *runner) newest(arch string) *kernel {
	var newest *kernel
	for _, k := range r.kernels { // sorted by version
		if k.arch == arch {
			newest = k
		}
	}
	return newest
}

// withModules returns the kernel with the types of all its modules, as far as
// they are known, so that what is in none of them is known to be missing.
func (k *kernel) withModules() (*core.Kernel, error) {
	modules := []string{"all"}
	release := ""
	if !k.isRunning() {
		dir := filepath.Dir(k.input)
		var err error
		if modules, err = filepath.Glob(filepath.Join(dir, "modules", "*.btf")); err != nil {
			return nil, err
		}
		if len(modules) > 0 { // corpus.sh's cache, which is ordered by releases
			release = filepath.Base(dir)
		}
	}
	found, err := source.Open(k.input, modules, source.Options{})
	if err != nil {
		return nil, err
	}
	target := core.NewKernel(k.name, found, len(modules) > 0)
	target.Release = cmp.Or(target.Release, release)
	return target, nil
}

// count returns how many programs there are by verdict.
func (c *check) count() (n [core.Fails + 1]int) {
	for _, p := range c.programs {
		n[p.Verdict]++
	}
	return n
}

// countLoaded returns how many programs the kernel was asked to load, and how
// many it took.
func (c *check) countLoaded() (asked, took int) {
	for _, p := range c.programs {
		if said, ok := c.loads[loadKey{p.Object, p.Program}]; ok {
			asked++
			if said == "" {
				took++
			}
		}
	}
	return asked, took
}

// A finding is a reason not to run, or a contradiction, and where it is so.
type finding struct {
	tool, program, section, what string
	built, on                    []string
}

// gather merges what is the same but for kernels, in the order of the tools.
func gather(checks []check, what func(check, core.ProgramReport) string) []finding {
	var all []finding
	for _, c := range checks {
		for _, p := range c.programs {
			text := what(c, p)
			if text == "" {
				continue
			}
			one := finding{tool: toolOf(p.Object), program: p.Program, section: p.Section, what: text}
			i := slices.IndexFunc(all, func(f finding) bool {
				return f.tool == one.tool && f.program == one.program && f.section == one.section && f.what == one.what
			})
			if i < 0 {
				i = len(all)
				all = append(all, one)
			}
			f := &all[i]
			if !slices.Contains(f.built, c.built) {
				f.built = append(f.built, c.built)
			}
			if !slices.Contains(f.on, c.on.name) {
				f.on = append(f.on, c.on.name)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		return strings.Compare(a.tool+"\x00"+a.program, b.tool+"\x00"+b.program)
	})
	return all
}

// whyFails returns why a program fails, "" if it does not.
func whyFails(_ check, p core.ProgramReport) string {
	if p.Verdict != core.Fails {
		return ""
	}
	var reasons []string
	for _, f := range p.Findings {
		if f.Verdict == core.Fails {
			reasons = append(reasons, f.Name+": "+f.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// falseFails returns what is wrong about a program that is said to fail and
// that the kernel takes.
func falseFails(c check, p core.ProgramReport) string {
	if said, asked := c.loads[loadKey{p.Object, p.Program}]; asked && said == "" && p.Verdict == core.Fails {
		return "is said to fail, and loads: " + whyFails(c, p)
	}
	return ""
}

// refused returns what the kernel says of a program that is said to run.
func refused(c check, p core.ProgramReport) string {
	if p.Verdict > core.Degraded {
		return ""
	}
	return c.loads[loadKey{p.Object, p.Program}]
}
