// Package gogen writes the types of a BTF as Go code: types that have the
// kernel's layout on every architecture, for programs that read ring buffers,
// maps and memory.
//
// In goes a [btfdump.View] and the [btfdump.Set] of the types that are wanted;
// out comes the text of one Go file that needs nothing but the standard
// library, or an error. [Verify] compares such a file with a view.
//
// # What is made of what
//
//   - Records: structs. Offsets and sizes are those of the BTF, every gap is
//     written out, and a list of constants at the file's end makes the compiler
//     check each of them. UnmarshalBinary, AppendBinary and MarshalBinary copy,
//     and turn the byte order where the machine's is another; View gives a record
//     in place.
//   - Members that Go can't have as a field (bitfields, those that overlap, those
//     that are not aligned): bytes that keep the kernel's byte order, with a
//     getter and a setter for each member.
//   - Members without a name: their members are the outer record's own, as in C.
//   - Types without a name in C: Parent_Member, or the typedef's name.
//   - Flexible arrays: a method that takes the record's bytes and the length.
//   - Pointers: Ptr, a number that the garbage collector does not follow.
//   - bool: Bool, for any byte can be there; char arrays: bytes, with a method that
//     returns the string before the first NUL; __int128: Int128 and Uint128.
//   - Enums: a type with constants and String. Constants of enums without a name
//     have no type, so that they go with any.
//   - Typedefs: aliases, only where they are selected themselves.
//   - What Go has no number for, such as long double: bytes.
//
// # The steps
//
//   - Names (camel.go, names.go, signature.go): decided over the whole view and by
//     content, so that neither the selection nor type IDs change one.
//   - Layouts (layout.go): which members are fields.
//   - Printing (gogen.go, printer.go, record.go, accessor.go, enum.go, ctype.go):
//     goroutines print runs of declarations, formatted as gofmt does it.
//   - Helpers (support.go): the code that the types use, as far as they do.
//
// The printer is our own for the sake of time. All types of a kernel are 23 MB of
// Go, which take 0.25 s on two cores. Package go/format needs 2.0 s for that
// text, in runs on two cores. The generator github.com/dave/jennifer, measured
// with the same declarations, needs 3.3 s, since it formats with go/format too;
// without that, 1.0 s for text that gofmt would change.
//
// # Where to change what
//
//   - A word that should be written in capitals: initialisms in camel.go.
//   - What becomes a field: place in layout.go, and with it the rule in its comment.
//   - Comments that Verify reads (verify.go) are made in record.go and accessor.go.
//   - After a change of the output: go generate ./cgen/gogen, and read the diff.
package gogen
