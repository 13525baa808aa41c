// Package core says what a BPF object needs from a kernel, and what becomes of
// its CO-RE relocations there.
package core
