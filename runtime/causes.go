package runtime

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// Cause is a step on the way to an event: the event before it, and the subscriber whose
// handling of that brought the next one forth.
type Cause struct {
	Seq        abi.Seq
	Topic, ID  string
	Subscriber string
}

// emitter takes the id of an event apart that a subscriber emitted; ok is false if the event
// is a publisher's.
func emitter(ev *abi.Event) (subscriber string, cause abi.Seq, ok bool) {
	rest, index, found := cutLast(ev.ID)
	if !found || !strings.HasPrefix(ev.Source, "/avxrt/") {
		return "", 0, false
	}
	subscriber, number, found := cutLast(rest)
	seq, err := strconv.ParseUint(number, 10, 64)
	if _, notIndex := strconv.ParseUint(index, 10, 32); !found || err != nil || notIndex != nil {
		return "", 0, false
	}
	return subscriber, abi.Seq(seq), true
}

// emitter is the func of the same name, but knows the names of subscribers: behind that of one
// that was made to emit again the id has the number of the run.
func (r *Runtime) emitter(ev *abi.Event) (subscriber string, cause abi.Seq, ok bool) {
	subscriber, cause, ok = emitter(ev)
	if !ok || r.known(subscriber) {
		return subscriber, cause, ok
	}
	base, run, found := cutLast(subscriber)
	if _, err := strconv.ParseUint(run, 10, 64); found && err == nil && r.known(base) {
		subscriber = base
	}
	return subscriber, cause, ok
}

func (r *Runtime) known(subscriber string) bool {
	if r.subscription(subscriber) != nil {
		return true
	}
	_, err := r.store.Cursor(subscriber)
	return err == nil
}

func cutLast(id string) (before, after string, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}

// causes returns how ev came about, from the root on, as far as the log still has it and at
// most delivery.MaxHops steps back; whole is false if there were more.
func (r *Runtime) causes(ev *abi.Event) (chain []Cause, whole bool) {
	for range delivery.MaxHops {
		subscriber, seq, ok := r.emitter(ev)
		if !ok {
			slices.Reverse(chain)
			return chain, true
		}
		before, err := r.store.Event(seq)
		if causation, _ := ev.Headers.Get(abi.HeaderCausation); err != nil || before.ID != causation {
			break
		}
		chain = append(chain, Cause{Seq: seq, Topic: before.Topic, ID: before.ID, Subscriber: subscriber})
		ev = &before
	}
	_, _, more := emitter(ev)
	slices.Reverse(chain)
	return chain, !more
}

// tooFar says that ev is beyond the hop limit, and by whom it got there.
func (r *Runtime) tooFar(ev *abi.Event) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "more than %d subscribers lie between this event and its root: ", delivery.MaxHops)
	chain, whole := r.causes(ev)
	if !whole {
		b.WriteString("… ")
	}
	for _, c := range chain {
		fmt.Fprintf(b, "%d %s → %s → ", c.Seq, c.Topic, c.Subscriber)
	}
	fmt.Fprintf(b, "%d %s", ev.Seq, ev.Topic)
	return b.String()
}
