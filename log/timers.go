package log

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Timer is an event that waits for its time. A commit sets it; [Log.Fire] appends it. Both
// the row and its end are part of the batch that causes them, so a timer fires once.
type Timer struct {
	Subscriber string // whose commit set it
	Name       string // "" if it has none
	Due        int64  // unix ns, by the clock of the log
	Set        int64  // when it was committed, unix ns
	Cause      abi.Seq
	Event      abi.Event
}

// TimerChange sets a timer, or cancels the one of its name.
type TimerChange struct {
	Name   string    // at most 255 bytes; a subscriber has one timer of each name, so setting replaces. "": none
	Due    int64     // unix ns, not negative
	Cause  abi.Seq   // the event whose handling set it
	Event  abi.Event // to be appended; it cannot expect a version, and its id must be its own
	Cancel bool      // Name alone counts; there need be no such timer
}

// ErrTimerChanged says that a timer is not there any more as it was read.
var ErrTimerChanged = errors.New("a timer was changed meanwhile")

// timers knows when the next ones are due, and who is to be told of new ones.
type timers struct {
	mu struct {
		sync.Mutex
		due     map[string]int64 // subscriber → a time not behind that of its first timer
		waiting map[string]int   // subscriber → how many of its timers there are
	}
	changed chan struct{} // capacity 1
	fired   atomic.Uint64
}

func (t *timers) load(db pebble.Reader) error {
	t.mu.due, t.mu.waiting, t.changed = map[string]int64{}, map[string]int{}, make(chan struct{}, 1)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceTimer}, UpperBound: []byte{spaceTimer + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		subscriber, due, _, isTimer := splitTimerKey(it.Key())
		if !isTimer {
			continue
		}
		if t.mu.waiting[subscriber]++; t.mu.waiting[subscriber] == 1 {
			t.mu.due[subscriber] = due
		}
	}
	return it.Error()
}

// count changes how many timers of a subscriber wait.
func (t *timers) count(subscriber string, by int) {
	if by == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.waiting[subscriber] += by; t.mu.waiting[subscriber] <= 0 {
		delete(t.mu.waiting, subscriber)
	}
}

// TimersOf returns how many timers of a subscriber wait.
func (l *Log) TimersOf(subscriber string) int {
	l.timers.mu.Lock()
	defer l.timers.mu.Unlock()
	return l.timers.mu.waiting[subscriber]
}

// HasTimer says whether a timer of that name of a subscriber waits.
func (l *Log) HasTimer(subscriber, name string) (bool, error) {
	_, err := l.get(timerNameKey(nil, subscriber, name))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// committed notes the timers of a commit that readers can see.
func (t *timers) committed(c *Commit) {
	for i := range c.Timers {
		if !c.Timers[i].Cancel {
			t.note(c.Subscriber, c.Timers[i].Due)
		}
	}
}

func (t *timers) note(subscriber string, due int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d, ok := t.mu.due[subscriber]; ok && d <= due {
		return
	}
	t.mu.due[subscriber] = due
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// TimersChanged gives a value when a timer was set that is due before the others of its
// subscriber.
func (l *Log) TimersChanged() <-chan struct{} { return l.timers.changed }

// NextTimer returns a time (unix ns) before which no timer is due; ok is false if there is
// no timer.
func (l *Log) NextTimer() (due int64, ok bool) {
	l.timers.mu.Lock()
	defer l.timers.mu.Unlock()
	for _, d := range l.timers.mu.due {
		if !ok || d < due {
			due, ok = d, true
		}
	}
	return due, ok
}

// maxFireBytes bounds what is fired at once.
const maxFireBytes = 1 << 20

// DueTimers returns at most limit timers that are due, in the order of their times, and
// then of their ids. It returns a [*ClockError] while the wall clock is not to be trusted.
func (l *Log) DueTimers(limit int) ([]Timer, error) {
	if err := l.ClockProblem(); err != nil {
		return nil, err
	}
	now := l.opts.now().UnixNano()
	l.timers.mu.Lock()
	from := map[string]int64{} // below lies nothing but the traces of timers that fired, which cost time
	for subscriber, due := range l.timers.mu.due {
		if due <= now {
			from[subscriber] = due
			delete(l.timers.mu.due, subscriber) // a commit may note a new one from here on
		}
	}
	l.timers.mu.Unlock()
	var all []Timer
	for subscriber, first := range from {
		n := 0
		err := l.Timers(subscriber, first, "", func(t Timer) bool {
			n++
			if t.Due > now || n > limit {
				return false
			}
			all = append(all, t)
			return true
		})
		if err == nil {
			err = l.noteFirst(subscriber, first)
		}
		if err != nil {
			l.timers.note(subscriber, first) // it is still to be looked at
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Timer) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Event.ID, b.Event.ID))
	})
	size := 0
	for i := range all {
		if size += stagedSize(&all[i].Event); i == limit || i > 0 && size > maxFireBytes {
			return all[:i], nil
		}
	}
	return all, nil
}

// noteFirst notes when the first timer of a subscriber from a time on is due.
func (l *Log) noteFirst(subscriber string, from int64) error {
	return l.Timers(subscriber, from, "", func(t Timer) bool {
		l.timers.note(subscriber, t.Due)
		return false
	})
}

// Timers calls fn for the timers of a subscriber that are due at due or later, in the order of
// times and ids, until fn says false. With an id it begins behind the timer of that time and id.
func (l *Log) Timers(subscriber string, due int64, id string, fn func(Timer) bool) error {
	lower := timerKey(nil, subscriber, due, id)
	if id != "" {
		lower = append(lower, 0)
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: timerNameKey(nil, subscriber, "")})
	if err != nil {
		return engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		t, err := decodeTimer(it.Key(), it.Value())
		if err != nil {
			return fmt.Errorf("%w: a timer of %q: %v", ErrDamaged, subscriber, err)
		}
		if !fn(t) {
			return nil
		}
	}
	return engineError(0, it.Error())
}

// Fire appends the events of timers and takes the timers out, in one batch. Where one of
// them is not there any more it returns [ErrTimerChanged], and nothing is changed; so does
// any other error leave everything as it was. The errors of [Log.Append] about one event
// name its index.
func (l *Log) Fire(ctx context.Context, due []Timer) ([]Receipt, error) {
	events := make([]abi.Event, len(due))
	for i := range due {
		events[i] = due[i].Event
	}
	r := &request{events: events, durability: Accepted, apply: func(s *sequencer, batch *pebble.Batch) error {
		return s.stageFired(due, batch)
	}}
	if err := l.check(r); err != nil {
		return nil, err
	}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	l.timers.fired.Add(uint64(len(due)))
	return r.receipts, nil
}

// DropTimers takes timers out that cannot be fired. It returns [ErrTimerChanged] as Fire does.
func (l *Log) DropTimers(ctx context.Context, due []Timer) error {
	return l.submit(ctx, &request{durability: Accepted, relieves: true, apply: func(s *sequencer, batch *pebble.Batch) error {
		return s.stageFired(due, batch)
	}})
}

// stageFired takes timers out, with their undo records.
func (s *sequencer) stageFired(due []Timer, batch *pebble.Batch) error {
	images := map[string][]byte{}
	for i := range due {
		t := &due[i]
		keys := [][]byte{timerKey(nil, t.Subscriber, t.Due, t.Event.ID)}
		if _, err := s.l.get(keys[0]); err != nil {
			if errors.Is(err, ErrNotFound) {
				return ErrTimerChanged
			}
			return err
		}
		if t.Name != "" {
			keys = append(keys, timerNameKey(nil, t.Subscriber, t.Name))
		}
		for _, key := range keys {
			var err error
			if images[t.Subscriber], err = appendImage(images[t.Subscriber], s.l.db, key); err != nil {
				return err
			}
			_ = batch.Delete(key, nil)
		}
	}
	for i := range due {
		s.l.timers.count(due[i].Subscriber, -1)
	}
	for subscriber, record := range images {
		if err := s.undo.add(batch, subscriber, s.next()-1, record); err != nil {
			return err
		}
	}
	return nil
}

// get returns a copy of the row at key, or [ErrNotFound].
func (l *Log) get(key []byte) ([]byte, error) {
	value, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, engineError(0, err)
	}
	value = slices.Clone(value)
	return value, closer.Close()
}

// checkTimers looks at the timers of a commit as check does at its emits.
func (l *Log) checkTimers(r *request, changes []TimerChange) error {
	for i := range changes {
		c := &changes[i]
		if c.Cancel {
			continue
		}
		if err := checkEvent(i, &c.Event); err != nil {
			return fmt.Errorf("a timer: %w", err)
		}
		if c.Due < 0 || len(c.Name) > 255 || c.Event.Version != 0 || c.Event.ID == "" {
			return fmt.Errorf("timer %q of %q is due at %d: a name of at most 255 bytes, an id, no expected version and a time from 1970 on are wanted", c.Name, c.Event.ID, c.Due)
		}
		r.size += abi.FrameLen(&c.Event)
	}
	return nil
}

// timerPlan is what the timers of a commit change.
type timerPlan struct {
	gone [][]byte
	rows [][2][]byte // key, value
}

// grows returns how many timers more, or less, there are.
func (p *timerPlan) grows() (n int) {
	for _, key := range p.gone {
		if _, _, _, isTimer := splitTimerKey(key); isTimer {
			n--
		}
	}
	for _, row := range p.rows {
		if _, _, _, isTimer := splitTimerKey(row[0]); isTimer {
			n++
		}
	}
	return n
}

// timerGroup is what the commits of one group did to names of timers: several lanes of a
// subscriber may be in it, and the store does not show it yet.
type timerGroup struct {
	number uint64
	names  map[string][]byte // key → value; nil: taken out
}

// timerName returns the row of a name as it will be behind the commits that were staged, nil if
// there is none.
func (s *sequencer) timerName(key []byte) ([]byte, error) {
	if s.timerGroup.number == s.number {
		if value, ok := s.timerGroup.names[string(key)]; ok {
			return value, nil
		}
	}
	value, err := s.l.get(key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return value, err
}

// planTimers reads what the timers of a commit replace, and adds that to the images of r. It
// is done here and not by the caller, because a timer may fire at any time before. A firing
// has a group of its own, so the images are those of before the group, which is taken back as
// a whole or not at all.
func (s *sequencer) planTimers(r *request) (p timerPlan, err error) {
	c := r.commit
	if len(c.Timers) == 0 {
		return p, nil
	}
	set := s.l.opts.now().UnixNano()
	latest := map[string]int{}
	for i := range c.Timers {
		latest[c.Timers[i].Name] = i
	}
	for i := range c.Timers {
		t := &c.Timers[i]
		if t.Name != "" {
			if latest[t.Name] != i {
				continue
			}
			if err := s.planReplace(c.Subscriber, t.Name, &p); err != nil {
				return p, err
			}
		}
		if t.Cancel {
			continue
		}
		p.rows = append(p.rows, [2][]byte{timerKey(nil, c.Subscriber, t.Due, t.Event.ID), appendTimer(nil, t, set)})
		if t.Name != "" {
			p.rows = append(p.rows, [2][]byte{timerNameKey(nil, c.Subscriber, t.Name), appendTimerName(nil, t.Due, t.Event.ID)})
		}
	}
	if s.l.opts.UndoBytes < 0 {
		return p, nil
	}
	for _, key := range p.gone {
		if r.images, err = appendImage(r.images, s.l.db, key); err != nil {
			return p, err
		}
	}
	for _, row := range p.rows {
		if r.images, err = appendImage(r.images, s.l.db, row[0]); err != nil {
			return p, err
		}
	}
	return p, nil
}

// planReplace takes the timer of a name out, if there is one.
func (s *sequencer) planReplace(subscriber, name string, p *timerPlan) error {
	key := timerNameKey(nil, subscriber, name)
	value, err := s.timerName(key)
	if err != nil || value == nil {
		return err
	}
	due, id, err := decodeTimerName(value)
	if err != nil {
		return fmt.Errorf("%w: the timer %q of %q: %v", ErrDamaged, name, subscriber, err)
	}
	p.gone = append(p.gone, key, timerKey(nil, subscriber, due, id))
	return nil
}

// stageTimers writes the plan; what is gone may be written again.
func (s *sequencer) stageTimers(subscriber string, p *timerPlan, batch *pebble.Batch) {
	s.l.timers.count(subscriber, p.grows())
	if s.timerGroup.number != s.number {
		s.timerGroup = timerGroup{number: s.number}
	}
	note := func(key, value []byte) {
		if _, _, _, isTimer := splitTimerKey(key); isTimer {
			return
		}
		if s.timerGroup.names == nil {
			s.timerGroup.names = map[string][]byte{}
		}
		s.timerGroup.names[string(key)] = value
	}
	for _, key := range p.gone {
		_ = batch.Delete(key, nil)
		note(key, nil)
	}
	for _, row := range p.rows {
		_ = batch.Set(row[0], row[1], nil)
		note(row[0], row[1])
	}
}

func appendTimer(b []byte, t *TimerChange, set int64) []byte {
	b = appendRowString(append(b, rowVersion), t.Name)
	b = binary.AppendUvarint(b, uint64(set))
	b = binary.AppendUvarint(b, uint64(t.Cause))
	return abi.AppendFrame(b, &t.Event)
}

func decodeTimer(key, value []byte) (Timer, error) {
	subscriber, due, id, ok := splitTimerKey(key)
	r := newRowReader(value)
	t := Timer{Subscriber: subscriber, Due: due, Name: r.str(), Set: int64(r.num()), Cause: abi.Seq(r.num())}
	if !ok || r.err != nil {
		return t, errRow
	}
	var ev abi.Event
	if err := abi.DecodeFrame(r.b, &ev); err != nil {
		return t, err
	}
	if ev.ID != id {
		return t, errRow
	}
	t.Event = ev.Clone()
	return t, nil
}

func appendTimerName(b []byte, due int64, id string) []byte {
	return appendRowString(binary.AppendUvarint(append(b, rowVersion), uint64(due)), id)
}

func decodeTimerName(b []byte) (due int64, id string, err error) {
	r := newRowReader(b)
	due, id = int64(r.num()), r.str()
	return due, id, r.err
}

func checkTimerRow(key, value []byte) error {
	if _, _, _, ok := splitTimerKey(key); !ok {
		_, _, err := decodeTimerName(value)
		return err
	}
	_, err := decodeTimer(key, value)
	return err
}

// eraseTimer returns the row without the payload of its event, if that is the event with the
// id or was set by the event at cause; nil if it is neither or has no payload.
func eraseTimer(key, value []byte, cause abi.Seq, id string) []byte {
	t, err := decodeTimer(key, value)
	if err != nil || t.Cause != cause && t.Event.ID != id || len(t.Event.Data)+len(t.Event.Headers) == 0 {
		return nil
	}
	t.Event.Data, t.Event.Headers = nil, nil
	return appendTimer(nil, &TimerChange{Name: t.Name, Cause: t.Cause, Event: t.Event}, t.Set)
}
