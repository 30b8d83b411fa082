// Package telemetry makes the node's logger and its Prometheus metrics.
//
// [Handler] promises that every figure is read when it is scraped, that labels are
// subscribers and states only (topics are unbounded and never labels), and that units are
// base units. It adds nothing to the path of an event. Traces are not part of this version.
package telemetry
