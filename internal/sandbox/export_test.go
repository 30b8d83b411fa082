package sandbox

import (
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// Mapped is the address space that instances of the engine have reserved.
func (e *Engine) Mapped() int64 { return e.mapped.Load() }

// Watched is how many instances the watchdog knows.
func (e *Engine) Watched() int {
	e.watch.mu.Lock()
	defer e.watch.mu.Unlock()
	return len(e.watch.mu.instances)
}

// Loading is of how many modules a load is on.
func (e *Engine) Loading() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.mu.loading)
}

// StackBytes is the size of the stack that the engine keeps for the instance.
func (i *Instance) StackBytes() int64 { return i.account.stackBytes() }

// HeapBytes is what instances of the module are taken to hold of Go's heap beside the stack.
func (m *Module) HeapBytes() int64 { return heapBytes(&m.info) }

// StackKept is the constant.
const StackKept = stackKept

// Holds says whether the place has an instance.
func (p *Place) Holds() bool {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	return p.left != nil
}

// HostFunctions gives every function that guests may import from the host itself, as module.name, and the letters of
// its parameters and results.
func HostFunctions() map[string][2]string {
	all := map[string][2]string{abortModule + "." + abortName: {abortFunction.params, abortFunction.results}}
	for name, f := range hostFunctions {
		all[abi.Module+"."+name] = [2]string{f.params, f.results}
	}
	return all
}

// RefusalOfHungChild is what is said of a module whose compiler was ended by the clock.
func RefusalOfHungChild(used time.Duration) error {
	return childRefusal(childEnd{code: -1, used: used, budget: compileBase, late: true, how: "signal: killed"})
}
