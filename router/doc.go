// Package router decides who is interested in a topic.
//
// # Topics
//
// A topic names what an event is about: segments joined by dots, orders.created. It has
// 1 to 255 bytes, at most 16 segments of at most 64 bytes each, is UTF-8 without control
// characters and white space, is case-sensitive, and has no empty segment and no *.
// [CheckTopic] tells.
//
// # Patterns
//
//   - A pattern without wildcards matches the topic that it spells.
//   - * stands for exactly one segment: users.* matches users.created, not users.
//   - ** stands for zero or more segments, anywhere, at most twice in a pattern: users.**
//     matches users, users.created and users.created.eu. For "one or more" write users.*.**.
//   - A wildcard is a whole segment. users* is an error whose text names the right form, and
//     so are the wildcards of other systems (#, > and +).
//   - Topics that begin with $ are the host's own. A pattern whose first segment is a wildcard
//     does not match them: a logger on ** does not feed on what it causes. $dlq.** does.
//
// **.* means the same as *.** and is kept in that form, so two patterns that print alike
// are equal; adjacent ** are one.
//
// # Router
//
// A [Router] holds subscriptions. A match gives each subscription once, however many of its
// patterns fit, together with those that do, in the order in which the subscriptions were
// made. Readers never lock and see either all of a subscription or nothing of it.
//
// # What it does not
//
// It delivers nothing and keeps no events; it does not know what a subscriber is. This
// version copies the nodes along a pattern's path on each change, which costs in
// proportion to their fan-out; changes are rare beside matches.
package router
