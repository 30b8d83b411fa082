package natsd

import (
	"context"
	"fmt"

	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/avx-platform/avxrt/abi"
)

// Flow of the fast-ingest batches: 500 is the most that the server allows.
const (
	fastFlow     = 500
	fastOnTheWay = 8
)

// Publisher publishes batches; it belongs to one goroutine. It takes what carried most:
// without sync the fast-ingest batches of the client's extension library (PublishAsync came to
// three quarters of it, atomic batches to a fifth); with sync atomic batches, which the server
// syncs once, everything else message by message.
type Publisher struct {
	s    *Server
	fast jetstreamext.FastPublisher // nil before the first batch and after Settle
}

// Publisher makes a publisher.
func (s *Server) Publisher() *Publisher { return &Publisher{s: s} }

// Publish publishes topics and payloads, in order. With sync it is answered when it returns,
// else with a later batch or [Publisher.Settle]; the memory may be reused in both cases.
func (p *Publisher) Publish(evs []abi.Event) error {
	if p.s.sync {
		return p.atomic(evs)
	}
	return p.ingest(evs)
}

// Settle returns when everything is answered.
func (p *Publisher) Settle() error {
	if p.fast == nil {
		return nil
	}
	_, err := p.fast.Close(context.Background())
	p.fast = nil
	return err
}

func (p *Publisher) ingest(evs []abi.Event) (err error) {
	if p.fast == nil {
		p.fast, err = jetstreamext.NewFastPublisher(p.s.JS, jetstreamext.FastPublishFlowControl{Flow: fastFlow, MaxOutstandingAcks: fastOnTheWay})
		if err != nil {
			return err
		}
	}
	for i := range evs {
		if _, err := p.fast.Add(evs[i].Topic, evs[i].Data); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) atomic(evs []abi.Event) error {
	b, err := jetstreamext.NewBatchPublisher(p.s.JS, jetstreamext.BatchFlowControl{AckFirst: false})
	if err != nil {
		return err
	}
	last := len(evs) - 1
	for i := range evs[:last] {
		if err := b.Add(evs[i].Topic, evs[i].Data); err != nil {
			return err
		}
	}
	ack, err := b.Commit(context.Background(), evs[last].Topic, evs[last].Data)
	if err != nil {
		return err
	}
	if ack.BatchSize != uint64(len(evs)) {
		return fmt.Errorf("the server took %d of a batch of %d", ack.BatchSize, len(evs))
	}
	return nil
}

// PublishOne publishes an event and returns when it is answered.
func (p *Publisher) PublishOne(ev *abi.Event) error {
	answer, err := p.s.JS.PublishAsync(ev.Topic, ev.Data)
	if err != nil {
		return err
	}
	select {
	case <-answer.Ok():
		return nil
	case err := <-answer.Err():
		return err
	}
}
