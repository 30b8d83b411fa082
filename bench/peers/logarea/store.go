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
	writer() (writer, error)

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

// rival is one to compare with.
type rival struct {
	name string
	open opener
}
