//go:build !linux

package source

import (
	"errors"
	"runtime"
)

// isPinned is false where there is no BPF file system.
func isPinned(string) bool { return false }

func readLoaded(string) (loadedBTF, error) {
	return loadedBTF{}, errors.New("BPF objects are loaded on Linux only, and this is " + runtime.GOOS + "; a file of that name can be given as ./prog:1")
}
