package sandbox

import "github.com/tetratelabs/wazero/experimental"

// limitedMemory is an instance's linear memory that does not grow over its limit. It
// doubles, so that a guest that grows page by page does not copy itself each time.
type limitedMemory struct {
	buf   []byte
	limit uint64
}

// Reallocate returns memory of size bytes, nil if that is over the limit, which the guest
// sees as a failed memory.grow.
func (m *limitedMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(cap(m.buf)) {
		grown := make([]byte, size, min(max(size, 2*uint64(cap(m.buf))), m.limit))
		copy(grown, m.buf)
		m.buf = grown
	}
	m.buf = m.buf[:size]
	return m.buf
}

// Free lets the memory go.
func (m *limitedMemory) Free() { m.buf = nil }

// memoryWithin returns an allocator for one instance. The engine asks for the declared
// minimum first, which the caller has compared with the limit.
func memoryWithin(limit int64) experimental.MemoryAllocator {
	return experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory {
		return &limitedMemory{limit: uint64(limit)}
	})
}
