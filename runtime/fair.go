package runtime

import (
	"container/heap"
	"sync"
)

// fair shares the cores among subscribers by the fuel that they spend, not by how often
// they ask: as many guests run at once as there are cores, and of those that wait the one
// that will have spent least after its run is next, taken that it burns what it burnt the
// last time (weighted fair queueing: Demers, Keshav, Shenker 1989). So one
// that burns little waits for the runs under way and no others, however many burn much. Who
// was away does not save up: his account begins at what the others have spent.
type fair struct {
	mu      sync.Mutex
	free    int
	virtual int64 // fuel at which the last one began
	waiting fairQueue
}

// share is a subscriber's account.
type share struct {
	spent int64 // guarded by fair.mu, as is last
	last  int64 // what its last run burnt
}

type fairWait struct {
	share *share
	key   int64 // what will have been spent after the run
	order uint64
	ready chan struct{}
}

func newFair(cores int) *fair { return &fair{free: cores} }

// begin waits until a guest of s may run. Each begin is followed by an end.
func (f *fair) begin(s *share) {
	f.mu.Lock()
	s.spent = max(s.spent, f.virtual)
	if f.free > 0 {
		f.free--
		f.virtual = max(f.virtual, s.spent)
		f.mu.Unlock()
		return
	}
	w := &fairWait{share: s, key: s.spent + s.last, order: f.waiting.next, ready: make(chan struct{})}
	f.waiting.next++
	heap.Push(&f.waiting, w)
	f.mu.Unlock()
	<-w.ready
}

// end says that a guest of s has run and how much fuel it burnt.
func (f *fair) end(s *share, fuel int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.last = max(fuel, 0)
	s.spent += s.last
	if len(f.waiting.all) == 0 {
		f.free++
		return
	}
	w := heap.Pop(&f.waiting).(*fairWait)
	f.virtual = max(f.virtual, w.key-w.share.last)
	close(w.ready)
}

// fairQueue is a heap by what will have been spent, then by who came first.
type fairQueue struct {
	all  []*fairWait
	next uint64
}

func (q *fairQueue) Len() int { return len(q.all) }

func (q *fairQueue) Less(i, j int) bool {
	a, b := q.all[i], q.all[j]
	if a.key != b.key {
		return a.key < b.key
	}
	return a.order < b.order
}

func (q *fairQueue) Swap(i, j int) { q.all[i], q.all[j] = q.all[j], q.all[i] }

func (q *fairQueue) Push(x any) { q.all = append(q.all, x.(*fairWait)) }

func (q *fairQueue) Pop() any {
	w := q.all[len(q.all)-1]
	q.all = q.all[:len(q.all)-1]
	return w
}
