package logarea

import "github.com/avx-platform/avxrt/abi"

// grouper makes batches of the single events of concurrent publishers: whoever waits when the
// batch before is written goes into the next. It is what users of a store without group
// commit write by hand.
type grouper struct {
	queue chan waiting // holds an event of each publisher; nobody waits for room
	done  chan struct{}
}

type waiting struct {
	ev     *abi.Event
	answer chan error
}

func newGrouper(write func([]abi.Event) error) *grouper {
	g := &grouper{queue: make(chan waiting, publishers), done: make(chan struct{})}
	go g.run(write)
	return g
}

// close ends it; nobody may append any more.
func (g *grouper) close() {
	close(g.queue)
	<-g.done
}

func (g *grouper) append(ev *abi.Event) error {
	w := waiting{ev, make(chan error, 1)}
	g.queue <- w
	return <-w.answer
}

func (g *grouper) run(write func([]abi.Event) error) {
	defer close(g.done)
	var evs []abi.Event
	var group []waiting
	for w := range g.queue {
		group, evs = append(group[:0], w), append(evs[:0], *w.ev)
		for len(group) < batch && len(g.queue) > 0 {
			w := <-g.queue
			group, evs = append(group, w), append(evs, *w.ev)
		}
		err := write(evs)
		for _, w := range group {
			w.answer <- err
		}
	}
}
