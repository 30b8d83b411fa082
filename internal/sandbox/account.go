package sandbox

import (
	"reflect"
	"sync/atomic"
	"time"

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
	// How long a guest runs, for each page of 4 KiB that it has, before its memory is looked at again:
	// while it is at work, and when it comes to rest. To look takes 2 to 9 ns for a page, to touch it 250 and more, so
	// what was not seen yet of a guest at rest stays below a tenth of its size.
	lookRarely = 100 * time.Nanosecond
	lookOften  = 20 * time.Nanosecond
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
	stack   reflect.Value // the engine\'s slice
}

// set notes what the instance holds now.
func (a *account) set(bytes int64) { a.held.Add(bytes - a.bytes.Swap(bytes)) }

// look brings the account up to date after the guest has run for so long, if the time since
// the last look comes to each for every page.
func (i *Instance) look(ran, each time.Duration) {
	if i.dead { // it will be closed, and if the guest ended itself the engine has given its memory back
		return
	}
	a := &i.account
	a.unseen += ran
	size := int(i.memory.Size())
	if size != a.size || a.unseen >= time.Duration(size/(4<<10))*each {
		a.size, a.unseen = size, 0
		a.touched = resident(i.linear.all[:size], &a.seen)
	}
	if a.stackBytes() > stackKept {
		i.newStack()
	}
	a.set(a.fixed + a.touched + a.stackBytes())
}

// heapBytes is what an instance of the module takes of Go's heap beside its stack.
func heapBytes(info *wasmbin.Info) int64 {
	first, more := info.TableEntries()
	return instanceBytes + first*entryBytes + more*laterBytes + int64(info.Globals)*globalBytes + int64(info.Segments)*segmentBytes
}

// newStack takes the guest's function anew: each has a stack of its own, which the engine keeps
// between calls. There is no way to ask for its size; TestStackBytes says if the engine calls it otherwise one day.
func (i *Instance) newStack() {
	i.run, i.account.stack = i.guest.ExportedFunction(abi.ExportRun), reflect.Value{}
	if v := reflect.ValueOf(i.run); v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		i.account.stack = v.Elem().FieldByName("stack")
	}
}

func (a *account) stackBytes() int64 {
	if a.stack.Kind() != reflect.Slice {
		return 0
	}
	return int64(a.stack.Cap()) * int64(a.stack.Type().Elem().Size())
}

// Bytes is what the instance holds of memory, as of the end of its last run.
func (i *Instance) Bytes() int64 { return i.account.bytes.Load() }

// Held is what all instances of the engine hold of memory: linear memory as far as it was
// ever touched, tables, stacks, and what the engine needs. Code is not in it.
func (e *Engine) Held() int64 { return e.held.Load() }
