package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/core.bpf.c
var coreProgram []byte

// compileFor compiles that program with the header of a kernel.
func compileFor(s settings, kernel string) (object string, err error) {
	source := filepath.Join(s.out, "core.bpf.c")
	if err := os.WriteFile(source, coreProgram, 0o644); err != nil {
		return "", err
	}
	header := filepath.Join(s.out, "vmlinux.h")
	object = filepath.Join(s.out, filepath.Base(kernel)+".bpf.o")
	for _, args := range [][]string{
		{s.btfgen, "-q", "-i", kernel, header},
		{s.clang, "-target", "bpfel", "-g", "-O2", "-mcpu=v3", "-c", source, "-o", object},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	return object, nil
}

// minimal compares making the BTF that an object needs with bpftool's way.
func minimal(args []string) error {
	s, err := parse("minimal", args)
	if err != nil {
		return err
	}
	fmt.Printf("%s against %s, medians of %d rounds\n", versionOf(s.btfgen, "--version"), versionOf(s.bpftool, "version"), s.rounds)
	for _, file := range s.files {
		object, err := compileFor(s, file)
		if err != nil {
			return err
		}
		ours := &contestant{name: "btfgen", args: []string{s.btfgen, "-q", "-i", file, "--for", object, "--format", "btf", "-"}}
		out := filepath.Join(s.out, "min.btf")
		theirs := &contestant{name: "bpftool", args: []string{s.bpftool, "gen", "min_core_btf", file, out, object}}
		if err := interleave(s.rounds, s.out, ours, theirs); err != nil {
			return err
		}
		info, err := os.Stat(out)
		if err != nil {
			return err
		}
		theirs.size = info.Size() // it prints nothing
		fmt.Println(filepath.Base(file))
		show(ours, theirs)
		fmt.Printf("  %d bytes, %d\n", ours.size, theirs.size)
	}
	return nil
}
