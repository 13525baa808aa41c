// Package btftest writes BTF for tests: byte by byte what the test asks for,
// valid or not.
//
// A [Builder] takes types one at a time, in the order of their IDs, and
// [Builder.Bytes] gives the raw BTF:
//
//	b := btftest.New()
//	u32 := b.Int("unsigned int", 4, 0)
//	b.Struct("point", 8, btftest.Field("x", u32, 0), btftest.Field("y", u32, 32))
//	raw := b.Bytes()
//
// Recursive types reserve an ID first and fill it in later with [Builder.At].
// [Builder.Split] starts a split BTF whose IDs and string offsets go on from
// its base. Byte order, header length, layout section and section order are
// fields of the builder; what no kernel would write goes in through
// [Builder.Raw], [Builder.RawBytes], [Builder.RawString], [Builder.Poke] and
// [Builder.EditHeader].
//
// [Shuffle] and [ShuffleSplit] permute the type IDs of existing BTF, for
// properties that must not depend on them. [Corpus] reads the BTF of real
// kernels.
//
// The package imports none of the packages that it tests, so that a
// misreading of the format cannot cancel itself out. Misuse panics: every
// caller is a test. A Builder is not safe for concurrent use.
//
// The format is that of the kernel's include/uapi/linux/btf.h and
// Documentation/bpf/btf.rst.
package btftest
