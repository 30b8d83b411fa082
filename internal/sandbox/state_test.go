package sandbox_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// endlessState has ever more keys, with a megabyte each, and counts how many were read.
type endlessState struct{ read int }

func (e *endlessState) Get([]byte) ([]byte, bool, error) { return nil, false, nil }

func (e *endlessState) Scan(_, _ []byte, fn func(key, value []byte) bool) error {
	value := make([]byte, 1<<20)
	for e.read < 2000 {
		e.read++
		if !fn(binary.BigEndian.AppendUint32(nil, uint32(e.read)), value) {
			return nil
		}
	}
	return nil
}

// TestScanIsBoundByMemory: however much room a guest says it has, the host collects no more
// than goes into its memory.
func TestScanIsBoundByMemory(t *testing.T) {
	i := instantiate(t, load(t, newEngine(t), probe), testConfig, memState{})
	at := i.MemoryBytes() - 3<<20
	state := &endlessState{}
	r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, fmt.Sprintf("call kv_scan2 %d %d", at, 1<<31-1)), State: state})
	if r.Trap != nil || state.read > 4 {
		t.Errorf("%s, %d values were read for a buffer of three", printResult(r), state.read)
	}
	state.read = 0
	r = i.Run(context.Background(), sandbox.Batch{Next: feed(2, fmt.Sprintf("call kv_scan2 %d %d", i.MemoryBytes()-5, 1<<31-1)), State: state})
	if r.Trap == nil || r.Trap.Kind != sandbox.TrapPointer || state.read > 1 {
		t.Errorf("%s, %d values were read for a buffer outside of the memory", printResult(r), state.read)
	}
}
