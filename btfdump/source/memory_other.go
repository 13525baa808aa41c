//go:build !linux

package source

// freshMemory returns n bytes, all 0.
func freshMemory(n int64) []byte { return make([]byte, n) }
