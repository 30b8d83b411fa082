// Package telemetry makes the node's logger and its Prometheus metrics.
//
// [Handler] promises that every figure is read when it is scraped, that labels of the
// node's own figures are subscribers and states only (topics are unbounded and never
// labels), and that units are base units. It adds nothing to the path of an event. Traces
// are not part of this version.
//
// What subscribers keep in their state under metric/ is shown as avxrt_guest_… with the
// label subscriber: at most 1,000 series each. Names, labels and values are a guest's, who
// may have them from anybody: what is malformed is counted and left out, and no guest can
// spoil the scrape.
package telemetry
