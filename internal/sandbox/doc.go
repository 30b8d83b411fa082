// Package sandbox runs one untrusted guest within limits: it loads the module, makes
// instances, answers the guest's calls and turns whatever the guest does into a [Result].
//
// # What it promises
//
//   - A guest reaches what the contract of package abi names and nothing else: no files,
//     no network, no clock but the event's, no randomness but what the event seeds.
//   - What an event stages (emits, state writes, reply) is kept when the guest asks for
//     the next event or returns, and dropped when it fails or traps. Events before a failing
//     one keep what they staged.
//   - A guest's fault is a value, [Failure] or [Trap], never an error of the host and never
//     a panic. After one the instance is not used again.
//   - Each event has a budget of fuel and a time limit, each instance a memory limit, and
//     emits, state writes and log lines are counted per event. Whatever the guest does, it
//     ends when its fuel is used up, and until then it comes back to Go every few dozen
//     microseconds, so a garbage collection does not wait for it (package wasmbin rewrites
//     modules for that).
//   - No module file makes this process allocate without bound. With a CompileCommand none
//     makes it compile either: a child does, under limits of time and memory.
//   - What instances hold of memory is counted, and a [Pool] bounds it: those that nobody uses are
//     closed, the one that was used last at last.
//   - Same module, same events, same state: same result. Time-outs are the exception.
//
// # What it does not
//
// It does not contain a fault of the engine: guests run in this process. If a guest does not
// come back although it should have run out of fuel, all that is left is to end the process
// ([ExitStuck]). [Module.Verify] translates a module for the interpreter in this process, which
// asks for some 250 bytes of memory for each byte of the file. State and emits are staged here
// and committed by package runtime.
//
// # Goroutines
//
// [NewEngine] starts one, which watches for guests that are stuck; [Engine.Close] ends it. An
// [Instance] is for one goroutine at a time.
package sandbox
