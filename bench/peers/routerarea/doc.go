// Package routerarea holds package router against other matchers and buses on the same
// subscriptions and topics.
//
// # The rivals, and how each is driven
//
//   - nats: nats-server's Sublist with its result cache, as a server has it; nats/uncached
//     without, which is its faster setting for many topics (nats-server #4341).
//   - gsl: nats-server's generic sublist, which calls a func for each result and allocates none.
//   - mochi: the index of mochi-mqtt, which a broker asks for each message.
//   - Ours is asked topic by topic, as they are. router/hot-handle has a handle on the topic,
//     router/uniform-1m-batch batches of 256, which no rival has; router/hot-parallel two
//     goroutines at once.
//   - asaskevich, watermill, channel: buses within a process. Watermill's gochannel has a
//     buffer as large as a batch; the channel has a reader that does nothing but add.
//
// Topics and patterns are spelled as each side wants them before the clock runs: dots or
// slashes, ** or > or #. Every side sums up the numbers of the subscriptions that it finds;
// [harness.Case.Check] compares these sums topic by topic before anything is timed.
// Patterns keep to what all sides understand alike: no empty segments, no $, ** only at the
// end and topics that are deeper than what stands before it.
package routerarea
