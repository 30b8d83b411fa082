package runtime

import (
	"context"
)

// GuestMetricPrefix begins the state keys that a subscriber wants to be seen as metrics.
const GuestMetricPrefix = "metric/"

// Bounds of what is read for one subscriber at a scrape, whatever it keeps under the prefix.
const (
	maxMetricRows  = 10_000
	maxMetricBytes = 4 << 20
)

// GuestMetrics calls fn with the state keys, without [GuestMetricPrefix], and values that
// the subscribers of the manifest offer as metrics, by subscriber and ascending, as of one
// moment that is on disk. It reads at most 10,000 keys or 4 MiB of a subscriber; more says
// that there was more. Nothing of it is checked. What fn gets is valid during the call.
func (r *Runtime) GuestMetrics(ctx context.Context, fn func(subscriber string, key, value []byte), more func(subscriber string)) error {
	snapshot := r.store.Snapshot()
	defer snapshot.Close()
	if err := r.store.Sync(ctx); err != nil { // what is shown must not be taken back by a crash
		return err
	}
	for _, s := range r.subscriptions() {
		versions, err := snapshot.Versions(s.name)
		if err != nil {
			return err
		}
		rows, size := 0, 0
		err = snapshot.State(s.name, versions.Serving).Scan([]byte(GuestMetricPrefix), nil, func(k, v []byte) bool {
			rows, size = rows+1, size+len(k)+len(v)
			if rows > maxMetricRows || size > maxMetricBytes {
				more(s.name)
				return false
			}
			fn(s.name, k[len(GuestMetricPrefix):], v)
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}
