// Package little is generated from testdata/records.c for a little-endian
// kernel. Only tests use it.
package little
