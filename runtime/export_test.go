package runtime

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

// OnBuildStep makes f be called behind each commit of a state version that is being built.
func OnBuildStep(o *Options, f func()) { o.onBuildStep = f }

// Partition returns which of n partitions an event belongs to.
func Partition(key string, seq abi.Seq, n int) int { return partition(key, seq, n) }

// LoadedModules returns how many modules are in memory.
func LoadedModules(r *Runtime) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.mu.loaded {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// Spent returns the fuel on the account of a subscriber.
func Spent(r *Runtime, name string) int64 {
	r.cores.mu.Lock()
	defer r.cores.mu.Unlock()
	return r.subscription(name).crew.share.spent
}

// SpecText tells what the plan in service asks of a subscriber, "" if it has none.
func SpecText(r *Runtime, name string) string {
	s := r.subscription(name)
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%+v", s.latest().spec)
}
