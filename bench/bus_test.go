package bench_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/router"
)

// routeBus is W17: publishing to a bus, with a plain call and a channel beside it.
func routeBus(b *testing.B) {
	pattern := parse(b, []string{"users.*"})[0]
	for _, n := range []int{1, 10, 100} {
		bus := router.NewBus[int]()
		for range n {
			if _, err := bus.Handle(func(_ context.Context, ev router.Event[int]) { sink += ev.Value }, pattern); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("handlers=%d", n), func(b *testing.B) { publish(b, bus) })
	}
	b.Run("handlers=1/topics=10", func(b *testing.B) {
		bus := router.NewBus[int]()
		topics := texts(10, func(i int) string { return fmt.Sprintf("users.%d", i) })
		_, _ = bus.Handle(func(_ context.Context, ev router.Event[int]) { sink += ev.Value }, pattern)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = bus.Publish(ctx, topics[i%10], "", i)
		}
	})
	b.Run("handlers=1/kind=topic", func(b *testing.B) {
		bus := router.NewBus[int]()
		_, _ = bus.Handle(func(_ context.Context, ev router.Event[int]) { sink += ev.Value }, pattern)
		topic, _ := bus.Topic("users.created")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = topic.Publish(ctx, "", i)
		}
	})
	b.Run("channels=10/slow=1", slowChannel)
	busBaselines(b)
}

// slowChannel has ten channels, one of which nobody reads: that must cost the publisher
// nothing but a drop.
func slowChannel(b *testing.B) {
	pattern := parse(b, []string{"users.*"})[0]
	bus := router.NewBus[int]()
	done := make(chan int)
	var all []*router.Receiver[int]
	for i := range 10 {
		r, _ := bus.Channel(router.ChannelOptions{Size: 1024, Full: router.DropOldest}, pattern)
		all = append(all, r)
		if i > 0 {
			go func() {
				n := 0
				for range r.C {
					n++
				}
				done <- n
			}()
		}
	}
	publish(b, bus)
	b.StopTimer()
	got := 0
	for i, r := range all {
		r.Close()
		if i > 0 {
			got += <-done
		}
	}
	b.ReportMetric(float64(got)/float64(b.N)/9, "received/event")
}

// busBaselines is what a bus is held against: a plain call, and a channel.
func busBaselines(b *testing.B) {
	b.Run("kind=baseline-call", func(b *testing.B) {
		f := []func(context.Context, router.Event[int]){func(_ context.Context, ev router.Event[int]) { sink += ev.Value }}
		for i := 0; b.Loop(); i++ {
			f[i&0](ctx, router.Event[int]{Topic: "users.created", Value: i})
		}
	})
	b.Run("kind=baseline-channel", func(b *testing.B) {
		ch, done := make(chan router.Event[int], 1024), make(chan int)
		go func() {
			sum := 0
			for ev := range ch {
				sum += ev.Value
			}
			done <- sum
		}()
		for i := 0; b.Loop(); i++ {
			ch <- router.Event[int]{Topic: "users.created", Value: i}
		}
		close(ch)
		sink += <-done
	})
}

func publish(b *testing.B, bus *router.Bus[int]) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := bus.Publish(ctx, "users.created", "", i); err != nil {
			b.Fatal(err)
		}
	}
}
