package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// loads is what a kernel says of programs: "" where it takes one.
type loads map[loadKey]string

type loadKey struct{ object, program string }

// load has a kernel load the programs of objects, each by itself. Without an
// answer, the text says why there is none.
func (r *runner) load(k *kernel, objects []string) (loads, string) {
	if !k.isRunning() {
		if !r.boot {
			return nil, "it does not run here (-boot starts it in a virtual machine)"
		}
		answer, err := r.bootAndLoad(k, objects)
		if err != nil {
			return nil, err.Error()
		}
		return answer, ""
	}
	if err := mayLoad(); err != nil {
		return nil, err.Error()
	}
	answer := make(loads)
	for _, path := range objects {
		if err := loadObject(path, func(program, said string) { answer[loadKey{path, program}] = said }); err != nil {
			return nil, err.Error()
		}
	}
	return answer, ""
}

// mayLoad returns why bpf(2) is not allowed, nil if it is.
func mayLoad() error {
	// Kernels before 5.11 count maps and programs as locked memory. Whether raising
	// the limit was needed, and did, the trial tells.
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	trial, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		return fmt.Errorf("bpf(2) is not allowed: %w", err)
	}
	return trial.Close()
}

// loadObject loads the programs of an object, as it is with what the compiler
// left in constants and maps, and gives what the kernel says of each to use: all
// at once, again and again without those that are refused. Of programs that it
// is not permitted to load, whatever they do, it says nothing: some kernels have
// no trampolines for fentry and the like.
func loadObject(path string, use func(program, said string)) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	plainVersion(spec.Types)
	for _, m := range spec.Maps {
		size(m)
	}
	for _, program := range spec.Programs {
		if program.Type == ebpf.UnspecifiedProgram {
			program.Type = ebpf.Kprobe // a section that cilium/ebpf does not know: usdt
		}
	}
	said := make(map[string]string)
	for len(spec.Programs) > 0 {
		loaded, err := ebpf.NewCollection(spec.Copy())
		if err == nil {
			loaded.Close()
			for name := range spec.Programs {
				said[name] = ""
			}
			break
		}
		name := refusedProgram(err)
		if spec.Programs[name] == nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		delete(spec.Programs, name)
		if !errors.Is(err, unix.EPERM) {
			said[name] = plain(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		use(name, said[name])
	}
	return nil
}

var programError = regexp.MustCompile(`^program ([^:\s]+): `)

// refusedProgram returns the program that an error of cilium/ebpf's is about, ""
// if it is about none.
func refusedProgram(err error) string {
	if m := programError.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// plainVersion gives LINUX_KERNEL_VERSION a type that cilium/ebpf knows: libbpf
// takes typedefs such as __u32 too.
func plainVersion(types *btf.Spec) {
	var version *btf.Var
	if types.TypeByName("LINUX_KERNEL_VERSION", &version) == nil {
		version.Type = btf.UnderlyingType(version.Type)
	}
}

// size gives a map the sizes that the tools' loaders would set, and those that
// the verifier does not ask about small ones, which are made sooner.
func size(m *ebpf.MapSpec) {
	switch m.Type {
	case ebpf.Hash, ebpf.PerCPUHash, ebpf.LRUHash, ebpf.StackTrace:
		m.MaxEntries = 64
	}
	if m.MaxEntries == 0 && m.Type != ebpf.PerfEventArray {
		m.MaxEntries = 1024
	}
	if m.Type == ebpf.StackTrace && m.ValueSize == 0 {
		m.ValueSize = 127 * 8 // PERF_MAX_STACK_DEPTH
	}
}

// plain returns an error as one line of ASCII: of the verifier's log, the end.
func plain(err error) string {
	text := err.Error()
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		text = verifier.Cause.Error()
		for _, line := range verifier.Log {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "processed ") {
				text = verifier.Cause.Error() + ": " + line
			}
		}
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, text)
}

// loadedMark starts the lines that tell what was loaded, among all that a
// machine prints while it starts.
const loadedMark = "@loaded\t"

// printLoads loads objects into the running kernel, and prints what it says.
func printLoads(out io.Writer, objects []string) error {
	if err := mayLoad(); err != nil {
		return err
	}
	for _, path := range objects {
		err := loadObject(path, func(program, said string) {
			fmt.Fprintf(out, "%s%s\t%s\t%s\n", loadedMark, filepath.Base(path), program, said)
		})
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%send\n", loadedMark)
	return err
}

// firstProcess is what the program does as the first process of a virtual
// machine: it loads the objects in its root directory, and turns the machine off.
func firstProcess() {
	for dir, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs"} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), unix.Mount(kind, dir, kind, 0, "")); err != nil {
			fmt.Println(err)
		}
	}
	objects, err := filepath.Glob("/*.bpf.o")
	if err == nil {
		err = printLoads(os.Stdout, objects)
	}
	if err != nil {
		fmt.Println(err)
	}
	_ = os.Stdout.Sync()
	fmt.Println(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	select {} // the first process must not end
}
