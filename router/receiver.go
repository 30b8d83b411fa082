package router

import (
	"context"
	"sync"
	"sync/atomic"
)

// Full is what happens to an event for a channel that has no room.
type Full uint8

// The answers to a full channel.
const (
	DropNewest Full = iota // the event is dropped: for those who want no gap in what they have
	DropOldest             // the oldest event in the channel is: for those who want the present
	Block                  // the publisher waits: for those who want all, and are fast
)

// ChannelOptions say how a channel receives.
type ChannelOptions struct {
	Size   int    // events that it holds; default 64
	Full   Full   // default DropNewest
	Group  string // name of the group that it competes in; "": none
	Member string // its name in the group, see [Router.Join]
}

// Receiver is a handler or channel of a [Bus].
type Receiver[T any] struct {
	// C brings the events of a channel; nil for a handler. It is closed by Close, once the
	// publishers that wait for room have gone; what is in it then can still be received.
	C <-chan Event[T]

	handle  func(context.Context, Event[T])
	sub     *Subscription[*Receiver[T]]
	channel chan Event[T]
	full    Full
	dropped atomic.Uint64
	gone    chan struct{} // closed by Close
	mu      struct {
		sync.Mutex
		closed  bool
		senders int // that wait for room; the last one out closes the channel
	}
}

// Handle lets fn be called for what the patterns match.
func (b *Bus[T]) Handle(fn func(context.Context, Event[T]), patterns ...Pattern) (*Receiver[T], error) {
	return b.receive(&Receiver[T]{handle: fn}, "", "", patterns)
}

// Join is Handle for a member of a group: of the members one gets an event, see [Router.Join].
func (b *Bus[T]) Join(group, member string, fn func(context.Context, Event[T]), patterns ...Pattern) (*Receiver[T], error) {
	return b.receive(&Receiver[T]{handle: fn}, group, member, patterns)
}

// Channel brings what the patterns match over a channel, the receiver's C.
func (b *Bus[T]) Channel(opts ChannelOptions, patterns ...Pattern) (*Receiver[T], error) {
	if opts.Size <= 0 {
		opts.Size = 64
	}
	r := &Receiver[T]{channel: make(chan Event[T], opts.Size), full: opts.Full, gone: make(chan struct{})}
	r.C = r.channel
	return b.receive(r, opts.Group, opts.Member, patterns)
}

func (b *Bus[T]) receive(r *Receiver[T], group, member string, patterns []Pattern) (*Receiver[T], error) {
	// A publisher may call r before sub is set, but then nobody has r to close it.
	var err error
	if group != "" {
		r.sub, err = b.router.Join(group, member, r, patterns...)
	} else {
		r.sub, err = b.router.Subscribe(r, patterns...)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends the receiving; it may be called twice. A handler may be called once more by a
// publisher that was about to. A publisher that waits for room gives up.
func (r *Receiver[T]) Close() {
	r.sub.Unsubscribe()
	if r.handle != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return
	}
	r.mu.closed = true
	close(r.gone)
	if r.mu.senders == 0 {
		close(r.channel)
	}
}

// Dropped returns how many events the channel had no room for.
func (r *Receiver[T]) Dropped() uint64 { return r.dropped.Load() }

// offer puts ev into the channel, or drops one; false: the publisher has to wait.
func (r *Receiver[T]) offer(ev Event[T]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return true
	}
	for {
		select {
		case r.channel <- ev:
			return true
		default:
		}
		switch r.full {
		case Block:
			return false
		case DropNewest:
			r.dropped.Add(1)
			return true
		}
		select {
		case <-r.channel:
			r.dropped.Add(1)
		default: // somebody made room
		}
	}
}

// wait puts ev into the channel when it has room.
func (r *Receiver[T]) wait(ctx context.Context, ev Event[T]) error {
	r.mu.Lock()
	if r.mu.closed {
		r.mu.Unlock()
		return nil
	}
	r.mu.senders++
	r.mu.Unlock()
	var err error
	select {
	case r.channel <- ev:
	case <-r.gone:
	case <-ctx.Done():
		err = context.Cause(ctx)
		r.dropped.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.senders--; r.mu.closed && r.mu.senders == 0 {
		close(r.channel)
	}
	return err
}
