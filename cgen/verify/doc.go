// Package verify finds out whether a C header tells the truth about a kernel's
// types, by asking a compiler. It knows nothing of how the header was made:
// btfgen's, bpftool's and one written by hand will do.
//
// [Header] runs clang and returns a [Report] of everything in which the compiler
// and the BTF differ, with what each of them says.
//
// # How it works
//
// The header is preprocessed, and what is asked of the compiler stands behind
// what comes out, so that the header can't answer for itself (unit.go). It is
// scanned for the names that it declares (scan.go); these are brought together
// with the names of the BTF, of which several types may share one (names.go).
// Those of which scan sees nothing are declared anew, which shows that they are
// absent (uncover.go). Two things follow beside each other:
//
//   - Sizes, offsets and values become constants, some 100,000 for a kernel,
//     which clang computes in a second and which are read from the object
//     (facts.go, values.go).
//   - A pointer to each named type makes clang describe the type in its debug
//     information, the only way to see bitfields, types of members, targets of
//     typedefs and prototypes; and an access to a member shows whether CO-RE
//     relocates it (readback.go). What clang hands to its backend is read for that,
//     as BTF (answer.go, internal/llvmir): the backend would write the same, but
//     takes a time that grows with the square of the number of types. That way,
//     by many objects of a few hundred types each, is gone where the other is not
//     understood. What comes back is compared type by type (compare.go, match.go).
//
// Records of a 32-bit kernel that hold pointers are compared for a machine with
// pointers of 4 bytes, see narrow.go.
//
// # What counts as equal
//
// The members of a record that have names, at their places: those of an unnamed
// member count as the record's own, which is how C sees them. Types inside a
// declaration are compared by name, without the suffix ___N that tells types of
// one name apart; if a header has several such names, by which of them stands
// for which type. Type tags, such as __rcu, are attributes and not compared.
// Typedefs of C's own headers, such as int64_t, may stand for the same integer by
// way of other typedefs. Integers are the same if C says so: long is not long
// long, though on BPF both have 8 bytes.
//
// # Where to change what
//
//   - a new thing to compare: an [Aspect] in report.go; compare.go if the BTF
//     that clang writes shows it, facts.go if a constant expression can.
//   - what clang is asked, and its quirks: readback.go, clang.go.
//   - what is grouped under one cause: explain in match.go.
package verify
