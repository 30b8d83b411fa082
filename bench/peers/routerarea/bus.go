package routerarea

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	EventBus "github.com/asaskevich/EventBus"

	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/router"
)

// busTopic is what all buses publish to. One receiver adds up what it gets.
const busTopic = "users.created"

// bus publishes the numbers below n, and returns when the receiver had all of them.
type bus func(n int) (sum int, took time.Duration, err error)

// buses are router/bus: the price of an event from its publishing to the end of its
// handling. Ours is a call of a handler, which asaskevich's is too. router/bus-channel has
// a channel on either side.
func buses(z size) []harness.Case {
	var out []harness.Case
	add := func(name, rival string, mine, theirs bus) {
		out = append(out, harness.Case{
			Name: name, Rival: rival, Unit: harness.Nanos, Timed: true, Ours: mine.side(z.long), Theirs: theirs.side(z.long),
			Check: func(string) error { return errors.Join(mine.check("ours"), theirs.check(rival)) },
		})
	}
	add("router/bus", "asaskevich", ourBus, asaskevich)
	add("router/bus", "watermill", ourBus, watermill)
	add("router/bus", "channel", ourBus, channel)
	add("router/bus-channel", "channel", ourChannel, channel)
	return out
}

// check wants every number once.
func (b bus) check(name string) error {
	sum, _, err := b(1000)
	if err == nil && sum != 499_500 {
		err = fmt.Errorf("%s: the numbers below 1000 add up to %d", name, sum)
	}
	return err
}

// side publishes portions, each twice as big as the one before, for a set time.
func (b bus) side(long time.Duration) harness.Side {
	return func(string) (m harness.Measure, err error) {
		for portion := 1000; m.Took < long; portion = min(portion*2, 1_000_000) {
			_, took, err := b(portion)
			if err != nil {
				return m, err
			}
			m.Count += portion
			m.Took += took
		}
		return m, nil
	}
}

func ourBus(n int) (sum int, took time.Duration, err error) {
	b := router.NewBus[int]()
	p, err := router.ParsePattern("users.*")
	if err != nil {
		return 0, 0, err
	}
	if _, err = b.Handle(func(_ context.Context, ev router.Event[int]) { sum += ev.Value }, p); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	for i := range n {
		if err := b.Publish(context.Background(), busTopic, "", i); err != nil {
			return sum, 0, err
		}
	}
	return sum, time.Since(start), nil
}

func ourChannel(n int) (sum int, took time.Duration, err error) {
	b := router.NewBus[int]()
	p, err := router.ParsePattern("users.*")
	if err != nil {
		return 0, 0, err
	}
	r, err := b.Channel(router.ChannelOptions{Size: 1024, Full: router.Block}, p)
	if err != nil {
		return 0, 0, err
	}
	done := make(chan int)
	go func() { done <- add(n, r.C, func(ev router.Event[int]) int { return ev.Value }) }()
	start := time.Now()
	for i := range n {
		if err := b.Publish(context.Background(), busTopic, "", i); err != nil {
			return 0, 0, err
		}
	}
	return <-done, time.Since(start), nil
}

func add[T any](n int, from <-chan T, value func(T) int) (sum int) {
	for range n {
		sum += value(<-from)
	}
	return sum
}

func asaskevich(n int) (sum int, took time.Duration, err error) {
	b := EventBus.New()
	if err := b.Subscribe(busTopic, func(v int) { sum += v }); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	for i := range n {
		b.Publish(busTopic, i)
	}
	return sum, time.Since(start), nil
}

func channel(n int) (sum int, took time.Duration, err error) {
	ch := make(chan router.Event[int], 1024)
	done := make(chan int)
	go func() { done <- add(n, ch, func(ev router.Event[int]) int { return ev.Value }) }()
	start := time.Now()
	for i := range n {
		ch <- router.Event[int]{Topic: busTopic, Value: i}
	}
	return <-done, time.Since(start), nil
}

// watermill publishes batches of 100, which is faster for it than one by one.
func watermill(n int) (sum int, took time.Duration, err error) {
	g := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 1024, BlockPublishUntilSubscriberAck: false}, nil)
	defer func() { err = errors.Join(err, g.Close()) }()
	from, err := g.Subscribe(context.Background(), busTopic)
	if err != nil {
		return 0, 0, err
	}
	done := make(chan int)
	go func() {
		done <- add(n, from, func(m *message.Message) int {
			v, _ := strconv.Atoi(string(m.Payload))
			m.Ack()
			return v
		})
	}()
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(strconv.Itoa(i), []byte(strconv.Itoa(i)))
	}
	start := time.Now()
	for len(messages) > 0 {
		k := min(100, len(messages))
		if err := g.Publish(busTopic, messages[:k]...); err != nil {
			return 0, 0, err
		}
		messages = messages[k:]
	}
	return <-done, time.Since(start), nil
}
