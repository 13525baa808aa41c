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
	output, what, err := outputName(c.Args().Slice(), c.String("format"))
	if err != nil {
		return err
	}
	switch what {
	default:
		return fmt.Errorf("%s: --for makes no %s", output, what)
	}
}
