package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// SubscribeOptions say what a Go func gets.
type SubscribeOptions struct {
	Name     string   // of the durable cursor; "": none, the func sees what comes from now on
	Patterns []string // which topics; none: all but those that begin with $
	From     abi.Seq  // where a new name begins; 0: from now on
}

// goCursor keeps the cursors of Go funcs apart from those of modules, whose names have no slash.
const goCursor = "go/"

// cursorEvery is after how many handled events a Go func's cursor is written.
const cursorEvery = 256

// Subscribe calls fn for each durable event that matches, in order, until ctx ends or fn
// returns an error, which it then returns; with [ErrDone], fn has handled the event and wants no
// more, and Subscribe returns nil. With a name it goes on after a restart where it was, and may
// see up to a few hundred events again: at least once.
//
// The event's parts may be kept, the pointer not.
func (r *Runtime) Subscribe(ctx context.Context, opts SubscribeOptions, fn func(context.Context, *abi.Event) error) error {
	cursor := log.Cursor{Next: opts.From}
	if opts.Name != "" {
		var err error
		if cursor, err = r.store.Attach(ctx, log.Attachment{Subscriber: goCursor + opts.Name, Next: opts.From}); err != nil {
			return fmt.Errorf("subscribe %q: %w", opts.Name, err)
		}
	}
	t, err := r.Tail(TailOptions{Patterns: opts.Patterns, From: cursor.Next})
	if err != nil {
		return err
	}
	defer t.Close()
	loop := goSubscription{r: r, name: opts.Name, cursor: cursor}
	return loop.run(ctx, t, fn)
}

// goSubscription moves the cursor of one Go func.
type goSubscription struct {
	r      *Runtime
	name   string
	cursor log.Cursor
}

func (g *goSubscription) run(ctx context.Context, t *Tail, fn func(context.Context, *abi.Event) error) error {
	for handled := 1; ; handled++ {
		ev, err := t.Next(ctx)
		if err == nil {
			err = fn(ctx, ev)
		}
		if ev != nil && errors.Is(err, ErrDone) {
			return g.save(t.Position())
		}
		if err != nil {
			to := t.Position()
			if ev != nil {
				to = ev.Seq // fn did not finish it
			}
			if saveErr := g.save(to); saveErr != nil {
				return saveErr
			}
			return err
		}
		if handled%cursorEvery == 0 {
			if err := g.save(t.Position()); err != nil {
				return err
			}
		}
	}
}

// save commits the cursor. It does not take the loop's context: the work is done, and the
// end of the context is just when it must be written down.
func (g *goSubscription) save(to abi.Seq) error {
	if g.name == "" || to <= g.cursor.Next {
		return nil
	}
	c := &log.Commit{Subscriber: goCursor + g.name, From: g.cursor.Next, To: to, Fence: g.cursor.Fence}
	if _, err := g.r.store.Commit(context.Background(), c, log.Accepted); err != nil {
		return fmt.Errorf("write the cursor of %q: %w", g.name, err)
	}
	g.cursor.Next = to
	return nil
}
