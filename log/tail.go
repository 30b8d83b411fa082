package log

import (
	"context"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/avx-platform/avxrt/abi"
)

// tail keeps the youngest chunks in memory and wakes those who wait for more.
//
// It is one mutex and a slice: the sequencer adds a chunk a group, readers take it once a
// chunk, so the lock is held for well under a microsecond per hundred events.
type tail struct {
	mu struct {
		sync.RWMutex
		chunks []*chunk // ascending, without holes
		bytes  int
		closed bool
		wake   chan struct{} // closed and replaced whenever head, durable or closed change
	}
	limit   int
	head    atomic.Uint64 // last seq that readers can see; written under mu
	durable atomic.Uint64 // last seq that is on disk; written under mu
}

func newTail(limit int, head abi.Seq) *tail {
	t := &tail{limit: limit}
	t.head.Store(uint64(head))
	t.durable.Store(uint64(head))
	t.mu.wake = make(chan struct{})
	return t
}

// publish makes chunks visible; head is the last seq that now exists.
func (t *tail) publish(chunks []*chunk, head abi.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range chunks {
		t.mu.chunks = append(t.mu.chunks, c)
		t.mu.bytes += len(c.raw)
	}
	drop := 0
	for t.mu.bytes > t.limit && drop < len(t.mu.chunks)-1 {
		t.mu.bytes -= len(t.mu.chunks[drop].raw)
		t.mu.chunks[drop] = nil // the array stays; the chunk need not
		drop++
	}
	t.mu.chunks = t.mu.chunks[drop:]
	t.head.Store(uint64(head))
	t.wakeAll()
}

// replace puts the rewritten chunk in the place of the old one, if that is still here.
func (t *tail) replace(first abi.Seq, raw []byte) error {
	c, err := decodeChunk(first, raw)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := sort.Search(len(t.mu.chunks), func(i int) bool { return t.mu.chunks[i].first >= first })
	if i < len(t.mu.chunks) && t.mu.chunks[i].first == first {
		t.mu.bytes += len(raw) - len(t.mu.chunks[i].raw)
		t.mu.chunks[i] = c
	}
	return nil
}

func (t *tail) setDurable(seq abi.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if uint64(seq) > t.durable.Load() {
		t.durable.Store(uint64(seq))
		t.wakeAll()
	}
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mu.closed {
		t.mu.closed = true
		t.wakeAll()
	}
}

// wakeAll needs mu.
func (t *tail) wakeAll() {
	close(t.mu.wake)
	t.mu.wake = make(chan struct{})
}

// find returns the chunk that holds seq if it is still in memory.
func (t *tail) find(seq abi.Seq) *chunk {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := sort.Search(len(t.mu.chunks), func(i int) bool { return t.mu.chunks[i].last() >= seq })
	if i == len(t.mu.chunks) || t.mu.chunks[i].first > seq {
		return nil
	}
	return t.mu.chunks[i]
}

// border returns the last seq that may be read.
func (t *tail) border(durable bool) abi.Seq {
	if durable {
		return abi.Seq(t.durable.Load())
	}
	return abi.Seq(t.head.Load())
}

// wait returns when seq may be read, the context ends or the log is closed.
func (t *tail) wait(ctx context.Context, seq abi.Seq, durable bool) error {
	for {
		t.mu.RLock()
		border, closed, wake := t.border(durable), t.mu.closed, t.mu.wake
		t.mu.RUnlock()
		switch {
		case border >= seq:
			return nil
		case closed:
			return ErrClosed
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
