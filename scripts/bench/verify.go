package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// verification compares verifying a kernel's header with a plain compile of it:
// fast, and in full, which is run a few times only.
func verification(args []string) error {
	s, err := parse("verify", args)
	if err != nil {
		return err
	}
	empty := filepath.Join(s.out, "empty.c")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s with %s, medians of %d rounds\n", versionOf(s.btfgen, "--version"), versionOf(s.clang, "--version"), s.rounds)
	for _, file := range s.files {
		header := filepath.Join(s.out, "vmlinux.h")
		if err := os.Remove(header); err != nil && !os.IsNotExist(err) {
			return err
		}
		if out, err := exec.Command(s.btfgen, "-q", "-i", file, header).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		plain := &contestant{name: "clang", args: []string{s.clang, "-target", "bpf", "-include", header, "-c", empty, "-o", filepath.Join(s.out, "empty.o")}}
		verify := []string{s.btfgen, "verify", header, "-i", file, "--clang", s.clang}
		fast := &contestant{name: "--fast", args: append(verify, "--fast")}
		if err := interleave(s.rounds, s.out, plain, fast); err != nil {
			return err
		}
		full := &contestant{name: "verify", args: verify}
		if err := interleave(s.rounds/10+1, s.out, full); err != nil {
			return err
		}
		fmt.Println(filepath.Base(file))
		show(fast, plain)
		fmt.Printf("  %-8s%v\n", full.name, full)
	}
	return nil
}
