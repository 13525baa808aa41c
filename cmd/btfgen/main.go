// Command btfgen turns a kernel's BTF into a C header for BPF programs.
//
//	btfgen vmlinux.h                                  the running kernel's header
//	btfgen -i vmlinux-6.12 -m nf_conntrack.ko all.h   an offline kernel with a module's types
//	btfgen --type task_struct --type 'sk_*' slim.h    those types and what they need
//	btfgen --type task_struct slim.btf                the same as BTF
//	btfgen --for prog.bpf.c slim.h                    what that program needs
//	btfgen --for prog.bpf.o min.btf                   the BTF to ship with that program
//	btfgen check prog.bpf.o -k kernels/               will the program run on them?
//	btfgen info vmlinuz                               what is in a file
//	btfgen --type task_struct types.go                Go types with the kernel's layout
//
// # Implementation details
//
// This package turns flags into calls, and what comes back into files, messages
// and exit codes; it knows nothing about types. Package source reads the
// kernel, package cgen decides on names and order and prints. Each command has
// a file of its own: header.go for the default one, which for.go, slim.go and
// minimal.go continue for --for, checkobjects.go, info.go, verify.go,
// completion.go. How btfgen talks to a person is written down in tui.go, how it
// replaces files in output.go.
//
// Exit codes: 0 done; 1 the answer is no (--check found a difference, verify a
// mismatch, check a program that does not run, or may not); 2 wrong usage, or an
// input that can't be read.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/urfave/cli/v2"
)

// softLimit is how many bytes are in use before memory is collected whatever the
// percentage says. Only hostile input, of which as much is kept as the limits of
// package source allow, needs more.
const softLimit = 512 << 20

func main() {
	tune()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// tune says when memory is collected.
func tune() {
	// Most runs are over before a collection would pay: the first one comes
	// at 24 MiB (4 MiB times 600 %).
	debug.SetGCPercent(600)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
}

// A noError is an answer rather than a failure.
type noError string

func (e noError) Error() string { return string(e) }

// run does what the arguments ask for and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp()
	app.Reader, app.Writer, app.ErrWriter = stdin, stdout, stderr
	args, err := arrange(app, args)
	if err == nil {
		err = app.Run(append([]string{app.Name}, args...))
	}
	if failed := unwritten.Swap(nil); err == nil && failed != nil {
		err = fmt.Errorf("standard output: %w", *failed)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "btfgen: %s%s\n", errorLines(err), printableText(inputHint(err)))
	var stopped interruptedError
	var no noError
	switch {
	case errors.As(err, &stopped):
		return 128 + int(stopped.number) // as a shell reports it
	case errors.As(err, &no):
		return 1
	}
	return 2
}

// unwritten is the error of printing help or the version, which the cli package
// has printed and whose errors it drops.
var unwritten atomic.Pointer[error]

// setUpCLI sets the cli package's own variables. They are shared by all runs of a
// process, of which tests have several at a time.
var setUpCLI = sync.OnceFunc(func() {
	cli.HelpPrinter = func(out io.Writer, _ string, about any) {
		if err := printHelp(out, about); err != nil {
			unwritten.Store(&err)
		}
	}
	cli.VersionPrinter = func(c *cli.Context) {
		// The package would print "btfgen version v1.2.3".
		if _, err := fmt.Fprintf(c.App.Writer, "btfgen %s\n", c.App.Version); err != nil {
			unwritten.Store(&err)
		}
	}
	// The package describes all flags at each start, for its own help.
	cli.FlagStringer = func(cli.Flag) string { return "" }
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "print this", Category: groupOther}
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "print the version", Category: groupOther}
})

// newApp describes the command line to the cli package, which parses it and
// prints the help.
func newApp() *cli.App {
	setUpCLI()
	app := &cli.App{
		Name:                      "btfgen",
		Version:                   version(),
		Usage:                     "make a C header from a kernel's types",
		Flags:                     headerFlags(),
		Action:                    header,
		Commands:                  []*cli.Command{checkCommand(), verifyCommand(), infoCommand(), completionCommand(), helpCommand(), manCommand()},
		HideHelpCommand:           true, // ours knows what btfgen's commands are called elsewhere
		DisableSliceFlagSeparator: true, // a comma may stand in a file's name
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return err },
	}
	// The cli package adds these by itself, but for a command of its own name.
	app.Flags = append(app.Flags, cli.HelpFlag, cli.VersionFlag)
	for _, command := range app.Commands {
		command.Flags = append(command.Flags, cli.HelpFlag)
		command.HideHelpCommand = true
	}
	return app
}
