package log

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// producerRow is what the store knows about a producer: its last append.
type producerRow struct {
	sequence uint64
	first    abi.Seq
	count    int
}

// maxProducers bounds the producers in memory; the others are read from the store.
const maxProducers = 1 << 14

func producerKey(name string) []byte { return named(nil, spaceProducer, name) }

func appendProducer(b []byte, p producerRow) []byte {
	b = binary.AppendUvarint(append(b, rowVersion), p.sequence)
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.first)), uint64(p.count))
}

func decodeProducer(b []byte) (producerRow, error) {
	r := newRowReader(b)
	p := producerRow{sequence: r.num(), first: abi.Seq(r.num()), count: int(r.num())}
	return p, r.err
}

// producer returns the row of a producer; sequence 0 says that there is none.
func (s *sequencer) producer(name string) (producerRow, error) {
	if p, ok := s.producers[name]; ok {
		return p, nil
	}
	value, closer, err := s.l.db.Get(producerKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return producerRow{}, nil
	}
	if err != nil {
		return producerRow{}, err
	}
	defer closer.Close()
	p, err := decodeProducer(value)
	if err != nil {
		return p, fmt.Errorf("%w: the row of producer %q: %v", ErrDamaged, name, err)
	}
	s.producers[name] = p
	return p, nil
}

func (c *Conditions) check() error {
	if len(c.Producer) > 255 {
		return &EventError{-1, "producer", fmt.Sprintf("%d bytes, at most 255 are allowed", len(c.Producer))}
	}
	if c.Producer != "" && c.Sequence == 0 {
		return &EventError{-1, "sequence", "a producer's sequence begins with 1"}
	}
	for _, e := range c.Streams {
		if e.Key == "" || len(e.Key) > abi.MaxKeyBytes {
			return &EventError{-1, "key", fmt.Sprintf("a stream's key has 1 to %d bytes", abi.MaxKeyBytes)}
		}
	}
	return nil
}

// checkConditions says whether r may be appended, or that it was long ago.
func (s *sequencer) checkConditions(r *request) (done bool, err error) {
	c := r.conditions
	if c.Producer != "" {
		p, err := s.producer(c.Producer)
		if err != nil {
			return false, err
		}
		if _, err = s.undo.owner(""); err != nil {
			return false, err
		}
		if c.Sequence <= p.sequence {
			return true, s.repeat(r, p)
		}
	}
	for _, e := range c.Streams {
		st := s.heads.get(e.Key)
		if st == nil {
			return false, errCold
		}
		if met := e.Version == st.version || e.Version == StreamExists && st.version > 0; !met {
			return false, &VersionError{Index: -1, Key: e.Key, Want: e.Version, Have: st.version}
		}
	}
	return false, nil
}

// repeat answers a producer's append that was made before.
func (s *sequencer) repeat(r *request, p producerRow) error {
	if r.conditions.Sequence < p.sequence || len(r.events) != p.count {
		return &ProducerError{Producer: r.conditions.Producer, Sequence: r.conditions.Sequence, Last: p.sequence, Events: p.count}
	}
	s.l.counters.duplicates.Add(uint64(p.count))
	r.receipts = make([]Receipt, p.count)
	for i := range r.receipts {
		receipt := &r.receipts[i]
		*receipt = Receipt{ID: r.events[i].ID, Seq: p.first + abi.Seq(i), Durability: r.durability, Duplicate: true}
		ev, err := s.event(receipt.Seq)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		receipt.Version = ev.Version
	}
	return nil
}

// stageProducer remembers what r appended.
func (s *sequencer) stageProducer(r *request, batch *pebble.Batch) error {
	name := r.conditions.Producer
	var before []byte
	if p := s.producers[name]; p.sequence > 0 {
		before = appendProducer(nil, p)
	}
	if err := s.undo.add(batch, "", s.next()-1, putImage(nil, producerKey(name), before)); err != nil {
		return err
	}
	p := producerRow{sequence: r.conditions.Sequence, first: s.next() - abi.Seq(len(r.events)), count: len(r.events)}
	s.producers[name] = p
	return batch.Set(producerKey(name), appendProducer(nil, p), nil)
}
