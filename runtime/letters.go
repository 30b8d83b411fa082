package runtime

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// DeadLetter is an event that a subscriber gave up, with what is known of the event.
type DeadLetter struct {
	log.DeadLetter
	Subscriber  string
	Event       abi.Event
	Pattern     string // the message without what differs between errors of the same cause
	Fingerprint string // of reason and pattern, 12 hexadecimal digits
}

// LetterFilter says which dead letters are meant; the zero value: all. Several conditions
// must all hold.
type LetterFilter struct {
	Seqs        []abi.Seq // one of these
	Reason      string
	Topic       string    // a pattern that the event's topic matches
	Fingerprint string    // the whole or its first digits
	Since       time.Time // given up at or after this
}

// letterMatch compiles a filter.
type letterMatch struct {
	LetterFilter
	topic *router.Pattern
}

func (f LetterFilter) compile() (letterMatch, error) {
	m := letterMatch{LetterFilter: f}
	if f.Topic != "" {
		p, err := router.ParsePattern(f.Topic)
		if err != nil {
			return m, err
		}
		m.topic = &p
	}
	slices.Sort(m.Seqs)
	return m, nil
}

// row says whether a letter may be meant, as far as its row tells.
func (m *letterMatch) row(d *DeadLetter) bool {
	if len(m.Seqs) > 0 {
		if _, ok := slices.BinarySearch(m.Seqs, d.Seq); !ok {
			return false
		}
	}
	return (m.Reason == "" || m.Reason == d.Reason) && !d.Time.Before(m.Since) &&
		(len(m.Fingerprint) <= len(d.Fingerprint) && d.Fingerprint[:len(m.Fingerprint)] == m.Fingerprint)
}

// DeadLetters returns up to limit dead letters of a subscriber whose seq is above after.
// It returns [ErrNotFound] for a name that was never attached.
func (r *Runtime) DeadLetters(ctx context.Context, subscriber string, after abi.Seq, limit int) ([]DeadLetter, error) {
	return r.FindDeadLetters(ctx, subscriber, LetterFilter{}, after, limit)
}

// FindDeadLetters is [Runtime.DeadLetters] for those that a filter means. A topic that is
// no pattern gives a [*router.SyntaxError].
func (r *Runtime) FindDeadLetters(ctx context.Context, subscriber string, f LetterFilter, after abi.Seq, limit int) ([]DeadLetter, error) {
	m, err := f.compile()
	if err != nil {
		return nil, err
	}
	if _, err := r.store.Cursor(subscriber); err != nil {
		if errors.Is(err, log.ErrNotFound) {
			return nil, r.noSubscriber(subscriber)
		}
		return nil, err
	}
	var letters []DeadLetter
	var broken error
	err = r.store.DeadLetters(subscriber, after, func(row log.DeadLetter) bool {
		d := DeadLetter{DeadLetter: row, Subscriber: subscriber, Pattern: mask(row.Message)}
		d.Fingerprint = fingerprint(d.Reason, d.Pattern)
		if m.row(&d) {
			if d.Event, broken = r.letterEvent(&row); broken == nil && (m.topic == nil || m.topic.Match(d.Event.Topic)) {
				letters = append(letters, d)
			}
		}
		return broken == nil && len(letters) < limit && ctx.Err() == nil
	})
	if err = errors.Join(err, broken, ctx.Err()); err != nil {
		return nil, err
	}
	return letters, r.store.Sync(ctx) // what is shown must not be taken back by a crash
}

// letterEvent returns the event of a dead letter: its copy, where the log has dropped it.
func (r *Runtime) letterEvent(d *log.DeadLetter) (abi.Event, error) {
	if d.Event != nil {
		return *d.Event, nil
	}
	return r.store.Event(d.Seq)
}

// dropPiece is how many dead letters leave in one commit.
const dropPiece = 256

// DropDeadLetters takes out the dead letters of a subscriber that a filter means, durably,
// and returns their seqs. Keys that wait for them (on_poison = "block") go on behind them.
// The subscriber may be one that was taken out of the manifest.
func (r *Runtime) DropDeadLetters(ctx context.Context, subscriber string, f LetterFilter) (dropped []abi.Seq, err error) {
	s, err := r.attached(subscriber)
	if err != nil && !errors.Is(err, ErrDetached) {
		return nil, err
	}
	for after := abi.Seq(0); ; {
		letters, err := r.FindDeadLetters(ctx, subscriber, f, after, dropPiece)
		if err != nil || len(letters) == 0 {
			return dropped, err
		}
		after = letters[len(letters)-1].Seq
		if s != nil {
			err = s.crew.dropLetters(ctx, letters, &dropped)
		} else if err = r.dropDetached(ctx, subscriber, seqsOf(letters)); err == nil {
			dropped = append(dropped, seqsOf(letters)...)
		}
		if err != nil {
			return dropped, err
		}
		r.opts.Logger.Info("dead letters were dropped", "subscriber", subscriber, "number", len(letters), "from", uint64(letters[0].Seq), "to", uint64(after))
	}
}

func seqsOf(letters []DeadLetter) []abi.Seq {
	seqs := make([]abi.Seq, len(letters))
	for i := range letters {
		seqs[i] = letters[i].Seq
	}
	return seqs
}

// dropLetters takes out dead letters, each between two runs of its lane, and adds those
// that are gone to dropped.
func (c *crew) dropLetters(ctx context.Context, letters []DeadLetter, dropped *[]abi.Seq) error {
	for _, lane := range c.all() {
		mine := slices.DeleteFunc(slices.Clone(letters), func(d DeadLetter) bool { return !lane.mine(&d.Event) })
		if len(mine) == 0 {
			continue
		}
		seqs := seqsOf(mine)
		if err := lane.do(ctx, func() error { return lane.dropLetters(seqs) }); err != nil {
			return err
		}
		*dropped = append(*dropped, seqs...)
	}
	return nil
}

// dropLetters takes out dead letters between two runs.
func (s *subscription) dropLetters(seqs []abi.Seq) error {
	rows, err := s.r.letterRows(s.name, seqs)
	if err != nil {
		return err
	}
	return s.settleNow(&log.Commit{To: s.stored, Dropped: rows, Parked: release(s.machine, seqs)})
}

// letterRows returns the dead letters at seqs, which ascend, that are still there: one that was
// handled since it was found must not be remembered as dropped.
func (r *Runtime) letterRows(subscriber string, seqs []abi.Seq) (rows []log.DeadLetter, err error) {
	err = r.store.DeadLetters(subscriber, seqs[0]-1, func(d log.DeadLetter) bool {
		if _, ok := slices.BinarySearch(seqs, d.Seq); ok {
			rows = append(rows, d)
		}
		return d.Seq < seqs[len(seqs)-1]
	})
	return rows, err
}

// settleNow commits, durably, what an operator did to dead letters.
func (s *subscription) settleNow(c *log.Commit) error {
	if _, err := s.commitAs(c, log.Durable); err != nil {
		if restart := s.restart(); restart != nil { // the machine thinks that it was committed
			return errors.Join(err, restart)
		}
		return err
	}
	s.past.forget(c.Settled)
	s.publishStatus()
	return nil
}

// release frees the keys that are held at dead letters.
func release(m *delivery.Machine, seqs []abi.Seq) []log.ParkedChange {
	var freed []delivery.ParkedChange
	for _, seq := range seqs {
		if change, ok := m.Release(seq); ok {
			freed = append(freed, change)
		}
	}
	return parkedRows(freed)
}

// dropDetached takes out dead letters of a subscriber that nothing runs.
func (r *Runtime) dropDetached(ctx context.Context, subscriber string, seqs []abi.Seq) error {
	at, err := r.position(subscriber, 0, 1)
	if err != nil {
		return err
	}
	rows, err := r.letterRows(subscriber, seqs)
	if err != nil {
		return err
	}
	c := &log.Commit{
		Subscriber: subscriber, From: at.Next, To: at.Next, Fence: at.Fence, Digest: at.Digest, Strikes: at.Strikes,
		Dropped: rows, Parked: release(delivery.New(delivery.Policy{}, at.start(false)), seqs),
	}
	_, err = r.store.Commit(ctx, c, log.Durable)
	return err
}
