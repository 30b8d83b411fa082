package router_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avx-platform/avxrt/router"
)

func patterns(t testing.TB, texts ...string) []router.Pattern {
	t.Helper()
	var out []router.Pattern
	for _, s := range texts {
		out = append(out, mustParse(t, s))
	}
	return out
}

func publish(t testing.TB, b *router.Bus[int], topic string, values ...int) {
	t.Helper()
	for _, v := range values {
		if err := b.Publish(context.Background(), topic, "", v); err != nil {
			t.Fatal(err)
		}
	}
}

// must fails the test where a bus refuses a receiver.
func must[T any](r *router.Receiver[T], err error) *router.Receiver[T] {
	if err != nil {
		panic(err)
	}
	return r
}

// received empties the channel of a closed receiver.
func received(r *router.Receiver[int]) []int {
	var out []int
	for ev := range r.C {
		out = append(out, ev.Value)
	}
	return out
}

func TestBusOrder(t *testing.T) {
	b := router.NewBus[int]()
	var got []string
	for _, name := range []string{"first", "second"} {
		must(b.Handle(func(_ context.Context, ev router.Event[int]) {
			got = append(got, fmt.Sprint(name, ev.Topic, ev.Key, ev.Value))
		}, patterns(t, "a.*", "**")...))
	}
	topic, err := b.Topic("a.b")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Publish(context.Background(), "a.b", "k", 1), topic.Publish(context.Background(), "k", 2)); err != nil {
		t.Fatal(err)
	}
	if want := "[firsta.bk1 seconda.bk1 firsta.bk2 seconda.bk2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBusRefusesBadTopics(t *testing.T) {
	b := router.NewBus[int]()
	var syntax *router.SyntaxError
	if err := b.Publish(context.Background(), "a..b", "", 1); !errors.As(err, &syntax) || syntax.Offset != 2 {
		t.Errorf("Publish: %v", err)
	}
	if _, err := b.Topic("a.*"); !errors.As(err, &syntax) {
		t.Errorf("Topic: %v", err)
	}
}

func TestBusFull(t *testing.T) {
	for _, tt := range []struct {
		full    router.Full
		want    []int
		dropped uint64
	}{{router.DropNewest, []int{1, 2, 3}, 2}, {router.DropOldest, []int{3, 4, 5}, 2}} {
		b := router.NewBus[int]()
		r := must(b.Channel(router.ChannelOptions{Size: 3, Full: tt.full}, patterns(t, "a")...))
		publish(t, b, "a", 1, 2, 3, 4, 5)
		r.Close()
		r.Close()
		publish(t, b, "a", 6)
		if got := received(r); !slices.Equal(got, tt.want) || r.Dropped() != tt.dropped {
			t.Errorf("%v: got %v, %d dropped", tt.full, got, r.Dropped())
		}
	}
}

// TestBusBlock: the publisher waits for the one who wants that, after the others got the
// event; the end of the context or of the receiver ends the wait.
func TestBusBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := router.NewBus[int]()
		slow := must(b.Channel(router.ChannelOptions{Size: 1, Full: router.Block}, patterns(t, "a")...))
		other := must(b.Channel(router.ChannelOptions{}, patterns(t, "a")...))
		publish(t, b, "a", 1)
		done := make(chan error, 1)
		go func() { done <- b.Publish(context.Background(), "a", "", 2) }()
		synctest.Wait()
		if len(other.C) != 2 || len(done) != 0 {
			t.Fatalf("the other one got %d events, the publisher is done: %d", len(other.C), len(done))
		}
		<-slow.C
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.Publish(ctx, "a", "", 3); !errors.Is(err, context.DeadlineExceeded) || slow.Dropped() != 1 {
			t.Fatalf("got %v, %d dropped", err, slow.Dropped())
		}
		go func() { done <- b.Publish(context.Background(), "a", "", 4) }()
		synctest.Wait()
		slow.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := received(slow); !slices.Equal(got, []int{2}) {
			t.Fatalf("got %v", got)
		}
	})
}

// TestBusReentry: a handler publishes, subscribes and closes from inside.
func TestBusReentry(t *testing.T) {
	b := router.NewBus[int]()
	var got []string
	var self *router.Receiver[int]
	self = must(b.Handle(func(ctx context.Context, ev router.Event[int]) {
		got = append(got, ev.Topic)
		self.Close()
		must(b.Handle(func(_ context.Context, ev router.Event[int]) { got = append(got, "new "+ev.Topic) }, patterns(t, "b", "a")...))
		if err := b.Publish(ctx, "b", "", 1); err != nil {
			t.Error(err)
		}
	}, patterns(t, "a")...))
	publish(t, b, "a", 1)
	publish(t, b, "a", 1)
	if want := "[a new b new a]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBusPanic(t *testing.T) {
	b := router.NewBus[int]()
	last := 0
	must(b.Handle(func(context.Context, router.Event[int]) { panic("boom") }, patterns(t, "a")...))
	must(b.Handle(func(_ context.Context, ev router.Event[int]) { last = ev.Value }, patterns(t, "a")...))
	err := b.Publish(context.Background(), "a", "", 7)
	var p *router.PanicError
	if !errors.As(err, &p) || p.Value != "boom" || !strings.Contains(string(p.Stack), "TestBusPanic") || last != 7 {
		t.Errorf("got %v, the next handler got %d", err, last)
	}
}

func TestBusGroups(t *testing.T) {
	b := router.NewBus[int]()
	byKey := map[string]string{}
	for i := range 3 {
		member := fmt.Sprint("m", i)
		must(b.Join("g", member, func(_ context.Context, ev router.Event[int]) {
			if have := byKey[ev.Key]; have != "" && have != member {
				t.Errorf("key %s went to %s and %s", ev.Key, have, member)
			}
			byKey[ev.Key] = member
		}, patterns(t, []string{"a.*", "a.**", "**"}[i])...))
	}
	for i := range 300 {
		if err := b.Publish(context.Background(), "a.b", fmt.Sprint(i%100), i); err != nil {
			t.Fatal(err)
		}
	}
	count := map[string]int{}
	for _, m := range byKey {
		count[m]++
	}
	if len(byKey) != 100 || len(count) != 3 {
		t.Errorf("%d keys over %v", len(byKey), count)
	}
}

// TestBusHammer: publishers, and receivers that come and go; every channel gets each
// publisher's events in order.
func TestBusHammer(t *testing.T) {
	b := router.NewBus[[2]int]()
	ctx := context.Background()
	a := patterns(t, "a.*")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 50 {
				r := must(b.Channel(router.ChannelOptions{Size: 4, Full: router.Full(i % 3)}, a...))
				last := map[int]int{}
				for n := 0; n < 20; n++ {
					ev := <-r.C
					if ev.Value[1] <= last[ev.Value[0]] {
						t.Error("out of order")
					}
					last[ev.Value[0]] = ev.Value[1]
				}
				r.Close()
				for range r.C {
				}
			}
		})
	}
	stop := make(chan struct{})
	var publishers sync.WaitGroup
	for p := range 2 {
		publishers.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
					if err := b.Publish(ctx, "a.b", "", [2]int{p, n}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	publishers.Wait()
}

func TestBusAllocatesNothing(t *testing.T) {
	b := router.NewBus[int]()
	sum := 0
	must(b.Handle(func(_ context.Context, ev router.Event[int]) { sum += ev.Value }, patterns(t, "a.*")...))
	r := must(b.Channel(router.ChannelOptions{Size: 1, Full: router.DropOldest}, patterns(t, "a.*")...))
	topic, _ := b.Topic("a.b")
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		_ = b.Publish(ctx, "a.b", "", 1)
		_ = topic.Publish(ctx, "", 1)
	}); n != 0 {
		t.Errorf("publishing allocates %v times", n)
	}
	r.Close()
}

func ExampleBus() {
	type user struct{ Name string }
	b := router.NewBus[user]()
	created, _ := router.ParsePattern("users.created")
	_, _ = b.Handle(func(_ context.Context, ev router.Event[user]) { fmt.Println("welcome", ev.Value.Name) }, created)
	audit, _ := b.Channel(router.ChannelOptions{Size: 100, Full: router.DropOldest}, created)
	_ = b.Publish(context.Background(), "users.created", "user-1", user{"ada"})
	audit.Close()
	for ev := range audit.C {
		fmt.Println(ev.Topic, ev.Key)
	}
	// Output:
	// welcome ada
	// users.created user-1
}
