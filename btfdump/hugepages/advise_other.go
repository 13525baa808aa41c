//go:build !linux

package hugepages

// advise is for Linux only.
func advise[T any]([]T) {}
