// Package llvmir reads what clang knows of a program's types from the program in
// LLVM's textual form (clang -g -S -emit-llvm), and gives it as BTF.
//
// clang's backend for BPF writes the same as BTF, in a time that grows with the
// square of the number of names: for each it looks through all that it has
// (BTFStringTable::addString, LLVM 14 to 22), which takes 17 seconds for the records
// of a kernel, and a second for all that comes before. So the types are read from
// what the backend is given: the metadata that https://llvm.org/docs/LangRef.html
// describes under "Debugging Information". It has not changed between LLVM 14 and 22
// in what is read here. Where it should have, [Read] says so with a [FormatError],
// and leaves nothing out.
//
// [Module.Relocated] tells which types have an access that is relocated, of which the
// backend makes a relocation each: variables that the pass
// BPFAbstractMemberAccess leaves behind.
//
// The text may be of a hostile program: what is in quotation marks is never taken for
// what is not, and there are limits.
package llvmir
