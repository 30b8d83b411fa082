// Package log is the durable event log: append-only, with the streams of keys, the
// cursors and state of subscribers, their dead letters and their timers in the same store,
// so that they change together or not at all.
//
// # What it promises
//
//   - Order: events get consecutive seqs from 1, in one order, without holes. An event
//     with a key also gets the next version of its key's stream.
//   - Atomicity: one [Log.Append] is all or nothing. One [Log.Commit] moves a subscriber's
//     cursor, writes its state, appends what it emitted, files its dead letters and sets its
//     timers in one batch: after a crash either all of it is there or none. One [Log.Fire]
//     takes timers out and appends their events.
//   - Durability is said, not guessed: an append that asked for [Durable] is answered
//     after the fsync of its group; one that asked for [Accepted] is answered when readers
//     can see it, and is on disk at most [Options.SyncEvery] later. What survives a crash
//     is always a prefix of what was acknowledged in order. [Log.DurableSeq] is the border.
//   - Idempotence: a published event whose (source, id) is among the last
//     [Options.DedupeWindow] events is not appended again; its receipt names the first seq.
//     A producer that numbers its appends ([Conditions]) is idempotent without a window.
//   - No silent loss: a store that is damaged or shorter than it was is not opened as if it
//     were whole; the [*DamageError] names the missing events. The chunks are a hash chain,
//     which is read again in the background, and [Log.Verify] checks everything.
//   - A full disk refuses events with [ErrDiskFull] before the engine stumbles; reads go on,
//     and appends once there is room. After a failed fsync nothing is acknowledged.
//   - What leaves says so: retention and redaction append an audit event in the same batch.
//   - Reading costs nothing for events that are not wanted: topics are matched once a
//     chunk, and a chunk without a wanted topic is skipped by its header.
//
// Events that come out of a log are views into memory that never changes: they may be
// kept for as long as one likes, at the price of keeping their chunk (about 64 KiB). A
// reader that borrows ([ReadOptions.Borrow]) gives events that live until its next call.
//
// # What it does not
//
// It does not know patterns (callers pass a func), subscribers' rules or guests. A store
// belongs to one process. Loss of the disk is not its business; nor is a disk that lies
// about fsync. The layout on disk is described in docs/format/log.md.
//
// # Goroutines
//
// [Open] starts the sequencer, whose work an accepted append may do for itself; the sync waiter, which answers durable
// appends in order; the stream index, which follows the log, and one that asks it for the
// sequencer; the writer of the head mark; and the background verification. [Log.Close]
// ends all of them and waits. All methods are safe for concurrent use.
package log
