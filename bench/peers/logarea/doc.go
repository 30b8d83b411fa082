// Package logarea compares the log with rivals that keep events on disk. Each side gets the
// same events (256 bytes of JSON, 100 topics, 10,000 keys) and runs in a folder of its own on
// the same disk. All sides but JetStream are called in the process; its users meet it through
// its client and a connection, so that is how it is measured.
//
// # The cases
//
//   - log/append-accepted: batches of 256, answered when readers can see them. What of that
//     survives kill -9 or a power loss differs, see below.
//   - log/append-durable-256: 256 publishers, each appending one event after the other,
//     answered after the fsync.
//   - log/append-durable-batch: 4 publishers of batches of 256, answered after the fsync.
//   - log/replay: all events of a store that was closed and opened again, from warm caches.
//   - log/replay-filtered: the same with one topic of the 100; the figure counts the events
//     that were passed over too. JetStream filters itself; of the others everything is read
//     and compared by hand, as their users would.
//
// Before anything is timed both sides append the same events through the path of the case,
// are closed, opened and read: seqs 1 to n, every topic and payload equal.
//
// # What the sides promise
//
// An accepted event of ours is on disk 10 ms later at most; /sync-10ms is a rival without sync
// that is synced as often, the same promise. JetStream syncs every 2 minutes
// unless told otherwise, and hands a write to the operating system soon. Pebble without sync
// keeps up to 32 KiB of its log in the process. bbolt without sync survives kill -9, and a
// power loss may damage the whole file. tidwall/wal without sync survives kill -9.
// Ours also keeps the stream of each key and its index, and a chain of checksums; none of the
// others does. JetStream gets topic and payload alone, the others the whole frame of an event.
package logarea
