package source

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/btfgen/btfgen/goldens/btftest"
)

// Names are found in the modules that Open would find by name: those that are
// loaded, and those of a package or tree; never what the kernel itself has.
func TestModulesDeclaring(t *testing.T) {
	kernel := btftest.Corpus(t, "amd64-7.2-cloud")
	veth, bridge := btftest.Corpus(t, "amd64-7.2-cloud.veth"), btftest.Corpus(t, "amd64-7.2-cloud.bridge")
	const release = "6.12.9-test" // that of kernelELF
	dir := t.TempDir()
	write(t, dir, "live/btf/vmlinux", kernel)
	write(t, dir, "live/btf/veth", veth)
	write(t, dir, "live/btf/bridge", bridge)
	running := liveKernel{btf: filepath.Join(dir, "live/btf"), osrelease: filepath.Join(dir, "none")}
	write(t, dir, "live/btf/nf_conntrack", btftest.Corpus(t, "amd64-7.2-cloud.nf_conntrack"))
	root := filepath.Join(dir, "root")
	write(t, dir, "root/lib/modules/"+release+"/kernel/veth.ko", moduleELF("veth", release, veth))
	write(t, dir, "root/lib/modules/"+release+"/kernel/bridge.ko.xz", pack(t, moduleELF("bridge", release, bridge), "xz", "-c"))
	write(t, dir, "root/lib/modules/"+release+"/kernel/other.ko", moduleELF("other", "6.1.0", veth))
	image := write(t, dir, "root/boot/vmlinuz-"+release, bzImage(kernelPayload(t, kernelELF(kernel), "zstd", []string{"zstd", "-c", "-q"})))
	raw := write(t, dir, "vmlinux.btf", kernel)

	names := []string{"net_bridge_mcast_gc", "BROPT_VLAN_BRIDGE_BINDING", "veth_priv", "task_struct", "u64", "no_such_type"}
	const both = `[{bridge  [BROPT_VLAN_BRIDGE_BINDING net_bridge_mcast_gc]} {veth  [veth_priv]}]`
	for _, test := range []struct {
		name, input string
		names       []string
		want        string
		looked      int
	}{
		{"running kernel", "", names, both, 3},
		{"kfunc", "", []string{"bpf_xdp_ct_lookup", "nf_conntrack_in"}, "[{nf_conntrack  [bpf_xdp_ct_lookup]}]", 3},
		{"root", root, names, both, 2},
		{"lib/modules", filepath.Join(root, "lib/modules", release), names, both, 2},
		{"image beside its modules", image, names, both, 2},
		{"single file", raw, names, "[]", 0},
		{"names of none", root, []string{"task_struct", "no_such_type"}, "[]", 2},
		{"no names", root, nil, "[]", 0},
		{"standard input", "-", names, "[]", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, looked, err := modulesDeclaring(context.Background(), test.input, test.names, Options{}, running)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(found); got != test.want || looked != test.looked {
				t.Errorf("got %s of %d modules, want %s of %d", got, looked, test.want, test.looked)
			}
		})
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if found, looked, err := modulesDeclaring(stopped, root, names, Options{}, running); !errors.Is(err, context.Canceled) || len(found) > 0 || looked > 0 {
		t.Errorf("stopped: got %v of %d modules and the error %v", found, looked, err)
	}
}
