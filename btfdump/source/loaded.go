package source

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// isLoadedObject says whether an input names a BPF object of the running kernel
// rather than a file. A file of such a name can be given as ./prog:1.
func isLoadedObject(input string) bool {
	kind, _, ok := strings.Cut(input, ":")
	return ok && (kind == "prog" || kind == "map" || kind == "btf") || isPinned(input)
}

// A loadedBTF is BTF that the running kernel holds.
type loadedBTF struct {
	raw    []byte
	module string // the name of the module, or object, that it is of
	kernel bool   // it is vmlinux's, or a module's
}

// openLoaded opens the BTF of a loaded program or map, or the one with an ID.
func openLoaded(input string, requests moduleRequests, live liveKernel) (*Kernel, error) {
	if len(requests.names) > 0 || requests.all || len(requests.paths) > 0 {
		return nil, fmt.Errorf("%s: modules belong to a kernel, not to a BPF object: leave -m out", inputName(input))
	}
	if kind, id, name := objectName(input); id == 0 && name == "" && !isPinned(input) {
		return nil, fmt.Errorf("%s: give an ID, which is a number from 1, or a name, as in %s:1", inputName(input), kind)
	}
	loaded, err := readLoaded(input)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(input), err)
	}
	kernel := &Kernel{Origin: &Found{Raw: loaded.raw, Layers: []Layer{{Format: "BTF loaded into the running kernel", Size: int64(len(loaded.raw))}}}}
	if !loaded.kernel || loaded.module == "vmlinux" {
		if kernel.View, err = btfdump.New(loaded.raw); err != nil {
			return nil, fmt.Errorf("%s: %w", inputName(input), err)
		}
		return kernel, nil
	}
	base, err := live.vmlinux()
	if err != nil {
		return nil, err
	}
	if kernel.View, err = btfdump.New(base); err != nil {
		return nil, fmt.Errorf("%s: %w", live.path("vmlinux"), err)
	}
	kernel.Release = live.release()
	return kernel, kernel.join("the running kernel", []module{{name: loaded.module, origin: input, raw: loaded.raw, loaded: true}})
}

// objectName returns what stands behind the colon: an ID, or a name.
func objectName(input string) (kind string, id uint32, name string) {
	kind, name, _ = strings.Cut(input, ":")
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return kind, uint32(n), ""
	}
	return kind, 0, name
}
