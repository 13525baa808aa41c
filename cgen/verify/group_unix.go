//go:build unix

package verify

import (
	"os/exec"
	"syscall"
)

// ownGroup has a program, when its time is over, ended with all that it started: a
// wrapper's compiler goes on working otherwise, and writes to a directory that is
// being removed. As a group of its own it does not get the terminal's signals; to
// pass on their end is the context's job.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// tooLong reports whether a program was ended for writing more than it may.
func tooLong(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGXFSZ
}
