package log

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Versions says which versions of a subscriber's state there are. Each has a keyspace of its
// own; commits go to the one that is in service.
type Versions struct {
	Serving uint32  // 1 where nothing else was said
	Began   abi.Seq // the subscriber's first cursor; 0: not known

	// Kept is the version that Serving took the place of, with its state as it was then; 0:
	// none. KeptAt is where the subscriber stood, KeptParked what was blocked.
	Kept       uint32
	KeptAt     abi.Seq
	KeptParked []Parked

	Build *StateBuild // nil: no other version is being built
}

// BuildKind is how a version is built.
type BuildKind uint8

// The kinds.
const (
	BuildMigrate BuildKind = iota + 1 // from a copy of the state
	BuildRebuild                      // from the events
)

// StateBuild is how far the building of a version is. Its keyspace and this row change
// together, and nothing else sees either; so a build goes on after a crash where it was.
//
// They have no undo records: a build is of one store. A fork finds it as somebody else's, and
// whoever begins one begins with an empty keyspace.
type StateBuild struct {
	Version uint32
	Kind    BuildKind
	Digest  string  // of the module that builds
	Copied  bool    // of a migration: the copy is complete
	Done    bool    // and so is what the module makes of it
	After   string  // the copy has the keys up to this one
	Next    abi.Seq // of a rebuild: the next event
	Commits uint64  // so far
	Keys    uint64  // written so far
	Events  uint64  // of a rebuild: handled so far
	Failed  uint64  // of those, given up: see [Log.SwitchState]
	Began   time.Time

	store string
}

func appendVersions(b []byte, v *Versions) []byte {
	b = append(b, rowVersion)
	for _, n := range []uint64{uint64(v.Serving), uint64(v.Began), uint64(v.Kept), uint64(v.KeptAt), uint64(len(v.KeptParked))} {
		b = binary.AppendUvarint(b, n)
	}
	for i := range v.KeptParked {
		p := &v.KeptParked[i]
		b = binary.AppendUvarint(appendRowString(b, p.Key), uint64(p.First))
		b = binary.AppendUvarint(b, uint64(p.Version))
	}
	return b
}

func decodeVersions(b []byte) (Versions, error) {
	r := newRowReader(b)
	v := Versions{Serving: uint32(r.num()), Began: abi.Seq(r.num()), Kept: uint32(r.num()), KeptAt: abi.Seq(r.num())}
	for n := r.num(); n > 0 && r.err == nil; n-- {
		v.KeptParked = append(v.KeptParked, Parked{Key: r.str(), First: abi.Seq(r.num()), Version: abi.Version(r.num())})
	}
	return v, r.err
}

const (
	buildCopied = 1 << iota
	buildDone
)

func appendBuild(b []byte, s *StateBuild) []byte {
	flags := uint64(0)
	if s.Copied {
		flags |= buildCopied
	}
	if s.Done {
		flags |= buildDone
	}
	b = appendRowString(appendRowString(append(b, rowVersion), s.store), s.Digest)
	b = appendRowString(b, s.After)
	for _, n := range []uint64{
		uint64(s.Version), uint64(s.Kind), flags, uint64(s.Next), s.Commits, s.Keys, s.Events, s.Failed, uint64(s.Began.UnixNano()),
	} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeBuild(b []byte) (StateBuild, error) {
	r := newRowReader(b)
	s := StateBuild{store: r.str(), Digest: r.str(), After: r.str(), Version: uint32(r.num()), Kind: BuildKind(r.num())}
	flags := r.num()
	s.Copied, s.Done = flags&buildCopied != 0, flags&buildDone != 0
	s.Next, s.Commits, s.Keys, s.Events, s.Failed = abi.Seq(r.num()), r.num(), r.num(), r.num(), r.num()
	s.Began = time.Unix(0, int64(r.num()))
	return s, r.err
}

func checkVersionRow(key, value []byte) (err error) {
	switch rest := key[2+int(key[1]):]; {
	case len(rest) == 0:
		_, err = decodeVersions(value)
	case rest[0] == 0:
		_, err = decodeBuild(value)
	default:
		_, err = decodeDeadLetter(0, value)
	}
	return err
}

// Versions returns what versions of its state a subscriber has.
func (l *Log) Versions(subscriber string) (Versions, error) {
	return readVersions(l.db, l.store, subscriber)
}

// Versions returns what versions of its state a subscriber had.
func (s *Snapshot) Versions(subscriber string) (Versions, error) {
	return readVersions(s.snap, s.store, subscriber)
}

func readVersions(db pebble.Reader, store, subscriber string) (Versions, error) {
	v := Versions{Serving: 1}
	row := func(key []byte, decode func([]byte) error) error {
		value, closer, err := db.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err != nil {
			return engineError(0, err)
		}
		if err := decode(value); err != nil {
			return fmt.Errorf("%w: the state versions of %q: %v", ErrDamaged, subscriber, err)
		}
		return closer.Close()
	}
	err := row(versionKey(subscriber), func(b []byte) (err error) {
		v, err = decodeVersions(b)
		return err
	})
	if err != nil {
		return v, err
	}
	return v, row(buildKey(subscriber), func(b []byte) error {
		build, err := decodeBuild(b)
		if err == nil && build.store == store { // else it came with a fork
			v.Build = &build
		}
		return err
	})
}

// beginVersions writes with what version of its state a new subscriber begins, and adds what
// was there to images. State of that version is what a fork left behind.
func (s *sequencer) beginVersions(a *Attachment, images []byte, batch *pebble.Batch) ([]byte, error) {
	images, err := appendImage(images, s.l.db, versionKey(a.Subscriber))
	if err == nil {
		emptyRange(batch, statePrefix(nil, a.Subscriber, a.StateVersion))
		err = batch.Set(versionKey(a.Subscriber), appendVersions(nil, &Versions{Serving: a.StateVersion, Began: a.Next}), nil)
	}
	return images, err
}

func emptyRange(batch *pebble.Batch, prefix []byte) {
	_ = batch.DeleteRange(prefix, successor(prefix), nil)
}

// ErrBuildChanged says that the build of a state version is not where its caller left it:
// somebody reset the subscriber, or another build began.
var ErrBuildChanged = errors.New("the state version that is being built was given up meanwhile")

// BeginBuild returns how far the build of a version by a module is. One of something else is
// given up for it. It returns an error if the version is in service, or kept.
func (l *Log) BeginBuild(ctx context.Context, subscriber string, b StateBuild) (StateBuild, error) {
	err := l.submit(ctx, &request{size: 1, durability: Durable, apply: func(s *sequencer, batch *pebble.Batch) error {
		v, err := l.Versions(subscriber)
		switch {
		case err != nil:
			return err
		case b.Version == v.Serving || b.Version == v.Kept || b.Version == 0:
			return fmt.Errorf("state version %d of %q is there already", b.Version, subscriber)
		case v.Build != nil && v.Build.Version == b.Version && v.Build.Kind == b.Kind && v.Build.Digest == b.Digest:
			b = *v.Build
			return nil
		}
		stageForget(subscriber, v.Build, batch)
		emptyRange(batch, statePrefix(nil, subscriber, b.Version))
		b.store, b.Began = l.store, s.l.opts.now()
		return batch.Set(buildKey(subscriber), appendBuild(nil, &b), nil)
	}})
	return b, err
}

// stageForget takes out a build and what it wrote.
func stageForget(subscriber string, b *StateBuild, batch *pebble.Batch) {
	_ = batch.Delete(buildKey(subscriber), nil)
	emptyRange(batch, append(versionKey(subscriber), 1))
	if b != nil {
		emptyRange(batch, statePrefix(nil, subscriber, b.Version))
	}
}

// forgetBuild takes out a build together with a change. It is no part of the undo record.
func (c *change) forgetBuild(subscriber string) {
	v, err := c.s.l.Versions(subscriber)
	if err != nil && c.err == nil {
		c.err = err
	}
	c.writes = append(c.writes, func() { stageForget(subscriber, v.Build, c.batch) })
}

// DropBuild gives the build of a version up, if there is one.
func (l *Log) DropBuild(ctx context.Context, subscriber string) error {
	return l.submit(ctx, &request{durability: Durable, relieves: true, apply: func(_ *sequencer, batch *pebble.Batch) error {
		v, err := l.Versions(subscriber)
		if err == nil {
			stageForget(subscriber, v.Build, batch)
		}
		return err
	}})
}

// BuildStep is one commit of a build.
type BuildStep struct {
	From    StateBuild // as the last step left it
	To      StateBuild // Commits is From's and one more
	Writes  []StateWrite
	Letters []DeadLetter // events that the version gave up
}

// StepBuild commits a step: what it writes, and how far the build is, or nothing. It returns
// [ErrBuildChanged] where the build is not at From.
func (l *Log) StepBuild(ctx context.Context, subscriber string, b BuildStep) error {
	size := 1
	for i := range b.Writes {
		size += len(b.Writes[i].Key) + len(b.Writes[i].Value)
	}
	return l.submit(ctx, &request{size: size, durability: Accepted, apply: func(_ *sequencer, batch *pebble.Batch) error {
		v, err := l.Versions(subscriber)
		if err != nil {
			return err
		}
		if v.Build == nil || v.Build.Commits != b.From.Commits || v.Build.Version != b.From.Version || b.From.Digest != v.Build.Digest {
			return ErrBuildChanged
		}
		prefix := statePrefix(nil, subscriber, b.From.Version)
		for i := range b.Writes {
			w := &b.Writes[i]
			if key := append(prefix[:len(prefix):len(prefix)], w.Key...); w.Delete {
				_ = batch.Delete(key, nil)
			} else {
				_ = batch.Set(key, w.Value, nil)
			}
		}
		for i := range b.Letters {
			_ = batch.Set(builtLetterKey(subscriber, b.Letters[i].Seq), appendDeadLetter(nil, &b.Letters[i]), nil)
		}
		b.To.store, b.To.Commits = l.store, b.From.Commits+1
		return batch.Set(buildKey(subscriber), appendBuild(nil, &b.To), nil)
	}})
}

// StateSwitch puts a version that was built into service.
type StateSwitch struct {
	Subscriber string
	Build      StateBuild // as its last step left it
	At         abi.Seq    // all lanes stand here
	Revision   Revision   // of the subscriber's generations, made in the same step
}

// SwitchState applies w, durably: the version in service is kept as it is, with what is
// blocked now, in the place of an older one, and commits of runs that began before are refused.
// Events that the build gave up are dead letters from here on, whose emits are in the log. It
// returns the generations, or [ErrFenced] or [ErrBuildChanged] where something moved meanwhile.
func (l *Log) SwitchState(ctx context.Context, w StateSwitch) ([]Generation, error) {
	err := l.submit(ctx, &request{size: 1, durability: Durable, apply: func(s *sequencer, batch *pebble.Batch) error {
		if err := s.switchState(&w, batch); err != nil {
			return err
		}
		return s.alsoRevise(&w.Revision, batch)
	}})
	return w.Revision.after, err
}

func (s *sequencer) alsoRevise(r *Revision, batch *pebble.Batch) error {
	if err := s.revise(r, batch); err != nil {
		return err
	}
	return s.forgetModules([]Revision{*r}, batch)
}

func (s *sequencer) switchState(w *StateSwitch, batch *pebble.Batch) error {
	v, err := s.l.Versions(w.Subscriber)
	if err != nil {
		return err
	}
	if v.Build == nil || v.Build.Version != w.Build.Version || v.Build.Commits != w.Build.Commits || v.Build.Digest != w.Build.Digest {
		return ErrBuildChanged
	}
	parked, err := s.l.Parked(w.Subscriber)
	if err != nil {
		return err
	}
	record := &change{s: s, owner: w.Subscriber, batch: batch}
	lanes, err := record.fence(w.Subscriber, w.At)
	if err != nil {
		return err
	}
	record.lettersSince(w.Subscriber)
	if err := record.takeLetters(w.Subscriber); err != nil {
		return err
	}
	if v.Kept != 0 {
		record.removeAll(statePrefix(nil, w.Subscriber, v.Kept))
		record.forgetLetters(w.Subscriber)
	}
	next := Versions{Serving: w.Build.Version, Began: v.Began, Kept: v.Serving, KeptAt: w.At, KeptParked: parked}
	record.set(versionKey(w.Subscriber), appendVersions(nil, &next))
	record.writes = append(record.writes, func() { stageForget(w.Subscriber, nil, batch) })
	if err := record.finish(); err != nil {
		return err
	}
	for lane, c := range lanes {
		s.cursors[LaneCursor(w.Subscriber, lane)] = c
	}
	return nil
}

// fence raises the fences of all lanes, which must stand at a seq, and returns their cursors.
func (c *change) fence(subscriber string, at abi.Seq) ([]Cursor, error) {
	lanes, err := readLanes(c.s.l.db, subscriber)
	if err != nil {
		return nil, err
	}
	if len(lanes) == 0 {
		return nil, ErrNotFound
	}
	for lane := range lanes {
		if lanes[lane].Next != at {
			return nil, ErrFenced
		}
		lanes[lane].Fence++
		c.set(cursorKey(nil, LaneCursor(subscriber, lane)), appendCursor(nil, lanes[lane]))
	}
	return lanes, nil
}

// takeLetters makes what a build gave up dead letters like others.
func (c *change) takeLetters(subscriber string) error {
	prefix := append(versionKey(subscriber), 1)
	it, err := c.s.l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return engineError(0, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		seq := chunkKeySeq(it.Key()[len(prefix)-1:])
		c.set(deadLetterKey(nil, subscriber, seq), append([]byte(nil), it.Value()...))
		c.set(letterMoreKey(nil, subscriber, seq), appendLetterMore(nil, &LetterMore{Replayed: true, Newer: true}))
	}
	return engineError(0, it.Error())
}

// StateReturn puts the version that was kept back into service.
type StateReturn struct {
	Subscriber string
	Version    uint32
	Revision   Revision
	Lane       LaneFunc // as Reset's
}

// ReturnState applies t, durably: the subscriber stands where that version left off, with
// what was blocked then, and its state. What it emits for events that were dealt with since
// does not count, see [Reset]. The version in service until now is dropped. It returns where
// the cursor was put and the generations, or [ErrNotFound] where that version is not kept, or
// events that it would have to handle have left the log.
func (l *Log) ReturnState(ctx context.Context, t StateReturn) (at abi.Seq, history []Generation, err error) {
	err = l.submit(ctx, &request{size: 1, durability: Durable, apply: func(s *sequencer, batch *pebble.Batch) error {
		v, err := l.Versions(t.Subscriber)
		switch {
		case err != nil:
			return err
		case v.Kept == 0 || v.Kept != t.Version:
			return fmt.Errorf("state version %d of %q: %w", t.Version, t.Subscriber, ErrNotFound)
		case v.KeptAt < l.First():
			return fmt.Errorf("state version %d of %q would go on at event %d: %w; the log begins at %d", t.Version, t.Subscriber, v.KeptAt, ErrNotFound, l.First())
		}
		if at, err = s.reset(Reset{Subscriber: t.Subscriber, To: v.KeptAt, Lane: t.Lane, back: true}, batch); err != nil {
			return err
		}
		return s.alsoRevise(&t.Revision, batch)
	}})
	return at, t.Revision.after, err
}

// goBack puts the kept version and what was blocked in it in the place of the present one, and
// takes out the dead letters that only the present one made of what that has handled.
func (c *change) goBack(subscriber string, v Versions) {
	c.removeAll(statePrefix(nil, subscriber, v.Serving))
	c.removeAll(named(nil, spaceParked, subscriber))
	c.leaveLetters(subscriber)
	for i := range v.KeptParked {
		c.set(parkedKey(nil, subscriber, &v.KeptParked[i]), appendParked(nil, &v.KeptParked[i]))
	}
	c.set(versionKey(subscriber), appendVersions(nil, &Versions{Serving: v.Kept, Began: v.Began}))
}

// DropKept drops the version that is kept, and returns which that was and how many keys it
// had; [ErrNotFound] says that there is none.
func (l *Log) DropKept(ctx context.Context, subscriber string) (version uint32, keys int, err error) {
	err = l.submit(ctx, &request{durability: Durable, relieves: true, apply: func(s *sequencer, batch *pebble.Batch) error {
		v, err := l.Versions(subscriber)
		if err != nil {
			return err
		}
		if v.Kept == 0 {
			return fmt.Errorf("a state version of %q that is kept: %w", subscriber, ErrNotFound)
		}
		record := &change{s: s, owner: subscriber, batch: batch}
		version, keys = v.Kept, record.removeAll(statePrefix(nil, subscriber, v.Kept))
		record.forgetLetters(subscriber)
		record.set(versionKey(subscriber), appendVersions(nil, &Versions{Serving: v.Serving, Began: v.Began}))
		return record.finish()
	}})
	return version, keys, err
}

// Retained is a range of events of which some, or all, have left the log.
type Retained struct {
	From, To abi.Seq
	Topics   string // the pattern of those that left; "" where Stream, or nothing at all, tells them
	Stream   string // the key of their stream
	Reason   string
}

// Retained calls fn for what left the log of the events from one seq to below another, until
// it says false. What the audit events tell that are still there; whoever needs an event
// asks whether one that left may have been it.
func (l *Log) Retained(from, to abi.Seq, fn func(Retained) bool) error {
	from = max(from, 1)
	if first := l.First(); from < first && !fn(Retained{From: from, To: min(first, to) - 1, Reason: "retention"}) {
		return nil
	}
	r := l.NewReader(ReadOptions{From: from, Borrow: true, Match: func(topic string) bool { return topic == TopicRetained }})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		var a audit
		if ev.Source != systemSource || json.Unmarshal(ev.Data, &a) != nil || a.Topics == "" && a.Stream == "" || a.To < from || a.From >= to {
			continue
		}
		if !fn(Retained{From: max(a.From, from), To: min(a.To, to-1), Topics: a.Topics, Stream: a.Stream, Reason: a.Reason}) {
			return nil
		}
	}
	return r.Err()
}
