package main

// A run that is killed while it writes leaves its temporary file behind. Nobody
// but a later run would remove it: so each run, before it makes a temporary file
// of its own, looks for others in that directory and removes those that no
// process holds the lock of. The kernel drops a lock with the process that took
// it, however that ended, and unlike a process's number a lock can't be
// somebody else's by now.

// The names of temporary files: eight hexadecimal digits are between these.
const (
	leftoverPrefix = ".btfgen-"
	leftoverSuffix = ".tmp"
)
