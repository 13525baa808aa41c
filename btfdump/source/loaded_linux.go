package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// isPinned says whether a path leads to the BPF file system, where objects are
// pinned.
func isPinned(path string) bool {
	var system syscall.Statfs_t
	if syscall.Statfs(path, &system) != nil || int64(system.Type) != unix.BPF_FS_MAGIC {
		return false
	}
	info, err := os.Stat(path)
	return err != nil || !info.IsDir()
}

// readLoaded reads the BTF that input names: "prog:", "map:" or "btf:" and an ID
// or name, or the path of a pinned program or map.
func readLoaded(input string) (loadedBTF, error) {
	kind, id, name := objectName(input)
	var btfID btf.ID
	var err error
	switch {
	case isPinned(input):
		btfID, err = pinnedBTF(input)
	case kind == "prog":
		btfID, err = programBTF(ebpf.ProgramID(id), name)
	case kind == "map":
		btfID, err = mapBTF(ebpf.MapID(id), name)
	default:
		btfID, err = btf.ID(id), nil
	}
	if err == nil && btfID == 0 && (kind != "btf" || name == "") {
		err = fmt.Errorf("%w: it was loaded without any: compile with clang -g", ErrNoBTF)
	}
	var handle *btf.Handle
	if err == nil {
		if kind == "btf" && name != "" {
			handle, err = btf.FindHandle(func(info *btf.HandleInfo) bool { return info.Name == name })
		} else {
			handle, err = btf.NewHandleFromID(btfID)
		}
	}
	if err != nil {
		return loadedBTF{}, explainLoaded(err)
	}
	defer handle.Close()
	info, err := handle.Info()
	if err != nil {
		return loadedBTF{}, explainLoaded(err)
	}
	raw, err := rawOf(handle)
	if err != nil {
		return loadedBTF{}, explainLoaded(err)
	}
	return loadedBTF{raw: raw, module: info.Name, kernel: info.IsKernel}, nil
}

// explainLoaded says what to do about an error of the kernel's.
func explainLoaded(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the running kernel lets only privileged users read loaded BPF objects: run as root, or with CAP_SYS_ADMIN (or CAP_BPF, for a pinned object): %w", err)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, btf.ErrNotFound):
		return fmt.Errorf("the running kernel has no such object (bpftool prog, bpftool map and bpftool btf list them): %w", err)
	}
	return err
}

func programBTF(id ebpf.ProgramID, name string) (btf.ID, error) {
	look := func(id uint32) (string, btf.ID, error) {
		return aboutProgram(ebpf.NewProgramFromID(ebpf.ProgramID(id)))
	}
	if name != "" {
		return named(name, func(last uint32) (uint32, error) {
			next, err := ebpf.ProgramGetNextID(ebpf.ProgramID(last))
			return uint32(next), err
		}, look)
	}
	_, btfID, err := look(uint32(id))
	return btfID, err
}

func mapBTF(id ebpf.MapID, name string) (btf.ID, error) {
	look := func(id uint32) (string, btf.ID, error) { return aboutMap(ebpf.NewMapFromID(ebpf.MapID(id))) }
	if name != "" {
		return named(name, func(last uint32) (uint32, error) {
			next, err := ebpf.MapGetNextID(ebpf.MapID(last))
			return uint32(next), err
		}, look)
	}
	_, btfID, err := look(uint32(id))
	return btfID, err
}

// aboutProgram returns the name and BTF of a program that was just opened, and
// closes it.
func aboutProgram(p *ebpf.Program, err error) (string, btf.ID, error) {
	if err != nil {
		return "", 0, err
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", 0, err
	}
	id, _ := info.BTFID()
	return info.Name, id, nil
}

// aboutMap is aboutProgram for maps.
func aboutMap(m *ebpf.Map, err error) (string, btf.ID, error) {
	if err != nil {
		return "", 0, err
	}
	defer m.Close()
	info, err := m.Info()
	if err != nil {
		return "", 0, err
	}
	id, _ := info.BTFID()
	return info.Name, id, nil
}

// maxKernelName is how much of an object's name the kernel keeps, in bytes
// (BPF_OBJ_NAME_LEN without the NUL).
const maxKernelName = 15

// named finds the object of a name, of which there must be one: next goes from
// one object's ID to the next one's, look tells an object's name and BTF.
func named(name string, next func(uint32) (uint32, error), look func(uint32) (string, btf.ID, error)) (btf.ID, error) {
	var found btf.ID
	var ids []uint32
	for id := uint32(0); ; {
		var err error
		if id, err = next(id); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return 0, err
		}
		got, btfID, err := look(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // unloaded meanwhile
		}
		if err != nil {
			return 0, err
		}
		if sameName(got, name) {
			found = btfID
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return 0, fmt.Errorf("%w with the name %s", fs.ErrNotExist, quoted(name))
	case 1:
		return found, nil
	}
	return 0, fmt.Errorf("%d objects have that name: give the ID of one of them: %v", len(ids), ids)
}

// sameName says whether two names are one to the kernel, which cuts them. Of
// programs, package ebpf finds the rest in their BTF.
func sameName(a, b string) bool {
	return a == b || len(a) > maxKernelName && a[:maxKernelName] == b || len(b) > maxKernelName && b[:maxKernelName] == a
}

func pinnedBTF(path string) (btf.ID, error) {
	if _, id, err := aboutProgram(ebpf.LoadPinnedProgram(path, nil)); err == nil {
		return id, nil
	}
	_, id, err := aboutMap(ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true}))
	if err != nil {
		return 0, fmt.Errorf("it is neither a pinned program nor a pinned map that can be read: %w", err)
	}
	return id, nil
}

// rawOf returns the bytes of BTF that the kernel holds. Package btf would give
// its own model of them, written anew. The kernel fills in struct bpf_btf_info
// of include/uapi/linux/bpf.h.
func rawOf(handle *btf.Handle) ([]byte, error) {
	type btfInfo struct {
		btf     uint64 // pointer
		size    uint32
		id      uint32
		name    uint64 // pointer
		nameLen uint32
		kernel  uint32
	}
	type getInfo struct { // of union bpf_attr, for BPF_OBJ_GET_INFO_BY_FD
		fd, infoLen uint32
		info        uint64 // pointer
	}
	call := func(info *btfInfo) error {
		attr := getInfo{fd: uint32(handle.FD()), infoLen: uint32(unsafe.Sizeof(*info)), info: uint64(uintptr(unsafe.Pointer(info)))}
		_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_OBJ_GET_INFO_BY_FD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if errno != 0 {
			return errno
		}
		return nil
	}
	var pin runtime.Pinner // the kernel gets addresses as numbers
	defer pin.Unpin()
	size := new(btfInfo)
	pin.Pin(size)
	if err := call(size); err != nil {
		return nil, err
	}
	if size.size == 0 || size.size > MaxBTF {
		return nil, fmt.Errorf("%w: the kernel reports %d bytes", ErrNoBTF, size.size)
	}
	raw := make([]byte, size.size)
	pin.Pin(&raw[0])
	content := new(btfInfo)
	pin.Pin(content)
	content.btf, content.size = uint64(uintptr(unsafe.Pointer(&raw[0]))), size.size
	if err := call(content); err != nil {
		return nil, err
	}
	return raw, nil
}
