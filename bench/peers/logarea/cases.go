package logarea

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// size is how much is done.
type size struct {
	long    time.Duration // of each run of each side
	checked int           // batches appended to see that the sides are equal
	stored  int           // batches in the store that is replayed
}

var (
	full  = size{long: time.Second, checked: 64, stored: 1600}
	brief = size{long: 120 * time.Millisecond, checked: 16, stored: 256}
)

// Cases are the comparisons of the area; quick means shorter runs and smaller stores.
func Cases(quick bool) []harness.Case {
	if quick {
		return cases(brief)
	}
	return cases(full)
}

func cases(z size) []harness.Case {
	var (
		accepted = appending{durability: log.Accepted, writers: 2}
		single   = appending{durability: log.Durable, writers: publishers, single: true}
		durable  = appending{durability: log.Durable, writers: 4}

		local   = []rival{{"pebble", openPebble}, {"bbolt", openBolt}, {"tidwall", openTidwall}}
		plain   = append([]rival{{"jetstream", openJetStream}}, local...)
		synced  = append([]rival{{"jetstream/syncalways", openJetStream}}, local...)
		grouped = append([]rival{{"jetstream/syncalways-grouped", openJetStreamGrouped}}, synced...)
		evs     = orders(64)
		out     []harness.Case
	)
	for _, r := range plain {
		out = append(out, accepted.against("log/append-accepted", r, evs, z))
	}
	for _, r := range grouped {
		out = append(out, single.against("log/append-durable-256", r, evs, z))
	}
	for _, r := range synced {
		out = append(out, durable.against("log/append-durable-batch", r, evs, z))
	}
	for _, r := range plain {
		out = append(out, replaying{""}.against("log/replay", r, evs, z))
	}
	for _, r := range plain {
		out = append(out, replaying{wanted}.against("log/replay-filtered", r, evs, z))
	}
	return out
}

// against compares the way of appending.
func (a appending) against(name string, r rival, evs [][]abi.Event, z size) harness.Case {
	return harness.Case{
		Name: name, Rival: r.name, Timed: true, Ours: a.side(openOurs, evs, z.long), Theirs: a.side(r.open, evs, z.long),
		Check: func(dir string) error { return a.check(dir, r, evs, z.checked) },
	}
}

// check lets both sides append the same events, opens them again and compares what is there.
// Where several append, their order is nobody's promise: only one does for the order, and
// then all of them for the rest.
func (a appending) check(dir string, r rival, evs [][]abi.Event, batches int) error {
	alone := a
	alone.writers = 1
	for i, a := range []appending{alone, a} {
		ours, err := a.fill(filepath.Join(dir, fmt.Sprint("ours", i)), openOurs, evs, batches)
		if err != nil {
			return fmt.Errorf("ours: %w", err)
		}
		theirs, err := a.fill(filepath.Join(dir, fmt.Sprint("theirs", i)), r.open, evs, batches)
		if err != nil {
			return fmt.Errorf("theirs: %w", err)
		}
		if a.writers > 1 {
			ours.order, theirs.order = 0, 0
		}
		if ours != theirs {
			return fmt.Errorf("with %d writers the stores differ: ours %+v, theirs %+v", a.writers, ours, theirs)
		}
	}
	return nil
}

// fill appends so many batches, or as many events one by one as fit in the time of a test,
// and returns what a reader finds after the store was opened again.
func (a appending) fill(dir string, open opener, evs [][]abi.Event, batches int) (content, error) {
	rounds := batches / a.writers
	if a.single {
		rounds = 1024 / a.writers
	}
	s, err := a.filled(dir, open, evs, rounds)
	if err != nil {
		return content{}, err
	}
	c, err := read(s, "")
	return c, errors.Join(err, s.Close())
}

// filled appends and opens again: what is read then comes from files.
func (a appending) filled(dir string, open opener, evs [][]abi.Event, rounds int) (store, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := open(dir, a.durability)
	if err != nil {
		return nil, err
	}
	_, err = a.run(s, evs, func(round int) bool { return round < rounds })
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return open(dir, a.durability)
}

// against compares reading; both stores are made once and read by all pairs.
func (r replaying) against(name string, rival rival, evs [][]abi.Event, z size) harness.Case {
	var ours, theirs store
	writing := appending{durability: log.Accepted, writers: 1}
	return harness.Case{
		Name: name, Rival: rival.name, Timed: true,
		Ours: r.side(&ours, z.stored*batch, z.long), Theirs: r.side(&theirs, z.stored*batch, z.long),
		Check: func(dir string) (err error) {
			if ours, err = writing.filled(filepath.Join(dir, "ours"), openOurs, evs, z.stored); err != nil {
				return fmt.Errorf("ours: %w", err)
			}
			if theirs, err = writing.filled(filepath.Join(dir, "theirs"), rival.open, evs, z.stored); err != nil {
				return fmt.Errorf("theirs: %w", err)
			}
			return r.check(ours, theirs)
		},
		Close: func() error { return errors.Join(closed(ours), closed(theirs)) },
	}
}

// check compares what both stores give.
func (r replaying) check(ours, theirs store) error {
	a, err := read(ours, r.topic)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	b, err := read(theirs, r.topic)
	if err != nil {
		return fmt.Errorf("theirs: %w", err)
	}
	if a != b || a.count == 0 {
		return fmt.Errorf("the stores differ: ours %+v, theirs %+v", a, b)
	}
	return nil
}

func closed(s store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}
