//go:build !linux

package verify

// limitResources does nothing: only Linux lets a program limit another.
func limitResources(int) {}
