package verify

import "golang.org/x/sys/unix"

// limitResources bounds what a process, and what it starts, may allocate and write. It
// has just been started, and done nothing yet.
func limitResources(pid int) {
	for _, limit := range []struct {
		resource int
		value    uint64
	}{{unix.RLIMIT_DATA, maxMemory}, {unix.RLIMIT_FSIZE, maxWritten}, {unix.RLIMIT_CORE, 0}} {
		var old unix.Rlimit
		if unix.Prlimit(pid, limit.resource, nil, &old) != nil {
			continue
		}
		limited := unix.Rlimit{Cur: min(limit.value, old.Cur), Max: min(limit.value, old.Max)}
		// Without it, clang has the user's limits.
		_ = unix.Prlimit(pid, limit.resource, &limited, nil)
	}
}
