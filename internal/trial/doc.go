// Package trial runs one module over events without a node: no log, no manifest, state in
// memory. It is what `avxrt call` and `avxrt test` run, and the conformance kit of the SDKs.
//
// # What it promises
//
//   - An event is handled as a node would handle it: within the same limits, with the same
//     grants, and what it stages is kept when it is handled and dropped when it fails or traps.
//   - A trap on an instance that served before is tried once more on a fresh one, as a node
//     does, and only that run counts.
//   - Same module, same options, same events: same outcomes, but for [Outcome].Took. The
//     guest's clock is the event's, see [Options].
//   - With [Options].Fresh each event meets an instance of its own. A module that has another
//     outcome then keeps something in memory that belongs into its state.
//   - A guest's fault is an [Outcome], never an error.
//
// # What it does not
//
// It does not stop a guest by the clock before a minute is over: fuel does that, on every
// machine at the same place. Nothing that is emitted comes back as an event, no timer fires, and there are no further
// attempts after a failure that asks for one: whoever wants these hands in the event.
// Expected versions are not checked, and emits carry what the guest gave them: id, source
// and the headers of a chain are for a node to fill in.
//
// # Testing
//
// The tests run the probe of package sandbox, which does what an event tells it to.
package trial
