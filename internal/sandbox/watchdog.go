package sandbox

import (
	"log/slog"
	"os"
	"sync"
	"time"
)

// ExitStuck is the code with which the process ends when a guest does not come back: an
// error of this program or of the engine, because fuel should have stopped it.
const ExitStuck = 70

const (
	// watchStep is how often running instances are looked at.
	watchStep = 100 * time.Millisecond
	// stuckFactor times the limit without a sign of life is stuck.
	stuckFactor = 10
	// stuckLeast is the least time for that: a loaded machine may not run us for so long.
	stuckLeast = 10 * time.Second
)

// watchdog ends the process when a guest neither returns nor comes to the host, which only
// a fault of the rewriter or the engine can bring about. Native code cannot be stopped from
// outside, and every garbage collection would wait for it, so there is nothing else to do.
// It cannot act while such a collection waits: it is the last resort, not the limit.
type watchdog struct {
	logger *slog.Logger
	exit   func(code int)
	least  time.Duration

	mu struct {
		sync.Mutex
		instances map[*Instance]*sighting
	}
	stop chan struct{} // closed by close
	done chan struct{}
	once sync.Once
}

// sighting is what an instance had done when it was last seen, and how many looks ago. Looks
// are counted, not time: while the whole process is stopped, or the machine asleep, nobody
// makes progress and nobody is stuck.
type sighting struct {
	beat, seq uint64
	looks     int
}

func newWatchdog(opts Options) *watchdog {
	w := &watchdog{logger: opts.Logger, exit: opts.Exit, least: opts.StuckAfter, stop: make(chan struct{}), done: make(chan struct{})}
	if w.exit == nil {
		w.exit = os.Exit
	}
	orDefault(&w.least, stuckLeast)
	w.mu.instances = map[*Instance]*sighting{}
	go w.run()
	return w
}

func (w *watchdog) run() {
	defer close(w.done)
	tick := time.NewTicker(watchStep)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.look()
		}
	}
}

// look ends the process if an instance is stuck.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.mu.instances {
		beat, seq := i.meter.beat.Load(), i.current.Load()
		if !i.meter.running.Load() || beat != s.beat || seq != s.seq {
			s.beat, s.seq, s.looks = beat, seq, 0
			continue
		}
		s.looks++
		if silent := time.Duration(s.looks) * watchStep; silent > max(stuckFactor*i.limits.Time, w.least) {
			w.logger.Error("a guest does not come back and cannot be stopped; the process ends, start it again and take the module out",
				"subscriber", i.config.Subscriber, "digest", i.module.digest, "seq", seq, "silent", silent)
			w.exit(ExitStuck)
		}
	}
}

func (w *watchdog) add(i *Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.instances[i] = &sighting{}
}

func (w *watchdog) remove(i *Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.instances, i)
}

// close ends the goroutine. It may be called twice.
func (w *watchdog) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}
