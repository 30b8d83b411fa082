// Package e2earea compares whole lines: batches of 256 events are published, a subscriber
// adds what each says ("add c7 3") to one of 16 counters, and the run is over when the last
// one is in its state. The time counts from the first publish to then; the state must be what
// the events add up to, in every run.
//
//   - e2e/accepted: publishes are answered when readers can see them. Ours is publish, log,
//     route, a guest in C in its sandbox, and one commit of state and cursor; JetStream's is the
//     embedded server and a consumer in Go that keeps counters and cursor in Pebble.
//   - e2e/durable: the same, publishes answered after the fsync.
//   - e2e/watermill: ours, accepted, against watermill's GoChannel with a handler in Go. That
//     keeps nothing: after a crash there are neither events nor counters.
//
// The rivals' handlers run native code in the publisher's process with no limit on what they
// do; ours is a Wasm module that is metered and can be swapped. The payload is short, because
// the guest at hand reads it letter by letter, whatever is in it, and would be measured instead
// of the line.
package e2earea
