package runtime

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// idSource makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then a counter
// in the 12 bits of rand_a so that ids of one node ascend, then 62 random bits. When the
// counter overflows or the clock goes back, the milliseconds run ahead of the clock.
type idSource struct {
	mu struct {
		sync.Mutex
		stamp uint64 // milliseconds<<12 | counter of the last id
	}
}

func (s *idSource) next() string {
	s.mu.Lock()
	s.mu.stamp = max(s.mu.stamp+1, uint64(time.Now().UnixMilli())<<12)
	stamp := s.mu.stamp
	s.mu.Unlock()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], stamp>>12<<16|0x7000|stamp&0xfff)
	_, _ = rand.Read(b[8:]) // crypto/rand never fails: it ends the process instead
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
