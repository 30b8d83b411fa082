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
// The limits of length may be changed with [Limits], up to 32 segments.
//
// # Router
//
// A [Router] holds subscriptions and tells which of them a topic concerns.
//
//   - A match gives each subscription once, however many of its patterns fit, in the order in
//     which the subscriptions were made. [Match.Patterns] tells which ones fit.
//   - [Router.Join] makes members of a group, which compete: of those that a topic concerns one
//     is in the match, chosen by the event's key and the members' names (rendezvous hashing).
//     The same key goes to the same member as long as that is there, also on another node
//     and after a restart. A group is its name: members may have different patterns.
//   - Matches take no lock and wait for nothing. They see all of a subscription or nothing of it:
//     what was there before a match and stays is in it, what was gone before is not, and what
//     comes later is not, so a loop over a match may subscribe and unsubscribe.
//   - Neither a match nor a change costs more because there are more subscriptions: a change
//     copies at most one leaf of a table (9 KiB) or one chunk of subscribers (1 KiB).
//   - A match looks at no more than [Options].Shapes places below the topic's first segment and as
//     many for patterns that begin with a wildcard, whatever the patterns are. Who would go beyond
//     that is refused when he subscribes, with a [*LimitError]. Nothing else is refused then, and
//     nothing ever when he unsubscribes.
//   - Matches allocate nothing while up to 32 patterns fit; more take a few allocations.
//
// Three ways to ask, from the dearest to the cheapest: [Router.MatchBatch] for many topics that
// come at once and are different, [Router.Match], which remembers recent topics, and a [Topic] for
// one that comes again and again. All give the same answer.
//
// [Seen] is the other direction: the topics so far that a pattern would match.
//
// # Bus
//
// A [Bus] publishes typed values within a process: to handlers, which run in the publisher's
// goroutine, and to bounded channels, whose owners say what happens when they are full. Its
// comment has the rules of order, panics and re-entry.
//
// # How it works
//
// Patterns lie in one hash table per shape, the arrangement of their literal segments and
// wildcards, within a scope, the patterns that begin alike (shape.go, table.go, scope.go). A
// table knows patterns; who subscribed to one stands in its roster (roster.go), so joining a
// pattern that is there changes no table and spoils no remembered answer (cache.go).
//
// A flat trie, one hash table from (node, segment) to node, was the other candidate. It is
// simpler, and gives up sooner on a topic whose first segment nobody wants: 0.5 to 0.8 of our
// time. But each level waits for the one before: with a million patterns it took 1.4 to 2 times
// ours, and with all of {a, *}^16 it walks 2^16 nodes. Who tries it again should know that.
//
// # What it does not
//
// It keeps no events and delivers none twice: what is not received is gone. It does not know
// what a subscriber is. A removed value may stay reachable as long as others subscribe to its
// pattern. Memory is about 140 bytes for a subscription of its own pattern.
//
// # Testing against it
//
// Nothing here needs time, files or a network: use the real thing.
package router
