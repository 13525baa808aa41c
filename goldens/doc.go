// Package goldens holds what the packages of btfgen are tested with, and the
// tests of the whole way from BTF to a header that compiles.
//
// The corpus folder has the BTF of real kernels; testdata has the headers that
// small cases have to give, one for each trap that other generators fall into.
// "make goldens" writes those anew. Every header is compiled with every clang
// that the machine has. The packages btftest and clangtest beside this one
// build BTF and find compilers.
package goldens
