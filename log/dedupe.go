package log

import (
	"hash/maphash"

	"github.com/avx-platform/avxrt/abi"
)

// dedupe remembers the (source, id) of the published ones of the last events of the log, as
// a hash and the seq. The window is counted in seqs, emits included, so that it is the same
// after a restart.
// A hit is only a suspicion: the caller compares with the event itself. The hash seed is
// this process's own, so nobody can prepare collisions. The sequencer alone uses it.
type dedupe struct {
	seed  maphash.Seed
	seqs  map[uint64]abi.Seq
	ring  []uint64 // hashes in order of arrival; at is the oldest once the ring is full
	at    int
	limit int
	fresh []uint64 // added since mark, for rollback
}

func newDedupe(limit int) *dedupe {
	return &dedupe{seed: maphash.MakeSeed(), seqs: map[uint64]abi.Seq{}, limit: max(limit, 0)}
}

func (d *dedupe) hash(ev *abi.Event) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	h.WriteString(ev.Source)
	h.WriteByte(0)
	h.WriteString(ev.ID)
	return h.Sum64()
}

// find returns the seq of the event that may be the same as the one with this hash.
func (d *dedupe) find(hash uint64) (abi.Seq, bool) {
	seq, ok := d.seqs[hash]
	return seq, ok
}

// add remembers a published event; the oldest one leaves when the window is full.
func (d *dedupe) add(hash uint64, seq abi.Seq) {
	if d.limit == 0 {
		return
	}
	d.seqs[hash] = seq
	d.fresh = append(d.fresh, hash)
}

// mark makes what was added since the last mark final.
func (d *dedupe) mark() {
	for _, hash := range d.fresh {
		if len(d.ring) < d.limit {
			d.ring = append(d.ring, hash)
			continue
		}
		d.forget(d.ring[d.at], d.seqs[hash])
		d.ring[d.at] = hash
		d.at = (d.at + 1) % d.limit
	}
	d.fresh = d.fresh[:0]
}

// forget drops a hash that leaves the ring, unless its event was published again since and
// that one is in the window behind which the event at seq is the last.
func (d *dedupe) forget(hash uint64, last abi.Seq) {
	if d.seqs[hash]+abi.Seq(d.limit) <= last {
		delete(d.seqs, hash)
	}
}

// rollback forgets what was added since the last mark.
func (d *dedupe) rollback() {
	for _, hash := range d.fresh {
		delete(d.seqs, hash)
	}
	d.fresh = d.fresh[:0]
}

// loadDedupe refills the window from the end of the log.
func (s *sequencer) loadDedupe() error {
	window := abi.Seq(s.dedupe.limit)
	if window == 0 || s.head == 0 {
		return nil
	}
	from := abi.Seq(1)
	if s.head > window {
		from = s.head - window + 1
	}
	r := s.l.NewReader(ReadOptions{From: from, Borrow: true})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		if i := int(ev.Seq - r.chunk.first); ev.ID != "" && r.chunk.published(i) {
			s.dedupe.add(s.dedupe.hash(&ev), ev.Seq)
		}
	}
	s.dedupe.mark()
	return r.Err()
}
