package log_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// model is the obvious log: a slice, and maps for what is derived from it.
type model struct {
	t  *rapid.T
	fs *vfs.MemFS
	l  *log.Log

	events    []modelEvent // by seq - 1
	versions  map[string]abi.Version
	from      map[string]abi.Version
	closed    map[string]bool
	producers map[string]uint64
	first     abi.Seq
	ids       int
}

type modelEvent struct {
	topic, key, id string
	version        abi.Version
	published      bool
	gone           bool
}

const modelWindow = 20 // of deduplication

func (m *model) options() log.Options {
	return log.WithSizes(log.WithFS(log.Options{
		CacheBytes: 1 << 20, TailBytes: 1, DedupeWindow: modelWindow, SyncEvery: time.Hour, VerifyEvery: -1, Ballast: -1,
	}, reuseFS{m.fs}), 1<<20, 5)
}

func (m *model) open() {
	var err error
	if m.l, err = log.Open("db", m.options()); err != nil {
		m.t.Fatal(err)
	}
}

// TestModel drives the log with random operations, crashes and reopenings beside the model: a
// hundred stories, under the race detector a quarter of them. One goroutine tells them, and there
// the store notes the stack of whoever reads a row; make faults tells them all.
func TestModel(t *testing.T) {
	if raceEnabled {
		fewer(t)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			t: t, fs: vfs.NewCrashableMem(), first: 1, versions: map[string]abi.Version{},
			from: map[string]abi.Version{}, closed: map[string]bool{}, producers: map[string]uint64{},
		}
		m.open()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.append, "duplicate": m.duplicate, "producer": m.producer, "truncate": m.truncate, "close": m.close,
			"trim": m.trim, "sweep": m.sweep, "reopen": m.reopen, "crash": m.crash, "": m.check,
		})
		if err := m.l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *model) key(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "key")
}

func (m *model) draw(t *rapid.T) []abi.Event {
	var events []abi.Event
	for range rapid.IntRange(1, 4).Draw(t, "events") {
		m.ids++
		events = append(events, event(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "topic"), m.key(t), fmt.Sprint(m.ids)))
	}
	return events
}

// add puts events into the model, or says which error the log must give.
func (m *model) add(events []abi.Event, published bool) error {
	for _, ev := range events {
		if m.closed[ev.Key] {
			return log.ErrStreamClosed
		}
	}
	for _, ev := range events {
		e := modelEvent{topic: ev.Topic, key: ev.Key, id: ev.ID, published: published}
		if ev.Key != "" {
			m.versions[ev.Key]++
			e.version = m.versions[ev.Key]
		}
		m.events = append(m.events, e)
	}
	return nil
}

func (m *model) append(t *rapid.T) {
	events := m.draw(t)
	_, err := m.l.Append(ctx, events, log.Durable)
	if want := m.add(events, true); !errors.Is(err, want) {
		t.Fatalf("append: %v, want %v", err, want)
	}
}

// duplicate repeats an event: within the window it is found, beyond it is new.
func (m *model) duplicate(t *rapid.T) {
	if len(m.events) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.events)-1).Draw(t, "which")
	e := m.events[i]
	if !e.published || e.gone || abi.Seq(i+1) < m.first || m.closed[e.key] {
		return
	}
	for _, other := range m.events[i+1:] {
		if other.published && other.id == e.id {
			return // a copy beyond the window; it is the one that counts now
		}
	}
	within := len(m.events)-i <= modelWindow
	ev := event(e.topic, e.key, e.id)
	r, err := m.l.Append(ctx, one(ev), log.Durable)
	if err != nil {
		t.Fatal(err)
	}
	if r[0].Duplicate != within {
		t.Fatalf("event %d of %d again: duplicate = %v", i+1, len(m.events), r[0].Duplicate)
	}
	if !r[0].Duplicate {
		_ = m.add(one(ev), true)
	} else if r[0].Seq != abi.Seq(i+1) || r[0].Version != e.version {
		t.Fatalf("event %d again: %+v", i+1, r[0])
	}
}

func (m *model) producer(t *rapid.T) {
	name := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "producer")
	sequence := m.producers[name] + uint64(rapid.IntRange(0, 2).Draw(t, "ahead"))
	if sequence == 0 {
		return
	}
	events := m.draw(t)
	_, err := m.l.AppendIf(ctx, events, log.Conditions{Producer: name, Sequence: sequence}, log.Durable)
	var pe *log.ProducerError
	switch {
	case sequence <= m.producers[name]:
		if err != nil && !errors.As(err, &pe) {
			t.Fatalf("a sequence of before: %v", err)
		}
	default:
		want := m.add(events, false)
		if !errors.Is(err, want) {
			t.Fatalf("producer: %v, want %v", err, want)
		}
		if err == nil {
			m.producers[name] = sequence
		}
	}
}

func (m *model) truncate(t *rapid.T) {
	key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
	version := abi.Version(rapid.IntRange(0, int(m.versions[key])+1).Draw(t, "version"))
	if err := m.l.TruncateStream(ctx, key, version); err != nil {
		t.Fatal(err)
	}
	m.from[key] = max(m.from[key], version)
}

func (m *model) close(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "close") > 0 {
		return
	}
	if err := m.l.CloseStream(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	m.closed["c"] = true
}

// audited puts the audit events that a pass of retention appended into the model.
func (m *model) audited() {
	for abi.Seq(len(m.events)) < m.l.Head() {
		ev, err := m.l.Event(abi.Seq(len(m.events)) + 1)
		if err != nil || ev.Topic != log.TopicRetained {
			m.t.Fatalf("event %d: %+v, %v", len(m.events)+1, ev, err)
		}
		m.events = append(m.events, modelEvent{topic: ev.Topic, id: ev.ID})
	}
}

func (m *model) trim(t *rapid.T) {
	seq := abi.Seq(rapid.IntRange(0, len(m.events)).Draw(t, "seq"))
	report, err := m.l.Trim(ctx, seq, "test")
	if err != nil {
		t.Fatal(err)
	}
	if report.To != 0 {
		if report.From != m.first || report.To >= seq {
			t.Fatalf("trim before %d: %+v", seq, report)
		}
		m.first = report.To + 1
	}
	m.audited()
}

func (m *model) sweep(t *rapid.T) {
	if _, err := m.l.Retain(ctx, log.Retention{}); err != nil {
		t.Fatal(err)
	}
	for i := range m.events {
		e := &m.events[i]
		if e.key != "" && (m.closed[e.key] || e.version < m.from[e.key]) {
			e.gone = true
		}
	}
	m.audited()
}

func (m *model) reopen(t *rapid.T) {
	if err := m.l.Close(); err != nil {
		t.Fatal(err)
	}
	m.open()
}

// crash takes the power away; everything was durable.
func (m *model) crash(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "seed")
	rng := rand.New(rand.NewPCG(seed, 0))
	clone := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	if err := m.l.Close(); err != nil {
		t.Fatal(err)
	}
	m.fs = clone
	m.open()
}

// check compares everything that can be read.
func (m *model) check(t *rapid.T) {
	var want, got []string
	streams := map[string][]string{}
	for i, e := range m.events {
		seq := abi.Seq(i + 1)
		if seq < m.first || e.gone {
			continue
		}
		want = append(want, fmt.Sprintf("%d %s %s@%d %s", seq, e.topic, e.key, e.version, e.id))
		if e.key != "" && !m.closed[e.key] && e.version >= m.from[e.key] {
			streams[e.key] = append(streams[e.key], fmt.Sprintf("%d:%s", e.version, e.id))
		}
	}
	for _, backward := range []bool{false, true} {
		r := m.l.NewReader(log.ReadOptions{Backward: backward})
		var ev abi.Event
		got = got[:0]
		for r.Next(&ev) {
			got = append(got, fmt.Sprintf("%d %s %s@%d %s", ev.Seq, ev.Topic, ev.Key, ev.Version, ev.ID))
		}
		if err := errors.Join(r.Err(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if backward {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("backward %v:\n%v\nwant\n%v", backward, got, want)
		}
	}
	for _, key := range []string{"a", "b", "c"} {
		for _, backward := range []bool{false, true} {
			m.checkStream(t, key, backward, streams[key])
		}
	}
	if report, err := m.l.Verify(ctx, nil); err != nil || len(report.Damage) > 0 {
		t.Fatalf("%v %v", report.Damage, err)
	}
}

func (m *model) checkStream(t *rapid.T, key string, backward bool, want []string) {
	r, err := m.l.ReadStream(key, log.StreamOptions{Backward: backward})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var ev abi.Event
	for r.Next(&ev) {
		got = append(got, fmt.Sprintf("%d:%s", ev.Version, ev.ID))
	}
	if err := errors.Join(r.Err(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if backward {
		slices.Reverse(got)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("stream %q, backward %v: %v, want %v", key, backward, got, want)
	}
	if s, err := m.l.Stream(key); err != nil || s.Version != m.versions[key] {
		t.Fatalf("stream %q: %+v, %v; want version %d", key, s, err, m.versions[key])
	}
}

// fewer sets the number of stories, unless somebody else has.
func fewer(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := checks.Value.Set("25"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}
