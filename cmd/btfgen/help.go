package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// describeFlag is the line of --help for a flag. The cli package would print
// all of a flag's names with the name of its value behind each.
func describeFlag(flag cli.Flag) string {
	documented, ok := flag.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	name, short := "", "   "
	for _, n := range flag.Names() {
		if len(n) == 1 {
			short = "-" + n + ","
		} else {
			name = "--" + n
		}
	}
	usage := documented.GetUsage()
	// What stands in backquotes is the name of the flag's value, as in Go's
	// package flag.
	if parts := strings.Split(usage, "`"); len(parts) == 3 {
		name += " " + parts[1]
		usage = strings.Join(parts, "")
	}
	return fmt.Sprintf("%s %-18s %s", short, name, usage)
}

// helpTemplate is what --help prints, as a template of the cli package. The
// flags come from their definitions.
const helpTemplate = `{{.Name}} makes a C header from the types of a Linux kernel (BTF), for BPF programs that are compiled once and run everywhere, and Go types for the programs that talk to them.

USAGE
   btfgen [flags] OUTPUT                 flags may stand before and after OUTPUT
   btfgen info [flags] [FILE]            what is in a kernel's file, and what is off with it
   btfgen verify [flags] HEADER          does a header tell the truth? btfgen verify --help
   btfgen completion bash|zsh|fish       print a script that completes btfgen's command line

   OUTPUT is the header to write, named *.h, or Go types, named *.go, or BTF, named *.btf; "-" writes to standard output.
   With --kernel it is a directory.

   A kernel is read from what people have: vmlinux, vmlinuz and other boot images, .deb and .rpm packages, tar and cpio
   archives, raw BTF, each compressed or not, lib/modules/RELEASE, or a root file system's directory.

EXAMPLES
   btfgen vmlinux.h                      the running kernel's header
   btfgen -m nf_conntrack vmlinux.h      with the types of a loaded module
   btfgen -m all vmlinux.h               with the types of every loaded module
   btfgen -i vmlinuz-6.12 -m veth.ko.xz vmlinux.h
                                         a kernel and a module that are not running
   btfgen -i linux-image.deb -m veth vmlinux.h
                                         both from a package
   btfgen -i prog:42 types.h             the types of a loaded BPF program
   xz -dc kernel.btf.xz | btfgen -i - -  from standard input to standard output
   btfgen --type task_struct --type 'sk_*' slim.h
                                         only these types and what they need
   btfgen --type task_struct types.go    Go types with the kernel's layout
   btfgen -i prog.bpf.o --type event --package main event.go
                                         the Go type of what a BPF program sends
   btfgen --type task_struct slim.btf    the same as BTF
   btfgen --for prog.bpf.o min.btf       the BTF that this program needs, to ship with it
   btfgen --for prog.bpf.o --kernel btfhub-archive/ btf/
                                         the same for many kernels, a file each
   btfgen --check vmlinux.h              is the file still what btfgen would write?
   btfgen --verify vmlinux.h             written only if clang agrees with every type in it
   btfgen --no-kfuncs --spdx GPL-2.0 vmlinux.h
                                         no kfunc prototypes, a licence in the first line

FLAGS
{{- range .VisibleFlags}}
   {{.}}{{end}}

EXIT CODE
   0 done · 1 --check or --verify found a difference · 2 wrong usage or unreadable input
`
