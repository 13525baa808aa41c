// Command libbpftools takes BPF objects out of programs that carry them, as
// bcc's libbpf-tools do: scripts/libbpf-tools.sh runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: libbpftools DIRECTORY PROGRAM...")
		os.Exit(2)
	}
	if err := extract(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "libbpftools:", err)
		os.Exit(1)
	}
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
