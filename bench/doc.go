// Package bench measures the assembled system, each figure with a baseline beside it in
// the same run: raw Pebble for the log, a bare call of the engine for the sandbox, a
// channel for the whole line. The machines differ and are noisy; the ratio to the baseline
// is what counts. RESULTS.md keeps the tables.
//
//	go test -bench=. ./bench
//	go test -bench=Route ./bench
package bench
