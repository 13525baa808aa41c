// Command libbpftools tries btfgen on bcc's libbpf-tools, BPF programs that
// people run: scripts/libbpf-tools.sh runs it.
//
//	libbpftools extract DIRECTORY PROGRAM...
//	libbpftools table [FLAG]... [KERNEL]...
//	libbpftools versus [FLAG]... KERNEL...
//	libbpftools load OBJECT...
//
// Extract takes BPF objects out of programs that carry them. Table compiles the
// tools' sources with btfgen's headers of some kernels, and tells what becomes
// of each there. Versus compiles them, and the kernel's own tests, with btfgen's
// header and with bpftool's, and compares the objects. Load loads programs into the running kernel, and prints what it
// says; as the first process of a machine it loads what stands beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = "usage: libbpftools extract DIRECTORY PROGRAM... | load OBJECT... | table [FLAG]... [KERNEL]... | versus [FLAG]... KERNEL..., of which table -h and versus -h tell more"

func main() {
	log.SetFlags(0)
	log.SetPrefix("libbpftools: ")
	if os.Getpid() == 1 && os.Args[0] == "/init" { // as the kernel calls it
		firstProcess()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "extract":
		return extract(args[1], args[2:])
	case len(args) >= 1 && args[0] == "table":
		return table(ctx, args[1:])
	case len(args) >= 1 && args[0] == "versus":
		return versus(ctx, args[1:])
	case len(args) >= 2 && args[0] == "load":
		return printLoads(os.Stdout, args[1:])
	}
	return errors.New(usage)
}

// extract writes the objects of each program to dir, as NAME.bpf.o; where a
// program has several, as NAME.2.bpf.o and so on.
func extract(dir string, programs []string) error {
	for _, path := range programs {
		program, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		objects, err := embedded(program)
		if err != nil {
			return fmt.Errorf("%s %w", path, err)
		}
		for i, object := range objects {
			name := filepath.Base(path)
			if i > 0 {
				name = fmt.Sprintf("%s.%d", name, i+1)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".bpf.o"), object, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
