package logarea

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// appending is one way to append.
type appending struct {
	durability log.Durability
	writers    int
	single     bool // event by event
}

// publishers is how many append single events at a time.
const publishers = 256

// run lets the writers append until more says no, and returns how many events were answered.
func (a appending) run(s store, evs [][]abi.Event, more func(batches int) bool) (int, error) {
	var wg sync.WaitGroup
	var events atomic.Int64
	errs := make([]error, a.writers)
	for i := range a.writers {
		w, err := s.writer()
		if err != nil {
			return 0, err
		}
		wg.Go(func() {
			n, err := a.write(w, i, evs, more)
			events.Add(int64(n))
			errs[i] = err
		})
	}
	wg.Wait()
	return int(events.Load()), errors.Join(errs...)
}

// write is what one writer does: every so-and-so-many-th of the batches, or of the events.
func (a appending) write(w writer, first int, evs [][]abi.Event, more func(round int) bool) (n int, err error) {
	for i := first; more(i/a.writers) && err == nil; i += a.writers {
		if a.single {
			err = w.appendOne(&evs[i/batch%len(evs)][i%batch])
			n++
		} else {
			err = w.append(evs[i%len(evs)])
			n += batch
		}
	}
	return n, errors.Join(err, w.settle())
}

// side appends to a new store for so long.
func (a appending) side(open opener, evs [][]abi.Event, long time.Duration) harness.Side {
	return func(dir string) (m harness.Measure, err error) {
		s, err := open(dir, a.durability)
		if err != nil {
			return m, err
		}
		start := time.Now()
		m.Count, err = a.run(s, evs, func(int) bool { return time.Since(start) < long })
		m.Took = time.Since(start)
		return m, errors.Join(err, s.Close())
	}
}

// content is what a store holds.
type content struct {
	count int
	order harness.Digest // of seq, topic and payload of each event in order
	bag   harness.Digest // the same without seqs, whatever the order
}

// read reads all of it, or one topic, and finds seqs that do not follow each other.
func read(s store, topicOf string) (c content, err error) {
	var last uint64
	var jump error
	c.order = harness.NewDigest()
	err = s.replay(topicOf, true, func(seq uint64, topic string, data []byte) {
		if seq <= last || topicOf == "" && seq != last+1 {
			jump = fmt.Errorf("seq %d follows %d", seq, last)
		}
		last = seq
		c.count++
		c.order = c.order.Number(seq).Bytes([]byte(topic)).Bytes(data)
		c.bag += harness.NewDigest().Bytes([]byte(topic)).Bytes(data)
	})
	return c, errors.Join(err, jump)
}

// replaying reads a store again and again.
type replaying struct{ topic string }

// side reads the whole store so often that it takes so long. The digest is of what the events
// begin with: the payload has to be touched, and hashing all of it would hide a fast reader.
func (r replaying) side(s *store, stored int, long time.Duration) harness.Side {
	return func(string) (m harness.Measure, err error) {
		start := time.Now()
		for m.Took < long {
			d := harness.NewDigest()
			err := (*s).replay(r.topic, false, func(_ uint64, _ string, data []byte) {
				d = d.Number(binary.LittleEndian.Uint64(data[8:]) ^ uint64(len(data)))
			})
			if err != nil {
				return m, err
			}
			m.Digest = uint64(d)
			m.Count += stored
			m.Took = time.Since(start)
		}
		return m, nil
	}
}
