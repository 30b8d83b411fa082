package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// sampled says whether the run that begins at seq is done twice: by chance, but the same
// chance wherever the log is read again.
func (s *subscription) sampled(seq abi.Seq) bool {
	share := s.gen.spec.Verify
	if share <= 0 || s.r.store.TimersOf(s.name) > s.gen.spec.Limits.Timers/2 { // how many wait is no part of what is verified
		return false
	}
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64([]byte(s.name), uint64(seq)))
	return float64(h.Sum64()%1_000_000) < share*1_000_000
}

// interpreterFuel is what a unit of fuel on the interpreter costs of a core beside a compiled one.
const interpreterFuel = 40

// verify does a run again on the interpreter, at the subscriber's expense, and reports a
// difference. What the first run came to is kept either way: nobody can tell from outside
// which of the two is right.
func (s *subscription) verify(ctx context.Context, state *log.State, events []abi.Event, result sandbox.Result) {
	t := coreTime{cores: s.r.cores, share: &s.crew.share, burnt: interpreterFuel * max(result.Fuel, 0)}
	t.begin()
	difference, err := s.gen.module.Verify(ctx, s.sandboxConfig(), state, events, result)
	t.end()
	s.count(func(st *SubscriberStatus) {
		st.Verified++
		if difference != "" {
			st.Differences++
		}
	})
	first := abi.Seq(0)
	if len(events) > 0 {
		first = events[0].Seq
	}
	switch {
	case err != nil:
		s.r.opts.Logger.Error("a run could not be verified", "subscriber", s.name, "seq", uint64(first), "error", err)
	case difference != "":
		s.r.opts.Logger.Error("a run came out otherwise when it was done again; the module depends on more than its events and state, or an engine has a fault",
			"subscriber", s.name, "seq", uint64(first), "events", len(events), "difference", difference,
			"digest", s.gen.module.Digest(), "generation", s.gen.number)
	}
}

// cloneEvent copies an event out of the reader's buffers.
func cloneEvent(ev *abi.Event) abi.Event {
	c := *ev
	c.Topic, c.Key, c.ID = strings.Clone(ev.Topic), strings.Clone(ev.Key), strings.Clone(ev.ID)
	c.Source, c.ContentType = strings.Clone(ev.Source), strings.Clone(ev.ContentType)
	c.Headers, c.Data = bytes.Clone(ev.Headers), bytes.Clone(ev.Data)
	return c
}
