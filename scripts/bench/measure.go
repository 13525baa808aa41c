package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A contestant is a program with its arguments, and what its runs took.
type contestant struct {
	name  string
	args  []string
	times []time.Duration
	peak  int64 // KiB
	size  int64 // bytes of output
}

// run runs the program once, with its output going to a new file in dir.
func (c *contestant) run(dir string) error {
	path := filepath.Join(dir, "output")
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer out.Close()
	var stderr strings.Builder
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	start := time.Now()
	err = cmd.Run()
	c.times = append(c.times, time.Since(start))
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.args, " "), err, stderr.String())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = max(c.peak, usage.Maxrss)
	}
	info, err := out.Stat()
	if err == nil {
		c.size = info.Size()
	}
	return err
}

func (c *contestant) median() time.Duration {
	times := slices.Sorted(slices.Values(c.times))
	return times[len(times)/2]
}

func (c *contestant) String() string {
	return fmt.Sprintf("%8.1f ms (fastest %.1f), peak %5.1f MB, %5.2f MB of output", ms(c.median()), ms(slices.Min(c.times)), float64(c.peak)/1024, float64(c.size)/1e6)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// interleave runs all contestants in turn, so that what else the machine does
// is no disadvantage of one. A first round that is not counted fills caches.
func interleave(rounds int, dir string, contestants ...*contestant) error {
	for round := range rounds + 1 {
		for _, c := range contestants {
			if err := c.run(dir); err != nil {
				return err
			}
			if round == 0 {
				c.times = c.times[:0]
			}
		}
	}
	return nil
}

func versionOf(program, flag string) string {
	out, err := exec.Command(program, flag).Output()
	if err != nil {
		return program + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// compare runs btfgen and bpftool on the same files.
func compare(args []string) error {
	s, err := parse("compare", args)
	if err != nil {
		return err
	}
	fmt.Printf("%s against %s, medians of %d rounds\n", versionOf(s.btfgen, "--version"), versionOf(s.bpftool, "version"), s.rounds)
	for _, file := range s.files {
		ours := &contestant{name: "btfgen", args: []string{s.btfgen, "-i", file, "-"}}
		theirs := &contestant{name: "bpftool", args: []string{s.bpftool, "btf", "dump", "file", file, "format", "c"}}
		if err := interleave(s.rounds, s.out, ours, theirs); err != nil {
			return err
		}
		fmt.Printf("%s\n  %-8s%v\n  %-8s%v\n  ratio of medians %.3f\n", filepath.Base(file), ours.name, ours, theirs.name, theirs,
			float64(ours.median())/float64(theirs.median()))
	}
	return nil
}

// linear runs btfgen on a file and on one with ten times as many types.
func linear(args []string) error {
	s, err := parse("linear", args)
	if err != nil {
		return err
	}
	if len(s.files) != 2 {
		return fmt.Errorf("linear: want two files, got %d", len(s.files))
	}
	one := &contestant{name: "once", args: []string{s.btfgen, "-i", s.files[0], "-"}}
	ten := &contestant{name: "tenfold", args: []string{s.btfgen, "-i", s.files[1], "-"}}
	if err := interleave(s.rounds, s.out, one, ten); err != nil {
		return err
	}
	fmt.Printf("ten times the types\n  %-8s%v\n  %-8s%v\n  ratio of medians %.1f\n", one.name, one, ten.name, ten, float64(ten.median())/float64(one.median()))
	return nil
}
