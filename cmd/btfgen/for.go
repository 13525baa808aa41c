package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"
)

// forObjects makes what some BPF objects need of a kernel.
func forObjects(c *cli.Context) error {
	if slices.Contains(c.StringSlice("for"), "") {
		return errors.New("--for is empty: name a BPF object, as in: btfgen --for prog.bpf.o min.btf")
	}
	args, clangFlags := splitFlags(c.Args().Slice())
	output, what, err := outputName(args, c.String("format"))
	if err != nil {
		return err
	}
	if len(clangFlags) > 0 && what != formatHeader {
		return fmt.Errorf("%q are flags for clang, which compiles C programs for headers: leave them out", clangFlags)
	}
	switch what {
	case formatHeader:
		return slimHeader(c, output, clangFlags)
	default:
		return fmt.Errorf("%s: --for makes no %s", output, what)
	}
}
