package runtime

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// interest knows which subscriber wants which topics. One goroutine follows the log and
// wakes those whom new events concern, so that an event costs nothing for all the others:
// with each of them looking for itself, every commit would wake every subscriber.
//
// A subscriber that has read to the end says that it is drowsy, and then looks at announced
// once more. The follower raises announced before it looks for those to wake, so either it
// finds the subscriber drowsy and wakes it, or the subscriber sees announced above its
// position and reads on. Only then is it asleep, and all below passed dealt with: while it is
// drowsy the follower may have passed what concerns it.
type interest struct {
	router    *router.Router[*subscription]
	announced atomic.Uint64 // the follower has read the log to below this seq
	passed    atomic.Uint64 // and has woken whom that concerns
	swept     abi.Seq       // the follower's: passed when all were woken
	seen      struct {
		sync.Mutex
		topics *router.Seen
		next   abi.Seq // up to which the log's topics are in it
	}
}

// followerEnded is what is announced when nobody follows the log any more.
const followerEnded = math.MaxUint64

// maxShapes takes the limit off routers whose patterns are the operator's own, or a single
// reader's: a match looks at no more places than the list that it replaces would have.
const maxShapes = math.MaxInt

func newInterest() *interest {
	in := &interest{router: router.NewWith[*subscription](router.Options{Shapes: maxShapes})}
	in.seen.topics, in.seen.next = router.NewSeen(0), 1
	return in
}

// want makes patterns what wakes s, from now on.
func (in *interest) want(s *subscription, patterns []router.Pattern) error {
	if s.wants != nil && slices.Equal(s.wants.Patterns(), patterns) {
		return nil
	}
	sub, err := in.router.Subscribe(s, patterns...)
	if err != nil {
		return err
	}
	if s.wants != nil {
		s.wants.Unsubscribe()
	}
	s.wants = sub
	return nil
}

// forget ends what wakes s.
func (in *interest) forget(s *subscription) {
	if s.wants != nil {
		s.wants.Unsubscribe()
		s.wants = nil
	}
}

// begin must be called before subscribers run.
func (in *interest) begin(store *log.Log) {
	next := uint64(store.Head() + 1)
	in.announced.Store(next)
	in.passed.Store(next)
	in.swept = abi.Seq(next)
}

// follow reads the topics of the log as it grows and wakes whom they concern, until ctx
// ends. After an error of the store it wakes everybody, who then meet it themselves.
func (in *interest) follow(ctx context.Context, r *Runtime) {
	topics := &topicList{fresh: map[string]bool{}}
	reader := r.store.NewReader(log.ReadOptions{From: abi.Seq(in.passed.Load()), Match: topics.note})
	defer reader.Close()
	var ev abi.Event
	for ctx.Err() == nil {
		reader.Next(&ev) // no topic is wanted, so it goes to the end
		if err := reader.Err(); err != nil {
			r.opts.Logger.Error("new events cannot be followed; subscribers look for themselves", "error", err)
			in.announced.Store(followerEnded)
			for _, s := range r.allLanes() {
				s.stir()
			}
			return
		}
		next := reader.Position()
		in.announced.Store(uint64(next))
		in.router.MatchBatch(topics.list, nil, func(_ int, m router.Match[*subscription]) bool {
			m.Subscription.Value.stir()
			return true
		})
		topics.clear()
		in.passed.Store(uint64(next))
		if next >= in.swept+sweepStep(r.crowd()) {
			in.swept = next
			sweep(r.allLanes(), next)
		}
		_ = r.store.Wait(ctx, next, false)
	}
}

// sweepStep is after how many events the cursors of those whom nothing concerned are
// written. It grows with their number, so that the writes stay few beside the events.
func sweepStep(subs int) abi.Seq { return cursorStep * abi.Seq(1+subs/100) }

// crowd returns the number of subscribers.
func (r *Runtime) crowd() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.subs)
}

// sweep wakes those asleep to write a cursor of to: nothing below concerned them.
func sweep(subs []*subscription, to abi.Seq) {
	for _, s := range subs {
		if s.sleep.CompareAndSwap(asleep, awake) {
			s.skip.Store(uint64(to))
			s.rouse()
		}
	}
}

// What a subscription is while the follower reads, see interest.
const (
	awake  int32 = iota // it looks for itself
	drowsy              // to be woken, but the follower may have passed what concerns it
	asleep              // to be woken; nothing below passed concerns it
)

// stir wakes s if it rests. Only the follower does. What it tells s, it tells before s can be
// awake: once that is, it may take another generation, or be reset, and the word would be late.
// A word for a sleep that ended by itself meanwhile is for the next one, and harmless: passed is not
// above announced, and s does not fall asleep below that.
func (s *subscription) stir() {
	if s.sleep.Load() == asleep {
		s.quiet.Store(s.r.interest.passed.Load()) // it is raised afterwards
		if s.sleep.CompareAndSwap(asleep, awake) {
			s.rouse()
			return
		}
	}
	if s.sleep.Load() != awake && s.sleep.Swap(awake) != awake { // drowsy, or fallen asleep since
		s.rouse()
	}
}

// rouse ends the rest of s, or its next one at once.
func (s *subscription) rouse() {
	select {
	case s.stirred <- struct{}{}:
	default:
	}
}

// topicList is the distinct topics since it was cleared. Its strings are the log's.
type topicList struct {
	list  []string
	fresh map[string]bool
}

// note is a Match of the log that wants nothing.
func (l *topicList) note(topic string) bool {
	if !l.fresh[topic] {
		l.fresh[topic] = true
		l.list = append(l.list, topic)
	}
	return false
}

func (l *topicList) clear() {
	l.list = l.list[:0]
	clear(l.fresh)
}

// Interest is a subscriber that a topic concerns.
type Interest struct {
	Subscriber string
	Patterns   []string // those that match
}

// Interested returns which subscribers of the manifest an event with this topic would
// reach, in the order in which their present patterns were adopted. A bad topic gives a
// [*router.SyntaxError].
func (r *Runtime) Interested(topic string) ([]Interest, error) {
	if err := router.CheckTopic(topic); err != nil {
		return nil, err
	}
	var out []Interest
	for m := range r.interest.router.Match(topic, "") {
		in := Interest{Subscriber: m.Subscription.Value.name}
		for _, p := range m.Patterns() {
			in.Patterns = append(in.Patterns, p.String())
		}
		out = append(out, in)
	}
	return out, nil
}

// SeenTopics are topics of the log that a pattern matches.
type SeenTopics struct {
	Topics []string
	To     abi.Seq // the last event that was looked at
	Missed bool    // the log has more topics than are kept, so some may be left out
}

// Topics returns at most limit topics above after, in the order of their bytes, that
// durable events of the log have and the pattern matches. The first call reads the topics
// of the whole log, which takes time; later ones read what is new. A bad pattern gives a
// [*router.SyntaxError].
func (r *Runtime) Topics(ctx context.Context, pattern, after string, limit int) (SeenTopics, error) {
	p, err := router.ParsePattern(pattern)
	if err != nil {
		return SeenTopics{}, err
	}
	if err := r.store.Sync(ctx); err != nil { // what is shown must not be taken back by a crash
		return SeenTopics{}, err
	}
	seen := &r.interest.seen
	seen.Lock()
	defer seen.Unlock()
	reader := r.store.NewReader(log.ReadOptions{From: seen.next, Durable: true, Borrow: true, Match: func(topic string) bool {
		seen.topics.Add(topic)
		return ctx.Err() != nil // an event is wanted only to end the reading
	}})
	defer reader.Close()
	var ev abi.Event
	if reader.Next(&ev) {
		return SeenTopics{}, context.Cause(ctx)
	}
	if err := reader.Err(); err != nil {
		return SeenTopics{}, err
	}
	seen.next = reader.Position()
	return SeenTopics{
		Topics: seen.topics.Match(p, after, limit), To: seen.next - 1, Missed: seen.topics.Missed() > 0,
	}, nil
}

// fewPatterns is up to how many a list is as good as a router.
const fewPatterns = 8

// matcher tells whether any of the patterns matches. The log asks once per distinct topic
// of a chunk.
func matcher(patterns []router.Pattern) func(topic string) bool {
	if len(patterns) > fewPatterns {
		any := router.NewWith[struct{}](router.Options{Shapes: maxShapes, Cache: -1})
		if _, err := any.Subscribe(struct{}{}, patterns...); err == nil {
			return func(topic string) bool {
				for range any.Match(topic, "") {
					return true
				}
				return false
			}
		}
	}
	return func(topic string) bool {
		for _, p := range patterns {
			if p.Match(topic) {
				return true
			}
		}
		return false
	}
}
