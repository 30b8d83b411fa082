// Package runtime runs subscribers against a log: it loads their modules, delivers events
// to them, commits what they did, and swaps them while events flow. It is also how a Go
// program embeds avxrt.
//
// # What it promises
//
//   - An event changes a subscriber's state exactly once, and what the subscriber emits
//     for it is appended exactly once: both go into the log in the commit that moves the
//     subscriber's cursor (package log).
//   - A subscriber sees the events that its patterns match in the order of the log, each
//     once per generation boundary: a swap happens between two events, and every event is
//     handled by exactly one generation.
//   - A new plan (manifest and modules) is built and checked as a whole before anything
//     changes. If any part of it is wrong, the old plan goes on and [Runtime.Status] and
//     [Runtime.Subscribers] say why.
//   - A new module goes into service as the manifest's swap says: at once, after a rehearsal
//     against the present generation on events of the log ([Runtime.Shadow]), or on trial,
//     with the present one coming back if one of its first events fails. What was refused is
//     remembered, and not tried again until the file changes; the last good generation runs
//     over restarts, from bytes that the store keeps.
//   - An emit in the future is a timer: it is part of that commit, too, and becomes an event
//     once, when the node's clock reaches its time.
//   - One subscriber's failures are its own: others do not notice them.
//   - An operator's word ([Runtime.Pause], [Runtime.Reset], [Runtime.Redrive], …) is done between
//     two events and is on disk when it is answered. Events that are handled again change the
//     state again and emit nothing again, unless that was asked for; a dead letter leaves in the
//     commit that brings its state and emits.
//
// # What it does not
//
// Effects (topics under $effect.) are ordinary events here; calling providers is not part
// of this version. A Go func given to [Runtime.Subscribe] gets events at least once, not
// exactly once, because its own side effects are outside of the commit.
//
// # Goroutines
//
// [Runtime.Run] starts one per subscriber, one that follows the log and wakes whom new events
// concern, one that watches files, one for timers and one for retention; it returns when all of them have ended. Nothing runs before Run or after it.
package runtime
