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
//   - Each event has a time limit, and each instance a memory limit, and emits, state
//     writes and log lines are counted per event.
//   - Same module, same events, same state: same result. Time-outs are the exception.
//
// # What it does not
//
// The time limit rests on the engine's own switch, which looks at loops only: code that
// recurses without a loop is not stopped, and compiling happens in this process. Run
// modules that you trust not to attack you. State and emits are staged here and committed
// by package runtime.
//
// # Goroutines
//
// [NewEngine] starts one, which watches the time limits; [Engine.Close] ends it. An
// [Instance] is for one goroutine at a time.
package sandbox
