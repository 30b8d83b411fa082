package runtime

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// maxAhead is how far in the future a publisher's time may lie: clocks differ, but an
// event from next year is a mistake.
const maxAhead = 24 * time.Hour

// Publish appends events, all or none, and returns a receipt for each. An event without
// id gets a UUIDv7, one without source this node's, one without time the time of
// appending. It returns [ErrReservedTopic] for topics that begin with $, a
// [*log.EventError] for other events that cannot be stored, a [*log.VersionError] for an
// expected version that does not hold, and [ErrDraining] during a shutdown.
//
// The events are not changed and may be reused afterwards.
func (r *Runtime) Publish(ctx context.Context, events []abi.Event, d log.Durability) ([]log.Receipt, error) {
	if r.draining.Load() {
		return nil, ErrDraining
	}
	source := r.source()
	ready := make([]abi.Event, len(events))
	for i := range events {
		ready[i] = events[i]
		if err := r.complete(i, &ready[i], source); err != nil {
			return nil, err
		}
	}
	return r.store.Append(ctx, ready, d)
}

// complete checks an event of a publisher and fills in what it left out.
func (r *Runtime) complete(i int, ev *abi.Event, source string) error {
	if strings.HasPrefix(ev.Topic, "$") {
		return fmt.Errorf("event %d, topic %q: %w", i, ev.Topic, ErrReservedTopic)
	}
	if err := router.CheckTopic(ev.Topic); err != nil {
		return &log.EventError{Index: i, Field: "topic", Reason: err.Error()}
	}
	if field, reason := ev.CheckText(); field != "" {
		return &log.EventError{Index: i, Field: field, Reason: reason}
	}
	if ev.Time > now()+int64(maxAhead) {
		return &log.EventError{Index: i, Field: "time", Reason: "lies more than 24 hours ahead of this node's clock"}
	}
	if ev.Source == "" {
		ev.Source = source
	}
	if ev.ID == "" {
		ev.ID = r.ids.next()
	}
	if id, _ := ev.Headers.Get(abi.HeaderCorrelation); len(id) > abi.MaxKeyBytes {
		return &log.EventError{Index: i, Field: abi.HeaderCorrelation, Reason: "longer than an id may be"}
	}
	ev.Kind, ev.Flags = abi.KindEvent, 0
	if _, ok := ev.Headers.Get(abi.HeaderHops); ok {
		ev.Headers = withoutHops(ev.Headers)
	}
	return nil
}

// withoutHops drops the header that only the host may write: a publisher could otherwise
// send its own events to the dead letters of others.
func withoutHops(h abi.Headers) abi.Headers {
	var kept abi.Headers
	for k, v := range h.All() {
		if k != abi.HeaderHops {
			kept, _ = kept.Append(k, v) // it fitted before
		}
	}
	return kept
}
