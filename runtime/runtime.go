package runtime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// Runtime is an open node: a store, and the subscribers of a manifest.
type Runtime struct {
	opts   Options
	store  *log.Log
	engine *sandbox.Engine
	ids    idSource

	draining atomic.Bool
	running  atomic.Bool
	reloads  struct{ done, refused atomic.Uint64 }
	interest *interest
	cores    *fair
	pool     *sandbox.Pool // of the instances of all subscribers

	clockStopped atomic.Bool // as last said in the log

	planning  sync.Mutex   // one plan is built at a time
	switching sync.Mutex   // a subscriber changes its state version, or a plan is adopted; before mu
	shadowing sync.RWMutex // read-locked while a guest runs outside of plans and subscriptions

	mu struct {
		sync.Mutex
		manifest *manifest.Manifest
		subs     map[string]*subscription                // attached and running, or to be run by Run
		problems map[string]string                       // per subscriber; "" is the manifest's own
		loaded   map[string]weak.Pointer[sandbox.Module] // by digest; what uses one keeps it
		launch   func(*subscription)                     // set while Run runs
	}
}

// Open opens the store of the manifest's node, loads every module and attaches the
// subscribers. Nothing is delivered before [Runtime.Run]. A manifest or module that is
// wrong gives a [*ManifestError]; a store in use an error that wraps [log.ErrLocked].
func Open(opts Options) (*Runtime, error) {
	opts = opts.withDefaults()
	r := &Runtime{opts: opts, interest: newInterest(), cores: newFair(goruntime.GOMAXPROCS(0))}
	r.mu.subs, r.mu.problems, r.mu.loaded = map[string]*subscription{}, map[string]string{}, map[string]weak.Pointer[sandbox.Module]{}
	m, err := r.readManifest()
	if err != nil {
		return nil, &ManifestError{Err: err}
	}
	if opts.Log.MinFree == 0 {
		opts.Log.MinFree = m.Log.MinFree
	}
	if r.store, err = log.Open(filepath.Join(m.Node.Data, "log"), opts.Log); err != nil {
		return nil, err
	}
	r.engine, err = sandbox.NewEngine(context.Background(), sandbox.Options{
		CacheDir: filepath.Join(m.Node.Data, "cache"), Logger: opts.Logger, CompileCommand: opts.CompileCommand,
	})
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	r.mu.manifest, r.pool = m, r.engine.NewPool(m.Plugins.IdleMemory)
	plan, err := r.build(context.Background(), m, change{})
	if err == nil {
		err = r.adopt(context.Background(), plan)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// readManifest loads the manifest from the file or the text of the options.
func (r *Runtime) readManifest() (*manifest.Manifest, error) {
	if r.opts.Manifest != "" {
		return manifest.Load(r.opts.Manifest, manifest.LookupEnv(r.opts.LookupEnv))
	}
	return manifest.Parse(r.opts.ManifestText, r.opts.Dir, manifest.LookupEnv(r.opts.LookupEnv))
}

// Run delivers events until ctx ends, then lets every subscriber finish the event it is
// at, commits and returns nil. It may be called once.
func (r *Runtime) Run(ctx context.Context) error {
	if r.running.Swap(true) {
		return errors.New("runtime: Run was called twice")
	}
	var wg sync.WaitGroup
	r.interest.begin(r.store)
	wg.Go(func() { r.interest.follow(ctx, r) })
	r.mu.Lock()
	r.mu.launch = func(s *subscription) { wg.Go(func() { s.crew.run(ctx) }) }
	for _, s := range r.mu.subs {
		r.mu.launch(s)
	}
	watch := r.mu.manifest.Plugins.Watch && r.opts.Manifest != ""
	r.mu.Unlock()
	if watch {
		wg.Go(func() { r.watch(ctx) })
	}
	wg.Go(func() { r.retainAlways(ctx) })
	wg.Go(func() { r.fireAlways(ctx) })
	<-ctx.Done()
	r.draining.Store(true)
	r.mu.Lock()
	r.mu.launch = nil
	r.mu.Unlock()
	wg.Wait()
	return nil
}

// Drain refuses events from now on, and makes [Runtime.Status] say so, ahead of the end of
// Run's context.
func (r *Runtime) Drain() { r.draining.Store(true) }

// Close closes the modules and the store, once no rehearsal runs any more. Run must have
// returned before.
func (r *Runtime) Close() error {
	r.draining.Store(true)
	if r.running.Load() {
		r.store.Settled()
	}
	r.planning.Lock() // whoever comes later sees that the node drains
	defer r.planning.Unlock()
	r.shadowing.Lock()
	defer r.shadowing.Unlock()
	return errors.Join(r.engine.Close(context.Background()), r.store.Close())
}

// Store returns the log of the node, for reading and for figures. Appending to it goes
// around the checks of [Runtime.Publish].
func (r *Runtime) Store() *log.Log { return r.store }

// DefaultDurability is what the manifest's log.durability asks for.
func (r *Runtime) DefaultDurability() log.Durability {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.manifest.Log.Durability == log.Accepted.String() {
		return log.Accepted
	}
	return log.Durable
}

// source is what events of this node name as their source unless they have their own.
func (r *Runtime) source() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return "/avxrt/" + r.mu.manifest.Node.ID
}

// subscription returns the subscriber called name, or nil.
func (r *Runtime) subscription(name string) *subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.subs[name]
}

// subscriptions returns all subscribers by name.
func (r *Runtime) subscriptions() []*subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*subscription, 0, len(r.mu.subs))
	for _, s := range r.mu.subs {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *subscription) int { return strings.Compare(a.name, b.name) })
	return all
}

// allLanes returns the lanes of all subscribers.
func (r *Runtime) allLanes() []*subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*subscription, 0, len(r.mu.subs))
	for _, s := range r.mu.subs {
		all = append(all, s.crew.lanes...)
	}
	return all
}

// Event returns the event at seq once it is durable, or [ErrNotFound].
func (r *Runtime) Event(seq abi.Seq) (abi.Event, error) {
	if seq > r.store.DurableSeq() {
		return abi.Event{}, fmt.Errorf("event %d: %w", seq, ErrNotFound)
	}
	ev, err := r.store.Event(seq)
	if errors.Is(err, log.ErrNotFound) {
		return abi.Event{}, fmt.Errorf("event %d: %w", seq, ErrNotFound)
	}
	return ev, err
}

// now is the wall clock in the unit of events.
func now() int64 { return time.Now().UnixNano() }

// nanos returns a time as events have it. One beyond the 292 years before and after 1970 that these
// count is the nearest that they do: time.Time.UnixNano would make one of the far future one of the past.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}
