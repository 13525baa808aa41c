package core

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// What the loader knows of a kernel beside its types: the options that it was
// built with, and its version.

// ParseConfig reads a kernel's configuration, as /boot/config-RELEASE and
// /proc/config.gz (uncompressed) have it: the values of options by their names,
// CONFIG_ included. Options that are not set are absent.
func ParseConfig(r io.Reader) (map[string]string, error) {
	options := make(map[string]string)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		if ok && strings.HasPrefix(name, "CONFIG_") && btfdump.IsIdentifier(name) {
			options[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("kernel configuration: %w", err)
	}
	return options, nil
}

// optionState is what is known of an extern of the kind ExternKconfig.
type optionState uint8

const (
	optionKnown   optionState = iota // its value
	optionAbsent                     // that it is not set
	optionUnknown                    // nothing
	optionPresent                    // that it has a value
)

// option returns what is known of a kconfig extern on a kernel.
func (k *Kernel) option(o *Object, e *Extern) (n int64, state optionState) {
	switch e.Name {
	case "LINUX_KERNEL_VERSION":
		if major, minor, patch, ok := parseRelease(k.Release); ok {
			return int64(major<<16 + minor<<8 + min(patch, 255)), optionKnown
		}
		return 0, optionPresent
	case "LINUX_HAS_BPF_COOKIE":
		if _, ok := k.Target.enumerator("bpf_func_id", "BPF_FUNC_get_attach_cookie"); ok {
			return 1, optionKnown
		}
		return 0, optionPresent
	case "LINUX_HAS_SYSCALL_WRAPPER":
		for _, arch := range []string{"x64", "arm64", "s390x", "riscv"} {
			if len(k.Target.View.Lookup("__"+arch+"_sys_bpf", btfdump.KindFunc)) > 0 {
				return 1, optionKnown
			}
		}
		return 0, optionPresent
	case "CONFIG_HZ": // no kernel is built without
		if k.Config == nil {
			return 0, optionPresent
		}
	}
	if k.Config == nil {
		return 0, optionUnknown
	}
	text, ok := k.Config[e.Name]
	if !ok {
		return 0, optionAbsent
	}
	v := o.View
	t := v.Type(v.Resolve(v.Type(e.Type).Ref()))
	switch {
	case text == "y" || text == "n" || text == "m":
		switch {
		case t.Kind() == btfdump.KindInt && t.IntEncoding()&btfdump.IntBool != 0:
			if text == "y" {
				n = 1
			}
		case t.Kind() == btfdump.KindInt && t.Size() == 1:
			n = int64(text[0])
		case t.Kind().IsEnum(): // enum libbpf_tristate
			n = map[string]int64{"n": 0, "y": 1, "m": 2}[text]
		default:
			return 0, optionPresent
		}
		return n, optionKnown
	case t.Kind() == btfdump.KindInt:
		if u, err := strconv.ParseUint(text, 0, 64); err == nil {
			return int64(u), optionKnown
		}
		if n, err := strconv.ParseInt(text, 0, 64); err == nil {
			return n, optionKnown
		}
	}
	return 0, optionPresent
}

// parseRelease reads the version in a release such as "6.12.9-amd64". ok is
// false also for those of distributions that count their own builds behind a
// "0": they have another patch level, which libbpf finds elsewhere on the
// running machine.
func parseRelease(release string) (major, minor, patch int, ok bool) {
	version, rest, _ := strings.Cut(release, "-")
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0, 0, 0, false
	}
	var numbers [3]int
	for i, part := range parts[:min(len(parts), 3)] {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			part = part[:end]
		}
		n, err := strconv.Atoi(part)
		if err != nil || n > 1<<14 {
			return 0, 0, 0, false
		}
		numbers[i] = n
	}
	builds := numbers[2] == 0 && rest != "" && rest[0] >= '0' && rest[0] <= '9'
	return numbers[0], numbers[1], numbers[2], !builds
}

// since reports whether a kernel is known to be of a version or a later one:
// by its release, or by an enumerator that came with the version.
func (k *Kernel) since(major, minor int, enum, enumerator string) bool {
	if a, b, _, _ := parseRelease(k.Release); a > 0 {
		if a > major || a == major && b >= minor {
			return true
		}
	}
	_, ok := k.Target.enumerator(enum, enumerator)
	return ok
}

// enumerator returns the value of an enumerator of one of the kernel's enums of a
// name.
func (t *Target) enumerator(enum, name string) (value uint64, ok bool) {
	for _, id := range t.Candidates(enum, btfdump.KindEnum) {
		for _, e := range t.View.Type(id).Enumerators() {
			if e.Name == name {
				return e.Value, true
			}
		}
	}
	return 0, false
}

// abilities returns what the kernel's verifier is known to be able to do.
func (k *Kernel) abilities() abilities {
	return abilities{
		xor:          k.since(5, 10, "bpf_func_id", "BPF_FUNC_redirect_peer"),
		knowsAddress: k.since(6, 4, "bpf_attach_type", "BPF_NETFILTER"),
		lazyGlobals:  k.since(6, 8, "bpf_cmd", "BPF_TOKEN_CREATE"),
		knowsKeys:    k.since(6, 14, "bpf_cmd", "BPF_TOKEN_CREATE"), // that came with 6.9; no later one that all kernels have
	}
}

// helpers returns the numbers of the kernel's helpers: 0 to one below the
// result. It is 0 if the kernel's types don't tell.
func (t *Target) helpers() int64 {
	n, _ := t.enumerator("bpf_func_id", "__BPF_FUNC_MAX_ID")
	return int64(n)
}
