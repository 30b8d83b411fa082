// Package wasmbin reads WebAssembly binaries without trusting them, and rewrites them so
// that they keep count of what they do.
//
// [Scan] looks at every byte of a module before an engine sees it. It takes time and memory
// in proportion to the file and never panics. It exists because engines size their tables by
// the counts that a file claims: fifteen bytes can ask for 300 GB, and Go's out-of-memory
// cannot be recovered from. It checks the header, the order and sizes of sections, that no
// count exceeds the bytes that are left for it, that every instruction is one of version 2
// of the specification, blocks, operand counts and indices, and that locals, nesting,
// memories, tables and the numbers of everything stay in bounds. A refusal is an [*Error],
// which names section, offset, reason and remedy.
//
// [Rewrite] scans and then puts a meter in. What it promises, given an engine that keeps
// to the specification:
//
//   - No path through the code is longer than a few thousand units of fuel without a test of
//     the counter, but for the way back out of nested calls, which is bounded by their depth.
//   - Calls nest no deeper than [Rewritten.Depth] units, one or more for each frame.
//   - Whatever the engine accepts as it is, it accepts rewritten, with the same results, bits
//     of NaN and what a clamped table refuses excepted.
//   - The same module comes out the same, and costs the same fuel on every machine.
//
// What it does not: it does not check the types of operands, which the engine does, and it does
// not bound the time of compilation.
//
// The parts in the order of their work: parse and scan (module, scan, custom), the walk over a
// body (walk, opcode), what each function is (survey), which of them call each other in cycles
// (graph), where charges and tests go (plan, floats), and the new file (emit, helper,
// rewrite, lines).
package wasmbin
