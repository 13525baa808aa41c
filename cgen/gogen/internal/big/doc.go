// Package big is generated from testdata/records.c for a big-endian kernel.
// Only tests use it.
package big
