package runtime

import (
	"context"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// TailOptions say what a tail shows.
type TailOptions struct {
	Patterns []string // which topics; none: all but those that begin with $
	From     abi.Seq  // the first seq; 0: only what comes from now on
}

// Tail follows the log, durable events only: what it shows can never be taken back. It is
// for one goroutine.
type Tail struct {
	store  *log.Log
	reader *log.Reader
	ev     abi.Event
}

// Tail returns a tail; the caller closes it. A bad pattern gives a [*router.SyntaxError].
func (r *Runtime) Tail(opts TailOptions) (*Tail, error) {
	patterns, err := parsePatterns(opts.Patterns)
	if err != nil {
		return nil, err
	}
	from := opts.From
	if from == 0 {
		from = r.store.DurableSeq() + 1
	}
	reader := r.store.NewReader(log.ReadOptions{From: from, Durable: true, Match: matcher(patterns)})
	return &Tail{store: r.store, reader: reader}, nil
}

func parsePatterns(texts []string) ([]router.Pattern, error) {
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	patterns := make([]router.Pattern, len(texts))
	for i, text := range texts {
		var err error
		if patterns[i], err = router.ParsePattern(text); err != nil {
			return nil, err
		}
	}
	return patterns, nil
}

// Next returns the next event, which it waits for until ctx ends. The event's parts may be
// kept, the pointer not beyond the following call. After an error of ctx one may go on.
func (t *Tail) Next(ctx context.Context) (*abi.Event, error) {
	for {
		if t.reader.Next(&t.ev) {
			return &t.ev, nil
		}
		if err := t.reader.Err(); err != nil {
			return nil, err
		}
		if err := t.store.Wait(ctx, t.reader.Position(), true); err != nil {
			return nil, err
		}
	}
}

// Position returns the seq at which the tail goes on.
func (t *Tail) Position() abi.Seq { return t.reader.Position() }

// Close releases the tail.
func (t *Tail) Close() error { return t.reader.Close() }
