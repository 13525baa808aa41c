package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// loadable is BTF that the kernel takes for a map with a key of 4 bytes and a
// value of 8.
func loadable() []byte {
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	b.Struct("loaded_value", 8, btftest.Field("a", integer, 0), btftest.Field("b", integer, 32))
	return b.Bytes()
}

// What is loaded is found by ID, name and pinned path. Without the privilege to
// load, the error must say that privilege is what is missing.
func TestLoadedObjects(t *testing.T) {
	handle, err := btf.NewHandleFromRawBTF(loadable())
	if err != nil {
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
		_, err := Open("prog:1", nil, Options{})
		if err == nil || !strings.Contains(err.Error(), "privileged") {
			t.Errorf("without privilege: got the error %v", err)
		}
		return
	}
	defer handle.Close()
	info, err := handle.Info()
	if err != nil {
		t.Fatal(err)
	}
	check := func(input string) {
		t.Helper()
		kernel, err := Open(input, nil, Options{})
		if err != nil {
			t.Errorf("%s: %v", input, err)
			return
		}
		if !bytes.Equal(kernel.View.Raw(), loadable()) || kernel.Live || kernel.Origin == nil {
			t.Errorf("%s: got other BTF than was loaded", input)
		}
	}
	check(fmt.Sprintf("btf:%d", info.ID))

	// A map made by hand, since package ebpf would write BTF of its own.
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(loadable()))
	if err != nil {
		t.Fatal(err)
	}
	var value *btf.Struct
	if err := spec.TypeByName("loaded_value", &value); err != nil {
		t.Fatal(err)
	}
	integer, err := spec.AnyTypeByName("int")
	if err != nil {
		t.Fatal(err)
	}
	const name = "btfgen_test_map"
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 1, Key: integer, Value: value})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	mapInfo, err := m.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, ok := mapInfo.ID()
	if !ok {
		t.Fatal("the map has no ID")
	}
	const programName = "btfgen_test_program"
	main := btf.WithFuncMetadata(asm.Mov.Imm(asm.R0, 0).WithSymbol(programName), &btf.Func{Name: programName, Type: &btf.FuncProto{
		Return: integer, Params: []btf.FuncParam{{Name: "value", Type: &btf.Pointer{Target: value}}}}})
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: programName, Type: ebpf.SocketFilter, License: "GPL", Instructions: asm.Instructions{main, asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	programInfo, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	programID, ok := programInfo.ID()
	if !ok {
		t.Fatal("the program has no ID")
	}
	inputs := []string{
		fmt.Sprintf("map:%d", id), "map:" + name, "map:" + name + "_that_the_kernel_cuts",
		fmt.Sprintf("prog:%d", programID), "prog:" + programName, "prog:" + programName[:maxKernelName],
	}
	// Loading was allowed, and so may be a file system of our own to pin to.
	dir := t.TempDir()
	switch err := unix.Mount("bpf", dir, "bpf", 0, ""); {
	case err == nil:
		defer unix.Unmount(dir, unix.MNT_DETACH)
		if err := m.Pin(dir + "/map"); err != nil {
			t.Fatal(err)
		}
		if err := p.Pin(dir + "/program"); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, dir+"/map", dir+"/program")
		if _, err := Open(dir, nil, Options{}); !errors.Is(err, ErrNoBTF) {
			t.Errorf("the directory itself: got the error %v", err)
		}
	case !errors.Is(err, unix.EPERM):
		t.Fatal(err)
	}
	for _, input := range inputs {
		kernel, err := Open(input, nil, Options{})
		if err != nil {
			t.Errorf("%s: %v", input, err)
			continue
		}
		if len(kernel.View.Lookup("loaded_value", btfdump.KindStruct)) != 1 {
			t.Errorf("%s: struct loaded_value is missing", input)
		}
	}

	for input, want := range map[string]string{
		"prog:4294967295":    "no such object",
		"map:no_such_object": "no such object",
		"btf:no_such_module": "no such object",
		"prog:":              "give an ID",
		"btf:0":              "give an ID",
	} {
		if _, err := Open(input, nil, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got the error %v, want %q in it", input, err, want)
		}
	}
	if _, err := Open("map:"+name, []string{"veth"}, Options{}); err == nil || !strings.Contains(err.Error(), "leave -m out") {
		t.Errorf("with a module: got the error %v", err)
	}
}

// vmlinux's BTF by ID is what sysfs shows.
func TestLoadedVmlinux(t *testing.T) {
	want, err := running.vmlinux()
	if err != nil {
		if _, err := Open("btf:vmlinux", nil, Options{}); err == nil {
			t.Error("BTF that is not in sysfs was found by its name")
		}
		return
	}
	kernel, err := Open("btf:vmlinux", nil, Options{})
	if err != nil {
		if !strings.Contains(err.Error(), "privileged") {
			t.Error(err)
		}
		return
	}
	if !bytes.Equal(kernel.View.Raw(), want) {
		t.Error("got other BTF than sysfs shows")
	}
}
