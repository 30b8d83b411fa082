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
	long    time.Duration // of each run of each side that appends batches: no memtable may hold it all
	short   time.Duration // of each other run
	checked int           // batches appended to see that the sides are equal
	stored  int           // batches in the store that is replayed
}

var (
	full  = size{long: time.Second, short: time.Second, checked: 64, stored: 1600}
	brief = size{long: 120 * time.Millisecond, short: 40 * time.Millisecond, checked: 16, stored: 256}
)

// Cases are the comparisons of the area; quick means shorter runs and smaller stores.
func Cases(quick bool) []harness.Case {
	if quick {
		return cases(brief)
	}
	return cases(full)
}

func cases(z size) []harness.Case {
	plain := rivals("jetstream", openJetStream)
	synced := rivals("jetstream/syncalways", openJetStream)
	grouped := rivals("jetstream/syncalways-grouped", openJetStreamGrouped)[:1]
	evs := orders(64)
	var out []harness.Case
	add := func(name string, way way, rivals ...contender) {
		for _, r := range rivals {
			out = append(out, way.against(name, r, evs, z))
		}
	}
	add("log/append-accepted", appending{durability: log.Accepted}, append(plain, ticked()...)...)
	add("log/append-durable-256", appending{durability: log.Durable, single: true}, append(synced, grouped...)...)
	add("log/append-durable-batch", appending{durability: log.Durable}, synced...)
	add("log/replay", replaying{""}, plain...)
	add("log/replay-filtered", replaying{wanted}, plain...)
	return out
}

// way is what a case does.
type way interface {
	against(name string, r contender, evs [][]abi.Event, z size) harness.Case
}

func (a appending) against(name string, r contender, evs [][]abi.Event, z size) harness.Case {
	long := z.long
	if a.single {
		long = z.short
	}
	return harness.Case{
		Name: name, Rival: r.name, Timed: true, Ours: a.side(us, evs, long), Theirs: a.side(r, evs, long),
		Check: func(dir string) error { return a.check(dir, r, evs, z.checked) },
	}
}

// check lets both sides append the same events, opens them again and compares what is there.
// Where several append, their order is nobody's promise: one alone does for the order, and
// then all of them for the rest.
func (a appending) check(dir string, r contender, evs [][]abi.Event, batches int) error {
	rounds := batches
	if a.single {
		rounds = 64
	}
	if err := a.compare(filepath.Join(dir, "alone"), r, 1, evs, rounds); err != nil {
		return err
	}
	return a.compare(filepath.Join(dir, "together"), r, a.writers(r), evs, max(rounds/a.writers(r), 4))
}

// compare fills both sides and says how what they hold differs.
func (a appending) compare(dir string, r contender, writers int, evs [][]abi.Event, rounds int) error {
	hold := func(c contender) (held content, err error) {
		s, err := a.filled(filepath.Join(dir, filepath.Base(c.name)), c.open, writers, evs, rounds)
		if err != nil {
			return held, fmt.Errorf("%s: %w", c.name, err)
		}
		held, err = read(s, "")
		if writers > 1 {
			held.order = 0
		}
		return held, errors.Join(err, s.Close())
	}
	ours, err := hold(us)
	if err != nil {
		return err
	}
	theirs, err := hold(r)
	if err != nil {
		return err
	}
	return differ(ours, theirs)
}

func differ(ours, theirs content) error {
	if ours != theirs || ours.count == 0 {
		return fmt.Errorf("the stores differ: ours %+v, theirs %+v", ours, theirs)
	}
	return nil
}

// filled makes a store in dir, appends so many rounds of each writer and opens it again: what
// is read then comes from files.
func (a appending) filled(dir string, open opener, writers int, evs [][]abi.Event, rounds int) (store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := open(dir, a.durability)
	if err != nil {
		return nil, err
	}
	_, err = a.run(s, writers, evs, func(round int) bool { return round < rounds })
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return open(dir, a.durability)
}

// against makes both stores once; all pairs read them.
func (r replaying) against(name string, rival contender, evs [][]abi.Event, z size) harness.Case {
	var ours, theirs store
	fill := func(dir string, c contender, s *store) (err error) {
		*s, err = appending{durability: log.Accepted}.filled(filepath.Join(dir, c.name), c.open, 1, evs, z.stored)
		return err
	}
	return harness.Case{
		Name: name, Rival: rival.name, Timed: true,
		Ours: r.side(&ours, z.stored*batch, z.short), Theirs: r.side(&theirs, z.stored*batch, z.short),
		Check: func(dir string) error {
			if err := errors.Join(fill(dir, us, &ours), fill(dir, rival, &theirs)); err != nil {
				return err
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
	return differ(a, b)
}

func closed(s store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}
