// Package cgen writes the types of a BTF as a C header that BPF programs
// compile against.
//
// In goes a [btfdump.View] and, for a header of some types, the
// [btfdump.Set] that [btfdump.View.Closure] makes of them. [NewPlan] decides
// what is declared, in which order and under which names; [Plan.Print] writes
// that. Out comes the text of a header, or an error and no text: nothing
// half-made is ever returned.
//
// # The steps
//
//   - Collecting (collect.go): one pass finds everything with a name and sorts
//     it by name.
//   - Equality (equal.go, copies.go, hash.go): types of one name are compared by content,
//     so that equal ones are declared once.
//   - Naming (names.go, with the words that are taken in words.go): the types
//     that remain get a name each, with a suffix such as ___2, which CO-RE
//     ignores, where another type, C or the compiler has it. It is done over
//     the whole view, so that a type is called the same in a header of a few.
//   - Enumerators (enumerators.go): C keeps them in one name space with
//     typedefs and functions. Which names several of them claim is found
//     beside the two steps before, and settled after them.
//   - Order (order.go): a depth-first walk from name to name that puts each
//     declaration after what it needs.
//   - Styles (style.go), beside the order: whether a record needs padding,
//     packed or aligned so that a BPF compiler lays it out as the BTF says.
//   - Printing (printer.go, decl.go, declarator.go, scalar.go): goroutines
//     print runs of declarations, each of which depends on the plan alone.
//   - Assembly (output.go, preamble.go): the comment on provenance, guards, macros and the
//     runs in their order. Macros and C++ keywords are defined only where the
//     text has use for them.
//
// Types that C can't express, as other languages have them, are an error;
// [Printable] makes a view without them (printable.go).
//
// # What always holds
//
//   - The output depends on the types and never on their IDs, nor on the
//     number of goroutines. Every choice among types is made by name, then by
//     content; a [btfdump.TypeID] may only decide between types that print the
//     same.
//   - A name from the input is printed only if it is a C identifier and no
//     keyword; the text of a type tag only if it needs no escape. All else
//     fails with a [TypeError].
//   - Neither depth nor repetition in the input makes work out of proportion:
//     chains are walked with an explicit stack, what recurses stops at
//     maxNesting, walks have a budget, and the size of the header a limit.
//     New walks must count their steps too.
//   - A Plan does not change once NewPlan returns it.
//
// # Where to change what
//
//   - A name that a compiler or a common header has taken: words.go.
//   - A kind of type that C declares: classOf in collect.go, then content,
//     walk and chunk.
//   - What C has no form for: where it is met, and in printable.go.
//   - A kind that stands inside declarations: reference in equal.go, walk in
//     order.go, collect and base in declarator.go, value in style.go.
//   - Kfuncs of kernels that do not mark them: "go generate" writes
//     kfunc_names.go.
//   - Text around the declarations: preamble.go; its macros also belong in
//     builtinNames.
package cgen
