package wasmarea

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// batch is how many events avxrt gives to a guest in one call; the guest pulls them.
const batch = 256

// noState is an empty committed state.
type noState struct{}

// Get finds nothing.
func (noState) Get([]byte) ([]byte, bool, error) { return nil, false, nil }

// Scan finds nothing.
func (noState) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }

// ours handles the events in the sandbox.
func ours(events [][]byte) harness.Side {
	return func(string) (harness.Measure, error) {
		ctx := context.Background()
		e, err := sandbox.NewEngine(ctx, sandbox.Options{})
		if err != nil {
			return harness.Measure{}, err
		}
		defer e.Close(ctx)
		m, err := e.Load(ctx, "ours", guest("ours"))
		if err != nil {
			return harness.Measure{}, err
		}
		i, err := m.Instantiate(ctx, sandbox.Config{Subscriber: "bench", Limits: sandbox.Limits{Time: timeLimit}}, noState{})
		if err != nil {
			return harness.Measure{}, err
		}
		defer i.Close(ctx)
		return pull(ctx, i, events)
	}
}

func pull(ctx context.Context, i *sandbox.Instance, events [][]byte) (harness.Measure, error) {
	var last []byte
	var ev abi.Event
	start := time.Now()
	for at := 0; at < len(events); {
		end := min(at+batch, len(events))
		next := at
		r := i.Run(ctx, sandbox.Batch{State: noState{}, Next: func() *abi.Event {
			if next == end {
				return nil
			}
			ev = abi.Event{Seq: abi.Seq(next + 1), Topic: "bench.event", Key: "k", Time: 1, Attempt: 1, Data: events[next]}
			next++
			return &ev
		}})
		if r.Handled != end-at {
			return harness.Measure{}, fmt.Errorf("handled %d of %d: %+v %+v", r.Handled, end-at, r.Failure, r.Trap)
		}
		at, last = end, r.Reply
	}
	return harness.Measure{Count: len(events), Took: time.Since(start), Digest: answer(last)}, nil
}

// answer is the guest's answer to the last event, which depends on all before it.
func answer(b []byte) uint64 {
	if len(b) < 4 {
		return 0
	}
	return uint64(harness.NewDigest().Number(uint64(binary.LittleEndian.Uint32(b))))
}
