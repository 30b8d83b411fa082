package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/router"
)

// Epoch is the time of the first event that has none, in nanoseconds since 1970: the
// beginning of 2026 UTC. The next one is a second later, and so on. It is also the clock
// outside of events.
const Epoch = 1767225600_000_000_000

// Options say what runs and where it starts.
type Options struct {
	Name   string            // of the subscriber, which seeds what is random; default "trial"
	Module []byte            // its bytes, for [Open]
	Limits sandbox.Limits    // zero fields take the defaults, which are the manifest's; Time is at least a minute
	Config map[string]string // what the guest reads by conf
	Grants []router.Pattern  // what it may emit; none: nothing
	State  map[string][]byte // before the first event; it is copied
	Fresh  bool              // an instance of its own for each event
}

// Trial is one module with its state. It is for one goroutine at a time.
type Trial struct {
	opts     Options
	module   *sandbox.Module
	owned    bool
	state    *state
	instance *sandbox.Instance
	used     bool // the instance has handled an event
	seq      abi.Seq
	versions map[string]abi.Version // of the streams, by key
	logs     []sandbox.LogLine      // of the event in hand
}

// Open loads the module and returns a trial of it; the caller closes it, before e. The error
// is a [*sandbox.LoadError] where the module is at fault.
func Open(ctx context.Context, e *sandbox.Engine, opts Options) (*Trial, error) {
	m, err := e.Load(ctx, opts.withDefaults().Name, opts.Module)
	if err != nil {
		return nil, err
	}
	t := New(m, opts)
	t.owned = true
	return t, nil
}

// New returns a trial of a module that the caller has loaded and closes after the trial.
// Options.Module is not looked at.
func New(m *sandbox.Module, opts Options) *Trial {
	return &Trial{opts: opts.withDefaults(), module: m, state: newState(opts.State), versions: map[string]abi.Version{}}
}

// minTime keeps a busy machine from deciding how an event ends. Fuel stops a guest; the time
// limit is for a store that is slow, and there is none here.
const minTime = time.Minute

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "trial"
	}
	o.Limits.Time = max(o.Limits.Time, minTime)
	return o
}

// Close releases the instance, and the module that [Open] loaded.
func (t *Trial) Close(ctx context.Context) error {
	err := t.discard(ctx)
	if t.owned {
		err = errors.Join(err, t.module.Close(ctx))
	}
	return err
}

// State returns a copy of what the state holds now.
func (t *Trial) State() map[string][]byte { return maps.Clone(t.state.values) }

// Handle gives the guest one event. What ev leaves out is filled in: kind, seq (one more
// than that of the event before), version (of the key's stream in this trial), time, id,
// source and attempt. The error means that no node would give a guest this event, or that
// the host failed; the guest has not run then.
func (t *Trial) Handle(ctx context.Context, ev abi.Event) (Outcome, error) {
	t.complete(&ev)
	if err := check(&ev); err != nil {
		return Outcome{}, err
	}
	t.seq = ev.Seq
	if ev.Key != "" {
		t.versions[ev.Key] = ev.Version
	}
	out, handled, err := t.try(ctx, &ev)
	if out.Trap != nil && !handled && t.used {
		ev.Attempt++
		ev.Flags |= abi.FlagRedelivered
		if err = t.discard(ctx); err == nil {
			out, _, err = t.try(ctx, &ev)
			out.Again = true
		}
	}
	t.used = true
	if t.opts.Fresh || t.instance != nil && !t.instance.Usable() {
		err = errors.Join(err, t.discard(ctx))
	}
	return out, err
}

// complete fills in what ev leaves out.
func (t *Trial) complete(ev *abi.Event) {
	fill(&ev.Kind, abi.KindEvent)
	fill(&ev.Seq, t.seq+1)
	if ev.Key != "" {
		fill(&ev.Version, t.versions[ev.Key]+1)
	}
	fill(&ev.Time, Epoch+int64(ev.Seq-1)*1_000_000_000)
	fill(&ev.Appended, ev.Time)
	fill(&ev.ID, fmt.Sprintf("event-%d", ev.Seq))
	fill(&ev.Source, "/avxrt/trial")
	fill(&ev.Attempt, 1)
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check refuses what the log would not take.
func check(ev *abi.Event) error {
	if err := router.CheckTopic(ev.Topic); err != nil {
		return err
	}
	for _, part := range []struct{ name, value string }{
		{"key", ev.Key}, {"id", ev.ID}, {"source", ev.Source}, {"content type", ev.ContentType},
	} {
		if len(part.value) > abi.MaxKeyBytes {
			return fmt.Errorf("the event's %s has %d bytes, at most %d are allowed", part.name, len(part.value), abi.MaxKeyBytes)
		}
	}
	if err := ev.Headers.Check(); err != nil {
		return fmt.Errorf("the event's headers: %w", err)
	}
	if n := len(ev.Headers); n > abi.MaxHeadersBytes {
		return fmt.Errorf("the event's headers have %d bytes, at most %d are allowed", n, abi.MaxHeadersBytes)
	}
	if n := abi.FrameLen(ev); n > abi.MaxEventBytes {
		return fmt.Errorf("the event has %d bytes, at most %d are allowed", n, abi.MaxEventBytes)
	}
	return nil
}

// try runs one attempt, and says whether the guest acknowledged the event.
func (t *Trial) try(ctx context.Context, ev *abi.Event) (out Outcome, handled bool, err error) {
	t.logs = nil
	if t.instance == nil {
		instance, err := t.module.Instantiate(ctx, t.config(), t.state)
		var refused *sandbox.LoadError
		if errors.As(err, &refused) {
			return Outcome{End: Unstarted, Reason: refused.Reason, Logs: t.logs}, false, nil
		}
		if err != nil {
			return Outcome{}, false, err
		}
		t.instance, t.used = instance, false
	}
	next := ev
	result := t.instance.Run(ctx, sandbox.Batch{State: t.state, Next: func() *abi.Event {
		given := next
		next = nil
		return given
	}})
	out = outcomeOf(&result)
	out.Logs, out.Memory, out.Writes = t.logs, t.instance.MemoryBytes(), t.state.apply(result.Writes)
	return out, result.Handled > 0, nil
}

func (t *Trial) config() sandbox.Config {
	return sandbox.Config{
		Subscriber: t.opts.Name, Limits: t.opts.Limits, Conf: t.opts.Config, Adopted: Epoch, Grants: t.granted,
		OnLog: func(line sandbox.LogLine) { t.logs = append(t.logs, line) },
	}
}

// granted says what may be emitted: valid topics that a grant matches.
func (t *Trial) granted(topic string) bool {
	for _, p := range t.opts.Grants {
		if p.Match(topic) {
			return router.CheckTopic(topic) == nil
		}
	}
	return false
}

func (t *Trial) discard(ctx context.Context) error {
	if t.instance == nil {
		return nil
	}
	err := t.instance.Close(ctx)
	t.instance = nil
	return err
}
