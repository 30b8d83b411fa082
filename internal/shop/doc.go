// Package shop makes the orders of an invented shop, and works out by itself what the
// shipped subscribers must end with. The demo, the tests and the benchmarks hold the
// program against it; it shares no code with any subscriber, and none of them knows it.
//
// [Generate] depends on its seed alone. Among the orders are the things that real order
// files have (orders without customer, fees, free lines, cancellations of known and
// unknown orders) and poison: cut JSON, an absurd quantity, and an order of 900 KB, which
// is large but good.
//
// [Expect] reads events of this shape, generated or real, in the most obvious way:
// encoding/json and maps.
package shop
