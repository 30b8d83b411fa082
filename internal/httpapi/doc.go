// Package httpapi is the node's HTTP interface: publishing CloudEvents, following the log
// as server-sent events, looking at subscribers, state and dead letters, health and metrics.
//
// # What it promises
//
//   - A publish is answered after the durability that was asked for was reached, and says
//     which that was, per event. A batch is appended whole or not at all.
//   - Nothing that is answered can be taken back by a crash: reading stops at the last
//     event on disk.
//   - Every refusal is an RFC 9457 problem document with a stable code.
//   - Requests whose Host is not a loopback name, and those that a page of another web origin
//     makes, are refused: it cannot talk to the node behind its user's back.
//   - A parameter or field that a route does not know is refused, not read over: it may be a
//     mistyped dry_run.
//   - Bodies, headers and times are bounded (see [Options] and [Server]).
//
// # What it does not
//
// It knows no users: whoever reaches the loopback address may use it. It starts no
// goroutine of its own; a stream is served on its request's.
package httpapi
