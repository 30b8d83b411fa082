package runtime

import (
	"context"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// lastPerTopic is what a subscription wants of the events up to where the log ended when its
// subscriber was adopted with start = "last-per-topic": the youngest of each topic. The store
// keeps that end; the choice is made again after a restart and for a new generation, whose
// topics may be others.
type lastPerTopic struct {
	asked  bool                // the store was asked for the end
	until  abi.Seq             // the end; 0: all events are wanted
	gen    *generation         // that the choice is for
	latest map[string]*abi.Seq // by topic
}

// wants says whether the event is one of the chosen, or behind the end.
func (l *lastPerTopic) wants(ev *abi.Event) bool {
	if ev.Seq > l.until || ev.Kind == abi.KindControl {
		return true
	}
	latest := l.latest[ev.Topic]
	return latest != nil && *latest == ev.Seq
}

// chooseStart makes the choice where there is one to make. A blocked
// key may lie below the cursor: the choice is kept until nothing below the end waits.
func (s *subscription) chooseStart(ctx context.Context) error {
	l := &s.start
	if !l.asked {
		until, err := s.r.store.StartHead(s.name)
		if err != nil {
			return err
		}
		l.asked, l.until = true, until
	}
	if l.until == 0 || l.gen == s.gen && l.until >= s.machine.Needs() {
		return nil
	}
	if l.until < s.machine.Needs() {
		l.latest, l.gen = nil, nil
		return nil
	}
	return l.choose(ctx, s.r.store, s.gen)
}

// choose makes the choice for a generation.
func (l *lastPerTopic) choose(ctx context.Context, store *log.Log, gen *generation) error {
	l.latest, l.gen = map[string]*abi.Seq{}, nil
	reader := store.NewReader(log.ReadOptions{Match: gen.match, Borrow: true})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) && ev.Seq <= l.until {
		if ctx.Err() != nil {
			return ctx.Err() // half a choice is none
		}
		if latest := l.latest[ev.Topic]; latest != nil {
			*latest = ev.Seq // the key stays the copy that it is
		} else {
			seq := ev.Seq
			l.latest[strings.Clone(ev.Topic)] = &seq
		}
	}
	l.gen = gen
	return reader.Err()
}

// moved forgets what held for the way ahead until an operator moved the cursor: whether it
// began with the last event of each topic, and what concerned it while it was asleep.
func (s *subscription) moved() {
	s.start = lastPerTopic{}
	s.cleared = 0
}
