// Package wasmbin reads WebAssembly binaries without trusting them.
//
// [Scan] looks at every section of a module before an engine sees it. It takes time in
// proportion to the file, allocates in proportion to the imports and exports that are
// really there, and never panics. It exists because engines size their tables by the
// counts that a file claims: fifteen bytes can ask for 300 GB, and Go's out-of-memory
// cannot be recovered from.
//
// What it checks: the header, the order and sizes of sections, that no count exceeds the
// bytes that are left for it, the sum of local variables, one memory of the module's own,
// table sizes, and the nesting that a table of contents can show. What it does not: it
// does not validate instructions, which the engine does, and it does not bound the time of
// compilation.
package wasmbin
