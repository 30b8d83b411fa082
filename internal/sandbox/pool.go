package sandbox

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
)

// Pool bounds the memory of instances that nobody uses. An instance belongs to the one
// [Place] whose owner made it, because it remembers what that owner gave it; between
// runs its owner leaves it there. When all instances of the engine hold more than the bound, those left
// that were not used for the longest time are closed; their owners make new ones when they
// need them. An instance is a cache, so nothing but time is lost. Instances in use are
// never closed: there are few, as few as may run at a time.
type Pool struct {
	engine  *Engine
	evicted atomic.Uint64
	mu      struct {
		sync.Mutex
		bound int64
		idle  list.List // of *Place, with an instance; the one that was left last is in front
	}
}

// NewPool returns a pool for instances of e that begins to close them above bound bytes.
// Bound 0 keeps none.
func (e *Engine) NewPool(bound int64) *Pool {
	p := &Pool{engine: e}
	p.mu.bound = bound
	p.mu.idle.Init()
	return p
}

// Resize changes the bound.
func (p *Pool) Resize(bound int64) {
	p.mu.Lock()
	p.mu.bound = bound
	p.mu.Unlock()
	p.shrink()
}

// shrink closes idle instances until the bound is kept, the oldest first.
func (p *Pool) shrink() {
	for {
		i := p.oldest()
		if i == nil {
			return
		}
		_ = i.Close(context.Background()) // not with the lock held: the system takes its time to unmap
		p.evicted.Add(1)
	}
}

// oldest takes the instance that must go next out of the pool, nil if the bound is kept.
func (p *Pool) oldest() *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.mu.idle.Back()
	if last == nil || p.engine.Held() <= p.mu.bound {
		return nil
	}
	place := last.Value.(*Place)
	place.memory.Store(0)
	i := place.take()
	i.account.set(0) // at once, so that nobody takes another one out for it
	return i
}

// PoolStats are the figures of a pool.
type PoolStats struct {
	Bound   int64
	Held    int64  // by all instances of the engine, idle or not
	Idle    int    // instances
	Evicted uint64 // instances that were closed to keep the bound
}

// Stats returns the figures.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Bound: p.mu.bound, Held: p.engine.Held(), Idle: p.mu.idle.Len(), Evicted: p.evicted.Load()}
}

// Place is where an owner leaves its instance between runs. One goroutine at a time may call
// Take, Leave and Clear.
type Place struct {
	pool   *Pool
	memory atomic.Int64
	at     *list.Element // in the pool's list; guarded by its lock, as is left
	left   *Instance
}

// Place returns a place for a new owner, who clears it at the end.
func (p *Pool) Place() *Place { return &Place{pool: p} }

// take empties the place. The caller holds the pool's lock.
func (p *Place) take() *Instance {
	i := p.left
	if i != nil {
		p.pool.mu.idle.Remove(p.at)
		p.at, p.left = nil, nil
	}
	return i
}

// Take returns the instance that was left, nil if there is none any more. It is the
// caller's until it is left again.
func (p *Place) Take() *Instance {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	return p.take()
}

// Leave gives an instance into the pool's care, after a run: one that cannot run again is
// closed. The place must be empty.
func (p *Place) Leave(i *Instance) {
	if !i.Usable() {
		p.memory.Store(0)
		_ = i.Close(context.Background())
		return
	}
	p.memory.Store(i.MemoryBytes())
	p.pool.mu.Lock()
	p.left, p.at = i, p.pool.mu.idle.PushFront(p)
	p.pool.mu.Unlock()
	p.pool.shrink()
}

// Rest says that the owner will not use its instance for a while, so that what it holds is
// looked at more closely.
func (p *Place) Rest() {
	if i := p.Take(); i != nil {
		i.look(0, lookOften)
		p.Leave(i)
	}
}

// Clear closes the instance that was left, if there is one.
func (p *Place) Clear() {
	if i := p.Take(); i != nil {
		_ = i.Close(context.Background())
	}
	p.memory.Store(0)
}

// MemoryBytes is the size of the linear memory of the owner's instance, after its last run;
// 0 if there is none. Anybody may ask.
func (p *Place) MemoryBytes() int64 { return p.memory.Load() }
