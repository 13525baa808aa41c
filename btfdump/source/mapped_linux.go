package source

import (
	"os"
	"syscall"
)

// sysfsMagic is the type of file system that sysfs is
// (include/uapi/linux/magic.h).
const sysfsMagic = 0x62656572

// mapSysfs returns the memory in which the kernel keeps a file of sysfs, which
// is size bytes long, without copying it; ok is false where that can't be done.
// Reading the kernel's BTF takes some 1,300 system calls, since sysfs gives a
// page at a time, and that is a good part of the time that a header takes.
// Linux 6.16 is the first that can map it. Only what sysfs holds is mapped: it
// can't be cut short by another process, which would end this one by a signal.
// The mapping is never undone, since views keep what they were made of.
func mapSysfs(file *os.File, size int64) (data []byte, ok bool) {
	if size <= 0 || size > MaxBTF {
		return nil, false
	}
	var system syscall.Statfs_t
	fd := int(file.Fd())
	if err := syscall.Fstatfs(fd, &system); err != nil || int64(system.Type) != sysfsMagic {
		return nil, false
	}
	data, err := syscall.Mmap(fd, 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	return data, err == nil
}
