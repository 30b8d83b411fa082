package logarea

import (
	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// batch is how many events one append takes.
const batch = 256

// store is what the cases ask of every side. Its methods are for one goroutine, its writers
// for one each.
type store interface {
	// writer makes a writer with what one publisher has for itself.
	writer() writer

	// replay calls visit for all events in order, or for those of one topic. The memory is
	// visit's until it returns. Where a seq costs something extra, it is 0 unless asked for.
	replay(topic string, seqs bool, visit func(seq uint64, topic string, data []byte)) error

	Close() error
}

// writer appends with the durability that its store was opened for.
type writer interface {
	// append takes a batch, in order. A side that can have several under way may answer
	// with the next ones.
	append(evs []abi.Event) error

	// appendOne appends an event and returns when it is answered.
	appendOne(ev *abi.Event) error

	// settle returns when everything that append took is answered.
	settle() error
}

// opener opens the store in dir, or makes it.
type opener func(dir string, d log.Durability) (store, error)

// contender is one side: a store, and how many publishers of batches get most out of it on
// two cores (1, 2, 4 and 16 were tried). More of them help where commits are grouped, and
// hinder where they take turns.
type contender struct {
	name              string
	open              opener
	accepted, durable int
}

var us = contender{"ours", openOurs, 2, 16}

// rivals are the others, JetStream with the settings that fit what is asked.
func rivals(jetStream string, open opener) []contender {
	return []contender{
		{jetStream, open, 1, 4}, {"pebble", openPebble, 4, 16}, {"bbolt", openBolt, 1, 1}, {"tidwall", openTidwall, 2, 1},
	}
}

// ticked are those of them that can be brought to disk from outside.
func ticked() (out []contender) {
	for _, c := range rivals("", nil)[1:] {
		out = append(out, contender{c.name + "/sync-10ms", everyTick(c.open), c.accepted, c.durable})
	}
	return out
}
