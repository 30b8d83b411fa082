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

// publishers is how many append single events at a time.
const publishers = 256

// appending is a way to append.
type appending struct {
	durability log.Durability
	single     bool // event by event
}

// writers is how many append.
func (a appending) writers(c contender) int {
	switch {
	case a.single:
		return publishers
	case a.durability == log.Durable:
		return c.durable
	}
	return c.accepted
}

// run lets so many writers append until more says no, and returns how many events were
// answered.
func (a appending) run(s store, writers int, evs [][]abi.Event, more func(round int) bool) (int, error) {
	var wg sync.WaitGroup
	var events atomic.Int64
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			n, err := a.write(s.writer(), i, writers, evs, more)
			events.Add(int64(n))
			errs[i] = err
		})
	}
	wg.Wait()
	return int(events.Load()), errors.Join(errs...)
}

// write is what one writer does: the batches, or the events, from first on, each so many-th.
func (a appending) write(w writer, first, step int, evs [][]abi.Event, more func(round int) bool) (n int, err error) {
	for i := first; err == nil && more(i/step); i += step {
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

// side appends to a new store for so long; each writer at least once, or a machine that is
// busy with something else would find that nothing was done.
func (a appending) side(c contender, evs [][]abi.Event, long time.Duration) harness.Side {
	return func(dir string) (m harness.Measure, err error) {
		s, err := c.open(dir, a.durability)
		if err != nil {
			return m, err
		}
		start := time.Now()
		m.Count, err = a.run(s, a.writers(c), evs, func(round int) bool { return round == 0 || time.Since(start) < long })
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
