// Package delivery decides what happens next for one subscription: which events to run,
// how far the cursor moves, when a failed event is tried again and when it becomes a dead
// letter. It is a pure state machine: it does no I/O, reads no clock and starts no
// goroutine, so a test can drive it through every corner, and a seed reproduces a story.
//
// # What it promises
//
//   - An event that a run acknowledged is never run again; an event that it did not
//     acknowledge is run again, becomes a dead letter or is skipped by the guest's own
//     word, and which of these is in the [Verdict] that moves the cursor over it. Cursor
//     and dead letter therefore go into one commit.
//   - One failing event costs its own attempts only: what lay before it in the run commits.
//   - A trap is run again once, at once, alone, on a fresh instance; the same trap is
//     final. A time-out and a guest's own "retry" wait between attempts, up to the limit
//     of the [Policy]. Meanwhile the key of the event is blocked: the cursor goes on, the
//     key's later events are passed over, and all of them run, in their order, before the
//     key is free again. An event without a key blocks nothing. What waits is in the rows
//     of the verdict ([Parked]), so it outlives the process, attempts included.
//   - After an end of the process that was not clean, events run one by one for a while, with a
//     row that says so before each. One that ends the process as often as the policy has
//     attempts is a dead letter, "killed".
//   - A guest that fails without an event, or on [BreakAfter] events in a row, is held to
//     be broken: the subscription stops at its cursor until a new generation comes, and
//     no more events are charged for it. A restart lets it try the event at the cursor once
//     more ([Start.Strikes]), and charges none for that either.
//   - While a generation is on trial ([Machine.Watch]) no event is charged or given up for
//     it: the first that fails makes the [Verdict] to roll back.
//
// # What it does not
//
// An event that is run again at once, after a trap or a conflict, is not written down in
// between: a crash gives it another run. The number of passed-over events, which bounds
// them ([MaxPassed]), is not written down: the shell counts them as a machine begins. It runs no guest and commits
// nothing; package runtime does, and reports back.
//
//	order := m.Begin(now)              // what to run, or when to look again
//	verdict := m.Finish(now, outcome)  // what to commit
//	m.Refused(start)                   // only if that commit was refused, with what the store holds
package delivery
