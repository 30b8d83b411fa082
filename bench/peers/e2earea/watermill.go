package e2earea

import (
	"errors"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/avx-platform/avxrt/abi"
)

// goChannel is watermill's in-memory Pub/Sub with a handler in Go that counts in a map: nothing
// is kept anywhere. Its best: the handler reads the channel of the subscription itself,
// without the router and its middleware; empty UUIDs, which only debugging needs; four
// publishers that each wait for the ack, which is faster than not waiting (then goroutines
// without bound stand in line for the one subscriber) and keeps the order.
type goChannel struct {
	pubsub  *gochannel.GoChannel
	done    chan struct{}
	events  atomic.Int64
	failure atomic.Pointer[error]
	counts  counters // the handler's until done
}

func openGoChannel(string) (system, error) {
	config := gochannel.Config{BlockPublishUntilSubscriberAck: true, OutputChannelBuffer: 1024}
	g := &goChannel{pubsub: gochannel.NewGoChannel(config, nil), done: make(chan struct{}), counts: counters{}}
	messages, err := g.pubsub.Subscribe(background, topic)
	if err != nil {
		return nil, errors.Join(err, g.pubsub.Close())
	}
	go g.run(messages)
	return g, nil
}

func (g *goChannel) run(messages <-chan *message.Message) {
	defer close(g.done)
	for m := range messages {
		if err := g.counts.add(m.Payload, 1); err != nil {
			g.failure.CompareAndSwap(nil, &err)
		}
		m.Ack()
		g.events.Add(1)
	}
}

func (g *goChannel) publisher() publisher { return g }
func (g *goChannel) settle() error        { return nil }

func (g *goChannel) publish(evs []abi.Event) error {
	messages := make([]*message.Message, len(evs))
	for i := range evs {
		messages[i] = message.NewMessage("", evs[i].Data)
	}
	return g.pubsub.Publish(topic, messages...)
}

func (g *goChannel) handled() (int, error) {
	if err := g.failure.Load(); err != nil {
		return 0, *err
	}
	return int(g.events.Load()), nil
}

// state ends the subscription: the handler's map is then at rest.
func (g *goChannel) state() (counters, error) {
	err := g.Close()
	return g.counts, err
}

// Close may be called more than once.
func (g *goChannel) Close() error {
	err := g.pubsub.Close()
	<-g.done
	return err
}
