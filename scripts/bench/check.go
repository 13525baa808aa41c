package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	checkedObjects = 60 // as many as libbpf-tools has programs
	checkedKernels = 7
)

// checking measures btfgen check for 60 objects on 7 kernels, beside bpftool
// gen min_core_btf, which relocates the same objects on the same kernels, and
// for ten times as many kernels.
func checking(args []string) error {
	s, err := parse("check", args)
	if err != nil {
		return err
	}
	if len(s.files) == 0 {
		return fmt.Errorf("check: name kernels")
	}
	var objects []string
	var compiled []string
	for _, file := range s.files {
		object, err := compileFor(s, file)
		if err != nil {
			return err
		}
		compiled = append(compiled, object)
	}
	for i := range checkedObjects {
		object := compiled[i%len(compiled)]
		name := filepath.Join(s.out, fmt.Sprintf("object-%02d.bpf.o", i))
		if _, err := copyFile(name, object); err != nil {
			return err
		}
		objects = append(objects, name)
	}
	kernels := func(directory string, n int) (string, error) {
		directory = filepath.Join(s.out, directory)
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return "", err
		}
		for i := range n {
			if _, err := copyFile(filepath.Join(directory, fmt.Sprintf("kernel-%03d.btf", i)), s.files[i%len(s.files)]); err != nil {
				return "", err
			}
		}
		return directory, nil
	}
	few, err := kernels("few", checkedKernels)
	if err != nil {
		return err
	}
	many, err := kernels("many", 10*checkedKernels)
	if err != nil {
		return err
	}
	// Not all programs run on all kernels, so the exit code may be 1.
	run := func(directory string) []string {
		return []string{"sh", "-c", `"$0" check -q "$@"; [ $? -le 1 ]`, s.btfgen, "-k", directory, "--"}
	}
	one := &contestant{name: "btfgen", args: append(run(few), objects...)}
	ten := &contestant{name: "tenfold", args: append(run(many), objects...)}
	bpftool := &contestant{name: "bpftool", args: append([]string{"sh", "-c",
		`tool=$0 out=$1 kernels=$2; shift 2; shift; for k in "$kernels"/*; do "$tool" gen min_core_btf "$k" "$out" "$@" || exit; done`,
		s.bpftool, filepath.Join(s.out, "min.btf"), few, "--"}, objects...)}
	if err := interleave(s.rounds, s.out, one, bpftool, ten); err != nil {
		return err
	}
	fmt.Printf("%s, %d objects on %d kernels, and on %d; medians of %d rounds\n", versionOf(s.btfgen, "--version"), checkedObjects, checkedKernels, 10*checkedKernels, s.rounds)
	for _, c := range []*contestant{one, bpftool, ten} {
		fmt.Printf("  %-8s%v\n", c.name, c)
	}
	fmt.Printf("  ratio to bpftool gen min_core_btf %.2f; a kernel takes %.1f ms of 7, %.1f ms of 70\n", float64(one.median())/float64(bpftool.median()),
		ms(one.median())/checkedKernels, ms(ten.median())/checkedKernels/10)
	return nil
}
