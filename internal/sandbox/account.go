package sandbox

import (
	"reflect"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

const (
	// What an instance takes of Go's heap beside its stack, see TestInstanceBytes: in any case, for each
	// entry of a table, for each that a table gets later, for each global and for each segment.
	instanceBytes = 12 << 10
	entryBytes    = 24
	laterBytes    = 8
	globalBytes   = 128
	segmentBytes  = 24
	// stackKept is how large a stack may be between runs. The engine makes one larger when
	// calls nest deeper than before, up to some 20 MiB, and never smaller.
	stackKept = 64 << 10
	// lookEvery is how long a guest runs, for each page that it may have, before its memory is
	// looked at again. A page takes ten times as long to touch, so what was not seen yet stays below a tenth.
	lookEvery = 20 * time.Nanosecond
)

// account is what an instance is known to hold of memory.
type account struct {
	held    *atomic.Int64 // of all instances of the engine
	bytes   atomic.Int64  // of this one
	size    int           // of linear memory, when it was last looked at
	unseen  time.Duration // that the guest has run since
	fixed   int64         // of Go's heap
	touched int64         // of linear memory
	seen    []byte        // a buffer
}

// set notes what the instance holds now.
func (a *account) set(bytes int64) { a.held.Add(bytes - a.bytes.Swap(bytes)) }

// look brings the account up to date after the guest has run for so long.
func (i *Instance) look(ran time.Duration) {
	if i.dead { // it will be closed, and if the guest ended itself the engine has given its memory back
		return
	}
	a := &i.account
	a.unseen += ran
	size := int(i.memory.Size())
	if size != a.size || a.unseen >= time.Duration(size/(4<<10))*lookEvery {
		a.size, a.unseen = size, 0
		a.touched = resident(i.linear.all[:size], &a.seen)
	}
	stack := stackBytes(i.run)
	if stack > stackKept {
		i.run = i.guest.ExportedFunction(abi.ExportRun)
		stack = stackBytes(i.run)
	}
	a.set(a.fixed + a.touched + stack)
}

// heapBytes is what an instance of the module takes of Go's heap beside its stack.
func heapBytes(info *wasmbin.Info) int64 {
	first, more := info.TableEntries()
	return instanceBytes + first*entryBytes + more*laterBytes + int64(info.Globals)*globalBytes + int64(info.Segments)*segmentBytes
}

// stackBytes is the size of the stack that a function of the engine keeps between calls. The
// engine has no way to ask for it; TestStackBytes says if it calls it otherwise one day.
func stackBytes(f api.Function) int64 {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return 0
	}
	stack := v.Elem().FieldByName("stack")
	if stack.Kind() != reflect.Slice {
		return 0
	}
	return int64(stack.Cap()) * int64(stack.Type().Elem().Size())
}

// Bytes is what the instance holds of memory, as of the end of its last run.
func (i *Instance) Bytes() int64 { return i.account.bytes.Load() }

// Held is what all instances of the engine hold of memory: linear memory as far as it was
// ever touched, tables, stacks, and what the engine needs. Code is not in it.
func (e *Engine) Held() int64 { return e.held.Load() }
