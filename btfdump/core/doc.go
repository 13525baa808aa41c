// Package core says what a BPF object needs from a kernel, and what becomes of
// its CO-RE relocations there.
//
// In goes a BPF object file, as compilers and static linkers write it, and a
// kernel's [btfdump.View]. [ReadObject] makes the one an [Object]: functions
// with their instructions, what these refer to, and relocations. [NewTarget]
// makes the other a [Target]. [Target.Relocate] fits the one to the other, and
// [Object.Patch] gives the instructions that a loader would hand to the kernel.
//
// # Relocation
//
//   - Paths (spec.go): an access string such as "0:1:2" is followed through the
//     types of the object.
//   - Candidates (target.go): the kernel's types of the same kind and essential
//     name, which is the name up to "___".
//   - Matching (match.go, compatible.go): the path's members are looked up by
//     name in each candidate, and their types compared.
//   - Values (relocate.go): offsets, sizes, shifts, and whether all candidates
//     that fit agree.
//   - Instructions (patch.go): constants and offsets are replaced, loads and
//     stores resized, and what the kernel lacks is poisoned.
//
// # Will it run?
//
// [Check], or a [Checker] for kernels that come one after the other, says of each
// program whether a kernel takes it, and why not:
//
//   - What a program is attached to (attach.go, requirements.go), from its
//     section's name, and the object's externs (externs.go, kconfig.go) are
//     looked up in the kernel's types, as libbpf does it.
//   - The program is followed (flow.go, step.go, calls.go), relocations filled in,
//     with constants in registers and on the stack (value.go) that decide its
//     branches (branch.go) as the verifier would decide them, and samples of the
//     numbers that it gets from outside (samples.go). What is poisoned matters
//     only where it is reached.
//   - Findings (check.go, verdict.go) say what is missing, where (path.go), what
//     the kernel has instead (suggest.go), when it went (history.go), and have
//     code that would do (fix.go).
//
// The verdict is [Fails] only if the verifier comes to what stops it for sure: on
// a way that the program can really take, or on all ways. Runs is said only if no
// way leads there at all. In between it is [MayFail]. The verifier has many
// other reasons to refuse a program (pointers, bounds, helpers that a program
// type may not call): those are not looked at.
//
// # What always holds
//
//   - The verdict is libbpf's, bit for bit, where that has one: each rule of its
//     relo_core.c has its place here, and tests compare with libbpf itself.
//   - Objects are hostile: every offset is checked when they are read, and
//     comparing types has a budget.
//   - Objects, targets and results do not change once they are made.
package core
