package sandbox

import (
	"errors"
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"
)

// limitedMemory is an instance's linear memory: address space for all that it may have is
// reserved once, so it grows without a copy, and is given back as a whole at the end.
type limitedMemory struct {
	all    []byte
	mapped *atomic.Int64 // bytes of all instances, for the account of leaks
}

// Reallocate returns memory of size bytes, nil if that is over the limit, which the guest
// sees as a failed memory.grow.
func (m *limitedMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		return nil
	}
	return m.all[:size]
}

// Free gives the memory back. Nobody may look at it afterwards.
func (m *limitedMemory) Free() {
	if m.all == nil {
		return
	}
	m.mapped.Add(-int64(len(m.all)))
	release(m.all)
	m.all = nil
}

var errNoMemory = errors.New("the system gives no memory for another instance")

// allocator gives one instance its memory.
func (e *Engine) allocator(limit int64) (experimental.MemoryAllocator, *limitedMemory, error) {
	all, err := reserve(uint64(limit))
	if err != nil {
		return nil, nil, errNoMemory
	}
	e.mapped.Add(int64(len(all)))
	m := &limitedMemory{all: all, mapped: &e.mapped}
	return experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return m }), m, nil
}
