package sandbox

import (
	"sync"
	"time"
)

// watchStep is how often running instances are looked at: the precision of time limits.
const watchStep = 5 * time.Millisecond

// watchdog stops instances whose event runs too long. One goroutine looks at all of them
// every few milliseconds while any is running, because a timer per event would cost more
// than the event.
type watchdog struct {
	mu struct {
		sync.Mutex
		running map[*Instance]struct{}
		closed  bool
	}
	wake chan struct{} // bound 1: somebody began to run, or close was called
	done chan struct{}
}

func newWatchdog() *watchdog {
	w := &watchdog{wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.mu.running = map[*Instance]struct{}{}
	go w.run()
	return w
}

func (w *watchdog) run() {
	defer close(w.done)
	tick := time.NewTicker(watchStep)
	defer tick.Stop()
	for {
		running, closed := w.look(time.Now().UnixNano())
		switch {
		case closed:
			return
		case running:
			<-tick.C
		default:
			tick.Stop()
			<-w.wake
			tick.Reset(watchStep)
		}
	}
}

// look cancels what is over its deadline.
func (w *watchdog) look(now int64) (running, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.mu.running {
		if deadline := i.deadline.Load(); deadline != 0 && now > deadline && i.timedOut.CompareAndSwap(false, true) {
			i.cancel()
		}
	}
	return len(w.mu.running) > 0, w.mu.closed
}

func (w *watchdog) begin(i *Instance) {
	w.mu.Lock()
	first := len(w.mu.running) == 0
	w.mu.running[i] = struct{}{}
	w.mu.Unlock()
	if first {
		w.poke()
	}
}

func (w *watchdog) end(i *Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.running, i)
}

func (w *watchdog) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close ends the goroutine. It may be called twice.
func (w *watchdog) close() {
	w.mu.Lock()
	w.mu.closed = true
	w.mu.Unlock()
	w.poke()
	<-w.done
}
