package router

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Event is what a [Bus] carries. It is passed by value; what Value points to is shared by
// all receivers.
type Event[T any] struct {
	Topic, Key string
	Value      T
}

// Bus hands values from publishers to receivers within a process: plain calls and bounded
// channels, nothing kept and nothing written. It is safe for concurrent use and starts no
// goroutine.
//
// A receiver gets an event at most once, and the events of one publishing goroutine in the
// order in which it published them. Between publishers there is no order.
//
// Handlers run in the publisher's goroutine, one after the other in the order of
// registration. They may publish, subscribe and close receivers, themselves included; a
// handler that publishes what it handles goes on for ever, as any func that calls itself.
// A handler that panics spoils nothing for the others: they all get the event, then
// Publish returns a [*PanicError].
//
// A slow channel never holds up the publisher or another receiver, unless its owner chose
// [Block]; then it holds up the publisher, after all others got the event.
type Bus[T any] struct {
	router *Router[*Receiver[T]]
}

// NewBus returns a bus without receivers.
func NewBus[T any]() *Bus[T] { return &Bus[T]{New[*Receiver[T]]()} }

// PanicError says that a handler panicked.
type PanicError struct {
	Topic string
	Value any // what it panicked with
	Stack []byte
}

// Error gives topic and value.
func (e *PanicError) Error() string {
	return fmt.Sprintf("a handler of %q panicked: %v", e.Topic, e.Value)
}

// Publish hands v to whom topic and key concern. The error joins a [*PanicError] for each
// handler that panicked, the [*SyntaxError] of a topic that is none, and the cause of ctx
// where it ended before a channel with [Block] had room; that receiver missed the event.
// ctx is also what handlers are called with.
func (b *Bus[T]) Publish(ctx context.Context, topic, key string, v T) error {
	if err := CheckTopic(topic); err != nil {
		return err
	}
	var p publishing[T]
	ev := Event[T]{topic, key, v}
	for m := range b.router.Match(topic, key) {
		m.Subscription.Value.give(ctx, ev, &p)
	}
	if p.full == nil && p.errs == nil {
		return nil
	}
	return p.finish(ctx, ev)
}

// BusTopic publishes to one topic again and again, which spares a look-up.
type BusTopic[T any] struct{ topic *Topic[*Receiver[T]] }

// Topic returns a handle on a topic, or a [*SyntaxError].
func (b *Bus[T]) Topic(name string) (*BusTopic[T], error) {
	if err := CheckTopic(name); err != nil {
		return nil, err
	}
	return &BusTopic[T]{b.router.Topic(name)}, nil
}

// Publish is [Bus.Publish] for the topic.
func (t *BusTopic[T]) Publish(ctx context.Context, key string, v T) error {
	var p publishing[T]
	ev := Event[T]{t.topic.name, key, v}
	for m := range t.topic.Match(key) {
		m.Subscription.Value.give(ctx, ev, &p)
	}
	if p.full == nil && p.errs == nil {
		return nil
	}
	return p.finish(ctx, ev)
}

// publishing is what is left to do after all receivers were asked once.
type publishing[T any] struct {
	full []*Receiver[T] // those with Block that had no room
	errs []error
}

// finish waits for the full ones.
func (p *publishing[T]) finish(ctx context.Context, ev Event[T]) error {
	for _, r := range p.full {
		if err := r.wait(ctx, ev); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	return errors.Join(p.errs...)
}

// give hands ev over without waiting.
func (r *Receiver[T]) give(ctx context.Context, ev Event[T], p *publishing[T]) {
	if r.handle == nil {
		if !r.offer(ev) {
			p.full = append(p.full, r)
		}
		return
	}
	if err := r.call(ctx, ev); err != nil {
		p.errs = append(p.errs, err)
	}
}

func (r *Receiver[T]) call(ctx context.Context, ev Event[T]) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Topic: ev.Topic, Value: v, Stack: debug.Stack()}
		}
	}()
	r.handle(ctx, ev)
	return nil
}
