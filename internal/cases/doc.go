// Package cases runs the declarative cases of a module, *.avx.toml, which package manifest
// reads: events in, and what shall come of each.
//
// # What it promises
//
//   - Where an event ended and what it emitted is always compared; state, logs, reply and fuel
//     where the case says something about them.
//   - Every case runs a second time with a fresh instance for each event. Another outcome
//     fails the case: the module keeps something in memory that belongs into its state.
//   - A case sees nothing of the one before it.
//   - A difference is told in the words of a file of cases, so what came out can be copied
//     into one.
//
// # What it does not
//
// Text in a [Result] is what events and guests say; who prints it to a terminal cleans it.
package cases
