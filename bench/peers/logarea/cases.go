// Package logarea compares the log with rivals that keep events: raw Pebble with one key per
// event, its batches as large as ours.
package logarea

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// batch is how many events one append takes.
const batch = 256

// Cases are the comparisons of the area; quick means fewer events.
func Cases(quick bool) []harness.Case {
	n := 400 * 1024
	if quick {
		n = 100 * 1024
	}
	return []harness.Case{
		{Name: "log/append-accepted", Rival: "pebble", Ours: appendOurs(n, log.Accepted), Theirs: appendPebble(n, pebble.NoSync)},
		{Name: "log/append-durable-batch", Rival: "pebble", Ours: appendOurs(n/4, log.Durable), Theirs: appendPebble(n/4, pebble.Sync)},
		{Name: "log/replay", Rival: "pebble", Ours: replayOurs(n), Theirs: replayPebble(n)},
	}
}
